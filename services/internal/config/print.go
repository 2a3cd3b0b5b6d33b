package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/redact"
)

// Print writes the configuration that is in force as YAML. Secrets are left out, and a
// comment says where each value is from. What nobody gave and has no default is left out.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	last := []string{}
	for _, f := range fields() {
		v := c.at(f.index)
		if v.IsZero() && c.origins[f.key] == "" {
			continue
		}
		parts := strings.Split(f.key, ".")
		for i, part := range parts[:len(parts)-1] {
			if i >= len(last) || !slices.Equal(last[:i+1], parts[:i+1]) {
				fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), part)
			}
		}
		last = parts[:len(parts)-1]
		c.node(&b, len(parts)-1, parts[len(parts)-1]+":", v, f.key)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// node writes a value after its name. path is where it stands.
func (c *Config) node(b *strings.Builder, depth int, name string, v reflect.Value, path string) {
	indent := strings.Repeat("  ", depth)
	from := ""
	if s := c.origins[path]; s != "" {
		from = " # " + oneLine(s)
	}
	switch {
	case v.Kind() == reflect.Slice && v.Len() == 0, v.Kind() == reflect.Map && v.Len() == 0:
		empty := "[]"
		if v.Kind() == reflect.Map {
			empty = "{}"
		}
		fmt.Fprintf(b, "%s%s %s%s\n", indent, name, empty, from)
	case v.Kind() == reflect.Slice:
		fmt.Fprintf(b, "%s%s%s\n", indent, name, from)
		for i := range v.Len() {
			c.item(b, depth+1, v.Index(i), path+"["+strconv.Itoa(i)+"]")
		}
	case v.Kind() == reflect.Map:
		fmt.Fprintf(b, "%s%s%s\n", indent, name, from)
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			c.node(b, depth+1, scalar(k)+":", v.MapIndex(k), join(path, k.String()))
		}
	default:
		fmt.Fprintf(b, "%s%s %s%s\n", indent, name, scalar(v), from)
	}
}

// item writes an element of a list.
func (c *Config) item(b *strings.Builder, depth int, v reflect.Value, path string) {
	indent := strings.Repeat("  ", depth)
	if leaf(v.Type()) {
		fmt.Fprintf(b, "%s- %s\n", indent, scalar(v))
		return
	}
	first := "- "
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if v.Field(i).IsZero() {
			continue
		}
		var sub strings.Builder
		c.node(&sub, depth+1, name+":", v.Field(i), join(path, name))
		b.WriteString(indent + first + strings.TrimPrefix(sub.String(), indent+"  "))
		first = "  "
	}
}

// scalar writes a single value.
func scalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return showDuration(x)
	case Size:
		return x.String()
	case Secret:
		return quote(x.String())
	case URL:
		return quote(x.String())
	case string:
		return quote(x)
	}
	return fmt.Sprint(v.Interface())
}

// quote writes a text so that YAML reads a text.
func quote(s string) string {
	if s != "" && s != redact.Mark && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.' || r == '/' || r >= '0' && r <= '9')
	}) && s[0] >= 'a' && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

func itoa(i int) string { return strconv.Itoa(i) }
