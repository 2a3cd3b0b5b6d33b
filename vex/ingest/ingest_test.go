package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

func wantForce(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in force (-want +got):\n%s", diff)
	}
}

func TestRun(t *testing.T) {
	v := newStore(t).VEX()
	i := newIngester(v)
	i.Batch = 2
	f := &feed{name: "f", complete: true, state: "1", docs: map[string]string{
		"a": "CVE-1 affected pkg:npm/x@1 2026-01-01\nCVE-2 not_affected pkg:npm/x@1 2026-01-01\nbroken\n", "b": "CVE-3 fixed pkg:npm/x@1 2026-01-01\n", "c": "junk\n", "d/e": "panic\n"}}
	got := run(t, i, f)
	if diff := cmp.Diff(&ingest.Outcome{Source: "f", Run: got.Run, Documents: 4, Statements: 3, Problems: 1, Quarantined: 2}, got); diff != "" {
		t.Error(diff)
	}
	wantForce(t, inForce(t, v), "CVE-1 affected", "CVE-2 not_affected", "CVE-3 fixed")
	parsed := f.parsed
	if got := run(t, i, f); got.Documents != 0 || got.Gone != 0 || f.parsed != parsed {
		t.Errorf("the same again: %+v, %d documents were read", got, f.parsed-parsed)
	}
	delete(f.docs, "b")
	f.docs["a"] = "CVE-1 fixed pkg:npm/x@1 2026-01-02\n"
	if got := run(t, i, f); got.Documents != 1 || got.Gone != 1 {
		t.Errorf("%+v", got)
	}
	wantForce(t, inForce(t, v), "CVE-1 fixed")
	f.complete, f.order, f.gone = false, []string{}, []string{"a"}
	if got := run(t, i, f); got.Gone != 1 {
		t.Errorf("%+v", got)
	}
	wantForce(t, inForce(t, v))
}

// TestSignatures: what a signature is worth is kept with each statement.
// TestLoss: a publisher who loses much at once takes nothing back unless somebody
// allows it.
func TestLoss(t *testing.T) {
	in := newIngester(newStore(t).VEX())
	f := &feed{name: "hub", docs: map[string]string{}, complete: true}
	for i := range 100 {
		f.docs[fmt.Sprintf("d%03d", i)] = fmt.Sprintf("CVE-%d affected pkg:npm/x@1 2026-01-02\n", i)
	}
	if _, err := in.Run(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		delete(f.docs, fmt.Sprintf("d%03d", i))
	}
	if out, err := in.Run(t.Context(), f); err != nil || out.Gone != 20 {
		t.Fatalf("20 of 100 may be gone: %+v, %v", out, err)
	}
	f.docs = map[string]string{"d099": f.docs["d099"]}
	if _, err := in.Run(t.Context(), f); !errors.Is(err, ingest.ErrLimit) {
		t.Errorf("79 of 80 are gone: %v", err)
	}
	in.AllowLoss = true
	if out, err := in.Run(t.Context(), f); err != nil || out.Gone != 79 {
		t.Errorf("somebody allowed it: %+v, %v", out, err)
	}
}

