package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// Story is why one thing was decided as it was, step by step, in the order in which
// people ask. Its texts are plain: whoever shows them escapes them.
type Story struct {
	Title   string         `json:"title"`             // "CVE-2024-3094 in xz-utils 5.6.0-0.2"
	Outcome policy.Outcome `json:"outcome,omitempty"` // "" where no rule is about it
	Because string         `json:"because"`           // one sentence
	Steps   []Step         `json:"steps"`
}

// StepKind says which question a step answers.
type StepKind string

// The kinds, in the order of a story's steps. There may be several steps of a kind, or
// none.
const (
	StepPackage   StepKind = "package"   // what it is about, and where that comes from
	StepRecord    StepKind = "record"    // what is known of it, and from whom
	StepSupplier  StepKind = "supplier"  // what suppliers say (VEX)
	StepException StepKind = "exception" // which exceptions were considered
	StepRule      StepKind = "rule"      // what each rule answered, and the threshold
	StepVerdict   StepKind = "verdict"   // what follows from all that
	StepNext      StepKind = "next"      // what repairs it, and when it may change
)

// Step is one link of the chain.
type Step struct {
	Kind  StepKind `json:"kind"`
	Title string   `json:"title"`
	// Text are sentences for people.
	Text []string `json:"text,omitempty"`
	// Refs are what the step rests on.
	Refs []Ref `json:"refs,omitempty"`
}

// Ref names something that a step rests on.
type Ref struct {
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"` // "sha256:…"
	URL    string `json:"url,omitempty"`
}

// Stories tells the story of each finding that is chosen as [Text] chooses, the worst
// first; where no finding is asked for, then those of secrets, files and the image, and
// those of what was not assessed. What no rule is about, and gaps that block nothing,
// have a story where opts.Passing is set.
//
// A trace does not keep where packages lie and what versions were compared: that is
// told as far as opts has Packages, Layers, Secrets and Findings. Equal traces and
// options give equal stories. An error wraps ErrNotFound where a finding was asked for
// that there is none of, or ErrInvalid.
func Stories(t *policy.Trace, opts *Options) ([]*Story, error) {
	v, err := newView(t, opts)
	if err != nil {
		return nil, fmt.Errorf("tell the story of a verdict: no trace: %w", err)
	}
	list := v.chosen(false)
	asked := v.opts.Vulnerability != "" || v.opts.Package != ""
	if len(list) == 0 && asked {
		return nil, fmt.Errorf("tell the story of a verdict: no finding of %q in %q: %w", v.opts.Vulnerability, v.opts.Package, fault.NotFound)
	}
	s := v.teller()
	out := make([]*Story, 0, len(list))
	for _, d := range list {
		out = append(out, s.finding(d))
	}
	if asked {
		return out, nil
	}
	for _, x := range v.beside(false) {
		if x.Outcome != "" || v.opts.Passing {
			out = append(out, s.item(x))
		}
	}
	if !v.Assessed {
		out = append(out, s.unassessed())
	}
	for i := range v.Gaps {
		if g := &v.Gaps[i]; g.Blocking || v.opts.Passing {
			out = append(out, s.gap(g))
		}
	}
	return out, nil
}

// teller is a view, indexed for stories.
type teller struct {
	*view
	packages map[string]*sbom.Package
	layers   map[string]int // place by diffID
	built    map[string]string
	records  map[[2]string][]string // advisories by package and vulnerability
	secrets  map[[3]string]*sbom.Secret
}

func (v *view) teller() *teller {
	s := &teller{view: v, packages: map[string]*sbom.Package{}, layers: map[string]int{}, built: map[string]string{}, records: map[[2]string][]string{}, secrets: map[[3]string]*sbom.Secret{}}
	for i := range v.opts.Packages {
		s.packages[v.opts.Packages[i].ID] = &v.opts.Packages[i]
	}
	for i, l := range v.Subject.Layers {
		if _, twice := s.layers[l]; !twice {
			s.layers[l] = i
		}
	}
	for _, l := range v.opts.Layers {
		s.built[l.DiffID] = cmp.Or(s.built[l.DiffID], l.CreatedBy)
	}
	for i := range v.Decisions {
		d := &v.Decisions[i]
		key := [2]string{d.Package, d.Vulnerability}
		s.records[key] = append(s.records[key], d.Advisory)
	}
	for i := range v.opts.Secrets {
		x := &v.opts.Secrets[i]
		s.secrets[keyOf(&policy.Item{Secret: x.Rule, Path: x.Path, Line: x.Line})] = x
	}
	return s
}

