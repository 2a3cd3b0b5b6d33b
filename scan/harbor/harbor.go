// Package harbor serves the scanner API that Harbor registries call (Pluggable Scanner
// API, version 1.2): [Handler] takes their requests as scans, and gives the results as the
// reports that they show.
//
// What Harbor sends to pull an image with goes into the scan's Authorization and nowhere
// else. docs/modules/harbor.md and docs/openapi/harbor.yaml say what travels.
package harbor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrLimit           error = fault.Limit
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels, in bytes.
const (
	MaxBody   = 256 << 10 // of a request
	MaxReport = 64 << 20  // of an SBOM in a report
)

// DefaultRefresh is how long Harbor is asked to wait for a report.
const DefaultRefresh = 5 * time.Second

// Identity is who sends a request.
type Identity struct {
	Tenant  string // required
	Subject string // owns what it submits
}

// Documents opens kept documents. A blob.Bucket is one.
type Documents interface {
	// Open gives out verified bytes only.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}

// Scanner is how the scanner presents itself.
type Scanner struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor"`
	Version string `json:"version"`
}

// Handler serves Harbor's scanner API below /api/v1, for many tenants; mount it with
// http.StripPrefix where that path is taken. Store, Documents and Identify are required. A
// Handler is safe for concurrent use and must not be changed after its first request.
type Handler struct {
	// Store gives the scans of a tenant. It has to seal credentials of registries.
	Store func(tenant string) (scan.Store, error)
	// Documents gives the objects of a tenant.
	Documents func(tenant string) (Documents, error)
	// Identify says who sends a request. An error should wrap ErrUnauthenticated or
	// ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Scanner is named in metadata and reports. Default: stella without a version.
	Scanner Scanner
	// Updated says as of when the advisory data is. Nil, and the zero time, say nothing.
	Updated func(context.Context) (time.Time, error)
	// PlainHTTP takes scans of registries whose URL begins with http://; the workers have
	// to allow it too.
	PlainHTTP bool
	// Refresh is how long Harbor is asked to wait for a report. Default: DefaultRefresh.
	Refresh time.Duration
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  *http.ServeMux
	tell httpjson.Mux
}

// The media types of the API.
const (
	typeMetadata     = "application/vnd.scanner.adapter.metadata+json; version=1.1"
	typeScanResponse = "application/vnd.scanner.adapter.scan.response+json; version=1.0"
	typeError        = "application/vnd.scanner.adapter.error+json; version=1.0"
	typeVulns        = "application/vnd.security.vulnerability.report; version=1.1"
	typeVulnsOld     = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"
	typeSBOM         = "application/vnd.security.sbom.report+json; version=1.0"
)

