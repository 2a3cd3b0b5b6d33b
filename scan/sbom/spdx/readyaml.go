package spdx

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// readYAML reads the YAML form, which has the members of the JSON form. It is
// turned into JSON text first, so that both are read by one code. Aliases, which
// can make a small text a huge document, are not accepted: SPDX has no use for
// them.
func readYAML(r io.Reader, opt *DecodeOptions, limit *budget) (*document, error) {
	most := min(opt.MaxBytes, maxYAML)
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, &fault.LimitError{What: "bytes", Where: "SPDX YAML document", Max: most}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	if err := dec.Decode(&root); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, invalid(fmt.Sprintf("line %d", max(second.Line, 1)), "data after the document")
	}
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true)) // reported when the JSON is read
	if err := yamlToJSON(enc, &root, 0, opt.MaxDepth); err != nil {
		return nil, err
	}
	return readJSON(&out, limit)
}

// yamlToJSON writes one YAML node, of a depth, as JSON. It recurses to the depth
// deepest.
func yamlToJSON(enc *jsontext.Encoder, n *yaml.Node, depth, deepest int) error {
	if depth > deepest {
		return &fault.LimitError{What: "nesting", Where: fmt.Sprintf("SPDX YAML document, line %d", n.Line), Max: int64(deepest), Seen: int64(depth)}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return yamlToJSON(enc, n.Content[0], depth, deepest)
	case yaml.MappingNode, yaml.SequenceNode:
		begin, end := jsontext.BeginObject, jsontext.EndObject
		if n.Kind == yaml.SequenceNode {
			begin, end = jsontext.BeginArray, jsontext.EndArray
		}
		if err := enc.WriteToken(begin); err != nil {
			return yamlError(n, err)
		}
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind != yaml.ScalarNode {
				return invalid(fmt.Sprintf("line %d", c.Line), "the name of a member is not a word")
			}
			if err := yamlToJSON(enc, c, depth+1, deepest); err != nil {
				return err
			}
		}
		return yamlError(n, enc.WriteToken(end))
	case yaml.ScalarNode:
		return yamlError(n, enc.WriteToken(yamlScalar(n, enc)))
	}
	return invalid(fmt.Sprintf("line %d", n.Line), "aliases are not accepted")
}

// yamlScalar returns the JSON token for a scalar. Only what can be nothing but a
// boolean, a null or an integer becomes one: dates and versions are strings.
func yamlScalar(n *yaml.Node, enc *jsontext.Encoder) jsontext.Token {
	kind, length := enc.StackIndex(enc.StackDepth())
	if kind == '{' && length%2 == 0 {
		return jsontext.String(n.Value) // a name
	}
	switch n.ShortTag() {
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return jsontext.Bool(b)
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return jsontext.Int(i)
		}
	case "!!null":
		return jsontext.Null
	}
	return jsontext.String(n.Value)
}

func yamlError(n *yaml.Node, err error) error {
	if err != nil {
		return invalid(fmt.Sprintf("line %d", n.Line), "%v", err)
	}
	return nil
}
