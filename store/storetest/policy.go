package storetest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// TestPolicy checks the promises of policy.Store and policy.Causes, and what a
// policy.Gateway makes of them. open returns an empty store each time; it is closed by
// the test.
func TestPolicy(t *testing.T, open func(t testing.TB) *store.Root) {
	for name, test := range map[string]func(*policyWorld){
		"Policies": testPolicies, "Activate": testActivate, "Deactivate": testDeactivate, "Exceptions": testExceptions, "Verdicts": testVerdicts, "Unassessed": testUnassessed,
		"SameKey": testSameKey, "OtherBytes": testOtherBytes, "Order": testVerdictOrder, "Moving": testMovingHeads, "OneMoment": testOneMoment,
		"Sweep": testPolicySweep, "Delta": testPolicyDelta, "Trust": testPolicyTrust, "Rematch": testPolicyRematch, "Expiry": testExpiry, "Ignore": testNextChange, "Controls": testControls,
		"Failures": testPolicyFailures, "Broken": testBrokenPolicy, "Gone": testPolicyGone, "Judge": testJudge, "Tenants": testPolicyTenants, "Collect": testPolicyCollect,
		"Crashes": testPolicyCrashes, "Limits": testPolicyLimits, "Loop": testPolicyLoop, "Race": testPolicyRace, "Posture": testPosture, "PostureChanges": testPostureChanges, "PostureTenants": testPostureTenants, "PostureCollect": testPostureCollect, "Statements": testPolicyStatements,
	} {
		t.Run(name, func(t *testing.T) { test(newPolicyWorld(t, open)) })
	}
}

// policyWorld is a store with a gateway over it.
type policyWorld struct {
	*testing.T
	root    *store.Root
	queue   *collector
	relay   *store.Relay
	gateway *policy.Gateway
	handler *policy.Handler
	acme    *store.Tenant
	events  []*event.Event // of policy:events
	asked   []string       // scans that somebody asked to decide about
}

func newPolicyWorld(t *testing.T, open func(t testing.TB) *store.Root) *policyWorld {
	root := open(t)
	t.Cleanup(func() { root.Close() })
	w := &policyWorld{T: t, root: root, queue: &collector{}, acme: tenant(t, root, "acme")}
	w.relay = root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 1 << 20})
	if err := root.Register(t.Context(), event.ScannerEvents, event.GroupPolicy, event.SBOMCreated, event.ScanCompleted); err != nil {
		t.Fatal(err)
	}
	w.gateway = &policy.Gateway{
		Stores:     func(name string) (policy.Store, error) { return tenant(t, root, name).Policy(), nil },
		Document:   store.Documents(nil, decodePlain),
		Statements: root.Said,
	}
	w.handler = &policy.Handler{Gateway: w.gateway, Causes: root.Causes()}
	return w
}

// decodePlain reads a document as completedWith writes it.
func decodePlain(r io.Reader) (*sbom.Document, error) {
	doc := new(sbom.Document)
	return doc, json.UnmarshalRead(r, doc)
}

// scan brings a scan to evaluating that has vulnerabilities with a severity each, such
// as "CVE-1 high". A word after them is an alias.
func (w *policyWorld) scan(of *store.Tenant, image string, found ...string) string {
	w.Helper()
	s := of.Scans()
	j := submit(w, s, image)
	if err := s.Complete(w.Context(), *claim(w, s, j), policyResults(w, image, found...)); err != nil {
		w.Fatal(err)
	}
	return j.ID
}

func policyResults(t testing.TB, image string, found ...string) scan.Results {
	u := purl.PackageURL{Type: "npm", Name: "x", Version: "1"}
	doc := &sbom.Document{Name: image, Packages: []sbom.Package{{ID: "p1", Name: "x", Version: "1", PURL: u}}}
	text, err := json.Marshal(doc, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	r := scan.Results{ImageDigest: sha(image), SBOMDigest: sha(string(text)), Packages: []scan.PackageFact{{ID: "p1", Name: "x"}}}
	r.Documents = []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: blob.Ref{Digest: r.SBOMDigest, Size: int64(len(text))}, Content: text}}
	r.Report = reportOf("one", found...)
	return r
}

