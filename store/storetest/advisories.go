package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// Advisories is all that a backend does for advisories.
type Advisories interface {
	advisory.Feeds
	advisory.Heads
	Compare(ctx context.Context, source string, gone []string) (*advisory.Comparison, error)
}

// TestAdvisories checks the promises of advisory.Feeds and advisory.Heads. open
// returns an empty store each time.
func TestAdvisories(t *testing.T, open func(t testing.TB) Advisories) {
	for name, test := range map[string]func(*testing.T, Advisories){
		"Keep": testKeep, "Lease": testSourceLease, "LeaseAtOnce": testSourceAtOnce, "Observe": testObserve, "Broken": testBroken, "Signals": testSignals, "Hostile": testHostileRecords,
		"Held": testHeld, "Failed": testFailedRun, "AsOf": testAsOf, "Gone": testGone, "Compare": testCompare, "Heads": testHeads, "HeadsAtOnce": testHeadsAtOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// feeding is a run with what it is of.
type feeding struct {
	t *testing.T
	a Advisories
	r *advisory.Run
}

func feedOf(t *testing.T, a Advisories, source string) *feeding {
	t.Helper()
	return &feeding{t, a, must[*advisory.Run](t)(a.Begin(t.Context(), source, "holder", time.Minute))}
}

func sha(b string) string {
	sum := sha256.Sum256([]byte(b))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// keep keeps documents by their names.
func (f *feeding) keep(docs ...string) {
	f.t.Helper()
	var list []*advisory.Document
	for i := 0; i < len(docs); i += 2 {
		list = append(list, &advisory.Document{Source: f.r.Source, Name: docs[i], URL: "https://x.example/" + docs[i], Content: []byte(docs[i+1])})
	}
	if err := f.a.Keep(f.t.Context(), f.r, list); err != nil {
		f.t.Fatal(err)
	}
}

// says keeps a document and what it says.
func (f *feeding) says(name, content string, records ...*advisory.Record) {
	f.t.Helper()
	f.keep(name, content)
	f.observe(advisory.Observed{Document: name, Digest: sha(content), Records: records})
}

func (f *feeding) observe(list ...advisory.Observed) {
	f.t.Helper()
	for i := range list {
		for _, r := range list[i].Records {
			r.Source = f.r.Source
		}
		for _, s := range list[i].Signals {
			s.Source = f.r.Source
		}
	}
	if err := f.a.Observe(f.t.Context(), f.r, list); err != nil {
		f.t.Fatal(err)
	}
}

func (f *feeding) finish(end advisory.Finish) {
	f.t.Helper()
	if err := f.a.Finish(f.t.Context(), f.r, end); err != nil {
		f.t.Fatal(err)
	}
}

// rec makes a record about an npm package.
func rec(id string, revision int) *advisory.Record {
	return &advisory.Record{ID: id, Modified: fmt.Sprintf("2026-01-%02dT00:00:00Z", revision), Summary: fmt.Sprint("revision ", revision), Digest: sha(fmt.Sprint(id, revision)),
		Affected: []advisory.Affected{{Ecosystem: "npm", Name: strings.ToLower(id), Versions: advisory.NewVersionList("1.0.0")}}}
}

var npm = advisory.Part{Source: "s", Database: "GHSA", Ecosystem: "npm"}

// shown lists the records of a part as "id revision".
func shown(t *testing.T, a Advisories, at *advisory.Head, p advisory.Part) []string {
	t.Helper()
	out := []string{}
	for r, err := range a.Records(t.Context(), at, p) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.ID+" "+strings.TrimPrefix(r.Summary, "revision "))
	}
	return out
}

// released is a head that is made of what is released now.
func released(t *testing.T, a Advisories) *advisory.Head {
	t.Helper()
	h := &advisory.Head{Runs: map[string]int64{}}
	for _, s := range must[[]advisory.SourceState](t)(a.Sources(t.Context())) {
		if s.Released > 0 {
			h.Runs[s.Source] = s.Released
		}
	}
	return h
}

func stateOf(t *testing.T, a Advisories, source string) advisory.SourceState {
	t.Helper()
	for _, s := range must[[]advisory.SourceState](t)(a.Sources(t.Context())) {
		if s.Source == source {
			return s
		}
	}
	t.Fatalf("no source is called %s", source)
	return advisory.SourceState{}
}

func knownOf(t *testing.T, a Advisories, source string) (out []string) {
	t.Helper()
	for k, err := range a.Known(t.Context(), source) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %.15s %v", k.Name, k.Digest, k.Pending))
	}
	return out
}

