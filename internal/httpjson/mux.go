package httpjson

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Mux answers the requests of one API. Add all routes before the first request.
// Errors of routes become problem documents; what a backend says is not part of
// them: such an answer has a request_id, and Report is told the rest.
type Mux struct {
	// Report is told of errors that are not for clients, under the request_id
	// that the client sees. Nil means nobody.
	Report func(requestID string, err error)

	mux      *http.ServeMux
	patterns map[string]methods
}

// methods are what serves each method of a path.
type methods map[string]func(http.ResponseWriter, *http.Request) error

// Handle adds a method of a path, in the patterns of [http.ServeMux] without
// their method. HEAD is answered as GET is.
func (m *Mux) Handle(method, pattern string, serve func(http.ResponseWriter, *http.Request) error) {
	if m.mux == nil {
		m.mux, m.patterns = http.NewServeMux(), map[string]methods{}
		m.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { m.Refuse(w, r, noPath(r)) })
	}
	// The path decides before the method does: ServeMux would take a pattern with
	// a method for in conflict with a more specific one without.
	if m.patterns[pattern] == nil {
		m.patterns[pattern] = methods{}
		m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := m.patterns[pattern].serve(w, r); err != nil {
				m.Refuse(w, r, err)
			}
		})
	}
	if m.patterns[pattern][method] = serve; method == http.MethodGet {
		m.patterns[pattern][http.MethodHead] = serve
	}
}

func (m methods) serve(w http.ResponseWriter, r *http.Request) error {
	if serve := m[r.Method]; serve != nil {
		return serve(w, r)
	}
	list := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", list)
	return &Error{Status: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %.20q: want %s: %w", r.Method, list, fault.Unsupported)}
}

// ServeHTTP answers a request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// ServeMux would send clients elsewhere; no path of an API has a second name.
	if p := r.URL.EscapedPath(); path.Clean(p) != p {
		m.Refuse(w, r, noPath(r))
		return
	}
	m.mux.ServeHTTP(w, r)
}

// noPath is another kind than NotFound: a client with a wrong address must not
// take it for a thing that does not exist.
func noPath(r *http.Request) error {
	return &Error{Status: http.StatusNotFound, Err: fmt.Errorf("path %.200q is not part of this API: %w", r.URL.EscapedPath(), fault.Unsupported)}
}

// Query reads the query of a request, in which each of the keys may be once and
// no others.
func Query(r *http.Request, keys []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Err: fmt.Errorf("query: cannot be parsed: %w", fault.Invalid)}
	}
	for key, values := range query {
		if !slices.Contains(keys, key) {
			return nil, &Error{Status: http.StatusBadRequest, Extra: map[string]any{"query_keys": slices.Concat([]string{}, keys)},
				Err: fmt.Errorf("query: no key is called %.80q here; there are: %s: %w", key, strings.Join(append(keys[:len(keys):len(keys)], "no others"), ", "), fault.Invalid)}
		}
		if len(values) > 1 {
			return nil, &Error{Status: http.StatusBadRequest, Err: fmt.Errorf("query: %s is there %d times: %w", key, len(values), fault.Invalid)}
		}
	}
	return query, nil
}

// Refuse answers with a problem.
func (m *Mux) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, internal := Of(err)
	p.Instance = r.URL.EscapedPath()
	if len(p.Instance) > 512 {
		p.Instance = ""
	}
	if internal {
		p.RequestID = m.Tell(r, err)
	}
	p.Write(w)
}

// Tell reports an error to the operator, and returns under what name.
func (m *Mux) Tell(r *http.Request, err error) string {
	id := rand.Text()
	if m.Report != nil {
		m.Report(id, fmt.Errorf("%s %s: %w", r.Method, r.URL.EscapedPath(), err))
	}
	return id
}
