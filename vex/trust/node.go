package trust

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/suggest"
)

// fields returns the members of a mapping by their names, and reports those that
// are not known or there twice; nil where it is no mapping.
func (p *parser) fields(n *yaml.Node, path string, known []string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode || !p.plain(n, path) {
		if n.Kind != yaml.MappingNode {
			p.report(n, path, "want members %v", known)
		}
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			p.report(key, path, "unknown member %.60q%s", key.Value, suggest.Phrase(strings.ToLower(key.Value), known))
		case out[key.Value] != nil:
			p.report(key, path, "member %q is there twice, first in line %d", key.Value, out[key.Value].Line)
		default:
			out[key.Value] = value
		}
	}
	return out
}

// plain reports whether a node is what it looks like: no alias, and no other type by
// a tag.
func (p *parser) plain(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		p.report(n, path, "anchors and aliases are not read: write it out")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		p.report(n, path, "tags such as %.40s are not read", n.Tag)
		return false
	}
	return true
}

// list returns the elements of a list; none where it is absent or no list.
func (p *parser) list(n *yaml.Node, path string) []*yaml.Node {
	switch {
	case n == nil || !p.plain(n, path):
		return nil
	case n.Kind != yaml.SequenceNode:
		p.report(n, path, "want a list")
		return nil
	}
	return n.Content
}

// texts returns the texts of a list, and gives each to check.
func (p *parser) texts(n *yaml.Node, path string, check func(n *yaml.Node, path, s string)) (out []string) {
	for i, e := range p.list(n, path) {
		at := fmt.Sprintf("%s[%d]", path, i)
		s, ok := p.text(e, at)
		switch {
		case !ok:
		case slices.Contains(out, s):
			p.report(e, at, "%.80q is there twice", s)
		default:
			out = append(out, s)
			if check != nil {
				check(e, at, s)
			}
		}
	}
	return out
}

// text returns a text that is not empty.
func (p *parser) text(n *yaml.Node, path string) (string, bool) {
	switch {
	case !p.plain(n, path):
		return "", false
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		p.report(n, path, "want a text; put it in quotes if it looks like something else")
		return "", false
	case n.Value == "":
		p.report(n, path, "want a text, and it is empty")
		return "", false
	}
	return n.Value, true
}

// required is text of a member that must be there.
func (p *parser) required(parent, n *yaml.Node, path, name string) string {
	if n == nil {
		p.report(parent, path, "%s is missing", name)
		return ""
	}
	s, _ := p.text(n, path+"."+name)
	return s
}

// number returns a number that is not negative; 0 where it is absent, -1 where it is
// none.
func (p *parser) number(n *yaml.Node, path string) int {
	if n == nil {
		return 0
	}
	if !p.plain(n, path) {
		return -1
	}
	v, err := strconv.ParseUint(n.Value, 10, 31)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
		p.report(n, path, "want a whole number")
		return -1
	}
	return int(v)
}