func testKeep(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	if f.r.State != nil || f.r.Records != 0 || f.r.Number < 1 {
		t.Errorf("first run: %+v", f.r)
	}
	large := strings.Repeat("large ", 400_000)
	f.keep("b", "two", "a", "one", "large", large, "empty", "")
	f.keep("a", "one") // as it is
	want := []string{"a " + sha("one")[:15] + " true", "b " + sha("two")[:15] + " true", "empty " + sha("")[:15] + " true", "large " + sha(large)[:15] + " true"}
	if diff := cmp.Diff(want, knownOf(t, a, "s")); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	for _, content := range []string{"one", "two", "", large} {
		if got := must[[]byte](t)(a.Raw(t.Context(), sha(content))); string(got) != content {
			t.Errorf("raw %.10q…: %d bytes", content, len(got))
		}
	}
	if _, err := a.Raw(t.Context(), sha("never")); !errors.Is(err, advisory.ErrNotFound) {
		t.Errorf("raw of what is not there: %v", err)
	}
	f.keep("a", "three", "c", "one")
	if got := must[[]byte](t)(a.Raw(t.Context(), sha("one"))); string(got) != "one" {
		t.Errorf("what was superseded: %q", got)
	}
	if got := knownOf(t, a, "s")[0]; got != "a "+sha("three")[:15]+" true" {
		t.Errorf("a is %s", got)
	}
	if err := a.Keep(t.Context(), f.r, []*advisory.Document{{Name: "x", Gone: true}}); !errors.Is(err, advisory.ErrInvalid) {
		t.Errorf("a document that is gone: %v", err)
	}
	var many []string
	for i := range 700 {
		many = append(many, fmt.Sprintf("many/%03d", i), fmt.Sprint("content ", i))
	}
	f.keep(many...)
	if n := len(knownOf(t, a, "s")); n != 705 {
		t.Errorf("%d documents", n)
	}
}

