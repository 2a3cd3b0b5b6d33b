package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loader puts a configuration together.
type loader struct {
	in       Input
	out      *Config
	problems Problems
	origins  map[string]string // by path
	files    map[string]reference
}

// reference is a value that lies in a file.
type reference struct {
	name   string
	origin string
	value  reflect.Value
}

// bad notes a mistake. What is not text that somebody wrote, or must not be shown, has
// no value.
func (l *loader) bad(key, source, value, format string, args ...any) {
	l.problems = append(l.problems, Problem{Key: key, Source: source, Value: value, Why: fmt.Sprintf(format, args...)})
}

// clear forgets what was said about a path and what lies below it.
func (l *loader) clear(path string) {
	for known := range l.origins {
		if known == path || strings.HasPrefix(known, path+".") || strings.HasPrefix(known, path+"[") {
			delete(l.origins, known)
			delete(l.files, known)
		}
	}
	delete(l.files, path)
}

// text sets a value of one piece from a text.
func (l *loader) text(v reflect.Value, tag reflect.StructTag, path, origin, text string) {
	t := v.Type()
	if !private(t) && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' }) {
		l.bad(path, origin, "", "it has control characters")
		return
	}
	var err error
	switch {
	case t == secretType:
		v.Set(reflect.ValueOf(NewSecret(text)))
	case t == urlType:
		v.Set(reflect.ValueOf(NewURL(text)))
	case t == durationType:
		var d time.Duration
		if d, err = parseDuration(text); err == nil {
			v.SetInt(int64(d))
			err = bounds(tag, v, func(s string) (int64, error) { d, err := parseDuration(s); return int64(d), err })
		}
	case t == sizeType:
		var s Size
		if s, err = parseSize(text); err == nil {
			v.SetInt(int64(s))
			err = bounds(tag, v, func(s string) (int64, error) { n, err := parseSize(s); return int64(n), err })
		}
	case t.Kind() == reflect.Int:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err != nil || strconv.FormatInt(n, 10) != text {
			err = fmt.Errorf("want a whole number")
		} else {
			v.SetInt(n)
			err = bounds(tag, v, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
		}
	case t.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			err = fmt.Errorf("want true or false")
		}
		v.SetBool(text == "true")
	default:
		v.SetString(text)
		if allowed := strings.Fields(tag.Get("oneof")); len(allowed) > 0 && !slices.Contains(allowed, text) {
			err = fmt.Errorf("want one of %s", strings.Join(allowed, ", "))
		}
	}
	if err != nil {
		l.bad(path, origin, shown(text), "%v", err)
	}
}

// bounds checks a number against what its tag says.
func bounds(tag reflect.StructTag, v reflect.Value, parse func(string) (int64, error)) error {
	low, high := tag.Get("min"), tag.Get("max")
	if low == "" {
		return nil
	}
	lowest, err := parse(low)
	if err != nil {
		return fmt.Errorf("the model's min %q: %w", low, err)
	}
	highest, err := parse(high)
	if err != nil {
		return fmt.Errorf("the model's max %q: %w", high, err)
	}
	if v.Int() < lowest || v.Int() > highest {
		return fmt.Errorf("want %s to %s", low, high)
	}
	return nil
}

// whole sets the value of a key from a text of the environment or a flag: lists are
// separated by commas, maps are NAME=VALUE separated by commas.
func (l *loader) whole(f field, origin, text string) {
	v := l.out.at(f.index)
	l.clear(f.key)
	l.origins[f.key] = origin
	switch f.typ.Kind() {
	case reflect.Slice:
		v.SetZero()
		for i, s := range split(text) {
			l.append(v, f.tag, f.key+"["+strconv.Itoa(i)+"]", origin, s)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(f.typ))
		for _, pair := range split(text) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" {
				l.bad(f.key, origin, shown(pair), "want NAME=VALUE, separated by commas")
				continue
			}
			l.entry(v, f.tag, f.key, name, origin, value)
		}
	default:
		l.text(v, f.tag, f.key, origin, text)
	}
}

func split(text string) (out []string) {
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// append adds a text to a list.
func (l *loader) append(list reflect.Value, tag reflect.StructTag, path, origin, text string) {
	v := reflect.New(list.Type().Elem()).Elem()
	l.origins[path] = origin
	l.text(v, tag, path, origin, text)
	list.Set(reflect.Append(list, v))
}

// entry adds a text under a name; a map of lists gathers several.
func (l *loader) entry(m reflect.Value, tag reflect.StructTag, path, name, origin, text string) {
	t, at, key := m.Type().Elem(), join(path, name), reflect.ValueOf(name)
	old := m.MapIndex(key)
	v := reflect.New(t).Elem()
	l.origins[at] = origin
	if t.Kind() == reflect.Slice {
		if old.IsValid() {
			v.Set(old)
		}
		l.append(v, tag, at+"["+strconv.Itoa(v.Len())+"]", origin, text)
	} else {
		if old.IsValid() {
			l.bad(at, origin, "", "it is there twice")
		}
		l.text(v, tag, at, origin, text)
	}
	m.SetMapIndex(key, v)
}

// refer notes that the value of a path lies in a file.
func (l *loader) refer(v reflect.Value, path, origin, name string) {
	l.clear(path)
	v.SetZero()
	l.origins[path] = origin
	l.files[path] = reference{name: name, origin: origin, value: v}
}

// at returns what a path of indexes leads to.
func (c *Config) at(index []int) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(index) }
