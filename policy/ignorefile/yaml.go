package ignorefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// yamlRoot returns the mapping of a document, nil for an empty one. Aliases are not
// resolved.
func yamlRoot(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(err.Error(), "yaml: "), fault.Invalid)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want a mapping: %w", root.Line, fault.Invalid)
	}
	if n := alias(root); n != nil {
		return nil, fmt.Errorf("line %d: anchors and aliases are not read: %w", n.Line, fault.Unsupported)
	}
	return root, nil
}

// alias finds an anchor or an alias, nil where there is none.
func alias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, x := range n.Content {
		if found := alias(x); found != nil {
			return found
		}
	}
	return nil
}

// members returns the members of a mapping, nil where it is none, and the first that
// is not known or there twice.
func members(n *yaml.Node, known ...string) (out map[string]*yaml.Node, unknown string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, ""
	}
	out = map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if unknown == "" && (!slices.Contains(known, name) || out[name] != nil) {
			unknown = name
		}
		out[name] = n.Content[i+1]
	}
	return out, unknown
}

// value returns a scalar as it is written.
func value(n *yaml.Node, otherwise string) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		return otherwise
	}
	return n.Value
}

// plainOnly says why members cannot be used, "" where they can: each must be known,
// and a scalar, apart from one. What is overlooked would widen an exception.
func plainOnly(f map[string]*yaml.Node, unknown string, apart ...string) string {
	if f == nil {
		return "it is no mapping"
	}
	if unknown != "" {
		return fmt.Sprintf("it has something that is not known, or twice: %.60q", unknown)
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if f[name].Kind != yaml.ScalarNode && !slices.Contains(apart, name) {
			return name + " is no plain value"
		}
	}
	return ""
}
