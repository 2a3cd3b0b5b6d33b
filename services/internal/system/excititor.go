package system

import (
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"sync"
	"time"

	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
	"github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// Excititor serves VEX; as a worker it reads sources and decides what follows, of what is
// public and of what tenants have.
func Excititor(w *World, role Role) (*shell.Part, error) {
	x := &excititor{w: w, snapshots: map[string]*snapshot.Store{}, wake: make(chan struct{}, 1)}
	p := &shell.Part{Name: "excititor", Close: x.close}
	if role.web() {
		p.Handler = &vexhttp.Handler{
			Scope:    func(_ context.Context, tenant string) (vexhttp.VEX, error) { return x.scope(tenant) },
			Identify: vexIdentity, View: x.view, File: x.file,
			Verifier: func(context.Context, string) (vex.Verifier, error) { return w.Settings.VEX.Verifier, nil },
			Changed:  func(string) { x.changed() }, Report: w.request("excititor"),
		}
	}
	if role.worker() {
		p.Loops = append(p.Loops, shell.Loop{Name: "publish", Run: x.publish})
		if feeds := w.Settings.VEX; len(feeds.Sources) > 0 {
			in := &ingest.Ingester{Store: w.Store.VEX(), Door: feeds.Door, Verifier: feeds.Verifier, Holder: w.Name}
			loop := &ingest.Loop{Ingester: in, Sources: feeds.Sources, Done: func(_ *ingest.Outcome, err error) {
				if err != nil && !errors.Is(err, ingest.ErrConflict) {
					w.report("excititor")(err)
				}
				x.changed()
			}}
			p.Loops = append(p.Loops, shell.Loop{Name: "ingest", Run: func(ctx context.Context) error { loop.Run(ctx); return nil }})
		}
	}
	return p, nil
}

// excititor is what its parts share.
type excititor struct {
	w    *World
	wake chan struct{} // something changed here

	mu        sync.Mutex
	snapshots map[string]*snapshot.Store // by tenant
}

func (x *excititor) changed() {
	select {
	case x.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// scope is the VEX of a tenant, or what is public for "".
func (x *excititor) scope(tenant string) (*store.VEX, error) {
	if tenant == "" {
		return x.w.Store.VEX(), nil
	}
	return part(x.w, tenant, (*store.Tenant).VEX)
}

// snapshot keeps the sets of a scope, each scope in a bucket of its own.
func (x *excititor) snapshot(tenant string) (*snapshot.Store, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if found := x.snapshots[tenant]; found != nil {
		return found, nil
	}
	s, err := x.scope(tenant)
	if err != nil {
		return nil, err
	}
	name, bucket := tenant, "+vex"
	if tenant == "" {
		name = "+public"
	} else {
		bucket += "-" + tenant
	}
	objects, err := x.w.Bucket.Sub(bucket)
	if err != nil {
		return nil, err
	}
	made := &snapshot.Store{Dir: filepath.Join(x.w.Data, "vex", name), Bucket: objects, Refs: s}
	x.snapshots[tenant] = made
	return made, nil
}

func (x *excititor) view(ctx context.Context, tenant, digest string) (vex.View, func(), error) {
	s, err := x.snapshot(tenant)
	if err != nil {
		return nil, nil, err
	}
	return s.Views(ctx, digest)
}

func (x *excititor) file(ctx context.Context, tenant, digest string) (io.ReadCloser, int64, error) {
	s, err := x.snapshot(tenant)
	if err != nil {
		return nil, 0, err
	}
	return s.File(ctx, digest)
}

func (x *excititor) close() (err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.snapshots {
		err = errors.Join(err, s.Close())
	}
	return err
}

// publish makes heads of what is public and of each tenant's own, when something was
// released, another trust is in force, or a decision's time has come.
func (x *excititor) publish(ctx context.Context) error {
	report := x.w.report("excititor")
	for who := x.w.Settings.VEX.Trust; who != nil; {
		if _, err := x.w.Store.VEX().SetTrust(ctx, who, "configuration"); err == nil {
			break
		} else if ctx.Err() == nil {
			report(err)
		}
		if !pause(ctx, publishing) {
			return nil
		}
	}
	for {
		if err := x.publishOne(ctx, ""); err != nil && ctx.Err() == nil {
			report(err)
		}
		if err := x.w.tenants(ctx, func(ctx context.Context, t *store.Tenant) error { return x.publishOne(ctx, t.Name()) }); err != nil && ctx.Err() == nil {
			report(err)
		}
		timer := time.NewTimer(publishing)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-x.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (x *excititor) publishOne(ctx context.Context, tenant string) error {
	s, err := x.scope(tenant)
	if err != nil {
		return err
	}
	keep, err := x.snapshot(tenant)
	if err != nil {
		return err
	}
	p := &ingest.Publisher{Heads: s, Snapshot: func(ctx context.Context, digest string, list iter.Seq2[*vex.Statement, error]) error {
		return keep.Put(ctx, digest, list)
	}}
	if _, err = p.Publish(ctx); errors.Is(err, ingest.ErrConflict) {
		return nil // another process made one
	}
	return err
}
