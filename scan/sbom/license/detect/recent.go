package detect

import (
	"slices"
	"sync"
)

const (
	maxRecent = 256  // texts that are remembered
	longText  = 2048 // words over which a text is not: those come once
)

// recent remembers what texts were found to be. An image has many copies of few texts, which
// differ in nothing but whose copyright it is, and that is no part of them. It takes some
// hundred KiB, and at most two MiB. The zero value is empty; it is safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	texts [maxRecent]remembered // each where its words lead, until another is led there
}

type remembered struct {
	words []uint32 // nil: none
	found []alignment
}

// place returns where a text belongs.
func (r *recent) place(words []uint32) *remembered {
	h := uint64(len(words))
	for _, w := range words {
		h = (h ^ uint64(w)) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return &r.texts[h%maxRecent]
}

// get returns what was put for the same words. It is shared: nobody may change it.
func (r *recent) get(words []uint32) ([]alignment, bool) {
	if len(words) == 0 || len(words) > longText {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.place(words)
	return t.found, slices.Equal(t.words, words)
}

// put keeps words and found.
func (r *recent) put(words []uint32, found []alignment) {
	if len(words) == 0 || len(words) > longText {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.place(words) = remembered{words, found}
}
