package notifyhttp_test

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
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/notify/timeline"
)

// rig is a service over a fake.
type rig struct {
	handler   *notifyhttp.Handler
	timelines *notifyhttp.TimelineHandler
	server    *httptest.Server
	mu        sync.Mutex
	tenants   map[string]*notify.Memory
	fails     error // of opening a store
	later     error // of everything that a store does
	chains    map[string]*timeline.Memory
	reports   []string
	seen      []exchange
}

// exchange is a request with its answer.
type exchange struct {
	method, path string
	contentType  string // of the request
	request      []byte
	status       int
	header       http.Header
	body         []byte
}

// identify reads a token such as "acme/ann" or "acme/ann/operator/payloads".
func identify(r *http.Request) (notifyhttp.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	part := strings.Split(token, "/")
	if !ok || len(part) < 2 {
		return notifyhttp.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return notifyhttp.Identity{Tenant: part[0], Subject: part[1], Operator: strings.Contains(token, "/operator"), Payloads: strings.Contains(token, "/payloads"), Auditor: strings.Contains(token, "/auditor")}, nil
}

// checkEndpoint is what a channel's opener may refuse.
func checkEndpoint(_ string, e *notify.Endpoint) error {
	switch {
	case strings.Contains(e.URL, "127.0.0.1"):
		return fmt.Errorf("endpoint %q: its address is not allowed: %w", e.ID, fault.Forbidden)
	case e.Type != "webhook":
		return fmt.Errorf("endpoint %q: type %.40q: %w", e.ID, e.Type, fault.Unsupported)
	}
	return nil
}

func checkTemplate(t *notify.Template) error {
	if strings.Contains(t.Parts["text"], "{{end") {
		return fmt.Errorf("template %q: part text, line 1, column 2: unexpected {{end}}\ntemplate %q: part subject is not known: %w", t.ID, t.ID, fault.Invalid)
	}
	return nil
}

// titles is a channel that says titles.
type titles struct{}

func (titles) Render(m *notify.Message) (*notify.Payload, error) {
	text, err := json.Marshal(map[string]string{"text": m.Title})
	return &notify.Payload{MediaType: "application/json", Body: text}, err
}

func (titles) Send(context.Context, *notify.Dispatch) (*notify.Receipt, error) {
	return nil, errors.New("nothing is sent here")
}

func newRig(t testing.TB) *rig {
	t.Helper()
	c := &clock{start}
	g := &rig{tenants: map[string]*notify.Memory{"acme": notify.NewMemory(c.Now, nil), "other": notify.NewMemory(c.Now, nil)}, chains: map[string]*timeline.Memory{}}
	fill(t, g.tenants["acme"], c)
	for _, tenant := range []string{"acme", "other"} {
		g.chains[tenant] = timeline.NewMemory(tenant, c.Now)
	}
	happen(t, g.chains["acme"], c)
	router := &notify.Router{
		Stores: func(tenant string) (notify.Routes, error) { return g.tenants[tenant], g.later },
		Open: func(string) notify.Opener {
			return func(*notify.Endpoint, []notify.Template) (notify.Channel, error) { return titles{}, nil }
		},
	}
	g.handler = &notifyhttp.Handler{
		Stores: func(tenant string) (notifyhttp.Store, error) {
			if g.later != nil {
				return failing{g.later}, nil
			}
			if m := g.tenants[tenant]; m != nil {
				return m, g.fails
			}
			return nil, fmt.Errorf("tenant %q: %w", tenant, fault.NotFound)
		},
		CheckEndpoint: checkEndpoint, CheckTemplate: checkTemplate, Identify: identify,
		Preview: router.Preview, Test: router.Test, Timelines: func(tenant string) (timeline.Chain, error) { return g.chains[tenant], errors.Join(g.fails, g.later) },
		OpenAck: func(token string, now time.Time) (tenant, incident string, err error) {
			tenant, incident, ok := strings.Cut(strings.TrimPrefix(token, "signed."), ".")
			if !ok || !strings.HasPrefix(token, "signed.") || !now.Equal(start) {
				return "", "", fmt.Errorf("token: its signature is wrong: %w", fault.Forbidden)
			}
			return tenant, incident, nil
		},
		Now: func() time.Time { return start },
		Report: func(id string, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.reports = append(g.reports, id+" "+err.Error())
		},
	}
	g.server = httptest.NewServer(g.recording(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.timelines != nil && strings.HasPrefix(r.URL.Path, "/api/v1/timeline/") {
			g.timelines.ServeHTTP(w, r)
			return
		}
		g.handler.ServeHTTP(w, r)
	})))
	t.Cleanup(g.server.Close)
	return g
}

// recording notes what a handler is asked and answers.
func (g *rig) recording(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if r.Method == http.MethodHead {
			rec.Body.Reset()
		}
		g.mu.Lock()
		g.seen = append(g.seen, exchange{r.Method, r.URL.Path, r.Header.Get("Content-Type"), body, rec.Code, rec.Header().Clone(), rec.Body.Bytes()})
		g.mu.Unlock()
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

func (g *rig) client(token string) *notifyhttp.Client {
	return &notifyhttp.Client{URL: g.server.URL, Token: func(context.Context) (string, error) { return token, nil }, Attempts: 1}
}

// answer is what came, read.
type answer struct {
	*http.Response
	body []byte
}

// send sends a request as it is. header has lines "Name: value".
func (g *rig) send(t testing.TB, token, method, path, body string, header ...string) *answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{resp, b}
}

// failing is a store that does nothing.
type failing struct{ err error }

func (f failing) Setting(context.Context, notify.SettingKind, string) (*notify.Setting, error) {
	return nil, f.err
}

func (f failing) ListSettings(context.Context, notify.SettingKind, string, string, int) ([]notify.Setting, error) {
	return nil, f.err
}

func (f failing) Set(context.Context, *notify.Setting) error { return f.err }

func (f failing) Delivery(context.Context, string) (*notify.Delivery, []notify.Attempt, error) {
	return nil, nil, f.err
}

func (f failing) Deliveries(context.Context, notify.Query) (*notify.Page, error) { return nil, f.err }

func (f failing) Items(context.Context, string, string, int) ([]notify.Item, error) {
	return nil, f.err
}

func (f failing) Replay(context.Context, string, string) (*notify.Delivery, error) {
	return nil, f.err
}

func (f failing) Acknowledge(context.Context, string, string, string) (*notify.Incident, error) {
	return nil, f.err
}

func (f failing) Incident(context.Context, string) (*notify.Incident, error) { return nil, f.err }

func (f failing) States(context.Context) ([]notify.EndpointState, error) { return nil, f.err }
