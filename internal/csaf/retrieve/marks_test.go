package retrieve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func entries(names ...string) (out []entry) {
	for _, n := range names {
		out = append(out, entry{name: n})
	}
	return out
}

func named(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("2026/%d.json", i))
	}
	return out
}

// TestMarks: what came and went is told, whatever of it was there before.
func TestMarks(t *testing.T) {
	old := named(0, 3000)
	m := markNames(slices.Values(old), len(old))
	if len(m) != 8*16 {
		t.Fatalf("%d bytes of marks", len(m))
	}
	for _, tt := range []struct {
		name           string
		settled, moved []string
		deleted        []string
		late           []string
		told, crowded  bool
	}{
		{name: "as it was", settled: old, told: true},
		{name: "some are newer, some of them new", settled: old[100:], moved: slices.Concat(old[:100], named(5000, 5100)), told: true},
		{name: "an old one is new", settled: append(named(9000, 9001), old...), late: named(9000, 9001), told: true},
		{name: "an old one is new among newer ones", settled: append(named(9000, 9001), old[100:]...), moved: slices.Concat(old[:100], named(5000, 5100)), late: named(9000, 9001), told: true},
		{name: "one is gone", settled: old[1:]},
		{name: "one is gone and another is new", settled: old[1:], moved: named(5000, 5001)},
		{name: "one is gone, as it is told", settled: old[1:], deleted: old[:1], told: true},
		{name: "one that was not there is deleted", settled: old, deleted: named(9000, 9001), told: true},
		{name: "everything is newer", moved: old, told: true, crowded: true},
	} {
		late, told, crowded := m.late(entries(tt.settled...), entries(tt.moved...), tt.deleted)
		var names []string
		for _, e := range late {
			names = append(names, e.name)
		}
		if diff := cmp.Diff(tt.late, names); diff != "" || told != tt.told || crowded != tt.crowded {
			t.Errorf("%s: told %v, crowded %v, late -want +got:\n%s", tt.name, told, crowded, diff)
		}
	}
}

// TestMarksProperty: of any list, the late ones are found if nothing is gone, unless
// marks cannot tell; and what is gone without being told is never told.
func TestMarksProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 2000).Draw(t, "names")
		m := markNames(slices.Values(named(0, n)), n)
		changed, added := rapid.IntRange(0, min(n, 20)).Draw(t, "changed"), rapid.IntRange(0, 8).Draw(t, "added")
		late, gone := rapid.IntRange(0, 3).Draw(t, "late"), rapid.IntRange(0, min(1, n-changed)).Draw(t, "gone")
		settled := append(named(changed, n-gone), named(10000, 10000+late)...)
		rand.Shuffle(len(settled), func(i, j int) { settled[i], settled[j] = settled[j], settled[i] })
		got, told, crowded := m.late(entries(settled...), entries(append(named(0, changed), named(20000, 20000+added)...)...), nil)
		switch {
		case crowded:
			t.Fatal("crowded")
		case gone > 0 && told:
			t.Fatal("one is gone and that is not seen")
		case gone == 0 && told && len(got) != late:
			t.Fatalf("%d late ones, %d found", late, len(got))
		case gone == 0 && late < 2 && !told:
			t.Fatal("nothing is gone, and it is not told")
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"https://csaf.example.com/f/changes.csv":{"cursor":"2026-01-01T00:00:00Z","count":3,"marks":"AAAAAAAAAAA="}}`))
	f.Add([]byte(`{"https://csaf.example.com/f/changes.csv":{"cursor":"x","count":-1,"marks":"AAAA","names":["","../x"]}}`))
	f.Fuzz(func(t *testing.T, old []byte) {
		s, _ := many(3)
		src := &Source{Lists: []List{Folder(root + "f")}}
		if _, out, err := s.fetch(t, src, old); err != nil {
			t.Fatal(err)
		} else if _, again, err := s.fetch(t, src, out.State); err != nil || !again.Unchanged {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}

// BenchmarkMarks reads a list of as many names as the largest has.
func BenchmarkMarks(b *testing.B) {
	names := named(0, 300_000)
	all := entries(names...)
	m := markNames(slices.Values(names), len(names))
	b.ReportAllocs()
	for b.Loop() {
		if _, told, _ := m.late(all, nil, nil); !told {
			b.Fatal("it is as it was")
		}
	}
}
