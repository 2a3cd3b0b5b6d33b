package shell

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/internal/gateway"
)

type requestKey struct{}

// request is what the two wrappers of a request tell each other.
type request struct {
	id      string
	counted bool
}

// RequestID returns the name of the request that a context belongs to, "" for none. The
// gateway has made it.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// around is put around everything that a process serves: the span of the request, and what
// a handler must not do to the process. What no system has answered is counted here.
func (e *Env) around(process string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.Metrics.inFlight.Inc()
		defer e.Metrics.inFlight.Dec()
		began, about, out := time.Now(), new(request), &recorder{ResponseWriter: w}
		ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := e.Spans.tracer.Start(context.WithValue(ctx, requestKey{}, about), method(r)+" "+process, trace.WithSpanKind(trace.SpanKindServer))
		r = r.WithContext(ctx)
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					e.Log.ErrorContext(ctx, "a handler panicked", "system", process, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				}
				if p == http.ErrAbortHandler || out.status != 0 {
					defer panic(http.ErrAbortHandler) // the client must not take what it has for all of it
				} else {
					(&httpjson.Problem{Status: http.StatusInternalServerError, Title: "internal error", RequestID: about.id}).Write(out)
				}
			}
			if !about.counted {
				e.Metrics.request(process, method(r), "none", out, began)
			}
			status := out.code()
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= 500 {
				span.SetStatus(codes.Error, strconv.Itoa(status))
			}
			span.End()
		}()
		next.ServeHTTP(out, r)
	})
}

// of is put around the handler of a system, behind its door.
func (e *Env) of(system string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, out := time.Now(), &recorder{ResponseWriter: w}
		about, _ := r.Context().Value(requestKey{}).(*request)
		if about == nil {
			about = new(request)
			r = r.WithContext(context.WithValue(r.Context(), requestKey{}, about))
		}
		about.counted = true
		if id := r.Header.Get(envelope.RequestIDHeader); len(id) <= 64 && system != "gateway" { // which makes them
			about.id = id
		}
		defer func() {
			route := r.Pattern
			if route == "" {
				route = "none"
			}
			e.Metrics.request(system, method(r), route, out, began)
			trace.SpanFromContext(r.Context()).SetName(method(r) + " " + route)
			if status := out.code(); e.Config.Log.Requests || status >= 500 {
				e.Log.InfoContext(r.Context(), "request", "system", system, "method", method(r), "route", route, "status", status, "bytes", out.bytes, "seconds", time.Since(began).Seconds())
			}
		}()
		next.ServeHTTP(out, r)
	})
}

func (m *Metrics) request(system, method, route string, out *recorder, began time.Time) {
	m.requests.WithLabelValues(system, method, route, strconv.Itoa(out.code()/100)+"xx").Inc()
	m.seconds.WithLabelValues(system, route).Observe(time.Since(began).Seconds())
	m.bytes.WithLabelValues(system).Add(float64(out.bytes))
}

// method returns the method of a request as a label may have it.
func method(r *http.Request) string {
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return r.Method
	}
	return "other"
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Flush sends what there is.
func (w *recorder) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Decision counts what the gateway did with a request, and tells the operator of what went
// wrong. It is for gateway.Config.Report.
func (e *Env) Decision(d gateway.Decision) {
	system := d.System
	if system == "" {
		system = "none"
	}
	e.Metrics.decisions.WithLabelValues(system, string(d.Reason), strconv.Itoa(d.Status/100)+"xx").Inc()
	if d.Err != nil {
		e.Log.Warn("the gateway", "request_id", d.RequestID, "system", system, "route", d.Route, "reason", string(d.Reason), "status", d.Status, "error", d.Err.Error())
	}
}
