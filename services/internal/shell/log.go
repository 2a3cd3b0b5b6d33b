package shell

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/stella-ops/stella/internal/redact"
	"github.com/stella-ops/stella/services/internal/config"
)

// newLog returns the log of a process. hide replaces the texts that it must not show.
func newLog(w io.Writer, c *config.Config, process string) (log *slog.Logger, hide func(secrets []string)) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		level = slog.LevelInfo
	}
	cl := new(cleaner)
	cl.secrets.Store(new([]string))
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: cl.attr}
	var h slog.Handler = slog.NewJSONHandler(w, opts)
	if c.Log.Format == "text" {
		h = slog.NewTextHandler(w, opts)
	}
	log = slog.New(traced{h}).With("process", process, "instance", c.Instance)
	return log, func(secrets []string) { cl.secrets.Store(&secrets) }
}

// cleaner takes secrets out of what is logged.
type cleaner struct{ secrets atomic.Pointer[[]string] }

// private are names of attributes whose values are never logged.
var private = []string{"password", "secret", "token", "authorization", "cookie", "dpop", "proof", "api_key"}

// tokens are JSON Web Tokens and proofs, wherever they stand.
var tokens = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)

func (c *cleaner) attr(_ []string, a slog.Attr) slog.Attr {
	for _, name := range private {
		if strings.EqualFold(a.Key, name) {
			return slog.String(a.Key, redact.Mark)
		}
	}
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, c.text(v.String()))
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			return slog.String(a.Key, c.text(x.Error()))
		case []byte:
			return slog.String(a.Key, c.text(string(x)))
		case *slog.Source:
			return a
		default:
			return slog.String(a.Key, c.text(v.String()))
		}
	}
	return a
}

// text cleans one text. What is very long is cut: a log is read by people.
func (c *cleaner) text(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	if strings.Contains(s, "eyJ") {
		s = tokens.ReplaceAllString(s, redact.Mark)
	}
	return redact.Text(s, *c.secrets.Load()...)
}

// maxText bounds a text in the log, in bytes.
const maxText = 16 << 10

// traced adds the trace and the request that a context belongs to.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()))
	}
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(list []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(list)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
