package npm

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	yaml "go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// maxAnyYAML bounds the bytes that the general parser gets: it reads some
// 8 MB/s and needs thirty times the memory.
const maxAnyYAML = 2 << 20

// readAnyYAML reads a lockfile with a general YAML parser. Aliases, which no
// package manager writes, are refused, so that nothing expands.
func readAnyYAML(data []byte) (*yamlTree, error) {
	if len(data) > maxAnyYAML {
		return nil, &fault.LimitError{What: "bytes of YAML that is not of the shape that package managers write", Where: "document", Max: maxAnyYAML, Seen: int64(len(data))}
	}
	t := new(yamlTree)
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
			t.docs = append(t.docs, len(t.nodes))
			if err := t.copy(nil, n, 0); err != nil {
				return nil, err
			}
		}
	}
}

func (t *yamlTree) copy(key []byte, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return &fault.LimitError{What: "nested values", Where: fmt.Sprintf("line %d", n.Line), Max: maxDepth, Seen: int64(depth)}
	}
	at := len(t.nodes)
	t.nodes = append(t.nodes, yamlNode{key: key, line: int32(n.Line)})
	switch n.Kind {
	case yaml.ScalarNode:
		t.nodes[at].text = []byte(n.Value)
	case yaml.SequenceNode:
		t.nodes[at].kind = yamlList
		for _, c := range n.Content {
			if err := t.copy(nil, c, depth+1); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		t.nodes[at].kind = yamlMap
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
		return fmt.Errorf("line %d: YAML aliases: %w", n.Line, fault.Unsupported)
	}
	t.nodes[at].end = int32(len(t.nodes))
	return nil
}