// finding tells the story of one finding.
func (s *teller) finding(d *policy.Decided) *Story {
	out := &Story{Title: d.Vulnerability + " in " + strings.TrimSpace(d.Name+" "+d.Version), Outcome: d.Outcome, Because: s.because(d)}
	out.Steps = append(out.Steps, s.pkg(d), s.record(d))
	out.Steps = append(out.Steps, s.suppliers(d.VEX)...)
	out.Steps = append(out.Steps, s.consider(d)...)
	if d.Before != nil && len(d.Before.Rules) > 0 {
		out.Steps = append(out.Steps, s.rule(d, d.Before.Rules, policy.AboutFinding, beforeException)...)
		out.Steps = append(out.Steps, s.rule(d, d.Rules, policy.AboutFinding, withException)...)
	} else {
		out.Steps = append(out.Steps, s.rule(d, d.Rules, policy.AboutFinding, "")...)
	}
	out.Steps = append(out.Steps, s.verdict(d), s.next(d))
	return out
}

// because says in a sentence why a finding is decided so. It has the words of the
// trace.
func (s *teller) because(d *policy.Decided) string {
	text := clause(d.Outcome)
	e := s.exceptions[d.Exception]
	switch {
	case d.Before != nil && e != nil:
		text += ": exception " + e.ID + " of " + e.Owner + " counts, because " + inner(e.Reason)
		if !e.Expires.IsZero() {
			text += ", until " + day(e.Expires)
		}
		if d.Before.Because != "" {
			text += "; without it: " + words(d.Before.Outcome) + ", " + inner(d.Before.Because)
		}
	case d.Before != nil:
		text += ": exception " + d.Exception + " counts"
	case d.Because == "":
		text += ": nothing speaks against it"
	default:
		text += ": " + inner(d.Because)
	}
	if d.Rule != "" && d.Before == nil {
		text += " (rule " + d.Rule + ")"
	}
	return text + "."
}

// clause begins a sentence about an outcome.
func clause(o policy.Outcome) string {
	switch o {
	case policy.Pass:
		return "It passes"
	case policy.Warn:
		return "It passes with a warning"
	case policy.NotAssessed:
		return "Nobody can say whether it may pass"
	case policy.Block:
		return "It is blocked"
	case policy.Error:
		return "It does not pass, as the evaluation failed"
	}
	return "Nothing was decided"
}

// inner is somebody's text as a part of a sentence: without the stop at its end.
func inner(text string) string { return strings.TrimSuffix(strings.TrimSpace(text), ".") }

