package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
)

// check is the checking of one trace.
type check struct {
	trace *policy.Trace
	gates policy.Gates
}

// reached is what the gates give.
type reached struct {
	outcome policy.Outcome
	gate    policy.Gate
	rule    string
	because string
	warned  []string
	final   bool // a final rule that restricts applies, or may
}

// decision recomputes one decision.
func (c *check) decision(d *policy.Decided) error {
	if d.Outcome.Rank() < 0 {
		return fmt.Errorf("outcome %q is none", d.Outcome)
	}
	s, err := c.supplied(d)
	if err != nil {
		return err
	}
	severity, err := c.severity(d)
	if err != nil {
		return err
	}
	asked := d.Rules
	if d.Before != nil && len(d.Before.Rules) > 0 {
		asked = d.Before.Rules
	}
	got, err := c.gate(d, policy.AboutFinding, asked, s, severity)
	if err != nil {
		return err
	}
	winner, err := c.exceptions(d, got, severity)
	if err != nil {
		return err
	}
	if winner == nil {
		if d.Before != nil || d.Exception != "" {
			return fmt.Errorf("no exception counts, and it is softened by %q", d.Exception)
		}
		return got.same(d)
	}
	return c.softened(d, got, winner, s, severity)
}

func (r *reached) same(d *policy.Decided) error {
	if r.outcome != d.Outcome || r.gate != d.Gate || r.rule != d.Rule || r.because != d.Because || !slices.Equal(r.warned, d.Warnings) {
		return fmt.Errorf("the gates give %+v, it says %s by %s, rule %q, because %q, warnings %q", *r, d.Outcome, d.Gate, d.Rule, d.Because, d.Warnings)
	}
	return nil
}

// softened checks what an exception made of a decision.
func (c *check) softened(d *policy.Decided, got *reached, e *policy.Exception, s *supplied, severity finding.Severity) error {
	if d.Before == nil || d.Exception != e.ID {
		return fmt.Errorf("exception %q counts, and %q softened it", e.ID, d.Exception)
	}
	if b := d.Before; b.Outcome != got.outcome || b.Gate != got.gate || b.Rule != got.rule || b.Because != got.because {
		return fmt.Errorf("before the exception the gates give %+v, it says %+v", *got, *b)
	}
	switch e.Effect {
	case policy.Suppress:
		got.outcome = policy.Pass
	case policy.Defer, policy.RequireControl:
		got.outcome = policy.Warn
	case policy.Downgrade:
		unchanged := slices.Equal(d.Rules, d.Before.Rules) && got.same(d) == nil // the lower severity made it no better
		if !unchanged && (severity == finding.Unknown || severity.Rank() > e.Severity.Rank()) {
			var err error
			if got, err = c.gate(d, policy.AboutFinding, d.Rules, s, e.Severity); err != nil {
				return err
			}
		}
	}
	return got.same(d)
}

// severity is what counts before exceptions; the fact says so, null for unknown.
func (c *check) severity(d *policy.Decided) (finding.Severity, error) {
	n, known, err := number(d.Facts["severity"])
	if err != nil {
		return "", fmt.Errorf("/facts/severity: %w", err)
	}
	if !known {
		return finding.Unknown, nil
	}
	all := []finding.Severity{finding.Unknown, finding.None, finding.Low, finding.Medium, finding.High, finding.Critical}
	if n < 1 || n >= int64(len(all)) {
		return "", fmt.Errorf("/facts/severity: %d is none", n)
	}
	return all[n], nil
}

