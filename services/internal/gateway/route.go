package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
)

// AnyIdentity, as a scope of a route, is everybody who has proved who they are.
const AnyIdentity = "*"

// Route is one method of one path.
type Route struct {
	// System is the one that serves it, and the audience of envelopes.
	System string
	// Method and Pattern say what it serves; Pattern in the patterns of [http.ServeMux],
	// without method and host. GET serves HEAD.
	Method, Pattern string
	// Scopes are the rights of which a caller needs one. A route that is not public has
	// some.
	Scopes []string
	// Public routes are served without an identity: those behind them check credentials
	// themselves, and are passed Authorization, DPoP and Cookie.
	Public bool
	// Check finds out who sends a request, where that is not [Config.Check]: the keys of
	// other products' clients.
	Check func(answer http.Header, r *http.Request) (*auth.Identity, error)
	// Pass are request headers that are passed on beside the usual ones.
	Pass []string
	// Limits bound one request, Rate names the class of its rates (in [Config.Rates]).
	Limits Limits
	Rate   string
}

// Limits bound requests of a route. Zero values are the defaults.
type Limits struct {
	Body        int64         // bytes of a body; 1 MiB
	Time        time.Duration // from head to the end of the answer's head; 30 s
	Concurrency int           // requests at a time at this gateway; 0 is no bound of its own
}

// The defaults of Limits.
const (
	defaultBody = 1 << 20
	defaultTime = 30 * time.Second
)

// routed is a route with what was found when it was made.
type routed struct {
	*Route
	limits  Limits
	pool    *pool
	slots   chan struct{} // nil: unbounded
	rates   Rates
	pass    map[string]bool
	allowed string // of WWW-Authenticate, after the scheme
}

// methods serves one path.
type methods struct {
	of    map[string]*routed
	allow string
}

// ServeHTTP is never called: the mux is only asked.
func (*methods) ServeHTTP(http.ResponseWriter, *http.Request) {}

// table finds routes.
type table struct{ mux http.ServeMux }

func newTable(routes []Route, pools map[string]*pool, rates map[string]Rates) (*table, error) {
	t := &table{}
	paths := map[string]*methods{}
	var problems []error
	for i := range routes {
		r := &routes[i]
		d, err := r.prepare(pools, rates)
		if err != nil {
			problems = append(problems, fmt.Errorf("route %s %s: %w", r.Method, r.Pattern, err))
			continue
		}
		m := paths[r.Pattern]
		if m == nil {
			m = &methods{of: map[string]*routed{}}
			if err := t.add(r.Pattern, m); err != nil {
				problems = append(problems, fmt.Errorf("route %s %s: %w", r.Method, r.Pattern, err))
				continue
			}
			paths[r.Pattern] = m
		}
		if m.of[r.Method] != nil {
			problems = append(problems, fmt.Errorf("route %s %s: is there twice: %w", r.Method, r.Pattern, fault.Invalid))
		}
		m.of[r.Method] = d
	}
	for _, m := range paths {
		if get := m.of[http.MethodGet]; get != nil && m.of[http.MethodHead] == nil {
			m.of[http.MethodHead] = get
		}
		m.allow = strings.Join(slices.Sorted(maps.Keys(m.of)), ", ")
	}
	return t, errors.Join(problems...)
}

// add turns the panic about a pattern into an error.
func (t *table) add(pattern string, m *methods) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("pattern: %v: %w", why, fault.Invalid)
		}
	}()
	t.mux.Handle(pattern, m)
	return nil
}

func (r *Route) prepare(pools map[string]*pool, rates map[string]Rates) (*routed, error) {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format+": %w", append(args, fault.Invalid)...))
	}
	d := &routed{Route: r, limits: r.Limits, pool: pools[r.System], pass: map[string]bool{}}
	if d.pool == nil {
		bad("no backend is called %q", r.System)
	}
	if !knownMethods[r.Method] {
		bad("method %q is not known", r.Method)
	}
	if !strings.HasPrefix(r.Pattern, "/") {
		bad("a pattern begins with a slash")
	}
	if r.Public != (len(r.Scopes) == 0) {
		bad("a route is public, or has scopes")
	}
	if rate, ok := rates[r.Rate]; ok {
		d.rates = rate
	} else if r.Rate != "" {
		bad("no rates are called %q", r.Rate)
	}
	if d.limits.Body == 0 {
		d.limits.Body = defaultBody
	}
	if d.limits.Time == 0 {
		d.limits.Time = defaultTime
	}
	if d.limits.Body < 0 || d.limits.Time < 0 || d.limits.Concurrency < 0 {
		bad("limits are not negative")
	}
	if d.limits.Concurrency > 0 {
		d.slots = make(chan struct{}, d.limits.Concurrency)
	}
	for _, name := range r.Pass {
		if !plainName(name) || http.CanonicalHeaderKey(name) != name || reserved[name] {
			bad("header %q cannot be passed on", name)
		}
		d.pass[name] = true
	}
	d.allowed = ` error="insufficient_scope", scope="` + strings.Join(r.Scopes, " ") + `"`
	return d, errors.Join(problems...)
}

// find returns the route of a request, or why there is none.
func (t *table) find(r *http.Request) (*routed, *refusal) {
	// The mux compares decoded paths; what it would redirect is no path of an API.
	h, _ := t.mux.Handler(r)
	m, ok := h.(*methods)
	if !ok {
		return nil, refuse(http.StatusNotFound, ReasonRoute, "path %.200q is not part of this API: %w", r.URL.EscapedPath(), fault.Unsupported)
	}
	d := m.of[r.Method]
	if d == nil {
		f := refuse(http.StatusMethodNotAllowed, ReasonMethod, "method %.20q on %.200q: want %s: %w", r.Method, r.URL.EscapedPath(), m.allow, fault.Unsupported)
		f.header = http.Header{"Allow": {m.allow}}
		return nil, f
	}
	return d, nil
}

// may reports whether an identity has one of the rights.
func (d *routed) may(id *auth.Identity) bool {
	for _, scope := range d.Scopes {
		if scope == AnyIdentity || id.Has(scope) {
			return true
		}
	}
	return false
}
