package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// document refers to the SBOM.
func (s *teller) document() []Ref {
	if s.Inputs.SBOM == "" {
		return nil
	}
	return []Ref{{Name: "SBOM", Digest: s.Inputs.SBOM}}
}

// pkg says what a finding is about.
func (s *teller) pkg(d *policy.Decided) Step {
	step := Step{Kind: StepPackage, Title: strings.TrimSpace(d.Name + " " + d.Version), Refs: s.document()}
	step.Text = add(step.Text, prefixed("Its package URL is ", d.PURL))
	if d.Version == "" {
		step.Text = append(step.Text, "Its version is not known.")
	}
	p := s.packages[d.Package]
	if p == nil {
		step.Text = append(step.Text, s.factsOf(d, "path", "layer", "in_base", "usage", "scope")...)
		return step
	}
	for i, l := range p.Locations {
		if i == maxPlaces {
			step.Text = append(step.Text, fmt.Sprintf("It lies in %d more places.", len(p.Locations)-i))
			break
		}
		step.Text = add(step.Text, s.place(l.Path, l.Layer))
	}
	if u := p.Upstream; u != nil {
		step.Text = add(step.Text, "It was built from the source package "+strings.TrimSpace(u.Name+" "+cmp.Or(u.Version, d.Version)))
	}
	if p.State == sbom.Declared {
		step.Text = append(step.Text, "A file names it; that it is installed is not known.")
	}
	switch p.Scope {
	case sbom.ScopeDev:
		step.Text = append(step.Text, "It is needed for development alone.")
	case sbom.ScopeOptional:
		step.Text = append(step.Text, "It is optional.")
	}
	switch u := p.Usage; {
	case u == nil:
	case u.State == sbom.Reached:
		step.Text = add(step.Text, "What the image starts leads to it"+prefixed(": ", strings.Join(u.Chain, " → ")))
	case u.State == sbom.Unreached:
		step.Text = append(step.Text, "Nothing that the image starts leads to it, as far as that can be followed.")
	}
	return step
}

// maxPlaces is how many places of a package are told.
const maxPlaces = 4

// place says where something lies, and what brought it there.
func (s *teller) place(path, layer string) string {
	text := "It lies in " + path
	if layer != "" {
		text += ", brought by " + s.layer(layer)
	}
	return text
}

// layer names a layer by its place, and by the build step that made it.
func (s *teller) layer(diffID string) string {
	text := "layer " + diffID
	if n, ok := s.layers[diffID]; ok {
		text = fmt.Sprintf("layer %d of %d", n+1, len(s.Subject.Layers))
		if s.Subject.BaseLayers > 0 && n < s.Subject.BaseLayers {
			text += ", which is the base image's"
		}
	}
	return text + prefixed(", made by: ", strings.Join(strings.Fields(s.built[diffID]), " "))
}

// factsOf says what rules read of a finding, by name.
func (s *teller) factsOf(d *policy.Decided, names ...string) (out []string) {
	for _, name := range names {
		if raw, ok := d.Facts[name]; ok {
			out = append(out, name+" is "+value(name, raw)+".")
		}
	}
	return out
}

// known is the finding that was decided about, nil where it is not to be had: one that
// rests on other bytes of the record is another.
func (s *teller) known(d *policy.Decided) *finding.Finding {
	f := s.findings[[3]string{d.Package, d.Vulnerability, d.Advisory}]
	if f != nil && f.Evidence.Record != d.Record {
		return nil
	}
	return f
}

