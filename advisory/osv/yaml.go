package osv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// maxDepth bounds how deep a YAML record nests, aliases included.
const maxDepth = 64

// ParseYAML is [Parse] of a record in YAML: one document, whose scalars are
// taken as they are written, so that the version 1.10 stays that.
func ParseYAML(text []byte, opts *Options) (*advisory.Record, error) {
	return parseYAML(newParser(opts), text, "")
}

func parseYAML(p *parser, text []byte, file string) (*advisory.Record, error) {
	if int64(len(text)) > p.opts.MaxRecord {
		return parse(p, text, file)
	}
	converted, err := yamlToJSON(text, int(p.opts.MaxRecord))
	if err != nil {
		return nil, &advisory.RecordError{File: file, Digest: sum.Of(text), Err: err}
	}
	return p.read(converted, text, file)
}

// yamlToJSON writes a YAML document as JSON in which every scalar is a string
// or null. Aliases are written out, within maxBytes.
func yamlToJSON(text []byte, maxBytes int) ([]byte, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the record: %w", fault.Invalid)
	}
	c := converter{max: maxBytes}
	c.node(&doc, 0)
	return c.out, c.err
}

// converter writes nodes and keeps its first error.
type converter struct {
	out []byte
	max int
	err error
}

func (c *converter) fail(n *yaml.Node, why string) {
	if c.err == nil {
		c.err = fmt.Errorf("line %d: %s: %w", n.Line, why, fault.Invalid)
	}
}

func (c *converter) node(n *yaml.Node, depth int) {
	switch {
	case c.err != nil:
		return
	case depth > maxDepth:
		c.err = &fault.LimitError{What: "levels of nesting", Where: "the record", Max: maxDepth}
		return
	case len(c.out) > c.max:
		c.err = &fault.LimitError{What: "bytes with all aliases written out", Where: "the record", Max: int64(c.max)}
		return
	}
	switch n.Kind {
	case yaml.DocumentNode:
		c.node(n.Content[0], depth)
	case yaml.AliasNode:
		c.node(n.Alias, depth+1)
	case yaml.ScalarNode:
		c.scalar(n)
	case yaml.SequenceNode:
		c.out = append(c.out, '[')
		for i, e := range n.Content {
			c.comma(i)
			c.node(e, depth+1)
		}
		c.out = append(c.out, ']')
	case yaml.MappingNode:
		c.out = append(c.out, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.comma(i)
			if key := n.Content[i]; key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				c.fail(key, "a name is not a plain text")
			} else {
				c.text(key)
			}
			c.out = append(c.out, ':')
			c.node(n.Content[i+1], depth+1)
		}
		c.out = append(c.out, '}')
	default:
		c.fail(n, "unknown kind of node")
	}
}

func (c *converter) comma(i int) {
	if i > 0 {
		c.out = append(c.out, ',')
	}
}

func (c *converter) scalar(n *yaml.Node) {
	if n.Tag == "!!null" {
		c.out = append(c.out, "null"...)
		return
	}
	c.text(n)
}

func (c *converter) text(n *yaml.Node) {
	out, err := jsontext.AppendQuote(c.out, n.Value)
	if err != nil {
		c.fail(n, err.Error())
		return
	}
	c.out = out
}