// gate passes a finding, or something else that rules are about, through the gates,
// with what the rules answered.
func (c *check) gate(d *policy.Decided, about policy.About, asked []policy.AskedRule, s *supplied, severity finding.Severity) (*reached, error) {
	if s.disputed && c.gates.VEX.Disputed == policy.DisputedBlock {
		if len(asked) > 0 {
			return nil, fmt.Errorf("rules were asked after it was blocked")
		}
		return &reached{outcome: policy.Block, gate: policy.GateLattice, because: "suppliers contradict each other"}, nil
	}
	r := &reached{outcome: policy.Pass, gate: policy.GateNone}
	if s.excused {
		r.gate, r.because = policy.GateTrust, "a supplier says that it is "+s.status
	}
	unknown, ended, err := c.rules(r, d, about, asked, s, severity)
	if err != nil {
		return nil, err
	}
	if !ended && !s.excused && about == policy.AboutFinding {
		unknown = c.threshold(r, severity) || unknown
	}
	if o := c.gates.Evidence.Unknown; unknown && r.outcome != policy.Block && r.outcome != policy.Error && o.Rank() > r.outcome.Rank() {
		*r = reached{outcome: o, gate: policy.GateEvidence, because: "a fact is unknown on which it hangs", warned: r.warned, final: r.final}
	}
	if (r.outcome == policy.Pass || r.outcome == policy.Warn) && len(r.warned) > 0 {
		first := c.rule(r.warned[0])
		r.outcome, r.gate, r.rule, r.because = policy.Warn, policy.GateRules, first.ID, first.Because
	} else if r.outcome == policy.Pass && s.excused && s.disputed {
		r.outcome, r.gate, r.because = policy.Warn, policy.GateLattice, "suppliers contradict each other"
	}
	return r, nil
}

func (c *check) rule(id string) *policy.Rule {
	for i := range c.trace.Policy.Rules {
		if c.trace.Policy.Rules[i].ID == id {
			return &c.trace.Policy.Rules[i]
		}
	}
	return nil
}

// rules goes through the rules that were to be asked, and checks each answer.
func (c *check) rules(r *reached, d *policy.Decided, about policy.About, asked []policy.AskedRule, s *supplied, severity finding.Severity) (unknown, ended bool, err error) {
	for i := range c.trace.Policy.Rules {
		rule := &c.trace.Policy.Rules[i]
		if rule.About != about || s.excused && !rule.DespiteVEX {
			continue
		}
		if len(asked) == 0 {
			return unknown, false, fmt.Errorf("rule %s was not asked", rule.ID)
		}
		a := asked[0]
		if asked = asked[1:]; a.Rule != rule.ID {
			return unknown, false, fmt.Errorf("rule %s was asked, its turn is %s's", a.Rule, rule.ID)
		}
		if err := c.answer(d, rule, a, severity); err != nil {
			return unknown, false, fmt.Errorf("rule %s: %w", rule.ID, err)
		}
		restricts := rule.Action == policy.ActionBlock || rule.Action == policy.ActionRequireVEX
		r.final = r.final || rule.Final && a.Is != "no" && (restricts || rule.Action == policy.ActionWarn)
		switch {
		case a.Is == "error":
			if d.Outcome != policy.Error || !strings.HasPrefix(d.Because, "its condition failed: ") {
				return unknown, false, fmt.Errorf("rule %s failed, and the outcome is %s", rule.ID, d.Outcome)
			}
			r.outcome, r.gate, r.rule, r.because, ended = policy.Error, policy.GateRules, rule.ID, d.Because, true
		case rule.Action == policy.ActionWarn && a.Is != "no":
			r.warned = append(r.warned, rule.ID)
		case a.Is == "unknown":
			unknown = unknown || restricts
		case a.Is == "yes":
			r.outcome, r.gate, r.rule, r.because, ended = policy.Pass, policy.GateRules, rule.ID, rule.Because, true
			if rule.Action == policy.ActionBlock || rule.Action == policy.ActionRequireVEX && !s.satisfies(&rule.Require, &c.gates.VEX) {
				r.outcome = policy.Block
			}
		}
		if ended {
			break
		}
	}
	if len(asked) > 0 {
		return unknown, ended, fmt.Errorf("rule %s was asked after all was decided", asked[0].Rule)
	}
	return unknown, ended, nil
}

