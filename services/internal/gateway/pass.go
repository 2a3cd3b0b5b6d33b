package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// writeTime is how long a client may take for each piece of an answer.
const writeTime = 30 * time.Second

// maxTries bounds to how many targets a request is offered.
const maxTries = 3

// pass sends an admitted request to a backend, and its answer back.
func (x *exchange) pass() *refusal {
	key := "t\x00" + x.who.Tenant
	if x.route.Public {
		key = "a\x00" + x.network()
	}
	if !x.g.crowd.enter(key, x.g.c.TenantConcurrency) {
		return refuse(http.StatusTooManyRequests, ReasonConcurrency, "too many requests are under way: want at most %d: %w", x.g.c.TenantConcurrency, fault.Limit).later(time.Second)
	}
	defer x.g.crowd.leave(key)
	p, f := x.body()
	if f != nil {
		return f
	}
	defer x.settle(p)
	if x.route.slots != nil {
		select {
		case x.route.slots <- struct{}{}:
			defer func() { <-x.route.slots }()
		default:
			return refuse(http.StatusServiceUnavailable, ReasonConcurrency, "%s %s: as many requests are under way as may be: %w", x.route.Method, x.route.Pattern, fault.Unavailable).later(time.Second)
		}
	}
	// What is passed on is over when its time is; an answer that has begun may go on, piece
	// by piece.
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	timer := time.AfterFunc(x.route.limits.Time, func() { cancel(errTime) })
	defer timer.Stop()
	return x.offer(ctx, p, timer)
}

var errTime = errors.New("over its time")

// settle frees what a body holds, and waits for whoever reads it.
func (x *exchange) settle(p *payload) {
	x.release(p)
	if s := p.stream; s != nil && s.sent != nil {
		select {
		case <-s.sent:
		default:
			x.control.SetReadDeadline(time.Unix(1, 0))
			<-s.sent
		}
	}
}

// offer sends a request to a target that takes it. One that a target has not taken goes to
// another; one of which anything was sent is never sent again.
func (x *exchange) offer(ctx context.Context, p *payload, timer *time.Timer) *refusal {
	header := x.upward()
	if x.g.c.Inject != nil {
		delete(header, "Traceparent")
		x.g.c.Inject(ctx, header)
	}
	b := envelope.Binding{Audience: x.route.System, Method: x.r.Method, Target: x.target, Digest: p.digest}
	text, err := x.g.c.Signer.Sign(x.who, b, x.id)
	if errors.Is(err, envelope.ErrLimit) { // of which the identity has its bounds, and the target alone is the client's
		return refuse(http.StatusRequestURITooLong, ReasonFraming, "request: the path and its query have %d bytes, which are too many to be passed on: %w", len(x.target), fault.Limit)
	}
	if err != nil {
		return refuse(http.StatusInternalServerError, ReasonInternal, "sign: %w", errors.New("failed")).because(err)
	}
	header[envelope.Header] = []string{text}
	var tried []*target
	var cause error
	for range maxTries {
		t := x.route.pool.pick(x.g.now(), tried)
		if t == nil {
			break
		}
		tried = append(tried, t)
		if t.Handler != nil {
			return x.serveHere(ctx, t, header, p, timer)
		}
		resp, err := x.send(ctx, t, header, p)
		if err == nil {
			timer.Stop()
			return x.relay(t, resp)
		}
		cause = fmt.Errorf("%s: %w", t.name, err)
		var un unsent
		if f := x.why(ctx, t, p, err); !errors.As(err, &un) || f.reason != ReasonFailed {
			return f.because(cause)
		}
	}
	return refuse(http.StatusServiceUnavailable, ReasonAway, "%s: no process of it takes requests now: %w", x.route.System, fault.Unavailable).later(time.Second).because(cause)
}

func (x *exchange) send(ctx context.Context, t *target, header http.Header, p *payload) (*http.Response, error) {
	t.busy.Add(1)
	resp, err := t.up.do(ctx, &outgoing{method: x.r.Method, target: x.target, header: header, payload: p})
	if err != nil {
		t.busy.Add(-1)
	}
	return resp, err
}

// why says what an error of a target is to the client, and notes it.
func (x *exchange) why(ctx context.Context, t *target, p *payload, err error) *refusal {
	if p.stream != nil {
		if f := p.stream.failed.Load(); f != nil {
			return f
		}
	}
	switch cause := context.Cause(ctx); {
	case cause == errTime:
		t.fail(x.g.now(), false)
		return refuse(http.StatusGatewayTimeout, ReasonTime, "%s did not answer within %v: %w", x.route.System, x.route.limits.Time, fault.Unavailable)
	case cause != nil:
		return refuse(499, ReasonGone, "the client is gone: %w", fault.Unavailable)
	}
	var un unsent
	t.fail(x.g.now(), errors.As(err, &un))
	return refuse(http.StatusBadGateway, ReasonFailed, "%s ended without an answer; whether it has acted is not known: %w", x.route.System, fault.Unavailable)
}

