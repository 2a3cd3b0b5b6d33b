package vex

import (
	"context"
	"slices"
	"strings"
)

// View is statements as evaluation reads them: an immutable set. A
// snapshot.Snapshot is one. Its methods are safe for concurrent use, and what it
// returns is prepared and must not be changed. A view that finds its data damaged
// returns an error that wraps [ErrMismatch] or [ErrInvalid].
type View interface {
	// Digest identifies the set, "sha256:" and 64 hex digits. Views with equal
	// digests have equal statements.
	Digest() string
	// Statements returns those that are about a vulnerability with one of the ids,
	// in any case, sorted by ID and each once; none is no error.
	Statements(ctx context.Context, ids []string) ([]*Statement, error)
}

// Set is a View of statements in memory.
type Set struct {
	digest string
	list   []*Statement
	byName map[string][]*Statement
}

// NewSet returns the set of the given statements, which must be prepared. One that
// is given twice is in it once.
func NewSet(list []*Statement) *Set {
	s := &Set{list: slices.Clone(list), byName: map[string][]*Statement{}}
	slices.SortFunc(s.list, func(a, b *Statement) int { return strings.Compare(a.ID, b.ID) })
	s.list = slices.CompactFunc(s.list, func(a, b *Statement) bool { return a.ID == b.ID })
	ids := make([]string, len(s.list))
	for i, st := range s.list {
		ids[i] = st.ID
		for _, name := range append([]string{st.Vulnerability}, st.Aliases...) {
			name = strings.ToUpper(name)
			if at := s.byName[name]; len(at) == 0 || at[len(at)-1] != st {
				s.byName[name] = append(at, st)
			}
		}
	}
	s.digest = SetDigest(ids)
	return s
}

// SetDigest returns the digest of a set of statements by their IDs, which are sorted
// and without repetitions: of the canonical JSON of their list.
func SetDigest(ids []string) string {
	if ids == nil {
		ids = []string{}
	}
	d, _ := digestOf(ids) // of texts: it cannot fail
	return d
}

// Digest returns the set's digest.
func (s *Set) Digest() string { return s.digest }

// All returns every statement, sorted by ID. The caller must not change it.
func (s *Set) All() []*Statement { return s.list }

// Statements returns those about one of the ids.
func (s *Set) Statements(_ context.Context, ids []string) ([]*Statement, error) {
	var out []*Statement
	for _, id := range ids {
		out = append(out, s.byName[strings.ToUpper(id)]...)
	}
	slices.SortFunc(out, func(a, b *Statement) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b *Statement) bool { return a.ID == b.ID }), nil
}
