package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
)

// rule says what each rule answered, and then the threshold. when says of which of two
// rounds it is, "" where there is one.
func (s *teller) rule(d *policy.Decided, list []policy.AskedRule, about policy.About, when string) []Step {
	var out []Step
	ended := false
	for _, a := range list {
		step := Step{Kind: StepRule, Title: a.Rule + ": " + a.Is}
		if when != "" {
			step.Title += ", " + when
		}
		r := s.rules[a.Rule]
		if r != nil {
			s.answered(&step, d, r, a)
			ended = a.Is == "error" || a.Is == "yes" && r.Action != policy.ActionWarn
		}
		step.Text = add(step.Text, decides(d, when, policy.GateRules, a.Rule))
		out = append(out, step)
	}
	left := -len(list)
	for i := range s.Policy.Rules {
		if s.Policy.Rules[i].About == about {
			left++
		}
	}
	out = s.unasked(out, d, about, left, ended)
	if about == policy.AboutFinding && !ended && !excused(d) && !contradicted(d) {
		if t, ok := s.threshold(d, when); ok {
			out = append(out, t)
		}
	}
	return out
}

// The two rounds of rules where an exception has them asked again.
const (
	beforeException = "before the exception"
	withException   = "with the exception"
)

func excused(d *policy.Decided) bool { return d.VEX != nil && d.VEX.Excused }

// contradicted reports whether suppliers' contradiction ended it before any rule.
func contradicted(d *policy.Decided) bool {
	return d.Gate == policy.GateLattice && d.Outcome == policy.Block || d.Before != nil && d.Before.Gate == policy.GateLattice && d.Before.Outcome == policy.Block
}

// unasked says why the other rules were not asked.
func (s *teller) unasked(out []Step, d *policy.Decided, about policy.About, left int, ended bool) []Step {
	text := ""
	switch {
	case left <= 0 && len(out) == 0:
		return append(out, Step{Kind: StepRule, Title: "the policy has no rule about " + about.Plural()})
	case left <= 0:
		return out
	case contradicted(d):
		text = "suppliers contradict each other, and the policy blocks that before it asks rules"
	case ended:
		text = "what comes first decides"
	case excused(d):
		text = "what a supplier's assurance excuses passes them by"
	}
	note := fmt.Sprintf("%d more rules were not asked", left)
	if left == 1 {
		note = "1 more rule was not asked"
	}
	note += prefixed(": ", text) + "."
	if len(out) == 0 {
		return append(out, Step{Kind: StepRule, Title: "no rule was asked", Text: []string{note}})
	}
	last := &out[len(out)-1]
	last.Text = append(last.Text, note)
	return out
}

// answered says what a rule answered, and by which condition.
func (s *teller) answered(step *Step, d *policy.Decided, r *policy.Rule, a policy.AskedRule) {
	switch {
	case a.Is == "yes":
		step.Title += ", so " + words(r.Action)
		for i := range r.Conditions {
			step.Text = append(step.Text, Condition(&r.Conditions[i])+s.seen(d, &r.Conditions[i])+".")
		}
		if len(r.Conditions) == 0 {
			step.Text = append(step.Text, "It has no conditions.")
		}
		step.Text = append(step.Text, "It says: "+inner(r.Because)+".")
	case a.By >= 0 && a.By < len(r.Conditions):
		c := &r.Conditions[a.By]
		verb := map[string]string{"no": "does not hold", "error": "failed"}[a.Is]
		step.Text = append(step.Text, Condition(c)+" "+cmp.Or(verb, "cannot be told")+s.seen(d, c)+".")
		if a.Is == "unknown" && restricts(r.Action) {
			step.Text = append(step.Text, "It restricts: as long as that is unknown, the finding is no pass.")
		}
	default:
		step.Text = append(step.Text, "Its time is over.")
	}
	if r.Final && a.Is != "no" && restricts(r.Action) {
		step.Text = append(step.Text, "It is final: no exception softens it.")
	}
	if r.DespiteVEX && excused(d) {
		step.Text = append(step.Text, "It is asked also about what a supplier's assurance excuses.")
	}
}

