package retrieve

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math/bits"
)

// marks tell of a long list which names it got or lost, without having them: names are
// put into groups by a hash, and a mark is the exclusive or of the hashes of a group,
// eight bytes each. One name that came or went changes one mark by its own hash. No
// marks are nil.
type marks []byte

const (
	groupNames = 256  // names of a group, about
	maxGroups  = 1024 // 8 KiB
	// maxMoved is how many new or changed names of a group are told apart. Hashes have
	// 64 bits: with more it would come to be chance.
	maxMoved = 32
)

// markNames returns the marks of n names.
func markNames(names iter.Seq[string], n int) marks {
	groups := 1 << bits.Len(uint(n/groupNames))
	m := make(marks, 8*min(groups, maxGroups))
	for name := range names {
		group, hash := m.place(name)
		binary.BigEndian.PutUint64(m[8*group:], m.at(group)^hash)
	}
	return m
}

// place returns a name's group and hash.
func (m marks) place(name string) (group int, hash uint64) {
	sum := sha256.Sum256([]byte(name))
	return int(binary.BigEndian.Uint64(sum[8:]) % uint64(len(m)/8)), binary.BigEndian.Uint64(sum[:])
}

func (m marks) at(group int) uint64 { return binary.BigEndian.Uint64(m[8*group:]) }

// ok reports whether they are marks.
func (m marks) ok() bool { return len(m) > 0 && len(m)%8 == 0 && len(m) <= 8*maxGroups }

// group is what happened to the names of a group.
type group struct {
	change  uint64   // of its mark
	moved   []uint64 // hashes of names that may have come or gone, as it is known without marks
	settled []int    // entries that are asked for only if they were not there
}

// late returns the entries of settled that the list did not have, though they are not
// newer than what was fetched: those that explain the marks together with some of
// moved, which are new or changed and may have been there before, and deleted. told is
// false where a mark cannot be explained: a name is gone then, or two late ones have
// the same mark. crowded says that more moved than can be told apart.
func (m marks) late(settled, moved []entry, deleted []string) (late []entry, told, crowded bool) {
	groups := make([]group, len(m)/8)
	for i := range groups {
		groups[i].change = m.at(i)
	}
	hashes := make([]uint64, len(settled))
	for i := range settled {
		g, hash := m.place(settled[i].name)
		hashes[i] = hash
		groups[g].change ^= hash
		groups[g].settled = append(groups[g].settled, i)
	}
	for i := range moved {
		g, hash := m.place(moved[i].name)
		groups[g].change ^= hash
		groups[g].moved = append(groups[g].moved, hash)
	}
	for _, name := range deleted {
		g, hash := m.place(name)
		groups[g].moved = append(groups[g].moved, hash)
	}
	told = true
	for _, g := range groups {
		if len(g.moved) > maxMoved {
			crowded = true
			continue
		}
		var s span
		for _, hash := range g.moved {
			s.add(hash)
		}
		if s.has(g.change) {
			continue
		}
		found := false
		for _, i := range g.settled {
			if s.has(g.change ^ hashes[i]) {
				late, found = append(late, settled[i]), true
				break
			}
		}
		told = told && found
	}
	return late, told, crowded
}

// span has what can be made of numbers by exclusive or: one of each highest bit.
type span [64]uint64

// reduce takes out of x what the span has.
func (s *span) reduce(x uint64) uint64 {
	for x != 0 {
		row := s[bits.Len64(x)-1]
		if row == 0 {
			return x
		}
		x ^= row
	}
	return 0
}

func (s *span) has(x uint64) bool { return s.reduce(x) == 0 }

func (s *span) add(x uint64) {
	if x = s.reduce(x); x != 0 {
		s[bits.Len64(x)-1] = x
	}
}
