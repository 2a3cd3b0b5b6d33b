// Package sarif writes what a policy decided as SARIF 2.1.0 (OASIS, errata 01), for
// code scanning and other tools that read it.
//
// A vulnerability is a rule, a finding a result. So is what finds secrets, and a secret,
// a file without a package, or what a rule says of the image. The outcome gives the level: block and
// error are "error", warn and not assessed are "warning". What an exception, a supplier
// or a rule excuses is a result with a suppression that says why. What was not assessed
// is a notification.
//
// The documents keep to what GitHub takes: at most 25,000 results, the worst first, of
// which it shows 5,000; locations are relative; fingerprints stay the same across runs,
// versions of this tool, and versions of a package.
package sarif

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// ErrInvalid is the kind of error that this package returns, for errors.Is.
var ErrInvalid error = fault.Invalid

// The limits of GitHub's code scanning.
const (
	MaxResults   = 25_000 // in a run
	ShownResults = 5_000  // of them
	maxLocations = 100    // of a result
)

const schemaURI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// Options say what is known beside the trace. The zero value is ready: results then
// have no summaries, and lie where the subject is named.
type Options struct {
	// Findings are those that were decided about, for summaries, links, scores and
	// fixed versions.
	Findings []finding.Finding
	// Packages are those of the SBOM, for where packages lie.
	Packages []sbom.Package
	// Secrets are those of the SBOM. Where no rule of the policy is about secrets they
	// are warnings.
	Secrets []sbom.Secret
	// Artifact is the path of the SBOM, lock file or Dockerfile that stands for what
	// has no path; empty for the subject's name.
	Artifact string
	// Version is this tool's.
	Version string
	// Passing has findings that pass without an excuse in it too, as results of kind
	// "pass".
	Passing bool
	// MaxResults is how many results there are at most; 0 for MaxResults.
	MaxResults int
}

// Encode writes a trace as a SARIF log of one run. Equal traces and options give equal
// bytes. An error wraps ErrInvalid.
func Encode(t *policy.Trace, opts *Options) ([]byte, error) {
	if opts == nil {
		opts = new(Options)
	}
	if t == nil || t.Policy == nil {
		return nil, fmt.Errorf("write SARIF: no trace: %w", fault.Invalid)
	}
	w := newWriter(t, opts)
	chosen := w.choose()
	type entry struct {
		outcome policy.Outcome
		write   func()
	}
	entries := make([]entry, 0, len(chosen))
	for _, c := range chosen {
		entries = append(entries, entry{c.Outcome, func() { w.result(c) }})
	}
	if others := w.others(); len(others) > 0 {
		for _, x := range others {
			entries = append(entries, entry{x.Outcome, func() { w.other(x) }})
		}
		slices.SortStableFunc(entries, func(a, b entry) int { return b.outcome.Rank() - a.outcome.Rank() })
	}
	limit := cmp.Or(opts.MaxResults, MaxResults)
	if len(entries) > limit {
		w.notify("stella/truncated", "warning", fmt.Sprintf("There are %d results, of which %d are in this log: those with the worst outcomes and severities.", len(entries), limit), nil)
		entries = entries[:limit]
	} else if len(entries) > ShownResults {
		w.notify("stella/many", "note", fmt.Sprintf("There are %d results, of which GitHub shows %d.", len(entries), ShownResults), nil)
	}
	for _, e := range entries {
		e.write()
	}
	w.describeRules()
	w.gaps()
	text, err := json.Marshal(w.log(), json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("write SARIF: %v: %w", err, fault.Invalid)
	}
	return append(text, '\n'), nil
}

// chosen is a decision that becomes a result.
type chosen struct {
	*policy.Decided
	finding *finding.Finding // nil where it is not known
	rank    int              // of its severity
	order   int
}

// writer collects a run.
type writer struct {
	trace         *policy.Trace
	opts          *Options
	findings      map[[3]string]*finding.Finding // by package, vulnerability, advisory
	packages      map[string]*sbom.Package
	exceptions    map[string]*policy.Exception
	rules         []descriptor
	ruleIndex     map[string]int
	about         map[string][]chosen // by vulnerability
	notes         []descriptor
	notifications []notification
	results       []result
	prints        []string       // fingerprints, by the index of the decision
	seen          map[string]int // how often there was each fingerprint
}

func newWriter(t *policy.Trace, opts *Options) *writer {
	w := &writer{
		trace: t, opts: opts, findings: map[[3]string]*finding.Finding{}, packages: map[string]*sbom.Package{}, exceptions: map[string]*policy.Exception{},
		ruleIndex: map[string]int{}, about: map[string][]chosen{}, rules: []descriptor{}, results: []result{}, seen: map[string]int{},
	}
	for i := range opts.Findings {
		f := &opts.Findings[i]
		w.findings[[3]string{f.Package, f.Vulnerability, f.Advisory}] = f
	}
	for i := range opts.Packages {
		w.packages[opts.Packages[i].ID] = &opts.Packages[i]
	}
	for i := range t.Exceptions {
		w.exceptions[t.Exceptions[i].ID] = &t.Exceptions[i]
	}
	w.fingerprint()
	return w
}

// choose returns the decisions that become results, the worst first.
func (w *writer) choose() []chosen {
	var out []chosen
	for i := range w.trace.Decisions {
		d := &w.trace.Decisions[i]
		if d.Outcome == policy.Pass && !w.opts.Passing && !excused(d) {
			continue
		}
		c := chosen{Decided: d, finding: w.findings[[3]string{d.Package, d.Vulnerability, d.Advisory}], order: i}
		if v, ok := d.Facts["severity"]; ok {
			_ = json.Unmarshal(v, &c.rank) // null leaves 0, which is unknown
		}
		if c.rank == 0 && c.finding != nil {
			c.rank = c.finding.Severity.Rank()
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b chosen) int {
		return cmp.Or(b.Outcome.Rank()-a.Outcome.Rank(), b.rank-a.rank, a.order-b.order)
	})
	return out
}

// excused reports whether something made a finding pass that would not have to.
func excused(d *policy.Decided) bool {
	return d.Outcome == policy.Pass && (d.Exception != "" || d.Gate == policy.GateTrust || d.Gate == policy.GateRules)
}

// log puts the run together.
func (w *writer) log() *log {
	t := w.trace
	r := run{
		Tool: tool{Driver: component{
			Name: "Stella", FullName: "Stella policy verdict", Organization: "stella-ops", Version: w.opts.Version, InformationURI: "https://stella-ops.dev",
			Rules: w.rules, Notifications: w.notes,
		}},
		Invocations: []invocation{{ExecutionSuccessful: t.Outcome != policy.Error, ToolExecutionNotifications: w.notifications}},
		ColumnKind:  "utf16CodeUnits", Results: w.results,
		Properties: map[string]any{
			"outcome": string(t.Outcome), "policy": fmt.Sprintf("%s version %d", t.Policy.ID, t.Policy.Version), "policyDigest": t.Inputs.Policy,
			"evaluatedAt": t.At,
		},
	}
	for name, v := range map[string]string{"environment": t.Environment, "sbomDigest": t.Inputs.SBOM, "advisoriesDigest": t.Inputs.Advisories, "because": t.Because} {
		if v != "" {
			r.Properties[name] = v
		}
	}
	if id := cmp.Or(t.Environment, "default"); id != "" {
		r.AutomationDetails = &identity{ID: "stella/" + segment(id) + "/"}
	}
	return &log{Schema: schemaURI, Version: "2.1.0", Runs: []run{r}}
}