// relay sends an answer to the client.
func (x *exchange) relay(t *target, resp *http.Response) *refusal {
	defer t.busy.Add(-1)
	defer resp.Body.Close()
	t.good()
	x.control.SetWriteDeadline(time.Now().Add(writeTime))
	if x.hasBody { // what reads on now waits for the client to go away
		x.control.SetReadDeadline(time.Time{})
	}
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("Www-Authenticate") == envelope.Header {
		return x.unbelieved(t)
	}
	x.downward(resp.Header)
	if resp.ContentLength >= 0 && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified {
		x.w.Header()["Content-Length"] = []string{strconv.FormatInt(resp.ContentLength, 10)}
	}
	x.status = resp.StatusCode
	x.w.WriteHeader(resp.StatusCode)
	if resp.ContentLength == 0 || resp.Body == http.NoBody {
		return nil
	}
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	first := true
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			if !first {
				x.control.SetWriteDeadline(time.Now().Add(writeTime))
			}
			first = false
			if _, err := x.w.Write(buf[:n]); err != nil {
				return refuse(499, ReasonGone, "the client is gone: %w", fault.Unavailable)
			}
			if resp.ContentLength < 0 && err == nil {
				x.control.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return refuse(http.StatusBadGateway, ReasonFailed, "%s ended within its answer: %w", x.route.System, fault.Unavailable).because(err)
		}
	}
}

// unbelieved is a service that does not know the gateway's key, or whose clock is wrong.
func (x *exchange) unbelieved(t *target) *refusal {
	return refuse(http.StatusBadGateway, ReasonFailed, "%s does not believe this gateway: %w", x.route.System, fault.Unavailable).
		because(fmt.Errorf("%s answered 401 to the envelope: compare its keys and clock with the gateway's", t.name))
}

// serveHere has a handler of this process answer.
func (x *exchange) serveHere(ctx context.Context, t *target, header http.Header, p *payload, timer *time.Timer) (f *refusal) {
	u, err := url.ParseRequestURI(x.target)
	if err != nil {
		return refuse(http.StatusBadRequest, ReasonFraming, "request: a path that cannot be parsed: %w", fault.Invalid)
	}
	t.busy.Add(1)
	defer t.busy.Add(-1)
	r := (&http.Request{Method: x.r.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: http.NoBody,
		Host: x.route.System, RequestURI: x.target, RemoteAddr: x.r.RemoteAddr, ContentLength: p.length()}).WithContext(ctx)
	if p.stream != nil || len(p.whole) > 0 {
		r.Body = &payloadReader{p: p}
	}
	w := &filter{x: x, header: http.Header{}, timer: timer}
	defer func() {
		why := recover()
		switch {
		case why == nil:
		case why == http.ErrAbortHandler:
			f = refuse(http.StatusBadGateway, ReasonFailed, "%s gave up: %w", x.route.System, fault.Unavailable)
		default:
			f = refuse(http.StatusInternalServerError, ReasonInternal, "%s: %w", x.route.System, errors.New("failed")).because(fmt.Errorf("panic: %v", why))
		}
	}()
	t.Handler.ServeHTTP(w, r)
	if p.stream != nil && x.status == 0 {
		if f := p.stream.failed.Load(); f != nil {
			return f
		}
	}
	if w.WriteHeader(http.StatusOK); w.refused {
		return x.unbelieved(t)
	}
	return nil
}

// payloadReader is a body for a handler of this process.
type payloadReader struct {
	p    *payload
	done int
}

func (b *payloadReader) Read(buf []byte) (int, error) {
	if b.p.stream != nil {
		return b.p.stream.Read(buf)
	}
	n := copy(buf, b.p.whole[b.done:])
	if b.done += n; n == 0 && len(buf) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (b *payloadReader) Close() error { return nil }

// filter lets those headers of a handler through that are let through from elsewhere.
type filter struct {
	x       *exchange
	header  http.Header
	timer   *time.Timer
	wrote   bool
	refused bool // the envelope
}

func (w *filter) Header() http.Header { return w.header }

func (w *filter) WriteHeader(status int) {
	if w.wrote || status < 200 {
		return
	}
	if w.wrote = true; status == http.StatusUnauthorized && w.header.Get("Www-Authenticate") == envelope.Header {
		w.refused = true
		return
	}
	w.timer.Stop()
	w.x.downward(w.header)
	if n := w.header["Content-Length"]; n != nil {
		w.x.w.Header()["Content-Length"] = n
	}
	w.x.status = status
	w.x.w.WriteHeader(status)
}

func (w *filter) Write(b []byte) (int, error) {
	if w.WriteHeader(http.StatusOK); w.refused {
		return len(b), nil
	}
	w.x.control.SetWriteDeadline(time.Now().Add(writeTime))
	return w.x.w.Write(b)
}

// Flush sends what was written.
func (w *filter) Flush() {
	if w.WriteHeader(http.StatusOK); !w.refused {
		w.x.control.Flush()
	}
}
