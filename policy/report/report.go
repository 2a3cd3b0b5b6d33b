// Package report shows people what a policy decided: as an explanation in full
// ([Text]), as Markdown for pull requests, as CSV for spreadsheets, and as JUnit XML
// for build servers.
//
// All are made of a trace. Equal traces and options give equal bytes. Texts of others
// cannot command a terminal, a page or a spreadsheet: names and reasons come from
// whoever built the image or published an advisory.
package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid  error = fault.Invalid
	ErrNotFound error = fault.NotFound
)

// Options say what is shown. The zero value is ready: everything that does not pass.
type Options struct {
	// Vulnerability and Package choose findings: by an id or alias, in any case, and
	// by a package's name, package URL, or ID. Empty chooses all.
	Vulnerability, Package string
	// Passing shows findings that pass, too. Findings that are chosen by Vulnerability
	// or Package are shown whatever their outcome. CSV and JUnit show all.
	Passing bool
	// Findings are those that were decided about, for fixed versions and summaries.
	Findings []finding.Finding
	// Secrets and Packages are those of the document, for secrets and files that no
	// package accounts for. They are listed also where no rule is about them.
	Secrets  []sbom.Secret
	Packages []sbom.Package
	// Layers are the image's, for the build steps that stories tell.
	Layers []sbom.Layer
	// Rows is how many findings Markdown shows at most, and how many secrets and files
	// it and Text show; 0 for 100.
	Rows int
}

// view is a trace as it is shown.
type view struct {
	*policy.Trace
	opts       *Options
	rules      map[string]*policy.Rule
	exceptions map[string]*policy.Exception
	findings   map[[3]string]*finding.Finding
	evidence   policy.Outcome // of a blocking gap
}

func newView(t *policy.Trace, opts *Options) (*view, error) {
	if t == nil || t.Policy == nil {
		return nil, ErrInvalid
	}
	if opts == nil {
		opts = new(Options)
	}
	v := &view{Trace: t, opts: opts, rules: map[string]*policy.Rule{}, exceptions: map[string]*policy.Exception{}, findings: map[[3]string]*finding.Finding{}}
	for i := range t.Policy.Rules {
		v.rules[t.Policy.Rules[i].ID] = &t.Policy.Rules[i]
	}
	for i := range t.Exceptions {
		v.exceptions[t.Exceptions[i].ID] = &t.Exceptions[i]
	}
	for i := range opts.Findings {
		f := &opts.Findings[i]
		v.findings[[3]string{f.Package, f.Vulnerability, f.Advisory}] = f
	}
	v.evidence = cmp.Or(t.Policy.Evidence.Gaps, policy.NotAssessed)
	for _, p := range t.Policy.Profiles {
		if p.Environment == t.Environment && p.Evidence != (policy.Evidence{}) {
			v.evidence = cmp.Or(p.Evidence.Gaps, policy.NotAssessed)
		}
	}
	return v, nil
}

// chosen returns the decisions that are shown, the worst first.
func (v *view) chosen(all bool) []*policy.Decided {
	asked := v.opts.Vulnerability != "" || v.opts.Package != ""
	var out []*policy.Decided
	for i := range v.Decisions {
		d := &v.Decisions[i]
		if (all || asked || v.opts.Passing || d.Outcome != policy.Pass) && v.matches(d) {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b *policy.Decided) int {
		return cmp.Or(b.Outcome.Rank()-a.Outcome.Rank(), rankOf(b)-rankOf(a))
	})
	return out
}

func (v *view) matches(d *policy.Decided) bool {
	id, name := v.opts.Vulnerability, v.opts.Package
	same := func(s string) bool { return strings.EqualFold(s, id) }
	return (id == "" || same(d.Vulnerability) || same(d.Advisory) || slices.ContainsFunc(d.Aliases, same)) &&
		(name == "" || name == d.Name || name == d.PURL || name == d.Package || strings.HasPrefix(d.PURL, name+"@"))
}

// rankOf is the rank of the severity that counted, 0 for an unknown one.
func rankOf(d *policy.Decided) int {
	n, _ := strconv.Atoi(string(d.Facts["severity"]))
	return n
}

func severityOf(d *policy.Decided) string { return severityName(rankOf(d)) }

func severityName(rank int) string {
	list := []finding.Severity{finding.Unknown, finding.None, finding.Low, finding.Medium, finding.High, finding.Critical}
	if rank <= 0 || rank >= len(list) {
		return "unknown"
	}
	return string(list[rank])
}

// fixed are the versions that repair a finding, as far as they are known here.
func (v *view) fixed(d *policy.Decided) []string {
	if f := v.findings[[3]string{d.Package, d.Vulnerability, d.Advisory}]; f != nil {
		return f.Fixed
	}
	return nil
}

// words writes an outcome for people.
func words[T ~string](s T) string { return strings.ReplaceAll(string(s), "_", " ") }

// value writes a fact for people.
func value(name string, raw jsontext.Value) string {
	f := policy.FieldByName(name)
	if len(raw) == 0 || raw.Kind() == 'n' || f == nil {
		return "unknown"
	}
	switch f.Kind {
	case policy.KindSeverity:
		n, _ := strconv.Atoi(string(raw))
		return severityName(n)
	case policy.KindNumber:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return string(raw)
		}
		return decimal(n, f.Scale)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return orNothing(s)
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return orNothing(strings.Join(list, ", "))
	}
	return string(raw)
}

func orNothing(s string) string {
	if s == "" {
		return "(empty)"
	}
	return s
}

// decimal writes an integer of a number of decimal places as a decimal text.
func decimal(n int64, places int) string {
	sign, s := "", strconv.FormatInt(n, 10)
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if places == 0 {
		return sign + s
	}
	if len(s) <= places {
		s = strings.Repeat("0", places-len(s)+1) + s
	}
	fraction := strings.TrimRight(s[len(s)-places:], "0")
	return sign + s[:len(s)-places] + "." + cmp.Or(fraction, "0")
}

// Condition writes a condition for people, such as "severity >= high" or "not: fix is
// available".
func Condition(c *policy.Condition) string {
	text := c.Expression
	if c.Expression == "" {
		text = c.Field + " " + string(c.Operator) + " " + strings.Join(c.Values, " or ")
	}
	if c.Negate {
		text = "not: " + text
	}
	return text
}

// whyNot says in words why an exception did not count.
func whyNot(code string) string {
	switch code {
	case "not_yet":
		return "its time has not come"
	case "expired":
		return "it has expired"
	case "revoked":
		return "somebody took it back"
	case "not_among_approved":
		return "this vulnerability is not among those that it was approved for"
	case "severity_raised":
		return "the severity has been raised since it was approved"
	case "exploited_now":
		return "it is exploited now, and was not when it was approved"
	case "fix_available_now":
		return "there is a repaired version now, and was none when it was approved"
	case "severity_not_granted":
		return "the policy grants no exceptions for this severity"
	case "effect_not_granted":
		return "the policy grants no exceptions with this effect"
	case "no_approver":
		return "nobody but its owner agreed to it"
	case "control_missing":
		return "the control that it asks for is not in place"
	case "rule_is_final":
		return "the rule that decided is final"
	case "outranked":
		return "another exception comes first"
	case "scope_unknown":
		return "nobody can tell whether it covers the finding: the image's name or the package's path is not known"
	case "perhaps_outranked":
		return "an exception comes first of which nobody can tell whether it covers the finding"
	case "nothing_to_soften":
		return "there was nothing to soften"
	}
	return words(code)
}
