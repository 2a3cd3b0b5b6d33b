package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// wantAsked holds the scans that were asked about since the last time against those
// that are concerned.
func (w *policyWorld) wantAsked(want ...string) {
	w.Helper()
	slices.Sort(want)
	got := append([]string{}, w.asked...)
	slices.Sort(got)
	w.asked = nil
	if diff := cmp.Diff(append([]string{}, want...), slices.Compact(got)); diff != "" {
		w.Errorf("asked about (-want +got):\n%s", diff)
	}
}

// testPolicySweep: a policy that is put in force makes every scan due, and of tenants
// that have none nobody asks.
func testPolicySweep(w *policyWorld) {
	other := tenant(w, w.root, "other")
	a, b := w.scan(w.acme, "a", "CVE-1 high"), w.scan(w.acme, "b")
	w.scan(other, "a", "CVE-1 high")
	pending := submit(w, w.acme.Scans(), "c")
	w.settle()
	w.wantAsked()
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	if n := must[int](w)(w.root.WakePolicies(w.Context())); n != 2 {
		w.Errorf("%d were woken", n)
	}
	w.want(w.acme, a, "")
	w.settle()
	w.wantAsked(a, b)
	w.want(w.acme, a, ":block:1")
	w.want(w.acme, b, ":pass:0")
	w.want(w.acme, pending.ID, "")
	if n := must[int](w)(w.root.WakePolicies(w.Context())); n != 0 {
		w.Errorf("%d were woken although nothing is due", n)
	}
}

// testPolicyDelta: another consensus concerns the scans that have the vulnerability,
// by whatever name, and a tenant's own concerns its own.
func testPolicyDelta(w *policyWorld) {
	other := tenant(w, w.root, "other")
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.enforce(other, "", blockFrom(1, finding.High))
	a, b, c := w.scan(w.acme, "a", "CVE-1 high"), w.scan(w.acme, "b", "CVE-2 high"), w.scan(w.acme, "c", "GHSA-9 high cve-1")
	d := w.scan(other, "a", "CVE-1 high")
	vexCommit(w.T, w.root.VEX(), 1, nil) // the first brings a trust: all are asked about
	w.settle()
	w.asked = nil
	before := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), a))[0]
	vexCommit(w.T, w.root.VEX(), 2, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
	w.want(w.acme, a, ":block:1:stale")
	w.want(w.acme, b, ":block:1")
	w.want(w.acme, c, ":block:1:stale")
	w.settle()
	w.wantAsked(a, c, d)
	w.want(w.acme, a, ":block:1")
	if after := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), a))[0]; after.At.Before(before.At) || after.Evaluated.VEX != 2 {
		w.Errorf("decided as of %v after %v: %+v", after.At, before.At, after)
	}
	vexCommit(w.T, w.acme.VEX(), 1, []string{"CVE-2"}, decision("CVE-2", vex.Affected))
	w.settle()
	w.wantAsked(b)
	vexCommit(w.T, w.root.VEX(), 3, nil) // nothing is decided otherwise
	w.settle()
	w.wantAsked()
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), b))[0]
	if s.Evaluated.VEX != 2 || s.Newest.VEX != 3 || s.Evaluated.Own != 1 {
		w.Errorf("%+v", s)
	}
	said := vexCommitOf(w.T, w.root.VEX(), 4, nil)
	said.Said = []string{"CVE-2"} // nothing is decided otherwise by the public trust alone
	if err := w.root.VEX().Commit(w.Context(), said); err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.wantAsked(b)
	w.told("")
}

