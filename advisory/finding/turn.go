package finding

import (
	"cmp"
	"slices"
	"strings"
)

// Turn says how what affects a package, or several, differs between two reports:
// a set, so that the turn of a scan is the union of its packages' turns.
type Turn uint8

// What a turn is made of.
const (
	TurnNew       Turn = 1 << iota // a package is affected that was not before
	TurnWithdrawn                  // a package is affected no longer
	TurnChanged                    // other versions, severity or status
	TurnFix                        // there is a fixed version where there was none
	TurnExploited                  // it is listed as exploited, and was not
)

// Cause returns the one word that says it best: "kev", "new", "fix_available",
// "changed" or "withdrawn"; "" for no turn. Where some packages are new and others
// withdrawn it is "changed".
func (t Turn) Cause() string {
	switch {
	case t&TurnExploited != 0:
		return "kev"
	case t&(TurnNew|TurnWithdrawn) == TurnNew:
		return "new"
	case t&TurnFix != 0:
		return "fix_available"
	case t&(TurnNew|TurnChanged) != 0:
		return "changed"
	case t&TurnWithdrawn != 0:
		return "withdrawn"
	}
	return ""
}

// ParseTurn returns the turn of which cause is the word; 0 for an unknown one.
func ParseTurn(cause string) Turn {
	for t := TurnNew; t <= TurnExploited; t <<= 1 {
		if t.Cause() == cause {
			return t
		}
	}
	return 0
}

// Difference is how one vulnerability turned.
type Difference struct {
	// Package is the package's ID, "" where it is of all packages together.
	Package       string
	Vulnerability string
	Turn          Turn
	// Severity and Summary are of the newer finding with the highest severity, or
	// of the older one where there is no newer.
	Severity Severity
	Summary  string
	// Exploited says that the vulnerability is listed as exploited, Fixed that the
	// package has a fixed version; of all packages together, that one has.
	Exploited, Fixed bool
}

// Compare returns for each package and vulnerability how findings differ, sorted
// by package and vulnerability. What is only told differently (texts, aliases,
// scores of other sources, the probability of exploitation, the record's digest) is
// no difference.
func Compare(before, after []Finding) []Difference {
	type key struct{ pkg, vulnerability string }
	old, now := map[key]*Finding{}, map[key]*Finding{}
	for i := range before {
		old[key{before[i].Package, before[i].Vulnerability}] = &before[i]
	}
	var out []Difference
	add := func(f *Finding, t Turn) {
		if t != 0 {
			out = append(out, Difference{f.Package, f.Vulnerability, t, f.Severity, f.Summary, f.Exploited != "", len(f.Fixed) > 0})
		}
	}
	for i := range after {
		f := &after[i]
		k := key{f.Package, f.Vulnerability}
		now[k] = f
		add(f, turn(old[k], f))
	}
	for k, f := range old {
		if now[k] == nil {
			add(f, TurnWithdrawn)
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Package, b.Package), strings.Compare(a.Vulnerability, b.Vulnerability))
	})
	return out
}

func turn(old, now *Finding) (t Turn) {
	if old == nil {
		return TurnNew
	}
	if now.Exploited != "" && old.Exploited == "" {
		t |= TurnExploited
	}
	if len(now.Fixed) > 0 && len(old.Fixed) == 0 {
		t |= TurnFix
	}
	if old.Severity != now.Severity || old.FixStatus != now.FixStatus || old.Exploited != now.Exploited ||
		!slices.Equal(old.Fixed, now.Fixed) || old.Evidence.Range != now.Evidence.Range {
		t |= TurnChanged
	}
	return t
}

// Together unites differences of several packages: one for each vulnerability,
// sorted by it, without a package.
func Together(list []Difference) []Difference {
	byID := map[string]*Difference{}
	for _, d := range list {
		d.Package = ""
		all := byID[d.Vulnerability]
		if all == nil {
			byID[d.Vulnerability] = &d
			continue
		}
		all.Turn |= d.Turn
		if d.Severity.Rank() > all.Severity.Rank() {
			all.Severity, all.Summary = d.Severity, d.Summary
		}
		all.Exploited, all.Fixed = all.Exploited || d.Exploited, all.Fixed || d.Fixed
	}
	out := make([]Difference, 0, len(byID))
	for _, d := range byID {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Vulnerability, b.Vulnerability) })
	return out
}
