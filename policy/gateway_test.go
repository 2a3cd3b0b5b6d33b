package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// notebook is a store that has one scan, and writes down what is kept.
type notebook struct {
	policy.Store
	loaded  policy.Loaded
	load    error
	keep    error
	kept    []policy.Batch
	failed  []policy.Failure
	final   bool
	failErr error
}

func (n *notebook) Load(context.Context, policy.Request) (*policy.Loaded, error) {
	in := n.loaded
	return &in, n.load
}

func (n *notebook) Keep(_ context.Context, b *policy.Batch) error {
	n.kept = append(n.kept, *b)
	return n.keep
}

func (n *notebook) Fail(_ context.Context, f *policy.Failure) (bool, error) {
	n.failed = append(n.failed, *f)
	return n.final, n.failErr
}

func active(t testing.TB, environment string, p *policy.Policy) policy.Active {
	t.Helper()
	body, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return policy.Active{Environment: environment, Policy: policy.Named{ID: p.ID, Version: p.Version}, Digest: p.Digest(), Body: body}
}

func blocking(version int, s finding.Severity) *policy.Policy {
	return &policy.Policy{ID: "release", Version: version, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: s}}}
}

// gatewayOf is a gateway over a notebook with a policy that blocks from high on, and a
// report of one critical vulnerability with an alias.
func gatewayOf(t testing.TB) (*policy.Gateway, *notebook) {
	n := &notebook{loaded: policy.Loaded{
		ScanID: "scan-1", Image: "registry.example/app:1", Digest: "sha256:c", Document: policy.Document{Digest: "sha256:d"}, Trust: new(vex.Trust),
		Report: &finding.Report{Snapshot: "sha256:s", Findings: []finding.Finding{{Package: "p1", Name: "x", Version: "1", Vulnerability: "GHSA-1", Aliases: []string{"cve-1"}, Severity: finding.Critical}}},
		Active: []policy.Active{active(t, "production", blocking(1, finding.High))},
	}}
	return &policy.Gateway{
		Stores: func(string) (policy.Store, error) { return n, nil },
		Document: func(context.Context, string, *policy.Document) (*sbom.Document, error) {
			return new(sbom.Document), nil
		},
	}, n
}

var gatewayTime = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestGateway(t *testing.T) {
	g, n := gatewayOf(t)
	n.loaded.VEX = []policy.StatementSet{{Number: 3, Digest: "sha256:a"}, {Tenant: true, Number: 1, Digest: "sha256:b"}}
	n.loaded.Marks = policy.Marks{VEX: 3}
	g.Statements = func(_ context.Context, tenant string, digests, ids []string) ([]*vex.Statement, error) {
		if diff := cmp.Diff([][]string{{"acme"}, {"sha256:a", "sha256:b"}, {"CVE-1", "GHSA-1"}}, [][]string{{tenant}, digests, ids}); diff != "" {
			t.Errorf("statements asked for (-want +got):\n%s", diff)
		}
		return nil, nil
	}
	g.Signals = func(_ context.Context, snapshot string) ([]string, error) { return []string{"kev", snapshot}, nil }
	got, err := g.Evaluate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime, Cause: "test", Message: "m"})
	if err != nil || len(got) != 1 || got[0].Outcome != policy.Block {
		t.Fatalf("%+v, %v", got, err)
	}
	b := n.kept[0]
	v, err := policy.DecodeVerdict(b.Records[0].Body)
	if err != nil || v.Key() != b.Records[0].Key || v.Digest() != b.Records[0].Digest || v.Inputs.SBOM != "sha256:d" || v.Inputs.Advisories != "sha256:s" || !v.At.Equal(gatewayTime) {
		t.Errorf("%s, %v", b.Records[0].Body, err)
	}
	want := policy.Subject{Image: vex.Image{Digests: []string{"sha256:c"}, Names: []string{"registry.example/app:1"}}}
	if diff := cmp.Diff(want, v.Subject); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"CVE-1", "GHSA-1"}, b.Vulnerabilities); diff != "" || b.Message != "m" || b.Marks.VEX != 3 || b.Cause != "test" {
		t.Errorf("%+v\n%s", b, diff)
	}
	if diff := cmp.Diff([]string{"GHSA-1 x@1"}, b.Records[0].Blocking); diff != "" {
		t.Errorf("blocking (-want +got):\n%s", diff)
	}
	again, err := g.Evaluate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime})
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("decided again: %v\n%s", err, diff)
	}
}