// record says what is known, and from whom.
func (s *teller) record(d *policy.Decided) Step {
	f := s.known(d)
	step := Step{Kind: StepRecord, Title: d.Advisory}
	ref := Ref{Name: d.Advisory, Digest: d.Record}
	if f == nil {
		step.Text = add(step.Text, prefixed("It is also known as ", others(d.Aliases, d.Advisory)))
		step.Text = append(step.Text, s.factsOf(d, "ecosystem", "severity", "severity_from", "severities", "cvss", "epss", "kev", "fix", "age")...)
		step.Text = append(step.Text, "Which versions were compared stands in the findings, not in the trace.")
	} else {
		ref.URL = f.URL
		step.Text = add(step.Text, f.Summary, prefixed("It is also known as ", others(d.Aliases, d.Advisory)), compared(f))
		if len(f.Evidence.Path) > 2 {
			step.Text = append(step.Text, "The record leads there by "+strings.Join(f.Evidence.Path, " → ")+".")
		}
		step.Text = append(step.Text, s.rated(d, f)...)
		step.Text = append(step.Text, likely(f)...)
		step.Text = append(step.Text, fixedIn(f))
	}
	if more := others(s.records[[2]string{d.Package, d.Vulnerability}], d.Advisory); more != "" {
		step.Text = append(step.Text, "Other records say it of the same package, and were decided about by themselves: "+more+".")
	}
	step.Refs = append(step.Refs, ref)
	if s.Inputs.Advisories != "" {
		step.Refs = append(step.Refs, Ref{Name: "advisory data", Digest: s.Inputs.Advisories})
	}
	return step
}

// others joins the names that are not except.
func others(list []string, except string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == except }), ", ")
}

// compared says what was compared with what.
func compared(f *finding.Finding) string {
	e := &f.Evidence
	if e.Range == "" {
		return ""
	}
	about := cmp.Or(e.Name, f.Name) + prefixed(" in ", e.Ecosystem)
	if e.Range == "versions" {
		return "It is about " + about + ", and lists version " + cmp.Or(e.Version, f.Version)
	}
	return "It is about " + about + ": version " + cmp.Or(e.Version, f.Version) + " lies in " + e.Range
}

// rated says how severe it is, who says so, and what the policy made of that.
func (s *teller) rated(d *policy.Decided, f *finding.Finding) (out []string) {
	if f.Severity == finding.Unknown {
		out = append(out, "Nobody rated its severity.")
		if n := severityOf(d); n != "unknown" {
			out = append(out, "The policy counts that as "+n+".")
		}
		return out
	}
	out = append(out, "Its severity is "+string(f.Severity)+prefixed(", from ", f.SeverityFrom)+".")
	for _, x := range f.Scores {
		if x.Source == "" {
			out = append(out, "Its "+x.Type+" is "+x.Value+".")
		} else {
			out = append(out, x.Source+" says "+x.Value+".")
		}
	}
	return out
}

// likely says what is known of exploitation, and since when it is public.
func likely(f *finding.Finding) (out []string) {
	if f.Exploited != "" {
		out = append(out, "It has been listed as exploited since "+f.Exploited+prefixed(", by ", f.ExploitedFrom)+".")
	}
	if f.EPSS != "" {
		out = append(out, "The probability that it is exploited within 30 days is "+f.EPSS+prefixed(", from ", f.EPSSFrom)+".")
	}
	return add(out, prefixed("It was published on ", strings.TrimSuffix(f.Published, "T00:00:00Z")))
}

// suppliers says what suppliers say, and what that is worth.
func (s *teller) suppliers(h *policy.Heard) []Step {
	if h == nil {
		return []Step{{Kind: StepSupplier, Title: "no supplier says anything about it", Refs: s.sets()}}
	}
	head := Step{Kind: StepSupplier, Title: words(cmp.Or(h.Status, "nobody decides")), Refs: s.sets()}
	if h.Disputed {
		head.Title += ", disputed"
		head.Text = append(head.Text, "Suppliers contradict each other.")
	}
	switch {
	case h.Excused:
		head.Text = append(head.Text, "That excuses it.")
	case h.Refused != "":
		head.Text = append(head.Text, "That does not excuse it: "+inner(h.Refused)+".")
	}
	out := []Step{head}
	for i := range h.Claims {
		out = append(out, claimed(h, i))
	}
	if len(h.Others) > 0 {
		out = append(out, notMeant(h.Others))
	}
	return out
}

// sets refers to the sets of statements.
func (s *teller) sets() (out []Ref) {
	for _, digest := range s.Inputs.VEX {
		out = append(out, Ref{Name: "statements", Digest: digest})
	}
	return out
}

