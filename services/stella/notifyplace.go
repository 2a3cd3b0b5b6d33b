package main

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify"
)

// problemLines parts what a check says: what is wrong begins a line, and an excerpt of an
// expression follows on lines that are indented.
func problemLines(err error) []string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") && len(out) > 0 {
			out[len(out)-1] += "\n" + line
			continue
		}
		out = append(out, line)
	}
	for i := range out {
		out[i] = withoutKind(out[i])
	}
	return out
}

// withoutKind leaves out the kind of an error, which people do not need.
func withoutKind(s string) string {
	for _, k := range []fault.Kind{fault.Invalid, fault.Unsupported, fault.Forbidden, fault.Limit} {
		s = strings.TrimSuffix(s, ": "+string(k))
	}
	return s
}

var (
	whoseForm  = regexp.MustCompile(`\A(?:endpoint|rule|preference|template|maintenance|inhibition)(?: "(?:[^"\\]|\\.)*")?: `)
	memberForm = regexp.MustCompile(`\A(?:the endpoint's )?([a-z_]+(?:\.[A-Za-z0-9_-]+)*)(?: "(?:[^"\\]|\\.)*")?(?:: | has )`)
	quotedForm = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// splitProblem parts a problem into the member that it is about, "" for none, and the rest.
func splitProblem(line string) (member, message string) {
	for whoseForm.MatchString(line) {
		line = line[len(whoseForm.FindString(line)):]
	}
	if m := memberForm.FindStringSubmatch(line); m != nil {
		if strings.HasPrefix(line, m[1]+": ") {
			return m[1], line[len(m[1])+2:]
		}
		return m[1], line
	}
	return "", line
}

// find returns the node of a member, and its path: as much of it as is there. Members of
// a rule's match are named without it.
func (e *element) find(member, message string) (*yaml.Node, string) {
	n, path := e.node, e.path
	names := strings.Split(member, ".")
	if child(n, names[0]) == nil && child(n, "match") != nil && child(child(n, "match"), names[0]) != nil {
		names = append([]string{"match"}, names...)
	}
	for _, name := range names {
		x := child(n, name)
		if x == nil {
			break
		}
		n, path = x, below(path, name)
	}
	if n.Kind != yaml.SequenceNode {
		return n, path
	}
	// Which of a list it is, the text tells that the message quotes.
	if m := quotedForm.FindStringSubmatch(message); m != nil {
		if x, at := holding(n, path, m[1]); x != nil {
			return x, at
		}
	}
	return n, path
}

// holding returns the key or the scalar in a node that has a text.
func holding(n *yaml.Node, path, text string) (*yaml.Node, string) {
	if n.Kind == yaml.ScalarNode {
		if n.Value == text {
			return n, path
		}
		return nil, ""
	}
	for i, x := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				if x.Value == text {
					return x, below(path, text)
				}
				continue
			}
			at = below(path, n.Content[i-1].Value)
		}
		if found, where := holding(x, at, text); found != nil {
			return found, where
		}
	}
	return nil, ""
}

// child is a member of a mapping, nil where there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// drop leaves out a member, so that others are looked at, and reports whether it was there.
func drop(members map[string]any, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	name, _, _ = strings.Cut(name, "[")
	if inner, ok := members[name].(map[string]any); ok && deeper {
		return drop(inner, rest)
	}
	_, ok := members[name]
	delete(members, name)
	return ok
}

// meant says what was probably meant by a text that must be one of a few.
func meant(n *yaml.Node, path string) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	name, _, _ = strings.Cut(name, "[")
	var words []string
	switch name {
	case "types":
		words = texts(notify.Types())
	case "severity", "except":
		words = texts([]finding.Severity{finding.Low, finding.Medium, finding.High, finding.Critical})
		if hint := suggest.Phrase(n.Value, words); hint != "" {
			return hint
		}
		return ": want " + strings.Join(words, ", ")
	case "group_by", "equal":
		words = texts([]notify.Field{notify.GroupNone, notify.GroupRule, notify.FieldImage, notify.FieldRepository, notify.FieldNamespace, notify.FieldScan, notify.FieldVulnerability, notify.FieldEnvironment, notify.FieldOwner, notify.FieldEvent})
	case "digest":
		words = []string{"instant", "5m", "15m", "1h", "1d"}
	case "verdict":
		words = []string{"worse", "better", "changed"}
	case "days":
		words = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	}
	return suggest.Phrase(n.Value, words)
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
