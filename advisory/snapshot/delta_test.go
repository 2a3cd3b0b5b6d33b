package snapshot_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
)

// parts groups records as segments do.
func parts(list []*advisory.Record) map[advisory.Part][]*advisory.Record {
	out := map[advisory.Part][]*advisory.Record{}
	for _, r := range list {
		bases := map[string]bool{}
		for _, a := range r.Affected {
			if a.Name != "" {
				base, _, _ := strings.Cut(a.Ecosystem, ":")
				bases[base] = true
			}
		}
		if len(bases) == 0 {
			bases[""] = true
		}
		for base := range bases {
			p := advisory.Part{Source: r.Source, Database: r.Database(), Ecosystem: base}
			out[p] = append(out[p], r)
		}
	}
	return out
}

// compose builds a snapshot part by part, as a store does.
func compose(t fataler, list []*advisory.Record, signals []*advisory.Signal) []byte {
	m := &snapshot.Manifest{Sources: []snapshot.Origin{{Name: "osv", Checked: "2026-11-28T00:00:00Z", StaleAfter: 72}}}
	objects := map[string][]byte{}
	for p, records := range parts(list) {
		info, object, err := snapshot.EncodeSegment(p, sequence(records))
		if err != nil {
			t.Fatalf("%v", err)
		}
		m.Segments = append(m.Segments, *info)
		objects[info.Digest] = object
	}
	if len(signals) > 0 {
		info, object, err := snapshot.EncodeOverlay("kev", func(yield func(*advisory.Signal, error) bool) {
			for _, s := range signals {
				if !yield(s, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatalf("%v", err)
		}
		m.Overlays = append(m.Overlays, *info)
		objects[info.Digest] = object
	}
	manifest, _, err := m.Encode()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out bytes.Buffer
	if err := snapshot.Assemble(&out, manifest, func(digest string) ([]byte, error) { return objects[digest], nil }); err != nil {
		t.Fatalf("%v", err)
	}
	return out.Bytes()
}

func drawSignals(t *rapid.T) []*advisory.Signal {
	text := rapid.SampledFrom([]string{"", "0.97565", "0.0", "0.", "1", "0.00001", "0.123456789012345678", "0.1234567890123456789", "2021-12-10", "Known"})
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) *advisory.Signal {
		return &advisory.Signal{
			Vulnerability: rapid.SampledFrom([]string{"CVE-2021-44228", "CVE-2021-0001", "CVE-1999-12345", "CVE-2024-1234567"}).Draw(t, "cve"), Source: "kev",
			Exploited: text.Draw(t, "exploited"), Due: text.Draw(t, "due"), Ransomware: text.Draw(t, "ransomware"), EPSS: text.Draw(t, "epss"), Percentile: text.Draw(t, "percentile"), Day: text.Draw(t, "day"),
		}
	}), 0, 4, func(s *advisory.Signal) string { return s.Vulnerability }).Draw(t, "signals")
}

func TestDeltaGivesTheFullBuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := effective(drawRecords(t))
		now := effective(drawRecords(t))
		for _, r := range old { // most records stay
			if rapid.IntRange(0, 3).Draw(t, "stays") > 0 {
				now = slices.DeleteFunc(now, func(n *advisory.Record) bool { return n.ID == r.ID })
				now = append(now, r)
			}
		}
		a, b := compose(t, old, drawSignals(t)), compose(t, now, drawSignals(t))
		from, to := open2(t, a), open2(t, b)
		var delta, out bytes.Buffer
		size, err := snapshot.WriteDelta(&delta, from, to)
		if err != nil || size != int64(delta.Len()) {
			t.Fatalf("%d of %d bytes, %v", size, delta.Len(), err)
		}
		digest, err := snapshot.ApplyDelta(&out, from, bytes.NewReader(delta.Bytes()))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if digest != to.Digest() || !bytes.Equal(out.Bytes(), b) {
			t.Fatalf("the delta makes %s, a full build %s; equal bytes: %v", digest, to.Digest(), bytes.Equal(out.Bytes(), b))
		}
		if _, err := snapshot.ApplyDelta(io.Discard, to, bytes.NewReader(delta.Bytes())); from.Digest() != to.Digest() && !errors.Is(err, snapshot.ErrConflict) {
			t.Fatalf("applied to another snapshot: %v", err)
		}
	})
}