// claimed tells of one claim.
func claimed(h *policy.Heard, i int) Step {
	c := &h.Claims[i]
	step := Step{Kind: StepSupplier, Title: cmp.Or(c.Issuer, "somebody unknown") + " says " + words(c.Status), Refs: []Ref{statementRef(c.Statement), {Name: "its document", Digest: c.Document}}}
	step.Text = add(step.Text, prefixed("Its reason: ", words(c.Reason)))
	switch {
	case slices.Contains(h.Deciding, i):
		step.Text = append(step.Text, "It decides.")
	case slices.Contains(h.Against, i):
		step.Text = append(step.Text, "It speaks against what decides.")
	}
	step.Text = add(step.Text, standing(vex.Standing(c.Standing)))
	worth := "The statement is not signed"
	if c.Signed {
		worth = "Its signature was verified"
	}
	if c.Tier > 0 {
		worth += fmt.Sprintf(", and its issuer's tier is %d", c.Tier)
	}
	if !c.Time.IsZero() {
		worth += "; it is of " + moment(c.Time)
	}
	step.Text = append(step.Text, worth+".")
	return step
}

// statementRef refers to a statement, whose ID is a digest of it.
func statementRef(id string) Ref {
	if strings.HasPrefix(id, "sha256:") {
		return Ref{Name: "statement", Digest: id}
	}
	return Ref{Name: "statement " + id}
}

// standing says in words what a claim is worth.
func standing(s vex.Standing) string {
	switch s {
	case vex.Counts:
		return "It counts"
	case vex.Informs:
		return "It informs, and decides nothing"
	case vex.Superseded:
		return "It does not count: its issuer said something newer"
	case vex.Copied:
		return "It does not count: its issuer's claim is there already"
	case vex.BadSignature:
		return "It does not count: the signature is not of these bytes"
	case vex.UnknownIssuer:
		return "It does not count: the trust names nobody who said it"
	case vex.OutOfScope:
		return "It does not count: its issuer may not speak about this product"
	case vex.UnsignedClaim:
		return "It does not count: its issuer may not say this without a signature"
	case vex.Incomplete:
		return "It does not count: it gives no justification and no impact statement"
	case vex.VersionUnproven:
		return "It does not count: it says fixed without the version that is there"
	case vex.NotYet:
		return "It does not count: its time has not come"
	case vex.Expired:
		return "It does not count: its time is over"
	}
	return words(s)
}

// notMeant tells of statements about the vulnerability that are not about this.
func notMeant(list []policy.NotMeant) Step {
	step := Step{Kind: StepSupplier, Title: fmt.Sprintf("%d more statements are about the vulnerability, and not about this", len(list))}
	if len(list) == 1 {
		step.Title = "1 more statement is about the vulnerability, and not about this"
	}
	counts := map[string]int{}
	for _, o := range list {
		counts[o.Why]++
		step.Refs = append(step.Refs, statementRef(o.Statement))
	}
	for _, o := range list { // in their order, each reason once
		if n := counts[o.Why]; n > 0 {
			step.Text = append(step.Text, strconv.Itoa(n)+": "+notThis(vex.Reason(o.Why))+".")
			counts[o.Why] = 0
		}
	}
	return step
}

// notThis says in words why a statement does not apply.
func notThis(r vex.Reason) string {
	switch r {
	case vex.OtherVulnerability:
		return "about another vulnerability"
	case vex.OtherPackage:
		return "about another package"
	case vex.OtherVersion:
		return "about another version"
	case vex.OtherQualifiers:
		return "about another architecture, release or repository"
	case vex.OtherImage:
		return "about another image or application"
	case vex.Disagreeing:
		return "one identifier names this package, another something else"
	case vex.Uncertain:
		return "what it names cannot be compared with what is there"
	case vex.Unidentified:
		return "it names no product that can be told"
	}
	return words(r)
}

