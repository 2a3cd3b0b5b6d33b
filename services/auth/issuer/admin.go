package issuer

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/store/account"
)

// root begins the paths of administration.
const root = "/api/v1/authority"

// MaxPage is how many entries a page may have.
const MaxPage = account.MaxList

// route is one method of one path of administration.
type route struct {
	method, path string
	operator     bool // for who administers the installation alone
	anybody      bool // for whoever is identified; it decides itself
	query        []string
	serve        func(*call) error
}

// call is one request of administration on its way.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	who *auth.Identity
	// tenant is what it is about: the caller's, or for an operator the one of the query.
	tenant string
	query  url.Values
}

// routes are those of administration.
func (s *Server) routes() []route {
	page, one := []string{"tenant", "after", "limit"}, []string{"tenant"}
	return []route{
		{"GET", s.path + "/revocations", false, true, []string{"after"}, s.revocationsAfter},
		{"GET", root + "/tenants", false, false, []string{"after", "limit"}, s.tenants},
		{"GET", root + "/tenants/{tenant_id}", false, false, nil, s.tenant},
		{"PUT", root + "/tenants/{tenant_id}", true, false, nil, s.putTenant},
		{"GET", root + "/users", false, false, page, s.users},
		{"POST", root + "/users", false, false, one, s.addUser},
		{"GET", root + "/users/{user_id}", false, false, one, s.user},
		{"PUT", root + "/users/{user_id}", false, false, one, s.putUser},
		{"POST", root + "/users/{user_id}/password", false, false, one, s.setPassword},
		{"GET", root + "/clients", false, false, page, s.clients},
		{"POST", root + "/clients", false, false, one, s.addClient},
		{"GET", root + "/clients/{client_id}", false, false, one, s.oneClient},
		{"PUT", root + "/clients/{client_id}", false, false, one, s.putClient},
		{"POST", root + "/clients/{client_id}/secret", false, false, one, s.setSecret},
		{"GET", root + "/api-keys", false, false, page, s.apiKeys},
		{"POST", root + "/api-keys", false, false, one, s.addAPIKey},
		{"GET", root + "/api-keys/{key_id}", false, false, one, s.oneAPIKey},
		{"DELETE", root + "/api-keys/{key_id}", false, false, one, s.revokeAPIKey},
		{"GET", root + "/keys", false, false, nil, s.signingKeys},
		{"POST", root + "/keys", true, false, nil, s.rotate},
		{"GET", root + "/journal", false, false, page, s.journal},
	}
}

// administer makes a route of administration one of a mux.
func (s *Server) administer(rt route) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		c := &call{w: w, r: r}
		if err := s.admit(c, &rt); err != nil {
			return err
		}
		return rt.serve(c)
	}
}

// admit finds out who calls, for what, and about which tenant.
func (s *Server) admit(c *call, rt *route) error {
	who, err := s.Identify(c.r)
	var refused *auth.Refusal
	if errors.As(err, &refused) {
		refused.SetHeader(c.w.Header())
		return refused.Problem()
	}
	if err != nil {
		return err
	}
	if who == nil {
		return fmt.Errorf("the request has no identity: %w", fault.Unauthenticated)
	}
	c.who, c.tenant = who, who.Tenant
	if !rt.anybody && !who.Has(auth.AuthorityAdmin) || rt.operator && who.Tenant != "" {
		return fmt.Errorf("%s %s is not for %.80q: %w", rt.method, rt.path, who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, rt.query); err != nil {
		return err
	}
	if t := c.query.Get("tenant"); t != "" && t != c.tenant {
		if c.tenant != "" {
			return missing("tenant", t)
		}
		if _, err := s.Store.Tenant(c.r.Context(), t); err != nil {
			return err
		}
		c.tenant = t
	}
	for _, name := range []string{"tenant_id", "user_id", "client_id", "key_id"} {
		if id := c.r.PathValue(name); id != "" && (len(id) > account.MaxID || !account.ValidText(id)) {
			return missing(strings.TrimSuffix(name, "_id"), id)
		}
	}
	return nil
}

func missing(what, id string) error { return fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound) }

// answer gives what may change at any time.
func (c *call) answer(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, status, v)
}

// versioned gives something that has a version, which is its entity tag.
func (c *call) versioned(status int, version int64, v any) error {
	tag := strconv.FormatInt(version, 10)
	if status == http.StatusOK && c.r.Method == http.MethodGet && httpjson.Unchanged(c.w, c.r, tag) {
		return nil
	}
	c.w.Header().Set("ETag", httpjson.Tag(tag))
	return c.answer(status, v)
}

