package shell

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
)

// The states of a process.
const (
	starting = "starting"
	running  = "running"
	stopping = "stopping"
)

// health is what the management port says of a process.
type health struct {
	env *Env

	mu    sync.Mutex
	state string
	parts []*Part

	asking sync.Mutex
	asked  time.Time
	last   map[string]finding
}

// readiness is the answer of /readyz.
type readiness struct {
	Status string             `json:"status"` // "ready" or "not ready"
	State  string             `json:"state"`
	Checks map[string]finding `json:"checks"`
}

// finding is what one dependency answered.
type finding struct {
	Ready  bool    `json:"ready"`
	Error  string  `json:"error,omitempty"`
	Millis float64 `json:"ms"`
}

func (h *health) set(state string, parts []*Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = state
	if parts != nil {
		h.parts = parts
	}
}

// checkTime bounds how long a dependency may take, and keep how long an answer is good:
// probes must not become load.
const (
	checkTime = 2 * time.Second
	keep      = 500 * time.Millisecond
)

// look says how the process is.
func (h *health) look(ctx context.Context) readiness {
	checks := h.checks(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	out := readiness{Status: "ready", State: h.state, Checks: checks}
	for name, f := range checks {
		if !f.Ready && vital(name) {
			out.Status = "not ready"
		}
	}
	if h.state != running {
		out.Status = "not ready"
	}
	return out
}

// vital reports whether a process can do nothing without a dependency. What all processes
// share and can do without for a while, such as the queue, does not take all of them out of
// service at once: it is told, and each request says what it lacks.
func vital(name string) bool { return name == "store" || strings.HasPrefix(name, "system ") }

// checks asks everything that this process depends on, at once.
func (h *health) checks(ctx context.Context) map[string]finding {
	h.asking.Lock()
	defer h.asking.Unlock()
	if time.Since(h.asked) < keep {
		return h.last
	}
	checks := h.env.checks()
	h.mu.Lock()
	for _, p := range h.parts {
		if p.Ready != nil {
			checks["system "+p.Name] = p.Ready
		}
	}
	h.mu.Unlock()
	out := map[string]finding{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, check := range checks {
		all.Go(func() {
			f := h.ask(ctx, check)
			mu.Lock()
			defer mu.Unlock()
			out[name] = f
		})
	}
	all.Wait()
	for name, f := range out {
		value := 0.0
		if f.Ready {
			value = 1
		}
		h.env.Metrics.ready.WithLabelValues(name).Set(value)
	}
	h.asked, h.last = time.Now(), out
	return out
}

// ask asks one. One that does not answer in time is left behind.
func (h *health) ask(ctx context.Context, check func(context.Context) error) finding {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	began, done := time.Now(), make(chan error, 1)
	go func() { defer cancel(); done <- guarded(func() error { return check(ctx) }) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		default:
			err = ctx.Err()
		}
	}
	f := finding{Ready: err == nil, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		f.Error = h.env.Config.Redact(err.Error())
	}
	return f
}

// management serves the port of those who operate a process.
func (h *health) management(prof bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpjson.Write(w, http.StatusOK, map[string]string{"status": "live"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		out, status := h.look(r.Context()), http.StatusOK
		if out.Status != "ready" {
			status = http.StatusServiceUnavailable
		}
		_ = httpjson.Write(w, status, out)
	})
	mux.Handle("GET /metrics", h.env.Metrics.handler())
	if prof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}
