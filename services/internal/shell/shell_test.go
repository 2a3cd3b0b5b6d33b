package shell

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/internal/config"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// settings is a configuration with its data in a folder of the test.
func settings(t testing.TB, flags ...string) *config.Config {
	t.Helper()
	all := map[string]string{"data": t.TempDir(), "shutdown": "5s", "log.level": "debug"}
	for _, f := range flags {
		name, value, _ := strings.Cut(f, "=")
		all[name] = value
	}
	c, err := config.Load(config.Input{Flags: all, Environ: []string{"STELLA_AUTHORITY_SEAL_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proc is a process of a test.
type proc struct {
	t               testing.TB
	api, management string
	stop            context.CancelFunc
	ended           chan error
	log             *lines
}

// start runs a program until the test ends.
func start(t testing.TB, p *Program) *proc {
	t.Helper()
	x := &proc{t: t, ended: make(chan error, 1), log: new(lines)}
	for _, l := range []*net.Listener{&p.Listener, &p.Management} {
		made, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*l = made
	}
	x.api, x.management = "http://"+p.Listener.Addr().String(), "http://"+p.Management.Addr().String()
	p.Log = x.log
	up := make(chan struct{})
	p.Started = func(net.Addr, net.Addr) { close(up) }
	ctx, cancel := context.WithCancel(context.Background())
	x.stop = cancel
	go func() { x.ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-x.ended:
		case <-time.After(20 * time.Second):
			t.Error("the process does not end")
		}
		if t.Failed() {
			t.Logf("log:\n%s", x.log)
		}
	})
	select {
	case <-up:
	case err := <-x.ended:
		x.ended <- err
	}
	return x
}

// end waits until the process ended.
func (x *proc) end() error {
	x.t.Helper()
	err := <-x.ended
	x.ended <- err
	return err
}

func (x *proc) get(url string, header ...string) (int, string) {
	x.t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// parts returns a build function that gives fixed parts, and opens everything.
func parts(list ...*Part) func(context.Context, *Env) ([]*Part, error) {
	return func(ctx context.Context, e *Env) ([]*Part, error) { return list, e.Open(ctx) }
}

func mux(routes map[string]http.HandlerFunc) http.Handler {
	m := http.NewServeMux()
	for pattern, h := range routes {
		m.HandleFunc(pattern, h)
	}
	return m
}

func until(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestRun(t *testing.T) {
	closed := false
	x := start(t, &Program{Name: "scanner", Config: settings(t), Build: parts(&Part{
		Name: "scanner",
		Handler: mux(map[string]http.HandlerFunc{
			"/api/v1/scans/{id}": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("id")) },
			"/panics":            func(http.ResponseWriter, *http.Request) { panic("no hunter2") },
			"/fails":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		}),
		Loops: []Loop{{"relay", until}, {"once", func(context.Context) error { return nil }}},
		Ready: func(context.Context) error { return nil },
		Close: func() error { closed = true; return nil },
	}), Front: func(system string, h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refused" {
				w.WriteHeader(401)
				return
			}
			w.Header().Set("Front", system)
			h.ServeHTTP(w, r)
		})
	}})
	for _, c := range []struct {
		url    string
		status int
		want   string
	}{
		{x.api + "/api/v1/scans/scan-1", 200, "scan-1"},
		{x.api + "/api/v1/scans/scan-2", 200, "scan-2"},
		{x.api + "/refused", 401, ""},
		{x.api + "/panics", 500, `"title":"internal error"`},
		{x.api + "/fails", 503, ""},
		{x.management + "/healthz", 200, `"live"`},
		{x.management + "/readyz", 200, `"store":{"ready":true`},
		{x.management + "/readyz", 200, `"system scanner":{"ready":true`},
		{x.management + "/debug/pprof/", 404, ""},
		{x.management + "/other", 404, ""},
	} {
		if status, body := x.get(c.url, envelope.RequestIDHeader, "req-7"); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.url, status, body)
		}
	}
	_, m := x.get(x.management + "/metrics")
	for _, want := range []string{
		`stella_http_requests_total{method="GET",route="/api/v1/scans/{id}",status="2xx",system="scanner"} 2`,
		`stella_http_requests_total{method="GET",route="none",status="4xx",system="scanner"} 1`,
		`stella_http_requests_total{method="GET",route="/fails",status="5xx",system="scanner"} 1`,
		`stella_http_request_seconds_count{route="/api/v1/scans/{id}",system="scanner"} 2`,
		`stella_loop_running{loop="relay",system="scanner"} 1`, `stella_loop_running{loop="once",system="scanner"} 0`,
		`stella_dependency_ready{dependency="store"} 1`, `stella_process_info{process="scanner"} 1`, "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(m, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if strings.Contains(m, "scan-1") {
		t.Error("an id is a label")
	}
	if !strings.Contains(x.log.String(), `"request_id":"req-7"`) || !strings.Contains(x.log.String(), "a handler panicked") {
		t.Errorf("log:\n%s", x.log)
	}
	x.stop()
	if err := x.end(); err != nil || !closed {
		t.Errorf("ended with %v, closed %v", err, closed)
	}
	if status, body := x.get(x.api + "/api/v1/scans/x"); status != 0 {
		t.Errorf("it still answers: %d %s", status, body)
	}
}