func (c *check) threshold(r *reached, severity finding.Severity) (unknown bool) {
	t := c.gates.Threshold
	if t.Block == "" && t.Warn == "" {
		return false
	}
	if severity == finding.Unknown {
		return true
	}
	o := policy.Pass
	if t.Warn != "" && severity.Rank() >= t.Warn.Rank() {
		o = policy.Warn
	}
	if t.Block != "" && severity.Rank() >= t.Block.Rank() {
		o = policy.Block
	}
	if o != policy.Pass {
		r.outcome, r.gate, r.because = o, policy.GateThreshold, "its severity is "+string(severity)
	}
	return false
}

// exceptions finds the one that counts, and checks why each other one does not.
func (c *check) exceptions(d *policy.Decided, was *reached, severity finding.Severity) (winner *policy.Exception, err error) {
	perhaps := false // one that ranks higher may cover the finding
	for _, considered := range d.Exceptions {
		i := slices.IndexFunc(c.trace.Exceptions, func(e policy.Exception) bool { return e.ID == considered.ID })
		if i < 0 {
			return nil, fmt.Errorf("exception %q is not in the trace", considered.ID)
		}
		e := &c.trace.Exceptions[i]
		why, err := c.refusal(d, e, severity)
		if err != nil {
			return nil, err
		}
		switch {
		case why != "":
		case considered.Why == "scope_unknown": // whether it covers the finding is not in the trace
			why, perhaps = considered.Why, true
		case was.outcome == policy.Pass || was.outcome == policy.Error:
			why = "nothing_to_soften"
		case was.final:
			why = "rule_is_final"
		case perhaps:
			why = "perhaps_outranked"
		case winner != nil:
			why = "outranked"
		default:
			winner = e
		}
		if why != considered.Why {
			return nil, fmt.Errorf("exception %s: it does not count because %q, it says %q", e.ID, why, considered.Why)
		}
	}
	return winner, nil
}

// refusal says why an exception does not count for a finding, by itself.
func (c *check) refusal(d *policy.Decided, e *policy.Exception, severity finding.Severity) (string, error) {
	g, at := c.trace.Policy.Exceptions, c.trace.At
	end := e.Expires
	if limit := e.Created.Add(time.Duration(g.MaxDays) * 24 * time.Hour); g.MaxDays > 0 && (end.IsZero() || limit.Before(end)) {
		end = limit
	}
	switch {
	case g.Approver && (e.Approver == "" || e.Approver == e.Owner):
		return "no_approver", nil
	case len(g.Effects) > 0 && !slices.Contains(g.Effects, e.Effect):
		return "effect_not_granted", nil
	case at.Before(e.Created):
		return "not_yet", nil
	case !e.Revoked.IsZero() && !at.Before(e.Revoked):
		return "revoked", nil
	case !end.IsZero() && !at.Before(end):
		return "expired", nil
	case g.Severity != "" && (severity == finding.Unknown || severity.Rank() > g.Severity.Rank()):
		return "severity_not_granted", nil
	}
	if why, err := c.basis(d, e); why != "" || err != nil {
		return why, err
	}
	if e.Effect == policy.RequireControl && !slices.Contains(c.trace.Controls, e.Control) {
		return "control_missing", nil
	}
	return "", nil
}

// basis says what has got worse since an exception was approved. The severity that
// counts here is what the sources give, which the trace has where nobody rates
// otherwise.
func (c *check) basis(d *policy.Decided, e *policy.Exception) (string, error) {
	if len(e.Basis) == 0 {
		return "", nil
	}
	names := append([]string{d.Vulnerability}, d.Aliases...)
	i := slices.IndexFunc(e.Basis, func(b policy.Basis) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, b.Vulnerability) })
	})
	if i < 0 {
		return "not_among_approved", nil
	}
	b := e.Basis[i]
	rank, known, err := number(d.Facts["severity"])
	if err != nil {
		return "", err
	}
	was := cmp.Or(b.Severity, finding.Medium).Rank()
	exploited, fix := string(d.Facts["kev"]) == "true", string(d.Facts["fix"]) == `"available"`
	switch {
	case known && int(rank) > was:
		return "severity_raised", nil
	case exploited && !b.Exploited:
		return "exploited_now", nil
	case fix && !b.FixAvailable:
		return "fix_available_now", nil
	}
	return "", nil
}
