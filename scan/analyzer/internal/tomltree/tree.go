// Package tomltree reads TOML documents of package managers into trees.
package tomltree

import (
	"bytes"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// The limits on a document.
const (
	MaxDepth  = 100       // nested values
	MaxValues = 1_000_000 // values in all
)

// Table is a value of a TOML document.
type Table struct {
	Text    string            // of a scalar
	Members []Member          // of a table, in order
	Items   []*Table          // of an array
	opened  map[string]*Table // tables that headers or dotted keys made
}

// Member is a key of a table with its value.
type Member struct {
	Key   string
	Value *Table
}

// Get returns a member. A nil table has none, and a missing member is nil.
func (t *Table) Get(key string) *Table {
	if t != nil {
		for _, m := range t.Members {
			if m.Key == key {
				return m.Value
			}
		}
	}
	return nil
}

// Str returns the text of a member, or "".
func (t *Table) Str(key string) string {
	if v := t.Get(key); v != nil {
		return v.Text
	}
	return ""
}

// List returns the items of a member that is an array.
func (t *Table) List(key string) []*Table {
	if v := t.Get(key); v != nil {
		return v.Items
	}
	return nil
}

func (t *Table) add(key string, v *Table) {
	if t.opened == nil {
		t.opened = map[string]*Table{}
	}
	t.opened[key] = v
	t.Members = append(t.Members, Member{key, v})
}

// document reads TOML 1.0 (https://toml.io/en/v1.0.0). It is made for lockfiles:
// what a scalar other than a text says is kept as it is written, a repeated key
// is kept and the first one counts, and there are limits on depth and number of
// values. The first error sticks.
type document struct {
	data   []byte
	pos    int
	root   Table
	values int
	names  map[string]string // keys seen: a lockfile repeats few of them often
	err    error
}

// Read returns what was read up to the error, which names the line.
func Read(data []byte) (*Table, error) {
	d := &document{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), names: map[string]string{}}
	current := &d.root
	for d.skip(true); d.err == nil && d.pos < len(d.data); d.skip(true) {
		if d.data[d.pos] == '[' {
			current = d.header()
		} else {
			d.keyValue(current, 0)
		}
		if d.skip(false); d.err == nil && d.pos < len(d.data) && d.data[d.pos] != '\n' {
			d.fail("text after the end of a line's value")
		}
	}
	return &d.root, d.err
}

func (d *document) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("line %d: %s: %w", d.line(), what, fault.Invalid)
	}
	d.pos = len(d.data)
}

func (d *document) limit(what string, most, seen int) {
	if d.err == nil {
		d.err = &fault.LimitError{What: what, Where: fmt.Sprintf("line %d", d.line()), Max: int64(most), Seen: int64(seen)}
	}
	d.pos = len(d.data)
}

func (d *document) line() int { return 1 + bytes.Count(d.data[:d.pos], []byte{'\n'}) }

// make returns a new value and counts it.
func (d *document) make() *Table {
	if d.values++; d.values > MaxValues {
		d.limit("values", MaxValues, d.values)
	}
	return new(Table)
}

// open returns the table under key of t, the last one of an array of tables, and
// makes it where there is none.
func (d *document) open(t *Table, key string) *Table {
	v := t.opened[key]
	if v == nil {
		v = d.make()
		t.add(key, v)
	}
	if len(v.Items) > 0 {
		return v.Items[len(v.Items)-1]
	}
	return v
}

// header opens the table of "[a.b]" or appends one for "[[a.b]]".
func (d *document) header() *Table {
	array := bytes.HasPrefix(d.data[d.pos:], []byte("[["))
	end := "]"
	if array {
		end = "]]"
	}
	d.pos += len(end)
	t := &d.root
	for depth := 0; d.err == nil; depth++ {
		if depth == MaxDepth {
			d.limit("parts of a key", MaxDepth, depth+1)
		}
		name := d.key()
		switch {
		case d.take("."):
			t = d.open(t, name)
		case !d.take(end):
			d.fail("expected " + end)
		case array:
			v := t.opened[name]
			if v == nil {
				v = d.make()
				t.add(name, v)
			}
			t = d.make()
			v.Items = append(v.Items, t)
			return t
		default:
			return d.open(t, name)
		}
	}
	return t
}

// keyValue reads "key = value" or "a.b = value" into t.
func (d *document) keyValue(t *Table, depth int) {
	for ; d.err == nil; depth++ {
		if depth >= MaxDepth {
			d.limit("nested values", MaxDepth, depth+1)
		}
		name := d.key()
		switch {
		case d.take("."):
			t = d.open(t, name)
		case d.take("="):
			v := d.make()
			t.Members = append(t.Members, Member{name, v})
			d.value(v, depth+1)
			return
		default:
			d.fail("expected '=' after a key")
		}
	}
}

// value reads a value into v.
func (d *document) value(v *Table, depth int) {
	if depth >= MaxDepth {
		d.limit("nested values", MaxDepth, depth+1)
	}
	d.skip(false)
	switch c := d.peek(); c {
	case '"', '\'':
		v.Text = d.text()
	case '[':
		d.each(']', func() {
			item := d.make()
			v.Items = append(v.Items, item)
			d.value(item, depth+1)
		})
	case '{':
		d.each('}', func() { d.keyValue(v, depth+1) })
	default:
		n := bytes.IndexAny(d.data[d.pos:], ",]}#\r\n")
		if n < 0 {
			n = len(d.data) - d.pos
		}
		word := bytes.TrimRight(d.data[d.pos:d.pos+n], " \t")
		if len(word) == 0 || bytes.ContainsAny(word, "\"'=[{") {
			d.fail("expected a value")
			return
		}
		v.Text = utf8Text(word)
		d.pos += len(word)
	}
}

// each reads what is between the bracket at the position and end, separated by
// commas.
func (d *document) each(end byte, one func()) {
	d.pos++
	for d.skip(true); d.err == nil && d.peek() != end; d.skip(true) {
		one()
		if d.skip(true); d.peek() == ',' {
			d.pos++
		} else if d.peek() != end {
			d.fail(fmt.Sprintf("expected ',' or %q", end))
		}
	}
	if d.err == nil {
		d.pos++
	}
}
