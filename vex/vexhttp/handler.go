package vexhttp

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/vex"
)

// Handler serves VEX. Scope and Identify are required. A Handler is safe for
// concurrent use and must not be copied or changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of them:
// such an answer has a request_id, and Report is told the rest.
type Handler struct {
	// Scope returns the VEX of a tenant, and what is public for "".
	Scope func(ctx context.Context, tenant string) (VEX, error)
	// Identify says who sends a request. An error should wrap ErrUnauthenticated or
	// ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Parse reads documents that are uploaded; nil means by package vex/format, which
	// knows its formats by themselves.
	Parse func(doc *vex.Document) iter.Seq2[*vex.Statement, error]
	// Verifier returns what checks the signatures of a tenant's documents; "" is what
	// is public. Nil means that nobody does.
	Verifier func(ctx context.Context, tenant string) (vex.Verifier, error)
	// View opens a set of statements by its digest until done is called, and File the
	// file of its snapshot. The Views and the File of a snapshot.Store do. Nil: this
	// service has no snapshots.
	View func(ctx context.Context, tenant, digest string) (v vex.View, done func(), err error)
	File func(ctx context.Context, tenant, digest string) (io.ReadCloser, int64, error)
	// Changed is told of a scope in which something was released, or another trust put
	// in force: a head is to be made. Nil means nobody.
	Changed func(tenant string)
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// route is one method of one path.
type route struct {
	method, path string
	may          right
	query        []string // the keys that exist
	serve        func(*Handler, *call) error
}

// right is what a route asks of who calls.
type right int

const (
	toRead right = iota
	toWrite
	toTrust
)

var routes = []route{
	{"POST", root + "/documents", toWrite, []string{"scope", "name"}, (*Handler).upload},
	{"GET", root + "/documents/{digest}", toRead, []string{"scope"}, (*Handler).raw},
	{"GET", root + "/statements", toRead, []string{"scope", "vulnerability", "product", "after"}, (*Handler).statements},
	{"GET", root + "/consensus", toRead, []string{"scope", "vulnerability", "product", "after"}, (*Handler).consensus},
	{"GET", root + "/heads/{number}", toRead, []string{"scope"}, (*Handler).head},
	{"GET", root + "/sources", toRead, []string{"scope"}, (*Handler).sources},
	{"GET", root + "/snapshots/{digest}", toRead, []string{"scope"}, (*Handler).snapshot},
	{"POST", root + "/snapshots/{digest}/query", toRead, []string{"scope"}, (*Handler).queryView},
	{"GET", root + "/trust", toRead, []string{"scope"}, (*Handler).trust},
	{"PUT", root + "/trust", toTrust, []string{"scope"}, (*Handler).setTrust},
}

// call is one request on its way.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	who    Identity
	query  url.Values
	tenant string // of the scope; "" for what is public
	vex    VEX
}

// ServeHTTP answers a request below /api/v1/vex.
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
			return h.mux.Damaged(c.r, rt.serve(h, c))
		})
	}
}

// admit finds out who calls, what for, and about which scope.
func (h *Handler) admit(c *call, rt *route) (err error) {
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-cache") // a client asks each time whether it changed
	if strings.Contains(rt.path, "{digest}") {
		if !sum.Is(c.r.PathValue("digest")) {
			return notThere("digest", c.r.PathValue("digest"))
		}
		if rt.method == http.MethodGet {
			c.w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
		}
	}
	if c.query, err = httpjson.Query(c.r, rt.query); err != nil {
		return err
	}
	switch scope := Scope(c.query.Get("scope")); scope {
	case "", Own:
		if c.who.Tenant == "" {
			return fmt.Errorf("%.80q belongs to no tenant, and has no VEX of its own: %w", c.who.Subject, fault.Forbidden)
		}
		c.tenant = c.who.Tenant
	case Public:
	default:
		return badQuery("scope %.40q is neither own nor public", scope)
	}
	if err := c.may(rt); err != nil {
		return err
	}
	c.vex, err = h.Scope(c.r.Context(), c.tenant)
	return err
}

// may refuses what who calls has no right to.
func (c *call) may(rt *route) error {
	allowed := rt.may == toRead || c.tenant == "" && c.who.Operator ||
		c.tenant != "" && (rt.may == toWrite && c.who.Writer || rt.may == toTrust && c.who.Admin)
	if allowed {
		return nil
	}
	return fmt.Errorf("%s %s may not be asked for by %.80q: %w", rt.method, rt.path, c.who.Subject, fault.Forbidden)
}

func (h *Handler) changed(tenant string) {
	if h.Changed != nil {
		h.Changed(tenant)
	}
}

// answer answers with JSON.
func (c *call) answer(v any) error { return httpjson.Write(c.w, http.StatusOK, v) }
