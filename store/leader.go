package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Locker is a Dialect whose engine keeps locks for as long as a connection lives. Of one
// whose engine does not, leaders have leases.
type Locker interface {
	Dialect
	// TryLock takes a lock by name for the connection, and reports whether it did.
	TryLock(ctx context.Context, conn *sql.Conn, name string) (bool, error)
	// Unlock gives it back.
	Unlock(ctx context.Context, conn *sql.Conn, name string) error
}

// The defaults of LeadOptions.
const (
	DefaultLeadLook  = 2 * time.Second
	DefaultLeadLease = 15 * time.Second
)

// LeadOptions say how somebody leads. The zero value is good.
type LeadOptions struct {
	// Look is the time between two attempts to lead and, where the engine keeps locks for
	// connections, between two looks whether one still does. Default: DefaultLeadLook.
	Look time.Duration
	// Lease is how long a leader leads without a sign of life, where the engine keeps no
	// locks for connections; it gives one three times in that. A leader who cannot reach the
	// store for two thirds of it leads no longer. It is at least three times Look. Default:
	// DefaultLeadLease.
	Lease time.Duration
	// Report is told why leading ended, or could not be tried. Nil means nobody.
	Report func(error)
}

func (o *LeadOptions) withDefaults() (LeadOptions, error) {
	var v LeadOptions
	if o != nil {
		v = *o
	}
	v.Look, v.Lease = cmp.Or(v.Look, DefaultLeadLook), cmp.Or(v.Lease, DefaultLeadLease)
	if v.Look < 0 || v.Lease < 3*v.Look {
		return v, fmt.Errorf("lead: a look each %v and a lease of %v: want at least three looks in a lease: %w", v.Look, v.Lease, fault.Invalid)
	}
	return v, nil
}

// Lead is LeadWith with the defaults.
func (r *Root) Lead(ctx context.Context, name string, lead func(ctx context.Context, term int64) error) error {
	return r.LeadWith(ctx, name, nil, lead)
}

// LeadWith waits until it leads under a name, of all programs that have the store, and calls
// lead with the number of its term, which is larger than every earlier one. The context that
// lead is given ends when leading ends: when the connection that holds the lock is gone, or
// the lease. When lead returns after that, LeadWith waits until it leads again. It returns
// what lead returns in a term that goes on, and the error of ctx when that ends.
//
// A leader that is cut off may act for a moment after the next one has begun. What only one
// may write must carry the term and be refused in a later one; what others see of it must be
// idempotent.
func (r *Root) LeadWith(ctx context.Context, name string, opts *LeadOptions, lead func(ctx context.Context, term int64) error) error {
	o, err := opts.withDefaults()
	if err != nil {
		return err
	}
	if name == "" || len(name) > 64 {
		return fmt.Errorf("lead %.80q: want a name of 1 to 64 bytes: %w", name, fault.Invalid)
	}
	l := &leader{root: r, name: name, holder: strings.ToLower(rand.Text()), opts: o}
	for {
		over, err := l.once(ctx, lead)
		if over {
			return err
		}
		if err != nil && o.Report != nil && ctx.Err() == nil {
			o.Report(fmt.Errorf("lead %s: %w", name, err))
		}
		t := time.NewTimer(o.Look)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// leader is one that leads or wants to.
type leader struct {
	root         *Root
	name, holder string
	opts         LeadOptions
}

// errLost is why a leader's context ended.
var errLost = errors.New("somebody else leads")

// once tries to lead, and leads. over says that err is for the caller.
func (l *leader) once(ctx context.Context, lead func(context.Context, int64) error) (over bool, err error) {
	begin, every := l.beginByLease, l.opts.Lease/3 // a look is a write
	if _, ok := l.root.engine.Dialect.(Locker); ok {
		begin, every = l.beginByLock, l.opts.Look
	}
	t, err := begin(ctx)
	if err != nil || t == nil {
		return ctx.Err() != nil, cmp.Or(ctx.Err(), err)
	}
	defer t.end()
	led, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		l.watch(led, t, every, done, cancel)
	}()
	err = lead(led, t.number)
	close(done)
	<-watched
	if cause := context.Cause(led); cause != nil && ctx.Err() == nil {
		return false, cause // lost: try again
	}
	return true, cmp.Or(ctx.Err(), err)
}

// term is one in which somebody leads.
type term struct {
	number int64
	look   func(ctx context.Context) error // whether it goes on; renews a lease
	end    func()
}

// watch looks whether the term goes on, until done is closed. Where looks do not succeed for
// two thirds of a lease, it is over: others may lead after the whole.
func (l *leader) watch(ctx context.Context, t *term, every time.Duration, done <-chan struct{}, lost context.CancelCauseFunc) {
	last := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		deadline := last.Add(l.opts.Lease * 2 / 3)
		looking, cancel := context.WithDeadline(ctx, deadline)
		err := t.look(looking)
		cancel()
		switch {
		case err == nil:
			last = began
		case errors.Is(err, errLost) || !time.Now().Before(deadline):
			lost(fmt.Errorf("term %d: %w", t.number, err))
			return
		}
	}
}

