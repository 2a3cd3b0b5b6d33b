package shell

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stella-ops/stella/internal/fault"
)

// Metrics counts what a process does, for Prometheus. Labels are systems, routes, topics
// and outcomes that the program names itself; none has a tenant, a scan or a
// vulnerability. Metrics are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	inFlight  prometheus.Gauge
	loops     *prometheus.GaugeVec
	messages  *prometheus.CounterVec
	handling  *prometheus.HistogramVec
	errors    *prometheus.CounterVec
	ready     *prometheus.GaugeVec
	decisions *prometheus.CounterVec
}

// buckets are seconds: from a cached answer to an image that is read.
var buckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

func newMetrics(process string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		requests:  counter("stella_http_requests_total", "Requests that were answered, by class of status.", "system", "method", "route", "status"),
		seconds:   histogram("stella_http_request_seconds", "How long requests took.", "system", "route"),
		bytes:     counter("stella_http_response_bytes_total", "Bytes of bodies of answers.", "system"),
		inFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "stella_http_requests_in_flight", Help: "Requests that are being answered."}),
		loops:     gauge("stella_loop_running", "Whether a loop runs.", "system", "loop"),
		messages:  counter("stella_queue_messages_total", "Messages that were handled, by outcome.", "system", "topic", "outcome"),
		handling:  histogram("stella_queue_message_seconds", "How long handling a message took.", "system", "topic"),
		errors:    counter("stella_errors_total", "Errors that the operator was told of.", "system"),
		ready:     gauge("stella_dependency_ready", "Whether a dependency answered when it was asked last.", "dependency"),
		decisions: counter("stella_gateway_decisions_total", "What the gateway did with requests, by class of status.", "system", "reason", "status"),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stella_process_info", Help: "Which process this is.", ConstLabels: prometheus.Labels{"process": process}})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.bytes, m.inFlight, m.loops, m.messages, m.handling, m.errors, m.ready, m.decisions, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Gauge adds a figure that is asked for when metrics are read, such as
// stella_relay_backlog_messages. Its name must be new. It must answer at once.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Counter adds a figure that only grows, such as stella_worker_packages_total, and returns
// what adds to it. labels name what the values are that come with each number; there must
// be few of them.
func (m *Metrics) Counter(name, help string, labels ...string) func(n float64, values ...string) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return func(n float64, values ...string) { c.WithLabelValues(values...).Add(n) }
}

// Counted counts what handles the messages of a topic, by what becomes of them as
// queue.Consume has it.
func (m *Metrics) Counted(system, topic string, handle func(ctx context.Context, body []byte) error) func(ctx context.Context, body []byte) error {
	return func(ctx context.Context, body []byte) error {
		began, outcome := time.Now(), "panicked"
		defer func() {
			m.messages.WithLabelValues(system, topic, outcome).Inc()
			m.handling.WithLabelValues(system, topic).Observe(time.Since(began).Seconds())
		}()
		err := handle(ctx, body)
		outcome = outcomeOf(err)
		return err
	}
}

func outcomeOf(err error) string {
	var later interface{ RetryAfter() time.Duration }
	switch k := fault.KindOf(err); {
	case err == nil:
		return "done"
	case errors.As(err, &later), k == fault.Unavailable:
		return "postponed"
	case k == fault.Invalid, k == fault.Unsupported, k == fault.Forbidden, k == fault.Unauthenticated:
		return "buried"
	}
	return "failed"
}

// Handle puts a span and counters around what handles the messages of a topic.
func (e *Env) Handle(system, topic string, handle func(ctx context.Context, body []byte) error) func(ctx context.Context, body []byte) error {
	return e.Metrics.Counted(system, topic, e.Spans.Traced(system, topic, handle))
}