func TestSignatures(t *testing.T) {
	v := newStore(t).VEX()
	i, keys := newIngester(v), &keyring{away: true}
	i.Verifier = keys
	f := &feed{name: "f", complete: true, docs: map[string]string{
		"bad": "CVE-1 not_affected pkg:npm/x@1 2026-01-01\n", "good": "CVE-2 not_affected pkg:npm/x@1 2026-01-01\n", "none": "CVE-3 not_affected pkg:npm/x@1 2026-01-01\n",
		"unknown": "CVE-4 not_affected pkg:npm/x@1 2026-01-01\n", "away": "CVE-5 not_affected pkg:npm/x@1 2026-01-01\n", "envelope": "envelope g\nCVE-6 not_affected pkg:npm/x@1 2026-01-01\n",
		"badwarn": "CVE-7 affected pkg:npm/x@1 2026-01-01\n"},
		proofs: map[string]string{"bad": "bad", "good": "good:f", "unknown": "other", "away": "away", "badwarn": "bad"}}
	got := run(t, i, f)
	if got.Quarantined != 3 || got.Verified != 2 {
		t.Errorf("%+v", got)
	}
	wantForce(t, inForce(t, v), "CVE-2 not_affected verified:f", "CVE-3 not_affected", "CVE-4 not_affected unchecked", "CVE-6 not_affected verified:g", "CVE-7 affected bad")
	// What could not be checked is tried again, without fetching it.
	keys.away = false
	f.order = []string{}
	f.complete = false
	if got := run(t, i, f); got.Pending != 1 || got.Verified != 1 {
		t.Errorf("%+v", got)
	}
	wantForce(t, inForce(t, v), "CVE-2 not_affected verified:f", "CVE-3 not_affected", "CVE-4 not_affected unchecked", "CVE-5 not_affected verified:late", "CVE-6 not_affected verified:g", "CVE-7 affected bad")
	// A signature that comes later counts, and one that is taken away takes back.
	f.complete, f.order = true, nil
	f.proofs["none"], f.proofs["good"] = "good:g", ""
	run(t, i, f)
	wantForce(t, inForce(t, v), "CVE-3 not_affected verified:g", "CVE-4 not_affected unchecked", "CVE-5 not_affected verified:late", "CVE-6 not_affected verified:g", "CVE-7 affected bad")
	// Other keys: everything is read once more.
	i.Verifier = nil
	out, err := i.Reread(t.Context(), f)
	if err != nil || out.Pending != 7 || out.Documents != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

type panicking struct{}

func (panicking) Verify(context.Context, *vex.Document) (vex.Verification, error) { panic("no") }

func TestReadAlone(t *testing.T) {
	f := &feed{name: "f"}
	doc := &vex.Document{Name: "a", Content: []byte("CVE-1 affected pkg:npm/x@1 2026-01-01\n" + strings.Repeat("V", 300) + " affected pkg:npm/x@1 2026-01-01\n")}
	o, err := ingest.Read(t.Context(), f, "own", &keyring{}, doc)
	if err != nil || len(o.Statements) != 1 || o.Statements[0].Origin.Source != "own" || len(o.Problems) != 1 || !errors.Is(o.Problems[0], vex.ErrLimit) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := ingest.Read(t.Context(), f, "own", panicking{}, doc); err != nil || o.Quarantined == "" || o.Signature != vex.Unchecked {
		t.Errorf("a verifier that panics: %+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ingest.Read(ctx, f, "own", &keyring{}, doc); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRunFails(t *testing.T) {
	v := newStore(t).VEX()
	i := newIngester(v)
	f := &feed{name: "f", docs: map[string]string{"a": "CVE-1 affected pkg:npm/x@1 2026-01-01\n"}, fails: vex.ErrUnavailable, state: "1"}
	if _, err := i.Run(t.Context(), f); !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatal(err)
	}
	wantForce(t, inForce(t, v))
	states, err := v.Sources(t.Context())
	if err != nil || len(states) != 1 || !strings.Contains(states[0].Cause, "ingest f") {
		t.Errorf("%+v, %v", states, err)
	}
	f.fails = nil
	if got := run(t, i, f); got.Documents+got.Pending != 1 {
		t.Errorf("%+v", got)
	}
	wantForce(t, inForce(t, v), "CVE-1 affected")
	for _, d := range []string{"", "../a", "a//b", "a\\b", "a\x00", strings.Repeat("a", 2000)} {
		bad := &feed{name: "f", docs: map[string]string{d: "x"}}
		if _, err := i.Run(t.Context(), bad); !errors.Is(err, ingest.ErrInvalid) {
			t.Errorf("a document called %.20q: %v", d, err)
		}
	}
}

// slow is a feed whose fetching outlasts its lease while nobody can extend it.
func TestFenced(t *testing.T) {
	v := newStore(t).VEX()
	i := newIngester(v)
	i.Lease = time.Second
	inner := &feed{name: "f", docs: map[string]string{"a": "CVE-1 affected pkg:npm/x@1 2026-01-01\n"}}
	if _, err := (&ingest.Ingester{Store: frozen{v}, Holder: "frozen", Lease: time.Second}).Run(t.Context(), waiting{inner, 1200 * time.Millisecond}); err == nil {
		t.Error("a run whose lease was not extended succeeded")
	}
	time.Sleep(time.Second)
	run(t, i, inner)
	wantForce(t, inForce(t, v), "CVE-1 affected")
}

// frozen cannot extend.
type frozen struct{ vex.Feeds }

func (frozen) Extend(context.Context, *vex.Run) error { return vex.ErrUnavailable }

// waiting takes its time.
type waiting struct {
	*feed
	d time.Duration
}

func (w waiting) Fetch(ctx context.Context, door vex.Door, state []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	select {
	case <-time.After(w.d):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return w.feed.Fetch(ctx, door, state, emit)
}