func testSourceLease(t *testing.T, a Advisories) {
	first := must[*advisory.Run](t)(a.Begin(t.Context(), "s", "one", time.Second))
	if _, err := a.Begin(t.Context(), "s", "two", time.Second); !errors.Is(err, advisory.ErrConflict) {
		t.Errorf("a second holder: %v", err)
	}
	if _, err := a.Begin(t.Context(), "other", "two", time.Second); err != nil {
		t.Errorf("another source: %v", err)
	}
	old := &feeding{t, a, first}
	old.keep("a", "one")
	time.Sleep(700 * time.Millisecond)
	if err := a.Extend(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	time.Sleep(600 * time.Millisecond)
	if _, err := a.Begin(t.Context(), "s", "two", time.Minute); !errors.Is(err, advisory.ErrConflict) {
		t.Errorf("a second holder after an extension: %v", err)
	}
	time.Sleep(600 * time.Millisecond)
	second := must[*advisory.Run](t)(a.Begin(t.Context(), "s", "two", time.Minute))
	if second.Number <= first.Number || second.Epoch <= first.Epoch {
		t.Errorf("%+v after %+v", second, first)
	}
	doc := []*advisory.Document{{Name: "b", Content: []byte("late")}}
	for name, err := range map[string]error{"extend": a.Extend(t.Context(), first), "keep": a.Keep(t.Context(), first, doc),
		"observe": a.Observe(t.Context(), first, []advisory.Observed{{Document: "a", Digest: sha("one")}}), "finish": a.Finish(t.Context(), first, advisory.Finish{State: []byte("x")})} {
		if !errors.Is(err, advisory.ErrFenced) {
			t.Errorf("%s of the holder before: %v", name, err)
		}
	}
	if got := knownOf(t, a, "s"); len(got) != 1 || !strings.HasSuffix(got[0], "true") {
		t.Errorf("known: %q", got)
	}
	now := &feeding{t, a, second}
	now.finish(advisory.Finish{State: []byte("new")})
	if err := a.Finish(t.Context(), second, advisory.Finish{State: []byte("again")}); err != nil {
		t.Errorf("finished again, as after a lost answer: %v", err)
	}
	if err := a.Keep(t.Context(), second, doc); !errors.Is(err, advisory.ErrFenced) {
		t.Errorf("keep after the end: %v", err)
	}
	third := must[*advisory.Run](t)(a.Begin(t.Context(), "s", "three", time.Minute))
	if string(third.State) != "new" {
		t.Errorf("state %q", third.State)
	}
	for _, bad := range []struct {
		source, holder string
		length         time.Duration
	}{{"", "h", time.Minute}, {"S", "h", time.Minute}, {"a b", "h", time.Minute}, {"s", "", time.Minute}, {"s", "h", 0}, {"s", "h", time.Hour}} {
		if _, err := a.Begin(t.Context(), bad.source, bad.holder, bad.length); !errors.Is(err, advisory.ErrInvalid) {
			t.Errorf("begin %+v: %v", bad, err)
		}
	}
}

func testSourceAtOnce(t *testing.T, a Advisories) {
	var mu sync.Mutex
	var won []int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r, err := a.Begin(t.Context(), "s", fmt.Sprint("h", i), time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, r.Number)
			} else if !errors.Is(err, advisory.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d holders of one source", len(won))
	}
}

