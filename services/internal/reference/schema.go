package reference

import (
	"fmt"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// depth is how far tables of members go into objects without a name.
const depth = 4

// schemas describes what has a name, each in a table of its members.
func (d *document) schemas(b *strings.Builder) {
	all := at(at(d.root, "components"), "schemas")
	if all == nil || len(all.Content) == 0 {
		return
	}
	b.WriteString("\n## Bodies\n\nMembers with a star are always there.\n")
	for name, node := range members(all) {
		fmt.Fprintf(b, "\n### %s\n", name)
		if text := value(node, "description"); text != "" {
			fmt.Fprintf(b, "\n%s\n", paragraph(text))
		}
		var rows strings.Builder
		d.rows(&rows, "", node, 0)
		if rows.Len() == 0 {
			fmt.Fprintf(b, "\n%s\n", d.form(node))
			continue
		}
		fmt.Fprintf(b, "\n| Member | Value | |\n|---|---|---|\n%s", rows.String())
	}
}

// rows adds the members of an object, and those of objects in it, by dotted names.
func (d *document) rows(b *strings.Builder, under string, node *yaml.Node, level int) {
	if node == nil || level > depth {
		return
	}
	for _, part := range list(at(node, "allOf")) {
		d.rows(b, under, d.follow(part), level)
	}
	required := strings.Fields(flat(at(node, "required")))
	for name, member := range members(at(node, "properties")) {
		star := ""
		if slices.Contains(required, name) {
			star = " *"
		}
		fmt.Fprintf(b, "| `%s%s`%s | %s | %s |\n", under, name, star, cell(d.kind(member)), cell(paragraph(value(member, "description"))))
		if value(member, "$ref") != "" {
			continue
		}
		d.rows(b, under+name+".", member, level+1)
		if items := at(member, "items"); items != nil && value(items, "$ref") == "" {
			d.rows(b, under+name+"[].", items, level+1)
		}
		if others := at(member, "additionalProperties"); others != nil && others.Kind == yaml.MappingNode && value(others, "$ref") == "" {
			d.rows(b, under+name+".*.", others, level+1)
		}
	}
}

// kind says what a value may be: a link to what has a name, else its form.
func (d *document) kind(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	if ref := value(node, "$ref"); ref != "" {
		name := path.Base(ref)
		return fmt.Sprintf("[%s](#%s)", name, anchor(name))
	}
	return d.form(node)
}

// form says what a value without a name may be.
func (d *document) form(node *yaml.Node) string {
	for _, key := range []string{"oneOf", "anyOf"} {
		if parts := list(at(node, key)); len(parts) > 0 {
			var out []string
			for _, p := range parts {
				if form := d.kind(p); !slices.Contains(out, form) {
					out = append(out, form)
				}
			}
			return strings.Join(out, " or ")
		}
	}
	if parts := list(at(node, "allOf")); len(parts) == 1 {
		return d.kind(parts[0])
	}
	if c := at(node, "const"); c != nil {
		return "`" + c.Value + "`"
	}
	if values := list(at(node, "enum")); len(values) > 0 {
		var out []string
		for _, v := range values {
			out = append(out, "`"+v.Value+"`")
		}
		return strings.Join(out, ", ")
	}
	kind := strings.ReplaceAll(flat(at(node, "type")), " ", " or ")
	if kind == "" {
		kind = "any"
	}
	switch {
	case at(node, "items") != nil:
		kind = strings.Replace(kind, "array", "list of "+d.kind(at(node, "items")), 1)
	case at(node, "additionalProperties") != nil && at(node, "additionalProperties").Kind == yaml.MappingNode:
		kind = strings.Replace(kind, "object", "map to "+d.kind(at(node, "additionalProperties")), 1)
	}
	return kind + bounds(node)
}

// bounds says what limits a value.
func bounds(node *yaml.Node) string {
	var out []string
	if f := value(node, "format"); f != "" {
		out = append(out, f)
	}
	if p := value(node, "pattern"); p != "" {
		out = append(out, "`"+p+"`")
	}
	lowest, highest := value(node, "minimum"), value(node, "maximum")
	switch {
	case lowest != "" && highest != "":
		out = append(out, lowest+" to "+highest)
	case lowest != "":
		out = append(out, "at least "+lowest)
	case highest != "":
		out = append(out, "at most "+highest)
	}
	for _, m := range [][2]string{{"maxLength", "at most %s characters"}, {"maxItems", "at most %s of them"}, {"maxProperties", "at most %s members"}, {"default", "default `%s`"}} {
		if v := value(node, m[0]); v != "" {
			out = append(out, fmt.Sprintf(m[1], v))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ", " + strings.Join(out, ", ")
}

// follow returns what a reference names, and other nodes as they are. References to nothing
// are found by the tests of the documents.
func (d *document) follow(node *yaml.Node) *yaml.Node {
	ref, ok := strings.CutPrefix(value(node, "$ref"), "#/")
	if !ok {
		return node
	}
	found := d.root
	for part := range strings.SplitSeq(ref, "/") {
		found = at(found, part)
	}
	return found
}

// at returns a member of a mapping, or nil.
func at(node *yaml.Node, key string) *yaml.Node {
	for k, v := range members(node) {
		if k == key {
			return v
		}
	}
	return nil
}

// value returns a scalar member of a mapping, or "".
func value(node *yaml.Node, key string) string {
	if v := at(node, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// members are those of a mapping in the order of the document.
func members(node *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

// list are the elements of a sequence.
func list(node *yaml.Node) []*yaml.Node {
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// flat is a scalar, or the scalars of a sequence with spaces between them.
func flat(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	if node.Kind == yaml.ScalarNode {
		return node.Value
	}
	var out []string
	for _, n := range list(node) {
		out = append(out, n.Value)
	}
	return strings.Join(out, " ")
}

var dossier = regexp.MustCompile(`docs/(modules/[a-z-]+\.md)`)

// paragraph is a text on one line, whose names of dossiers are links to them.
func paragraph(text string) string {
	return dossier.ReplaceAllString(strings.Join(strings.Fields(text), " "), "[$1](../$1)")
}

// cell is a text in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

var notAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchor is the name that a heading gets where Markdown is shown.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(notAnchor.ReplaceAllString(heading, "")), " ", "-")
}
