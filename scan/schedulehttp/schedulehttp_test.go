package schedulehttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/store/event"
)

func nightly(id string) *schedule.Plan {
	five := 5
	return &schedule.Plan{ID: id, Cron: "0 3 * * *", Zone: "Europe/Berlin", Kind: schedule.Watch, Jitter: 60, Priority: &five,
		Selection: schedule.Selection{Images: []string{"registry.example/*"}, Labels: map[string]string{"team": "shop"}}}
}

// TestClient plays all calls by the client and holds what travels to the document.
func TestClient(t *testing.T) {
	g, ctx := newRig(t), t.Context()
	c, reader := g.client("acme/ann/operator"), g.client("acme/bob")
	p := nightly("nightly")
	if err := c.Set(ctx, p, 0, "ignored"); err != nil {
		t.Fatal(err)
	}
	if p.By != "ann" || p.Version == 0 || p.Due.IsZero() {
		t.Errorf("set: %+v", p)
	}
	got, err := reader.Plan(ctx, "nightly")
	if diff := cmp.Diff(p, got); err != nil || diff != "" {
		t.Errorf("read: %v (-set +got)\n%s", err, diff)
	}
	old := *p
	p.Disabled = true
	if err := c.Set(ctx, p, p.Version, ""); err != nil || p.Version <= old.Version || !p.Due.IsZero() {
		t.Errorf("changed: %+v, %v", p, err)
	}
	for name, err := range map[string]error{"set": c.Set(ctx, &old, old.Version, ""), "new": c.Set(ctx, nightly("nightly"), 0, ""), "delete": c.Delete(ctx, "nightly", old.Version)} {
		if !errors.Is(err, schedulehttp.ErrConflict) {
			t.Errorf("%s with an old version: %v", name, err)
		}
	}
	run, _, err := c.Request(ctx, "nightly", "key", "")
	if err != nil || run.By != "ann" || run.State != schedule.RunRunning || run.Plan.Version != p.Version {
		t.Fatalf("request: %+v, %v", run, err)
	}
	again, _, err := c.Request(ctx, "nightly", "key", "")
	if err != nil || again.ID != run.ID {
		t.Errorf("request again: %+v, %v", again, err)
	}
	for range 2 {
		if _, _, err := c.Request(ctx, "nightly", "", ""); err != nil {
			t.Error(err)
		}
	}
	one, err := reader.Run(ctx, "nightly", run.ID)
	if diff := cmp.Diff(run, one); err != nil || diff != "" {
		t.Errorf("run: %v (-asked +read)\n%s", err, diff)
	}
	first, err := reader.Runs(ctx, "nightly", "", 2)
	if err != nil || len(first) != 2 {
		t.Fatalf("runs: %+v, %v", first, err)
	}
	if rest, err := reader.Runs(ctx, "nightly", first[1].ID, 0); err != nil || len(rest) != 1 || rest[0].ID != run.ID {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	if err := c.Set(ctx, nightly("other"), 0, ""); err != nil {
		t.Error(err)
	}
	if list, err := reader.List(ctx, "nightly", 1); err != nil || len(list) != 1 || list[0].ID != "other" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if list, err := g.client("other/eve").List(ctx, "", 0); err != nil || list == nil || len(list) != 0 {
		t.Errorf("another tenant's list: %+v, %v", list, err)
	}
	if list, err := reader.Evaluations(ctx, "scan-1"); err != nil || list == nil || len(list) != 0 {
		t.Errorf("evaluations: %+v, %v", list, err)
	}
	if err := c.Delete(ctx, "nightly", p.Version); err != nil {
		t.Error(err)
	}
	if _, err := reader.Runs(ctx, "nightly", "", 0); !errors.Is(err, schedulehttp.ErrNotFound) {
		t.Errorf("after its deletion: %v", err)
	}
	body := delta(t, event.Event{ID: "head/1", Type: event.AdvisoryDelta, Source: "concelier"}, 1)
	if a := g.send(t, "", "POST", "/api/v1/scheduler/deltas", body, signed(t, secret, "head/1", now, body)...); a.status != 204 || len(g.handled) != 1 {
		t.Errorf("webhook: %d %s", a.status, a.body)
	}
	tagged := g.send(t, "acme/bob", "GET", "/api/v1/scheduler/schedules/other", "")
	if a := g.send(t, "acme/bob", "GET", "/api/v1/scheduler/schedules/other", "", "If-None-Match: "+tagged.header.Get("ETag")); a.status != 304 || a.body != "" {
		t.Errorf("unchanged: %d %s", a.status, a.body)
	}
	openapitest.Open(t, documentFile).Check(t, g.seen)
}

// TestRefusals: what is wrong with a request is told, and every answer is the document's.
func TestRefusals(t *testing.T) {
	g := newRig(t)
	if err := g.client("acme/ann/operator").Set(t.Context(), nightly("x"), 0, ""); err != nil {
		t.Fatal(err)
	}
	const one, good = "/api/v1/scheduler/schedules/x", `{"cron":"@daily","kind":"rescan"}`
	for _, c := range []struct {
		token, method, path, body string
		header                    []string
		status                    int
		says                      string
	}{
		{"", "GET", one, "", nil, 401, "token"},
		{"/ann", "GET", one, "", nil, 403, "no tenant"},
		{"acme/ann", "PUT", one, good, []string{"If-None-Match: *"}, 403, "is not for"},
		{"acme/ann", "DELETE", one, "", []string{`If-Match: "1"`}, 403, "is not for"},
		{"acme/ann", "POST", one + "/run", "", nil, 403, "is not for"},
		{"other/eve/operator", "GET", one, "", nil, 404, "x"},
		{"other/eve/operator", "POST", one + "/run", "", nil, 404, "x"},
		{"other/eve/operator", "DELETE", one, "", []string{`If-Match: "1"`}, 404, "x"},
		{"other/eve/operator", "GET", one + "/runs", "", nil, 404, "x"},
		{"other/eve/operator", "GET", one + "/runs/request-1", "", nil, 404, "request-1"},
		{"acme/ann", "GET", "/api/v1/scheduler/schedules/a%20b", "", nil, 404, "a b"},
		{"acme/ann", "GET", "/api/v1/scheduler/schedules/a%2Fb", "", nil, 404, "a/b"},
		{"acme/ann", "GET", one + "/runs/A", "", nil, 404, "A"},
		{"acme/ann", "GET", one + "?x=1", "", nil, 400, "no key is called"},
		{"acme/ann", "GET", one + "/runs?limit=0", "", nil, 400, "want 1 to 1000"},
		{"acme/ann", "GET", one + "/runs?after=gone", "", nil, 400, "earlier page"},
		{"acme/ann", "GET", one + "/runs?after=a%00", "", nil, 400, "earlier page"},
		{"acme/ann", "GET", "/api/v1/scheduler/schedules?limit=1001", "", nil, 400, "want 1 to 1000"},
		{"acme/ann", "GET", "/api/v1/scheduler/evaluations", "", nil, 400, "scan"},
		{"acme/ann/operator", "PUT", one, good, nil, 428, "If-Match"},
		{"acme/ann/operator", "PUT", one, good, []string{"If-None-Match: *"}, 412, "stands"},
		{"acme/ann/operator", "PUT", one, good, []string{`If-Match: "1"`}, 412, "stands"},
		{"acme/ann/operator", "PUT", one, good, []string{`If-Match: 1`}, 400, "entity tag"},
		{"acme/ann/operator", "PUT", one, good, []string{`If-Match: "1", "2"`}, 400, "entity tag"},
		{"acme/ann/operator", "PUT", one, good, []string{`If-Match: "+1"`}, 400, "entity tag"},
		{"acme/ann/operator", "PUT", one, good, []string{`If-Match: "1"`, "If-None-Match: *"}, 400, "either"},
		{"acme/ann/operator", "DELETE", one, "", []string{"If-None-Match: *"}, 400, "entity tag"},
		{"acme/ann/operator", "DELETE", one, "", nil, 428, "If-Match"},
		{"acme/ann/operator", "PUT", "/api/v1/scheduler/schedules/none", good, []string{`If-Match: "1"`}, 404, "none"},
		{"acme/ann/operator", "PUT", one, `{"cron":"@daily","kind":"rescan","version":7}`, []string{"If-None-Match: *"}, 400, "version"},
		{"acme/ann/operator", "PUT", one, `{"cron":"@daily","cron":"@hourly","kind":"rescan"}`, []string{"If-None-Match: *"}, 400, "cron"},
		{"acme/ann/operator", "PUT", one, `{"id":"y","cron":"@daily","kind":"rescan"}`, []string{"If-None-Match: *"}, 422, "path says"},
		{"acme/ann/operator", "PUT", one, `{"cron":"TZ=0 * * * *","zone":"Mars/X","kind":"paint","jitter_seconds":-1,"priority":10}`, []string{"If-None-Match: *"}, 422, "kind"},
		{"acme/ann/operator", "PUT", one, `{"cron":"@daily","kind":"rescan","selection":{"images":["` + strings.Repeat("a", schedule.MaxPlan) + `"]}}`, []string{"If-None-Match: *"}, 413, "bytes"},
		{"acme/ann/operator", "PUT", one, good, []string{"If-None-Match: *", "Content-Encoding: gzip"}, 415, ""},
		{"acme/ann/operator", "POST", one + "/run", `{}`, nil, 400, "body"},
		{"acme/ann/operator", "POST", one + "/run", "", []string{"Idempotency-Key: a", "Idempotency-Key: b"}, 400, "Idempotency-Key"},
	} {
		a := g.send(t, c.token, c.method, c.path, c.body, c.header...)
		if a.status != c.status || !strings.Contains(a.body, c.says) || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s as %q with %.60q %q: %d %.300s; want %d, %q", c.method, c.path, c.token, c.body, c.header, a.status, a.body, c.status, c.says)
		}
	}
	g.fails = fmt.Errorf("dial 10.0.0.7: %w", fault.Unavailable)
	if a := g.send(t, "acme/ann", "GET", one, ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("the store is away: %d %s", a.status, a.body)
	}
	openapitest.Open(t, documentFile).CheckEach(t, g.seen)
}

