package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/suggest"
)

// maxFile bounds a file of configuration, in bytes.
const maxFile = 1 << 20

// maxValues bounds the values of a configuration.
const maxValues = 10_000

// file reads a file over what is there.
func (l *loader) file(name, origin string) {
	text, err := readBounded(name, maxFile)
	if err != nil {
		l.bad("config", origin, name, "%v", err)
		return
	}
	l.parse(name, text)
}

// readBounded reads a regular file of at most some bytes.
func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("it is over the limit of %s", Size(most))
	}
	return text, nil
}

// plain returns the reason of an error of package os, without the path that a message
// has already.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// parse reads YAML over what is there.
func (l *loader) parse(name string, text []byte) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // it is empty
	case err != nil:
		l.bad("config", name, "", "it is not YAML: %s", sayNothing(err))
		return
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		l.bad("config", name, "", "it has more than one document")
		return
	}
	if len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" {
		return
	}
	y := &reader{loader: l, name: name}
	y.record(doc.Content[0], reflect.ValueOf(l.out).Elem(), "")
	if len(y.origins) > maxValues {
		l.bad("config", name, "", "it has more than %d values", maxValues)
	}
}

// sayNothing takes what stands in a file out of the parser's message: it may be a secret.
func sayNothing(err error) string {
	line, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	if at, _, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(at, "line ") {
		return "it breaks at " + at
	}
	return "its indentation, or a character, is not valid"
}

// reader reads nodes of one file.
type reader struct {
	*loader
	name string
}

func (y *reader) where(n *yaml.Node) string { return y.name + ":" + strconv.Itoa(n.Line) }

func (y *reader) wrong(n *yaml.Node, path, format string, args ...any) {
	y.bad(path, y.where(n), "", format, args...)
}

// pairs calls each for the members of a mapping, none of which may be there twice.
func (y *reader) pairs(n *yaml.Node, path, want string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		y.wrong(n, path, "want %s, this is %s", want, kind(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			y.wrong(key, path, "a key must be a text")
		case seen[key.Value]:
			y.wrong(key, join(path, key.Value), "it is there twice")
		default:
			seen[key.Value] = true
			each(key, n.Content[i+1])
		}
	}
}

// record reads a mapping into a struct.
func (y *reader) record(n *yaml.Node, v reflect.Value, path string) {
	names, byName := members(v.Type())
	given := map[int]bool{}
	y.pairs(n, path, "a mapping", func(key, value *yaml.Node) {
		i, ok := byName[key.Value]
		if !ok {
			y.wrong(key, join(path, key.Value), "unknown key%s", hint(key.Value, names))
			return
		}
		if given[i] {
			y.wrong(key, join(path, v.Type().Field(i).Tag.Get("yaml")), "give either the value or the file, not both")
			return
		}
		given[i] = true
		f := v.Type().Field(i)
		at := join(path, f.Tag.Get("yaml"))
		if key.Value == f.Tag.Get("yaml") {
			y.value(value, v.Field(i), f.Tag, at)
		} else if s, ok := y.scalar(value, at+fileSuffix, "!!str"); ok {
			y.refer(v.Field(i), at, y.where(value), s)
		}
	})
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Tag.Get("required") != "" && !given[i] {
			y.wrong(n, join(path, f.Tag.Get("yaml")), "it is missing")
		}
	}
}

// hint says which name was meant, or which there are.
func hint(name string, names []string) string {
	if s := suggest.Phrase(name, names); s != "" {
		return s
	}
	return ": there are " + strings.Join(names, ", ")
}

// value reads a node into a value.
func (y *reader) value(n *yaml.Node, v reflect.Value, tag reflect.StructTag, path string) {
	t := v.Type()
	if !leaf(t) {
		y.record(n, v, path)
		return
	}
	if len(y.origins) > maxValues {
		return // the whole file is refused: see parse
	}
	y.clear(path)
	y.origins[path] = y.where(n)
	switch t.Kind() {
	case reflect.Slice:
		y.list(n, v, tag, path)
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		y.pairs(n, path, "a mapping", func(key, value *yaml.Node) {
			x, at := reflect.New(t.Elem()).Elem(), join(path, key.Value)
			y.value(value, x, tag, at)
			v.SetMapIndex(reflect.ValueOf(key.Value), x)
		})
	default:
		if s, ok := y.scalar(n, path, tags(t)...); ok {
			y.text(v, tag, path, y.where(n), s)
		}
	}
}

// list reads a sequence; a single text need not be in one.
func (y *reader) list(n *yaml.Node, v reflect.Value, tag reflect.StructTag, path string) {
	v.SetZero()
	items := n.Content
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && !records(v.Type()):
		items = []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		y.wrong(n, path, "want a list, this is %s", kind(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		y.value(item, v.Index(i), tag, path+"["+strconv.Itoa(i)+"]")
	}
}

// tags are the YAML types of a value.
func tags(t reflect.Type) []string {
	switch {
	case t == durationType:
		return []string{"!!str", "!!int", "!!float"} // text says what is wrong with numbers
	case t == sizeType:
		return []string{"!!str", "!!int"}
	case t.Kind() == reflect.Int:
		return []string{"!!int"}
	case t.Kind() == reflect.Bool:
		return []string{"!!bool"}
	}
	return []string{"!!str"}
}

// scalar returns the text of a node of some types.
func (y *reader) scalar(n *yaml.Node, path string, types ...string) (string, bool) {
	if n.Kind == yaml.ScalarNode {
		for _, t := range types {
			if n.ShortTag() == t {
				return n.Value, true
			}
		}
	}
	want := map[string]string{"!!str": "a text, in quotes", "!!int": "a whole number, without quotes", "!!bool": "true or false, without quotes"}[types[0]]
	if len(types) > 1 {
		want = "a text with a unit"
	}
	y.wrong(n, path, "want %s, this is %s", want, kind(n))
	return "", false
}

// kind names what a node is.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not taken here"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty: leave the key out"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}
