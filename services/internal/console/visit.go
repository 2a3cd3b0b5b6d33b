package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// contentPolicy is the Content-Security-Policy of every page: it loads its own style, script and
// pictures, sends forms to itself, and is framed by nobody.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// visit is one request of a browser on its way.
type visit struct {
	c *Console
	w http.ResponseWriter
	r *http.Request
	// session is nil where nobody is logged in.
	session *session
	*login  // the current one
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// form is a value of the form or the query.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.FormValue(name)) }

// Can reports whether the person has one of some rights.
func (v *visit) Can(scopes ...string) bool {
	return v.login != nil && slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(v.login.Scopes, s) })
}

// redirect leads on after a request that did something, or to another place.
func (v *visit) redirect(to string) {
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
}

// pageError is a status with a text for people.
type pageError struct {
	status int
	text   string
}

func (e *pageError) Error() string { return e.text }

// page is what the layout shows around a page's own data.
type page struct {
	Title   string
	Section string // of the navigation
	Nav     []navItem
	Tenant  string
	Tenants []string
	Subject string
	Name    string // of the person who looks
	Path    string // of this page, with its query
	Styles  string
	Script  string
	Version string
	Note    string // what the last form did
	Visit   *visit
	Data    any
}

// navItem is a line of the navigation.
type navItem struct {
	Name, Path string
	Here       bool
}

// show writes a page by the template of its name.
func (v *visit) show(status int, name, title string, data any) error {
	p := &page{Title: title, Styles: assets().path("app.css"), Script: assets().path("app.js"), Version: v.c.Version, Visit: v, Data: data, Path: v.r.URL.RequestURI(), Note: notes[v.r.URL.Query().Get("done")]}
	if v.login != nil {
		p.Tenant, p.Subject, p.Tenants = v.login.Tenant, v.login.Subject, v.session.tenants()
		p.Nav, p.Name = v.nav(), v.name()
	}
	var b bytes.Buffer
	if err := templates.run(&b, name, p); err != nil {
		return fmt.Errorf("write page %s: %v", name, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	v.w.WriteHeader(status)
	v.w.Write(b.Bytes()) // a browser that is gone need not be told
	return nil
}

// wrongPage shows an error as a page.
func (c *Console) wrongPage(v *visit, err error) {
	var own *pageError
	status, text, id := http.StatusInternalServerError, "Something went wrong.", ""
	switch {
	case errors.As(err, &own):
		status, text = own.status, own.text
	case errors.Is(err, fault.Unauthenticated) && v.r.Method == http.MethodGet:
		v.w.Header().Set("Location", loginPath(v.r.URL.RequestURI()))
		v.w.WriteHeader(http.StatusSeeOther)
		return
	case errors.Is(err, fault.Unauthenticated):
		status, text = http.StatusUnauthorized, "The login is over. Please log in again; nothing was changed."
	case errors.Is(err, fault.Forbidden):
		status, text = http.StatusForbidden, "You have no right to this: "+reason(err)
	case errors.Is(err, fault.NotFound):
		status, text = http.StatusNotFound, "There is no such thing: "+reason(err)
	case errors.Is(err, fault.Conflict):
		status, text = http.StatusConflict, "Somebody else was faster, or it is not possible now: "+reason(err)
	case errors.Is(err, fault.Invalid), errors.Is(err, fault.Unsupported):
		status, text = http.StatusBadRequest, "This cannot be done: "+reason(err)
	case errors.Is(err, fault.Limit):
		status, text = http.StatusRequestEntityTooLarge, "This is too large, or too much at once: "+reason(err)
	case errors.Is(err, fault.Unavailable):
		status, text, id = http.StatusServiceUnavailable, "A service cannot answer now. Please try again in a moment.", c.report(err)
		v.w.Header().Set("Retry-After", "2")
	default:
		id = c.report(err)
	}
	data := struct{ Text, ID string }{text, id}
	if err := v.show(status, "error", "This did not work", data); err != nil {
		c.report(err)
		http.Error(v.w, "This did not work.", http.StatusInternalServerError)
	}
}

// reason is an error for people: what it says, without the names of kinds at its end.
func reason(err error) string {
	text := err.Error()
	for _, k := range []error{fault.Forbidden, fault.NotFound, fault.Conflict, fault.Invalid, fault.Unsupported, fault.Limit, fault.Unavailable} {
		text = strings.TrimSuffix(text, ": "+k.Error())
	}
	return clip(text, 600)
}

// clip shortens a text to n bytes at most, at the border of a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