// TestGatewayFails: whatever fails, nothing that allows is kept.
func TestGatewayFails(t *testing.T) {
	down := fmt.Errorf("down: %w", policy.ErrUnavailable)
	gone := fmt.Errorf("gone: %w", policy.ErrNotFound)
	bad := fmt.Errorf("bad: %w", policy.ErrInvalid)
	sets := []policy.StatementSet{{Number: 1, Digest: "sha256:a"}}
	for name, c := range map[string]struct {
		set    func(*policy.Gateway, *notebook)
		want   error // nil: a record with the outcome error
		failed string
	}{
		"store":            {func(g *policy.Gateway, n *notebook) { n.load = down }, policy.ErrUnavailable, ""},
		"no scan":          {func(g *policy.Gateway, n *notebook) { n.load = gone }, policy.ErrNotFound, ""},
		"keep":             {func(g *policy.Gateway, n *notebook) { n.keep = down }, policy.ErrUnavailable, ""},
		"document is away": {func(g *policy.Gateway, n *notebook) { g.Document = documentFails(down) }, policy.ErrUnavailable, ""},
		"document is gone": {func(g *policy.Gateway, n *notebook) { g.Document = documentFails(gone) }, policy.ErrNotFound, ""},
		"document is none": {func(g *policy.Gateway, n *notebook) { g.Document = documentFails(bad) }, nil, "bad"},
		"nobody has sets":  {func(g *policy.Gateway, n *notebook) { n.loaded.VEX = sets }, policy.ErrUnavailable, ""},
		"signals": {func(g *policy.Gateway, n *notebook) {
			g.Signals = func(context.Context, string) ([]string, error) { return nil, gone }
		}, policy.ErrNotFound, ""},
		"policy is exchanged": {func(g *policy.Gateway, n *notebook) { n.loaded.Active[0].Digest = blocking(2, finding.High).Digest() }, policy.ErrMismatch, ""},
		"policy is none":      {func(g *policy.Gateway, n *notebook) { n.loaded.Active[0].Body = []byte(`{"unknown":1}`) }, nil, "unknown"},
		"compiler panics": {func(g *policy.Gateway, n *notebook) {
			g.Compile = func(*policy.Policy) (*policy.Engine, error) { panic("boom") }
		}, nil, "boom"},
		"trust is none":     {func(g *policy.Gateway, n *notebook) { n.loaded.Trust = &vex.Trust{Issuers: []vex.Issuer{{}}} }, nil, "failed"},
		"exception is none": {func(g *policy.Gateway, n *notebook) { n.loaded.Exceptions = []policy.Exception{{ID: "x"}} }, nil, "exception"},
		"nobody matched":    {func(g *policy.Gateway, n *notebook) { n.loaded.Report = nil }, nil, ""},
	} {
		g, n := gatewayOf(t)
		c.set(g, n)
		got, err := g.Evaluate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime})
		if !errors.Is(err, c.want) || c.want == nil && err != nil || c.want != nil && got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for _, b := range n.kept {
			for _, r := range b.Records {
				if r.Outcome.Allows() {
					t.Errorf("%s: %s is kept", name, r.Outcome)
				}
				if c.failed != "" && (r.Outcome != policy.Error || r.Key != "" || r.Body != nil || !strings.Contains(r.Because, c.failed)) {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
	}
	g, _ := gatewayOf(t)
	for _, q := range []policy.Request{{}, {ScanID: "scan-1"}, {At: gatewayTime}} {
		if _, err := g.Evaluate(t.Context(), "acme", q); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func documentFails(err error) func(context.Context, string, *policy.Document) (*sbom.Document, error) {
	return func(context.Context, string, *policy.Document) (*sbom.Document, error) { return nil, err }
}

// TestGatewayRemembers: engines are compiled once for each digest, and not kept for
// ever.
func TestGatewayRemembers(t *testing.T) {
	g, n := gatewayOf(t)
	var mu sync.Mutex
	compiled := 0
	g.Compile = func(p *policy.Policy) (*policy.Engine, error) {
		mu.Lock()
		compiled++
		mu.Unlock()
		return policy.Compile(p, nil)
	}
	run := func(version int) {
		n.loaded.Active = []policy.Active{active(t, "production", blocking(version, finding.High))}
		if _, err := g.Evaluate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		run(1)
	}
	if compiled != 1 {
		t.Errorf("compiled %d times", compiled)
	}
	for v := 2; v <= 200; v++ {
		run(v)
	}
	run(1)
	if compiled != 201 {
		t.Errorf("compiled %d times: the first is remembered after 200 others", compiled)
	}
}

// TestSimulate: it is decided with what is loaded, by another policy, and not kept.
func TestSimulate(t *testing.T) {
	g, n := gatewayOf(t)
	r, err := g.Simulate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime, Environments: []string{"production"}}, &policy.Policy{ID: "lax", Version: 1, Semantics: policy.Semantics})
	if err != nil || r.Outcome != policy.Pass || r.Environment != "production" || len(n.kept) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := g.Simulate(t.Context(), "acme", policy.Request{ScanID: "scan-1", At: gatewayTime}, &policy.Policy{}); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("a policy that is none: %v", err)
	}
}

