package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/services/auth"
)

// maxForm bounds what a form sends, in bytes; maxUpload what is dropped on a page.
const (
	maxForm   = 1 << 20
	maxUpload = 64 << 20
)

// route is one page, or one thing that a form does.
type route struct {
	pattern string // of [http.ServeMux], below Root: "GET scans/{scan}"
	// large takes uploads.
	large bool
	serve func(*visit) error
}

// tables are all routes for people who are logged in, by who answers them.
func tables() [][]route {
	return [][]route{overviewRoutes, scanRoutes, findingRoutes,
		notifyRoutes, deliveryRoutes, timelineRoutes, scheduleRoutes, proofRoutes, exportRoutes, settingsRoutes,
		advisoryRoutes, vexRoutes, policyRoutes, exceptionRoutes}
}

// routes makes the mux of all.
func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, t := range tables() {
		for _, r := range t {
			method, path, _ := strings.Cut(r.pattern, " ")
			mux.Handle(method+" "+Root+path, c.door(r))
		}
	}
	open := func(pattern string, serve func(*visit) error) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+Root+path, c.page(maxForm, serve))
	}
	open("GET login", c.begin)
	open("GET callback", c.back)
	open("POST logout", c.logout)
	mux.Handle("POST "+Root+"tenant", c.door(route{serve: c.turn}))
	mux.Handle("GET "+Root+"static/{file}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { assets().serve(w, r) }))
	mux.Handle("GET /{$}", http.RedirectHandler(Root, http.StatusSeeOther))
	mux.Handle("GET "+strings.TrimSuffix(Root, "/"), http.RedirectHandler(Root, http.StatusSeeOther))
	mux.Handle(Root, c.door(route{serve: func(*visit) error {
		return &pageError{http.StatusNotFound, "There is no such page."}
	}}))
	return mux
}

// door lets in who is logged in; others are sent to log in first.
func (c *Console) door(r route) http.Handler {
	limit := int64(maxForm)
	if r.large {
		limit = maxUpload
	}
	return c.page(limit, func(v *visit) error {
		if v.login == nil {
			if v.r.Method != http.MethodGet {
				return &pageError{http.StatusUnauthorized, "The login is over. Please log in again; nothing was changed."}
			}
			v.redirect(loginPath(v.r.URL.RequestURI()))
			return nil
		}
		return r.serve(v)
	})
}

func loginPath(next string) string { return Root + "login?next=" + url.QueryEscape(next) }

// page makes a handler of what answers a visit. Requests that change something come from
// pages of this origin alone (Fetch Metadata, or else Origin).
func (c *Console) page(limit int64, serve func(*visit) error) http.Handler {
	own := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{c: c, w: w, r: r}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		if s := c.sessions.get(c.cookie(r, "console"), c.Now()); s != nil {
			v.session, v.login = s, s.login()
		}
		r.Host = c.host // the name that browsers know, whatever a gateway calls this process
		if err := own.Check(r); err != nil {
			c.wrongPage(v, &pageError{http.StatusForbidden, "This request came from another site. Nothing was done."})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			if err := r.ParseForm(); err != nil {
				c.wrongPage(v, &pageError{http.StatusRequestEntityTooLarge, "What was sent is too long, or broken."})
				return
			}
		}
		if err := serve(v); err != nil {
			c.wrongPage(v, err)
		}
	})
}

// nav is the navigation: sections that the person may see.
func (v *visit) nav() []navItem {
	all := []struct {
		name, path string
		scope      string
	}{
		{"Overview", "", auth.ScannerRead},
		{"Images", "images", auth.ScannerRead},
		{"Scans", "scans", auth.ScannerRead},
		{"Advisories", "advisories", auth.AdvisoryRead},
		{"VEX", "vex", auth.VEXRead},
		{"Policies", "policies", auth.PolicyRead},
		{"Exceptions", "exceptions", auth.PolicyRead},
		{"Notifications", "notifications", auth.NotifyViewer},
		{"Schedules", "schedules", auth.SchedulerRead},
		{"Timeline", "timeline", auth.TimelineRead},
		{"Proofs", "proofs", auth.AttestRead},
		{"Settings", "settings", ""},
	}
	rest := strings.TrimPrefix(v.r.URL.Path, Root)
	section, _, _ := strings.Cut(rest, "/")
	var out []navItem
	for _, n := range all {
		if n.scope == "" || v.Can(n.scope) {
			out = append(out, navItem{n.name, Root + n.path, section == n.path})
		}
	}
	return out
}

// notes are what a page says after a form did something; the query has the name.
var notes = map[string]string{
	"submitted": "The scan was submitted.",
	"cancelled": "The scan was cancelled.",

	"approved": "The run was approved. It counts with the next head.", "syncing": "The source is read soon.",
	"trusted": "The trust was put in force. Decisions follow with the next head.",
	"kept":    "The version was kept. It decides nothing until it is put in force.", "kept-before": "This version was kept before: it is the same.",
	"activated": "The version was put in force. What was scanned is decided anew.", "deactivated": "Nothing decides there any more.",
	"excepted": "The exception was made. What it is about is decided anew.", "revoked": "The exception was revoked. What it was about is decided anew.",

	"set": "It is kept.", "deleted": "It is deleted.", "begun": "The run has begun.", "ended": "The key is at its end.",
	"tested": "A test message is on its way.", "replayed": "It is sent again.", "acknowledged": "You took note of it.",
	"asked": "The export was asked for. Load the page again to see how far it is.",
}
