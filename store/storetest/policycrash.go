package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// testJudge: a scan completes with the gateway's verdict, and what the event of its
// completion asks for is the same verdict.
func testJudge(w *policyWorld) {
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	w.enforce(w.acme, "staging", blockFrom(2, finding.Critical))
	w.settle()
	other := tenant(w, w.root, "other")
	c := &scan.Completer{
		Jobs:      func(name string) (scan.Evaluations, error) { return tenant(w, w.root, name).Scans(), nil },
		Evaluator: &store.Judge{Gateway: w.gateway}, Signer: signer{}, Holder: "web",
	}
	id, free := w.scan(w.acme, "a", "CVE-1 high"), w.scan(other, "a", "CVE-1 high")
	relayAll(w, w.relay)
	for _, m := range w.queue.messages {
		if err := c.Handle(w.Context(), m.body); err != nil {
			w.Fatal(err)
		}
	}
	w.want(w.acme, id, "production:block:1 staging:pass:0")
	job := must[*scan.Job](w)(w.acme.Scans().Job(w.Context(), id))
	list, _, err := w.acme.Policy().Decisions(w.Context(), id, "", 0)
	if err != nil || job.State != scan.Completed || job.Summary.Outcome != "block" || len(list) != 2 {
		w.Fatalf("%+v, %+v, %v", job, list, err)
	}
	w.settle()
	again, _, err := w.acme.Policy().Decisions(w.Context(), id, "", 0)
	if diff := cmp.Diff(list, again); err != nil || diff != "" {
		w.Errorf("after its events (-before +after):\n%s", diff)
	}
	for _, d := range again {
		if r := must[*policy.Record](w)(w.acme.Policy().Find(w.Context(), d.Key)); d.Environment == "production" && r.Digest != job.Summary.Verdict {
			w.Errorf("completed with %s, and %s is kept", job.Summary.Verdict, r.Digest)
		}
	}
	if job := must[*scan.Job](w)(other.Scans().Job(w.Context(), free)); job.State != scan.Completed || job.Summary.Outcome != scan.NotEvaluated {
		w.Errorf("without a policy: %+v", job.Summary)
	}
}

// signer signs every verdict.
type signer struct{}

func (signer) Sign(_ context.Context, _ *scan.Evaluation, body []byte) (*scan.Signature, error) {
	return &scan.Signature{KeyID: "k", Envelope: body}, nil
}

// testPolicyTenants: nobody reads, changes or is told of another tenant's.
func testPolicyTenants(w *policyWorld) {
	other := tenant(w, w.root, "other")
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	if _, _, err := w.acme.Policy().Except(w.Context(), suppress("exc-1", time.Time{}, "CVE-7"), "bob"); err != nil {
		w.Fatal(err)
	}
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.settle()
	key := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0].Key
	p, ctx := other.Policy(), w.Context()
	for name, err := range map[string]error{
		"verdict": second(p.Find(ctx, key)), "current": second(p.Current(ctx, id)), "load": second(p.Load(ctx, policy.Request{ScanID: id, At: time.Now()})), "policy": second(p.Revision(ctx, "release", 1)),
		"exception": second(p.Exception(ctx, "exc-1")), "revoke": second(p.Revoke(ctx, "exc-1", "eve", "why")),
		"activate": second(p.Activate(ctx, policy.Activation{Policy: policy.Named{ID: "release", Version: 1}})),
		"keep":     p.Keep(ctx, &policy.Batch{ScanID: id, At: time.Now()}),
	} {
		if !errors.Is(err, policy.ErrNotFound) {
			w.Errorf("%s of another tenant: %v", name, err)
		}
	}
	if _, err := p.Fail(ctx, &policy.Failure{ScanID: id, At: time.Now(), Permanent: true, Reason: "evil"}); err != nil {
		w.Error(err)
	}
	list, _, err := p.Revisions(ctx, "", 0)
	exceptions := must[[]policy.Exception](w)(p.Exceptions(ctx, "", 0))
	activations := must[[]policy.Activation](w)(p.Activations(ctx, 0, 0))
	if len(list)+len(exceptions)+len(activations) > 0 || err != nil {
		w.Errorf("%v, %v, %v, %v", list, exceptions, activations, err)
	}
	w.settle()
	w.want(w.acme, id, ":block:1")
	for _, e := range w.events {
		if e.Tenant != "acme" {
			w.Errorf("%s is told of %s", e.Tenant, e.ID)
		}
	}
}