func testObserve(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	several := rec("GHSA-3", 1)
	several.Affected = append(several.Affected, advisory.Affected{Ecosystem: "Debian:12", Name: "x"}, advisory.Affected{Ecosystem: "Debian:11", Name: "x"})
	none := &advisory.Record{ID: "GHSA-4", Modified: "2026-01-01T00:00:00Z", Summary: "revision 1"}
	f.says("one", "1", rec("GHSA-2", 1), rec("GHSA-1", 1))
	f.says("two", "2", several, none, rec("PYSEC-1", 1))
	f.observe(advisory.Observed{Document: "never kept", Digest: sha("x"), Records: []*advisory.Record{rec("GHSA-9", 1)}}, advisory.Observed{Document: "one", Digest: sha("other"), Records: []*advisory.Record{rec("GHSA-9", 1)}})
	if h := released(t, a); len(h.Runs) != 0 {
		t.Errorf("released before the end: %v", h.Runs)
	}
	f.finish(advisory.Finish{State: []byte("s1")})
	h := released(t, a)
	s := stateOf(t, a, "s")
	if s.Records != 5 || s.Documents != 2 || s.Succeeded.IsZero() || s.Released != f.r.Number {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff([]string{"GHSA-1 1", "GHSA-2 1", "GHSA-3 1"}, shown(t, a, h, npm)); diff != "" {
		t.Errorf("npm (-want +got):\n%s", diff)
	}
	want := []advisory.Part{{Source: "s", Database: "GHSA"}, {Source: "s", Database: "GHSA", Ecosystem: "Debian"}, npm, {Source: "s", Database: "PYSEC", Ecosystem: "npm"}}
	if diff := cmp.Diff(want, must[[]advisory.Part](t)(a.Changed(t.Context(), nil))); diff != "" {
		t.Errorf("changed since nothing (-want +got):\n%s", diff)
	}
	if got := shown(t, a, h, advisory.Part{Source: "s", Database: "GHSA"}); len(got) != 1 || got[0] != "GHSA-4 1" {
		t.Errorf("records without a package: %q", got)
	}
	for r, err := range a.Records(t.Context(), h, advisory.Part{Source: "s", Database: "GHSA", Ecosystem: "Debian"}) {
		if diff := cmp.Diff(several, r); err != nil || diff != "" {
			t.Errorf("read back: %v (-want +got):\n%s", err, diff)
		}
	}
	// Only what changed differs afterwards: one record of a document.
	f = feedOf(t, a, "s")
	if string(f.r.State) != "s1" || f.r.Records != 5 {
		t.Errorf("next run: %+v", f.r)
	}
	f.says("one", "1b", rec("GHSA-2", 1), rec("GHSA-1", 2))
	f.finish(advisory.Finish{})
	if diff := cmp.Diff([]advisory.Part{npm}, must[[]advisory.Part](t)(a.Changed(t.Context(), h))); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	f = feedOf(t, a, "s")
	f.says("one", "1c", rec("GHSA-2", 1), rec("GHSA-1", 2)) // another text that says the same
	f.finish(advisory.Finish{})
	if got := must[[]advisory.Part](t)(a.Changed(t.Context(), &advisory.Head{Runs: map[string]int64{"s": f.r.Number - 1}})); len(got) != 0 {
		t.Errorf("changed by what says the same: %v", got)
	}
}

// testBroken: parts that break keep what they said, and so do whole documents.
func testBroken(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 1), rec("GHSA-2", 1), rec("GHSA-3", 1))
	f.says("q", "1", rec("GHSA-4", 1))
	f.finish(advisory.Finish{})
	f = feedOf(t, a, "s")
	f.keep("d", "2", "q", "2")
	broken := &advisory.RecordError{ID: "GHSA-2", Pointer: "/affected/0", Err: fmt.Errorf("it is broken: %w", advisory.ErrInvalid)}
	f.observe(advisory.Observed{Document: "d", Digest: sha("2"), Records: []*advisory.Record{rec("GHSA-1", 2)}, Problems: []*advisory.RecordError{broken, {Err: advisory.ErrInvalid}}},
		advisory.Observed{Document: "q", Digest: sha("2"), Quarantined: "no JSON"})
	f.finish(advisory.Finish{})
	if diff := cmp.Diff([]string{"GHSA-1 2", "GHSA-2 1", "GHSA-4 1"}, shown(t, a, released(t, a), npm)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := stateOf(t, a, "s"); s.Quarantined != 1 || s.Problems != 2 || s.Documents != 2 {
		t.Errorf("%+v", s)
	}
	if raw := must[[]byte](t)(a.Raw(t.Context(), sha("2"))); string(raw) != "2" {
		t.Errorf("what was quarantined is kept as %q", raw)
	}
	if got := knownOf(t, a, "s"); strings.HasSuffix(got[1], "true") {
		t.Errorf("quarantined documents are not read again: %q", got)
	}
	f = feedOf(t, a, "s")
	f.says("q", "3", rec("GHSA-4", 3))
	f.finish(advisory.Finish{})
	if s := stateOf(t, a, "s"); s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
	if got := shown(t, a, released(t, a), npm); got[2] != "GHSA-4 3" {
		t.Errorf("%q", got)
	}
	// One id twice in a document: the newer one.
	f = feedOf(t, a, "s")
	f.says("d", "4", rec("GHSA-1", 5), rec("GHSA-1", 9), rec("GHSA-1", 7))
	f.finish(advisory.Finish{})
	if got := shown(t, a, released(t, a), npm); got[0] != "GHSA-1 9" {
		t.Errorf("%q", got)
	}
}

