package shell

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// kept keeps spans over the shutdown of their provider.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

// TestTrace follows one scan through two processes that share nothing: a request in the
// first, a message in the second.
func TestTrace(t *testing.T) {
	to := kept{tracetest.NewInMemoryExporter()}
	var web *Env
	x := start(t, &Program{Name: "scanner", Config: settings(t), spans: to, Build: func(_ context.Context, e *Env) ([]*Part, error) {
		web = e
		return []*Part{{Name: "scanner", Handler: mux(map[string]http.HandlerFunc{"/api/v1/scans": func(w http.ResponseWriter, r *http.Request) {
			ctx, end := e.Spans.Scan(r.Context(), "acme", "scan-1", "submit")
			e.Log.InfoContext(ctx, "taken")
			h := http.Header{"Traceparent": {"x"}}
			e.Spans.Inject(r.Context(), h)
			w.Header()["Traceparent"] = h["Traceparent"]
			end(nil)
		}})}}, nil
	}})
	const client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	resp, err := http.DefaultTransport.RoundTrip(must(http.NewRequest("POST", x.api+"/api/v1/scans", nil))(client))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	passed := resp.Header.Get("Traceparent")
	begun := time.Now()
	web.Spans.Whole(context.Background(), "acme", "scan-1", begun, begun.Add(time.Second), nil)
	x.stop()
	if err := x.end(); err != nil {
		t.Fatal(err)
	}
	body, err := (&event.Event{ID: "scan-1/job/1", Type: event.ScanJob, Source: "scanner", Tenant: "acme", Data: []byte(`{"job_id":"scan-1"}`)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	y := start(t, &Program{Name: "worker", Config: settings(t), spans: to, Build: func(_ context.Context, e *Env) ([]*Part, error) {
		handle := e.Handle("worker", event.ScannerJobs, func(ctx context.Context, body []byte) error {
			if string(body) == "junk" {
				return nil
			}
			_, end := e.Spans.Scan(ctx, "acme", "scan-1", "layer")
			end(nil)
			return errors.New("no registry")
		})
		return []*Part{{Name: "worker", Loops: []Loop{{"l", func(ctx context.Context) error { _ = handle(ctx, body); _ = handle(ctx, []byte("junk")); return nil }}}}}, nil
	}})
	y.stop()
	if err := y.end(); err != nil {
		t.Fatal(err)
	}
	id, root := ScanTrace("acme", "scan-1")
	by := map[string]tracetest.SpanStub{}
	for _, s := range to.GetSpans() {
		by[s.Name] = s
	}
	server, submit, whole, job, layer := by["POST /api/v1/scans"], by["submit"], by["scan"], by["worker scanner:jobs"], by["layer"]
	if server.SpanContext.TraceID().String() != client[3:35] || server.Parent.SpanID().String() != client[36:52] || !strings.Contains(passed, client[3:35]) || !strings.Contains(passed, server.SpanContext.SpanID().String()) {
		t.Errorf("the request does not go on with the client's trace: %v, passed on %q", server.SpanContext, passed)
	}
	for _, s := range []tracetest.SpanStub{submit, whole, layer} {
		if s.SpanContext.TraceID() != trace.TraceID(id) {
			t.Errorf("span %q is in trace %v, want %x", s.Name, s.SpanContext.TraceID(), id)
		}
	}
	if submit.Parent.SpanID() != trace.SpanID(root) || whole.SpanContext.SpanID() != trace.SpanID(root) || whole.Parent.IsValid() {
		t.Errorf("submit is below %v, the whole is %v", submit.Parent.SpanID(), whole.SpanContext.SpanID())
	}
	if len(submit.Links) != 1 || submit.Links[0].SpanContext.SpanID() != server.SpanContext.SpanID() {
		t.Errorf("links of submit: %v", submit.Links)
	}
	if !strings.Contains(x.log.String(), `"msg":"taken","process":"scanner"`) || !strings.Contains(x.log.String(), `"trace_id":"`+trace.TraceID(id).String()) {
		t.Errorf("log:\n%s", x.log)
	}
	// The second message is about no scan, so the last span of that name is of a trace of its own.
	jobs := 0
	for _, s := range to.GetSpans() {
		if s.Name == "worker scanner:jobs" && s.SpanContext.TraceID() == trace.TraceID(id) {
			jobs++
			if s.Parent.SpanID() != trace.SpanID(root) || layer.Parent.SpanID() != s.SpanContext.SpanID() || s.Status.Code != codes.Error || s.Status.Description != "no registry" {
				t.Errorf("job: %+v", s)
			}
		}
	}
	if jobs != 1 || job.Name == "" {
		t.Errorf("%d spans of the job", jobs)
	}
}

func must(r *http.Request, err error) func(traceparent string) *http.Request {
	return func(traceparent string) *http.Request {
		if err != nil {
			panic(err)
		}
		r.Header.Set("Traceparent", traceparent)
		return r
	}
}

// TestSampling: what share of scans is kept follows from their ids, in every process alike.
func TestSampling(t *testing.T) {
	count := func() map[string]bool {
		to := kept{tracetest.NewInMemoryExporter()}
		s, err := newSpans(t.Context(), settings(t, "telemetry.sample_percent=25"), "p", to)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 400 {
			_, end := s.Scan(t.Context(), "acme", "scan-"+string(rune('a'+i%26))+strings.Repeat("x", i), "n")
			end(nil)
		}
		if err := s.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, x := range to.GetSpans() {
			out[x.SpanContext.TraceID().String()] = true
		}
		return out
	}
	a, b := count(), count()
	if len(a) < 50 || len(a) > 150 || len(a) != len(b) {
		t.Errorf("%d and %d of 400 at 25 percent", len(a), len(b))
	}
	for id := range a {
		if !b[id] {
			t.Fatalf("%s is kept by one process alone", id)
		}
	}
}

func TestTransport(t *testing.T) {
	to := kept{tracetest.NewInMemoryExporter()}
	s, err := newSpans(t.Context(), settings(t), "p", to)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent"); w.WriteHeader(500) }))
	defer srv.Close()
	ctx, end := s.Scan(t.Context(), "acme", "scan-1", "n")
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Transport(nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	end(nil)
	id, _ := ScanTrace("acme", "scan-1")
	if !strings.Contains(got, trace.TraceID(id).String()) || r.Header.Get("Traceparent") != "" {
		t.Errorf("passed on %q, the caller's request has %q", got, r.Header.Get("Traceparent"))
	}
	_ = s.close(t.Context())
	if spans := to.GetSpans(); len(spans) != 2 || spans[0].Status.Code != codes.Error {
		t.Errorf("%+v", spans)
	}
}

// TestLog: what is secret is not in the log, wherever it stands.
func TestLog(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var b bytes.Buffer
		c := settings(t, "log.format="+format)
		log, hide := newLog(&b, c, "p")
		hide(c.Secrets())
		const secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		jwt := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
		log.Info("message "+secret, "a", secret, "err", errors.New("x "+secret), "token", "hunter2", "Authorization", "DPoP hunter2", "text", "Bearer "+jwt, "bytes", []byte(secret), "url", config.NewURL("postgres://u:hunter2@h/d"), "seal", c.Authority.SealKey, "conf", *c)
		log.With("k", secret).WithGroup("g").Info("m", "proof", "hunter2", "list", []string{secret})
		if out := b.String(); strings.Contains(out, secret) || strings.Contains(out, "hunter2") || strings.Contains(out, jwt) || strings.Count(out, "[redacted]") < 9 {
			t.Errorf("%s: %s", format, out)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for want, err := range map[string]error{"done": nil, "postponed": queue.Later(time.Second, "busy"), "buried": queue.ErrInvalid, "failed": errors.New("x")} {
		if got := outcomeOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	if got := outcomeOf(queue.ErrUnavailable); got != "postponed" {
		t.Errorf("away: %s", got)
	}
	m := newMetrics("p")
	m.Gauge("stella_test_messages", "x", func() float64 { return 7 })
	m.Counter("stella_test_total", "x", "outcome")(3, "ok")
	func() {
		defer func() { _ = recover() }()
		_ = m.Counted("s", "t", func(context.Context, []byte) error { panic("x") })(t.Context(), nil)
	}()
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"stella_test_messages 7", `stella_test_total{outcome="ok"} 3`, `stella_queue_messages_total{outcome="panicked",system="s",topic="t"} 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}