// testPolicyCollect: verdicts go with the last scan that they are about.
func testPolicyCollect(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	open := w.scan(w.acme, "b", "CVE-1 high")
	w.settle()
	keys := map[string]string{}
	for _, s := range []string{id, open} {
		keys[s] = must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), s))[0].Key
	}
	e := must[*scan.Evaluation](w)(w.acme.Scans().ClaimEvaluation(w.Context(), scan.ClaimRequest{JobID: id, Holder: "web", Length: 15 * time.Second}))
	if err := w.acme.Scans().FinishEvaluation(w.Context(), e.Lease, scan.Conclusion{}); err != nil {
		w.Fatal(err)
	}
	time.Sleep(3 * time.Millisecond)
	if _, err := w.root.Collect(w.Context(), &store.Retention{Scans: time.Millisecond, Keys: -1, Events: -1}); err != nil {
		w.Fatal(err)
	}
	if _, err := w.acme.Policy().Find(w.Context(), keys[id]); !errors.Is(err, policy.ErrNotFound) {
		w.Errorf("a verdict about nothing: %v", err)
	}
	if _, err := w.acme.Policy().Find(w.Context(), keys[open]); err != nil {
		w.Error(err)
	}
	vexCommit(w.T, w.root.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
	w.asked = nil
	w.settle()
	w.wantAsked(open)
}

// testPolicyStatements: what suppliers say counts, and a set that cannot be read is no
// set without statements.
func testPolicyStatements(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	must[string](w)(w.root.VEX().SetTrust(w.Context(), someTrust("t"), "ann"))
	run := vexRunOf(w.T, w.root.VEX(), "s")
	run.says("a", "1", "a document", says("CVE-1", vex.NotAffected))
	run.finish(vex.Finish{State: []byte("state")})
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.settle()
	w.want(w.acme, id, ":block:1")
	vexCommit(w.T, w.root.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.NotAffected))
	w.settle()
	w.want(w.acme, id, ":pass:0")
	v := must[*policy.Verdict](w)(policy.DecodeVerdict(w.evaluate(id, time.Now())[0].Body))
	if len(v.Inputs.VEX) != 1 || v.Inputs.Trust != someTrust("t").Digest() {
		w.Errorf("%+v", v.Inputs)
	}
	if _, err := w.root.Said(w.Context(), "acme", []string{sha("no such set")}, []string{"CVE-1"}); !errors.Is(err, vex.ErrNotFound) {
		w.Errorf("a set that is not there: %v", err)
	}
	for name, said := range map[string]func(context.Context, string, []string, []string) ([]*vex.Statement, error){
		"nobody": nil,
		"away": func(context.Context, string, []string, []string) ([]*vex.Statement, error) {
			return nil, fmt.Errorf("away: %w", policy.ErrUnavailable)
		},
		"damaged": func(context.Context, string, []string, []string) ([]*vex.Statement, error) {
			return nil, fmt.Errorf("damaged: %w", policy.ErrMismatch)
		},
	} {
		w.gateway.Statements = said
		if r, err := w.gateway.Evaluate(w.Context(), "acme", policy.Request{ScanID: id, At: time.Now()}); err == nil {
			w.Errorf("%s: %+v", name, r)
		}
	}
}

// crashAt runs f, which ends once at a crash point.
func crashAt(p crashpoint.Point, nth int, f func() error) (err error, hit bool) {
	before := crashpoint.Set(func(at crashpoint.Point) {
		if at == p {
			if nth--; nth == 0 {
				panic(errCrashed)
			}
		}
	})
	defer crashpoint.Set(before)
	defer func() {
		if r := recover(); r != nil {
			if r != errCrashed { //nolint:errorlint // thrown, not wrapped
				panic(r)
			}
			err, hit = errCrashed, true
		}
	}()
	return f(), false
}