func open2(t fataler, data []byte) *snapshot.Snapshot {
	s, err := snapshot.Read(data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func TestDamagedDelta(t *testing.T) {
	old, now := records("A-1", "A-2", "B-1"), records("A-1", "A-3", "B-1")
	now[2].Summary = "changed"
	from, to := open(t, compose(t, old, nil)), open(t, compose(t, now, nil))
	var delta bytes.Buffer
	if _, err := snapshot.WriteDelta(&delta, from, to); err != nil {
		t.Fatal(err)
	}
	for i := range delta.Len() {
		for _, damaged := range [][]byte{delta.Bytes()[:i], flip(delta.Bytes(), i)} {
			digest, err := snapshot.ApplyDelta(io.Discard, from, bytes.NewReader(damaged))
			if err == nil && digest != to.Digest() {
				t.Fatalf("byte %d: the delta makes %s", i, digest)
			}
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x41
	return b
}

func TestRecordsAndSignals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, signals := effective(drawRecords(t)), drawSignals(t)
		s := open2(t, compose(t, list, signals))
		if err := s.Verify(); err != nil {
			t.Fatalf("%v", err)
		}
		for p, want := range parts(list) {
			var got []*advisory.Record
			for r, err := range s.Records(p) {
				if err != nil {
					t.Fatalf("%v", err)
				}
				got = append(got, r)
			}
			if diff := gocmp.Diff(wantRecords(p, want), wantRecords(p, got), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("records of %v (-want +got)\n%s", p, diff)
			}
		}
		checkNamed(t, s, list)
		for _, want := range signals {
			got, err := s.Signals(ctx, want.Vulnerability)
			if err != nil || len(got) != 1 || got[0] != *want {
				t.Fatalf("signals of %s: %+v, %v, want %+v", want.Vulnerability, got, err, want)
			}
		}
		if got, err := s.Signals(ctx, "CVE-2000-0001"); err != nil || got != nil {
			t.Fatalf("signals of an unknown one: %v, %v", got, err)
		}
	})
}

// wantRecords cuts records to a part, and sorts what they affect.
func wantRecords(p advisory.Part, list []*advisory.Record) []advisory.Record {
	var out []advisory.Record
	for _, r := range list {
		flat := *r
		flat.Affected = slices.DeleteFunc(slices.Clone(r.Affected), func(a advisory.Affected) bool {
			base, _, _ := strings.Cut(a.Ecosystem, ":")
			return a.Name == "" || base != p.Ecosystem
		})
		slices.SortStableFunc(flat.Affected, func(a, b advisory.Affected) int {
			return cmp.Or(cmp.Compare(a.Ecosystem, b.Ecosystem), cmp.Compare(advisory.CanonicalName(a.Ecosystem, a.Name), advisory.CanonicalName(b.Ecosystem, b.Name)))
		})
		if len(flat.Details) > advisory.MaxDetails {
			flat.Details = flat.Details[:advisory.MaxDetails]
		}
		out = append(out, flat)
	}
	return out
}

// checkNamed compares Named with going through all records.
func checkNamed(t fataler, s *snapshot.Snapshot, list []*advisory.Record) {
	want := map[string]map[string]bool{}
	for _, r := range list {
		for _, ids := range [][]string{{r.ID}, r.Aliases, r.Upstream, r.Related} {
			for _, id := range ids {
				if want[id] == nil {
					want[id] = map[string]bool{}
				}
				want[id][r.ID] = true
			}
		}
	}
	for id, records := range want {
		refs, err := s.Named(ctx, id)
		if err != nil {
			t.Fatalf("%v", err)
		}
		got := map[string]bool{}
		for _, ref := range refs {
			r, err := s.Record(ctx, ref)
			if err != nil {
				t.Fatalf("%v", err)
			}
			got[r.ID] = true
		}
		if !maps.Equal(got, records) {
			t.Fatalf("%q is named by %v, want %v", id, got, records)
		}
	}
	if refs, err := s.Named(ctx, "nobody names this"); err != nil || refs != nil {
		t.Fatalf("an unknown id: %v, %v", refs, err)
	}
}

func TestAssembleChecks(t *testing.T) {
	info, object, err := snapshot.EncodeSegment(advisory.Part{Database: "A", Ecosystem: "npm"}, sequence(records("A-1", "A-2")))
	if err != nil {
		t.Fatal(err)
	}
	m := &snapshot.Manifest{Segments: []snapshot.Segment{*info}}
	manifest, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	assemble := func(object []byte) error {
		return snapshot.Assemble(io.Discard, manifest, func(string) ([]byte, error) { return object, nil })
	}
	if err := assemble(object); err != nil {
		t.Fatal(err)
	}
	for i := range object {
		if err := assemble(flip(object, i)); err == nil {
			t.Errorf("byte %d of %d changed: not found", i, len(object))
		}
		if err := assemble(object[:i]); err == nil {
			t.Errorf("cut to %d bytes: not found", i)
		}
	}
	if err := assemble(append(slices.Clone(object), 0)); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("a byte more: %v", err)
	}
	if _, _, err := snapshot.EncodeSegment(advisory.Part{Database: "B"}, sequence(records("A-1"))); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("a part without records: %v", err)
	}
}

func TestInstall(t *testing.T) {
	store := snapshot.Store{Dir: t.TempDir()}
	data, result := build(t, records("A-1"))
	write := func(b []byte) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(b); return err }
	}
	if err := store.Install(result.Digest, write(data)); err != nil {
		t.Fatal(err)
	}
	other, _ := build(t, records("A-2"))
	for name, err := range map[string]error{
		"another snapshot": store.Install(result.Digest, write(other)), "cut": store.Install(result.Digest, write(data[:len(data)-1])),
		"flipped": store.Install(result.Digest, write(flip(data, 200))), "no digest": store.Install("sha256:x", write(data)),
		"a failure": store.Install(result.Digest, func(io.Writer) error { return fmt.Errorf("full: %w", io.ErrShortWrite) }),
	} {
		if err == nil {
			t.Errorf("%s: installed", name)
		}
	}
	s, err := store.Open()
	if err != nil || s.Digest() != result.Digest {
		t.Fatal(err)
	}
	s.Close()
}
