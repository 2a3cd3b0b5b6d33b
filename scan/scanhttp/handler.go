package scanhttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
)

// Handler serves the scans of many tenants. Store, Jobs, Documents and Identify
// are required. A Handler is safe for concurrent use and must not be copied or
// changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of
// them: such an answer has a request_id, and Report is told the rest.
type Handler struct {
	// Store gives the scans of a tenant. One that is also a [States] counts them.
	Store func(tenant string) (scan.Store, error)
	// Jobs gives the jobs of a tenant, for workers.
	Jobs func(tenant string) (scan.Jobs, error)
	// Documents gives the objects of a tenant.
	Documents func(tenant string) (Documents, error)
	// Uploads keep SBOMs of a tenant that are submitted. Nil: none are taken.
	Uploads func(tenant string) (scan.Uploads, error)
	// Identify says who sends a request. Nothing else in a request decides on
	// tenant or owner. An error should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Encodes reports whether the workers can write a format. Nil means those of
	// package scan/sbom/format. Another one is refused at once, not by a worker.
	Encodes func(format string) bool
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// route is one method of one path.
type route struct {
	method, path string
	worker       bool     // for workers only
	query        []string // the keys that exist
	serve        func(*Handler, *call) error
}

var routes = []route{
	{"POST", root, false, nil, (*Handler).submit},
	{"GET", root, false, []string{"state", "image_ref", "text", "outcome", "latest", "after", "limit"}, (*Handler).list},
	{"GET", base + statesAt, false, nil, (*Handler).states},
	{"GET", root + "/{scan_id}", false, nil, (*Handler).job},
	{"GET", root + "/{scan_id}/manifest", false, nil, (*Handler).manifest},
	{"POST", root + "/{scan_id}/cancel", false, nil, (*Handler).cancel},
	{"GET", root + "/{scan_id}/documents", false, []string{"content"}, (*Handler).documents},
	{"GET", root + "/{scan_id}/documents/{format}", false, nil, (*Handler).document},
	{"GET", root + "/{scan_id}/findings", false, nil, (*Handler).findings},
	{"POST", root + "/{scan_id}/claim", true, nil, (*Handler).claim},
	{"POST", root + "/{scan_id}/heartbeat", true, nil, (*Handler).heartbeat},
	{"POST", root + "/{scan_id}/resolve", true, nil, (*Handler).resolve},
	{"POST", root + "/{scan_id}/complete", true, nil, (*Handler).complete},
	{"POST", root + "/{scan_id}/fail", true, nil, (*Handler).fail},
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	id    string // of the scan, where the path has one
	query url.Values
}

// ServeHTTP answers a request for /api/v1/scan-states, or below /api/v1/scans.
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

// admit finds out who calls and what for.
func (h *Handler) admit(c *call, rt *route) error {
	var err error
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if rt.worker && !c.who.Worker {
		return fmt.Errorf("%s is for workers, and %.80q is not one: %w", rt.path, c.who.Subject, fault.Forbidden)
	}
	if strings.Contains(rt.path, "{scan_id}") {
		if c.id = c.r.PathValue("scan_id"); !isID(c.id) {
			return fmt.Errorf("scan job %.80q: %w", c.id, fault.NotFound)
		}
	}
	c.query, err = httpjson.Query(c.r, rt.query)
	return err
}

// store opens the caller's scans.
func (h *Handler) store(c *call) (scan.Store, error) {
	s, err := h.Store(c.who.Tenant)
	return s, httpjson.Opened(c.who.Tenant, err)
}

// jobs opens the jobs of the caller's tenant.
func (h *Handler) jobs(c *call) (scan.Jobs, error) {
	j, err := h.Jobs(c.who.Tenant)
	return j, httpjson.Opened(c.who.Tenant, err)
}
