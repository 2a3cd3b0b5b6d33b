package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// Config is what a gateway is made of. Routes, Backends, Check and Signer are required.
type Config struct {
	Routes   []Route
	Backends []Backend
	// Check finds out who sends a request, and may set fields of the answer, such as the
	// next nonce. Its error is an *auth.Refusal, or wraps a kind: Unauthenticated,
	// Forbidden, or Unavailable where it cannot be known.
	Check func(answer http.Header, r *http.Request) (*auth.Identity, error)
	// Signer signs the envelopes.
	Signer *envelope.Signer
	// Hosts are the names, with port where it is not the usual one, under which the gateway
	// is reached. None means any.
	Hosts []string
	// Rates are the classes that routes name.
	Rates map[string]Rates
	// Proxies are in front of the gateway, and say for whom they ask (X-Forwarded-For). The
	// header of anybody else is not read. None: who connects is who asks.
	Proxies []netip.Prefix
	// Refused bounds how often an address may be refused for its credentials before it is
	// turned away unchecked; credentials that were valid within minutes are checked all the
	// same, so that one caller cannot shut out those beside him. The zero value is no bound.
	Refused Rate
	// Shared is a limit in common with other gateways. Nil: there is none. While it is away
	// each gateway allows what one may, so that all of them together allow as many times
	// that as they are.
	Shared Shared
	// Concurrency bounds the requests under way, TenantConcurrency those of one tenant
	// (or, on public routes, of one address), Memory the bytes of bodies that are held.
	// 0 means 1,024, 128 and 64 MiB.
	Concurrency, TenantConcurrency int
	Memory                         int64
	// Inject writes the trace context of a request for its backend, in place of what the
	// client has sent. Nil: that is passed on where it is valid, or a trace is begun.
	Inject func(ctx context.Context, h http.Header)
	// Report is told of every decision, before the client has all of the answer. Nil means
	// nobody.
	Report func(Decision)
	// Now is the clock of limits; nil is time.Now.
	Now func() time.Time
}

// Gateway is an http.Handler. Make it with New, and serve it with [Server], without which
// framing is only as strict as net/http is. It is safe for concurrent use.
type Gateway struct {
	c      Config
	table  *table
	pools  map[string]*pool
	hosts  map[string]bool
	local  *limiter
	shared sharing
	// believed are credentials that were valid a short while ago.
	believed believed
	crowd    crowd
	busy     atomic.Int64
	held     atomic.Int64
}

// New returns a gateway. The error names all mistakes at once and wraps fault.Invalid.
func New(c Config) (*Gateway, error) {
	g := &Gateway{c: c, pools: map[string]*pool{}, hosts: map[string]bool{}, local: newLimiter(), shared: sharing{limit: c.Shared}}
	g.c.Concurrency, g.c.TenantConcurrency, g.c.Memory = cmp.Or(c.Concurrency, 1024), cmp.Or(c.TenantConcurrency, 128), cmp.Or(c.Memory, 64<<20)
	var problems []error
	if c.Check == nil || c.Signer == nil {
		problems = append(problems, fmt.Errorf("want a Check and a Signer: %w", fault.Invalid))
	}
	for _, b := range c.Backends {
		p, err := newPool(b)
		if err == nil && g.pools[b.System] != nil {
			err = fmt.Errorf("is there twice: %w", fault.Invalid)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("backend %q: %w", b.System, err))
		}
		g.pools[b.System] = p
	}
	for _, h := range c.Hosts {
		if !validHost(h) {
			problems = append(problems, fmt.Errorf("host %.80q: want a name with or without a port: %w", h, fault.Invalid))
		}
		g.hosts[strings.ToLower(h)] = true
	}
	var err error
	if g.table, err = newTable(c.Routes, g.pools, c.Rates); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("make a gateway: %w", err)
	}
	return g, nil
}