// testPolicyTrust: another trust concerns all scans of who decides by it: a tenant's own
// at once, the public one with the head that follows from it.
func testPolicyTrust(w *policyWorld) {
	other := tenant(w, w.root, "other")
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.enforce(other, "", blockFrom(1, finding.High))
	vexCommit(w.T, w.root.VEX(), 1, nil)
	a, b, c := w.scan(w.acme, "a", "CVE-1 high"), w.scan(w.acme, "b"), w.scan(other, "a", "CVE-1 high")
	w.settle()
	w.asked = nil
	trust := func(v *store.VEX, tier int) string {
		return must[string](w)(v.SetTrust(w.Context(), &vex.Trust{Issuers: []vex.Issuer{{ID: "f", Tier: tier, Sources: []string{"f"}, Products: []string{"*"}}}}, "ann"))
	}
	by := func(of *store.Tenant, id string) string {
		s := must[[]policy.Standing](w)(of.Policy().Current(w.Context(), id))[0]
		return must[*policy.Verdict](w)(policy.DecodeVerdict(must[*policy.Record](w)(of.Policy().Find(w.Context(), s.Key)).Body)).Inputs.Trust
	}
	own := trust(w.acme.VEX(), 1)
	w.want(w.acme, b, ":pass:0:stale")
	w.want(other, c, ":block:1")
	w.settle()
	w.wantAsked(a, b)
	public := trust(w.root.VEX(), 2)
	w.evaluate(a, time.Now())
	w.settle()
	w.wantAsked()
	vexCommit(w.T, w.root.VEX(), 2, nil)
	w.want(other, c, ":block:1:stale")
	w.want(w.acme, a, ":block:1")
	w.settle()
	w.want(other, c, ":block:1")
	if got := []string{by(w.acme, a), by(w.acme, b), by(other, c)}; !cmp.Equal(got, []string{own, own, public}) {
		w.Errorf("decided by %q, want %q twice and %q", got, own, public)
	}
	w.asked = nil
}

// testPolicyRematch: a report with a newer head is decided about; who makes it is
// served by the same consumer.
func testPolicyRematch(w *policyWorld) {
	nextHead(w, w.root, 1, "one")
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 low")
	w.scan(w.acme, "b", "CVE-1 low")
	w.settle()
	w.want(w.acme, id, ":pass:0")
	w.changes()
	w.asked = nil
	nextHead(w, w.root, 2, "two")
	if err := w.root.Schedule().Schedule(w.Context(), "acme", "", []schedule.Job{{Tenant: "acme", ScanID: id, Head: 2, Cause: "new", Priority: 5}}); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, ":pass:0:stale")
	e := &schedule.Evaluator{
		Jobs:    func(name string) (schedule.Evaluations, error) { return tenant(w, w.root, name).Evaluations(), nil },
		Objects: func(string) (schedule.Objects, error) { return nil, errors.New("all documents are small") },
		Decode:  decodePlain, Holder: "v",
		Match: func(context.Context, string, time.Time, *sbom.Document) (*finding.Report, error) {
			return reportOf("two", "CVE-1 low", "CVE-3 critical"), nil
		},
	}
	w.handler.Next = e.Handle
	w.settle()
	w.wantAsked(id)
	w.want(w.acme, id, ":block:1")
	if diff := cmp.Diff([]string{"pass>block CVE-3 pkg:npm/x@1"}, w.changes()); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
	head := must[*vexlessHead](w)(headOf(w, 2))
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	if !s.At.Equal(head.at) && s.At.Before(head.at) || s.Evaluated.Head != 2 || s.Stale {
		w.Errorf("as of %v, head committed at %v: %+v", s.At, head.at, s)
	}
	// The report of the head before can be asked for by its number.
	in := must[*policy.Loaded](w)(w.acme.Policy().Load(w.Context(), policy.Request{ScanID: id, Head: 1}))
	if in.Head != 1 || len(in.Report.Findings) != 1 || !in.Marks.Precedes(s.Evaluated) {
		w.Errorf("with head 1: %+v", in)
	}
	if _, err := w.acme.Policy().Load(w.Context(), policy.Request{ScanID: id, Head: 7}); !errors.Is(err, policy.ErrNotFound) {
		w.Errorf("with head 7: %v", err)
	}
}

// vexlessHead is when a head of the advisories was committed.
type vexlessHead struct{ at time.Time }

func headOf(w *policyWorld, number int64) (*vexlessHead, error) {
	h, err := w.root.Advisories(nil).Head(w.Context(), number)
	if err != nil {
		return nil, err
	}
	return &vexlessHead{h.At}, nil
}

