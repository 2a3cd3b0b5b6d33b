package layer

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEntriesKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := []EntryKind{EntryFile, EntryDir, EntrySymlink, EntryHardlink, EntryOther}
		path := rapid.StringMatching(`[ab/]{0,12}`)
		var want []Entry
		var e Entries
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			x := Entry{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Path: path.Draw(t, "path")}
			if x.Kind == EntrySymlink || x.Kind == EntryHardlink {
				x.Link = path.Draw(t, "link")
			}
			want = append(want, x)
			e.Add(x.Kind, x.Path, x.Link)
		}
		text, err := e.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Entries
		if err := back.UnmarshalText(text); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Collect(back.All())); diff != "" {
			t.Errorf("entries changed (-want +got):\n%s", diff)
		}
		if back.Len() != len(want) {
			t.Errorf("length %d, want %d", back.Len(), len(want))
		}
	})
}

// FuzzFragment decodes anything without a crash, and what decodes encodes to
// what decodes to the same.
func FuzzFragment(f *testing.F) {
	var e Entries
	e.Add(EntryFile, "etc/os-release", "")
	e.Add(EntrySymlink, "etc/link", "os-release")
	good := &Fragment{Version: FragmentVersion, DiffID: "sha256:00", Files: []FileFacts{{Path: "a", Analyzer: "x"}}, Whiteouts: []string{"b"}, Entries: e}
	b, err := good.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"entries":"ZgAB"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := DecodeFragment(data)
		if err != nil {
			return
		}
		once, err := g.Encode()
		if err != nil {
			return // text that JSON cannot hold
		}
		again, err := DecodeFragment(once)
		if err != nil {
			t.Fatalf("own encoding does not decode: %v", err)
		}
		if twice, _ := again.Encode(); !bytes.Equal(once, twice) {
			t.Errorf("encoding is not stable:\n%s\n%s", once, twice)
		}
	})
}

// A long list is kept in several blocks; its digest is that of the bytes.
func TestDigestIsThatOfTheBytes(t *testing.T) {
	f := &Fragment{Version: FragmentVersion, DiffID: "sha256:00", Files: []FileFacts{{Path: "a", Analyzer: "x"}}}
	for i := range 20_000 {
		if i%4_999 == 0 {
			digest, err := f.Digest()
			b, encodeErr := f.Encode()
			if err != nil || encodeErr != nil || Digest(b) != digest {
				t.Fatalf("%d entries: digest %s (%v), of the bytes %s (%v)", i, digest, err, Digest(b), encodeErr)
			}
			back, err := DecodeFragment(b)
			if diff := cmp.Diff(slices.Collect(f.Entries.All()), slices.Collect(back.Entries.All())); err != nil || diff != "" {
				t.Fatalf("%d entries: %v (-want +got):\n%s", i, err, diff)
			}
		}
		f.Entries.Add(EntryFile, fmt.Sprintf("usr/share/%x", i*i), "")
	}
	if len(f.Entries.blocks) < 3 {
		t.Errorf("%d blocks: too short a list", len(f.Entries.blocks))
	}
}