// Close closes connections to backends that nothing uses.
func (g *Gateway) Close() {
	for _, p := range g.pools {
		for _, t := range p.targets {
			if t.up != nil {
				t.up.closeIdle()
			}
		}
	}
}

func (g *Gateway) now() time.Time {
	if g.c.Now == nil {
		return time.Now()
	}
	return g.c.Now()
}

// exchange is one request with its answer.
type exchange struct {
	g       *Gateway
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	route   *routed // nil where there is none
	who     *auth.Identity
	id      string
	trace   string
	traced  bool // by the client
	target  string
	hasBody bool
	local   bool   // the shared limit was away
	client  string // its address, once it was looked for
	status  int
}

// ServeHTTP answers a request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	x := &exchange{g: g, w: w, r: r, control: http.NewResponseController(w), id: requestID(r.Header)}
	w.Header()[envelope.RequestIDHeader] = []string{x.id}
	busy := g.busy.Add(1)
	defer g.busy.Add(-1)
	f := x.admit(busy)
	if f == nil {
		f = x.pass()
	}
	d := Decision{RequestID: x.id, Reason: ReasonForwarded, Status: x.status, LocalOnly: x.local, Took: time.Since(began)}
	if knownMethods[r.Method] {
		d.Method = r.Method
	}
	if x.route != nil {
		d.System, d.Route = x.route.System, x.route.Pattern
	}
	if x.who != nil {
		d.Tenant, d.Client = x.who.Tenant, x.who.Client
	}
	if f != nil {
		if d.Reason, d.Err = f.reason, f.cause; f.reason == ReasonInternal && f.cause == nil {
			d.Err = f.err
		}
		if x.status == 0 {
			d.Status = f.status
		}
	}
	if g.c.Report != nil {
		g.c.Report(d)
	}
	switch {
	case f == nil:
	case x.status != 0:
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	default:
		x.answer(f)
	}
}

// admit decides whether a request is passed on. Nothing of its body is read.
func (x *exchange) admit(busy int64) *refusal {
	if bad := flawOf(x.r.Context()); bad.status != 0 {
		f := refuse(bad.status, ReasonFraming, "request: %s: %w", bad.why, fault.Invalid)
		f.close = true
		return f
	}
	if f := x.shape(); f != nil {
		return f
	}
	var f *refusal
	if x.route, f = x.g.table.find(x.r); f != nil {
		return f
	}
	if busy > int64(x.g.c.Concurrency) {
		return refuse(http.StatusServiceUnavailable, ReasonConcurrency, "the gateway has as many requests under way as it may: %w", fault.Unavailable).later(time.Second)
	}
	if f := x.identify(); f != nil {
		return f
	}
	if f := x.rate(); f != nil {
		return f
	}
	if x.g.c.Inject == nil {
		x.trace, x.traced = traceparent(x.r.Header)
	}
	return nil
}

// shape checks what net/http lets through, of HTTP/2 as well.
func (x *exchange) shape() *refusal {
	r := x.r
	if x.target = r.RequestURI; !strings.HasPrefix(x.target, "/") && r.ProtoMajor == 1 {
		x.target = r.URL.RequestURI() // of the absolute form
	}
	why := checkTarget(x.target)
	if why == "" && r.ProtoMajor > 1 {
		why = checkLength(r)
	}
	switch {
	case why != "":
	case !knownMethods[r.Method]:
		return refuse(http.StatusNotImplemented, ReasonMethod, "method %.20q is not known: %w", r.Method, fault.Unsupported)
	case !validHost(r.Host):
		why = "a host that is not one"
	case len(r.Header) > maxFields:
		return refuse(http.StatusRequestHeaderFieldsTooLarge, ReasonFraming, "request: %d fields, over the limit of %d: %w", len(r.Header), maxFields, fault.Limit)
	}
	if why != "" {
		return refuse(http.StatusBadRequest, ReasonFraming, "request: %s: %w", why, fault.Invalid)
	}
	if len(x.g.hosts) > 0 && !x.g.hosts[strings.ToLower(r.Host)] {
		return refuse(http.StatusMisdirectedRequest, ReasonHost, "host %.80q is not one of this gateway: %w", r.Host, fault.Unsupported)
	}
	return nil
}

