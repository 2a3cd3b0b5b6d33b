package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/policy/policyfile"
)

// checker checks the settings of a file, each by itself and then against each other.
type checker struct {
	*settingsFile
	channels *channels.Options
	known    *notify.Settings
	unread   bool // something of the file could not be read
}

// element checks one setting by itself.
func (c *checker) element(e *element) {
	c.elements = append(c.elements, e)
	c.hide(child(e.node, "secrets"))
	before := len(c.found)
	shape := c.value(e.node, e.shape, e.path)
	readable := len(c.found) == before && !c.more
	if err := e.decode(shape); err != nil {
		if readable {
			c.bad(e.node, e.path, "%s", withoutKind(err.Error()))
		}
		return
	}
	c.ownership(e)
	if c.canonical(e, shape, readable) && readable {
		c.channelled(e)
	}
	if len(c.found) > before && c.wrong() && slices.ContainsFunc(c.found[before:], func(d policyfile.Diagnostic) bool { return !d.Warning }) {
		e.body = nil
	}
}

// ownership says whose rule it is, and gives a preference its name.
func (c *checker) ownership(e *element) {
	switch v := e.value.(type) {
	case *notify.Endpoint:
		e.id = v.ID
	case *notify.Template:
		e.id = v.ID
	case *notify.Maintenance:
		e.id = v.ID
	case *notify.Inhibition:
		e.id = v.ID
	case *notify.Rule:
		switch {
		case e.kind == notify.SettingRule && v.Owner != "":
			c.bad(child(e.node, "owner"), e.path+".owner", "a rule of the tenant has none: this is one of the preferences")
		case e.kind == notify.SettingPreference && v.Owner == "":
			c.bad(e.node, e.path, "whose preference is it? It wants an owner")
		case e.kind == notify.SettingPreference && v.ID == "" && len(v.To) == 1:
			v.ID = notify.PreferenceID(v.Owner, v.To[0].Endpoint) // nobody has to write it
		}
		e.id = v.ID
	}
}

// canonical has an element checked, and says everything that notify.Check has against it:
// what is wrong with a member hides what is wrong with those after it, so members are
// looked at again without those that are known to be wrong. Where not all could be read,
// what is missing need not be.
func (c *checker) canonical(e *element, shape any, readable bool) bool {
	members, ok := shape.(map[string]any)
	if !ok {
		return false
	}
	if r, ok := e.value.(*notify.Rule); ok {
		members["id"] = r.ID
		if e.kind == notify.SettingRule && r.Owner != "" {
			delete(members, "owner") // that was said
		}
	}
	said := map[string]bool{}
	for first := true; ; first = false {
		text, err := json.Marshal(members, json.Deterministic(true))
		if err == nil {
			text, err = notify.Check(e.kind, text)
		}
		if err == nil {
			if first {
				e.body = text
			}
			return first
		}
		gone := false
		for _, line := range problemLines(err) {
			path, message := splitProblem(line)
			if said[path] && !first {
				continue
			}
			said[path] = true
			n, where := e.find(path, message)
			if where == e.path && path != "" {
				message = path + ": " + message
			}
			if where == e.path && !readable {
				continue
			}
			c.bad(n, where, "%s%s", message, meant(n, where))
			gone = drop(members, strings.TrimPrefix(where, e.path+".")) || gone
		}
		if !gone {
			return false
		}
	}
}

// channelled says what the channel has against an endpoint or a template.
func (c *checker) channelled(e *element) {
	switch v := e.value.(type) {
	case *notify.Endpoint:
		c.endpoint(e, v)
	case *notify.Template:
		c.template(e, v)
	}
}

