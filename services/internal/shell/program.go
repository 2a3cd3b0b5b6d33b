package shell

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/gateway"
)

// Program is one process. Name, Config and Build are required.
type Program struct {
	Name   string // in logs, metrics and traces, such as "scanner"
	Config *config.Config
	// Build makes the parts. What it takes of the environment is opened then.
	Build func(ctx context.Context, env *Env) ([]*Part, error)
	// Front puts a system's door before its handler. Nil: there is none, and whoever
	// reaches the handler is let in.
	Front func(system string, h http.Handler) http.Handler
	// Join makes one handler of those of several parts, each behind its door. Nil: at most
	// one part has a handler.
	Join func(handlers map[string]http.Handler) (http.Handler, error)

	// Listener and Management replace what the configuration says about listening. They
	// are closed.
	Listener, Management net.Listener
	// Started is told where the process listens, after everything has begun; nil for what
	// is not served. Nil means nobody.
	Started func(api, management net.Addr)
	// Log is where the log goes; nil is standard error.
	Log io.Writer
	// Patience is how long to wait at the start for what is away; 0 is 30 s.
	Patience time.Duration

	spans sdk.SpanExporter // of tests
}

// process is a program that runs.
type process struct {
	*Program
	env    *Env
	health *health
	hide   func([]string)
	parts  []*Part
	failed chan error // why the process must end
	served chan error // nil where nothing is
	loops  chan struct{}
	stop   context.CancelFunc // of loops
	ends   time.Time
}

// Run runs until ctx is done, and then stops: it is not ready any more, accepts nothing,
// has requests in work end, then loops, and closes what is open; all that within the
// configured time. It returns nil when everything did. A loop or a listener that fails
// ends the process, and so does a panic in a loop: the error says which.
func (p *Program) Run(ctx context.Context) error {
	w := p.Log
	if w == nil {
		w = os.Stderr
	}
	log, hide := newLog(w, p.Config, p.Name)
	hide(p.Config.Secrets())
	spans, err := newSpans(ctx, p.Config, p.Name, p.spans)
	if err != nil {
		return err
	}
	env := &Env{Config: p.Config, Log: log, Metrics: newMetrics(p.Name), Spans: spans, patience: cmp.Or(p.Patience, 30*time.Second), stopping: make(chan struct{})}
	x := &process{Program: p, env: env, health: &health{env: env, state: starting}, hide: hide, failed: make(chan error, 1)}
	management, err := x.manage()
	if err != nil {
		return errors.Join(err, closeListener(p.Listener))
	}
	err = x.run(ctx, management)
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if e := spans.close(rest); e != nil {
		log.Warn("the last traces were not sent", "error", e.Error())
	}
	if management != nil {
		management.server.Close()
	}
	if err != nil {
		log.Error("ended", "error", err.Error())
		return redacted(p.Config, err)
	}
	log.Info("ended")
	return nil
}

// managing is the management port.
type managing struct {
	server *http.Server
	addr   net.Addr
}

// manage opens the management port before all else: a process that waits at its start is
// live, and not ready.
func (x *process) manage() (*managing, error) {
	l := x.Management
	if l == nil {
		if x.Config.Management.Listen == "" {
			return nil, nil
		}
		var err error
		if l, err = net.Listen("tcp", x.Config.Management.Listen); err != nil {
			return nil, fmt.Errorf("management.listen: %w", err)
		}
	}
	s := &http.Server{Handler: x.health.management(x.Config.Management.Pprof), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			x.fail(fmt.Errorf("management: %w", err))
		}
	}()
	return &managing{s, l.Addr()}, nil
}

// fail ends the process. The first reason counts.
func (x *process) fail(err error) {
	select {
	case x.failed <- err:
	default:
	}
}

func (x *process) run(ctx context.Context, management *managing) (err error) {
	l := x.Listener
	defer func() { err = errors.Join(err, x.env.close()) }()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	if err := guarded(func() (err error) { x.parts, err = x.Build(ctx, x.env); return err }); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", x.Name, err), x.closeParts(), closeListener(l))
	}
	x.hide(x.Config.Secrets())
	h, err := x.handler()
	if err == nil && h != nil && l == nil {
		if l, err = net.Listen("tcp", x.Config.Listen); err != nil {
			err = fmt.Errorf("listen: %w", err)
		}
	}
	var server *gateway.Server
	if err == nil && h != nil {
		server, err = x.server(h)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", x.Name, err), x.closeParts(), closeListener(l))
	}
	if server != nil {
		x.served = make(chan error, 1)
		go func() {
			err := server.Serve(serving, l)
			if serving.Err() == nil {
				x.fail(err)
			}
			x.served <- err
		}()
	}
	x.begin(ctx)
	x.health.set(running, x.parts)
	x.started(server != nil, l, management)
	select {
	case <-ctx.Done():
	case err = <-x.failed:
	}
	return errors.Join(err, x.end(stopServing))
}

