package vex_test

import (
	"slices"
	"time"

	"github.com/stella-ops/stella/vex"
)

// model is Resolve once more, written from its description alone: slow, without
// sharing anything with it.
type model struct {
	status   vex.Status
	disputed bool
	tier     int
}

// weight is what one claim is worth by itself: whose it is, and "counts", "informs",
// "expired" or "" for nothing.
func weight(c vex.Claim, at time.Time) (issuer *vex.Issuer, worth string) {
	s := c.Statement
	for i := range parties.Issuers {
		p := &parties.Issuers[i]
		signed := s.Origin.Signature == vex.Verified
		mine := signed && slices.Contains(p.Identities, s.Origin.Signer) || s.Origin.Signature == vex.Unsigned && slices.Contains(p.Sources, s.Origin.Source)
		if !mine {
			continue
		}
		if p.ID == "other" || !signed && !slices.Contains(p.Unsigned, s.Status) {
			return nil, ""
		}
		if s.Status == vex.UnderInvestigation {
			return p, "informs"
		}
		if s.Status == vex.Affected {
			return p, "counts"
		}
		if s.Status == vex.NotAffected && s.Justification == "" || s.Status == vex.Fixed && !c.Versioned {
			return p, "expired" // it replaces, and counts for nothing
		}
		if s.Time.After(at) {
			return nil, ""
		}
		old := p.MaxAge > 0 && !at.Before(s.Time.AddDate(0, 0, p.MaxAge))
		if old || !s.Until.IsZero() && !at.Before(s.Until) {
			return p, "expired"
		}
		return p, "counts"
	}
	return nil, ""
}

func resolveByModel(claims []vex.Claim, at time.Time) model {
	type heard struct {
		vex.Claim
		issuer *vex.Issuer
		worth  string
	}
	var all, left []heard
	for _, c := range claims {
		if i, w := weight(c, at); w != "" {
			all = append(all, heard{c, i, w})
		}
	}
	for _, c := range all {
		replaced := c.worth == "expired"
		for _, d := range all {
			later := d.issuer == c.issuer && d.Statement.Time.After(c.Statement.Time)
			if c.Statement.Status != vex.Affected {
				replaced = replaced || later
			} else if d.worth == "counts" && d.Statement.Safe() && (d.Versioned || !c.Versioned) {
				replaced = replaced || later
			}
		}
		if !replaced {
			left = append(left, c)
		}
	}
	out := model{}
	for tier := vex.MinTier; tier <= vex.MaxTier; tier++ {
		bad, good, fixed := false, false, false
		for _, c := range left {
			if c.issuer.Tier == tier && c.worth == "counts" {
				bad = bad || !c.Statement.Safe()
				good = good || c.Statement.Safe()
				fixed = fixed || c.Statement.Status == vex.Fixed
			}
		}
		switch {
		case out.tier > 0: // a higher one has decided: this may warn
			out.disputed = out.disputed || bad && out.status != vex.Affected
		case bad:
			out = model{vex.Affected, good, tier}
		case fixed:
			out = model{vex.Fixed, false, tier}
		case good:
			out = model{vex.NotAffected, false, tier}
		}
	}
	if out.tier == 0 && slices.ContainsFunc(left, func(c heard) bool { return c.worth == "informs" }) {
		out.status = vex.UnderInvestigation
	}
	return out
}
