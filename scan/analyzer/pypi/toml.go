package pypi

import (
	"bytes"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// table is a value of a TOML document.
type table struct {
	text    string            // of a scalar
	members []member          // of a table, in order
	items   []*table          // of an array
	opened  map[string]*table // tables that headers or dotted keys made
}

type member struct {
	key   string
	value *table
}

// get returns a member. A nil table has none, and a missing member is nil.
func (t *table) get(key string) *table {
	if t != nil {
		for _, m := range t.members {
			if m.key == key {
				return m.value
			}
		}
	}
	return nil
}

// str returns the text of a member, or "".
func (t *table) str(key string) string {
	if v := t.get(key); v != nil {
		return v.text
	}
	return ""
}

// list returns the items of a member that is an array.
func (t *table) list(key string) []*table {
	if v := t.get(key); v != nil {
		return v.items
	}
	return nil
}

func (t *table) add(key string, v *table) {
	if t.opened == nil {
		t.opened = map[string]*table{}
	}
	t.opened[key] = v
	t.members = append(t.members, member{key, v})
}

// document reads TOML 1.0 (https://toml.io/en/v1.0.0). It is made for lockfiles:
// what a scalar other than a text says is kept as it is written, a repeated key
// is kept and the first one counts, and there are limits on depth and number of
// values. The first error sticks.
type document struct {
	data   []byte
	pos    int
	root   table
	values int
	names  map[string]string // keys seen: a lockfile repeats few of them often
	err    error
}

// readTOML returns what was read up to the error, which names the line.
func readTOML(data []byte) (*table, error) {
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
func (d *document) make() *table {
	if d.values++; d.values > maxValues {
		d.limit("values", maxValues, d.values)
	}
	return new(table)
}

// open returns the table under key of t, the last one of an array of tables, and
// makes it where there is none.
func (d *document) open(t *table, key string) *table {
	v := t.opened[key]
	if v == nil {
		v = d.make()
		t.add(key, v)
	}
	if len(v.items) > 0 {
		return v.items[len(v.items)-1]
	}
	return v
}

// header opens the table of "[a.b]" or appends one for "[[a.b]]".
func (d *document) header() *table {
	array := bytes.HasPrefix(d.data[d.pos:], []byte("[["))
	end := "]"
	if array {
		end = "]]"
	}
	d.pos += len(end)
	t := &d.root
	for depth := 0; d.err == nil; depth++ {
		if depth == maxDepth {
			d.limit("parts of a key", maxDepth, depth+1)
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
			v.items = append(v.items, t)
			return t
		default:
			return d.open(t, name)
		}
	}
	return t
}

// keyValue reads "key = value" or "a.b = value" into t.
func (d *document) keyValue(t *table, depth int) {
	for ; d.err == nil; depth++ {
		if depth >= maxDepth {
			d.limit("nested values", maxDepth, depth+1)
		}
		name := d.key()
		switch {
		case d.take("."):
			t = d.open(t, name)
		case d.take("="):
			v := d.make()
			t.members = append(t.members, member{name, v})
			d.value(v, depth+1)
			return
		default:
			d.fail("expected '=' after a key")
		}
	}
}

// value reads a value into v.
func (d *document) value(v *table, depth int) {
	if depth >= maxDepth {
		d.limit("nested values", maxDepth, depth+1)
	}
	d.skip(false)
	switch c := d.peek(); c {
	case '"', '\'':
		v.text = d.text()
	case '[':
		d.each(']', func() {
			item := d.make()
			v.items = append(v.items, item)
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
		v.text = text(word)
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