// checkLength holds the Content-Length of HTTP/2 to one number: net/http takes one that is
// none for 0, and the first of several.
func checkLength(r *http.Request) string {
	values := r.Header["Content-Length"]
	if len(values) > 1 || len(values) == 1 && values[0] != strconv.FormatInt(r.ContentLength, 10) {
		return "a Content-Length that is there twice, or is not a number"
	}
	return ""
}

// identify finds out who sends a request, and whether they may.
func (x *exchange) identify() *refusal {
	if x.route.Public {
		x.who = &auth.Identity{}
		return nil
	}
	check := x.route.Check
	if check == nil {
		check = x.g.c.Check
	}
	key, own := "refused\x00"+x.network(), x.credentials()
	if x.g.c.Refused.Burst > 0 {
		over, retry := x.g.local.over(key, x.g.c.Refused, x.g.now())
		if over && !x.g.believed.lately(own, x.g.now()) {
			return refuse(http.StatusTooManyRequests, ReasonRate, "too many requests from this address had no valid credentials: %w", fault.Limit).later(retry)
		}
	}
	id, err := check(x.w.Header(), x.r)
	if err != nil || id == nil {
		f := credentials(cmp.Or(err, error(fault.Unauthenticated)))
		if f.status < 500 && !f.challenge {
			x.g.local.allow(key, x.g.c.Refused, x.g.now())
		}
		return f
	}
	x.who = id
	if x.g.c.Refused.Burst > 0 {
		x.g.believed.note(own, x.g.now())
	}
	if !x.route.may(id) {
		f := refuse(http.StatusForbidden, ReasonRights, "%s %s needs one of the rights %s: %w", x.r.Method, x.route.Pattern, strings.Join(x.route.Scopes, ", "), fault.Forbidden)
		scheme := "DPoP"
		if id.Proof == auth.ProofBearer || id.Proof == auth.ProofAPIKey {
			scheme = "Bearer"
		}
		f.header = http.Header{"Www-Authenticate": {scheme + x.route.allowed}}
		return f
	}
	if asked := x.r.Header[tenantHeader]; len(asked) > 1 || len(asked) == 1 && asked[0] != id.Tenant {
		return refuse(http.StatusForbidden, ReasonTenant, "%s: the request is for another tenant than its token: %w", tenantHeader, fault.Forbidden)
	}
	return nil
}

// rate holds the limits of clients and tenants: first the client's, so that what one is
// refused is not taken from the others of its tenant.
func (x *exchange) rate() *refusal {
	r := x.route.rates
	client, tenant := x.who.Client, x.who.Tenant
	if client == "" {
		client = x.who.Subject
	}
	if x.route.Public {
		client = x.network()
		r.Tenant = Rate{}
	}
	for _, l := range []struct {
		kind, key string
		rate      Rate
	}{{"client", tenant + "\x00" + client, r.Client}, {"tenant", tenant, r.Tenant}} {
		if l.rate.Every <= 0 || l.rate.Burst <= 0 {
			continue
		}
		key := x.route.Rate + "\x00" + l.kind + "\x00" + l.key
		ok, left, retry, reset := x.g.local.allow(key, l.rate, x.g.now())
		if ok {
			var away error
			if ok, retry, away = x.g.shared.allow(x.r.Context(), key, l.rate, x.g.now()); away != nil {
				x.local = true
			}
			if !ok {
				left, reset = 0, retry
			}
		}
		rateHeaders(x.w.Header(), x.route.Rate+"-"+l.kind, l.rate, left, reset)
		if !ok {
			return refuse(http.StatusTooManyRequests, ReasonRate, "the %s has sent more %q requests than it may in this time: %w", l.kind, x.route.Rate, fault.Limit).later(retry)
		}
	}
	return nil
}
