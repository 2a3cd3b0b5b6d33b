package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// World is what the systems of a process share. Name, Data, Store, Queue and Bucket are
// required. It must not be copied.
type World struct {
	// Name is the process's own: it holds leases.
	Name string
	// Data is a folder for what can be made again: caches.
	Data string
	// Tool is the version that documents and exports name.
	Tool string

	Store  *store.Root
	Queue  *queue.Queue
	Bucket *blob.Bucket

	Settings Settings

	// Report is told what went wrong beside requests. Nil means nobody.
	Report func(system string, err error)
	// Request is told of errors of requests that are not for clients. Nil means nobody.
	Request func(system, requestID string, err error)
	// Trace is put around what handles messages. Nil: nothing is.
	Trace func(system, topic string, handle Handle) Handle

	once    sync.Once
	adv     *store.Advisories
	matcher *snapshot.Matcher
	closers []func() error
}

// Handle takes a message.
type Handle func(ctx context.Context, body []byte) error

// part is what belongs to a tenant.
func part[T any](w *World, name string, of func(*store.Tenant) T) (none T, err error) {
	t, err := w.Store.Tenant(name)
	if err != nil {
		return none, err
	}
	return of(t), nil
}

// objects are a tenant's objects.
func (w *World) objects(tenant string) (*blob.Bucket, error) { return w.Bucket.Sub(tenant) }

func (w *World) report(system string) func(error) {
	return func(err error) {
		if w.Report != nil {
			w.Report(system, err)
		}
	}
}

func (w *World) request(system string) func(string, error) {
	return func(id string, err error) {
		if w.Request != nil {
			w.Request(system, id, err)
		}
	}
}

// advisories are what is known, and what matches with it.
func (w *World) advisories() (*store.Advisories, *snapshot.Matcher) {
	w.once.Do(func() {
		w.adv = w.Store.Advisories(w.Bucket)
		w.matcher = &snapshot.Matcher{Heads: w.adv, Cache: ingest.Cache(filepath.Join(w.Data, "advisories"), w.adv)}
	})
	return w.adv, w.matcher
}

// Close frees what systems share, after all their loops have ended.
func (w *World) Close() (err error) {
	for _, c := range slices.Backward(w.closers) {
		err = errors.Join(err, c())
	}
	if w.matcher != nil {
		err = errors.Join(err, w.matcher.Cache.Close())
	}
	return err
}

// gateway decides about scans by what is kept.
func (w *World) gateway() *policy.Gateway {
	return &policy.Gateway{
		Stores:     func(tenant string) (policy.Store, error) { return part(w, tenant, (*store.Tenant).Policy) },
		Document:   store.Documents(func(tenant string) (schedule.Objects, error) { return w.objects(tenant) }, decode),
		Statements: w.Store.Said,
		Compile:    compile,
	}
}

func compile(p *policy.Policy) (*policy.Engine, error) {
	return policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
}

func decode(r io.Reader) (*sbom.Document, error) {
	d, _, err := format.Decode(r)
	return d, err
}

// reading is a topic that a group reads.
type reading struct {
	topic, group string
	parallel     int
	types        []event.Type // nil: all; of groups that are not registered from the start
	register     bool
	handle       Handle
}

// claim is after how long somebody else gets what a process had in hand that died.
const claim = 15 * time.Second

// consume makes a loop of each reading.
func (w *World) consume(system string, list ...reading) []shell.Loop {
	var out []shell.Loop
	for _, r := range list {
		handle := r.handle
		if w.Trace != nil {
			handle = w.Trace(system, r.topic, handle)
		}
		out = append(out, shell.Loop{Name: r.topic + "/" + r.group, Run: func(ctx context.Context) error {
			if r.register {
				if err := w.register(ctx, r); err != nil {
					return err
				}
			}
			g, err := w.Queue.Group(ctx, r.topic, r.group)
			for errors.Is(err, queue.ErrUnavailable) && pause(ctx, time.Second) {
				g, err = w.Queue.Group(ctx, r.topic, r.group)
			}
			if err != nil {
				return orEnded(ctx, fmt.Errorf("read %s: %w", r.topic, err))
			}
			return queue.Consume(ctx, g, handle, &queue.Options{Consumer: w.Name, Parallel: r.parallel, Claim: claim, Report: w.report(system)})
		}})
	}
	return out
}

// noted has a group note each event of a tenant once it is handled, so that its outbox row
// need not be kept: for handlers whose effect is their own.
func (w *World) noted(group string, handle Handle) Handle {
	return func(ctx context.Context, body []byte) error {
		e, err := event.Decode(body)
		if err == nil {
			err = handle(ctx, body)
		}
		if err != nil || e.Tenant == "" {
			return err
		}
		t, err := w.Store.Tenant(e.Tenant)
		if err == nil {
			_, err = t.Once(ctx, group, e.ID, func(*store.Tx) error { return nil })
		}
		return err
	}
}

// register says that a group reads a topic. The store may be away for a while.
func (w *World) register(ctx context.Context, r reading) error {
	for {
		err := w.Store.Register(ctx, r.topic, r.group, r.types...)
		if !errors.Is(err, store.ErrUnavailable) {
			return orEnded(ctx, err)
		}
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

// orEnded is nil where the context ended: that is why, then.
func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause reports whether the context goes on after a while.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// every makes a loop that does something again and again. What fails is reported.
func (w *World) every(system, name string, d time.Duration, do func(context.Context) error) shell.Loop {
	return shell.Loop{Name: name, Run: func(ctx context.Context) error {
		for {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				w.report(system)(fmt.Errorf("%s: %w", name, err))
			}
			if !pause(ctx, d) {
				return nil
			}
		}
	}}
}

// tenants calls do for each tenant that is not disabled. One that fails leaves the others
// alone.
func (w *World) tenants(ctx context.Context, do func(ctx context.Context, t *store.Tenant) error) error {
	var failed []error
	for after := ""; ; {
		list, err := w.Store.Accounts().Tenants(ctx, after, 1000)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, a := range list {
			after = a.ID
			if a.Disabled || ctx.Err() != nil {
				continue
			}
			t, err := w.Store.Tenant(a.ID)
			if err == nil {
				err = do(ctx, t)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("tenant %s: %w", a.ID, err))
			}
		}
		if len(list) < 1000 {
			return errors.Join(failed...)
		}
	}
}