func restricts(a policy.Action) bool {
	return slices.Contains([]policy.Action{policy.ActionBlock, policy.ActionWarn, policy.ActionRequireVEX}, a)
}

// threshold says what the last gate made of the severity. ok is false where the policy
// has none.
func (s *teller) threshold(d *policy.Decided, when string) (step Step, ok bool) {
	t := s.Policy.Threshold
	for _, p := range s.Policy.Profiles {
		if p.Environment == s.Environment && p.Threshold != (policy.Threshold{}) {
			t = p.Threshold
		}
	}
	if t == (policy.Threshold{}) {
		return Step{}, false
	}
	rank := s.severity(d)
	if e := s.exceptions[d.Exception]; e != nil && e.Effect == policy.Downgrade && when == withException && d.Outcome != d.Before.Outcome {
		rank = e.Severity.Rank()
	}
	answer := "no"
	switch {
	case rank <= 0:
		answer = "unknown"
	case t.Block != "" && rank >= t.Block.Rank():
		answer = "block"
	case t.Warn != "" && rank >= t.Warn.Rank():
		answer = "warn"
	}
	step = Step{Kind: StepRule, Title: "threshold: " + answer}
	if when != "" {
		step.Title += ", " + when
	}
	text := ""
	if t.Block != "" {
		text = "From " + string(t.Block) + " on it blocks"
	}
	if t.Warn != "" {
		text += map[bool]string{true: "From ", false: ", from "}[text == ""] + string(t.Warn) + " on it warns"
	}
	step.Text = []string{text + "; the severity is " + severityName(rank) + "."}
	if answer == "unknown" {
		step.Text = append(step.Text, "As long as that is unknown, the finding is no pass.")
	}
	step.Text = add(step.Text, decides(d, when, policy.GateThreshold, ""))
	return step, true
}

// decides says that a gate with a rule decides, "" where it does not.
func decides(d *policy.Decided, when string, gate policy.Gate, rule string) string {
	is, by, text := d.Gate, d.Rule, "It decides"
	if b := d.Before; b != nil && when != withException {
		is, by, text = b.Gate, b.Rule, "It decides where no exception counts"
	}
	if is != gate || by != rule {
		return ""
	}
	return text
}

// severity is the rank of the severity that counted, 0 for an unknown one.
func (s *teller) severity(d *policy.Decided) int {
	if n := rankOf(d); n > 0 {
		return n
	}
	unrated := s.Policy.Evidence.Unrated
	for _, p := range s.Policy.Profiles {
		if p.Environment == s.Environment && p.Evidence != (policy.Evidence{}) {
			unrated = p.Evidence.Unrated
		}
	}
	if f := s.known(d); f != nil {
		return cmp.Or(f.Severity, unrated).Rank()
	}
	return finding.Unknown.Rank()
}

// verdict says what follows, by which gate.
func (s *teller) verdict(d *policy.Decided) Step {
	step := Step{Kind: StepVerdict, Title: words(d.Outcome), Refs: []Ref{{Name: fmt.Sprintf("policy %s version %d", s.Policy.ID, s.Policy.Version), Digest: s.Inputs.Policy}}}
	who := fmt.Sprintf("Policy %s version %d decided", s.Policy.ID, s.Policy.Version)
	if s.Environment != "" {
		who += " for the environment " + s.Environment
	}
	step.Text = append(step.Text, who+", as of "+moment(s.At)+".")
	switch {
	case d.Before != nil:
		step.Text = append(step.Text, "Exception "+d.Exception+" softened it: without it, "+words(d.Before.Outcome)+".")
	case d.Gate == policy.GateNone:
		step.Text = append(step.Text, "No gate had anything against it.")
	default:
		step.Text = append(step.Text, "The "+string(d.Gate)+" gate decided"+ruled(d.Rule)+prefixed(": ", inner(d.Because))+".")
	}
	for _, w := range d.Warnings {
		if w != d.Rule {
			step.Text = append(step.Text, "Rule "+w+" warns as well.")
		}
	}
	whole := "The image as a whole: " + words(s.Outcome)
	step.Text = append(step.Text, whole+prefixed(", because ", inner(s.Because))+".")
	return step
}
