package detect

import "iter"

// tally holds votes by their key: which template, and roughly where it begins.
type tally struct {
	slots []ballot // open addressing; a power of two, at most half of them in use
	used  int
}

// ballot is one slot. An empty one has no votes.
type ballot struct {
	key uint64
	votes
}

func newTally() *tally { return &tally{slots: make([]ballot, 256)} }

// find returns the slot of a key, or the empty one where it belongs.
func (t *tally) find(key uint64) *ballot {
	mask := uint64(len(t.slots) - 1)
	for i := key * 0x9e3779b97f4a7c15 >> 32 & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.count == 0 || s.key == key {
			return s
		}
	}
}

// at returns the votes of a key, to which one must be added before the next call.
func (t *tally) at(key uint64) *votes {
	s := t.find(key)
	if s.count > 0 {
		return &s.votes
	}
	if t.used++; t.used*2 > len(t.slots) {
		old := t.slots
		t.slots = make([]ballot, 2*len(old))
		for _, b := range old {
			if b.count > 0 {
				*t.find(b.key) = b
			}
		}
		s = t.find(key)
	}
	s.key = key
	return &s.votes
}

// count returns how many votes a key has.
func (t *tally) count(key uint64) int32 { return t.find(key).count }

// all yields the votes in no order that means anything.
func (t *tally) all() iter.Seq2[uint64, votes] {
	return func(yield func(uint64, votes) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; s.count > 0 && !yield(s.key, s.votes) {
				return
			}
		}
	}
}
