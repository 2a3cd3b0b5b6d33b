// Package held keeps open what was used last, by its digest: several users share one,
// and it is closed when nobody uses it and others were used since.
package held

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// DefaultKeep is how many stay when nobody uses them.
const DefaultKeep = 3

// Set holds values. The zero value is empty. It is safe for concurrent use, and must
// not be copied after its first.
type Set[V any] struct {
	mu   sync.Mutex
	list []*entry[V] // the last used one first
}

type entry[V any] struct {
	digest string
	ready  chan struct{} // closed when it is open or failed
	value  V
	err    error
	users  int
}

// How says what a set does with its values.
type How[V any] struct {
	Open func(ctx context.Context, digest string) (V, error)
	// Drop ends a value that is not kept any more. It must not use the set.
	Drop func(digest string, v V)
	Keep int // how many stay when nobody uses them; zero means DefaultKeep
}

// Use returns the value of a digest, which stays open until done is called. It is
// opened where it is not held: once, however many ask for it at the same time.
func (s *Set[V]) Use(ctx context.Context, digest string, how How[V]) (v V, done func(), err error) {
	for {
		e, mine := s.hold(digest)
		if mine {
			e.value, e.err = how.Open(ctx, digest)
			close(e.ready)
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			s.release(how, e)
			return v, nil, ctx.Err()
		}
		if e.err == nil {
			return e.value, sync.OnceFunc(func() { s.release(how, e) }), nil
		}
		s.forget(e)
		if mine || ctx.Err() != nil || !errors.Is(e.err, context.Canceled) && !errors.Is(e.err, context.DeadlineExceeded) {
			return v, nil, e.err
		} // who opened it gave up, which is no reason for this caller to
	}
}

// Open returns the values that are open now, the last used one first. They stay so
// until done is called.
func (s *Set[V]) Open(how How[V]) (list []V, done func()) {
	s.mu.Lock()
	held := slices.Clone(s.list)
	for _, e := range held {
		e.users++
	}
	s.mu.Unlock()
	for _, e := range held {
		select {
		case <-e.ready:
			if e.err == nil {
				list = append(list, e.value)
			}
		default: // it is being opened
		}
	}
	return list, func() { s.release(how, held...) }
}

// Clear takes all values out, for who closes them. It must not be called while one is
// in use.
func (s *Set[V]) Clear() (list []V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if e.err == nil {
			list = append(list, e.value)
		}
	}
	s.list = nil
	return list
}

// hold finds or makes the entry of a digest and counts a user. mine reports whether
// the caller is to open it.
func (s *Set[V]) hold(digest string) (e *entry[V], mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(e *entry[V]) bool { return e.digest == digest })
	if i < 0 {
		e, mine = &entry[V]{digest: digest, ready: make(chan struct{})}, true
	} else {
		e = s.list[i]
		s.list = slices.Delete(s.list, i, i+1)
	}
	e.users++
	s.list = slices.Insert(s.list, 0, e)
	return e, mine
}

// release ends uses, and drops what is not kept any more.
func (s *Set[V]) release(how How[V], used ...*entry[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range used {
		e.users--
	}
	keep := how.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	for i := len(s.list) - 1; i >= keep; i-- {
		if old := s.list[i]; old.users == 0 {
			s.list = slices.Delete(s.list, i, i+1)
			if old.err == nil {
				how.Drop(old.digest, old.value)
			}
		}
	}
}

// forget drops an entry that could not be opened.
func (s *Set[V]) forget(e *entry[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	s.list = slices.DeleteFunc(s.list, func(x *entry[V]) bool { return x == e })
}