// testExpiry: an exception that ends while its scan is being decided about counts as
// of the evaluation time, and no longer when it has ended.
func testExpiry(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id, quiet := w.scan(w.acme, "a", "CVE-1 high"), w.scan(w.acme, "b", "CVE-2 high")
	w.settle()
	w.want(w.acme, id, ":block:1")
	expires := time.Now().Add(700 * time.Millisecond)
	if _, _, err := w.acme.Policy().Except(w.Context(), suppress("exc-1", expires, "CVE-1"), "bob"); err != nil {
		w.Fatal(err)
	}
	w.asked = nil
	w.settle()
	w.wantAsked(id)
	w.want(w.acme, id, ":pass:0")
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	if !s.NextChange.Equal(expires.UTC().Truncate(time.Microsecond)) {
		w.Errorf("next change at %v, want %v", s.NextChange, expires)
	}
	at := time.Now()
	before := w.evaluate(id, at)[0]
	time.Sleep(time.Until(expires) + 10*time.Millisecond)
	if again := w.evaluate(id, at)[0]; again.Key != before.Key || again.Outcome != policy.Pass {
		w.Errorf("a retry as of the same time: %s, and before %s", again.Outcome, before.Outcome)
	}
	w.want(w.acme, id, ":pass:0:stale")
	w.settle()
	w.wantAsked(id)
	w.want(w.acme, id, ":block:1")
	w.want(w.acme, quiet, ":block:1")
	if diff := cmp.Diff([]string{"exception/exc-1/expired"}, w.told(event.ExceptionExpired)); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
	if k := must[*policy.KeptException](w)(w.acme.Policy().Exception(w.Context(), "exc-1")); len(k.Events) != 2 || k.Events[1].Kind != "expired" {
		w.Errorf("%+v", k)
	}
	// One that is revoked before it ends is not announced twice.
	soon := time.Now().Add(100 * time.Millisecond)
	if _, _, err := w.acme.Policy().Except(w.Context(), suppress("exc-2", soon, "CVE-2"), "bob"); err != nil {
		w.Fatal(err)
	}
	must[*policy.KeptException](w)(w.acme.Policy().Revoke(w.Context(), "exc-2", "bob", "a fix is out"))
	time.Sleep(time.Until(soon) + 10*time.Millisecond)
	w.settle()
	w.want(w.acme, quiet, ":block:1")
	if told := w.told(event.ExceptionExpired); len(told) > 0 {
		w.Errorf("told of %q", told)
	}
}

// testNextChange: what a rule ignores for a while is decided again when that is over.
func testNextChange(w *policyWorld) {
	until := time.Now().Add(3 * time.Second).UTC().Truncate(time.Microsecond)
	w.enforce(w.acme, "", blockFrom(1, finding.High, policy.Rule{ID: "later", Action: policy.ActionIgnore, Until: until, Because: "it is being worked on"}))
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.settle()
	w.want(w.acme, id, ":pass:0")
	w.changes()
	time.Sleep(time.Until(until) + 10*time.Millisecond)
	w.settle()
	w.want(w.acme, id, ":block:1")
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	if !s.At.Equal(until) {
		w.Errorf("decided as of %v, want %v", s.At, until)
	}
	if got := w.changes(); len(got) != 1 {
		w.Errorf("told %q", got)
	}
}

// testPolicyFailures: a failure may be put right for a while, and then the scan has
// the outcome error, which no longer holds when it can be decided about.
func testPolicyFailures(w *policyWorld) {
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 low")
	w.settle()
	w.want(w.acme, id, "production:pass:0")
	message := w.askFor(id)
	read := w.gateway.Document
	var failure error
	w.gateway.Document = func(ctx context.Context, name string, d *policy.Document) (*sbom.Document, error) {
		if failure != nil {
			return nil, failure
		}
		return read(ctx, name, d)
	}
	failure = fmt.Errorf("the objects are away: %w", policy.ErrUnavailable)
	for range 9 {
		if err := w.handler.Handle(w.Context(), message); !errors.Is(err, policy.ErrUnavailable) { // a queue postpones that
			w.Fatalf("an outage: %v", err)
		}
	}
	failure = fmt.Errorf("an object is gone: %w", policy.ErrNotFound)
	for n := 1; n < store.Attempts; n++ {
		if err := w.handler.Handle(w.Context(), message); !errors.Is(err, policy.ErrNotFound) {
			w.Fatalf("attempt %d: %v", n, err)
		}
		w.want(w.acme, id, "production:pass:0:stale")
	}
	if err := w.handler.Handle(w.Context(), message); err != nil {
		w.Errorf("the last attempt: %v", err)
	}
	w.want(w.acme, id, "production:error:0")
	failure = nil
	w.settle()
	if got := w.changes(); !slices.Contains(got, "pass>error ") {
		w.Errorf("told %q", got)
	}
	if err := w.handler.Handle(w.Context(), w.askFor(id)); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, "production:pass:0")
	failure = fmt.Errorf("it is no document: %w", policy.ErrInvalid) // another attempt would not help
	if err := w.handler.Handle(w.Context(), w.askFor(id)); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, "production:error:0")
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	if s.Key != "" || !strings.Contains(s.Because, "it is no document") {
		w.Errorf("%+v", s)
	}
}

