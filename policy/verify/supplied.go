package verify

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// supplied is what suppliers decide together.
type supplied struct {
	status   string
	tier     int
	disputed bool
	signed   bool
	issuers  []string
	reasons  []string // justifications
	excused  bool
}

// supplied recomputes what the claims decide, and whether that excuses the finding.
func (c *check) supplied(d *policy.Decided) (*supplied, error) {
	if d.VEX == nil {
		return &supplied{}, nil
	}
	s, err := join(d.VEX)
	if err != nil {
		return nil, fmt.Errorf("/vex: %w", err)
	}
	refused := ""
	if s.assures() {
		switch {
		case c.gates.VEX.Ignore:
			refused = "the policy takes no assurances"
		case s.disputed && c.gates.VEX.Disputed == policy.Distrust:
			refused = "it is disputed"
		default:
			refused = s.lacks(&c.gates.VEX.Require)
			s.excused = refused == ""
		}
	}
	if h := d.VEX; h.Status != s.status || h.Tier != s.tier || h.Disputed != s.disputed || h.Signed != s.signed || h.Excused != s.excused || h.Refused != refused {
		return nil, fmt.Errorf("/vex: the claims give %+v, refused because %q, it says %+v", *s, refused, *h)
	}
	return s, nil
}

func (s *supplied) assures() bool {
	return s.status == string(vex.NotAffected) || s.status == string(vex.Fixed)
}

// join decides between the claims that count: the smallest tier decides, a warning
// beats an assurance within it, and a warning below it makes it disputed.
func join(h *policy.Heard) (*supplied, error) {
	s := &supplied{}
	for _, x := range h.Claims {
		if x.Standing == string(vex.Counts) && (s.tier == 0 || x.Tier < s.tier) {
			s.tier = x.Tier
		}
	}
	warn, assure, fixed, below, informed := false, false, false, false, false
	for _, x := range h.Claims {
		warns := x.Status == string(vex.Affected)
		switch {
		case x.Standing == string(vex.Informs):
			informed = true
		case x.Standing != string(vex.Counts):
		case x.Tier > s.tier:
			below = below || warns
		default:
			warn, assure, fixed = warn || warns, assure || !warns, fixed || x.Status == string(vex.Fixed)
		}
	}
	value := "none"
	switch {
	case warn && assure:
		value, s.status, s.disputed = "both", string(vex.Affected), true
	case warn:
		value, s.status = "affected", string(vex.Affected)
	case assure:
		value, s.status, s.disputed = "safe", string(vex.NotAffected), below
		if fixed {
			s.status = string(vex.Fixed)
		}
	case informed:
		s.status = string(vex.UnderInvestigation)
	}
	if h.Value != value {
		return nil, fmt.Errorf("the claims give %s, it says %s", value, h.Value)
	}
	return s, s.proof(h)
}

// proof reads who decides, and checks that they do.
func (s *supplied) proof(h *policy.Heard) error {
	s.signed = s.tier > 0
	var said []string
	for _, i := range h.Deciding {
		if i < 0 || i >= len(h.Claims) {
			return fmt.Errorf("/deciding: there is no claim %d", i)
		}
		x := h.Claims[i]
		if s.tier > 0 && (x.Standing != string(vex.Counts) || x.Tier != s.tier) {
			return fmt.Errorf("/deciding: claim %d does not decide", i)
		}
		said = append(said, x.Status)
		s.signed = s.signed && x.Signed
		s.issuers = append(s.issuers, x.Issuer)
		if x.Reason != "" {
			s.reasons = append(s.reasons, x.Reason)
		}
	}
	want := 1
	if h.Value == "both" {
		want = 2
	}
	if s.status == "" {
		want = 0
	}
	if len(said) != want || want > 0 && !slices.Contains(said, s.status) {
		return fmt.Errorf("/deciding: %q prove nothing for %q", said, s.status)
	}
	return nil
}

// lacks says what an assurance lacks, in the words of traces.
func (s *supplied) lacks(q *policy.Requirement) string {
	any := func(list []string, want func(string) bool) bool { return slices.ContainsFunc(list, want) }
	tier := cmp.Or(q.Tier, vex.MaxTier)
	switch {
	case s.tier > tier:
		return "its tier is too low"
	case q.Signed && !s.signed:
		return "it is not signed"
	case len(q.Issuers) > 0 && !any(s.issuers, func(i string) bool { return slices.Contains(q.Issuers, i) }):
		return "it is from another issuer"
	case len(q.Justifications) > 0 && s.status == string(vex.NotAffected) &&
		!any(s.reasons, func(j string) bool { return slices.Contains(q.Justifications, vex.Justification(j)) }):
		return "it has another justification"
	}
	return ""
}

// satisfies reports whether there is an undisputed assurance with what is required.
func (s *supplied) satisfies(q *policy.Requirement, g *policy.VEX) bool {
	return s.assures() && !s.disputed && !g.Ignore && s.lacks(q) == ""
}
