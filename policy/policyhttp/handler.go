package policyhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
)

// Handler serves the policies, exceptions and verdicts of many tenants. Stores, Parse
// and Identify are required. A Handler is safe for concurrent use and must not be
// copied or changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of them:
// such an answer has a request_id, and Report is told the rest.
type Handler struct {
	// Stores gives what is kept of a tenant. One that is also a [Postures] says what holds
	// about all images.
	Stores func(tenant string) (Store, error)
	// Parse reads the text of a policy; name is for its errors, which say what is wrong
	// where. policyfile.Parse does, and has warnings as well.
	Parse func(name string, text []byte) (*policy.Policy, error)
	// Compile checks a policy before it is kept. Nil is policy.Compile without options,
	// which refuses expressions.
	Compile func(p *policy.Policy) (*policy.Engine, error)
	// Simulate decides without keeping anything: a Gateway's. Nil means that nothing is
	// simulated here.
	Simulate func(ctx context.Context, tenant string, q policy.Request, p *policy.Policy) (*policy.Record, error)
	// Identify says who sends a request. Nothing else in a request decides on tenant,
	// author or approver. An error should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Now is the time of simulations that have none. Nil is the clock.
	Now func() time.Time
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// right is what somebody must be allowed.
type right int

const (
	mayRead right = iota
	mayAuthor
	mayApprove
)

// route is one method of one path.
type route struct {
	method, path string
	right        right
	query        []string // the keys that exist
	serve        func(*Handler, *call) error
}

var (
	pageKeys = []string{"after", "limit"}
	routes   = []route{
		{"GET", root + "/policies", mayRead, pageKeys, (*Handler).policies},
		{"POST", root + "/policies", mayAuthor, nil, (*Handler).add},
		{"GET", root + "/policies/activations", mayRead, pageKeys, (*Handler).activations},
		{"POST", root + "/policies/deactivate", mayAuthor, nil, (*Handler).deactivate},
		{"POST", root + "/policies/simulate", mayRead, nil, (*Handler).simulate},
		{"GET", root + "/policies/{policy_id}", mayRead, nil, (*Handler).policy},
		{"GET", root + "/policies/{policy_id}/versions/{version}", mayRead, nil, (*Handler).policy},
		{"GET", root + "/policies/{policy_id}/versions/{version}/source", mayRead, nil, (*Handler).source},
		{"POST", root + "/policies/{policy_id}/versions/{version}/activate", mayAuthor, nil, (*Handler).activate},
		{"GET", root + "/exceptions", mayRead, pageKeys, (*Handler).exceptions},
		{"POST", root + "/exceptions", mayApprove, nil, (*Handler).except},
		{"GET", root + "/exceptions/{exception_id}", mayRead, nil, (*Handler).exception},
		{"POST", root + "/exceptions/{exception_id}/revoke", mayApprove, nil, (*Handler).revoke},
		{"GET", root + "/posture", mayRead, []string{"environment", "since"}, (*Handler).posture},
		{"GET", root + "/scans/{scan_id}/verdict", mayRead, []string{"environment"}, (*Handler).standing},
		{"GET", root + "/scans/{scan_id}/verdicts", mayRead, pageKeys, (*Handler).decisions},
		{"GET", root + "/verdicts/{key}", mayRead, nil, (*Handler).verdict},
		{"GET", root + "/verdicts/{key}/trace", mayRead, nil, (*Handler).trace},
	}
)

// reserved are ids that no policy can have: their paths are other things.
var reserved = []string{"activations", "deactivate", "simulate"}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	query url.Values
	store Store
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) route() {
	h.mux.Report = h.Report
	for i := range routes {
		rt := &routes[i]
		h.mux.Handle(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error {
			c := &call{w: w, r: r}
			if err := h.admit(c, rt); err != nil {
				return err
			}
			return rt.serve(h, c)
		})
	}
}

// admit finds out who calls, for what, and about what.
func (h *Handler) admit(c *call, rt *route) error {
	var err error
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if rt.right == mayAuthor && !c.who.Author || rt.right == mayApprove && !c.who.Approver {
		return fmt.Errorf("%s %s is not for %.80q: %w", rt.method, rt.path, c.who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, rt.query); err != nil {
		return err
	}
	for _, check := range []struct {
		name string
		ok   func(string) bool
	}{{"scan_id", isScan}, {"key", sum.Is}, {"policy_id", func(s string) bool { return isName(s, maxName) }}, {"exception_id", func(s string) bool { return isName(s, maxName) }}} {
		if id := c.r.PathValue(check.name); id != "" && !check.ok(id) {
			return fmt.Errorf("%s %.80q: %w", check.name, id, fault.NotFound)
		}
	}
	c.store, err = h.Stores(c.who.Tenant)
	return httpjson.Opened(c.who.Tenant, err)
}

// version reads the version of a path; 0 where the path has none.
func (c *call) version() (int, error) {
	text := c.r.PathValue("version")
	if text == "" {
		return 0, nil
	}
	n, ok := httpjson.Number(text, 32)
	if !ok {
		return 0, fmt.Errorf("version %.20q: %w", text, fault.NotFound)
	}
	return int(n), nil
}

// limit reads how long a page may be.
func (c *call) limit() (int, error) {
	if !c.query.Has("limit") {
		return 100, nil
	}
	n, err := strconv.Atoi(c.query.Get("limit"))
	if err != nil || n < 1 || n > 1000 {
		return 0, httpjson.BadRequest("query: limit %.20q: want 1 to 1000", c.query.Get("limit"))
	}
	return n, nil
}

// answer gives what may change at any time.
func (c *call) answer(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, status, v)
}

// tagged gives bytes with their digest as entity tag, or says that the client has
// them. What never changes is for ever.
func (c *call) tagged(mediaType string, body []byte, forever bool) {
	h := c.w.Header()
	if h.Set("Cache-Control", "private, no-cache"); forever {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if httpjson.Unchanged(c.w, c.r, sum.Of(body)) {
		return
	}
	httpjson.WriteBytes(c.w, http.StatusOK, mediaType, body)
}

// tag is tagged for what is JSON.
func (c *call) tag(v any) error {
	body, err := httpjson.Encode(v)
	if err == nil {
		c.tagged("application/json", body, false)
	}
	return err
}
