package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/vex"
)

var exceptionRoutes = []route{
	{pattern: "GET exceptions", serve: exceptionsPage},
	{pattern: "POST exceptions", serve: except},
	{pattern: "GET exceptions/{exception}", serve: exceptionPage},
	{pattern: "POST exceptions/{exception}/revoke", serve: revokeException},
}

// exceptionsView is what people decided to live with.
type exceptionsView struct {
	Exceptions []exceptionRow
	Next       string
	Write      bool
	Wrong      string // why nobody can tell what policies let count
	Now        time.Time
}

// exceptionRow is an exception with how it stands.
type exceptionRow struct {
	policy.Exception
	State string // in-force, not-yet, expired, revoked or void
	Why   string // what more there is to say; "" for nothing
}

// granted is what a policy in force lets exceptions do.
type granted struct {
	Environment string
	Policy      policy.Named
	policy.Grant
}

// maxGrants bounds of how many policies in force it is looked at what they grant.
const maxGrants = 32

// grants reads what the policies in force let exceptions do.
func (a *api) grants(ctx context.Context) ([]granted, error) {
	list, _, err := a.policies.Policies(ctx, "")
	if err != nil {
		return nil, err
	}
	force, err := a.inForce(ctx, list)
	if err != nil {
		return nil, err
	}
	out := make([]granted, min(len(force.List), maxGrants))
	wrong := make([]error, len(out))
	var wg sync.WaitGroup
	for i := range out {
		f := &force.List[i]
		wg.Go(func() {
			p, err := cached(a.kept, "policy "+f.Digest, func() (*policy.Policy, int64, error) {
				r, err := a.policies.Policy(ctx, f.Policy.ID, f.Policy.Version)
				if err != nil {
					return nil, 0, err
				}
				return r.Policy, 64 << 10, nil
			})
			if wrong[i] = err; err == nil {
				out[i] = granted{f.Environment, f.Policy, p.Exceptions}
			}
		})
	}
	wg.Wait()
	for _, err := range wrong {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stands says how an exception stands at a time: what it says itself, and then whether a
// policy in force where it is for lets it count. Whether it counts for one finding hangs on
// more, which that finding's page says.
func stands(e *policy.Exception, at time.Time, list []granted) exceptionRow {
	row := exceptionRow{Exception: *e, State: "in-force"}
	switch {
	case !e.Revoked.IsZero() && !at.Before(e.Revoked):
		row.State = "revoked"
		return row
	case !e.Expires.IsZero() && !at.Before(e.Expires):
		row.State = "expired"
		return row
	case at.Before(e.Created):
		row.State = "not-yet"
		return row
	}
	var refused []string
	asked := 0
	for i := range list {
		g := &list[i]
		if len(e.Scope.Environments) > 0 && !slices.Contains(e.Scope.Environments, g.Environment) {
			continue
		}
		asked++
		if why := g.refuses(e, at); why != "" {
			refused = append(refused, fmt.Sprintf("policy %s version %d: %s", g.Policy.ID, g.Policy.Version, why))
		}
	}
	slices.Sort(refused)
	row.Why = strings.Join(slices.Compact(refused), "; ")
	switch {
	case asked == 0 && list != nil:
		row.Why = "no policy is in force where it would count"
	case asked > 0 && asked == len(refused):
		row.State = "void"
	}
	return row
}

// refuses says why a policy lets an exception count for nothing, "" where it does not.
func (g *granted) refuses(e *policy.Exception, at time.Time) string {
	switch {
	case g.Approver && (e.Approver == "" || e.Approver == e.Owner):
		return "somebody else than its owner must approve it"
	case len(g.Effects) > 0 && !slices.Contains(g.Effects, e.Effect):
		return "it grants no " + words(string(e.Effect))
	case g.MaxDays > 0 && !at.Before(e.Created.AddDate(0, 0, g.MaxDays)):
		return fmt.Sprintf("exceptions count for %d days", g.MaxDays)
	}
	return ""
}

func exceptionsPage(v *visit) error {
	if v.form("new") != "" {
		return newException(v)
	}
	d := &exceptionsView{Write: v.Can(auth.ExceptionWrite), Now: v.c.Now().UTC()}
	list, next, err := v.api.policies.Exceptions(v.ctx(), v.form("after"))
	if err != nil {
		return err
	}
	grants, err := v.api.grants(v.ctx())
	if err != nil {
		d.Wrong = v.c.why(err)
	}
	for i := range list {
		d.Exceptions = append(d.Exceptions, stands(&list[i], d.Now, grants))
	}
	d.Next = v.onward(next)
	return v.show(http.StatusOK, "exceptions", "Exceptions", d)
}

// exceptionView is one exception with its history.
type exceptionView struct {
	exceptionRow
	Events []policy.ExceptionEvent
	Revoke bool
	Now    time.Time
}

func exceptionPage(v *visit) error {
	k, err := v.api.policies.Exception(v.ctx(), v.r.PathValue("exception"))
	if err != nil {
		return err
	}
	d := &exceptionView{Events: k.Events, Now: v.c.Now().UTC()}
	grants, err := v.api.grants(v.ctx())
	d.exceptionRow = stands(&k.Exception, d.Now, grants)
	if err != nil {
		d.Why = "What the policies in force let count is not known: " + v.c.why(err)
	}
	d.Revoke = v.Can(auth.ExceptionWrite) && d.State != "revoked" && d.State != "expired"
	return v.show(http.StatusOK, "exception", "Exception "+clip(k.Exception.ID, 100), d)
}

func revokeException(v *visit) error {
	id := v.r.PathValue("exception")
	if _, err := v.api.policies.Revoke(v.ctx(), id, v.form("reason")); err != nil {
		return err
	}
	v.redirect(link("exceptions", id) + "?done=revoked")
	return nil
}

// draftView is an exception that is asked for, as the form has it.
type draftView struct {
	Key                                                 string
	ID, Images, Packages, Vulnerabilities, Environments string
	Paths, Effect, Severity, Control, Owner, Reason     string
	Justification, Last, Basis                          string
	Effects                                             []policy.Effect
	Severities                                          []finding.Severity
	Justifications                                      []vex.Justification
	Wrong                                               []string
	Earliest                                            string // day that may be the last one
}

// draft reads the form, or what another page fills it with.
func (v *visit) draft() *draftView {
	many := func(name string) string { return strings.Join(v.r.Form[name], "\n") }
	v.form("") // has the form read
	d := &draftView{
		Key: v.form("key"), ID: v.form("id"), Images: many("image"), Packages: many("package"), Vulnerabilities: many("vulnerability"), Environments: many("environment"),
		Paths: many("path"), Effect: v.form("effect"), Severity: v.form("severity"), Control: v.form("control"), Owner: v.form("owner"), Reason: v.form("reason"),
		Justification: v.form("justification"), Last: v.form("last"), Basis: many("basis"),
		Effects: policy.Effects, Severities: []finding.Severity{finding.None, finding.Low, finding.Medium, finding.High}, Justifications: vex.Justifications,
		Earliest: v.c.Now().UTC().Format(time.DateOnly),
	}
	d.Key, d.Effect = cmp.Or(d.Key, newID()), cmp.Or(d.Effect, string(policy.Defer))
	return d
}

// newException shows the form, filled with what a finding's page knows: what it is about, and
// the facts that it would be approved on.
func newException(v *visit) error {
	if !v.Can(auth.ExceptionWrite) {
		return &pageError{http.StatusForbidden, "You have no right to make exceptions."}
	}
	d := v.draft()
	if id := v.form("scan"); id != "" && d.Basis == "" && v.Can(auth.ScannerRead) {
		report, err := v.api.scans.Findings(v.ctx(), id)
		if err != nil {
			return err
		}
		d.Basis = basisText(factsOf(report.Findings, textLines(d.Vulnerabilities), textLines(d.Packages)))
	}
	return v.show(http.StatusOK, "except", "Make an exception", d)
}

// factsOf gives the facts about vulnerabilities in packages as a report has them: of each
// vulnerability the worst.
func factsOf(list []finding.Finding, vulnerabilities, packages []string) (out []policy.Basis) {
	for _, id := range vulnerabilities {
		b := policy.Basis{Vulnerability: id}
		found := false
		for i := range list {
			f := &list[i]
			if f.Vulnerability != id || len(packages) > 0 && !slices.Contains(packages, f.PURL) {
				continue
			}
			found = true
			if f.Severity.Rank() > b.Severity.Rank() {
				b.Severity = f.Severity
			}
			b.Exploited = b.Exploited || f.Exploited != ""
			b.FixAvailable = b.FixAvailable || len(f.Fixed) > 0
		}
		if found {
			out = append(out, b)
		}
	}
	return out
}

// except keeps an exception. What is wrong with it is said beside the form.
func except(v *visit) error {
	d := v.draft()
	draft, err := d.read()
	if err == nil {
		var k *policy.KeptException
		if k, _, err = v.api.policies.Except(v.ctx(), *draft, d.Key); err == nil {
			v.redirect(link("exceptions", k.Exception.ID) + "?done=excepted")
			return nil
		}
	}
	lines, status, ok := said(err)
	if !ok {
		return err
	}
	d.Wrong = lines
	return v.show(status, "except", "Make an exception", d)
}

// read makes a draft of the form. Whether it can be, the API says; here only what the form
// writes in its own way can be wrong.
func (d *draftView) read() (*policyhttp.Draft, error) {
	out := &policyhttp.Draft{
		ID: d.ID, Effect: policy.Effect(d.Effect), Severity: finding.Severity(d.Severity), Control: d.Control, Owner: d.Owner, Reason: d.Reason, Justification: vex.Justification(d.Justification),
		Scope: policy.ExceptionScope{Images: textLines(d.Images), Packages: textLines(d.Packages), Vulnerabilities: textLines(d.Vulnerabilities), Environments: textLines(d.Environments), Paths: textLines(d.Paths)},
	}
	if d.Last != "" {
		day, err := time.Parse(time.DateOnly, d.Last)
		if err != nil {
			return nil, fmt.Errorf("last day: %.40q: want a day such as 2027-01-31: %w", d.Last, fault.Invalid)
		}
		out.Expires = day.AddDate(0, 0, 1)
	}
	var err error
	out.Basis, err = readBasis(d.Basis)
	return out, err
}

// textLines are the lines of a field that say something; nil for none.
func textLines(text string) (out []string) {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// The words of a line of facts, beside the id and the severity.
const (
	wordUnknown   = "unknown"
	wordExploited = "exploited"
	wordFix       = "fix"
)

// basisText writes facts, a line for each vulnerability: its id, its severity, and what else
// holds.
func basisText(list []policy.Basis) string {
	var b strings.Builder
	for _, x := range list {
		severity := string(x.Severity)
		if severity == "" {
			severity = wordUnknown
		}
		b.WriteString(x.Vulnerability + " " + severity)
		if x.Exploited {
			b.WriteString(" " + wordExploited)
		}
		if x.FixAvailable {
			b.WriteString(" " + wordFix)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// readBasis reads what basisText writes. An error says which line.
func readBasis(text string) (out []policy.Basis, err error) {
	for n, line := range textLines(text) {
		words := strings.Fields(line)
		b := policy.Basis{Vulnerability: words[0]}
		rated := false
		for _, w := range words[1:] {
			severity, isSeverity := finding.ParseSeverity(w)
			switch {
			case w == wordExploited && !b.Exploited:
				b.Exploited = true
			case w == wordFix && !b.FixAvailable:
				b.FixAvailable = true
			case w == wordUnknown && !rated:
				rated = true
			case isSeverity && !rated:
				b.Severity, rated = severity, true
			default:
				return nil, fmt.Errorf("facts, line %d: %.60q: want an id, one severity or %q, and %q or %q where they hold: %w", n+1, w, wordUnknown, wordExploited, wordFix, fault.Invalid)
			}
		}
		out = append(out, b)
	}
	return out, nil
}

// exceptPath is where the exception of a finding is asked for, filled with what is known of
// it; "" for who may not, or where nothing was decided about a package.
func (v *visit) exceptPath(image, scanID, vulnerability, only string, t *policy.Trace) string {
	if !v.Can(auth.ExceptionWrite) {
		return ""
	}
	q := url.Values{"new": {"1"}, "vulnerability": {vulnerability}, "image": {image}, "scan": {scanID}}
	for i := range t.Decisions {
		x := &t.Decisions[i]
		if x.Vulnerability == vulnerability && (only == "" || x.Package == only) && x.PURL != "" && len(q["package"]) < 20 && !slices.Contains(q["package"], x.PURL) {
			q.Add("package", x.PURL)
		}
	}
	if len(q["package"]) == 0 {
		return ""
	}
	return Root + "exceptions?" + q.Encode()
}
