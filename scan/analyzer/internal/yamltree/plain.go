package yamltree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// errNotPlain says that a text is not of the plain shape that package managers
// write. It may still be YAML.
var errNotPlain = errors.New("not plain YAML")

// plain reads the subset of YAML that package managers write: mappings and
// lists in block form, one line for each scalar or flow collection, no tabs,
// anchors, aliases, tags or directives. It answers errNotPlain to all else.
type plain struct {
	Tree
	at      int32   // the current line
	inside  bool    // of a document
	open    []level // the collections around the current line
	pending int     // node whose value has not been seen, or -1
	column  int     // of the pending node's key
	colon   bool    // the pending node is an explicit key ("? key")
	block   bool    // the pending node is a block scalar
}

// level is an open collection and the column of its items.
type level struct{ node, column int }

func readPlain(data []byte) (*Tree, error) {
	if !plainBytes(data) {
		return nil, errNotPlain
	}
	p := plain{pending: -1}
	p.Nodes = make([]Node, 0, min(bytes.Count(data, []byte{'\n'})+1, maxNodes))
	for rest := data; len(rest) > 0; {
		line := rest
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			line, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		p.at++
		if err := p.full(); err != nil {
			return nil, err
		}
		if err := p.take(bytes.TrimSuffix(line, []byte{'\r'})); err != nil {
			return nil, err
		}
	}
	if p.colon {
		return nil, errNotPlain
	}
	p.closeTo(-1)
	return &p.Tree, nil
}

// plainBytes reports whether data is free of characters that YAML treats in a
// special way: tabs, other controls, the line breaks of Unicode, a byte order
// mark, a carriage return inside a line.
func plainBytes(data []byte) bool {
	for i, c := range data {
		switch {
		case c == '\r':
			if i+1 == len(data) || data[i+1] != '\n' {
				return false
			}
		case c < 0x20 && c != '\n', c == 0x7f:
			return false
		case c == 0xc2 && data[i+1] <= 0xa0: // C1 controls and NEL
			return false
		case c == 0xe2 && data[i+1] == 0x80 && (data[i+2] == 0xa8 || data[i+2] == 0xa9):
			return false
		case c == 0xef && (data[i+1] == 0xbb && data[i+2] == 0xbf || data[i+1] == 0xbf && data[i+2] >= 0xbe):
			return false
		}
	}
	return true
}

// take reads one line.
func (p *plain) take(line []byte) error {
	text := bytes.TrimLeft(line, " ")
	column := len(line) - len(text)
	text = bytes.TrimRight(text, " ")
	switch {
	case p.block && (len(text) == 0 || column > p.column):
		return nil
	case len(text) == 0 || text[0] == '#':
		return nil
	case column == 0 && (text[0] == '%' || bytes.HasPrefix(text, []byte("...")) || bytes.HasPrefix(text, []byte("--- "))):
		return errNotPlain
	case column == 0 && string(text) == "---":
		if p.colon {
			return errNotPlain
		}
		p.closeTo(-1)
		p.pending, p.inside = -1, false
		return nil
	}
	p.block = false
	if p.colon {
		return p.explicitValue(column, text)
	}
	return p.item(column, text)
}

// item reads a list item or a mapping entry that begins at column.
func (p *plain) item(column int, text []byte) error {
	dash := text[0] == '-' && (len(text) == 1 || text[1] == ' ')
	if err := p.place(column, dash); err != nil {
		return err
	}
	if dash {
		return p.listItem(column, text)
	}
	if text[0] == '?' && (len(text) == 1 || text[1] == ' ') {
		return p.explicitKey(column, text)
	}
	return p.entry(column, text)
}

