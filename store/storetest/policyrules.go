package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/event"
)

func testPolicies(w *policyWorld) {
	p, ctx := w.acme.Policy(), w.Context()
	first, repeated, err := p.Add(ctx, blockFrom(1, finding.High), []byte("version: 1\n"), "ann")
	if err != nil || repeated || first.Digest != blockFrom(1, finding.High).Digest() || first.By != "ann" || first.Created.IsZero() {
		w.Fatalf("%+v, %v, %v", first, repeated, err)
	}
	again, repeated, err := p.Add(ctx, blockFrom(1, finding.High), []byte("# a comment\nversion: 1\n"), "bob")
	if err != nil || !repeated || again.By != "ann" || string(again.Source) != "version: 1\n" {
		w.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	if _, _, err := p.Add(ctx, blockFrom(1, finding.Low), nil, "ann"); !errors.Is(err, policy.ErrConflict) {
		w.Errorf("another policy as the same version: %v", err)
	}
	bad := blockFrom(0, finding.High)
	if _, _, err := p.Add(ctx, bad, nil, "ann"); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("version 0: %v", err)
	}
	if _, _, err := p.Add(ctx, blockFrom(3, finding.High), make([]byte, 2<<20), "ann"); !errors.Is(err, policy.ErrLimit) {
		w.Errorf("a large text: %v", err)
	}
	for v := 2; v <= 5; v++ {
		if _, _, err := p.Add(ctx, blockFrom(v, finding.High), nil, "ann"); err != nil {
			w.Fatal(err)
		}
	}
	w.enforce(w.acme, "production", blockFrom(3, finding.High))
	var listed []string
	after := ""
	for range 9 {
		list, next, err := p.Revisions(ctx, after, 2)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range list {
			listed = append(listed, fmt.Sprintf("%s@%d%v", r.ID, r.Version, r.Environments))
		}
		if after = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"release@5[]", "release@4[]", "release@3[production]", "release@2[]", "release@1[]"}, listed); diff != "" {
		w.Errorf("listed (-want +got):\n%s", diff)
	}
	if r := must[*policy.Revision](w)(p.Revision(ctx, "release", 0)); r.Version != 5 || r.Policy == nil {
		w.Errorf("the newest: %+v", r)
	}
	for _, c := range []struct {
		id      string
		version int
	}{{"release", 9}, {"none", 0}, {"", 1}} {
		if _, err := p.Revision(ctx, c.id, c.version); !errors.Is(err, policy.ErrNotFound) {
			w.Errorf("%v: %v", c, err)
		}
	}
	for _, cursor := range []string{"x", "1", "x.release"} {
		if _, _, err := p.Revisions(ctx, cursor, 2); !errors.Is(err, policy.ErrInvalid) {
			w.Errorf("after %q: %v", cursor, err)
		}
	}
	if _, _, err := p.Revisions(ctx, "", 1001); !errors.Is(err, policy.ErrInvalid) {
		w.Error(err)
	}
}

