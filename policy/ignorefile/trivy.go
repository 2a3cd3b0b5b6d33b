package ignorefile

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// trivy reads lines of ids, each with an optional exp:YYYY-MM-DD. The comment lines
// right above an id are its reason.
func (c *collector) trivy(text string) {
	var above []string
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			above = append(above, strings.TrimSpace(comment))
			continue
		}
		if line == "" {
			above = nil
			continue
		}
		reason := strings.TrimSpace(strings.Join(above, " "))
		above = nil
		where, words := fmt.Sprintf("line %d", i+1), strings.Fields(line)
		id := words[0]
		if why := whyNoID(id); why != "" {
			c.note(where, id, "%s", why)
			continue
		}
		expires, bad := time.Time{}, false
		for _, w := range words[1:] {
			if strings.HasPrefix(w, "#") {
				break
			}
			date, ok := strings.CutPrefix(w, "exp:")
			if !ok {
				continue
			}
			if expires, ok = day(date); !ok {
				c.note(where, id, "its date %.40q is none: want exp:2027-01-31", date)
				bad = true
			}
			break
		}
		if !bad {
			e := entry{where: where, what: id, expires: expires, reason: reason}
			e.scope.Vulnerabilities = []string{id}
			c.add(e)
		}
	}
}

// trivyYAML reads the structured form.
func (c *collector) trivyYAML(text []byte) error {
	root, err := yamlRoot(text)
	if err != nil || root == nil {
		return err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, list := root.Content[i], root.Content[i+1]
		where := fmt.Sprintf("line %d", key.Line)
		switch {
		case key.Value != "vulnerabilities" && len(list.Content) == 0:
		case key.Value != "vulnerabilities":
			c.note(where, key.Value, "%d entries that are about no vulnerabilities", len(list.Content))
		default:
			for _, n := range list.Content {
				c.trivyEntry(n)
			}
		}
	}
	return nil
}

func (c *collector) trivyEntry(n *yaml.Node) {
	e := entry{where: fmt.Sprintf("line %d", n.Line), what: "an entry"}
	f, unknown := members(n, "id", "paths", "purls", "expired_at", "statement")
	e.what = value(f["id"], e.what)
	if why := plainOnly(f, unknown, "paths", "purls"); why != "" {
		c.note(e.where, e.what, "%s", why)
		return
	}
	if why := whyNoID(value(f["id"], "")); why != "" {
		c.note(e.where, e.what, "%s", why)
		return
	}
	e.scope.Vulnerabilities = []string{f["id"].Value}
	e.reason = value(f["statement"], "")
	if n := f["expired_at"]; n != nil {
		t, ok := day(n.Value)
		if !ok {
			c.note(e.where, e.what, "its date %.40q is none", n.Value)
			return
		}
		e.expires = t
	}
	var ok bool
	if e.scope.Paths, ok = c.pathsOf(&e, f["paths"]); !ok {
		return
	}
	if n := f["purls"]; n != nil {
		for _, p := range n.Content {
			if why := packageURL(p.Value); why != "" {
				c.note(e.where, e.what+" for "+p.Value, "%s", why)
			} else {
				e.scope.Packages = append(e.scope.Packages, p.Value)
			}
		}
		none := n.Tag == "!!null" || n.Kind == yaml.SequenceNode && len(n.Content) == 0
		if !none && len(e.scope.Packages) == 0 {
			c.note(e.where, e.what, "none of its packages can be said: without them it would cover all")
			return
		}
	}
	c.add(e)
}

// pathsOf translates a list of globs. ok is false where none of them can be said, and
// the entry is then left out: without them it would cover everything.
func (c *collector) pathsOf(e *entry, n *yaml.Node) (out []string, ok bool) {
	if n == nil || n.Kind == yaml.SequenceNode && len(n.Content) == 0 || n.Tag == "!!null" {
		return nil, true
	}
	list := n.Content
	if n.Kind == yaml.ScalarNode {
		list = []*yaml.Node{n}
	}
	for _, p := range list {
		patterns, can := paths(p.Value)
		if !can {
			c.note(e.where, e.what+" in "+p.Value, `an exception cannot say this pattern: its "*" stands for any characters`)
			continue
		}
		out = append(out, patterns...)
	}
	if len(out) == 0 {
		c.note(e.where, e.what, "none of its paths can be said: without them it would cover all")
	}
	return out, len(out) > 0
}