func reportOf(snapshot string, found ...string) *finding.Report {
	r := &finding.Report{Snapshot: sha(snapshot), Findings: []finding.Finding{}}
	for _, f := range found {
		part := strings.Fields(f)
		r.Findings = append(r.Findings, finding.Finding{Package: "p1", Name: "x", Version: "1", PURL: "pkg:npm/x@1", Vulnerability: part[0], Severity: finding.Severity(part[1]), Aliases: part[2:]})
	}
	return r
}

// blockFrom is a policy that blocks from a severity on.
func blockFrom(version int, s finding.Severity, rules ...policy.Rule) *policy.Policy {
	return &policy.Policy{ID: "release", Version: version, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: s}}, Rules: rules}
}

// enforce keeps a policy and puts it in force.
func (w *policyWorld) enforce(of *store.Tenant, environment string, p *policy.Policy) *policy.Activation {
	w.Helper()
	if _, _, err := of.Policy().Add(w.Context(), p, []byte("text"), "ann"); err != nil {
		w.Fatal(err)
	}
	return must[*policy.Activation](w)(of.Policy().Activate(w.Context(), policy.Activation{Environment: environment, Policy: policy.Named{ID: p.ID, Version: p.Version}, By: "ann"}))
}

func (w *policyWorld) consumers(topic string) func(context.Context, []byte) error {
	switch topic {
	case event.SchedulerEvaluations, event.ScannerEvents, event.ExcititorDeltas:
		return w.handler.Handle
	case event.PolicyEvents:
		return func(_ context.Context, body []byte) error {
			e, err := event.Decode(body)
			if !slices.ContainsFunc(w.events, func(have *event.Event) bool { return have.ID == e.ID && have.Tenant == e.Tenant }) {
				w.events = append(w.events, e)
			}
			return err
		}
	}
	return func(context.Context, []byte) error { return nil }
}

// settle wakes, relays and handles until there is nothing to do. Messages come twice.
func (w *policyWorld) settle() {
	w.Helper()
	for range 100 {
		n := must[int](w)(w.root.WakePolicies(w.Context()))
		relayAll(w, w.relay)
		messages := w.queue.messages
		w.queue.messages = nil
		for _, m := range messages {
			if e := must[*event.Event](w)(event.Decode(m.body)); e.Type == event.PolicyEvaluation {
				w.asked = append(w.asked, must[*event.PolicyJob](w)(event.DecodePolicyJob(e)).JobID)
			}
			for range 2 {
				if err := w.consumers(m.topic)(w.Context(), m.body); err != nil {
					w.Fatalf("%s: %s: %v", m.topic, m.body, err)
				}
			}
		}
		if n == 0 && len(messages) == 0 {
			return
		}
	}
	w.Fatal("it does not come to rest")
}

// standing is what holds about a scan: "env:outcome:blocked" for each environment.
func (w *policyWorld) standing(of *store.Tenant, id string) string {
	w.Helper()
	var out []string
	for _, s := range must[[]policy.Standing](w)(of.Policy().Current(w.Context(), id)) {
		text := fmt.Sprintf("%s:%s:%d", s.Environment, s.Outcome, s.Blocked)
		if s.Stale {
			text += ":stale"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func (w *policyWorld) want(of *store.Tenant, id, want string) {
	w.Helper()
	if got := w.standing(of, id); got != want {
		w.Errorf("%q holds, want %q", got, want)
	}
}

// told lists the events of a type so far, and forgets them.
func (w *policyWorld) told(typ event.Type) []string {
	var out []string
	w.events = slices.DeleteFunc(w.events, func(e *event.Event) bool {
		if e.Type == typ {
			out = append(out, e.ID)
		}
		return e.Type == typ
	})
	return out
}

// changes lists what was told of verdicts so far, and forgets it.
func (w *policyWorld) changes() []string {
	w.Helper()
	out := []string{}
	for _, e := range w.events {
		if e.Type == event.VerdictChanged {
			d := must[*event.VerdictChange](w)(event.DecodeVerdictChange(e))
			out = append(out, fmt.Sprintf("%s>%s %s", d.Before, d.Outcome, strings.Join(d.Blocking, ",")))
		}
	}
	w.told(event.VerdictChanged)
	slices.Sort(out)
	return out
}

// evaluate decides about a scan as of now.
func (w *policyWorld) evaluate(id string, at time.Time) []policy.Record {
	w.Helper()
	return must[[]policy.Record](w)(w.gateway.Evaluate(w.Context(), "acme", policy.Request{ScanID: id, At: at, Cause: "test"}))
}
