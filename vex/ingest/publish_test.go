package ingest_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

func wantDecided(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
}

func TestPublish(t *testing.T) {
	v := newStore(t).VEX()
	i := newIngester(v)
	// Nothing, by nobody, is a head too: it says so.
	if h := publish(t, publisher(v, day(1))); h == nil || h.Number != 1 || h.Digest != vex.NewSet(nil).Digest() {
		t.Fatalf("%+v", h)
	}
	f := &feed{name: "f", docs: map[string]string{"a": "CVE-1,GHSA-a affected pkg:npm/x@1 2026-01-01\nCVE-2 fixed pkg:npm/x@1 2026-01-01\nCVE-2 fixed pkg:npm/x 2026-01-01\nCVE-3 not_affected pkg:oci/i@sha256:00#pkg:npm/%40a/b@2 2026-01-01\nCVE-4 under_investigation pkg:npm/x@1 2026-01-01\n"}}
	run(t, i, f)
	publish(t, publisher(v, day(1)))
	wantDecided(t, decided(t, v)) // nobody is trusted
	if _, err := v.SetTrust(t.Context(), everyone(), "test"); err != nil {
		t.Fatal(err)
	}
	h := publish(t, publisher(v, day(1)))
	if h.Number != 3 || h.Trust != everyone().Digest() {
		t.Errorf("%+v", h)
	}
	want := []string{"CVE-1 pkg:npm/x@1 affected", "CVE-2 pkg:npm/x@1 fixed", "CVE-3 pkg:oci/i@sha256:00#pkg:npm/%40a/b@2 not_affected", "CVE-4 pkg:npm/x@1 under_investigation", "GHSA-A pkg:npm/x@1 affected"}
	wantDecided(t, decided(t, v), want...)
	if h := publish(t, publisher(v, day(1))); h != nil {
		t.Errorf("nothing changed, and there is head %+v", h)
	}
	// A second opinion of a lower tier raises doubt.
	run(t, i, &feed{name: "g", docs: map[string]string{"a": "CVE-2 affected pkg:npm/x@1 2026-01-05\n", "b": "CVE-1 not_affected pkg:npm/x@1 2026-01-05\n"}})
	publish(t, publisher(v, day(1)))
	want[1] += " disputed"
	wantDecided(t, decided(t, v), want...)
	// Believing nobody again takes everything back.
	if _, err := v.SetTrust(t.Context(), &vex.Trust{}, "test"); err != nil {
		t.Fatal(err)
	}
	publish(t, publisher(v, day(1)))
	wantDecided(t, decided(t, v))
}

// TestSetOfHead: a head's digest is that of what its view holds.
func TestSetOfHead(t *testing.T) {
	v := newStore(t).VEX()
	run(t, newIngester(v), &feed{name: "f", docs: world(20)})
	p := publisher(v, day(1))
	var got *vex.Set
	p.Snapshot = func(_ context.Context, digest string, statements iter.Seq2[*vex.Statement, error]) error {
		var list []*vex.Statement
		for s, err := range statements {
			if err != nil {
				return err
			}
			list = append(list, s)
		}
		if got = vex.NewSet(list); got.Digest() != digest {
			t.Errorf("%s, want %s", got.Digest(), digest)
		}
		return nil
	}
	h := publish(t, p)
	if got == nil || h.Digest != got.Digest() || len(got.All()) < 20 {
		t.Errorf("%+v", h)
	}
	p.Snapshot = func(context.Context, string, iter.Seq2[*vex.Statement, error]) error { return vex.ErrUnavailable }
	run(t, newIngester(v), &feed{name: "g", docs: world(3)})
	if _, err := p.Publish(t.Context()); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("a head whose statements are not kept: %v", err)
	}
}

