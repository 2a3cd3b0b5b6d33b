package schedulehttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

const documentFile = "../../docs/openapi/scheduler.yaml"

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var now = time.Unix(1_790_000_000, 0)

// rig is a service over a store.
type rig struct {
	root    *store.Root
	handler *schedulehttp.Handler
	server  *httptest.Server
	fails   error // of opening what a tenant has
	handled []string

	mu      sync.Mutex
	reports []string
	seen    []openapitest.Exchange
}

// identify reads a token such as "acme/ann" or "acme/ann/operator".
func identify(r *http.Request) (schedulehttp.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	part := strings.Split(token, "/")
	if !ok || len(part) < 2 {
		return schedulehttp.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return schedulehttp.Identity{Tenant: part[0], Subject: part[1], Operator: strings.HasSuffix(token, "/operator")}, nil
}

func newRig(t testing.TB) *rig {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{root: root}
	scheduler := &schedule.Scheduler{Store: root.Schedule()}
	d, err := schedulehttp.NewDeltas(func(ctx context.Context, body []byte) error {
		g.handled = append(g.handled, string(body))
		return scheduler.Handle(ctx, body)
	}, [][]byte{[]byte("another secret text"), []byte(secret)}, &schedulehttp.DeltasOptions{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(name string) (*store.Tenant, error) {
		if g.fails != nil {
			return nil, g.fails
		}
		return root.Tenant(name)
	}
	g.handler = &schedulehttp.Handler{
		Plans: func(name string) (schedule.Plans, error) {
			tn, err := tenant(name)
			if err != nil {
				return nil, err
			}
			return tn.Schedules(), nil
		},
		Evaluations: func(name string) (schedule.Evaluations, error) {
			tn, err := tenant(name)
			if err != nil {
				return nil, err
			}
			return tn.Evaluations(), nil
		},
		Deltas: d, Identify: identify, Report: func(id string, err error) { g.reports = append(g.reports, id+" "+err.Error()) },
	}
	g.server = httptest.NewServer(g.recording())
	t.Cleanup(func() {
		g.server.Close()
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// recording keeps what travels, as the document is held to it.
func (g *rig) recording() http.Handler {
	routes := http.NewServeMux()
	for _, r := range schedulehttp.Routes() {
		routes.HandleFunc(r[0]+" "+r[1], http.NotFound)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(request))
		answer := httptest.NewRecorder()
		g.handler.ServeHTTP(answer, r)
		_, pattern := routes.Handler(r)
		_, path, _ := strings.Cut(pattern, " ")
		g.mu.Lock()
		g.seen = append(g.seen, openapitest.Exchange{Name: fmt.Sprint(len(g.seen), " ", r.Method, " ", r.URL), Method: r.Method, Path: path, Status: answer.Code, Header: answer.Header(), Request: request, Body: answer.Body.Bytes()})
		g.mu.Unlock()
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (g *rig) client(token string) *schedulehttp.Client {
	return &schedulehttp.Client{URL: g.server.URL, Token: func(context.Context) (string, error) { return token, nil }}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request; header is "Name: value".
func (g *rig) send(t testing.TB, token, method, path, body string, header ...string) *answer {
	t.Helper()
	r, err := http.NewRequest(method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{resp.StatusCode, resp.Header, string(b)}
}

// delta is the event of a head.
func delta(t testing.TB, e event.Event, head int64) string {
	t.Helper()
	data, err := (&event.Delta{Head: head, Digest: "sha256:a", Base: head - 1, BaseDigest: strings.Repeat("sha256:b", min(int(head-1), 1))}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	e.Data = data
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// signed are the header fields of a webhook.
func signed(t testing.TB, key, id string, at time.Time, body string) []string {
	t.Helper()
	k, err := webhooksig.ParseKey([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	s, err := webhooksig.Sign([]*webhooksig.Key{k}, id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return []string{webhooksig.HeaderID + ": " + s.ID, webhooksig.HeaderTimestamp + ": " + s.Timestamp, webhooksig.HeaderSignature + ": " + s.Signature}
}
