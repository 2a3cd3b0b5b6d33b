package npm

import (
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// yamlTree is a YAML stream: its nodes in the order of the text, each followed
// by what it contains. Keys and texts may be parts of the input.
type yamlTree struct {
	nodes []yamlNode
	docs  []int // the root of each document
}

type yamlNode struct {
	key, text []byte
	line      int32
	end       int32 // index behind the last node that is inside this one
	kind      yamlKind
}

// maxNodes bounds the nodes of one file. A pnpm-lock.yaml of 30,000 packages has
// half a million.
const maxNodes = 1_000_000

// full says that there are too many nodes.
func (t *yamlTree) full() error {
	if len(t.nodes) < maxNodes {
		return nil
	}
	return &fault.LimitError{What: "YAML nodes", Where: "document", Max: maxNodes, Seen: maxNodes + 1}
}

type yamlKind uint8

const (
	yamlScalar yamlKind = iota // the text may be empty
	yamlMap
	yamlList
	yamlBlock // a text over several lines, which was not kept
)

// readYAML reads a lockfile. What pnpm and yarn write is read at full speed;
// other YAML, such as a file that a formatter went over, takes a general parser.
func readYAML(data []byte) (*yamlTree, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("text is not UTF-8: %w", fault.Invalid)
	}
	t, err := readPlainYAML(data)
	if err == errNotPlain {
		return readAnyYAML(data)
	}
	return t, err
}

// children yields the nodes directly inside node i.
func (t *yamlTree) children(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for c := i + 1; c < int(t.nodes[i].end); c = int(t.nodes[c].end) {
			if !yield(c) {
				return
			}
		}
	}
}

// child returns the node under a key of node i, or -1.
func (t *yamlTree) child(i int, key string) int {
	for c := range t.children(i) {
		if string(t.nodes[c].key) == key {
			return c
		}
	}
	return -1
}

// text returns the text under a key of node i, or "".
func (t *yamlTree) text(i int, key string) string {
	if c := t.child(i, key); c >= 0 {
		return string(t.nodes[c].text)
	}
	return ""
}

// truth reports whether the value under a key of node i is true.
func (t *yamlTree) truth(i int, key string) bool { return t.text(i, key) == "true" }
