//go:build unix

package ingest_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/testdata"
)

// TestRealData ingests real databases and holds the snapshot that is published
// against one that is built of the same records at once, and the store's history
// against what it was.
func TestRealData(t *testing.T) {
	f := &real{}
	size := 0
	for _, pack := range []string{"advisories/osv-go.tar.gz", "advisories/osv-crates.tar.gz", "advisories/osv-ghsa-mixed.tar.gz", "advisories/osv-almalinux.tar.gz"} {
		testdata.Walk(t, pack, func(name string, r io.Reader) {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".json") {
				f.docs = append(f.docs, &advisory.Document{Name: pack + "/" + strings.TrimPrefix(name, "/"), Content: text})
				size += len(text)
			}
		})
	}
	_, a := newStore(t)
	began := time.Now()
	out, err := newIngester(a).Run(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	ingested := time.Since(began)
	if out.Documents != len(f.docs) || out.Records+out.Quarantined < len(f.docs) || out.Records < len(f.docs)*9/10 {
		t.Errorf("%+v", out)
	}
	p := newPublisher(t, a)
	h := publish(t, p)
	all := everything(t, a, h)
	var built bytes.Buffer
	if _, err := snapshot.Build(&built, func(yield func(*advisory.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(built.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	m, err := snapshot.DecodeManifest(h.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Manifest().Segments, m.Segments); diff != "" {
		t.Errorf("segments (-at once +published):\n%.2000s", diff)
	}
	if diff := cmp.Diff(advisory.Link(counting(all)), linksets(t, a)); diff != "" {
		t.Errorf("linksets (-at once +published):\n%.2000s", diff)
	}
	// Some change, a few vanish: in steps as at once, and the past stays.
	next := &real{docs: append([]*advisory.Document(nil), f.docs[5:]...)}
	for i := range next.docs {
		if i%50 == 0 {
			changed := *next.docs[i]
			changed.Content = bytes.Replace(changed.Content, []byte(`"fixed": "`), []byte(`"fixed": "9`), 1)
			next.docs[i] = &changed
		}
	}
	if out, err = newIngester(a).Run(t.Context(), next); err != nil || out.Held != "" || out.Gone != 5 {
		t.Fatalf("%+v, %v", out, err)
	}
	began = time.Now()
	two := publish(t, p)
	if diff := cmp.Diff(advisory.Link(counting(everything(t, a, two))), linksets(t, a)); diff != "" {
		t.Errorf("linksets after a change (-at once +published):\n%.2000s", diff)
	}
	facts := 0
	for _, err := range a.Facts(t.Context(), 2) {
		if err != nil {
			t.Fatal(err)
		}
		facts++
	}
	if facts == 0 {
		t.Error("no facts")
	}
	if now := everything(t, a, h); len(now) != len(all) {
		t.Errorf("the head before has %d records now, and had %d", len(now), len(all))
	}
	t.Logf("%d documents, %d bytes, %d records ingested in %v; %d linksets; the second head in %v with %d facts", len(f.docs), size, len(all), ingested, len(linksets(t, a)), time.Since(began), facts)
}