func (x *process) started(serves bool, l net.Listener, management *managing) {
	var api, other net.Addr
	if serves {
		api = l.Addr()
	}
	if management != nil {
		other = management.addr
	}
	x.env.Log.Info("started", "api", fmt.Sprint(api), "management", fmt.Sprint(other), "profile", x.Config.Profile)
	if x.Started != nil {
		x.Started(api, other)
	}
}

// handler is that of all parts.
func (x *process) handler() (http.Handler, error) {
	handlers := map[string]http.Handler{}
	for _, p := range x.parts {
		if p.Handler == nil {
			continue
		}
		h := x.env.of(p.Name, p.Handler)
		if x.Front != nil {
			h = x.Front(p.Name, h)
		}
		if handlers[p.Name] != nil {
			return nil, fmt.Errorf("two parts are called %s", p.Name)
		}
		handlers[p.Name] = h
	}
	if x.Join != nil { // a gateway has a handler, though no part has
		h, err := x.Join(handlers)
		if err != nil || h == nil {
			return nil, err
		}
		return x.env.around(x.Name, h), nil
	}
	if len(handlers) == 0 {
		return nil, nil
	}
	if len(handlers) > 1 {
		return nil, fmt.Errorf("%d parts have handlers, and nothing joins them", len(handlers))
	}
	for _, h := range handlers {
		return x.env.around(x.Name, h), nil
	}
	return nil, nil
}

func (x *process) server(h http.Handler) (*gateway.Server, error) {
	// What is left of the time is for loops.
	s := &gateway.Server{Gateway: h, Grace: x.Config.Shutdown * 6 / 10, Report: func(err error) { x.env.Log.Debug("a connection", "error", err.Error()) }}
	if t := x.Config.TLS; t.Cert != "" {
		var err error
		files := gateway.CertificateFiles{Certificate: t.Cert, Key: t.Key, ClientCAs: t.ClientCA}
		if t.MinVersion == "1.3" {
			files.MinVersion = tls.VersionTLS13
		}
		s.Certificates, err = gateway.OpenCertificates(files, func(err error) { x.env.Report(x.Name, err) })
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// begin has loops run.
func (x *process) begin(ctx context.Context) {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop, x.loops = stop, make(chan struct{})
	n := 0
	done := make(chan struct{})
	for _, p := range x.parts {
		for _, l := range p.Loops {
			n++
			go func() {
				defer func() { done <- struct{}{} }()
				gauge := x.env.Metrics.loops.WithLabelValues(p.Name, l.Name)
				gauge.Set(1)
				defer gauge.Set(0)
				err := guarded(func() error { return l.Run(work) })
				switch {
				case err != nil && work.Err() == nil:
					x.fail(fmt.Errorf("loop %s of %s: %w", l.Name, p.Name, err))
				case err != nil && !errors.Is(err, context.Canceled):
					x.env.Log.Warn("a loop ended badly", "system", p.Name, "loop", l.Name, "error", err.Error())
				}
			}()
		}
	}
	go func() {
		for range n {
			<-done
		}
		close(x.loops)
	}()
}

// end stops everything within the configured time.
func (x *process) end(stopServing func()) error {
	x.ends = time.Now().Add(x.Config.Shutdown)
	x.env.Log.Info("stopping", "within", x.Config.Shutdown.String())
	x.health.set(stopping, nil)
	close(x.env.stopping)
	stopServing()
	var all []error
	if x.served != nil {
		if err := <-x.served; err != nil { // within its grace
			all = append(all, err)
		}
	}
	x.stop()
	select {
	case <-x.loops:
	case <-time.After(max(time.Until(x.ends), 100*time.Millisecond)):
		all = append(all, fmt.Errorf("some loops did not end within %v", x.Config.Shutdown))
	}
	return errors.Join(append(all, x.closeParts())...)
}

// closeParts closes them, the last one first.
func (x *process) closeParts() error {
	var all []error
	for _, p := range slices.Backward(x.parts) {
		if p.Close == nil {
			continue
		}
		if err := guarded(p.Close); err != nil {
			all = append(all, fmt.Errorf("close %s: %w", p.Name, err))
		}
	}
	return errors.Join(all...)
}

// Grace is how long handlers of messages may go on after a stop (queue.Options.Grace): what
// requests leave of the configured time.
func (e *Env) Grace() time.Duration { return e.Config.Shutdown * 3 / 10 }

func closeListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// guarded makes an error of a panic.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}