// TestAdmission asks each route as nobody, and as a reader.
func TestAdmission(t *testing.T) {
	g := newRig(t)
	for _, r := range schedulehttp.Routes() {
		path := strings.NewReplacer("{schedule_id}", "x", "{run_id}", "request-1").Replace(r[1])
		if a := g.send(t, "", r[0], path, ""); a.status != 401 {
			t.Errorf("%s %s as nobody: %d", r[0], path, a.status)
		}
		if strings.HasSuffix(path, "/deltas") {
			continue
		}
		if a := g.send(t, "acme/ann", r[0], path, ""); (a.status == 403) != schedulehttp.Restricted(r[0], r[1]) {
			t.Errorf("%s %s as a reader: %d", r[0], path, a.status)
		}
	}
}

// TestDeltas: what is not signed, or signed by others, long ago, or about something else,
// is refused; what comes again changes nothing.
func TestDeltas(t *testing.T) {
	g := newRig(t)
	c := &advisory.Commit{Head: advisory.Head{Number: 1, Digest: "sha256:" + strings.Repeat("a", 64), Manifest: []byte("{}"), Runs: map[string]int64{}}}
	if err := g.root.Advisories(nil).Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: "head/1", Type: event.AdvisoryDelta, Source: "concelier"}
	body := delta(t, e, 1)
	of := func(change func(*event.Event)) string { e := e; change(&e); return delta(t, e, 1) }
	drift, foreign := of(func(e *event.Event) { e.Type = event.AdvisoryDrift }), of(func(e *event.Event) { e.Tenant = "acme" })
	const other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	good := signed(t, secret, "head/1", now, body)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
	}{
		"no signature":  {body, nil, 401},
		"one missing":   {body, good[:2], 401},
		"twice":         {body, append(good[:3:3], good[2]), 401},
		"other key":     {body, signed(t, other, "head/1", now, body), 401},
		"other body":    {strings.Replace(body, "concelier", "c0ncelier", 1), good, 401},
		"other id":      {body, append([]string{"webhook-id: head/2"}, good[1:]...), 401},
		"long ago":      {body, signed(t, secret, "head/1", now.Add(-6*time.Minute), body), 401},
		"of the future": {body, signed(t, secret, "head/1", now.Add(6*time.Minute), body), 401},
		"no number":     {body, []string{good[0], "webhook-timestamp: x", good[2]}, 401},
		"no event":      {"{}", signed(t, secret, "head/1", now, "{}"), 422},
		"no JSON":       {"x", signed(t, secret, "head/1", now, "x"), 422},
		"drift":         {drift, signed(t, secret, "head/1", now, drift), 422},
		"of a tenant":   {foreign, signed(t, secret, "head/1", now, foreign), 422},
		"under another": {body, signed(t, secret, "head/9", now, body), 422},
		"too large":     {strings.Repeat(" ", event.MaxBody+1), good, 413},
	} {
		a := g.send(t, "", "POST", "/api/v1/scheduler/deltas", c.body, c.header...)
		if a.status != c.status || len(g.handled) != 0 || strings.Contains(a.body, "MfKQ9r8") {
			t.Errorf("%s: %d %s; want %d", name, a.status, a.body, c.status)
		}
	}
	for range 3 {
		if a := g.send(t, "", "POST", "/api/v1/scheduler/deltas", body, good...); a.status != 204 {
			t.Errorf("good: %d %s", a.status, a.body)
		}
	}
	if len(g.handled) != 3 || g.handled[0] != body {
		t.Errorf("handled %q", g.handled)
	}
	g.handler = &schedulehttp.Handler{Identify: identify}
	if a := g.send(t, "", "POST", "/api/v1/scheduler/deltas", body, good...); a.status != 404 {
		t.Errorf("where none are taken: %d", a.status)
	}
	openapitest.Open(t, documentFile).CheckEach(t, g.seen)
	for _, keys := range [][][]byte{nil, {[]byte("short")}, {[]byte("whsec_!")}} {
		if _, err := schedulehttp.NewDeltas(nil, keys, nil); !errors.Is(err, schedulehttp.ErrInvalid) {
			t.Errorf("keys %q: %v", keys, err)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestHook sends to a Deltas, and to servers that have trouble.
func TestHook(t *testing.T) {
	g := newRig(t)
	var noted []string
	opts := schedulehttp.HookOptions{Transport: http.DefaultTransport, Now: func() time.Time { return now }, Note: func(_ context.Context, id string) error { noted = append(noted, id); return nil }}
	h, err := schedulehttp.NewHook(g.server.URL+"/api/v1/scheduler/deltas", [][]byte{[]byte(secret)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(delta(t, event.Event{ID: "head/1", Type: event.AdvisoryDelta, Source: "concelier"}, 1))
	for range 2 {
		if err := h.Handle(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.handled) != 2 || g.handled[0] != string(body) || len(noted) != 2 {
		t.Errorf("handled %q, noted %q", g.handled, noted)
	}
	if err := h.Handle(t.Context(), []byte(delta(t, event.Event{ID: "x", Type: event.AdvisoryDrift, Source: "c"}, 1))); err != nil || len(g.handled) != 2 {
		t.Errorf("another type: %v", err)
	}
	if err := h.Handle(t.Context(), []byte("x")); !errors.Is(err, schedulehttp.ErrInvalid) {
		t.Errorf("no event: %v", err)
	}
	for status, later := range map[int]bool{0: true, 200: false, 302: false, 400: false, 401: true, 404: true, 408: true, 410: false, 422: false, 429: true, 500: true, 503: true} {
		noted = nil
		opts.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if status == 0 {
				return nil, errors.New("reset")
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://elsewhere"}}, Body: http.NoBody, Request: r}, nil
		})
		h, err := schedulehttp.NewHook("https://hook.example/secret-path?token=hunter2", [][]byte{[]byte(secret)}, opts)
		if err != nil {
			t.Fatal(err)
		}
		err = h.Handle(t.Context(), body)
		if (err == nil) != (status == 200) || errors.Is(err, schedulehttp.ErrUnavailable) != later || (len(noted) == 0) != later || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("status %d: %v, noted %q", status, err, noted)
		}
	}
	public := "whpk_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, c := range []struct {
		url, key string
		tr       http.RoundTripper
	}{
		{"ftp://x", secret, http.DefaultTransport}, {"https://", secret, http.DefaultTransport}, {"https://u:hunter2@x", secret, http.DefaultTransport}, {"https://x", secret, nil}, {"https://x", "short", http.DefaultTransport}, {"https://x", public, http.DefaultTransport},
	} {
		if _, err := schedulehttp.NewHook(c.url, [][]byte{[]byte(c.key)}, schedulehttp.HookOptions{Transport: c.tr}); !errors.Is(err, schedulehttp.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestDocument: the handler serves what the document has, and the page for people names it.
func TestDocument(t *testing.T) {
	d := openapitest.Open(t, documentFile)
	d.CheckRoutes(t, schedulehttp.Routes())
	page, err := os.ReadFile("../../docs/modules/scheduler.md")
	if err != nil {
		t.Fatal(err)
	}
	d.CheckPage(t, string(page))
}
