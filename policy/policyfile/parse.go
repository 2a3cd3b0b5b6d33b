package policyfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// Parse reads a policy. name is the file's, for messages. The diagnostics are
// warnings, sorted by place; they are there also with an error, as far as the document
// could be read. The error is a *DocumentError with everything that is wrong, or wraps
// ErrLimit.
func Parse(name string, text []byte) (*policy.Policy, []Diagnostic, error) {
	p, err := parse(name, text)
	if err != nil {
		return nil, nil, err
	}
	if err := p.errors(); err != nil {
		return nil, p.warnings(), err
	}
	p.lint()
	return p.policy, p.warnings(), nil
}

// Lint says everything about a document: errors and warnings, also those about rules
// whose time is over, sorted by place. Nil means that it is well.
func Lint(name string, text []byte, at time.Time) []Diagnostic {
	p, err := parse(name, text)
	var newer *DocumentError
	switch {
	case errors.As(err, &newer):
		return newer.Diagnostics
	case err != nil:
		return []Diagnostic{{File: name, Message: err.Error()}}
	}
	if p.policy != nil && p.errors() == nil {
		p.lint()
		p.expired(at)
	}
	sortDiagnostics(p.found)
	return p.found
}

// parser reads one policy.
type parser struct {
	*reader
	policy *policy.Policy
	rules  []*yaml.Node // where each rule stands
}

func parse(name string, text []byte) (*parser, error) {
	r, root, err := open(name, text)
	if err != nil {
		return nil, err
	}
	p := &parser{reader: r}
	if root == nil {
		return p, nil
	}
	p.policy = &policy.Policy{Semantics: policy.Semantics}
	if err := p.document(root); err != nil {
		return nil, err
	}
	if p.errors() != nil {
		return p, nil
	}
	// Everything was checked with its place; this is what holds in the end.
	if _, err := policy.Compile(p.policy, &policy.Options{Expressions: Expressions}); err != nil {
		p.bad(root, "", "%s", err)
	}
	return p, nil
}

func (p *parser) document(n *yaml.Node) error {
	if err := p.newer(n); err != nil {
		return err
	}
	f := p.fields(n, "", "id", "version", "semantics", "title", "evidence", "vex", "threshold", "exceptions", "profiles", "rules")
	if f == nil {
		return nil
	}
	out := p.policy
	for _, name := range []string{"id", "version"} {
		if f[name] == nil {
			p.bad(n, name, "it is missing")
		}
	}
	out.ID = p.text(f["id"], "id", 128)
	out.Version = p.number(f["version"], "version", 1, 1<<31-1)
	p.number(f["semantics"], "semantics", 1, policy.Semantics)
	out.Title = p.text(f["title"], "title", 1024)
	out.Gates = p.gates(f, "")
	out.Exceptions = p.grant(f["exceptions"])
	p.profiles(f["profiles"])
	if n := f["rules"]; n != nil && n.Kind == yaml.SequenceNode && len(n.Content) > policy.MaxRules {
		return fmt.Errorf("%s: %w", p.name, &fault.LimitError{What: "rules", Where: "policy", Max: policy.MaxRules, Seen: int64(len(n.Content))})
	}
	lines := map[string]int{}
	for i, x := range p.list(f["rules"], "rules") {
		p.rule(x, fmt.Sprintf("rules[%d]", i), lines)
	}
	return nil
}

// newer refuses a policy for a newer engine before anything else: of what such a
// policy holds nothing is known.
func (p *parser) newer(n *yaml.Node) error {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		v := n.Content[i+1]
		var s int
		if n.Content[i].Value != "semantics" || v.Decode(&s) != nil || s <= policy.Semantics {
			continue
		}
		own := newSource(p.name, strings.Join(p.lines, "\n"))
		own.note(Diagnostic{Line: v.Line, Column: v.Column, Path: "semantics", Message: fmt.Sprintf("%d: this engine has %d, a newer version reads it", s, policy.Semantics)})
		return &DocumentError{Diagnostics: own.found, kind: fault.Unsupported}
	}
	return nil
}

func severities() []string {
	return []string{string(finding.None), string(finding.Low), string(finding.Medium), string(finding.High), string(finding.Critical)}
}

func (p *reader) severity(n *yaml.Node, path string) finding.Severity {
	s := p.text(n, path, 40)
	if s == "" {
		return finding.Unknown
	}
	if sev, ok := finding.ParseSeverity(s); ok {
		return sev
	}
	return finding.Severity(p.oneOf(n, path, severities()))
}

func (p *parser) gates(f map[string]*yaml.Node, path string) (out policy.Gates) {
	if n := f["evidence"]; n != nil {
		at := under(path, "evidence")
		e := p.fields(n, at, "gaps", "unknown", "unrated")
		outcomes := strs([]policy.Outcome{policy.NotAssessed, policy.Warn, policy.Block})
		out.Evidence.Gaps = policy.Outcome(p.oneOf(e["gaps"], at+".gaps", outcomes))
		out.Evidence.Unknown = policy.Outcome(p.oneOf(e["unknown"], at+".unknown", outcomes))
		out.Evidence.Unrated = p.severity(e["unrated"], at+".unrated")
	}
	if n := f["vex"]; n != nil {
		at := under(path, "vex")
		v := p.fields(n, at, "disputed", "require", "ignore")
		out.VEX.Disputed = policy.Disputed(p.oneOf(v["disputed"], at+".disputed", strs([]policy.Disputed{policy.Distrust, policy.DisputedWarn, policy.DisputedBlock})))
		out.VEX.Require = p.requirement(v["require"], at+".require")
		out.VEX.Ignore = p.flag(v["ignore"], at+".ignore")
	}
	if n := f["threshold"]; n != nil {
		at := under(path, "threshold")
		t := p.fields(n, at, "block", "warn")
		out.Threshold.Block = p.severity(t["block"], at+".block")
		out.Threshold.Warn = p.severity(t["warn"], at+".warn")
		if b, w := out.Threshold.Block, out.Threshold.Warn; b != "" && w.Rank() > b.Rank() {
			p.bad(t["warn"], at+".warn", "%s is above block, which is %s", w, b)
		}
	}
	return out
}

