package detect

import (
	"testing"
)

// TestRecent: what is remembered is what a comparison gives, for texts that are led to one
// place too, and nothing is remembered of long ones.
func TestRecent(t *testing.T) {
	var r recent
	text := func(i int) []uint32 { return []uint32{uint32(i), uint32(i) * 7} }
	for i := range 4 * maxRecent {
		if _, known := r.get(text(i)); known {
			t.Errorf("text %d is known before it was put", i)
		}
		r.put(text(i), []alignment{{template: i}})
		if found, known := r.get(text(i)); !known || len(found) != 1 || found[0].template != i {
			t.Errorf("text %d: %v, %v", i, found, known)
		}
	}
	known := 0
	for i := range 4 * maxRecent {
		if found, ok := r.get(text(i)); ok {
			if known++; found[0].template != i {
				t.Errorf("text %d is taken for %d", i, found[0].template)
			}
		}
	}
	if known == 0 || known > maxRecent {
		t.Errorf("%d texts are remembered, of at most %d", known, maxRecent)
	}
	long := make([]uint32, longText+1)
	r.put(long, nil)
	if _, known := r.get(long); known {
		t.Error("a long text is remembered")
	}
	r.put(nil, nil)
	if _, known := r.get(nil); known {
		t.Error("no text at all is remembered")
	}
}

// TestTally counts as a map does.
func TestTally(t *testing.T) {
	got, want := newTally(), map[uint64]int32{}
	for i := range uint64(5000) {
		key := i * i % 1999 << 20
		got.at(key).count++
		want[key]++
	}
	for key, n := range want {
		if got.count(key) != n {
			t.Errorf("key %d: %d votes, want %d", key, got.count(key), n)
		}
	}
	for key, v := range got.all() {
		if v.count != want[key] {
			t.Errorf("key %d: %d votes, want %d", key, v.count, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 || got.count(1) != 0 {
		t.Errorf("%d keys are left out; %d votes for one that has none", len(want), got.count(1))
	}
}
