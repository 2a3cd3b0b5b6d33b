package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	yaml "go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// maxAny bounds the bytes that the general parser gets: it reads some
// 8 MB/s and needs thirty times the memory.
const maxAny = 2 << 20

// errAlias says that a text has aliases.
var errAlias = fmt.Errorf("YAML aliases: %w", fault.Unsupported)

// readAny reads a lockfile with a general YAML parser. Aliases, which no
// package manager writes, are refused or taken as texts, so that nothing expands.
func readAny(data []byte, aliases bool) (*Tree, error) {
	if len(data) > maxAny {
		return nil, &fault.LimitError{What: "bytes of YAML that is not of the shape that package managers write", Where: "document", Max: maxAny, Seen: int64(len(data))}
	}
	t := &Tree{aliases: aliases}
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
		for _, n := range doc.Content {
			t.Docs = append(t.Docs, len(t.Nodes))
			if err := t.copy(nil, n, 0); err != nil {
				return nil, err
			}
		}
	}
}

func (t *Tree) copy(key []byte, n *yaml.Node, depth int) error {
	if depth > MaxDepth {
		return &fault.LimitError{What: "nested values", Where: fmt.Sprintf("line %d", n.Line), Max: MaxDepth, Seen: int64(depth)}
	}
	at := len(t.Nodes)
	t.Nodes = append(t.Nodes, Node{Key: key, Line: int32(n.Line)})
	switch n.Kind {
	case yaml.ScalarNode:
		t.Nodes[at].Text = []byte(n.Value)
	case yaml.SequenceNode:
		t.Nodes[at].Kind = List
		for _, c := range n.Content {
			if err := t.copy(nil, c, depth+1); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		t.Nodes[at].Kind = Map
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: a key must be a scalar: %w", k.Line, fault.Unsupported)
			}
			if err := t.copy([]byte(k.Value), n.Content[i+1], depth+1); err != nil {
				return err
			}
		}
	default:
		if !t.aliases {
			return fmt.Errorf("line %d: %w", n.Line, errAlias)
		}
		t.Nodes[at].Text = []byte("*" + n.Value)
	}
	t.Nodes[at].end = int32(len(t.Nodes))
	return nil
}
