package pypi

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/stella-ops/stella/internal/fault"
)

// table is a value of a TOML document. The parser's syntax tree is used and not
// its decoder: that looks for repeated keys in a time that grows with the square
// of their number, which a lockfile may make large.
type table struct {
	text    string
	members []member          // of a table, in order
	items   []*table          // of an array
	opened  map[string]*table // tables that headers or dotted keys made
}

// document is a TOML document that is being read.
type document struct {
	root   table
	values int
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

// text returns the text of a member, or "".
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

// open returns the table under key, the last one of an array of tables, and
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

func (t *table) add(key string, v *table) {
	if t.opened == nil {
		t.opened = map[string]*table{}
	}
	t.opened[key] = v
	t.members = append(t.members, member{key, v})
}

// make returns a new value and counts it.
func (d *document) make() *table {
	d.values++
	return new(table)
}

// readTOML reads a document. Repeated keys are kept; the first counts.
func readTOML(data []byte) (*table, error) {
	d := new(document)
	current := &d.root
	p := new(unstable.Parser)
	p.Reset(data)
	for p.NextExpression() {
		var err error
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			current, err = d.header(e)
		case unstable.KeyValue:
			err = d.assign(current, e, 0)
		}
		if err == nil && d.values > maxValues {
			err = &fault.LimitError{What: "values", Where: "TOML", Max: maxValues, Seen: int64(d.values)}
		}
		if err != nil {
			return &d.root, err
		}
	}
	return &d.root, tomlError(p)
}

// tomlError names the line of a syntax error.
func tomlError(p *unstable.Parser) error {
	err := p.Error()
	if err == nil {
		return nil
	}
	var at *unstable.ParserError
	if errors.As(err, &at) && len(at.Highlight) > 0 {
		offset := int(p.Range(at.Highlight).Offset)
		return fmt.Errorf("line %d: %v: %w", 1+bytes.Count(p.Data()[:offset], []byte{'\n'}), err, fault.Invalid)
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// header opens the table of "[a.b]" or appends one for "[[a.b]]".
func (d *document) header(e *unstable.Node) (*table, error) {
	t, depth := &d.root, 0
	for key := e.Key(); key.Next(); depth++ {
		if depth == maxDepth {
			return nil, tooDeep()
		}
		name := text(key.Node().Data)
		if !key.IsLast() || e.Kind == unstable.Table {
			t = d.open(t, name)
			continue
		}
		array := t.opened[name]
		if array == nil {
			array = d.make()
			t.add(name, array)
		}
		t = d.make()
		array.items = append(array.items, t)
	}
	return t, nil
}

// assign reads "key = value" or "a.b = value" into t.
func (d *document) assign(t *table, e *unstable.Node, depth int) error {
	for key := e.Key(); key.Next(); depth++ {
		if depth >= maxDepth {
			return tooDeep()
		}
		name := text(key.Node().Data)
		if !key.IsLast() {
			t = d.open(t, name)
			continue
		}
		v := d.make()
		t.members = append(t.members, member{name, v})
		return d.set(v, e.Value(), depth+1)
	}
	return nil
}

// set reads a value into t.
func (d *document) set(t *table, n *unstable.Node, depth int) error {
	if depth >= maxDepth {
		return tooDeep()
	}
	switch n.Kind {
	case unstable.Array:
		for c := n.Children(); c.Next(); {
			item := d.make()
			if err := d.set(item, c.Node(), depth+1); err != nil {
				return err
			}
			t.items = append(t.items, item)
		}
	case unstable.InlineTable:
		for c := n.Children(); c.Next(); {
			if err := d.assign(t, c.Node(), depth+1); err != nil {
				return err
			}
		}
	default:
		t.text = text(n.Data)
	}
	return nil
}

func tooDeep() error {
	return &fault.LimitError{What: "nested values", Where: "TOML", Max: maxDepth}
}
