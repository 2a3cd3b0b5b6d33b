package shell

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/store/event"
)

// Spans writes traces, by OpenTelemetry. What is done for a scan, in any process, is in the
// scan's trace: its id is derived from the scan's, so nothing has to carry it. Spans are
// safe for concurrent use.
type Spans struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider // nil: nothing is kept
	redact   func(string) string
}

var propagator = propagation.TraceContext{}

// newSpans returns the spans of a process. Without an exporter and an endpoint nothing is
// kept; trace ids are in logs all the same.
func newSpans(ctx context.Context, c *config.Config, process string, to sdk.SpanExporter) (*Spans, error) {
	if to == nil && c.Telemetry.OTLPEndpoint == "" {
		return &Spans{tracer: noop.NewTracerProvider().Tracer("stella"), redact: c.Redact}, nil
	}
	if to == nil {
		u, err := url.Parse(c.Telemetry.OTLPEndpoint)
		if err != nil {
			return nil, errors.New("telemetry.otlp_endpoint cannot be parsed")
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces"
		}
		if to, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(5*time.Second)); err != nil {
			return nil, fmt.Errorf("telemetry.otlp_endpoint: %s", c.Redact(err.Error()))
		}
	}
	// Whether a trace is kept follows from its id alone: every process decides alike, and
	// no client does by what it sends.
	share := sdk.TraceIDRatioBased(float64(c.Telemetry.SamplePercent) / 100)
	sampler := sdk.ParentBased(share, sdk.WithRemoteParentSampled(share), sdk.WithRemoteParentNotSampled(share))
	about := resource.NewSchemaless(attribute.String("service.namespace", "stella"), attribute.String("service.name", process), attribute.String("service.instance.id", c.Instance))
	p := sdk.NewTracerProvider(sdk.WithBatcher(to), sdk.WithSampler(sampler), sdk.WithResource(about), sdk.WithIDGenerator(ids{}))
	return &Spans{tracer: p.Tracer("stella"), provider: p, redact: c.Redact}, nil
}

// close sends what is left.
func (s *Spans) close(ctx context.Context) error {
	if s.provider == nil {
		return nil
	}
	return s.provider.Shutdown(ctx)
}

// ScanTrace returns the trace of a scan and the id of the span that all of its others are
// below.
func ScanTrace(tenant, scanID string) (trace [16]byte, root [8]byte) {
	h := sha256.Sum256([]byte("stella/scan/" + tenant + "/" + scanID))
	copy(trace[:], h[:16])
	copy(root[:], h[16:24])
	return trace, root
}

// Scan begins a span of a scan's trace. Where the context has a span already, such as that
// of a request, the two are linked. The caller calls end once, with the outcome.
func (s *Spans) Scan(ctx context.Context, tenant, scanID, name string) (_ context.Context, end func(error)) {
	id, root := ScanTrace(tenant, scanID)
	opts := []trace.SpanStartOption{trace.WithAttributes(attribute.String("stella.tenant", tenant), attribute.String("stella.scan_id", scanID))}
	if here := trace.SpanContextFromContext(ctx); here.IsValid() && here.TraceID() != id {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: here}))
	}
	if trace.SpanContextFromContext(ctx).TraceID() != id { // else it goes below the span that is open
		parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: root, TraceFlags: trace.FlagsSampled, Remote: true})
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	return s.begin(ctx, name, opts...)
}

// Whole writes the span that all others of a scan are below: from when it was submitted to
// when it ended. Writing it twice writes the same span.
func (s *Spans) Whole(ctx context.Context, tenant, scanID string, from, to time.Time, err error) {
	id, root := ScanTrace(tenant, scanID)
	ctx = context.WithValue(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), idsKey{}, pair{id, root})
	_, span := s.tracer.Start(ctx, "scan", trace.WithNewRoot(), trace.WithTimestamp(from),
		trace.WithAttributes(attribute.String("stella.tenant", tenant), attribute.String("stella.scan_id", scanID)))
	s.outcome(span, err)
	span.End(trace.WithTimestamp(to))
}

// Begin begins a span below that of the context. The caller calls end once.
func (s *Spans) Begin(ctx context.Context, name string) (_ context.Context, end func(error)) {
	return s.begin(ctx, name)
}

func (s *Spans) begin(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, func(error)) {
	ctx, span := s.tracer.Start(ctx, name, opts...)
	return ctx, func(err error) {
		s.outcome(span, err)
		span.End()
	}
}

func (s *Spans) outcome(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, s.redact(err.Error()))
	}
}

// Inject writes the trace of a context into the header of a request, in place of another.
func (s *Spans) Inject(ctx context.Context, h http.Header) {
	h.Del("Traceparent")
	h.Del("Tracestate")
	propagator.Inject(ctx, propagation.HeaderCarrier(h))
}

// Transport passes the trace on with each request. Nil stands for the default transport.
func (s *Spans) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &injecting{s, next}
}

type injecting struct {
	spans *Spans
	next  http.RoundTripper
}

func (i *injecting) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := i.spans.tracer.Start(r.Context(), r.Method+" "+r.URL.Host, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	r = r.Clone(ctx)
	i.spans.Inject(ctx, r.Header)
	resp, err := i.next.RoundTrip(r)
	if err == nil && resp.StatusCode >= 500 {
		span.SetStatus(codes.Error, resp.Status)
	}
	i.spans.outcome(span, err)
	return resp, err
}

// Traced puts a span around what handles the messages of a topic: of the scan that a
// message is about, or of a trace of its own.
func (s *Spans) Traced(system, topic string, handle func(ctx context.Context, body []byte) error) func(ctx context.Context, body []byte) error {
	name := system + " " + topic
	return func(ctx context.Context, body []byte) error {
		var end func(error)
		if tenant, scan := about(body); scan != "" {
			ctx, end = s.Scan(ctx, tenant, scan, name)
		} else {
			ctx, end = s.Begin(ctx, name)
		}
		err := handle(ctx, body)
		end(err)
		return err
	}
}

// about returns the scan that a message is about, "" where it is about none, or several.
func about(body []byte) (tenant, scan string) {
	e, err := event.Decode(body)
	if err != nil {
		return "", ""
	}
	var data struct {
		JobID  string `json:"job_id"`
		ScanID string `json:"scan_id"`
	}
	if len(e.Data) == 0 || json.Unmarshal(e.Data, &data) != nil {
		return "", ""
	}
	if data.ScanID == "" {
		data.ScanID = data.JobID
	}
	if len(data.ScanID) > 256 || strings.ContainsFunc(data.ScanID, func(r rune) bool { return r < ' ' }) {
		return "", ""
	}
	return e.Tenant, data.ScanID
}
