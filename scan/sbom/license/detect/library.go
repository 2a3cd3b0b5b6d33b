package detect

import (
	_ "embed" // the templates
	"sync"

	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
)

//go:embed templates.bin
var embedded []byte

// library is made once, when it is first needed.
var library = sync.OnceValue(func() *lib {
	templates, err := template.Decode(embedded)
	if err != nil {
		panic(err) // the file is part of the program, and tests read it
	}
	return newLib(templates)
})

const (
	gram = 5 // words of a seed

	// Seeds that are in more than manyPlaces of all templates, such as those of a
	// disclaimer that a hundred licences have, are used one in eight times, and
	// not at all in more than maxPlaces.
	manyPlaces = 24
	maxPlaces  = 256
)

// place is where a seed is in a template.
type place struct {
	template uint16
	at       uint16
}

// lib is the templates with an index of their seeds. Only what it remembers changes.
type lib struct {
	templates []template.Template
	seeds     []int32 // of each template, how many seeds find it
	table     []slot  // open addressing; a power of two
	places    []place
	heads     map[uint64][]int // by the first required words, the templates
	recent    recent
	filter    []uint64 // a bit for each of some bits of a hash: most words of other texts end here
}

// slot is one seed. An empty one has no places.
type slot struct {
	hash         uint64
	first, count uint32
}

// used reports whether the seed is looked for.
func (s *slot) used() bool {
	return s.count > 0 && (s.count <= manyPlaces || s.count <= maxPlaces && s.hash>>40&7 == 0)
}

// hashGram hashes the words w[0:gram] (a polynomial, mixed as in splitmix64).
func hashGram(w []uint32) uint64 {
	h := uint64(0)
	for _, x := range w[:gram] {
		h = (h ^ uint64(x)) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return h
}

// sampling says which seeds of a template are used: those whose hash has these
// bits zero. Long texts need fewer.
func sampling(words int) uint64 {
	switch {
	case words < 120:
		return 0
	case words < 500:
		return 1
	case words < 1500:
		return 3
	}
	return 15
}

func newLib(templates []template.Template) *lib {
	l := &lib{templates: templates, seeds: make([]int32, len(templates)), heads: map[uint64][]int{}}
	type seed struct {
		hash uint64
		place
	}
	most := 0
	for i := range templates {
		most += len(templates[i].Words)/int(sampling(len(templates[i].Words))+1) + 64
	}
	all := make([]seed, 0, most)
	for i := range templates {
		t := &templates[i]
		if t.Head+gram <= len(t.Words) {
			h := hashGram(t.Words[t.Head:])
			l.heads[h] = append(l.heads[h], i)
		}
		mask := sampling(len(t.Words)) << 20
		for at := 0; at+gram <= len(t.Words); at++ {
			if required(t, at) {
				if h := hashGram(t.Words[at:]); h&mask == 0 {
					all = append(all, seed{h, place{uint16(i), uint16(at)}})
				}
			}
		}
	}
	size := 1
	for size < len(all)*2 {
		size *= 2
	}
	l.table, l.filter = make([]slot, size), make([]uint64, filterBits/64)
	for _, s := range all {
		slot := l.find(s.hash)
		slot.hash = s.hash
		slot.count++
		l.filter[s.hash%filterBits/64] |= 1 << (s.hash % 64)
	}
	next := uint32(0)
	for i := range l.table {
		if s := &l.table[i]; s.count > 0 {
			s.first = next
			next += s.count
			s.count = 0
		}
	}
	l.places = make([]place, next)
	for _, s := range all {
		slot := l.find(s.hash)
		l.places[slot.first+slot.count] = s.place
		slot.count++
	}
	for _, s := range all {
		if l.find(s.hash).used() {
			l.seeds[s.template]++
		}
	}
	return l
}

const filterBits = 1 << 20

// required reports whether no word of the seed at i is omittable. Replaceable
// words count: most copies have those of the list.
func required(t *template.Template, i int) bool {
	for j := i; j < i+gram; j++ {
		if t.Skip[j] != 0 && !t.Replaceable(j) {
			return false
		}
	}
	return true
}

// find returns the slot of a hash, or the empty one where it belongs. During
// construction hashes are set before their counts are reset, so that a slot is
// empty only if its hash is zero.
func (l *lib) find(h uint64) *slot {
	mask := uint64(len(l.table) - 1)
	for i := (h >> 24) & mask; ; i = (i + 1) & mask {
		if s := &l.table[i]; s.hash == h || s.hash == 0 {
			return s
		}
	}
}

// lookup returns the places of a seed, or nil.
func (l *lib) lookup(h uint64) []place {
	if l.filter[h%filterBits/64]&(1<<(h%64)) == 0 {
		return nil
	}
	if s := l.find(h); s.used() {
		return l.places[s.first : s.first+s.count]
	}
	return nil
}