// policyStory is a story that one tenant goes through, and that ends once at a crash
// point.
type policyStory struct {
	*policyWorld
	acme *store.Tenant
	at   crashpoint.Point
	nth  int
	hit  bool
}

// step does something until it is done.
func (s *policyStory) step(f func() error) {
	s.Helper()
	for range 20 {
		err, crashed := error(nil), false
		if s.hit {
			err = f()
		} else if err, crashed = crashAt(s.at, s.nth, f); crashed {
			s.hit = true
		}
		if err == nil {
			return
		}
		if !errors.Is(err, errCrashed) && !errors.Is(err, policy.ErrNotFound) {
			s.Fatalf("%s: %v", s.at, err)
		}
	}
	s.Fatalf("%s: it does not end", s.at)
}

// rest handles everything that follows.
func (s *policyStory) rest() {
	s.Helper()
	for range 50 {
		n := 0
		s.step(func() (err error) { n, err = s.root.WakePolicies(s.Context()); return err })
		relayAll(s, s.relay)
		messages := s.queue.messages
		s.queue.messages = nil
		for _, m := range messages {
			s.step(func() error { return s.consumers(m.topic)(s.Context(), m.body) })
		}
		if n == 0 && len(messages) == 0 {
			return
		}
	}
	s.Fatalf("%s: it does not come to rest", s.at)
}

func (s *policyStory) activate(environment string) {
	s.step(func() error {
		_, err := s.acme.Policy().Activate(s.Context(), policy.Activation{Environment: environment, Policy: policy.Named{ID: "release", Version: 1}})
		return err
	})
	s.rest()
}

// tell goes through the story, and returns what holds and was told in the end.
func (s *policyStory) tell() string {
	ctx := s.Context()
	id := s.scan(s.acme, "a", "CVE-1 high", "CVE-2 high")
	if _, _, err := s.acme.Policy().Add(ctx, blockFrom(1, finding.High), nil, "ann"); err != nil {
		s.Fatal(err)
	}
	s.activate("")
	s.step(func() error {
		_, _, err := s.acme.Policy().Except(ctx, suppress("exc-1", time.Time{}, "CVE-2"), "bob")
		return err
	})
	s.rest()
	vexCommit(s.T, s.acme.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
	s.rest()
	// A failure until it is given up, and what follows.
	read := s.gateway.Document
	s.gateway.Document = func(context.Context, string, *policy.Document) (*sbom.Document, error) {
		return nil, fmt.Errorf("an object is gone: %w", policy.ErrNotFound)
	}
	s.step(func() error {
		_, err := s.acme.Policy().Revoke(ctx, "exc-1", "bob", "a fix is out")
		return err
	})
	s.rest()
	s.want(s.acme, id, ":error:0")
	s.gateway.Document = read
	s.activate("staging")
	var told []string
	for _, e := range s.events {
		if e.Tenant == s.acme.Name() {
			told = append(told, strings.ReplaceAll(e.ID, id, "scan"))
		}
	}
	return s.standing(s.acme, id) + "\n" + strings.Join(told, "\n")
}

// testPolicyCrashes goes through the same story, crashing at each point of policy in
// turn: afterwards the same holds, the same was told, and nothing is due.
func testPolicyCrashes(w *policyWorld) {
	calm := policyStory{policyWorld: w, acme: tenant(w, w.root, "calm"), hit: true}
	want := calm.tell()
	if !strings.Contains(want, ":block:2 staging:block:2\n") || !strings.Contains(want, "exc-1/revoked") {
		w.Fatalf("the story ends otherwise: %s", want)
	}
	for _, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "policy.") {
			continue
		}
		for _, nth := range []int{1, 3} {
			if nth > 1 && testing.Short() {
				continue
			}
			name := strings.ReplaceAll(string(p), ".", "-") + fmt.Sprint("-", nth)
			s := policyStory{policyWorld: w, acme: tenant(w, w.root, name), at: p, nth: nth}
			if diff := cmp.Diff(want, s.tell()); diff != "" {
				w.Errorf("crashed at %s, pass %d (-calm +crashed):\n%s", p, nth, diff)
			}
			if nth == 1 && !s.hit {
				w.Errorf("%s is never passed", p)
			}
		}
	}
}