// testBrokenPolicy: one that cannot be compiled, or whose evaluation panics, never
// allows, and other environments do not mind.
func testBrokenPolicy(w *policyWorld) {
	w.enforce(w.acme, "good", blockFrom(1, finding.High))
	w.enforce(w.acme, "panics", blockFrom(2, finding.High, policy.Rule{ID: "r", Action: policy.ActionAllow, Because: "because", Conditions: []policy.Condition{{Expression: "boom"}}}))
	w.enforce(w.acme, "refused", blockFrom(3, finding.High, policy.Rule{ID: "r", Action: policy.ActionAllow, Because: "because", Conditions: []policy.Condition{{Expression: "newer"}}}))
	w.gateway.Compile = func(p *policy.Policy) (*policy.Engine, error) {
		return policy.Compile(p, &policy.Options{Expressions: func(text string) (policy.Expression, error) {
			if text == "newer" {
				return nil, fmt.Errorf("no function is called newer: %w", policy.ErrUnsupported)
			}
			return panics{}, nil
		}})
	}
	id := w.scan(w.acme, "a", "CVE-1 low")
	w.settle()
	w.want(w.acme, id, "good:pass:0 panics:error:0 refused:error:0")
	job := must[*scan.Job](w)(w.acme.Scans().Job(w.Context(), id))
	e := &scan.Evaluation{Job: job}
	if v, err := (&store.Judge{Gateway: w.gateway}).Evaluate(w.Context(), e, job.Summary.At); err == nil {
		w.Errorf("a scan completes with %+v", v)
	}
}

type panics struct{}

func (panics) Eval(policy.Facts) (bool, error) { panic("boom") }
func (panics) Reads() []string                 { return []string{"severity"} }

// testPolicyGone: messages about scans that are gone, or have no results, are done.
func testPolicyGone(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.settle()
	running := submit(w, w.acme.Scans(), "a")
	for _, id := range []string{"scan-none", running.ID} {
		data := must[[]byte](w)((&event.PolicyJob{JobID: id, At: time.Now(), Cause: "test"}).Encode())
		e := event.Event{ID: id + "/policy", Type: event.PolicyEvaluation, Source: "policy", Tenant: "acme", Data: data}
		if err := w.handler.Handle(w.Context(), must[[]byte](w)(e.Encode())); err != nil {
			w.Errorf("%s: %v", id, err)
		}
	}
	for _, typ := range []event.Type{event.PolicyEvaluation, event.ScanCompleted, event.VEXDelta} {
		e := event.Event{ID: "x", Type: typ, Source: "s", Tenant: "acme", Data: []byte(`{}`)}
		if err := w.handler.Handle(w.Context(), must[[]byte](w)(e.Encode())); !errors.Is(err, policy.ErrInvalid) {
			w.Errorf("%s without its data: %v", typ, err)
		}
	}
	if err := w.handler.Handle(w.Context(), []byte(`{}`)); !errors.Is(err, policy.ErrInvalid) {
		w.Error(err)
	}
	e := event.Event{ID: "x", Type: event.ScanQueued, Source: "s", Tenant: "acme"}
	if err := w.handler.Handle(w.Context(), must[[]byte](w)(e.Encode())); err != nil {
		w.Errorf("another type: %v", err)
	}
	if _, err := w.gateway.Evaluate(w.Context(), "acme", policy.Request{ScanID: running.ID}); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("without a time: %v", err)
	}
}
