package shell

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"
)

// ids makes ids of traces and spans: random ones, but for the span of a whole scan.
type ids struct{}

type idsKey struct{}

type pair struct {
	trace trace.TraceID
	span  trace.SpanID
}

// NewIDs returns the ids of a trace that begins.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if p, ok := ctx.Value(idsKey{}).(pair); ok {
		return p.trace, p.span
	}
	var p pair
	rand.Read(p.trace[:])
	rand.Read(p.span[:])
	return p.trace, p.span
}

// NewSpanID returns the id of a span of a trace.
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	rand.Read(id[:])
	return id
}
