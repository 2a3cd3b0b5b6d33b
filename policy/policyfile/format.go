package policyfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
)

func rank(s string) int { return finding.Severity(s).Rank() }

// Format writes a policy as a YAML document that [Parse] reads as a policy with the
// same digest. Equal policies give equal documents. An error wraps ErrInvalid for a
// policy that is none, and ErrUnsupported for one that the language cannot say, such
// as one whose conditions are in another order.
func Format(p *policy.Policy) ([]byte, error) {
	root := mapping()
	root.text("id", p.ID)
	root.number("version", p.Version)
	root.number("semantics", p.Semantics)
	root.text("title", p.Title)
	root.gates(&p.Gates)
	if g := p.Exceptions; g.MaxDays != 0 || g.Approver || g.Severity != "" || len(g.Effects) > 0 {
		m := root.add("exceptions", mapping())
		m.number("max_days", g.MaxDays)
		m.flag("approver", g.Approver)
		m.text("severity", string(g.Severity))
		m.texts("effects", strs(g.Effects))
	}
	if len(p.Profiles) > 0 {
		m := root.add("profiles", mapping())
		for i := range p.Profiles {
			m.add(p.Profiles[i].Environment, mapping()).gates(&p.Profiles[i].Gates)
		}
	}
	if len(p.Rules) > 0 {
		rules := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range p.Rules {
			rules.Content = append(rules.Content, ruleNode(&p.Rules[i]).node)
		}
		root.put("rules", rules)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root.node); err != nil {
		return nil, fmt.Errorf("format policy %.128q: %v: %w", p.ID, err, fault.Invalid)
	}
	again, _, err := Parse(p.ID, b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format policy %.128q: %w", p.ID, err)
	}
	if again.Digest() != p.Digest() {
		return nil, fmt.Errorf("format policy %.128q: the language cannot say it as it is: %w", p.ID, fault.Unsupported)
	}
	return b.Bytes(), nil
}

// written is a mapping that is being written. Members that are empty are left out.
type written struct{ node *yaml.Node }

func mapping() written { return written{&yaml.Node{Kind: yaml.MappingNode}} }

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func (w written) put(name string, n *yaml.Node) {
	w.node.Content = append(w.node.Content, scalar(name), n)
}

func (w written) add(name string, m written) written {
	w.put(name, m.node)
	return m
}

func (w written) text(name, s string) {
	if s != "" {
		w.put(name, scalar(s))
	}
}

func (w written) number(name string, n int) {
	if n != 0 {
		w.put(name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(n)})
	}
}

func (w written) flag(name string, b bool) {
	if b {
		w.put(name, truth("true"))
	}
}

func truth(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: s} }

func (w written) texts(name string, list []string) {
	if len(list) > 0 {
		w.put(name, sequence(list))
	}
}

func sequence(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range list {
		n.Content = append(n.Content, scalar(s))
	}
	return n
}

func (w written) gates(g *policy.Gates) {
	if g.Evidence != (policy.Evidence{}) {
		m := w.add("evidence", mapping())
		m.text("gaps", string(g.Evidence.Gaps))
		m.text("unknown", string(g.Evidence.Unknown))
		m.text("unrated", string(g.Evidence.Unrated))
	}
	if v := &g.VEX; v.Disputed != "" || v.Ignore || !empty(&v.Require) {
		m := w.add("vex", mapping())
		m.text("disputed", string(v.Disputed))
		m.requirement(&v.Require)
		m.flag("ignore", v.Ignore)
	}
	if g.Threshold != (policy.Threshold{}) {
		m := w.add("threshold", mapping())
		m.text("block", string(g.Threshold.Block))
		m.text("warn", string(g.Threshold.Warn))
	}
}

func empty(r *policy.Requirement) bool {
	return r.Tier == 0 && !r.Signed && len(r.Issuers) == 0 && len(r.Justifications) == 0
}

func (w written) requirement(r *policy.Requirement) {
	if empty(r) {
		return
	}
	m := w.add("require", mapping())
	m.number("tier", r.Tier)
	m.flag("signed", r.Signed)
	m.texts("issuers", r.Issuers)
	m.texts("justifications", strs(r.Justifications))
}

func ruleNode(r *policy.Rule) written {
	w := mapping()
	w.text("id", r.ID)
	w.text("about", string(r.About))
	var facts []*policy.Condition
	var expressions []string
	for i := range r.Conditions {
		if c := &r.Conditions[i]; c.Expression != "" {
			expressions = append(expressions, joinable(c.Expression))
		} else {
			facts = append(facts, c)
		}
	}
	if len(facts) > 0 {
		w.put("match", matchNode(facts))
	}
	w.text("when", strings.Join(expressions, " && "))
	w.text("action", string(r.Action))
	if !r.Until.IsZero() {
		w.text("until", r.Until.UTC().Format(time.RFC3339Nano))
	}
	w.requirement(&r.Require)
	w.text("because", r.Because)
	w.flag("final", r.Final)
	w.flag("despite_vex", r.DespiteVEX)
	return w
}

// joinable puts an expression in parentheses where "&&" would bind more strongly than
// its operators. Where it would not, they do no harm.
func joinable(s string) string {
	if strings.Contains(s, "||") || strings.Contains(s, "?") {
		return "(" + s + ")"
	}
	return s
}

// matchNode writes conditions of facts: as one mapping, or as a list of them where a
// fact has several conditions.
func matchNode(list []*policy.Condition) *yaml.Node {
	all := &yaml.Node{Kind: yaml.SequenceNode}
	var names []string
	last := mapping()
	for _, c := range list {
		if slices.Contains(names, c.Field) {
			all.Content = append(all.Content, last.node)
			last, names = mapping(), nil
		}
		names = append(names, c.Field)
		last.put(c.Field, conditionNode(c))
	}
	if len(all.Content) == 0 {
		return last.node
	}
	all.Content = append(all.Content, last.node)
	return all
}

func conditionNode(c *policy.Condition) *yaml.Node {
	var n *yaml.Node
	f := policy.FieldByName(c.Field)
	switch {
	case f != nil && f.Kind == policy.KindFlag && len(c.Values) == 1:
		n = truth(c.Values[0])
	case c.Operator != policy.Is && c.Operator != policy.Matches && len(c.Values) == 1:
		n = scalar(string(c.Operator) + " " + c.Values[0])
	case len(c.Values) == 1:
		n = scalar(c.Values[0])
	default:
		n = sequence(c.Values)
	}
	if c.Negate {
		m := mapping()
		m.node.Style = yaml.FlowStyle
		m.put("not", n)
		return m.node
	}
	return n
}