func (p *parser) requirement(n *yaml.Node, path string) (out policy.Requirement) {
	if n == nil {
		return out
	}
	f := p.fields(n, path, "tier", "signed", "issuers", "justifications")
	out.Tier = p.number(f["tier"], path+".tier", 1, vex.MaxTier)
	out.Signed = p.flag(f["signed"], path+".signed")
	out.Issuers = p.texts(f["issuers"], path+".issuers", nil)
	slices.Sort(out.Issuers)
	for _, j := range p.texts(f["justifications"], path+".justifications", strs(vex.Justifications)) {
		out.Justifications = append(out.Justifications, vex.Justification(j))
	}
	slices.Sort(out.Justifications)
	return out
}

func (p *parser) grant(n *yaml.Node) (out policy.Grant) {
	if n == nil {
		return out
	}
	f := p.fields(n, "exceptions", "max_days", "approver", "severity", "effects")
	out.MaxDays = p.number(f["max_days"], "exceptions.max_days", 1, 36500)
	out.Approver = p.flag(f["approver"], "exceptions.approver")
	out.Severity = p.severity(f["severity"], "exceptions.severity")
	for _, e := range p.texts(f["effects"], "exceptions.effects", strs(policy.Effects)) {
		out.Effects = append(out.Effects, policy.Effect(e))
	}
	slices.SortFunc(out.Effects, func(a, b policy.Effect) int { return slices.Index(policy.Effects, a) - slices.Index(policy.Effects, b) })
	return out
}

func (p *parser) profiles(n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.bad(n, "profiles", "want a mapping from environments to gates")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		env, at := n.Content[i].Value, under("profiles", n.Content[i].Value)
		f := p.fields(n.Content[i+1], at, "evidence", "vex", "threshold")
		if env == "" || len(env) > 128 {
			p.bad(n.Content[i], "profiles", "want the name of an environment")
		}
		if n.Content[i+1].Kind == yaml.MappingNode && len(n.Content[i+1].Content) == 0 {
			p.warn(n.Content[i], at, "it changes nothing")
		}
		p.policy.Profiles = append(p.policy.Profiles, policy.Profile{Environment: env, Gates: p.gates(f, at)})
	}
	slices.SortFunc(p.policy.Profiles, func(a, b policy.Profile) int { return strings.Compare(a.Environment, b.Environment) })
}

// rule reads one rule. lines says where the ids before it stand.
func (p *parser) rule(n *yaml.Node, path string, lines map[string]int) {
	f := p.fields(n, path, "id", "about", "match", "when", "action", "until", "require", "because", "final", "despite_vex")
	if f == nil {
		return
	}
	for _, name := range []string{"id", "action", "because"} {
		if f[name] == nil {
			p.bad(n, path+"."+name, "it is missing%s", map[string]string{"because": ": people want to know why"}[name])
		}
	}
	r := policy.Rule{
		ID: p.text(f["id"], path+".id", 128), About: policy.About(p.oneOf(f["about"], path+".about", strs(policy.Abouts[1:]))), Because: p.text(f["because"], path+".because", policy.MaxText),
		Action: policy.Action(p.oneOf(f["action"], path+".action", strs(policy.Actions))),
		Until:  p.time(f["until"], path+".until"), Require: p.requirement(f["require"], path+".require"),
		Final: p.flag(f["final"], path+".final"), DespiteVEX: p.flag(f["despite_vex"], path+".despite_vex"),
	}
	if line := lines[r.ID]; line > 0 {
		p.bad(f["id"], path+".id", "%.60q is there twice, first in line %d", r.ID, line)
	} else if r.ID != "" {
		lines[r.ID] = f["id"].Line
	}
	if f["until"] != nil && r.Action != policy.ActionIgnore && r.Action != "" {
		p.bad(f["until"], path+".until", "it goes with ignore alone, the action is %s", r.Action)
	}
	if f["require"] != nil && r.Action != policy.ActionRequireVEX && r.Action != "" {
		p.bad(f["require"], path+".require", "it goes with require_vex alone, the action is %s", r.Action)
	}
	for _, name := range []string{"require", "final", "despite_vex"} {
		if f[name] != nil && r.About != policy.AboutFinding {
			p.bad(f[name], path+"."+name, "it goes with findings alone: nothing else has suppliers or exceptions")
		}
	}
	if r.About != policy.AboutFinding && r.Action == policy.ActionRequireVEX {
		p.bad(f["action"], path+".action", "%s goes with findings alone", r.Action)
	}
	r.Conditions = append(p.match(r.About, f["match"], path+".match"), p.when(r.About, f["when"], path+".when")...)
	if len(r.Conditions) > policy.MaxConditions {
		p.bad(n, path, "%d conditions, at most %d", len(r.Conditions), policy.MaxConditions)
	}
	p.policy.Rules = append(p.policy.Rules, r)
	p.rules = append(p.rules, n)
}

// compareConditions orders conditions of facts, so that the order of keys does not
// matter.
func compareConditions(a, b policy.Condition) int {
	negated := func(c policy.Condition) int {
		if c.Negate {
			return 1
		}
		return 0
	}
	return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(string(a.Operator), string(b.Operator)), negated(a)-negated(b), slices.Compare(a.Values, b.Values))
}
