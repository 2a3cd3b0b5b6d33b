package notifyhttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// right is what somebody must be allowed.
type right int

const (
	mayRead right = iota
	mayOperate
	mayOpen
	mayAudit
	anybody // without an identity
)

// route is one method of one path of a handler.
type route[H any] struct {
	method, path string
	right        right
	query        []string // the keys that exist
	serve        func(*H, *call) error
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	query url.Values
	store Store         // of a Handler
	chain TimelineStore // of a TimelineHandler
}

// mount makes routes those of a mux. open opens what a caller's tenant has.
func mount[H any](m *httpjson.Mux, h *H, routes []route[H], identify func(*http.Request) (Identity, error), open func(*call) error) {
	for _, rt := range routes {
		m.Handle(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error {
			c := &call{w: w, r: r}
			if rt.right == anybody {
				return rt.serve(h, c)
			}
			err := c.admit(rt.method+" "+rt.path, rt.right, rt.query, identify)
			if err == nil {
				err = httpjson.Opened(c.who.Tenant, open(c))
			}
			if err != nil {
				return err
			}
			return rt.serve(h, c)
		})
	}
}

// admit finds out who calls, for what, and about what.
func (c *call) admit(what string, may right, query []string, identify func(*http.Request) (Identity, error)) error {
	var err error
	if c.who, err = identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if may == mayOperate && !c.who.Operator || may == mayOpen && !c.who.Payloads || may == mayAudit && !c.who.Auditor {
		return fmt.Errorf("%s is not for %.80q: %w", what, c.who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, query); err != nil {
		return err
	}
	for _, name := range []string{"endpoint_id", "rule_id", "template_id", "maintenance_id", "inhibition_id", "delivery_id", "incident_id"} {
		if id := c.r.PathValue(name); id != "" && !isName(id) {
			return noSuch(name, id)
		}
	}
	if user := c.r.PathValue("user"); user != "" && !isUser(user) {
		return noSuch("user", user)
	}
	return nil
}

func noSuch(what, id string) error { return fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound) }

// sees reports whether somebody may know of what a preference of user brought.
func (c *call) sees(user string) bool {
	return user == "" || user == c.who.Subject || c.who.Operator
}

// limit reads how long a page may be.
func (c *call) limit() (int, error) {
	if !c.query.Has("limit") {
		return 100, nil
	}
	n, err := strconv.Atoi(c.query.Get("limit"))
	if err != nil || n < 1 || n > MaxPage {
		return 0, httpjson.BadRequest("query: limit %.20q: want 1 to %d", c.query.Get("limit"), MaxPage)
	}
	return n, nil
}

// answer gives what may change at any time.
func (c *call) answer(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, status, v)
}
