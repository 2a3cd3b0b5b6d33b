package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/sbom"
)

// VerdictSchema and TraceSchema name the forms of the documents.
const (
	VerdictSchema = "https://stella-ops.dev/schema/verdict/v1"
	TraceSchema   = "https://stella-ops.dev/schema/trace/v1"
)

// Verdict is what is decided about one image, and on what. Its canonical JSON is
// what is signed. It is small: what is decided about each finding stands in the
// trace.
type Verdict struct {
	Schema  string  `json:"schema"`
	Outcome Outcome `json:"outcome"`
	// Because is the reason for people: of the first finding or gap with that
	// outcome.
	Because     string    `json:"because,omitempty"`
	Environment string    `json:"environment,omitempty"`
	At          time.Time `json:"at"`
	// NextChange is the earliest time at which the same inputs may give another
	// verdict; zero means never.
	NextChange time.Time `json:"next_change_at,omitzero"`
	Subject    Subject   `json:"subject"`
	Counts     Counts    `json:"counts"`
	Inputs     Digests   `json:"inputs"`
	Policy     Named     `json:"policy"`
	Engine     Built     `json:"engine"`
	// Trace is the digest of the trace.
	Trace string `json:"trace"`
}

// Counts says how many findings, gaps and items there are of each outcome.
type Counts struct {
	Findings    int `json:"findings"`
	Pass        int `json:"pass"`
	Warn        int `json:"warn"`
	NotAssessed int `json:"not_assessed"`
	Block       int `json:"block"`
	Error       int `json:"error"`
	Gaps        int `json:"gaps"` // those that are blocking
	// Items are secrets, files that no package accounts for, and the image, as far as
	// rules are about them.
	Items Tally `json:"items,omitzero"`
}

// Tally says how many items there are of each outcome.
type Tally struct {
	Pass        int `json:"pass"`
	Warn        int `json:"warn"`
	NotAssessed int `json:"not_assessed"`
	Block       int `json:"block"`
	Error       int `json:"error"`
}

// Named is a policy by its names.
type Named struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Built says what evaluated.
type Built struct {
	Semantics int    `json:"semantics"`
	Version   string `json:"version,omitempty"`
}

// Key returns the digest that the inputs of a verdict have together: evaluations with
// the same key give the same verdict.
func (v *Verdict) Key() string {
	return digestOf(struct {
		Inputs      Digests   `json:"inputs"`
		Environment string    `json:"environment"`
		At          time.Time `json:"at"`
		Engine      Built     `json:"engine"`
	}{v.Inputs, v.Environment, v.At, v.Engine})
}

// Digest returns the digest of the verdict's canonical JSON.
func (v *Verdict) Digest() string { return digestOf(v) }

// KeyOf returns the key that the verdict about inputs will have.
func (e *Engine) KeyOf(in *Inputs) string {
	v := e.verdictOf(in)
	return v.Key()
}

// verdictOf returns a verdict that says nothing yet.
func (e *Engine) verdictOf(in *Inputs) Verdict {
	d := in.Digests
	d.VEX = slices.Clone(d.VEX)
	d.Policy, d.Exceptions = e.digest, ExceptionsDigest(in.Exceptions)
	d.Subject = digestOf(struct {
		Subject  Subject  `json:"subject"`
		Controls []string `json:"controls,omitempty"`
		Signals  []string `json:"signals,omitempty"`
	}{in.Subject, sorted(in.Controls), sorted(in.Signals)})
	if in.Judge != nil {
		d.Trust = in.Judge.Digest()
	}
	if d.Report == "" {
		d.Report = ReportDigest(in.Findings, in.Gaps)
	}
	return Verdict{
		Schema: VerdictSchema, Outcome: Pass, Environment: in.Environment, At: in.At.UTC(), Subject: in.Subject, Inputs: d,
		Policy: Named{e.policy.ID, e.policy.Version}, Engine: Built{Semantics, e.version},
	}
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// ReportDigest returns the digest of findings and gaps as canonical JSON.
func ReportDigest(findings []finding.Finding, gaps []sbom.Gap) string {
	return digestOf(struct {
		Findings []finding.Finding `json:"findings"`
		Gaps     []sbom.Gap        `json:"gaps"`
	}{findings, gaps})
}

func (r *run) newVerdict() Verdict { return r.engine.verdictOf(r.in) }

func (v *Verdict) count(o Outcome) {
	v.Counts.Findings++
	*v.Counts.of(o)++
}

func (c *Counts) of(o Outcome) *int {
	switch o {
	case Pass:
		return &c.Pass
	case Warn:
		return &c.Warn
	case NotAssessed:
		return &c.NotAssessed
	case Block:
		return &c.Block
	}
	return &c.Error
}

func (t *Tally) of(o Outcome) *int {
	switch o {
	case Pass:
		return &t.Pass
	case Warn:
		return &t.Warn
	case NotAssessed:
		return &t.NotAssessed
	case Block:
		return &t.Block
	}
	return &t.Error
}

// worsen makes the outcome no better than o. The first reason for it stays.
func (v *Verdict) worsen(o Outcome, because string) {
	if o.Rank() > v.Outcome.Rank() {
		v.Outcome, v.Because = o, because
	}
}

// finish decides about what was not assessed, and about the image.
func (r *run) finish() *Result {
	v := &r.verdict
	o := cmp.Or(r.gates.Evidence.Gaps, NotAssessed)
	if r.in.Digests.Advisories == "" {
		v.worsen(NotAssessed, "there is no advisory data")
		r.open.Unassessed = true
	}
	gaps := slices.Clone(r.in.Gaps)
	slices.SortFunc(gaps, func(a, b sbom.Gap) int {
		return cmp.Or(strings.Compare(a.Where, b.Where), cmp.Compare(a.Code, b.Code), strings.Compare(a.Layer, b.Layer), strings.Compare(a.What, b.What), blockingFirst(a, b))
	})
	for i := range gaps {
		if gaps[i].Blocking {
			v.Counts.Gaps++
			r.open.gap(gaps[i].Code)
			v.worsen(o, fmt.Sprintf("not assessed: %s: %s", gaps[i].Where, gaps[i].What))
		}
	}
	trace := r.trace.end(r, gaps)
	v.Trace = sum.Of(trace)
	body, _ := canonical(v) // of texts, numbers and times: it cannot fail
	return &Result{Verdict: v, Body: body, Trace: trace, Open: &r.open}
}

func blockingFirst(a, b sbom.Gap) int {
	switch {
	case a.Blocking == b.Blocking:
		return 0
	case a.Blocking:
		return -1
	}
	return 1
}

func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	return text, err
}

// DecodeVerdict reads a verdict. Unknown members are refused: they would not be
// checked. An error wraps ErrInvalid, or ErrUnsupported for another schema.
func DecodeVerdict(text []byte) (*Verdict, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("verdict: %v: %w", err, fault.Invalid)
	}
	if head.Schema != VerdictSchema {
		return nil, fmt.Errorf("verdict: schema %.80q, want %s: %w", head.Schema, VerdictSchema, fault.Unsupported)
	}
	v := new(Verdict)
	if err := json.Unmarshal(text, v, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("verdict: %v: %w", err, fault.Invalid)
	}
	if v.Outcome.Rank() < 0 {
		return nil, fmt.Errorf("verdict: outcome %.40q is none: %w", v.Outcome, fault.Invalid)
	}
	return v, nil
}