func testSignals(t *testing.T, a Advisories) {
	signals := func(n int, day string) (out []*advisory.Signal) {
		for i := range n {
			out = append(out, &advisory.Signal{Vulnerability: fmt.Sprintf("CVE-2024-%05d", n-i), EPSS: "0.5", Day: day})
		}
		return out
	}
	read := func(h *advisory.Head) (n int, first, last string) {
		before := ""
		for s, err := range a.Signals(t.Context(), h) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 1 {
				first = s.Vulnerability + " " + s.Day + " " + s.Source
			}
			if last = s.Vulnerability + " " + s.Day; last < before {
				t.Errorf("%s after %s", last, before)
			}
			before = last
		}
		return n, first, last
	}
	f := feedOf(t, a, "epss")
	f.keep("scores", "1")
	f.observe(advisory.Observed{Document: "scores", Digest: sha("1"), Signals: signals(9000, "2026-01-01")})
	f.finish(advisory.Finish{})
	one := released(t, a)
	if n, first, last := read(one); n != 9000 || first != "CVE-2024-00001 2026-01-01 epss" || last != "CVE-2024-09000 2026-01-01" {
		t.Errorf("%d from %s to %s", n, first, last)
	}
	f = feedOf(t, a, "epss")
	f.keep("scores", "2")
	f.observe(advisory.Observed{Document: "scores", Digest: sha("2"), Signals: signals(8000, "2026-01-02"), Problems: []*advisory.RecordError{{ID: "CVE-2024-09000", Err: advisory.ErrInvalid}}})
	f.finish(advisory.Finish{})
	if n, first, last := read(released(t, a)); n != 8001 || first != "CVE-2024-00001 2026-01-02 epss" || last != "CVE-2024-09000 2026-01-01" {
		t.Errorf("%d from %s to %s", n, first, last)
	}
	if n, _, _ := read(one); n != 9000 {
		t.Errorf("%d as of the run before", n)
	}
	if got := must[[]advisory.Part](t)(a.Changed(t.Context(), one)); len(got) != 1 || got[0] != (advisory.Part{Source: "epss"}) {
		t.Errorf("changed: %v", got)
	}
	f = feedOf(t, a, "epss")
	f.finish(advisory.Finish{Gone: []string{"scores"}})
	if n, _, _ := read(released(t, a)); n != 0 {
		t.Errorf("%d of a document that is gone", n)
	}
}

// testHostileRecords keeps what a feed may be full of.
func testHostileRecords(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	var want []*advisory.Record
	for i, n := range []string{"'; DROP TABLE documents; --", "\u202e\u0007", `{"a":[1]}`, strings.Repeat("x", 60_000), "\\u0000", "\u00e9\u0301", "\r\n", "%s%n", "\u0000nul"} {
		r := rec(fmt.Sprintf("GHSA-%d", i), i+1)
		r.Details, r.Aliases, r.Rating, r.Affected[0].Name = n, []string{n}, n, n
		r.Scores = []finding.Score{{Type: "CVSS_V3", Value: n}}
		want = append(want, r)
	}
	f.says("d'\"%\u00e9", "hostile\x00\xff", want...)
	f.finish(advisory.Finish{State: []byte("\x00\xff")})
	var got []*advisory.Record
	for r, err := range a.Records(t.Context(), released(t, a), npm) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := must[[]byte](t)(a.Raw(t.Context(), sha("hostile\x00\xff"))); !bytes.Equal(s, []byte("hostile\x00\xff")) {
		t.Errorf("%q", s)
	}
}