func TestPprof(t *testing.T) {
	x := start(t, &Program{Name: "worker", Config: settings(t, "management.pprof=true"), Build: parts(&Part{Name: "worker", Loops: []Loop{{"l", until}}})})
	if status, body := x.get(x.management + "/debug/pprof/cmdline"); status != 200 || body == "" {
		t.Errorf("%d %s", status, body)
	}
}

// TestNotReady: a process whose store is away is live and not ready, and says of what.
func TestNotReady(t *testing.T) {
	var env *Env
	sick := make(chan struct{})
	x := start(t, &Program{Name: "scanner", Config: settings(t), Build: func(ctx context.Context, e *Env) ([]*Part, error) {
		env = e
		return []*Part{{Name: "scanner", Ready: func(context.Context) error {
			select {
			case <-sick:
				return errors.New("no heads with 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
			default:
				return nil
			}
		}}}, e.Open(ctx)
	}})
	if status, body := x.get(x.management + "/readyz"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	close(sick)
	env.store.Close()
	status, body := x.get(x.management + "/readyz")
	for end := time.Now().Add(5 * time.Second); status == 200 && time.Now().Before(end); status, body = x.get(x.management + "/readyz") {
		time.Sleep(50 * time.Millisecond)
	}
	if status != 503 || !strings.Contains(body, `"store":{"error":"`) && !strings.Contains(body, `"store":{"ready":false`) || !strings.Contains(body, "no heads with [redacted]") || !strings.Contains(body, `"bucket":{"ready":true`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := x.get(x.management + "/healthz"); status != 200 {
		t.Errorf("it is not live: %d", status)
	}
	if err := Ready(t.Context(), &config.Config{Management: config.Management{Listen: strings.TrimPrefix(x.management, "http://")}}, io.Discard); err == nil {
		t.Error("Ready says it is")
	}
}

// TestStarting: before it is built a process is live and not ready.
func TestStarting(t *testing.T) {
	building, go_on := make(chan struct{}), make(chan struct{})
	p := &Program{Name: "policy", Config: settings(t)}
	p.Build = func(ctx context.Context, e *Env) ([]*Part, error) {
		close(building)
		<-go_on
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Management, p.Log = l, io.Discard
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-building
	x := &proc{t: t}
	if status, body := x.get("http://" + l.Addr().String() + "/readyz"); status != 503 || !strings.Contains(body, `"state":"starting"`) {
		t.Errorf("%d %s", status, body)
	}
	close(go_on)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestGraceful: a request in work ends, while the process is not ready and accepts no other;
// loops end after it, and within them is what the request needs.
func TestGraceful(t *testing.T) {
	began, go_on := make(chan struct{}), make(chan struct{})
	var order []string
	var mu sync.Mutex
	note := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
	var env *Env
	x := start(t, &Program{Name: "scanner", Config: settings(t), Build: func(ctx context.Context, e *Env) ([]*Part, error) {
		env = e
		return []*Part{{Name: "scanner", Handler: mux(map[string]http.HandlerFunc{"/slow": func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-go_on
			if err := e.Open(r.Context()); err != nil {
				t.Error(err)
			}
			note("request")
			io.WriteString(w, "done")
		}}), Loops: []Loop{{"l", func(ctx context.Context) error { <-ctx.Done(); note("loop"); return ctx.Err() }}},
			Close: func() error { note("close"); return nil }}}, e.Open(ctx)
	}})
	answer := make(chan string, 1)
	go func() { status, body := x.get(x.api + "/slow"); answer <- fmt.Sprint(status, body) }()
	<-began
	x.stop()
	<-env.Stopping()
	if status, body := x.get(x.management + "/readyz"); status != 503 || !strings.Contains(body, `"state":"stopping"`) {
		t.Errorf("while it stops: %d %s", status, body)
	}
	if status, _ := x.get(x.management + "/healthz"); status != 200 {
		t.Errorf("while it stops it is not live: %d", status)
	}
	// The listener is closed soon; until then a request may be accepted, and none answered late.
	for end := time.Now().Add(5 * time.Second); ; {
		conn, err := net.Dial("tcp", strings.TrimPrefix(x.api, "http://"))
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(end) {
			t.Error("it still accepts connections")
			break
		}
	}
	close(go_on)
	if got := <-answer; got != "200done" {
		t.Errorf("the request in work: %s", got)
	}
	if err := x.end(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(order, " "); got != "request loop close" {
		t.Errorf("order: %s", got)
	}
}

// TestStuck: what does not end is named, and the process ends all the same.
func TestStuck(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	x := start(t, &Program{Name: "scanner", Config: settings(t, "shutdown=1s"), Build: parts(&Part{Name: "scanner",
		Handler: mux(map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); w.(http.Flusher).Flush(); <-hang }}),
		Loops:   []Loop{{"l", func(context.Context) error { <-hang; return nil }}}})})
	resp, err := http.Get(x.api + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	x.stop()
	if err := x.end(); err == nil || !strings.Contains(err.Error(), "requests were still under way") || !strings.Contains(err.Error(), "some loops did not end within 1s") {
		t.Errorf("%v", err)
	}
}

func TestFailures(t *testing.T) {
	secret := "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	h := mux(nil)
	for _, c := range []struct {
		name  string
		build func(context.Context, *Env) ([]*Part, error)
		want  string
	}{
		{"a loop fails", parts(&Part{Name: "scanner", Loops: []Loop{{"ok", until}, {"relay", func(context.Context) error { return errors.New("broken by " + secret) }}}}), "loop relay of scanner: broken by [redacted]"},
		{"a loop panics", parts(&Part{Name: "scanner", Loops: []Loop{{"relay", func(context.Context) error { panic("oh") }}}}), "loop relay of scanner: panic: oh"},
		{"a part cannot be built", func(context.Context, *Env) ([]*Part, error) { return nil, errors.New("no key") }, "start scanner: no key"},
		{"building panics", func(context.Context, *Env) ([]*Part, error) { panic("oh") }, "start scanner: panic: oh"},
		{"two handlers", parts(&Part{Name: "a", Handler: h}, &Part{Name: "b", Handler: h}), "2 parts have handlers, and nothing joins them"},
		{"one name", parts(&Part{Name: "a", Handler: h}, &Part{Name: "a", Handler: h}), "two parts are called a"},
		{"closing fails", parts(&Part{Name: "a", Loops: []Loop{{"l", func(context.Context) error { return errors.New("x") }}}, Close: func() error { panic("late") }}), "close a: panic: late"},
	} {
		x := start(t, &Program{Name: "scanner", Config: settings(t), Build: c.build})
		if err := x.end(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) || strings.Contains(x.log.String(), secret) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// TestJoin: several parts in one process, each behind its door.
func TestJoin(t *testing.T) {
	say := func(s string) http.Handler {
		return mux(map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }})
	}
	x := start(t, &Program{Name: "serve", Config: settings(t), Build: parts(&Part{Name: "a", Handler: say("A")}, &Part{Name: "b", Handler: say("B")}, &Part{Name: "c"}),
		Join: func(h map[string]http.Handler) (http.Handler, error) {
			m := http.NewServeMux()
			m.Handle("/a", h["a"])
			m.Handle("/b", h["b"])
			return m, nil
		}})
	for path, want := range map[string]string{"/a": "A", "/b": "B"} {
		if status, body := x.get(x.api + path); status != 200 || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestSchema: a schema that is newer than this program is refused, and nothing is changed.
func TestSchema(t *testing.T) {
	c := settings(t)
	if err := Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), c); err != nil {
		t.Fatalf("again: %v", err)
	}
	db, err := sql.Open("sqlite", filepath.Join(c.Data, "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO stella_migrations VALUES (9000, '9000_future.sql', 'x')"); err != nil {
		t.Fatal(err)
	}
	want := "the schema is at step 9000 (9000_future.sql), newer than this program"
	if err := Migrate(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("migrate: %v", err)
	}
	x := start(t, &Program{Name: "scanner", Config: c, Build: parts(&Part{Name: "scanner"})})
	if err := x.end(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("run: %v", err)
	}
	for _, store := range []string{"postgres://stella@127.0.0.1:1/stella"} {
		c := settings(t, "store="+store)
		if err := Migrate(t.Context(), c); err == nil || !strings.Contains(err.Error(), "migrate.store is missing") {
			t.Errorf("%s: %v", store, err)
		}
	}
}

// TestAwayAtStart: everything that cannot be used is named at once, without a password.
func TestAwayAtStart(t *testing.T) {
	dir := t.TempDir()
	c, err := config.Load(config.Input{Environ: []string{"STELLA_STORE=postgres://u:hunter2@127.0.0.1:1/d", "STELLA_QUEUE=valkey://u:hunter2@127.0.0.1:1/0", "STELLA_CACHE=valkey://127.0.0.1:1/0", "STELLA_BUCKET=file:" + dir + "/f/x", "STELLA_DATA=" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x := start(t, &Program{Name: "scanner", Config: c, Build: parts(), Patience: 500 * time.Millisecond})
	err = x.end()
	for _, want := range []string{"open store postgres://", "open queue valkey://", "open cache valkey://", "open bucket file:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), "hunter2") || strings.Contains(x.log.String(), "hunter2") {
		t.Errorf("a password is shown: %v", err)
	}
	if !strings.Contains(x.log.String(), "waiting for the store") {
		t.Errorf("log:\n%s", x.log)
	}
}
