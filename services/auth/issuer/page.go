package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/store/account"
)

//go:embed page.css
var styles string

//go:embed page.html
var pageText string

var pages = template.Must(template.New("page").Parse(pageText))

// styleHash names the styles as a policy does (CSP 3, section 8.4).
var styleHash = func() string {
	digest := sha256.Sum256([]byte(styles))
	return "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
}()

// visit is one request of a browser on its way.
type visit struct {
	w      http.ResponseWriter
	r      *http.Request
	action string // where the page sends its form
}

// view is what a page shows.
type view struct {
	Style                  template.CSS
	Title, Text, Problem   string
	Action, Token          string
	Login, Consent, Device bool
	AskTenant              bool
	Tenant, Name, Code     string
	Client, Where          string
	Rights                 []string
	leads                  string // the origin that the form may lead to
}

// browsing makes a route for browsers one of a mux: its errors are pages.
func (s *Server) browsing(action string, serve func(*visit) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin") // none at all would take Origin from our own forms, too
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		p := &visit{w: w, r: r, action: s.path + action}
		if err := serve(p); err != nil {
			return s.showError(p, err)
		}
		return nil
	}
}

func (s *Server) showError(p *visit, err error) error {
	v := &view{Title: "This did not work"}
	status := http.StatusInternalServerError
	var e *refusal
	var l *fault.LimitError
	switch {
	case errors.As(err, &e):
		status, v.Problem = http.StatusBadRequest, e.text
	case errors.As(err, &l):
		status, v.Problem = http.StatusRequestEntityTooLarge, "What was sent is too long."
	case errors.Is(err, fault.Unavailable):
		p.w.Header().Set("Retry-After", "2")
		status, v.Problem = http.StatusServiceUnavailable, "The service cannot do this now. Please try again. (request_id "+s.mux.Tell(p.r, err)+")"
	default:
		v.Problem = "Something went wrong. The operator of the service finds the reason under " + s.mux.Tell(p.r, err) + "."
	}
	return s.show(p, status, v, nil)
}

// errPage is what a page is told that is over, of another browser, or was used before.
func errPage() error {
	return refuse(codeInvalidRequest, "This page is over or was used before, or the browser keeps no cookies. Please begin again where you came from.")
}

// show writes a page. It may load nothing, run nothing, be framed by nobody, and send its
// form here and where its client is. t is what it goes on with, nil for nothing.
func (s *Server) show(p *visit, status int, v *view, t *transaction) error {
	if t != nil {
		t.Browser = s.browser(p)
		sealed, err := s.sealed("page", "", encode(t))
		if err != nil {
			return err
		}
		v.Token = base64.RawURLEncoding.EncodeToString(sealed)
	}
	v.Style, v.Action = template.CSS(styles), p.action
	var b bytes.Buffer
	if err := pages.Execute(&b, v); err != nil {
		return fmt.Errorf("write the page: %v", err)
	}
	forms := "'self'"
	if v.leads != "" {
		forms += " " + v.leads // browsers hold redirects after a form to it as well
	}
	p.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash+"'; form-action "+forms+"; base-uri 'none'; frame-ancestors 'none'")
	httpjson.WriteBytes(p.w, status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// cookieName is the name of the cookie that a page is bound to. Its prefix has browsers
// take it from this host alone, over TLS.
func (s *Server) cookieName() string {
	if s.secure {
		return "__Host-stella-page"
	}
	return "stella-page"
}

// browser returns the hash of the cookie of a browser, which gets one if it has none.
func (s *Server) browser(p *visit) string {
	if c := s.cookie(p.r); c != "" {
		return digestOf(c)
	}
	value := rand.Text()
	http.SetCookie(p.w, &http.Cookie{Name: s.cookieName(), Value: value, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return digestOf(value)
}

func (s *Server) cookie(r *http.Request) string {
	list := r.CookiesNamed(s.cookieName())
	if len(list) != 1 || len(list[0].Value) < 26 || len(list[0].Value) > 64 {
		return ""
	}
	return list[0].Value
}

// resume takes what a page sends. Forms of other sites, other browsers and pages that are
// over are refused.
func (s *Server) resume(p *visit) (*transaction, form, error) {
	if err := s.sameSite.Check(p.r); err != nil {
		return nil, nil, errPage()
	}
	f, err := readForm(p.r)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(f["page"])
	if err != nil || len(sealed) == 0 {
		return nil, nil, errPage()
	}
	text, err := s.opened("page", "", sealed)
	if err != nil {
		return nil, nil, errPage()
	}
	t := new(transaction)
	if err := decode(text, t); err != nil {
		return nil, nil, err
	}
	c := s.cookie(p.r)
	if c == "" || subtle.ConstantTimeCompare([]byte(t.Browser), []byte(digestOf(c))) != 1 || s.now().After(t.Expires) {
		return nil, nil, errPage()
	}
	return t, f, nil
}

func (s *Server) loginView(t *transaction, client, tenant string) *view {
	v := &view{Title: "Log in", Login: true, AskTenant: true, Tenant: line(tenant)}
	if a := t.Request; a != nil {
		v.leads = origin(a.Redirect)
		v.Text = "To go on to " + orText(line(client), a.Client) + "."
		v.AskTenant = a.Tenant == ""
	} else {
		v.Title, v.Device, v.Code = "Connect a device", true, line(t.Device)
	}
	return v
}

// again shows the page of a login that failed.
func (s *Server) again(p *visit, t *transaction, client string, f form, err error) error {
	var e *refusal
	if !errors.As(err, &e) {
		return err
	}
	if t.Request == nil {
		t.Device = f["user_code"]
	}
	v := s.loginView(t, client, f["tenant"])
	v.Problem, v.Name = e.text, line(f["login"])
	return s.show(p, http.StatusForbidden, v, t)
}

func (s *Server) consentView(t *transaction, c *account.Client, u *account.User) *view {
	v := &view{Title: "Allow access?", Consent: true, Client: orText(line(c.Name), c.ID), Name: line(u.Login), Tenant: u.Tenant, Device: t.Request == nil, Code: t.Device}
	if t.Request != nil {
		v.leads = origin(t.Request.Redirect)
		v.Where = v.leads
	}
	known := auth.Scopes()
	for _, scope := range t.Scopes {
		v.Rights = append(v.Rights, orText(known[scope], scope))
	}
	return v
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// line is a text of strangers as one line that is not too long, without characters that
// are not seen or turn what is around them.
func line(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) {
			return ' '
		}
		return c
	}, s)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
