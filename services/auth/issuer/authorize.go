package issuer

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// The times of what people do.
const (
	pageLife = 10 * time.Minute // from opening a page to the end of it
	codeLife = 60 * time.Second // FAPI 2.0, section 5.3.2.1
)

// transaction is what a page remembers between its steps. It travels sealed, in the page,
// and is bound to the browser by a cookie: without both nothing is decided.
type transaction struct {
	ID      string         `json:"id"`
	Browser string         `json:"browser"` // hash of the cookie
	Expires time.Time      `json:"expires"`
	Request *authorization `json:"request,omitempty"` // nil: a device is asked about
	Device  string         `json:"device,omitempty"`  // the user code
	// Tenant and User are who logged in, At when.
	Tenant string    `json:"tenant,omitempty"`
	User   string    `json:"user,omitempty"`
	Scopes []string  `json:"scopes,omitempty"` // what would be granted
	At     time.Time `json:"at,omitzero"`
}

// authorizePage begins an authorization (RFC 6749, section 4.1). While client and
// redirect URI are not known to belong together, errors are for the page alone.
func (s *Server) authorizePage(p *visit) error {
	f, err := parseForm(p.r.URL.RawQuery)
	if err != nil {
		return err
	}
	id, err := f.need("client_id", maxText)
	if err != nil {
		return err
	}
	ctx := p.r.Context()
	c, err := s.Store.Client(ctx, id)
	if err == nil {
		err = s.tenantIn(ctx, c.Tenant)
	}
	if errors.Is(err, fault.NotFound) {
		return refuse(codeInvalidRequest, "there is no such client")
	}
	if err != nil {
		return err
	}
	a, err := s.asked(p, f, c)
	var e *refusal
	if errors.As(err, &e) && a != nil {
		return s.sendBack(p, a, url.Values{"error": {e.code}, "error_description": {printable(e.text)}})
	}
	if err != nil {
		return err
	}
	t := &transaction{ID: newID(), Expires: s.now().Add(pageLife), Request: a}
	return s.show(p, http.StatusOK, s.loginView(t, c.Name, a.Hint), t)
}

// asked reads what is asked for, from the query or as it was pushed. Where it returns an
// authorization with an error, the error may go to the client.
func (s *Server) asked(p *visit, f form, c *account.Client) (*authorization, error) {
	x := &exchange{w: p.w, r: p.r}
	if uri := f["request_uri"]; uri != "" {
		if c.Disabled {
			return nil, refuse(codeUnauthorized, "the client may not ask people")
		}
		for name := range f {
			if name != "request_uri" && name != "client_id" {
				return nil, refuse(codeInvalidRequest, "beside request_uri there is client_id alone")
			}
		}
		return s.pushed(x, c, uri)
	}
	redirect, err := s.target(x, f, c)
	if err != nil {
		return nil, err
	}
	return s.authorization(f, c, redirect, "")
}