// created gives something new.
func (c *call) created(version int64, path string, v any) error {
	c.w.Header().Set("Location", path)
	if version == 0 {
		return c.answer(http.StatusCreated, v)
	}
	return c.versioned(http.StatusCreated, version, v)
}

// changing is httpjson.Revision for what only exists where it was made before.
func changing(h http.Header) (int64, error) {
	n, err := httpjson.Revision(h, "it")
	if err == nil && n == 0 {
		return 0, httpjson.BadRequest("want If-Match: what is new is made by POST")
	}
	return n, err
}

// stale says of a change that was refused whether another version stands.
func stale(err error, given, now int64) error {
	if fault.KindOf(err) == fault.Conflict && given != now {
		return &httpjson.Error{Status: http.StatusPreconditionFailed, Err: err}
	}
	return err
}

// limit reads how long a page may be.
func (c *call) limit() (int, error) {
	if !c.query.Has("limit") {
		return account.DefaultList, nil
	}
	n, err := strconv.Atoi(c.query.Get("limit"))
	if err != nil || n < 1 || n > MaxPage {
		return 0, httpjson.BadRequest("query: limit %.20q: want 1 to %d", c.query.Get("limit"), MaxPage)
	}
	return n, nil
}

// after reads where a page begins that an earlier one named by a number.
func (c *call) after() (int64, error) {
	if c.query.Get("after") == "0" {
		return 0, nil
	}
	return httpjson.After(c.query, 63)
}

// page lists what an ID leads to the next page of.
func page[T any](c *call, name string, list func(after string, limit int) ([]T, error), id func(*T) string) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	after := c.query.Get("after")
	if len(after) > account.MaxID || !account.ValidText(after) {
		return httpjson.BadRequest("query: after is not what an earlier page gave")
	}
	all, err := list(after, limit)
	if err != nil {
		return err
	}
	out := map[string]any{name: slices.Concat([]T{}, all)}
	if len(all) == limit {
		out["next"] = id(&all[limit-1])
	}
	return c.answer(http.StatusOK, out)
}

// installationScopes are rights over what is not of one tenant.
var installationScopes = []string{auth.ScannerWork, auth.AdvisoryManage, auth.VEXManage}

// checkScopes refuses rights that are not known, and rights over the installation that
// the caller has not, unless they were there before.
func (c *call) checkScopes(list, before []string) ([]string, error) {
	known := auth.Scopes()
	for _, scope := range list {
		if known[scope] == "" {
			return nil, &httpjson.Error{Extra: map[string]any{"known": slices.Sorted(maps.Keys(known))}, Err: fmt.Errorf("scope %.80q is not known: %w", scope, fault.Invalid)}
		}
		if slices.Contains(installationScopes, scope) && c.who.Tenant != "" && !c.who.Has(scope) && !slices.Contains(before, scope) {
			return nil, fmt.Errorf("scope %q is for who has it to give: %w", scope, fault.Forbidden)
		}
	}
	return intersect(list), nil
}

// holds refuses to give out the credentials of an account that has rights over the
// installation, unless the caller has them too: who sets a password can log in with it.
func (c *call) holds(scopes []string) error {
	_, err := c.checkScopes(intersect(scopes, installationScopes), nil)
	return err
}

// journal lists what was done.
func (s *Server) journal(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	after, err := c.after()
	if err != nil {
		return err
	}
	list, err := s.Store.Journal(c.r.Context(), c.tenant, after, limit)
	if err != nil {
		return err
	}
	out := map[string]any{"entries": slices.Concat([]account.Entry{}, list)}
	if len(list) == limit {
		out["next"] = list[limit-1].Seq
	}
	return c.answer(http.StatusOK, out)
}

// signingKeys lists them without what is secret.
func (s *Server) signingKeys(c *call) error {
	list, err := s.Store.Keys(c.r.Context())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"keys": slices.Concat([]account.Key{}, list)})
}

// rotate makes the next signing key.
func (s *Server) rotate(c *call) error {
	var body struct {
		Algorithm string `json:"alg"`
		Now       bool   `json:"now"`
	}
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	k, err := s.Rotate(c.r.Context(), &Rotation{Algorithm: orText(body.Algorithm, s.Algorithm), Now: body.Now, By: c.who.Subject})
	if err != nil {
		return err
	}
	return c.created(0, root+"/keys", k)
}
