package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Effect is what an exception does.
type Effect string

// The effects, from the mildest to the most permissive.
const (
	RequireControl Effect = "require_control" // a warning instead of a block, where a control is in place
	Downgrade      Effect = "downgrade"       // the finding is decided again with a lower severity
	Defer          Effect = "defer"           // a warning instead of a block
	Suppress       Effect = "suppress"        // the finding passes
)

// Effects are all of them, the mildest first.
var Effects = []Effect{RequireControl, Downgrade, Defer, Suppress}

// Exception is a decision of people to live with something for a while.
type Exception struct {
	ID     string         `json:"id"`
	Scope  ExceptionScope `json:"scope"`
	Effect Effect         `json:"effect"`
	// Severity is what Downgrade makes of it, Control what RequireControl asks for.
	Severity finding.Severity `json:"severity,omitempty"`
	Control  string           `json:"control,omitempty"`
	// Owner answers for it, Approver agreed, Reason says why. Owner and Reason are
	// required.
	Owner    string `json:"owner"`
	Approver string `json:"approver,omitempty"`
	Reason   string `json:"reason"`
	// Justification says why the product is not affected, where that is the reason:
	// such an exception can be published as VEX.
	Justification vex.Justification `json:"justification,omitempty"`
	// Created is from when on it counts, Expires until when; zero for without end.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	// Revoked is when somebody took it back; zero for not.
	Revoked time.Time `json:"revoked,omitzero"`
	// Basis are the facts that it was approved on. Where there are any, it counts for
	// these vulnerabilities alone, and for each as long as nothing got worse.
	Basis []Basis `json:"basis,omitempty"`
}

// ExceptionScope says what an exception is about: everything that each of its
// lists that is not empty names. One list at least must not be empty.
type ExceptionScope struct {
	// Images are names, with "*" for any characters, or digests.
	Images []string `json:"images,omitempty"`
	// Packages are patterns as [vex.ParsePattern] reads them.
	Packages []string `json:"packages,omitempty"`
	// Vulnerabilities are ids or aliases, with "*" for any characters.
	Vulnerabilities []string `json:"vulnerabilities,omitempty"`
	// Environments are names.
	Environments []string `json:"environments,omitempty"`
	// Paths are where packages lie, with "*" for any characters.
	Paths []string `json:"paths,omitempty"`
}

// Basis is what was known of a vulnerability when an exception was approved.
type Basis struct {
	Vulnerability string `json:"vulnerability"`
	// Severity is the one that counted; "" where it was unknown, which then is taken
	// for medium.
	Severity     finding.Severity `json:"severity,omitempty"`
	Exploited    bool             `json:"exploited,omitzero"`
	FixAvailable bool             `json:"fix_available,omitzero"`
}

// Check reports all that is wrong with the exception. The error wraps ErrInvalid.
func (e *Exception) Check() error {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	s := e.Scope
	switch {
	case e.ID == "" || len(e.ID) > 128:
		bad("id: want 1 to 128 bytes")
	case len(s.Images)+len(s.Packages)+len(s.Vulnerabilities)+len(s.Paths) == 0:
		bad("scope: want an image, a package, a path or a vulnerability")
	}
	for _, list := range [][]string{s.Images, s.Packages, s.Vulnerabilities, s.Environments, s.Paths} {
		if len(list) > MaxValues || slices.Contains(list, "") {
			bad("scope: want lists of at most %d texts that are not empty", MaxValues)
		}
	}
	for _, p := range s.Packages {
		if _, err := vex.ParsePattern(p); err != nil {
			bad("scope.packages: %v", err)
		}
	}
	if !slices.Contains(Effects, e.Effect) {
		bad("effect %q is none of %v", e.Effect, Effects)
	}
	if (e.Effect == Downgrade) != (e.Severity != "") || e.Severity.Rank() < 0 {
		bad("severity: downgrade has one, and nothing else")
	}
	if (e.Effect == RequireControl) != (e.Control != "") {
		bad("control: require_control has one, and nothing else")
	}
	if strings.TrimSpace(e.Owner) == "" || strings.TrimSpace(e.Reason) == "" {
		bad("owner and reason: both are required")
	}
	if e.Justification != "" && !slices.Contains(vex.Justifications, e.Justification) {
		bad("justification %q is none of %v", e.Justification, vex.Justifications)
	}
	if e.Created.IsZero() || !e.Expires.IsZero() && !e.Expires.After(e.Created) {
		bad("created and expires: want a time, and a later one")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("exception %.128q: %s: %w", e.ID, strings.Join(wrong, "; "), fault.Invalid)
	}
	return nil
}

// ExceptionsDigest returns the digest of exceptions as canonical JSON, by id.
func ExceptionsDigest(list []Exception) string {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Exception) int { return strings.Compare(a.ID, b.ID) })
	if sorted == nil {
		sorted = []Exception{}
	}
	return digestOf(sorted)
}

// exception is one that is ready to be asked.
type exception struct {
	*Exception
	packages []vex.Pattern
	specific int
	end      time.Time // the earliest of what ends it; zero for never
	refused  string    // why the policy does not let it count
}