// place closes and opens collections so that the innermost one is what an item
// at column belongs to.
func (p *plain) place(column int, dash bool) error {
	kind := Map
	if dash {
		kind = List
	}
	p.closeTo(column)
	top := len(p.open) - 1
	switch {
	case p.pending >= 0 && (column > p.column || dash && column == p.column && p.Nodes[p.pending].Key != nil):
		p.push(p.pending, column, kind)
		p.pending = -1
		if len(p.open) > MaxDepth {
			return &fault.LimitError{What: "nested values", Where: fmt.Sprintf("line %d", p.at), Max: MaxDepth, Seen: MaxDepth + 1}
		}
		return nil
	case !p.inside:
		p.inside = true
		p.Docs = append(p.Docs, p.add(nil))
		p.push(len(p.Nodes)-1, column, kind)
		return nil
	}
	p.pending = -1
	if top > 0 && !dash && p.Nodes[p.open[top].node].Kind == List && p.open[top-1].column == column {
		p.pop() // a list stands at the column of its key
		top--
	}
	if top < 0 || p.open[top].column != column || p.Nodes[p.open[top].node].Kind != kind {
		return errNotPlain
	}
	return nil
}

// closeTo closes the collections whose items stand right of column.
func (p *plain) closeTo(column int) {
	for len(p.open) > 0 && p.open[len(p.open)-1].column > column {
		p.pop()
	}
}

func (p *plain) pop() {
	top := len(p.open) - 1
	p.Nodes[p.open[top].node].end = int32(len(p.Nodes))
	p.open = p.open[:top]
}

func (p *plain) push(node, column int, kind Kind) {
	p.Nodes[node].Kind = kind
	p.open = append(p.open, level{node, column})
}

func (p *plain) add(key []byte) int {
	n := len(p.Nodes)
	p.Nodes = append(p.Nodes, Node{Key: key, Line: p.at, end: int32(n + 1)})
	return n
}

func (p *plain) entry(column int, text []byte) error {
	key, rest, err := plainKey(text)
	if err != nil {
		return err
	}
	return p.value(p.add(key), column, rest)
}

func (p *plain) listItem(column int, text []byte) error {
	node := p.add(nil)
	rest := bytes.TrimLeft(text[1:], " ")
	inner := column + len(text) - len(rest)
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '?') && (len(rest) == 1 || rest[1] == ' ') {
		return errNotPlain
	}
	if _, _, err := plainKey(rest); err == nil {
		p.push(node, inner, Map)
		return p.entry(inner, rest)
	}
	return p.value(node, column, rest)
}

// explicitKey reads "? key", as is written for keys of more than 1,024 bytes.
func (p *plain) explicitKey(column int, text []byte) error {
	key, rest, err := plainScalar(bytes.TrimLeft(text[1:], " "))
	if err != nil || len(rest) > 0 || len(key) == 0 {
		return errNotPlain
	}
	p.pending, p.column, p.colon = p.add(key), column, true
	return nil
}

func (p *plain) explicitValue(column int, text []byte) error {
	if column != p.column || text[0] != ':' || len(text) > 1 && text[1] != ' ' {
		return errNotPlain
	}
	p.colon = false
	rest := bytes.TrimLeft(text[1:], " ")
	inner := column + len(text) - len(rest)
	if _, _, err := plainKey(rest); err == nil {
		p.push(p.pending, inner, Map)
		p.pending = -1
		return p.entry(inner, rest)
	}
	return p.value(p.pending, column, rest)
}

// value reads what follows "key: " or "- " on the line.
func (p *plain) value(node, column int, rest []byte) error {
	switch {
	case len(rest) == 0 || rest[0] == '#':
		p.pending, p.column = node, column
		return nil
	case rest[0] == '|' || rest[0] == '>':
		if len(bytes.Trim(rest[1:], "+-")) > 0 {
			return errNotPlain
		}
		p.Nodes[node].Kind = Block
		p.block, p.column, p.pending = true, column, -1
		return nil
	}
	p.pending = -1
	if rest[0] == '{' || rest[0] == '[' {
		rest, err := p.flow(node, rest, 1)
		if err == nil && !ends(rest) {
			err = errNotPlain
		}
		return err
	}
	text, rest, err := plainScalar(rest)
	if err != nil || !ends(rest) {
		return errNotPlain
	}
	p.Nodes[node].Text = text
	return nil
}

// ends reports whether nothing but a comment follows.
func ends(rest []byte) bool {
	trimmed := bytes.TrimLeft(rest, " ")
	return len(trimmed) == 0 || trimmed[0] == '#' && len(trimmed) < len(rest)
}
