package vexhttp_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
	"github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// service is a whole Excititor: a store, snapshots and a handler.
type service struct {
	t       testing.TB
	root    *store.Root
	dir     string
	trouble map[string]error // of Raw, by digest
	url     string

	mu        sync.Mutex
	snapshots map[string]*snapshot.Store
	changed   []string
	reports   []string
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), snapshots: map[string]*snapshot.Store{}}
	var err error
	if s.root, err = sqlite.Open(t.Context(), filepath.Join(s.dir, "stella.db")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.handler())
	s.url = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, x := range s.snapshots {
			x.Close()
		}
		s.root.Close()
	})
	return s
}

func (s *service) handler() *vexhttp.Handler {
	return &vexhttp.Handler{
		Scope: func(_ context.Context, tenant string) (vexhttp.VEX, error) {
			v, err := s.scope(tenant)
			return troubled{v, s.trouble}, err
		},
		Identify: identify, Verifier: func(context.Context, string) (vex.Verifier, error) { return nobody{}, nil },
		View: func(ctx context.Context, tenant, digest string) (vex.View, func(), error) {
			return s.snapshotsOf(tenant).Views(ctx, digest)
		},
		File: func(ctx context.Context, tenant, digest string) (io.ReadCloser, int64, error) {
			return s.snapshotsOf(tenant).File(ctx, digest)
		},
		Changed: func(tenant string) { s.changed = append(s.changed, tenant) },
		Report:  func(_ string, err error) { s.reports = append(s.reports, err.Error()) },
	}
}

func (s *service) scope(tenant string) (*store.VEX, error) {
	if tenant == "" {
		return s.root.VEX(), nil
	}
	t, err := s.root.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	return t.VEX(), nil
}

// snapshotsOf returns the snapshots of a scope, which are rebuilt from its store.
func (s *service) snapshotsOf(tenant string) *snapshot.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshots[tenant] == nil {
		s.snapshots[tenant] = &snapshot.Store{Dir: filepath.Join(s.dir, "of-"+tenant), Rebuild: func(ctx context.Context, digest string) iter.Seq2[*vex.Statement, error] {
			return func(yield func(*vex.Statement, error) bool) {
				v, err := s.scope(tenant)
				var head *vex.Head
				if err == nil {
					head, err = v.HeadOf(ctx, digest)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				v.Statements(ctx, head, nil)(yield)
			}
		}}
	}
	return s.snapshots[tenant]
}

// publish makes a head of a scope.
func (s *service) publish(tenant string) {
	s.t.Helper()
	v, err := s.scope(tenant)
	if err == nil {
		_, err = (&ingest.Publisher{Heads: v, Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }}).Publish(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) client(token string, scope vexhttp.Scope) *vexhttp.Client {
	return &vexhttp.Client{URL: s.url, Scope: scope, Token: func(context.Context) (string, error) { return token, nil }, Attempts: 1}
}

// identify knows some tokens.
func identify(r *http.Request) (vexhttp.Identity, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer ann":
		return vexhttp.Identity{Subject: "ann", Tenant: "acme", Writer: true, Admin: true}, nil
	case "Bearer ben":
		return vexhttp.Identity{Subject: "ben", Tenant: "acme"}, nil
	case "Bearer eve":
		return vexhttp.Identity{Subject: "eve", Tenant: "other", Writer: true, Admin: true}, nil
	case "Bearer op":
		return vexhttp.Identity{Subject: "op", Operator: true}, nil
	}
	return vexhttp.Identity{}, fmt.Errorf("the token is not known: %w", vexhttp.ErrUnauthenticated)
}

// nobody verifies nothing.
type nobody struct{}

func (nobody) Verify(context.Context, *vex.Document) (vex.Verification, error) {
	return vex.Verification{}, nil
}

// troubled is a store whose documents are in trouble.
type troubled struct {
	vexhttp.VEX
	trouble map[string]error
}

func (t troubled) Raw(ctx context.Context, digest string) (*vex.Document, error) {
	if err := t.trouble[digest]; err != nil {
		return nil, err
	}
	return t.VEX.Raw(ctx, digest)
}

// fakeDigest is a digest of nothing.
func fakeDigest(n int) string { return fmt.Sprintf("sha256:%064d", n) }

// openVEX is a document of one statement.
func openVEX(id string, version int, vulnerability, status, product string) string {
	more := ""
	switch status {
	case "not_affected":
		more = `,"justification":"vulnerable_code_not_present"`
	case "affected":
		more = `,"action_statement":"update"`
	}
	return fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/%s","author":"Acme","timestamp":"2026-05-01T00:00:00Z","version":%d,"statements":[{"vulnerability":{"name":%q},"products":[{"@id":%q}],"status":%q%s}]}`,
		id, version, vulnerability, product, status, more)
}