// testNobody: what is announced for nobody reaches those who registered, once.
func testNobody(t *testing.T, root *store.Root) {
	a := root.Advisories(nil)
	if err := root.Register(t.Context(), event.ConcelierDeltas, event.GroupConcelier); err != nil {
		t.Fatal(err)
	}
	f := feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 1))
	f.finish(advisory.Finish{})
	commitHead(t, a, 1, nil)
	q := queue.New(root.QueueDriver())
	relay := root.Relay(q, nil)
	if _, err := q.Group(t.Context(), event.ConcelierDeltas, event.GroupConcelier); err != nil {
		t.Fatal(err)
	}
	relayAll(t, relay)
	if b := must[store.Backlog](t)(root.Backlog(t.Context(), event.ConcelierDeltas)); b.Pending != 0 || b.Published != 1 {
		t.Errorf("relayed: %+v", b)
	}
	n := 0
	for range 2 {
		done, err := root.Once(t.Context(), event.GroupConcelier, "head/1", func(tx *store.Tx) error { n++; return nil })
		if err != nil || done != (n == 1) && n != 1 {
			t.Errorf("done %v, %v", done, err)
		}
	}
	if n != 1 {
		t.Errorf("the effect happened %d times", n)
	}
	if _, err := root.Once(t.Context(), "", "head/1", nil); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("without a group: %v", err)
	}
	if _, err := root.Once(t.Context(), event.GroupScheduler, "head/1", func(*store.Tx) error { return nil }); err != nil { // which every store has
		t.Fatal(err)
	}
	if _, err := root.Collect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if b := must[store.Backlog](t)(root.Backlog(t.Context(), event.ConcelierDeltas)); b.Published != 0 {
		t.Errorf("consumed by everybody, and still out: %+v", b)
	}
	tn := tenant(t, root, "acme")
	if done, err := tn.Once(t.Context(), event.GroupConcelier, "head/1", func(*store.Tx) error { return nil }); err != nil || !done {
		t.Errorf("a tenant's event of that id is another one: %v, %v", done, err)
	}
}

// testPublicObjects: large documents and parts of heads are never collected, what
// nothing refers to is.
func testPublicObjects(t *testing.T, root *store.Root) {
	bucket, err := blob.Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := root.Advisories(bucket)
	f := feedOf(t, a, "s")
	large := strings.Repeat("large ", 400_000)
	f.says("d", large, rec("GHSA-1", 1))
	f.finish(advisory.Finish{})
	put := func(s string) blob.Ref { return must[blob.Ref](t)(a.Bucket().Put(t.Context(), strings.NewReader(s))) }
	segment, orphan := put("segment"), put("orphan")
	commitHead(t, a, 1, []byte(`{"segments":["`+segment.Digest+`"]}`))
	time.Sleep(20 * time.Millisecond)
	done, err := a.Bucket().Collect(t.Context(), a.References(), time.Millisecond)
	if err != nil || done.Deleted != 1 || done.Seen != 3 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := a.Bucket().Stat(t.Context(), orphan); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the orphan: %v", err)
	}
	if raw := must[[]byte](t)(a.Raw(t.Context(), sha(large))); string(raw) != large {
		t.Errorf("%d bytes", len(raw))
	}
	// A part of a snapshot has a name that is not the digest of its bytes.
	for i, a := range []*store.Advisories{a, root.Advisories(nil)} {
		part := strings.Repeat(fmt.Sprint("part ", i), 300_000)
		for range 2 {
			if err := a.PutObject(t.Context(), sha("its name"), []byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if got := must[[]byte](t)(a.Object(t.Context(), sha("its name"))); string(got) != part {
			t.Errorf("%d bytes", len(got))
		}
		if _, err := a.Object(t.Context(), sha("another name")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an object that is not there: %v", err)
		}
		if err := a.PutObject(t.Context(), "its name", nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a bad name: %v", err)
		}
	}
	// A condemned object cannot be referred to.
	late := put("late")
	if free := must[bool](t)(a.References().Condemn(t.Context(), late.Digest)); !free {
		t.Fatal("not condemned")
	}
	c := &advisory.Commit{Head: advisory.Head{Number: 2, Digest: sha("m2"), Manifest: []byte(late.Digest), Runs: map[string]int64{}}}
	if err := a.Commit(t.Context(), c); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a head of a condemned object: %v", err)
	}
	if err := a.References().Forget(t.Context(), late.Digest); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func commitHead(t *testing.T, a advisory.Heads, number int64, manifest []byte) *advisory.Head {
	t.Helper()
	if manifest == nil {
		manifest = fmt.Appendf(nil, "manifest %d", number)
	}
	runs := map[string]int64{}
	for _, s := range must[[]advisory.SourceState](t)(a.Sources(t.Context())) {
		runs[s.Source] = s.Released
	}
	c := &advisory.Commit{Head: advisory.Head{Number: number, Digest: sha(string(manifest)), Manifest: manifest, Runs: runs}}
	if err := a.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return &c.Head
}
