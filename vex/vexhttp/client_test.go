package vexhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/vexhttp"
	"github.com/stella-ops/stella/vex/vextest"
)

// fill has a source say exactly the statements, and makes a head of it.
func fill(t testing.TB, s *service, tenant string, list []*vex.Statement) {
	t.Helper()
	v, err := s.scope(tenant)
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Begin(t.Context(), "s", "test", 1e10)
	if err == nil {
		err = v.Keep(t.Context(), r, []*vex.Document{{Source: "s", Name: "all", Content: []byte("all")}})
	}
	if err == nil {
		err = v.Observe(t.Context(), r, []vex.Observed{{Document: "all", Digest: sum("all"), Statements: list}})
	}
	if err == nil {
		err = v.Finish(t.Context(), r, vex.Finish{})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.publish(tenant)
}

func sum(text string) string { return vexhttp.DigestOf([]byte(text)) }

// storeView is what a store says as of a head.
type storeView struct {
	v    interface{ vex.Heads }
	head *vex.Head
}

func (s storeView) Digest() string { return s.head.Digest }

func (s storeView) Statements(ctx context.Context, ids []string) (out []*vex.Statement, err error) {
	for st, err := range s.v.Statements(ctx, s.head, append([]string{}, ids...)) {
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// TestViews: a set in memory, the store, a snapshot of it that was fetched, and the
// service answer alike.
func TestViews(t *testing.T) {
	for _, scope := range []vexhttp.Scope{vexhttp.Own, vexhttp.Public} {
		tenant := map[vexhttp.Scope]string{vexhttp.Own: "acme"}[scope]
		t.Run(string(scope)+"/service", func(t *testing.T) {
			vextest.TestView(t, func(t testing.TB, list []*vex.Statement) vex.View {
				s := newService(t)
				fill(t, s, tenant, list)
				v, err := s.client("ben", scope).View(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				return v
			})
		})
		t.Run(string(scope)+"/store", func(t *testing.T) {
			vextest.TestView(t, func(t testing.TB, list []*vex.Statement) vex.View {
				s := newService(t)
				fill(t, s, tenant, list)
				v, err := s.scope(tenant)
				if err != nil {
					t.Fatal(err)
				}
				head, err := v.Head(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				return storeView{v, head}
			})
		})
		t.Run(string(scope)+"/fetched", func(t *testing.T) {
			vextest.TestView(t, func(t testing.TB, list []*vex.Statement) vex.View {
				s := newService(t)
				fill(t, s, tenant, list)
				var file bytes.Buffer
				if err := s.client("ben", scope).Snapshot(t.Context(), vex.NewSet(list).Digest(), &file); err != nil {
					t.Fatal(err)
				}
				v, err := snapshot.New(bytes.NewReader(file.Bytes()), int64(file.Len()))
				if err == nil {
					err = v.Verify(t.Context(), vex.NewSet(list).Digest())
				}
				if err != nil {
					t.Fatal(err)
				}
				return v
			})
		})
	}
}

func TestClient(t *testing.T) {
	s := newService(t)
	ann, ben, op := s.client("ann", ""), s.client("ben", vexhttp.Own), s.client("op", vexhttp.Public)
	text := openVEX("a", 1, "CVE-2026-1", "not_affected", "pkg:npm/x@1")
	up, err := ann.Upload(t.Context(), "", []byte(text))
	if err != nil || up.Count != 1 || len(up.Statements) != 1 || up.Reading.Document != sum(text)[7:]+".json" {
		t.Fatalf("%+v, %v", up, err)
	}
	if raw, err := ben.Raw(t.Context(), sum(text)); err != nil || string(raw) != text {
		t.Errorf("%s, %v", raw, err)
	}
	trust := &vex.Trust{Issuers: []vex.Issuer{{ID: "us", Tier: 1, Sources: []string{vexhttp.Upload}, Products: []string{"*"}, Unsigned: []vex.Status{vex.NotAffected}}}}
	if err := ann.SetTrust(t.Context(), trust); err != nil {
		t.Fatal(err)
	}
	if got, err := ben.Trust(t.Context()); err != nil || got.Digest() != trust.Digest() {
		t.Errorf("%+v, %v", got, err)
	}
	if err := op.SetTrust(t.Context(), &vex.Trust{}); err != nil {
		t.Error(err)
	}
	s.publish("acme")
	head, err := ben.Head(t.Context(), 0)
	if err != nil || head.Number != 1 || head.Trust != trust.Digest() {
		t.Errorf("%+v, %v", head, err)
	}
	said, err := ben.Statements(t.Context(), "cve-2026-1", "")
	if err != nil || len(said) != 1 || said[0].ID != up.Statements[0].ID {
		t.Errorf("%+v, %v", said, err)
	}
	decided, err := ben.Consensus(t.Context(), "CVE-2026-1", "pkg:npm/x@1")
	want := []vex.Decision{{Vulnerability: "CVE-2026-1", Product: "pkg:npm/x@1", Status: vex.NotAffected, Value: "safe", Tier: 1, Deciding: []string{said[0].ID}}}
	if diff := cmp.Diff(want, decided, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	states, err := ben.Sources(t.Context())
	if err != nil || len(states) != 1 || states[0].Source != vexhttp.Upload {
		t.Errorf("%+v, %v", states, err)
	}
	for name, c := range map[string]struct {
		err, kind error
	}{
		"by a reader":  {second(ben.Upload(t.Context(), "", []byte(text))), vexhttp.ErrForbidden},
		"no VEX":       {second(ann.Upload(t.Context(), "", []byte("{}"))), vexhttp.ErrInvalid},
		"trust":        {ben.SetTrust(t.Context(), trust), vexhttp.ErrForbidden},
		"no trust":     {ann.SetTrust(t.Context(), &vex.Trust{Issuers: []vex.Issuer{{}}}), vexhttp.ErrInvalid},
		"no document":  {second(ben.Raw(t.Context(), fakeDigest(1))), vexhttp.ErrNotFound},
		"no digest":    {second(ben.Raw(t.Context(), "x")), vexhttp.ErrNotFound},
		"no head":      {second(op.Head(t.Context(), 0)), vexhttp.ErrNotFound},
		"no view":      {second(ben.View(t.Context(), fakeDigest(1))), vexhttp.ErrNotFound},
		"no snapshot":  {ben.Snapshot(t.Context(), fakeDigest(1), io.Discard), vexhttp.ErrNotFound},
		"no question":  {second(ben.Statements(t.Context(), "", "")), vexhttp.ErrInvalid},
		"unknown":      {second(s.client("x", "").Sources(t.Context())), vexhttp.ErrUnauthenticated},
		"no own scope": {second(s.client("op", vexhttp.Own).Sources(t.Context())), vexhttp.ErrForbidden},
		"no scope":     {second(s.client("ben", "all").Sources(t.Context())), vexhttp.ErrInvalid},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestPages: what does not fit on a page is on the next, and all of it once.
func TestPages(t *testing.T) {
	s := newService(t)
	var list []*vex.Statement
	for i := range 2*vexhttp.MaxPage + 7 {
		st := &vex.Statement{Vulnerability: "CVE-2026-1", Status: vex.Affected, Products: []vex.Product{{PURL: fmt.Sprintf("pkg:npm/p%d@1", i)}}, Origin: vex.Origin{Source: "s", Format: "openvex"}}
		if err := st.Prepare(); err != nil {
			t.Fatal(err)
		}
		list = append(list, st)
	}
	v, err := s.scope("acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.SetTrust(t.Context(), &vex.Trust{Issuers: []vex.Issuer{{ID: "s", Tier: 1, Sources: []string{"s"}, Products: []string{"*"}, Unsigned: vex.Statuses}}}, "test"); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "acme", list)
	got, err := s.client("ben", "").Statements(t.Context(), "CVE-2026-1", "")
	if err != nil || vex.NewSet(got).Digest() != vex.NewSet(list).Digest() || len(got) != len(list) {
		t.Errorf("%d statements, %v", len(got), err)
	}
	decided, err := s.client("ben", "").Consensus(t.Context(), "CVE-2026-1", "")
	if err != nil || len(decided) != len(list) {
		t.Errorf("%d decisions, %v", len(decided), err)
	}
}

// TestUploadsAtOnce: each is kept and read.
func TestUploadsAtOnce(t *testing.T) {
	s := newService(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if _, err := s.client("ann", "").Upload(t.Context(), fmt.Sprint(i), []byte(openVEX(fmt.Sprint(i), 1, "CVE-2026-1", "affected", "pkg:npm/x@1"))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.publish("acme")
	if got, err := s.client("ben", "").Statements(t.Context(), "CVE-2026-1", ""); err != nil || len(got) != 6 {
		t.Errorf("%d statements, %v", len(got), err)
	}
}

// TestLies: a service that answers something else is not believed.
func TestLies(t *testing.T) {
	good := &vex.Statement{Vulnerability: "CVE-1", Status: vex.Affected, Products: []vex.Product{{PURL: "pkg:npm/x@1"}}}
	if err := good.Prepare(); err != nil {
		t.Fatal(err)
	}
	statement := `{"vulnerability":"CVE-1","products":[{"purl":"pkg:npm/x@1"}],"status":"affected","origin":{"document":"","format":""}}`
	item := fmt.Sprintf(`{"id":%q,"statement":%s}`, good.ID, statement)
	for name, body := range map[string]string{
		"another id": `{"head":1,"statements":[{"id":"` + fakeDigest(1) + `","statement":` + statement + `}]}`, "twice": `{"head":1,"statements":[` + item + `,` + item + `]}`,
		"no statement": `{"head":1,"statements":[{"id":"` + good.ID + `"}]}`, "nothing": `{}`, "null": `null`, "no JSON": `<html>`, "a loop": `{"head":1,"statements":[],"next":"` + strings.Repeat(" ", 0) + `a"}`,
	} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls > 20 {
				t.Errorf("%s: it is asked for ever", name)
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body)
		}))
		c := &vexhttp.Client{URL: server.URL, Attempts: 1}
		if got, err := c.Statements(t.Context(), "CVE-1", ""); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
		server.Close()
	}
}