// The media types of what is scanned, and of SBOMs.
var (
	consumed = []string{"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
	sboms    = []string{"application/spdx+json", "application/vnd.cyclonedx+json"}
	formats  = map[string]string{sboms[0]: "spdx-json", sboms[1]: "cyclonedx-json"}
)

// What travels, as the specification names it.

type metadata struct {
	Scanner      Scanner           `json:"scanner"`
	Capabilities []capability      `json:"capabilities"`
	Properties   map[string]string `json:"properties"`
}

type capability struct {
	Type       string      `json:"type"`
	Consumes   []string    `json:"consumes_mime_types"`
	Produces   []string    `json:"produces_mime_types"`
	Attributes *mediaTypes `json:"additional_attributes,omitempty"`
}

type mediaTypes struct {
	SBOM []string `json:"sbom_media_types"`
}

// scanRequest may have members of later versions, which are left alone.
type scanRequest struct {
	Registry struct {
		URL           string `json:"url"`
		Authorization string `json:"authorization"`
	} `json:"registry"`
	Artifact artifact  `json:"artifact"`
	Enabled  []enabled `json:"enabled_capabilities"`
}

type enabled struct {
	Type       string      `json:"type"`
	Produces   []string    `json:"produces_mime_types"`
	Parameters *mediaTypes `json:"parameters"`
}

type artifact struct {
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	Tag        string `json:"tag,omitempty"`
	MediaType  string `json:"mime_type,omitempty"`
}

type scanResponse struct {
	ID string `json:"id"`
}

type errorResponse struct {
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

type report struct {
	GeneratedAt string   `json:"generated_at"`
	Artifact    artifact `json:"artifact"`
	Scanner     Scanner  `json:"scanner"`
}

type vulnReport struct {
	report
	Severity        string `json:"severity,omitempty"`
	Vulnerabilities []item `json:"vulnerabilities"`
}

type sbomReport struct {
	report
	Attributes map[string]any `json:"vendor_attributes,omitempty"`
	MediaType  string         `json:"media_type"`
	SBOM       jsontext.Value `json:"sbom"`
}

type item struct {
	ID          string         `json:"id"`
	Package     string         `json:"package"`
	Version     string         `json:"version"`
	FixVersion  string         `json:"fix_version,omitempty"`
	Severity    string         `json:"severity"`
	Description string         `json:"description"`
	Links       []string       `json:"links"`
	CVSS        *cvssDetails   `json:"preferred_cvss,omitempty"`
	Attributes  map[string]any `json:"vendor_attributes,omitempty"`
}

type cvssDetails struct {
	ScoreV3  jsontext.Value `json:"score_v3,omitempty"`
	ScoreV2  jsontext.Value `json:"score_v2,omitempty"`
	VectorV3 string         `json:"vector_v3,omitempty"`
	VectorV2 string         `json:"vector_v2,omitempty"`
}

// call is one request on its way.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	who Identity
}

var routes = []struct {
	method, path string
	query        []string
	serve        func(*Handler, *call) error
}{
	{"GET", "/api/v1/metadata", nil, (*Handler).metadata},
	{"POST", "/api/v1/scan", nil, (*Handler).accept},
	{"GET", "/api/v1/scan/{scan_request_id}/report", []string{"sbom_media_type"}, (*Handler).report},
}

// ServeHTTP answers a request below /api/v1.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) route() {
	h.tell.Report = h.Report
	if h.Scanner.Name == "" {
		h.Scanner.Name, h.Scanner.Vendor = "stella", "Stella Ops"
	}
	h.mux = http.NewServeMux()
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, &httpjson.Error{Status: http.StatusNotFound, Err: fmt.Errorf("method %.20q of path %.200q is not part of this API: %w", r.Method, r.URL.EscapedPath(), fault.Unsupported)})
	})
	for i := range routes {
		rt := &routes[i]
		h.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			c := &call{w: w, r: r}
			err := h.admit(c, rt.query)
			if err == nil {
				err = rt.serve(h, c)
			}
			if err != nil {
				h.refuse(w, r, err)
			}
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
	_, err = httpjson.Query(c.r, query)
	return err
}

// refuse answers in Harbor's shape of errors, with what a problem document would say.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, internal := httpjson.Of(err)
	var body errorResponse
	body.Error.Message = p.Detail
	if internal {
		body.Error.Message = p.Title + ": request_id " + h.tell.Tell(r, err)
	}
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", fmt.Sprint(httpjson.RetryAfter))
	}
	b, err := httpjson.Encode(body)
	if err != nil {
		b = []byte("{}")
	}
	w.Header().Set("Cache-Control", "no-store")
	httpjson.WriteBytes(w, p.Status, typeError, b)
}

// answer gives JSON of a media type.
func answer(w http.ResponseWriter, status int, mediaType string, v any) error {
	b, err := httpjson.Encode(v)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpjson.WriteBytes(w, status, mediaType, b)
	return nil
}

func (h *Handler) metadata(c *call) error {
	m := metadata{Scanner: h.Scanner, Properties: map[string]string{"harbor.scanner-adapter/scanner-type": "os-package-vulnerability"}, Capabilities: []capability{
		{Type: "vulnerability", Consumes: consumed, Produces: []string{typeVulns, typeVulnsOld}},
		{Type: "sbom", Consumes: consumed, Produces: []string{typeSBOM}, Attributes: &mediaTypes{sboms}},
	}}
	if h.Updated != nil {
		at, err := h.Updated(c.r.Context())
		if err != nil {
			return err
		}
		if !at.IsZero() {
			m.Properties["harbor.scanner-adapter/vulnerability-database-updated-at"] = at.UTC().Format(time.RFC3339)
		}
	}
	return answer(c.w, http.StatusOK, typeMetadata, m)
}