// beginByLock takes the lock of a connection of its own; nil where somebody else has it.
func (l *leader) beginByLock(ctx context.Context) (*term, error) {
	locker := l.root.engine.Dialect.(Locker)
	if l.root.engine.Writer.Stats().MaxOpenConnections == 1 {
		return nil, fmt.Errorf("a leader keeps a connection, and the store has one: raise max_conns: %w", fault.Invalid)
	}
	conn, err := l.root.engine.Writer.Conn(ctx)
	if err != nil {
		return nil, locker.Classify(err)
	}
	taken, err := locker.TryLock(ctx, conn, l.name)
	if err != nil || !taken {
		if err != nil {
			discard(conn) // it may have the lock after all
			err = locker.Classify(err)
		} else {
			conn.Close()
		}
		return nil, err
	}
	t := &term{end: func() {
		// Whatever ctx says: a connection with the lock must not go back to the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.Look)
		defer cancel()
		if locker.Unlock(ctx, conn, l.name) != nil {
			discard(conn)
			return
		}
		conn.Close()
	}}
	// By the connection that has the lock: no lock, no new term.
	if err := l.onConn(ctx, conn, func(tx *tx) (err error) {
		t.number, err = tx.nextTerm(l.name, l.holder, 0)
		return err
	}); err != nil {
		t.end()
		return nil, err
	}
	t.look = func(ctx context.Context) error {
		err := l.onConn(ctx, conn, func(tx *tx) error {
			now := int64(0)
			if err := tx.get(`SELECT term FROM scheduler.leaders WHERE name = $1`, []any{l.name}, &now); err != nil {
				return err
			}
			if now != t.number {
				return fmt.Errorf("term %d has begun: %w", now, errLost)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errLost) {
			err = fmt.Errorf("%w: the connection with the lock: %w", errLost, err)
		}
		return err
	}
	return t, nil
}

// discard closes a connection for good, with all that it holds.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which has database/sql drop it
	conn.Close()
}

// onConn runs f in a transaction of the relay's on a connection.
func (l *leader) onConn(ctx context.Context, conn *sql.Conn, f func(*tx) error) error {
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return l.root.engine.Dialect.Classify(err)
	}
	defer begun.Rollback()
	t := &tx{Tx: begun, ctx: ctx, root: l.root}
	if t.now, err = l.root.engine.Dialect.Enter(ctx, begun, Scope{Role: RoleRelay}); err == nil {
		err = f(t)
	}
	if err == nil {
		err = begun.Commit()
	}
	return l.root.engine.Dialect.Classify(err)
}

// nextTerm begins a term.
func (t *tx) nextTerm(name, holder string, until int64) (number int64, err error) {
	err = t.get(`INSERT INTO scheduler.leaders (name, term, holder, until_us, at_us) VALUES ($1, 1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET term = scheduler.leaders.term + 1, holder = excluded.holder, until_us = excluded.until_us, at_us = excluded.at_us RETURNING term`,
		[]any{name, holder, until, t.now}, &number)
	return number, err
}

// beginByLease takes the lease; nil where somebody else has it.
func (l *leader) beginByLease(ctx context.Context) (*term, error) {
	t := new(term)
	relay := Scope{Role: RoleRelay}
	err := l.root.write(ctx, relay, "lead "+l.name, func(tx *tx) error {
		t.number = 0
		until := int64(0)
		if err := tx.get(`SELECT until_us FROM scheduler.leaders WHERE name = $1`, []any{l.name}, &until); err != nil && !isNoRows(err) {
			return err
		}
		if until > tx.now {
			return nil
		}
		var err error
		t.number, err = tx.nextTerm(l.name, l.holder, tx.now+l.opts.Lease.Microseconds())
		return err
	})
	if err != nil || t.number == 0 {
		return nil, err
	}
	renew := func(ctx context.Context, length time.Duration) error {
		return l.root.write(ctx, relay, "go on to lead "+l.name, func(tx *tx) error {
			until := int64(0)
			if length > 0 {
				until = tx.now + length.Microseconds()
			}
			n, err := tx.exec(`UPDATE scheduler.leaders SET until_us = $4 WHERE name = $1 AND term = $2 AND holder = $3`, l.name, t.number, l.holder, until)
			if err == nil && n == 0 {
				err = errLost
			}
			return err
		})
	}
	t.look = func(ctx context.Context) error { return renew(ctx, l.opts.Lease) }
	t.end = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.Look)
		defer cancel()
		_ = renew(ctx, 0) // else the lease ends by itself
	}
	return t, nil
}

// guardTerm refuses in a term that is over. It is the first lock: who begins another term
// waits for it.
func (t *tx) guardTerm(name string, term int64) error {
	now := int64(0)
	if err := t.get(`SELECT term FROM scheduler.leaders WHERE name = $1 FOR SHARE`, []any{name}, &now); err != nil && !isNoRows(err) {
		return err
	}
	if term < 1 || now != term {
		return fmt.Errorf("term %d of %s is over, term %d has begun: %w", term, name, now, fault.Fenced)
	}
	return nil
}

// GuardTerm reports whether a term goes on, by an error that wraps ErrFenced where it does
// not. It is for those who do what no transaction of this store guards, right before it:
// another term may begin right after.
func (r *Root) GuardTerm(ctx context.Context, name string, term int64) error {
	return r.write(ctx, Scope{Role: RoleRelay}, "look whether a term goes on", func(tx *tx) error { return tx.guardTerm(name, term) })
}
