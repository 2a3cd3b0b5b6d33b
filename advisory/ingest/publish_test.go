package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/store"
)

func newPublisher(t testing.TB, a *store.Advisories) *ingest.Publisher {
	c := ingest.Cache(t.TempDir(), a)
	t.Cleanup(func() { c.Close() })
	return &ingest.Publisher{Heads: a, Objects: a, Cache: c}
}

func publish(t *testing.T, p *ingest.Publisher) *advisory.Head {
	t.Helper()
	h, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func linksets(t *testing.T, a *store.Advisories) (out []*advisory.Linkset) {
	t.Helper()
	for l, err := range a.Linksets(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// everything returns all records as of a head, each once.
func everything(t *testing.T, a *store.Advisories, h *advisory.Head) (out []*advisory.Record) {
	t.Helper()
	parts, err := a.Changed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[3]string]bool{}
	for _, p := range parts {
		if p.Database == "" {
			continue
		}
		for r, err := range a.Records(t.Context(), h, p) {
			if err != nil {
				t.Fatal(err)
			}
			if key := [3]string{r.Source, r.ID, r.Digest}; !seen[key] {
				seen[key] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// counting leaves of records of one source and id the one that counts.
func counting(list []*advisory.Record) (out []*advisory.Record) {
	at := map[[2]string]int{}
	for _, r := range list {
		key := [2]string{r.Source, r.ID}
		i, known := at[key]
		switch {
		case !known:
			at[key] = len(out)
			out = append(out, r)
		case r.Modified > out[i].Modified || r.Modified == out[i].Modified && r.Digest > out[i].Digest:
			out[i] = r
		}
	}
	return out
}

func TestPublish(t *testing.T) {
	_, a := newStore(t)
	i, p := newIngester(a), newPublisher(t, a)
	if h := publish(t, p); h != nil {
		t.Errorf("a head of nothing: %+v", h)
	}
	f := &feed{name: "f", complete: true, docs: map[string]string{"s": "signal CVE-2024-0001 0.5\n"}}
	for n := range 40 {
		f.docs[fmt.Sprint(n)] = record(fmt.Sprintf("GHSA-%d", n), 1, fmt.Sprintf(`"aliases":["CVE-2024-00%02d"],`, n/2+10))
	}
	run(t, i, f)
	one := publish(t, p)
	if one == nil || one.Number != 1 {
		t.Fatalf("%+v", one)
	}
	if h := publish(t, p); h != nil {
		t.Errorf("nothing new, and a head: %+v", h)
	}
	f.docs["3"] = record("GHSA-3", 2, `"aliases":["CVE-2024-0099"],`)
	f.docs["new"] = record("GHSA-NEW", 1, "")
	delete(f.docs, "5")
	run(t, i, f)
	two := publish(t, p)
	if two == nil || two.Number != 2 || two.Digest == one.Digest {
		t.Fatalf("%+v after %+v", two, one)
	}
	// What was made in steps is what is made at once.
	var built bytes.Buffer
	if err := snapshot.Assemble(&built, two.Manifest, func(digest string) ([]byte, error) { return a.Object(t.Context(), digest) }); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(built.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(); err != nil || s.Digest() != two.Digest {
		t.Errorf("%s, %v", s.Digest(), err)
	}
	if diff := cmp.Diff(advisory.Link(counting(everything(t, a, two))), linksets(t, a)); diff != "" {
		t.Errorf("linksets (-at once +in steps):\n%s", diff)
	}
	facts := map[string]advisory.Cause{}
	for f, err := range a.Facts(t.Context(), 2) {
		if err != nil {
			t.Fatal(err)
		}
		facts[f.Record] = f.Cause
	}
	if facts["GHSA-3"] != advisory.CauseChanged || facts["GHSA-NEW"] != advisory.CauseNew || facts["GHSA-5"] != advisory.CauseWithdrawn || len(facts) != 3 {
		t.Errorf("facts: %v", facts)
	}
	for _, err := range a.Facts(t.Context(), 1) {
		t.Errorf("a first head has facts, %v", err)
	}
	f.docs["s"] = "signal CVE-2024-0001 0.7\n"
	run(t, i, f)
	if h := publish(t, p); h == nil || h.Number != 3 {
		t.Errorf("other signals: %+v", h)
	}
	clear(f.docs)
	run(t, i, f)
	if h := publish(t, p); h != nil {
		t.Errorf("a held run made head %+v", h)
	}
}

// TestPublishAge: a head tells of a check that found nothing, now and then, and
// never of one that is held.
func TestPublishAge(t *testing.T) {
	_, a := newStore(t)
	i, p := newIngester(a), newPublisher(t, a)
	p.Describe = func(string) (advisory.Description, bool) {
		return advisory.Description{License: "CC0-1.0", Redistribute: true}, true
	}
	f := &feed{name: "f", complete: true, docs: map[string]string{}}
	for n := range 40 {
		f.docs[fmt.Sprint(n)] = record(fmt.Sprintf("GHSA-%d", n), 1, "")
	}
	run(t, i, f)
	publish(t, p)
	time.Sleep(1100 * time.Millisecond)
	run(t, i, f)
	if h := publish(t, p); h != nil {
		t.Errorf("a head of an hour's check: %+v", h)
	}
	p.Refresh = time.Second
	h := publish(t, p)
	if h == nil || !strings.Contains(string(h.Manifest), `"license":"CC0-1.0","redistribute":true`) {
		t.Fatalf("%+v", h)
	}
	time.Sleep(1100 * time.Millisecond)
	clear(f.docs)
	run(t, i, f)
	if h := publish(t, p); h != nil {
		t.Errorf("a held run made the data look fresh: %s", h.Manifest)
	}
}

func TestPublishAtOnce(t *testing.T) {
	_, a := newStore(t)
	run(t, newIngester(a), &feed{name: "f", docs: map[string]string{"a": record("GHSA-1", 1, "")}})
	var mu sync.Mutex
	made := 0
	var wg sync.WaitGroup
	for range 4 {
		p := newPublisher(t, a)
		wg.Go(func() {
			h, err := p.Publish(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if h != nil {
				made++
			}
			if err != nil && !errors.Is(err, ingest.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d heads", made)
	}
}