func (c *checker) endpoint(e *element, v *notify.Endpoint) {
	for _, role := range sortedNames(v.Secrets) {
		if slices.ContainsFunc(strings.Fields(v.Secrets[role]), looksSecret) {
			c.bad(child(child(e.node, "secrets"), role), e.path+".secrets."+role, "this looks like the secret itself: name where it is, such as env:NAME or file:PATH")
			return
		}
	}
	err := channels.CheckEndpoint(v, c.channels)
	if err == nil {
		return
	}
	if errors.Is(err, channels.ErrUnsupported) {
		var names []string
		for _, t := range channels.Types() {
			names = append(names, t.Name)
		}
		if !slices.Contains(names, v.Type) {
			c.bad(child(e.node, "type"), e.path+".type", "%.40q is none of %s%s", v.Type, strings.Join(names, ", "), suggest.Phrase(v.Type, names))
			return
		}
	}
	for _, line := range problemLines(err) {
		member, message := splitProblem(line)
		n, where := e.find(member, message)
		if n == e.node && child(n, "url") != nil && errors.Is(err, channels.ErrForbidden) {
			n, where = child(n, "url"), e.path+".url"
		}
		if m := quotedForm.FindStringSubmatch(message); n == e.node && m != nil {
			if x, at := holding(n, e.path, m[1]); x != nil {
				n, where = x, at
			}
		}
		if errors.Is(err, channels.ErrForbidden) {
			message += " (--allow HOST lets what is yours be reached)"
		}
		c.bad(n, where, "%s", message)
	}
}

// hide keeps secrets that stand in a file out of excerpts.
func (c *checker) hide(n *yaml.Node) {
	if n == nil {
		return
	}
	for _, x := range n.Content {
		c.hide(x)
	}
	if n.Kind == yaml.ScalarNode && slices.ContainsFunc(strings.Fields(n.Value), looksSecret) && n.Line > 0 && n.Line <= len(c.lines) {
		c.lines[n.Line-1] = strings.ReplaceAll(c.lines[n.Line-1], n.Value, strings.Repeat("*", 8))
	}
}

