package advisoryhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/sbom"
)

// Handler serves advisories, which belong to no tenant. Advisories, View, Object
// and Identify are required. A Handler is safe for concurrent use and must not be
// copied or changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of
// them: such an answer has a request_id, and Report is told the rest.
type Handler struct {
	Advisories Advisories
	// View opens the snapshot of a digest until done is called. The Views of a
	// snapshot.Cache do.
	View func(ctx context.Context, digest string) (v advisory.View, done func(), err error)
	// Object returns a segment or overlay of a snapshot by its digest.
	Object func(ctx context.Context, digest string) ([]byte, error)
	// Identify says who sends a request. An error should wrap ErrUnauthenticated
	// or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Decode reads an SBOM for matching; a nil Decode means that of package
	// scan/sbom/format, which knows its formats by themselves.
	Decode func(text []byte) (*sbom.Document, error)
	// Sync has a source read soon. Nil: this service does not read sources.
	Sync func(ctx context.Context, source string) error
	// Now is the clock by which the age of data is judged. Nil means time.Now.
	Now func() time.Time
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// route is one method of one path.
type route struct {
	method, path string
	operator     bool     // for operators only
	query        []string // the keys that exist
	serve        func(*Handler, *call) error
}

var routes = []route{
	{"GET", root, false, []string{"ecosystem", "name", "snapshot", "after"}, (*Handler).about},
	{"GET", root + "/{id}", false, []string{"snapshot"}, (*Handler).named},
	{"GET", root + "/heads/{number}", false, nil, (*Handler).head},
	{"GET", root + "/heads/{number}/facts", false, []string{"after"}, (*Handler).facts},
	{"GET", root + "/linksets/{key}", false, nil, (*Handler).linkset},
	{"GET", root + "/sources", false, nil, (*Handler).sources},
	{"POST", root + "/sources/{source}/approve", true, nil, (*Handler).approve},
	{"POST", root + "/sources/{source}/sync", true, nil, (*Handler).sync},
	{"GET", root + "/documents/{digest}", false, nil, (*Handler).raw},
	{"GET", root + "/snapshots/{digest}", false, nil, (*Handler).snapshot},
	{"POST", root + "/snapshots/{digest}/query", false, nil, (*Handler).queryView},
	{"GET", root + "/objects/{digest}", false, nil, (*Handler).object},
	{"POST", root + "/match", false, []string{"snapshot", "match_owned", "cpe"}, (*Handler).match},
	{"POST", root + "/explain", false, []string{"snapshot", "match_owned", "cpe"}, (*Handler).explain},
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	query url.Values
}

// ServeHTTP answers a request below /api/v1/advisories.
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

// admit finds out who calls and what for.
func (h *Handler) admit(c *call, rt *route) (err error) {
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	if rt.operator && !c.who.Operator {
		return fmt.Errorf("%s is for operators, and %.80q is not one: %w", rt.path, c.who.Subject, fault.Forbidden)
	}
	if strings.Contains(rt.path, "{digest}") && !sum.Is(c.r.PathValue("digest")) {
		return notThere("digest", c.r.PathValue("digest"))
	}
	c.w.Header().Set("Cache-Control", "no-cache") // a client asks each time whether it changed
	if strings.Contains(rt.path, "{digest}") && rt.method == http.MethodGet {
		c.w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	c.query, err = httpjson.Query(c.r, rt.query)
	return err
}

func notThere(what, name string) error {
	return fmt.Errorf("%s %.100q: %w", what, name, fault.NotFound)
}

// view opens the snapshot that a request is about: the one that it names, else
// the current one.
func (h *Handler) view(c *call) (advisory.View, func(), error) {
	digest := c.query.Get("snapshot")
	if digest == "" {
		head, err := h.Advisories.Head(c.r.Context(), 0)
		if err != nil {
			return nil, nil, err
		}
		digest = head.Digest
	}
	if !sum.Is(digest) {
		return nil, nil, notThere("snapshot", digest)
	}
	v, done, err := h.View(c.r.Context(), digest)
	return v, done, httpjson.Kept(err)
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// answer answers with JSON.
func (c *call) answer(v any) error { return httpjson.Write(c.w, http.StatusOK, v) }
