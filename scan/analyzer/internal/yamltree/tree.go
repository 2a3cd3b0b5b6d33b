// Package yamltree reads YAML documents of package managers into flat trees. What package
// managers write is read at full speed, the rest by a general parser within a limit.
package yamltree

import (
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// Tree is a YAML stream: its nodes in the order of the text, each followed
// by what it contains. Keys and texts may be parts of the input.
type Tree struct {
	Nodes []Node
	Docs  []int // the root of each document

	aliases bool // are texts
}

// Node is a value with the key that it is under, if any.
type Node struct {
	Key, Text []byte
	Line      int32
	end       int32 // index behind the last node that is inside this one
	Kind      Kind
}

// MaxDepth bounds how deep blocks and flows may nest.
const MaxDepth = 500

// maxNodes bounds the nodes of one file. A pnpm-lock.yaml of 30,000 packages has
// half a million.
const maxNodes = 1_000_000

// full says that there are too many nodes.
func (t *Tree) full() error {
	if len(t.Nodes) < maxNodes {
		return nil
	}
	return &fault.LimitError{What: "YAML nodes", Where: "document", Max: maxNodes, Seen: maxNodes + 1}
}

// Kind says what a node is.
type Kind uint8

// The kinds of nodes. Block is a text over several lines, which was not kept.
const (
	Scalar Kind = iota // the text may be empty
	Map
	List
	Block
)

// Read reads a lockfile. What pnpm and yarn write is read at full speed;
// other YAML, such as a file that a formatter went over, takes a general parser.
func Read(data []byte) (*Tree, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("text is not UTF-8: %w", fault.Invalid)
	}
	t, err := readPlain(data)
	if err == errNotPlain {
		return readAny(data, false)
	}
	return t, err
}

// ReadShared reads a file that people write. It does as Read does, but takes an alias as the
// text "*name": what it stands for is in the tree once, where its anchor is.
func ReadShared(data []byte) (*Tree, error) {
	t, err := Read(data)
	if errors.Is(err, errAlias) {
		return readAny(data, true)
	}
	return t, err
}

// Children yields the nodes directly inside node i.
func (t *Tree) Children(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for c := i + 1; c < int(t.Nodes[i].end); c = int(t.Nodes[c].end) {
			if !yield(c) {
				return
			}
		}
	}
}

// Key returns the key of node i, or "".
func (t *Tree) Key(i int) string { return string(t.Nodes[i].Key) }

// Value returns the text of node i, or "".
func (t *Tree) Value(i int) string { return string(t.Nodes[i].Text) }

// Child returns the node under a key of node i, or -1.
func (t *Tree) Child(i int, key string) int {
	for c := range t.Children(i) {
		if string(t.Nodes[c].Key) == key {
			return c
		}
	}
	return -1
}

// Text returns the text under a key of node i, or "".
func (t *Tree) Text(i int, key string) string {
	if c := t.Child(i, key); c >= 0 {
		return string(t.Nodes[c].Text)
	}
	return ""
}

// Truth reports whether the value under a key of node i is true.
func (t *Tree) Truth(i int, key string) bool { return t.Text(i, key) == "true" }
