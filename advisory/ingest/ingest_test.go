package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
)

func run(t *testing.T, i *ingest.Ingester, f *feed) *ingest.Outcome {
	t.Helper()
	out, err := i.Run(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// current returns what is released of a source: every record as its digest by id,
// and the number of signals.
func current(t *testing.T, a *store.Advisories, source string) map[string]string {
	t.Helper()
	h := &advisory.Head{Runs: map[string]int64{}}
	states, err := a.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Released > 0 && s.Source == source {
			h.Runs[s.Source] = s.Released
		}
	}
	parts, err := a.Changed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range parts {
		if p.Source != source || p.Database == "" {
			continue
		}
		for r, err := range a.Records(t.Context(), h, p) {
			if err != nil {
				t.Fatal(err)
			}
			out[r.ID] = r.Modified + r.Withdrawn
		}
	}
	for s, err := range a.Signals(t.Context(), h) {
		if err != nil {
			t.Fatal(err)
		}
		out["signal "+s.Vulnerability] = s.EPSS
	}
	return out
}

func TestRun(t *testing.T) {
	_, a := newStore(t)
	i := newIngester(a)
	f := &feed{name: "f", complete: true, state: "1", docs: map[string]string{
		"a": record("GHSA-1", 1, "") + record("GHSA-2", 1, ""), "b": record("GHSA-3", 1, "") + "signal CVE-2024-0001 0.5\n", "c": record("GHSA-4", 1, ""),
		"broken": record("GHSA-5", 1, "") + "{\"id\":\"GHSA-6\"\n" + "signal X 7\n",
	}}
	out := run(t, i, f)
	want := &ingest.Outcome{Source: "f", Run: out.Run, Documents: 4, Records: 5, Signals: 1, Problems: 2}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	say := map[string]string{"GHSA-1": "2026-01-01T00:00:00Z", "GHSA-2": "2026-01-01T00:00:00Z", "GHSA-3": "2026-01-01T00:00:00Z", "GHSA-4": "2026-01-01T00:00:00Z", "GHSA-5": "2026-01-01T00:00:00Z", "signal CVE-2024-0001": "0.5"}
	if diff := cmp.Diff(say, current(t, a, "f")); diff != "" {
		t.Errorf("current (-want +got):\n%s", diff)
	}
	parsed := f.parsed
	if out := run(t, i, f); out.Documents != 0 || f.parsed != parsed {
		t.Errorf("nothing new: %+v, %d documents read again", out, f.parsed-parsed)
	}
	f.docs["a"], f.complete = record("GHSA-1", 2, ""), false
	delete(f.docs, "b")
	f.gone = []string{"c", "never was"}
	out = run(t, i, f)
	if out.Documents != 1 || out.Gone != 1 {
		t.Errorf("%+v", out)
	}
	delete(say, "GHSA-2")
	delete(say, "GHSA-4")
	say["GHSA-1"] = "2026-01-02T00:00:00Z"
	if diff := cmp.Diff(say, current(t, a, "f")); diff != "" {
		t.Errorf("current (-want +got):\n%s", diff)
	}
	f.complete, f.gone = true, nil
	if out = run(t, i, f); out.Gone != 1 {
		t.Errorf("a complete feed without a document: %+v", out)
	}
}

// TestFails: whatever fails, the state stays, and the run says why.
func TestFails(t *testing.T) {
	_, a := newStore(t)
	i := newIngester(a)
	f := &feed{name: "f", state: "1", docs: map[string]string{"a": record("GHSA-1", 1, "")}}
	run(t, i, f)
	f.docs["a"], f.docs["b"], f.state = record("GHSA-1", 2, ""), record("GHSA-2", 2, ""), "2"
	f.fails = fmt.Errorf("the body is cut short: %w", advisory.ErrUnavailable)
	if _, err := i.Run(t.Context(), f); !errors.Is(err, ingest.ErrUnavailable) || !strings.Contains(err.Error(), "ingest f: ") {
		t.Errorf("%v", err)
	}
	s, err := a.Sources(t.Context())
	if err != nil || !strings.Contains(s[0].Cause, "cut short") || len(current(t, a, "f")) != 1 {
		t.Errorf("%+v, %v, %v", s, err, current(t, a, "f"))
	}
	r, err := a.Begin(t.Context(), "f", "x", time.Minute)
	if err != nil || string(r.State) != "1" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := i.Run(t.Context(), f); !errors.Is(err, ingest.ErrConflict) {
		t.Errorf("while somebody else has it: %v", err)
	}
	if err := a.Finish(t.Context(), r, advisory.Finish{Cause: "x"}); err != nil {
		t.Fatal(err)
	}
	f.fails = nil
	out := run(t, i, f)
	if len(current(t, a, "f")) != 2 || out.Documents != 0 {
		t.Errorf("%+v, %v", out, current(t, a, "f"))
	}
	f.docs["../x"] = "y"
	if _, err := i.Run(t.Context(), f); !errors.Is(err, ingest.ErrInvalid) {
		t.Errorf("a name with ..: %v", err)
	}
}

// TestQuarantine: a document that its reader cannot use, or panics at, is kept,
// and nothing else suffers.
func TestQuarantine(t *testing.T) {
	_, a := newStore(t)
	i := newIngester(a)
	f := &feed{name: "f", docs: map[string]string{"a": record("GHSA-1", 1, ""), "b": record("GHSA-2", 1, ""), "c": record("GHSA-3", 1, "")}}
	run(t, i, f)
	plain := *f
	f.parse = func(d *advisory.Document) iter.Seq2[advisory.Statement, error] {
		return func(yield func(advisory.Statement, error) bool) {
			switch d.Name {
			case "a":
				yield(&advisory.Record{ID: "GHSA-1", Modified: "2026-01-09T00:00:00Z"}, nil)
				panic("index out of range")
			case "b":
				yield(nil, fmt.Errorf("the text ends early: %w", advisory.ErrInvalid))
			default:
				plain.Parse(d)(yield)
			}
		}
	}
	for n := range f.docs {
		f.docs[n] = strings.ReplaceAll(f.docs[n], "01-01", "01-02")
	}
	out := run(t, i, f)
	if out.Quarantined != 2 || out.Records != 1 {
		t.Errorf("%+v", out)
	}
	want := map[string]string{"GHSA-1": "2026-01-01T00:00:00Z", "GHSA-2": "2026-01-01T00:00:00Z", "GHSA-3": "2026-01-02T00:00:00Z"}
	if diff := cmp.Diff(want, current(t, a, "f")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHolds: poisoned feeds are held, the old data stays, and a repaired feed is
// released.
func TestHolds(t *testing.T) {
	const n = 300
	full := func() *feed {
		f := &feed{name: "f", complete: true, docs: map[string]string{}}
		for i := range n {
			f.docs[fmt.Sprint(i)] = record(fmt.Sprintf("GHSA-%d", i), 10, "")
		}
		return f
	}
	for _, c := range []struct {
		name string
		why  string // "" means released
		do   func(f *feed)
	}{
		{"nothing", "", func(f *feed) {}},
		{"a tenth vanishes", "", func(f *feed) {
			for i := range n / 10 {
				delete(f.docs, fmt.Sprint(i))
			}
		}},
		{"more vanishes", "31 fewer records, of 300; at most 30 are expected", func(f *feed) {
			for i := range n/10 + 1 {
				delete(f.docs, fmt.Sprint(i))
			}
		}},
		{"everything vanishes", "300 fewer records", func(f *feed) { clear(f.docs) }},
		{"documents are empty", "300 fewer records", func(f *feed) {
			for i := range f.docs {
				f.docs[i] = "\n"
			}
		}},
		{"mass withdrawal", "40 records withdrawn", func(f *feed) {
			for i := range 40 {
				f.docs[fmt.Sprint(i)] = record(fmt.Sprintf("GHSA-%d", i), 11, `"withdrawn":"2026-01-11T00:00:00Z",`)
			}
		}},
		{"poison by emptying", "50 records without any package", func(f *feed) {
			for i := range 50 {
				f.docs[fmt.Sprint(i)] = fmt.Sprintf(`{"id":"GHSA-%d","modified":"2026-01-11T00:00:00Z"}`, i)
			}
		}},
		{"one set back", "1 documents were set back to earlier revisions, such as 7", func(f *feed) { f.docs["7"] = record("GHSA-7", 9, "") }},
		{"many new", "", func(f *feed) {
			for i := range 1000 {
				f.docs[fmt.Sprint("new", i)] = record(fmt.Sprintf("GHSA-N%d", i), 1, "")
			}
		}},
		{"all changed", "", func(f *feed) {
			for i := range n {
				f.docs[fmt.Sprint(i)] = record(fmt.Sprintf("GHSA-%d", i), 12, "")
			}
		}},
	} {
		_, a := newStore(t)
		i := newIngester(a)
		run(t, i, full())
		before := current(t, a, "f")
		f := full()
		c.do(f)
		out := run(t, i, f)
		if (c.why == "") != (out.Held == "") || !strings.Contains(out.Held, c.why) {
			t.Errorf("%s: held because of %q, want %q", c.name, out.Held, c.why)
		}
		if c.why == "" {
			continue
		}
		if diff := cmp.Diff(before, current(t, a, "f")); diff != "" {
			t.Errorf("%s: it is current (-before +now):\n%.500s", c.name, diff)
		}
		f.complete, f.docs = false, nil // nothing new: that releases nothing
		if out := run(t, i, f); out.Held == "" {
			t.Errorf("%s: a run without anything new released what is held", c.name)
		}
		if out := run(t, i, full()); out.Held != "" {
			t.Errorf("%s: repaired, and still held: %s", c.name, out.Held)
		}
		if diff := cmp.Diff(before, current(t, a, "f")); diff != "" {
			t.Errorf("%s: repaired (-before +now):\n%.500s", c.name, diff)
		}
	}
}

// TestFenced: a run whose source somebody else took stops and writes nothing.
func TestFenced(t *testing.T) {
	_, a := newStore(t)
	i := newIngester(a)
	i.Lease, i.Batch = time.Second, 1
	f := &feed{name: "f", docs: map[string]string{"a": record("GHSA-1", 1, ""), "b": record("GHSA-2", 1, "")}}
	var other *advisory.Run
	before := crashpoint.Set(func(p crashpoint.Point) {
		if p == crashpoint.IngestParsed && other == nil {
			// As if this process had been frozen for longer than its lease.
			var err error
			for other == nil {
				if other, err = takeOver(t.Context(), a); err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		}
	})
	defer crashpoint.Set(before)
	frozen := &noExtend{a}
	i.Store = frozen
	_, err := i.Run(t.Context(), f)
	if !errors.Is(err, ingest.ErrFenced) {
		t.Fatalf("%v", err)
	}
	if got := current(t, a, "f"); len(got) != 0 {
		t.Errorf("written after the lease: %v", got)
	}
	if err := a.Finish(t.Context(), other, advisory.Finish{Cause: "test"}); err != nil {
		t.Fatal(err)
	}
	crashpoint.Set(before)
	if out := run(t, newIngester(a), f); out.Pending+out.Documents < 2 || len(current(t, a, "f")) != 2 {
		t.Errorf("%+v, %v", out, current(t, a, "f"))
	}
}

func takeOver(ctx context.Context, a *store.Advisories) (*advisory.Run, error) {
	return a.Begin(ctx, "f", "other", time.Minute)
}

// noExtend is a store whose holder gives no sign of life.
type noExtend struct{ *store.Advisories }

func (n *noExtend) Extend(ctx context.Context, r *advisory.Run) error { return nil }

// TestLoop: sources are run by turns, each at its time, and failures sooner.
func TestLoop(t *testing.T) {
	_, a := newStore(t)
	i := newIngester(a)
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	start := now
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	good := &feed{name: "good", docs: map[string]string{"a": record("GHSA-1", 1, "")}}
	bad := &feed{name: "bad", fails: advisory.ErrUnavailable}
	var log []string
	l := ingest.Loop{Ingester: i, Sources: []ingest.Scheduled{{Source: good, Every: 30 * time.Minute}, {Source: bad, Every: 4 * time.Minute}},
		Done: func(out *ingest.Outcome, err error) {
			name := "bad"
			if err == nil {
				name = out.Source
			}
			if log = append(log, fmt.Sprint(name, " ", now.Sub(start))); len(log) == 8 {
				stop()
			}
		},
		Now: func() time.Time { return now }, Wait: func(_ context.Context, d time.Duration) { now = now.Add(d) }}
	l.Run(ctx)
	want := []string{"good 0s", "bad 0s", "bad 1m0s", "bad 3m0s", "bad 7m0s", "bad 11m0s", "bad 15m0s", "bad 19m0s"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPending: what a reader left is read without being fetched.
func TestPending(t *testing.T) {
	_, a := newStore(t)
	r, err := a.Begin(t.Context(), "f", "dies", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Keep(t.Context(), r, []*advisory.Document{{Name: "a", Content: []byte(record("GHSA-1", 1, ""))}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	out := run(t, newIngester(a), &feed{name: "f"})
	if out.Pending != 1 || out.Documents != 0 || !slices.Contains([]string{"2026-01-01T00:00:00Z"}, current(t, a, "f")["GHSA-1"]) {
		t.Errorf("%+v, %v", out, current(t, a, "f"))
	}
}