func testActivate(w *policyWorld) {
	p, ctx := w.acme.Policy(), w.Context()
	for v := 1; v <= 3; v++ {
		if _, _, err := p.Add(ctx, blockFrom(v, finding.High), nil, "ann"); err != nil {
			w.Fatal(err)
		}
	}
	try := func(environment string, version int, rollback bool, reason string) (*policy.Activation, error) {
		return p.Activate(ctx, policy.Activation{Environment: environment, Policy: policy.Named{ID: "release", Version: version}, Rollback: rollback, By: "ann", Reason: reason})
	}
	first := must[*policy.Activation](w)(try("production", 2, false, ""))
	if again := must[*policy.Activation](w)(try("production", 2, false, "again")); again.Number != first.Number || again.Reason != "" {
		w.Errorf("again: %+v", again)
	}
	if _, err := try("production", 1, false, "no"); !errors.Is(err, policy.ErrConflict) {
		w.Errorf("an older version: %v", err)
	}
	if _, err := try("production", 1, true, " "); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("a rollback without a reason: %v", err)
	}
	back := must[*policy.Activation](w)(try("production", 1, true, "version 2 blocks everything"))
	if !back.Rollback || back.Number != first.Number+1 {
		w.Errorf("rolled back: %+v", back)
	}
	if up := must[*policy.Activation](w)(try("production", 3, true, "said for nothing")); up.Rollback {
		w.Errorf("this is no rollback: %+v", up)
	}
	must[*policy.Activation](w)(try("", 1, false, "")) // another environment has a history of its own
	for _, c := range []struct {
		environment string
		version     int
		want        error
	}{{"production", 9, policy.ErrNotFound}, {"a b", 1, policy.ErrInvalid}, {"ä", 1, policy.ErrInvalid}, {strings.Repeat("e", 200), 1, policy.ErrInvalid}} {
		if _, err := try(c.environment, c.version, false, ""); !errors.Is(err, c.want) {
			w.Errorf("%v: %v", c, err)
		}
	}
	w.settle()
	if diff := cmp.Diff([]string{"activation/1", "activation/2", "activation/3", "activation/4"}, w.told(event.PolicyActivated)); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
	list := must[[]policy.Activation](w)(p.Activations(ctx, 0, 3))
	rest := must[[]policy.Activation](w)(p.Activations(ctx, list[2].Number, 3))
	if len(list) != 3 || list[0].Number != 4 || len(rest) != 1 || rest[0].Number != 1 {
		w.Errorf("%+v, %+v", list, rest)
	}
}

// testDeactivate: where a policy is no longer in force nothing holds, and whoever goes
// back to an older version afterwards has to say so.
func testDeactivate(w *policyWorld) {
	p, ctx := w.acme.Policy(), w.Context()
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.enforce(w.acme, "staging", blockFrom(1, finding.High))
	w.enforce(w.acme, "production", blockFrom(2, finding.High))
	w.settle()
	w.want(w.acme, id, "production:block:1 staging:block:1")
	end := func(environment, reason string) (*policy.Activation, error) {
		return p.Activate(ctx, policy.Activation{Environment: environment, By: "ann", Reason: reason})
	}
	if _, err := end("production", ""); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("without a reason: %v", err)
	}
	if _, err := end("testing", "why not"); !errors.Is(err, policy.ErrNotFound) {
		w.Errorf("where nothing is in force: %v", err)
	}
	first := must[*policy.Activation](w)(end("production", "it moved"))
	if again := must[*policy.Activation](w)(end("production", "it moved")); again.Number != first.Number {
		w.Errorf("again: %+v", again)
	}
	w.settle()
	w.want(w.acme, id, "staging:block:1")
	if r := must[*policy.Revision](w)(p.Revision(ctx, "release", 2)); len(r.Environments) != 0 {
		w.Errorf("in force in %q", r.Environments)
	}
	fresh := w.scan(w.acme, "b", "CVE-1 high")
	w.settle()
	w.want(w.acme, fresh, "staging:block:1")
	if _, err := p.Activate(ctx, policy.Activation{Environment: "production", Policy: policy.Named{ID: "release", Version: 1}}); !errors.Is(err, policy.ErrConflict) {
		w.Errorf("an older version than before: %v", err)
	}
	must[*policy.Activation](w)(end("staging", "all of it"))
	w.settle()
	w.want(w.acme, id, "")
	w.wantAsked(id, fresh)
	if told := w.told(event.PolicyActivated); len(told) != 4 {
		w.Errorf("told %q", told)
	}
	if told := w.told(event.VerdictChanged); len(told) != 3 {
		w.Errorf("told %q", told)
	}
	w.enforce(w.acme, "production", blockFrom(3, finding.High)) // what holds then has a name of its own
	w.settle()
	w.want(w.acme, id, "production:block:1")
	if told := w.told(event.VerdictChanged); len(told) != 2 || strings.HasSuffix(told[0], "/1") {
		w.Errorf("told %q", told)
	}
	w.asked = nil
}

// suppress is an exception for vulnerabilities.
func suppress(id string, expires time.Time, vulnerabilities ...string) policy.Exception {
	return policy.Exception{ID: id, Effect: policy.Suppress, Owner: "ann", Reason: "it is not reachable", Expires: expires, Scope: policy.ExceptionScope{Vulnerabilities: vulnerabilities}}
}