// sendBack sends the browser to the client with an answer, which says who gives it
// (RFC 9207). A form that was sent is not sent there again (RFC 9700, section 4.12).
func (s *Server) sendBack(p *visit, a *authorization, answer url.Values) error {
	u, err := url.Parse(a.Redirect)
	if err != nil {
		return err
	}
	if a.State != "" {
		answer.Set("state", a.State)
	}
	answer.Set("iss", s.Issuer)
	query := answer.Encode()
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	p.w.Header().Set("Location", u.String())
	p.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// authorizeStep takes what a page sends: a login, or a decision.
func (s *Server) authorizeStep(p *visit) error {
	t, f, err := s.resume(p)
	if err != nil {
		return err
	}
	if t.Request == nil {
		return errPage()
	}
	ctx, a := p.r.Context(), t.Request
	c, err := s.Store.Client(ctx, a.Client)
	if err != nil {
		return err
	}
	switch action := f["action"]; {
	case action == "login" && t.User == "":
		u, err := s.login(ctx, c, f)
		if err != nil {
			return s.again(p, t, c.Name, f, err)
		}
		t.Tenant, t.User, t.At = u.Tenant, u.ID, s.now()
		if t.Scopes = intersect(a.Scopes, u.Scopes, c.Scopes); len(t.Scopes) == 0 {
			return s.sendBack(p, a, url.Values{"error": {codeInvalidScope}, "error_description": {"the person has none of these rights"}})
		}
		if s.ours(a) {
			return s.allow(p, t)
		}
		return s.show(p, http.StatusOK, s.consentView(t, c, u), t)
	case action == "allow" && t.User != "":
		return s.allow(p, t)
	case action == "deny":
		s.note(ctx, &account.Entry{Tenant: t.Tenant, Action: "authorize.denied", Subject: t.User, Client: a.Client})
		return s.sendBack(p, a, url.Values{"error": {codeAccessDenied}})
	}
	return errPage()
}

// ours reports whether a request is of the console at this very origin: who logs in there
// means to, and nobody else gets the code.
func (s *Server) ours(a *authorization) bool {
	issuer, err := url.Parse(s.Issuer)
	redirect, failed := url.Parse(a.Redirect)
	return err == nil && failed == nil && a.Client == Console && redirect.Scheme == issuer.Scheme && redirect.Host == issuer.Host
}

// codeData is what a code remembers.
type codeData struct {
	Redirect  string `json:"redirect"`
	Challenge string `json:"challenge"`
	Resource  string `json:"resource"`
}

// allow gives the client a code. A page does that once.
func (s *Server) allow(p *visit, t *transaction) error {
	ctx, now, a := p.r.Context(), s.now(), t.Request
	if err := s.once(ctx, t); err != nil {
		return err
	}
	code := newSecret()
	g := &account.Grant{Hash: hashOf(code), Kind: account.KindCode, State: account.Open, Family: newID(), Tenant: t.Tenant, Client: a.Client, User: t.User, Scopes: t.Scopes, JKT: a.JKT,
		Data: encode(codeData{a.Redirect, a.Challenge, a.Resource}), AuthTime: t.At, Created: now, Expires: now.Add(codeLife)}
	if err := s.Store.Note(ctx, &account.Entry{Tenant: t.Tenant, Time: now, Action: "authorize.allowed", Subject: t.User, Client: a.Client, Detail: strings.Join(t.Scopes, " ")}); err != nil {
		return err
	}
	if err := s.Store.Add(ctx, g); err != nil {
		return err
	}
	return s.sendBack(p, a, url.Values{"code": {code}})
}

// once uses a page up.
func (s *Server) once(ctx context.Context, t *transaction) error {
	now := s.now()
	g := &account.Grant{Hash: hashOf("page " + t.ID), Kind: account.KindRequest, State: account.Open, Family: t.ID, Client: "page", Scopes: []string{}, Created: now, Expires: t.Expires.Add(time.Minute)}
	err := s.Store.Add(ctx, g)
	if errors.Is(err, fault.Conflict) {
		return errPage()
	}
	return err
}

// login checks who somebody is. Its errors do not say what was wrong.
func (s *Server) login(ctx context.Context, c *account.Client, f form) (*account.User, error) {
	tenant := f["tenant"]
	if c.Tenant != "" {
		tenant = c.Tenant
	}
	u, err := s.password(ctx, tenant, f["login"], f["password"])
	if err != nil {
		return nil, err
	}
	return u, s.loggedIn(ctx, u, c.ID)
}

// The lock of accounts: after maxFailures each further one doubles how long nobody is let
// in, so that one who guesses has some ten thousand tries in a year, against 12 characters.
const (
	maxFailures = 5
	minLock     = 30 * time.Second
	maxLock     = 15 * time.Minute
)

// Each attempt is counted before it is made, and once more when it fails.
const perFailure = 2

// locked is until when an account is locked after that many counts.
func (s *Server) locked(counts int) time.Time {
	n := counts/perFailure - maxFailures
	if n < 0 {
		return time.Time{}
	}
	return s.now().Add(min(minLock<<min(n, 10), maxLock))
}

func noLock(int) time.Time { return time.Time{} }

// errLogin is what everybody is told that is not let in.
func errLogin() error {
	return refuse(codeAccessDenied, "This did not work: organisation, login or password is wrong, or there were too many attempts. Please wait a moment before you try again.")
}

// password lets somebody in. An attempt counts before it is made: of any number at once,
// about twice as many are checked as one after the other would be, and no more. Whatever is wrong takes as long.
// The caller ends the count by loggedIn, or has it go on by failed.
func (s *Server) password(ctx context.Context, tenant, login, password string) (*account.User, error) {
	begin := time.Now()
	u, err := s.checkPassword(ctx, tenant, login, password)
	if err != nil {
		// What is written about somebody who is known takes time, too.
		t := time.NewTimer(s.floor - time.Since(begin))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return u, err
}

// failFloor is how long a login takes that fails.
const failFloor = 300 * time.Millisecond

func (s *Server) checkPassword(ctx context.Context, tenant, login, password string) (*account.User, error) {
	u, err := s.Store.Login(ctx, tenant, login)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	hash, known, open := "", err == nil, false
	if known {
		if open, err = s.mayTry(ctx, u); err != nil {
			return nil, err
		}
	}
	if open {
		hash = u.Password
	}
	ok, err := s.hasher.fits(ctx, password, hash)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return u, nil
	case !known:
		s.note(ctx, &account.Entry{Action: "login.failed"})
	case !open:
		s.note(ctx, &account.Entry{Action: "login.locked", Tenant: u.Tenant, Subject: u.ID})
	default:
		if err := s.failed(ctx, u); err != nil {
			return nil, err
		}
	}
	return nil, errLogin()
}

// mayTry counts an attempt, and reports whether it may be made.
func (s *Server) mayTry(ctx context.Context, u *account.User) (bool, error) {
	err := s.tenantIn(ctx, u.Tenant)
	if errors.Is(err, fault.NotFound) || err == nil && (u.Disabled || u.Locked.After(s.now())) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	counted, err := s.Store.Failed(ctx, u.Tenant, u.ID, false, noLock)
	if err != nil {
		return false, err
	}
	if counted.Failures <= maxFailures*perFailure {
		return true, nil
	}
	// The account has been locked before. Of those who come at once after that, one may try.
	first, err := s.Replay.Add(ctx, "login:"+digestOf(u.Tenant+"/"+u.ID), nil, loginPause)
	if err != nil {
		return false, unavailable("count logins", err)
	}
	return first, nil
}

// loginPause is between two attempts at an account that was locked before. It is longer
// than an attempt takes, and shorter than the lock that follows.
const loginPause = minLock / 2

// failed counts an attempt that failed.
func (s *Server) failed(ctx context.Context, u *account.User) error {
	if _, err := s.Store.Failed(ctx, u.Tenant, u.ID, false, s.locked); err != nil {
		return err
	}
	s.note(ctx, &account.Entry{Action: "login.failed", Tenant: u.Tenant, Subject: u.ID})
	return nil
}

// loggedIn ends the count of failures of somebody who got in.
func (s *Server) loggedIn(ctx context.Context, u *account.User, c string) error {
	if _, err := s.Store.Failed(ctx, u.Tenant, u.ID, true, s.locked); err != nil {
		return err
	}
	return s.Store.Note(ctx, &account.Entry{Tenant: u.Tenant, Time: s.now(), Action: "login", Subject: u.ID, Client: c})
}

// person returns who a grant is of, while it may still be used, and its rights.
func (s *Server) person(ctx context.Context, g *account.Grant, c *account.Client) (*account.User, []string, error) {
	none := refuse(codeInvalidGrant, "the grant is not known, over, or was used before")
	u, err := s.Store.User(ctx, g.Tenant, g.User)
	if err == nil {
		err = s.tenantIn(ctx, g.Tenant)
	}
	if errors.Is(err, fault.NotFound) {
		return nil, nil, none
	}
	if err != nil {
		return nil, nil, err
	}
	scopes := intersect(g.Scopes, u.Scopes, c.Scopes)
	if u.Disabled || c.Tenant != "" && c.Tenant != u.Tenant || len(scopes) == 0 {
		return nil, nil, none
	}
	return u, slices.Clip(scopes), nil
}