// consider says which exceptions were considered.
func (s *teller) consider(d *policy.Decided) (out []Step) {
	if len(d.Exceptions) == 0 {
		return []Step{{Kind: StepException, Title: "no exception covers it", Refs: []Ref{{Name: "exceptions", Digest: s.Inputs.Exceptions}}}}
	}
	for _, c := range d.Exceptions {
		step := Step{Kind: StepException, Title: c.ID + ": counts", Refs: []Ref{{Name: "exceptions", Digest: s.Inputs.Exceptions}}}
		if c.Why != "" {
			step.Title = c.ID + ": does not count"
			step.Text = append(step.Text, "It does not count: "+whyNot(c.Why)+".")
		}
		if e := s.exceptions[c.ID]; e != nil {
			step.Text = append(step.Text, granted(e)...)
		}
		if b := d.Before; b != nil && c.ID == d.Exception {
			text := "Without it: " + words(b.Outcome) + " by the " + string(b.Gate) + " gate" + ruled(b.Rule) + prefixed(", because ", inner(b.Because)) + "."
			if b.Outcome == d.Outcome && b.Gate == d.Gate && b.Rule == d.Rule {
				text += " It changes nothing."
			}
			step.Text = append(step.Text, text)
		}
		out = append(out, step)
	}
	return out
}

// granted says what an exception says.
func granted(e *policy.Exception) (out []string) {
	what := words(e.Effect)
	switch e.Effect {
	case policy.Downgrade:
		what = "it counts as severity " + string(e.Severity)
	case policy.RequireControl:
		what = "a warning instead of a block where the control " + e.Control + " is in place"
	case policy.Defer:
		what = "a warning instead of a block"
	case policy.Suppress:
		what = "the finding passes"
	}
	out = append(out, "Its effect: "+what+".", "Its reason: "+inner(e.Reason)+".")
	who := "It is " + e.Owner + "'s" + prefixed(", approved by ", e.Approver) + ", of " + moment(e.Created)
	if e.Expires.IsZero() {
		return append(out, who+" and without end.")
	}
	return append(out, who+" until "+moment(e.Expires)+".")
}

// next says what repairs a finding, and when what was decided may change.
func (s *teller) next(d *policy.Decided) Step {
	f := s.known(d)
	return Step{Kind: StepNext, Title: "what changes it", Text: s.until(add(nil, fixedIn(f)), d)}
}

// until says when what was decided may change with the same data.
func (s *teller) until(out []string, d *policy.Decided) []string {
	n := len(out)
	for _, c := range d.Exceptions {
		switch e := s.exceptions[c.ID]; {
		case e == nil:
		case c.Why == "not_yet":
			out = append(out, "Exception "+e.ID+" begins on "+moment(e.Created)+".")
		case c.Why == "" && !s.ends(e).IsZero():
			out = append(out, "Exception "+e.ID+" ends on "+moment(s.ends(e))+".")
		}
	}
	if d.VEX != nil && !d.VEX.Next.IsZero() {
		out = append(out, "What suppliers say may be worth something else from "+moment(d.VEX.Next)+" on.")
	}
	for _, a := range d.Rules {
		if r := s.rules[a.Rule]; r != nil && r.Until.After(s.At) {
			out = append(out, "Rule "+r.ID+" ends on "+moment(r.Until)+".")
		}
	}
	switch {
	case !s.NextChange.IsZero():
		out = append(out, "With the same data, nothing about the image changes before "+moment(s.NextChange)+".")
	case len(out) == n:
		out = append(out, "With the same data it stays as it is.")
	}
	return append(out, "Other advisory data, statements, exceptions or another policy may change it at any time.")
}

// ends is when an exception that counts ends; zero for never.
func (s *teller) ends(e *policy.Exception) time.Time {
	out := e.Expires
	if days := s.Policy.Exceptions.MaxDays; days > 0 {
		if t := e.Created.Add(time.Duration(days) * 24 * time.Hour); out.IsZero() || t.Before(out) {
			out = t
		}
	}
	if !e.Revoked.IsZero() && (out.IsZero() || e.Revoked.Before(out)) {
		out = e.Revoked
	}
	return out
}
