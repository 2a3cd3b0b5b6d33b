package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Where one transaction writes at a time, and this program alone writes, those that wait for
// it share the next one: each within a savepoint, one after the other, and made durable
// together. Nobody sees a difference but in how long it takes.
const (
	maxTogether  = 64
	togetherTime = 20 * time.Millisecond // after that the others go into the next one
)

// crowd is who waits to write.
type crowd struct {
	mu      sync.Mutex
	others  atomic.Bool // other programs write as well
	busy    bool
	waiting []*member
}

// member is one transaction to be.
type member struct {
	ctx      context.Context
	scope    Scope
	what     string
	f        func(*tx) error
	err      error
	panicked any
	// turn says whose it is: a list is to be run by the member, which is the first of it;
	// closed means that it was run.
	turn chan []*member
}

// together runs f in a transaction that may be shared.
func (r *Root) together(ctx context.Context, s Scope, what string, f func(*tx) error) error {
	c := &r.crowd
	c.mu.Lock()
	if !c.busy {
		c.busy = true
		c.mu.Unlock()
		defer c.next()
		return r.run(ctx, r.engine.Writer, s, what, f)
	}
	m := &member{ctx: ctx, scope: s, what: what, f: f, turn: make(chan []*member, 1)}
	c.waiting = append(c.waiting, m)
	c.mu.Unlock()
	select {
	case list := <-m.turn:
		return r.lead(list, m)
	case <-ctx.Done():
	}
	if c.leave(m) {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	return r.lead(<-m.turn, m) // it is under way
}

// lead runs a list where the member is its first, and returns what came of the member.
func (r *Root) lead(list []*member, m *member) error {
	if list != nil {
		defer r.crowd.next()
		if len(list) == 1 {
			return r.run(m.ctx, r.engine.Writer, m.scope, m.what, m.f)
		}
		r.share(list)
	}
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.err
}

// leave takes a member out that nobody has run.
func (c *crowd) leave(m *member) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, m)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// next gives the turn to those that wait.
func (c *crowd) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxTogether)
	if n == 0 {
		c.busy = false
		return
	}
	list := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	list[0].turn <- list
}

// share runs members in one transaction. What takes longer than it should leaves the rest
// to the next one.
func (r *Root) share(list []*member) {
	// It goes on for the others where the context of one is done.
	ctx := context.WithoutCancel(list[0].ctx)
	began := time.Now()
	var wakes []string
	ran := 0
	err := r.run(ctx, r.engine.Writer, Scope{Role: RoleRelay}, "write together", func(shared *tx) error {
		for _, m := range list {
			if ran > 0 && time.Since(began) > togetherTime {
				break
			}
			ran++
			w, err := r.join(shared, m)
			if err != nil {
				return err
			}
			wakes = append(wakes, w...)
		}
		return nil
	})
	for _, m := range list[:ran] {
		if err != nil && m.err == nil && m.panicked == nil {
			m.err = fmt.Errorf("%s: %w", m.what, err)
		}
	}
	if err == nil {
		for _, w := range wakes {
			r.wake.wake(w)
		}
	}
	r.crowd.putBack(list[ran:])
	for _, m := range list[:ran] {
		close(m.turn)
	}
}

// putBack has members wait again, before all others.
func (c *crowd) putBack(list []*member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.Concat(list, c.waiting)
}

// join runs one member within a savepoint, and returns whom to wake. An error is of the
// whole: nothing of it is left.
func (r *Root) join(shared *tx, m *member) (wakes []string, err error) {
	if m.ctx.Err() != nil {
		m.err = fmt.Errorf("%s: %w", m.what, m.ctx.Err())
		return nil, nil
	}
	if _, err := shared.exec("SAVEPOINT member"); err != nil {
		return nil, err
	}
	t := &tx{Tx: shared.Tx, ctx: context.WithoutCancel(m.ctx), tenant: m.scope.Tenant, root: r}
	if err := m.run(t); err != nil || m.panicked != nil {
		m.err = fmt.Errorf("%s: %w", m.what, r.engine.Dialect.Classify(err))
		if _, back := shared.exec("ROLLBACK TO SAVEPOINT member"); back != nil {
			return nil, errors.Join(err, back)
		}
		t.wakes = nil
	}
	_, err = shared.exec("RELEASE SAVEPOINT member")
	return t.wakes, err
}

func (m *member) run(t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.panicked, err = p, fmt.Errorf("%s: panic: %v", m.what, p)
		}
	}()
	if t.now, err = t.root.engine.Dialect.Enter(t.ctx, t.Tx, m.scope); err != nil {
		return err
	}
	return m.f(t)
}