func testExceptions(w *policyWorld) {
	p, ctx := w.acme.Policy(), w.Context()
	later := time.Now().Add(time.Hour)
	k, repeated, err := p.Except(ctx, suppress("exc-1", later, "CVE-1"), "bob")
	if err != nil || repeated || k.Exception.Created.IsZero() || len(k.Events) != 1 || k.Events[0].By != "bob" {
		w.Fatalf("%+v, %v, %v", k, repeated, err)
	}
	forged := suppress("exc-1", later, "CVE-1")
	forged.Created, forged.Revoked = time.Unix(1, 0), time.Unix(2, 0) // nobody says when but the store
	again, repeated, err := p.Except(ctx, forged, "eve")
	if err != nil || !repeated || !again.Exception.Created.Equal(k.Exception.Created) || !again.Exception.Revoked.IsZero() {
		w.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	if _, _, err := p.Except(ctx, suppress("exc-1", later, "CVE-2"), "bob"); !errors.Is(err, policy.ErrConflict) {
		w.Errorf("another exception by the same id: %v", err)
	}
	for name, e := range map[string]policy.Exception{"no scope": suppress("exc-2", later), "expired": suppress("exc-2", time.Now().Add(-time.Hour), "CVE-1"), "no id": suppress("", later, "CVE-1"), "zero": {}} {
		if _, _, err := p.Except(ctx, e, "bob"); !errors.Is(err, policy.ErrInvalid) {
			w.Errorf("%s: %v", name, err)
		}
	}
	for i := 2; i <= 5; i++ {
		if _, _, err := p.Except(ctx, suppress(fmt.Sprint("exc-", i), time.Time{}, "CVE-*"), "bob"); err != nil {
			w.Fatal(err)
		}
	}
	if _, err := p.Revoke(ctx, "exc-3", "bob", ""); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("without a reason: %v", err)
	}
	for range 2 {
		k := must[*policy.KeptException](w)(p.Revoke(ctx, "exc-3", "carl", "a fix is out"))
		if k.Exception.Revoked.IsZero() || len(k.Events) != 2 || k.Events[1].Kind != "revoked" || k.Events[1].By != "carl" {
			w.Errorf("revoked: %+v", k)
		}
	}
	var listed []string
	for after := ""; ; {
		list := must[[]policy.Exception](w)(p.Exceptions(ctx, after, 2))
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			listed = append(listed, fmt.Sprint(e.ID, " ", !e.Revoked.IsZero()))
			after = e.ID
		}
	}
	if diff := cmp.Diff([]string{"exc-1 false", "exc-2 false", "exc-3 true", "exc-4 false", "exc-5 false"}, listed); diff != "" {
		w.Errorf("listed (-want +got):\n%s", diff)
	}
	for _, err := range []error{second(p.Exception(ctx, "none")), second(p.Revoke(ctx, "none", "bob", "why"))} {
		if !errors.Is(err, policy.ErrNotFound) {
			w.Error(err)
		}
	}
	w.settle()
	if created, revoked := w.told(event.ExceptionCreated), w.told(event.ExceptionRevoked); len(created) != 5 || len(revoked) != 1 {
		w.Errorf("told of %q and %q", created, revoked)
	}
	if len(w.asked) > 0 {
		w.Errorf("%q were decided about without a policy", w.asked)
	}
}

func second[T any](_ T, err error) error { return err }

// testControls: an exception that requires a control counts where it is in place.
func testControls(w *policyWorld) {
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	e := suppress("exc-1", time.Time{}, "CVE-1")
	e.Effect, e.Control = policy.RequireControl, "waf"
	if _, _, err := w.acme.Policy().Except(w.Context(), e, "bob"); err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.want(w.acme, id, "production:block:1")
	if _, err := w.acme.Policy().Activate(w.Context(), policy.Activation{Environment: "production", Policy: policy.Named{ID: "release", Version: 1}, Controls: []string{"waf", "audit", "waf"}}); err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.want(w.acme, id, "production:warn:0")
}