// TestHandler: an attempt that fails is noted, unless something is away.
func TestHandler(t *testing.T) {
	data, err := (&event.PolicyJob{JobID: "scan-1", At: gatewayTime, Cause: "test"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: "m", Type: event.PolicyEvaluation, Source: "policy", Tenant: "acme", Data: data}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		load, failErr error
		final         bool
		noted         int
		permanent     bool
		want          error
	}{
		"decided":            {},
		"away":               {load: policy.ErrUnavailable, want: policy.ErrUnavailable},
		"may be put right":   {load: policy.ErrMismatch, noted: 1, want: policy.ErrMismatch},
		"the last attempt":   {load: policy.ErrMismatch, noted: 1, final: true},
		"for good":           {load: policy.ErrLimit, noted: 1, permanent: true, final: true},
		"not allowed":        {load: policy.ErrForbidden, noted: 1, permanent: true, final: true},
		"noting fails":       {load: policy.ErrMismatch, noted: 1, failErr: policy.ErrUnavailable, want: policy.ErrUnavailable},
		"noting fails badly": {load: policy.ErrLimit, noted: 1, permanent: true, failErr: policy.ErrConflict, want: policy.ErrConflict},
	} {
		g, n := gatewayOf(t)
		n.final, n.failErr = c.final, c.failErr
		if c.load != nil {
			n.load = fmt.Errorf("load: %w", c.load)
		}
		err := (&policy.Handler{Gateway: g}).Handle(t.Context(), body)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || len(n.failed) != c.noted || c.noted > 0 && n.failed[0].Permanent != c.permanent {
			t.Errorf("%s: %v, noted %+v", name, err, n.failed)
		}
		if c.noted > 0 && (n.failed[0].Message != "m" || !n.failed[0].At.Equal(gatewayTime) || n.failed[0].Reason == "") {
			t.Errorf("%s: %+v", name, n.failed[0])
		}
	}
	told := ""
	h := &policy.Handler{Next: func(_ context.Context, b []byte) error { told = string(b); return nil }}
	other := event.Event{ID: "x", Type: event.EvaluationJob, Source: "scheduler"}
	if body, err = other.Encode(); err != nil || h.Handle(t.Context(), body) != nil || told != string(body) {
		t.Errorf("the next handler was told %q, %v", told, err)
	}
}

func TestMarks(t *testing.T) {
	one := policy.Marks{Report: 1, Head: 1, Policies: 1, Exceptions: 1, Trust: 1, VEX: 1, Own: 1}
	if one.Precedes(one) {
		t.Error("it precedes itself")
	}
	for _, set := range []func(*policy.Marks){
		func(m *policy.Marks) { m.Report++ }, func(m *policy.Marks) { m.Policies++ }, func(m *policy.Marks) { m.Exceptions++ },
		func(m *policy.Marks) { m.Trust++ }, func(m *policy.Marks) { m.VEX++ }, func(m *policy.Marks) { m.Own++ },
	} {
		two := one
		set(&two)
		if !one.Precedes(two) || two.Precedes(one) {
			t.Errorf("%+v and %+v", one, two)
		}
	}
}