// looksSecret reports whether a reference is what it should only name.
func looksSecret(ref string) bool {
	for _, prefix := range []string{"xoxb-", "xoxp-", "xapp-", "whsec_", "whsk_", "https://", "http://", "smtp://", "smtps://"} {
		if strings.HasPrefix(strings.ToLower(ref), prefix) {
			return true
		}
	}
	return false
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// template says what is wrong with the texts of a template, each with its place in the
// file.
func (c *checker) template(e *element, v *notify.Template) {
	own := *v
	own.Parts = map[string]string{}
	parts := partsOf(v.Type)
	for _, name := range sortedNames(v.Parts) {
		if len(parts) > 0 && !slices.Contains(parts, name) {
			n, where := holding(child(e.node, "parts"), e.path+".parts", name)
			c.bad(n, where, "a template of %s has no such part%s; it has %s", v.Type, suggest.Phrase(name, parts), strings.Join(parts, ", "))
			continue
		}
		own.Parts[name] = v.Parts[name]
	}
	err := channels.CheckTemplate(&own)
	var all *template.Error
	if !errors.As(err, &all) {
		if err != nil {
			_, message := splitProblem(withoutKind(err.Error()))
			n, where := e.find("parts", "")
			if errors.Is(err, channels.ErrUnsupported) {
				n, where = e.find("type", "")
			}
			c.bad(n, where, "%s", message)
		}
		return
	}
	for _, wrong := range all.Problems {
		n, where := e.find("parts."+wrong.Part, "")
		message := wrong.What
		if wrong.Line > 0 {
			message = fmt.Sprintf("%d:%d: %s%s", wrong.Line, wrong.Column, wrong.What, wrong.Mark)
		}
		d := at(n, where, message)
		if wrong.Line > 0 && n.Style&yaml.LiteralStyle != 0 {
			d.Message = wrong.What
			if d.Line, d.Column = n.Line+wrong.Line, wrong.Column; d.Line <= len(c.lines) {
				line := c.lines[d.Line-1]
				d.Column += c.indent(n, line)
			}
		}
		c.note(d)
	}
}

// partsOf are the names of the parts of a type, none where it has no templates.
func partsOf(kind string) []string {
	var names []string
	for _, t := range channels.Types() {
		if t.Name == kind {
			for _, part := range t.Parts {
				names = append(names, part.Name)
			}
		}
	}
	return names
}

// indent is how far the lines of a literal text are indented.
func (c *checker) indent(n *yaml.Node, line string) int {
	written := strings.TrimLeft(line, " ")
	for own := range strings.Lines(n.Value) {
		if own = strings.TrimRight(own, "\n"); strings.HasSuffix(line, own) && strings.TrimLeft(own, " ") == written {
			return len(line) - len(own)
		}
	}
	return len(line) - len(written)
}

// crosswise checks settings against each other.
func (c *checker) crosswise() {
	there := &named{map[string]*notify.Endpoint{}, map[string]bool{}, map[[2]string]bool{}}
	if c.known != nil {
		for i := range c.known.Endpoints {
			there.endpoints[c.known.Endpoints[i].ID] = &c.known.Endpoints[i]
		}
		for i := range c.known.Templates {
			there.template(&c.known.Templates[i])
		}
	}
	seen := map[[2]string]*element{}
	styles := map[[3]string]*element{}
	for _, e := range c.elements {
		if first := seen[[2]string{string(e.kind), e.id}]; first != nil && e.id != "" {
			c.bad(cmp.Or(child(e.node, "id"), e.node), e.path, "%.80q is there twice, first in line %d", e.id, first.node.Line)
			e.body = nil
		} else if e.value != nil {
			seen[[2]string{string(e.kind), e.id}] = e
		}
		c.unread = c.unread || e.value == nil
		switch v := e.value.(type) {
		case *notify.Endpoint:
			there.endpoints[v.ID] = v
		case *notify.Template:
			there.template(v)
			style := [3]string{v.Type, v.Name, strings.ToLower(v.Locale)}
			if other := styles[style]; other != nil {
				c.bad(e.node, e.path, "it is for the type, the name and the locale of template %.80q as well", other.id)
				e.body = nil
			}
			styles[style] = e
		}
	}
	for _, e := range c.elements {
		if r, ok := e.value.(*notify.Rule); ok && !c.unread {
			c.references(e, r, there)
		}
	}
}

// named is what rules may name: endpoints by id, and templates by name and by type and name.
type named struct {
	endpoints map[string]*notify.Endpoint
	templates map[string]bool
	styles    map[[2]string]bool
}

func (n *named) template(t *notify.Template) {
	n.templates[t.Name], n.styles[[2]string{t.Type, t.Name}] = true, true
}

// references says which endpoints and templates a rule names that are not there, or that
// nothing comes of.
func (c *checker) references(e *element, r *notify.Rule, there *named) {
	c.targets(e, r, child(e.node, "to"), e.path+".to", r.To, there)
	if steps := child(e.node, "escalation"); steps != nil {
		for i := range r.Escalation {
			if i < len(steps.Content) {
				c.targets(e, r, child(steps.Content[i], "to"), fmt.Sprintf("%s.escalation[%d].to", e.path, i), r.Escalation[i].To, there)
			}
		}
	}
	if r.Template != "" && !there.templates[r.Template] {
		c.bad(child(e.node, "template"), e.path+".template", "there is no template of the name %.80q%s", r.Template, suggest.Phrase(r.Template, sortedNames(there.templates)))
		e.body = nil
	}
}

func (c *checker) targets(e *element, r *notify.Rule, n *yaml.Node, path string, targets []notify.Target, there *named) {
	for i, t := range targets {
		if t.Endpoint == "" || n == nil || i >= len(n.Content) {
			continue
		}
		at, x := fmt.Sprintf("%s[%d].endpoint", path, i), cmp.Or(child(n.Content[i], "endpoint"), n.Content[i])
		endpoint := there.endpoints[t.Endpoint]
		switch {
		case endpoint == nil:
			c.bad(x, at, "there is no endpoint %.80q%s", t.Endpoint, suggest.Phrase(t.Endpoint, sortedNames(there.endpoints)))
			e.body = nil
		case endpoint.Disabled && !r.Disabled:
			c.warn(x, at, "the endpoint %.80q is disabled: what it is told is parked", t.Endpoint)
		case r.Template != "" && there.templates[r.Template] && len(partsOf(endpoint.Type)) > 0 && !there.styles[[2]string{endpoint.Type, r.Template}]:
			c.warn(x, at, "the template %.80q is none of %s: this endpoint gets the default one", r.Template, endpoint.Type)
		}
	}
}
