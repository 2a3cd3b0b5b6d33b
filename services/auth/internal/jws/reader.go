package jws

import (
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of what a Reader remembers.
const (
	maxHeads = 2048
	maxHead  = 1024 // bytes of a header's text
)

// Reader reads texts and remembers the headers of those that were verified: the texts of one
// sender have the same one. It is safe for concurrent use; nil remembers nothing.
type Reader struct {
	mu         sync.Mutex
	young, old map[string]*head
}

// head is a header that was read.
type head struct {
	Header
	mu    sync.Mutex
	jose  *jose.JSONWebSignature // of this header; nil until a signature is checked
	print string                 // "" until it is asked for
}

// head returns what a header's text says.
func (r *Reader) head(text string, algs []string) (*head, error) {
	if h := r.recall(text); h != nil {
		if !slices.Contains(algs, h.Algorithm) {
			return nil, refuse("the algorithm is not allowed")
		}
		return h, nil
	}
	b, err := decode(text)
	if err != nil || len(b) == 0 {
		return nil, errPart
	}
	h, err := readHeader(b, algs)
	if err != nil {
		return nil, err
	}
	return &head{Header: *h}, nil
}

func (r *Reader) recall(text string) *head {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.young[text]
	if h == nil {
		if h = r.old[text]; h != nil {
			r.put(text, h)
		}
	}
	return h
}

// keep remembers the header of a text that was verified.
func (r *Reader) keep(text string, h *head) {
	first, _, _ := strings.Cut(text, ".")
	if r == nil || len(first) > maxHead {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young[first] == nil {
		r.put(strings.Clone(first), h)
	}
}

// put keeps a header in the young half; when that is full, the old half is forgotten. The
// lock is held.
func (r *Reader) put(text string, h *head) {
	if r.young == nil || len(r.young) >= maxHeads/2 {
		r.old, r.young = r.young, map[string]*head{}
	}
	r.young[text] = h
}

// signed returns what go-jose reads of the header of a text. Its payload and signature are of
// none: they are not kept.
func (h *head) signed(text string) (*jose.JSONWebSignature, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jose == nil {
		first, _, _ := strings.Cut(text, ".")
		s, err := jose.ParseSignedCompact(first+".AA.AA", []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.Algorithm)})
		if err != nil {
			return nil, refuse("the header is not understood")
		}
		h.jose = s
	}
	return h.jose, nil
}

func (h *head) thumbprint() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.print == "" {
		t, err := Thumbprint(h.Key.Public)
		if err != nil {
			return "", err
		}
		h.print = t
	}
	return h.print, nil
}