// TestTimePasses: what ends while nothing runs is decided when its time has come,
// and the same as if it had been asked then.
func TestTimePasses(t *testing.T) {
	v := newStore(t).VEX()
	if _, err := v.SetTrust(t.Context(), everyone(), "test"); err != nil {
		t.Fatal(err)
	}
	run(t, newIngester(v), &feed{name: "f", docs: map[string]string{"a": "CVE-1 not_affected pkg:npm/x@1 2026-01-01 2026-06-10\nCVE-2 not_affected pkg:npm/x@1 2026-06-20\nCVE-3 affected pkg:npm/x@1 2026-01-01\n"}})
	if h := publish(t, publisher(v, day(9))); h == nil {
		t.Fatal("no head")
	}
	wantDecided(t, decided(t, v), "CVE-1 pkg:npm/x@1 not_affected", "CVE-2 pkg:npm/x@1 ", "CVE-3 pkg:npm/x@1 affected")
	next, err := v.NextChange(t.Context())
	if err != nil || !next.Equal(day(10)) {
		t.Errorf("%v, %v", next, err)
	}
	if h := publish(t, publisher(v, day(10).Add(-time.Microsecond))); h != nil {
		t.Errorf("before its time: %+v", h)
	}
	if h := publish(t, publisher(v, day(10))); h == nil {
		t.Error("its time has come, and nothing happens")
	}
	wantDecided(t, decided(t, v), "CVE-2 pkg:npm/x@1 ", "CVE-3 pkg:npm/x@1 affected")
	// A clock that goes back brings nothing back.
	if h := publish(t, publisher(v, day(1))); h != nil {
		t.Errorf("%+v", h)
	}
	publish(t, publisher(v, day(21)))
	wantDecided(t, decided(t, v), "CVE-2 pkg:npm/x@1 not_affected", "CVE-3 pkg:npm/x@1 affected")
	if next, err := v.NextChange(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("%v, %v", next, err)
	}
}

// overtaken is a store in which something happens just before a commit.
type overtaken struct {
	*store.VEX
	before func()
}

func (o overtaken) Commit(ctx context.Context, c *vex.Commit) error {
	o.before()
	return o.VEX.Commit(ctx, c)
}

// TestOvertaken: what was decided from something older than what is there is refused.
func TestOvertaken(t *testing.T) {
	v := newStore(t).VEX()
	run(t, newIngester(v), &feed{name: "f", docs: world(5)})
	for name, before := range map[string]func(){
		"another head": func() { publish(t, publisher(v, day(2))) },
		"a revoked key": func() {
			if _, err := v.SetTrust(t.Context(), everyone(), "test"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p := &ingest.Publisher{Heads: overtaken{v, before}, Now: func() time.Time { return day(3) }}
		if _, err := p.Publish(t.Context()); !errors.Is(err, ingest.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		run(t, newIngester(v), &feed{name: "f", docs: map[string]string{name: "CVE-9 affected pkg:npm/x@1 2026-01-01\n"}})
	}
}

// TestWatch wakes by itself: for what is released, another trust, and time.
func TestWatch(t *testing.T) {
	v := newStore(t).VEX()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now, step := day(1), 0
	var pauses []time.Duration
	p := &ingest.Publisher{Heads: v, Now: func() time.Time { return now }}
	heads := 0
	w := &ingest.Watch{Publisher: p, Every: time.Hour, Done: func(h *vex.Head, err error) {
		if err != nil {
			t.Error(err)
		}
		heads++
	}, Wait: func(_ context.Context, d time.Duration) {
		pauses = append(pauses, d)
		now = now.Add(d)
		switch step++; step {
		case 1:
			run(t, newIngester(v), &feed{name: "f", docs: map[string]string{"a": "CVE-1 not_affected pkg:npm/x@1 2026-01-01 2026-06-02\n"}})
		case 2:
			if _, err := v.SetTrust(t.Context(), everyone(), "test"); err != nil {
				t.Error(err)
			}
			now = day(2).Add(-10 * time.Minute)
		case 4:
			cancel()
		}
	}}
	w.Run(ctx)
	// The last pause is without anything that is due.
	if diff := cmp.Diff([]time.Duration{time.Hour, time.Hour, 10 * time.Minute, time.Hour}, pauses); diff != "" {
		t.Error(diff)
	}
	if heads != 4 {
		t.Errorf("%d heads", heads)
	}
	wantDecided(t, decided(t, v))
}

// TestLoop runs sources by turns and again after a failure.
func TestLoop(t *testing.T) {
	v := newStore(t).VEX()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now := day(1)
	good, bad := &feed{name: "f", docs: world(2)}, &feed{name: "g", fails: vex.ErrUnavailable}
	var ran []string
	l := &ingest.Loop{Ingester: newIngester(v), Sources: []ingest.Scheduled{{Source: good}, {Source: bad, Every: 10 * time.Minute}},
		Now: func() time.Time { return now }, Wait: func(_ context.Context, d time.Duration) { now = now.Add(d) },
		Done: func(o *ingest.Outcome, err error) {
			name := "g fails"
			if err == nil {
				name = o.Source
			}
			ran = append(ran, now.Format("15:04 ")+name)
			if len(ran) == 5 {
				cancel()
			}
		}}
	l.Run(ctx)
	if diff := cmp.Diff([]string{"00:00 f", "00:00 g fails", "00:01 g fails", "00:03 g fails", "00:07 g fails"}, ran); diff != "" {
		t.Error(diff)
	}
}