// prefixedBy is text with something after it, "" for none.
func prefixedBy(text, after string) string {
	if text == "" {
		return ""
	}
	return text + after
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// moment writes a time with its clock, unless it is midnight.
func moment(t time.Time) string {
	if u := t.UTC(); u.Truncate(24 * time.Hour).Equal(u) {
		return day(t)
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// item tells the story of a secret, a file or the image.
func (s *teller) item(x listed) *Story {
	out := &Story{Title: x.Title(), Outcome: x.Outcome, Because: clause(x.Outcome)}
	switch {
	case x.Outcome == "":
		out.Because += ": no rule of the policy is about " + x.About.Plural()
	case x.Because != "":
		out.Because += ": " + inner(x.Because)
	default:
		out.Because += ": nothing speaks against it"
	}
	if x.Rule != "" {
		out.Because += " (rule " + x.Rule + ")"
	}
	out.Because += "."
	out.Steps = append(out.Steps, s.thing(x))
	d := &policy.Decided{Facts: x.Facts, Outcome: x.Outcome, Gate: x.Gate, Rule: x.Rule, Because: x.Because, Warnings: x.Warnings, Rules: x.Rules}
	if x.Outcome == "" {
		return out
	}
	if x.Path != "" || x.About == policy.AboutImage {
		out.Steps = append(out.Steps, s.rule(d, d.Rules, x.About, "")...)
	}
	next := Step{Kind: StepNext, Title: "when it may change", Text: s.until(nil, d)}
	out.Steps = append(out.Steps, s.verdict(d), next)
	return out
}

// thing says what an item is about.
func (s *teller) thing(x listed) Step {
	step := Step{Kind: StepPackage, Title: x.Title(), Refs: s.document()}
	switch secret := s.secrets[keyOf(x.Item)]; {
	case x.About == policy.AboutImage:
		step.Title = cmp.Or(s.Subject.Name, "the image")
		step.Text = s.imageText()
	case x.Path == "" && x.Secret == "":
		step.Text = []string{"The scan that the SBOM is of did not look for " + x.About.Plural() + ", so that there are none in it means nothing."}
	case x.About == policy.AboutSecret && secret != nil:
		step.Text = add(step.Text, prefixed("It is: ", secret.Title), s.place(secret.Path, secret.Layer))
		if secret.Masked != "" {
			step.Text = append(step.Text, "The line is "+secret.Masked+" with the secret masked.")
		}
		if secret.Removed {
			step.Text = append(step.Text, "A layer above removes or replaces the file: whoever has the image has the secret all the same.")
		}
	case x.About == policy.AboutFile:
		step.Text = []string{"No package accounts for the file."}
		for i := range s.opts.Packages {
			if p := &s.opts.Packages[i]; p.Type == sbom.TypeFile && p.Name == x.Path {
				step.Text = add(step.Text, prefixed("It is: ", fileNote(p)))
				for _, l := range p.Locations {
					step.Text = add(step.Text, s.place(l.Path, l.Layer))
				}
				break
			}
		}
	}
	return step
}

func (s *teller) imageText() (out []string) {
	out = add(out, prefixed("Its distribution is ", s.Subject.OS), prefixed("It was made on ", s.Subject.Created), prefixed("It is built on ", strings.Join(s.Subject.Base, ", ")))
	if n := len(s.Subject.Layers); n > 0 {
		out = append(out, fmt.Sprintf("It has %d layers.", n))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Facts)) {
		out = append(out, name+" is "+value(name, s.Facts[name])+".")
	}
	return out
}

// unassessed tells that there was no advisory data.
func (s *teller) unassessed() *Story {
	return &Story{Title: "advisory data", Outcome: policy.NotAssessed, Because: clause(policy.NotAssessed) + ": there is no advisory data.", Steps: []Step{
		{Kind: StepRecord, Title: "nothing was compared", Text: []string{"There was no advisory data, so that there are no findings means nothing."}},
		{Kind: StepNext, Title: "when it may change", Text: []string{"With advisory data it is decided anew."}},
	}}
}

// gap tells of something that was not assessed.
func (s *teller) gap(g *sbom.Gap) *Story {
	o := s.evidence
	tail := "That there are no findings about it means nothing."
	if !g.Blocking {
		o, tail = policy.Pass, "It is noted, and does not speak against the image."
	}
	because := map[bool]string{true: "Not assessed: ", false: "Noted: "}[g.Blocking] + prefixedBy(g.Where, ": ") + inner(g.What) + "."
	out := &Story{Title: "gap in " + cmp.Or(g.Where, "the image"), Outcome: o, Because: because}
	step := Step{Kind: StepPackage, Title: cmp.Or(g.Where, "the image"), Text: []string{sentence(capital(g.What))}, Refs: s.document()}
	if g.Layer != "" {
		step.Text = append(step.Text, "It lies in "+s.layer(g.Layer)+".")
	}
	rule := Step{Kind: StepVerdict, Title: words(o), Text: []string{tail}, Refs: []Ref{{Name: "policy " + s.Policy.ID, Digest: s.Inputs.Policy}}}
	if g.Blocking {
		rule.Text = append(rule.Text, fmt.Sprintf("Policy %s version %d makes that: %s.", s.Policy.ID, s.Policy.Version, words(o)))
	}
	rule.Text = append(rule.Text, "Its code is "+string(g.Code)+".")
	out.Steps = append(out.Steps, step, rule, Step{Kind: StepNext, Title: "when it may change", Text: []string{gapRemedy(g.Code)}})
	return out
}

// gapRemedy says what closes a gap.
func gapRemedy(code sbom.GapCode) string {
	switch code {
	case sbom.GapNoData:
		return "It can be assessed once the advisory data has the ecosystem."
	case sbom.GapLimit:
		return "It can be assessed with a higher limit."
	}
	return "It changes with the image, or with what the scan can read."
}

// fixedIn are the versions that repair a finding, with what the database decided.
func fixedIn(f *finding.Finding) string {
	switch {
	case f == nil:
		return ""
	case len(f.Fixed) > 0:
		return "An update to " + strings.Join(f.Fixed, " or ") + " repairs it."
	case f.FixStatus != "":
		return "No repaired version is known; the database says: " + words(f.FixStatus) + "."
	}
	return "No repaired version is known."
}

// add appends the texts that are not empty, as sentences.
func add(list []string, texts ...string) []string {
	for _, t := range texts {
		if t != "" {
			list = append(list, sentence(t))
		}
	}
	return list
}

// capital begins a text with a capital letter.
func capital(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError {
		return text
	}
	return string(unicode.ToUpper(r)) + text[n:]
}

// sentence ends a text with a stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
