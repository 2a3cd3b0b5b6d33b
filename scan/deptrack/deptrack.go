// Package deptrack serves the part of the Dependency-Track API that its clients in CI
// speak: upload an SBOM, wait until it is processed, read what was found. Each upload is a
// scan of the SBOM, so that matching, policy, drift, notifications and exports work on it
// as on any other.
//
// docs/modules/deptrack.md and docs/openapi/deptrack.yaml say what travels.
package deptrack

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrLimit           error = fault.Limit
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels.
const (
	MaxBody   = scan.MaxUpload/3*4 + 1<<20 // bytes of an upload, in base64 or as a form
	MaxParts  = 32                         // of a form
	MaxField  = 4 << 10                    // bytes of one
	MaxTags   = 32
	MaxPage   = 1000 // projects or findings of one
	firstPage = 100
)

// APIVersion is the version of the API that is followed, as far as it is there: clients ask
// for it.
const APIVersion = "4.13.0"

// Identity is who sends a request.
type Identity struct {
	Tenant  string // required
	Subject string // owns what it uploads
}

// Scans are the scans of a tenant, and of which projects they are.
type Scans interface {
	scan.Store
	scan.Projects
}

// Handler serves the API below /api, for many tenants. Scans, Uploads and Identify are
// required. A Handler is safe for concurrent use and must not be copied or changed after
// its first request. Errors are problem documents (RFC 9457).
type Handler struct {
	// Scans gives the scans of a tenant.
	Scans func(tenant string) (Scans, error)
	// Uploads keep SBOMs of a tenant.
	Uploads func(tenant string) (scan.Uploads, error)
	// Identify says who sends a request. An error should wrap ErrUnauthenticated or
	// ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Check says what is wrong with an SBOM, so that who uploads it learns it at once. Its
	// errors wrap ErrInvalid, ErrUnsupported or ErrLimit. Nil reads it as the worker will.
	Check func(io.Reader) error
	// Version is that of this program. Default: "unknown".
	Version string
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	query url.Values
	scans Scans
}

// paging is what lists take. There is one order, and nothing is inactive, a child or suppressed.
var paging = []string{"pageNumber", "pageSize", "limit", "offset", "sortName", "sortOrder", "excludeInactive", "onlyRoot", "suppressed"}

var routes = []struct {
	method, path string
	query        []string
	serve        func(*Handler, *call) error
}{
	{"PUT", "/api/v1/bom", nil, (*Handler).upload},
	{"POST", "/api/v1/bom", nil, (*Handler).upload},
	{"GET", "/api/v1/bom/token/{uuid}", nil, (*Handler).token},
	{"GET", "/api/v1/event/token/{uuid}", nil, (*Handler).token},
	{"GET", "/api/v1/project", paging, (*Handler).projects},
	{"GET", "/api/v1/project/lookup", []string{"name", "version"}, (*Handler).lookup},
	{"GET", "/api/v1/project/{uuid}", nil, (*Handler).project},
	{"GET", "/api/v1/finding/project/{uuid}", paging, (*Handler).findings},
	{"GET", "/api/v1/metrics/project/{uuid}/current", nil, (*Handler).metrics},
	{"GET", "/api/v1/team/self", nil, (*Handler).team},
	{"GET", "/api/version", nil, (*Handler).version},
}

// ServeHTTP answers a request below /api.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) route() {
	h.mux.Report = h.Report
	if h.Check == nil {
		h.Check = func(r io.Reader) error { _, _, err := format.Decode(r); return err }
	}
	for i := range routes {
		rt := &routes[i]
		h.mux.Handle(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error {
			c := &call{w: w, r: r}
			if err := h.admit(c, rt.query); err != nil {
				return err
			}
			return rt.serve(h, c)
		})
	}
}

func (h *Handler) admit(c *call, query []string) error {
	var err error
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, query); err != nil {
		return err
	}
	// Clients tell by it whether it is such a server, and of which version.
	c.w.Header().Set("X-Powered-By", "Dependency-Track v"+APIVersion+" API, served by stella")
	c.scans, err = h.Scans(c.who.Tenant)
	return httpjson.Opened(c.who.Tenant, err)
}

// answer gives what may change at any time.
func (c *call) answer(v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, http.StatusOK, v)
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// id reads the UUID of the path. What is none is not found, as what is another tenant's.
func (c *call) id(what string) (string, error) {
	id := c.r.PathValue("uuid")
	if !uuidForm.MatchString(id) {
		return "", fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound)
	}
	return id, nil
}

type version struct {
	Application string `json:"application"`
	Version     string `json:"version"`
	Framework   struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"framework"`
}

func (h *Handler) version(c *call) error {
	v := version{Application: "Dependency-Track", Version: APIVersion}
	v.Framework.Name, v.Framework.Version = "stella", h.Version
	if h.Version == "" {
		v.Framework.Version = "unknown"
	}
	return c.answer(v)
}

type named struct {
	Name string `json:"name"`
}

type team struct {
	UUID        string  `json:"uuid"`
	Name        string  `json:"name"`
	Permissions []named `json:"permissions"`
}

// team says what a client may do here. Violations of policies are not among it: they are
// read elsewhere.
func (h *Handler) team(c *call) error {
	return c.answer(team{UUID: scan.DerivedID("team", c.who.Tenant), Name: c.who.Tenant,
		Permissions: []named{{"BOM_UPLOAD"}, {"PROJECT_CREATION_UPLOAD"}, {"VIEW_PORTFOLIO"}, {"VIEW_VULNERABILITY"}}})
}
