// Package store keeps what the system knows and passes on what happens, in a
// relational database.
//
// [Open] gives a [Root] by URL; drivers are packages sqlite, embedded and without
// a server, and postgres. [Root.Tenant] gives what belongs to one tenant and can
// name no other. What changes a state announces it in the same transaction, in
// the outbox; a [Relay] carries the outbox to a queue; who consumes an event
// notes it in the transaction of its effect ([Tenant.Once]). So whatever dies,
// nothing that was acknowledged is lost, and no effect happens twice.
//
// Package storetest proves a backend.
package store

import (
	"context"
	"net/url"

	"github.com/stella-ops/stella/internal/scheme"
)

// Root is a relational store: everything of all tenants. It is safe for
// concurrent use.
type Root struct {
	engine     Engine
	statements statements
	wake       wakeups
	crowd      crowd
}

// New returns a root on an engine that a driver opened.
func New(e Engine) *Root {
	r := &Root{engine: e}
	r.statements.dialect = e.Dialect
	return r
}

// Name returns the name of the driver.
func (r *Root) Name() string { return r.engine.Name }

// Close closes the connections.
func (r *Root) Close() error {
	err := r.engine.Writer.Close()
	if r.engine.Reader != r.engine.Writer {
		if e := r.engine.Reader.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Tenant returns what belongs to one tenant. Names are 1 to 64 letters, digits,
// '-', '_' and '.'; an error wraps ErrInvalid.
func (r *Root) Tenant(name string) (*Tenant, error) {
	if err := checkTenant(name); err != nil {
		return nil, err
	}
	return &Tenant{root: r, name: name}, nil
}

// Tenant is what belongs to one tenant. It is safe for concurrent use.
type Tenant struct {
	root *Root
	name string
}

// Name returns the tenant's name.
func (t *Tenant) Name() string { return t.name }

// Scans returns the tenant's scans, without conditions; see [Scans.With].
func (t *Tenant) Scans() *Scans { return &Scans{tenant: t} }

func (t *Tenant) write(ctx context.Context, what string, f func(*tx) error) error {
	return t.root.write(ctx, Scope{RoleTenant, t.name}, what, f)
}

func (t *Tenant) read(ctx context.Context, what string, f func(*tx) error) error {
	return t.root.read(ctx, Scope{RoleTenant, t.name}, what, f)
}

var drivers = scheme.Registry[*Root]{What: "store", Form: "sqlite:PATH or postgres://USER@HOST/DATABASE", Drivers: "store/sqlite or store/postgres"}

// Register names what opens the URLs of a scheme. A driver does so when it is
// linked in. It panics when the scheme is taken.
func Register(name string, open func(ctx context.Context, u *url.URL) (*Root, error)) {
	drivers.Register(name, open)
}

// Open opens the store that a URL names, such as "sqlite:stella.db" or
// "postgres://stella@host/stella". The program must import the driver. The error
// for an unknown scheme lists those that exist. Errors never show the URL's
// password.
func Open(ctx context.Context, rawURL string) (*Root, error) { return drivers.Open(ctx, rawURL) }