// prepare reads the patterns, and ends the exception where the grant does.
func (e *Exception) prepare(g *Grant) (*exception, error) {
	out := &exception{Exception: e, end: e.Expires, specific: e.Scope.specificity()}
	for _, p := range e.Scope.Packages {
		pattern, err := vex.ParsePattern(p)
		if err != nil {
			return nil, err
		}
		out.packages = append(out.packages, pattern)
	}
	earlier := func(t time.Time) {
		if !t.IsZero() && (out.end.IsZero() || t.Before(out.end)) {
			out.end = t
		}
	}
	earlier(e.Revoked)
	if g.MaxDays > 0 {
		earlier(e.Created.Add(time.Duration(g.MaxDays) * 24 * time.Hour))
	}
	switch {
	case g.Approver && (e.Approver == "" || e.Approver == e.Owner):
		out.refused = "no_approver"
	case len(g.Effects) > 0 && !slices.Contains(g.Effects, e.Effect):
		out.refused = "effect_not_granted"
	}
	return out, nil
}

// specificity says how narrow a scope is: exact names weigh more than patterns, and
// images more than packages, and these more than vulnerabilities.
func (s *ExceptionScope) specificity() int {
	weigh := func(list []string, exact int) int {
		switch {
		case len(list) == 0:
			return 0
		case slices.ContainsFunc(list, func(t string) bool { return strings.Contains(t, "*") }):
			return exact / 2
		}
		return exact
	}
	return weigh(s.Images, 32) + weigh(s.Paths, 16) + weigh(s.Packages, 8) + weigh(s.Vulnerabilities, 4) + weigh(s.Environments, 2)
}

// Why an exception does not apply to a finding that its scope covers.
const (
	whyNotYet    = "not_yet"
	whyExpired   = "expired"
	whyRevoked   = "revoked"
	whyOther     = "not_among_approved"
	whySeverity  = "severity_raised"
	whyExploited = "exploited_now"
	whyFix       = "fix_available_now"
	whyGrant     = "severity_not_granted"
	whyControl   = "control_missing"
	whyFinal     = "rule_is_final"
	whyOutranked = "outranked"
	whyNothing   = "nothing_to_soften"
	whyUnknown   = "scope_unknown"     // nobody can tell whether it covers the finding
	whyPerhaps   = "perhaps_outranked" // by one of which that is so
)

// covers reports whether the scope is of a finding; unknown where that hangs on paths
// or names that nobody knows.
func (e *exception) covers(f *evaluated) answer {
	s := &e.Scope
	if len(s.Environments) > 0 && !slices.Contains(s.Environments, f.in.Environment) ||
		len(s.Vulnerabilities) > 0 && !anyID(s.Vulnerabilities, f.ids) ||
		len(s.Packages) > 0 && !slices.ContainsFunc(e.packages, func(p vex.Pattern) bool { return p.Covers(f.pkg.prepared()) }) {
		return isNo
	}
	is := isYes
	if len(s.Paths) > 0 && !anyGlob(s.Paths, f.pkg.paths) {
		if f.pkg.known {
			return isNo
		}
		is = isUnknown
	}
	if len(s.Images) > 0 && !anyGlob(s.Images, f.run.imageNames) {
		byName := slices.ContainsFunc(s.Images, func(i string) bool { return !strings.HasPrefix(i, "sha256:") })
		if !byName || len(f.in.Subject.Image.Names) > 0 {
			return isNo
		}
		is = isUnknown
	}
	return is
}

// void says why the exception does not count for a finding, "" where it does.
func (e *exception) void(f *evaluated, at time.Time, g *Grant) string {
	switch {
	case e.refused != "":
		return e.refused
	case at.Before(e.Created):
		return whyNotYet
	case !e.Revoked.IsZero() && !at.Before(e.Revoked):
		return whyRevoked
	case !e.end.IsZero() && !at.Before(e.end):
		return whyExpired
	case g.Severity != "" && (f.severity == finding.Unknown || f.severity.Rank() > g.Severity.Rank()):
		return whyGrant
	}
	if len(e.Basis) > 0 {
		if why := e.changed(f); why != "" {
			return why
		}
	}
	if e.Effect == RequireControl && !slices.Contains(f.in.Controls, e.Control) {
		return whyControl
	}
	return ""
}

// changed says what has got worse since the exception was approved.
func (e *exception) changed(f *evaluated) string {
	i := slices.IndexFunc(e.Basis, func(b Basis) bool {
		return slices.ContainsFunc(f.ids, func(id string) bool { return strings.EqualFold(id, b.Vulnerability) })
	})
	if i < 0 {
		return whyOther
	}
	b := &e.Basis[i]
	switch {
	case f.rated.Rank() > cmp.Or(b.Severity, finding.Medium).Rank():
		return whySeverity
	case f.Exploited != "" && !b.Exploited:
		return whyExploited
	case len(f.Fixed) > 0 && !b.FixAvailable:
		return whyFix
	}
	return ""
}

// before orders exceptions that apply to one finding: the winner is the first. The
// narrower scope wins, then the milder effect, then the earlier end, then the id.
func (e *exception) before(o *exception) int {
	never := func(t time.Time) int {
		if t.IsZero() {
			return 1
		}
		return 0
	}
	return cmp.Or(o.specific-e.specific, slices.Index(Effects, e.Effect)-slices.Index(Effects, o.Effect),
		never(e.end)-never(o.end), e.end.Compare(o.end), strings.Compare(e.ID, o.ID))
}
