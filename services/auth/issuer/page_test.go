package issuer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/issuer"
)

// TestAuthorizeRefused: while client and redirect URI are not known to belong together,
// nobody is sent anywhere; afterwards errors go to the client, with state and iss.
func TestAuthorizeRefused(t *testing.T) {
	g := newRig(t)
	_, digest := challenge()
	good := func(pairs ...string) url.Values {
		return asking(issuer.Console, "https://console.example/callback", digest, pairs...)
	}
	for name, q := range map[string]url.Values{
		"no client":          good("client_id", ""),
		"unknown client":     good("client_id", "nobody"),
		"client without it":  good("client_id", "ci"),
		"no redirect":        good("redirect_uri", ""),
		"other redirect":     good("redirect_uri", "https://evil.example/callback"),
		"prefix":             good("redirect_uri", "https://console.example/callback/x"),
		"query":              good("redirect_uri", "https://console.example/callback?x=1"),
		"fragment":           good("redirect_uri", "https://console.example/callback#x"),
		"case":               good("redirect_uri", "https://console.example/Callback"),
		"port":               good("redirect_uri", "https://console.example:443/callback"),
		"user":               good("redirect_uri", "https://console.example@evil.example/callback"),
		"dots":               good("redirect_uri", "https://console.example/x/../callback"),
		"scheme":             good("redirect_uri", "http://console.example/callback"),
		"javascript":         good("redirect_uri", "javascript:alert(1)"),
		"loopback of others": good("redirect_uri", "http://127.0.0.1:1/callback"),
		"unknown request":    form("client_id", issuer.Console, "request_uri", "urn:ietf:params:oauth:request_uri:x"),
		"foreign request":    form("client_id", issuer.Console, "request_uri", "https://evil.example/request"),
		"request and more":   form("client_id", issuer.Console, "request_uri", "urn:ietf:params:oauth:request_uri:x", "scope", "x"),
	} {
		w := g.open("/authorize", q)
		if w.Code != 400 || w.Header().Get("Location") != "" || pageOf(w) != "" {
			t.Errorf("%s: %d to %q", name, w.Code, w.Header().Get("Location"))
		}
	}
	for name, test := range map[string]struct {
		q    url.Values
		code string
	}{
		"no response type":  {good("response_type", ""), "invalid_request"},
		"token":             {good("response_type", "token"), "unsupported_response_type"},
		"hybrid":            {good("response_type", "code id_token"), "unsupported_response_type"},
		"fragment mode":     {good("response_mode", "fragment"), "invalid_request"},
		"form mode":         {good("response_mode", "form_post"), "invalid_request"},
		"no PKCE":           {good("code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"plain PKCE":        {good("code_challenge_method", "plain"), "invalid_request"},
		"PKCE without way":  {good("code_challenge_method", ""), "invalid_request"},
		"PKCE way alone":    {good("code_challenge", ""), "invalid_request"},
		"short PKCE":        {good("code_challenge", "abc"), "invalid_request"},
		"padded PKCE":       {good("code_challenge", digest+"="), "invalid_request"},
		"request object":    {good("request", "a.b.c"), "request_not_supported"},
		"unknown scope":     {good("scope", "x"), "invalid_scope"},
		"scope of services": {good("scope", auth.ScannerWork), "invalid_scope"},
		"odd jkt":           {good("dpop_jkt", "x"), "invalid_request"},
		"silent":            {good("prompt", "none"), "login_required"},
		"resource":          {good("resource", "https://evil.example"), "invalid_target"},
	} {
		w := g.open("/authorize", test.q)
		u := must(url.Parse(w.Header().Get("Location")))
		q := u.Query()
		if w.Code != http.StatusSeeOther || u.Host != "console.example" || q.Get("error") != test.code || q.Get("state") != "state-1" || q.Get("iss") != issuerURL || q.Get("code") != "" {
			t.Errorf("%s: %d to %s, want %s", name, w.Code, u, test.code)
		}
	}
	twice := httptest.NewRequest("GET", path+"/authorize?"+good().Encode()+"&scope=x", nil)
	if w := g.browse(twice); w.Code != 400 {
		t.Errorf("a parameter twice: %d", w.Code)
	}
	// The query of a registered address stays.
	w := g.open("/authorize", good("redirect_uri", "https://console.example/second?x=1", "prompt", "none"))
	if l := w.Header().Get("Location"); !strings.HasPrefix(l, "https://console.example/second?x=1&") {
		t.Errorf("Location %q", l)
	}
	// PAR refuses the same, as JSON (row 33).
	otherJKT := digest
	for name, test := range map[string]struct {
		q    url.Values
		code string
	}{
		"plain": {good("code_challenge_method", "plain"), "invalid_request"}, "redirect": {good("redirect_uri", "https://evil.example/"), "invalid_request"},
		"request_uri": {good("request_uri", "urn:x"), "invalid_request"}, "jkt": {good("dpop_jkt", otherJKT), "invalid_dpop_proof"}, "scope": {good("scope", "x"), "invalid_scope"},
		"object": {good("request", "x"), "request_not_supported"}, "client": {good("client_id", "web"), "invalid_client"},
	} {
		status := 400
		if test.code == "invalid_client" {
			status = 401
		}
		want(t, "PAR "+name, g.proven("/par", test.q), status, test.code)
	}
}

// TestPages: a page is of one browser, one site, one time.
func TestPages(t *testing.T) {
	g := newRig(t)
	_, digest := challenge()
	q := asking(issuer.Console, "https://console.example/callback", digest)
	w := g.open("/authorize", q)
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "form-action 'self' https://console.example;", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"} {
		if !strings.Contains(policy, part) {
			t.Errorf("policy %q lacks %s", policy, part)
		}
	}
	c := w.Result().Cookies()
	if len(c) != 1 || !c[0].HttpOnly || !c[0].Secure || c[0].SameSite != http.SameSiteLaxMode || c[0].Name != "__Host-stella-page" || c[0].Path != "/" {
		t.Errorf("cookies %+v", c)
	}
	body := w.Body.String()
	if strings.Contains(body, "<script") || strings.Contains(body, " on") && strings.Contains(body, "onclick") || !strings.Contains(body, `<html lang="en">`) || strings.Count(body, "<label") != 3 {
		t.Errorf("page: %s", body)
	}
	login := func() url.Values {
		return form("page", pageOf(w), "action", "login", "tenant", "acme", "login", "ann", "password", password)
	}
	refused := func(name string, w *httptest.ResponseRecorder) {
		t.Helper()
		if w.Code != 400 || w.Header().Get("Location") != "" || pageOf(w) != "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Location"))
		}
	}
	send := func(f url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path+"/authorize", strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: c[0].Name, Value: c[0].Value})
		change(r)
		return g.do(r)
	}
	refused("another site", send(login(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }))
	refused("a sibling site", send(login(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }))
	refused("another origin", send(login(), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }))
	refused("no cookie", send(login(), func(r *http.Request) { r.Header.Del("Cookie") }))
	refused("another browser", send(login(), func(r *http.Request) {
		r.Header.Del("Cookie")
		r.AddCookie(&http.Cookie{Name: c[0].Name, Value: strings.Repeat("A", 26)})
	}))
	refused("two cookies", send(login(), func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c[0].Name, Value: c[0].Value}) }))
	f := login()
	f.Set("page", f.Get("page")[:40])
	refused("cut", g.submit("/authorize", f))
	f = login()
	b := []byte(f.Get("page"))
	b[30] ^= 1
	f.Set("page", string(b))
	refused("altered", g.submit("/authorize", f))
	f = login()
	f.Set("action", "allow")
	refused("allowed by nobody", g.submit("/authorize", f))
	f.Set("action", "")
	refused("no action", g.submit("/authorize", f))
	refused("as a device's", g.submit("/device", login()))
	ok := send(login(), func(r *http.Request) { r.Header.Set("Origin", "https://auth.example") })
	if pageOf(ok) == "" {
		t.Fatalf("own origin: %d %s", ok.Code, ok.Body)
	}
	f = form("page", pageOf(ok), "action", "login", "tenant", "acme", "login", "ann", "password", password)
	refused("login twice", g.submit("/authorize", f))
	f.Set("action", "allow")
	if w := g.submit("/authorize", f); w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "code=") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	refused("allowed twice", g.submit("/authorize", f))
	w = g.open("/authorize", q)
	f = login()
	g.clock.Add(11 * time.Minute)
	refused("late", g.submit("/authorize", f))
	// Denial goes back, too.
	w = g.open("/authorize", q)
	w = g.submit("/authorize", login())
	w = g.submit("/authorize", form("page", pageOf(w), "action", "deny"))
	if l := must(url.Parse(w.Header().Get("Location"))).Query(); l.Get("error") != "access_denied" || l.Get("state") != "state-1" || l.Get("iss") != issuerURL {
		t.Errorf("denied: %v", l)
	}
}

// TestEscaping: what strangers wrote stays text.
func TestEscaping(t *testing.T) {
	g := newRig(t)
	c := must(g.store.Client(context.Background(), issuer.Console))
	c.Name = `<script>alert(1)</script>"` + "\u202e"
	if err := g.store.PutClient(context.Background(), c, "test"); err != nil {
		t.Fatal(err)
	}
	_, digest := challenge()
	w := g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest, "tenant", `"><script>`))
	again := g.submit("/authorize", form("page", pageOf(w), "action", "login", "tenant", `"><script>`, "login", `"><img src=x>`, "password", "canary-typed-password"))
	for _, w := range []*httptest.ResponseRecorder{w, again} {
		if body := w.Body.String(); strings.Contains(body, "<script>") || strings.Contains(body, "<img") || strings.Contains(body, "\u202e") || strings.Contains(body, "canary-typed") {
			t.Errorf("%s", body)
		}
	}
}

// TestLockout: who guesses gets a few tries, then waits longer and longer; nobody learns
// what was wrong, or whether there is such an account.
func TestLockout(t *testing.T) {
	g := newRig(t)
	_, digest := challenge()
	try := func(login, password string) *httptest.ResponseRecorder {
		w := g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest))
		return g.submit("/authorize", form("page", pageOf(w), "action", "login", "tenant", "acme", "login", login, "password", password))
	}
	in := func(w *httptest.ResponseRecorder) bool { return strings.Contains(w.Body.String(), "Allow access?") }
	texts := map[string]bool{}
	said := func(w *httptest.ResponseRecorder) {
		_, text, _ := strings.Cut(w.Body.String(), `role="alert">`)
		text, _, _ = strings.Cut(text, "<")
		texts[text] = true
		if w.Code != 403 {
			t.Errorf("%d", w.Code)
		}
	}
	for range 4 {
		said(try("ann", "wrong-password-x"))
	}
	if !in(try("ann", password)) {
		t.Fatal("the right password after four wrong ones is refused")
	}
	for range 5 {
		said(try("ann", "wrong-password-x"))
	}
	w := try("ann", password)
	said(w)
	if in(w) {
		t.Error("a locked account lets in")
	}
	said(try("nobody", password))
	g.clock.Add(31 * time.Second)
	if !in(try("ann", password)) {
		t.Error("the account stays locked")
	}
	// The waits double.
	var waits []time.Duration
	for range 8 {
		for !must(g.store.User(context.Background(), "acme", g.ann.ID)).Locked.After(g.clock.Now()) {
			try("ann", "wrong-password-x")
		}
		wait := must(g.store.User(context.Background(), "acme", g.ann.ID)).Locked.Sub(g.clock.Now())
		waits = append(waits, wait)
		g.clock.Add(wait)
	}
	if waits[0] != 30*time.Second || waits[1] != time.Minute || waits[7] != 15*time.Minute {
		t.Errorf("waits %v", waits)
	}
	if len(texts) != 1 {
		t.Errorf("refusals can be told apart: %v", texts)
	}
}

// TestGuessingAtOnce: many guesses at one time are no more guesses.
func TestGuessingAtOnce(t *testing.T) {
	g := newRig(t)
	_, digest := challenge()
	var pages []*httptest.ResponseRecorder
	for range 24 {
		pages = append(pages, g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest)))
	}
	var wg sync.WaitGroup
	for i, w := range pages {
		wg.Go(func() {
			f := form("page", pageOf(w), "action", "login", "tenant", "acme", "login", "ann", "password", "wrong-password-x")
			if i%8 == 7 {
				f.Set("login", "nobody")
			}
			r := httptest.NewRequest("POST", path+"/authorize", strings.NewReader(f.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range g.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			g.do(r)
		})
	}
	wg.Wait()
	checked := 0
	for _, e := range must(g.store.Journal(context.Background(), "acme", 0, 1000)) {
		if e.Action == "login.failed" {
			checked++
		}
	}
	if checked < 1 || checked > 11 {
		t.Errorf("%d guesses were checked", checked)
	}
	if u := must(g.store.User(context.Background(), "acme", g.ann.ID)); !u.Locked.After(g.clock.Now()) {
		t.Errorf("the account is not locked: %+v", u.Failures)
	}
}

// TestDeviceRefused: codes are not told to who has not logged in, and wrong ones count.
func TestDeviceRefused(t *testing.T) {
	g := newRig(t)
	device := members(g.post("/device_authorization", form("client_id", issuer.CLI)))
	login := func(code, password string) *httptest.ResponseRecorder {
		w := g.open("/device", nil)
		return g.submit("/device", form("page", pageOf(w), "action", "login", "user_code", code, "tenant", "acme", "login", "ann", "password", password))
	}
	if w := login(text(device, "user_code"), "wrong-password-x"); w.Code != 403 || strings.Contains(w.Body.String(), "Stella command line") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, code := range []string{"", "BBBB-BBBB", "x", "AAAA-AAAA", strings.Repeat("B", 100)} {
		if w := login(code, password); w.Code != 403 || strings.Contains(w.Body.String(), "Allow access?") {
			t.Errorf("code %q: %d", code, w.Code)
		}
	}
	if u := must(g.store.User(context.Background(), "acme", g.ann.ID)); !u.Locked.After(g.clock.Now()) {
		t.Error("whoever guesses codes is not locked")
	}
	g.clock.Add(time.Minute)
	w := login(text(device, "user_code"), password)
	f := form("page", pageOf(w), "action", "allow")
	if w := g.submit("/device", f); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := g.submit("/device", f); w.Code != 400 {
		t.Errorf("decided twice: %d", w.Code)
	}
	want(t, "no right", g.post("/device_authorization", form("client_id", issuer.Console)), 400, "unauthorized_client")
	want(t, "scope", g.post("/device_authorization", form("client_id", issuer.CLI, "scope", "x")), 400, "invalid_scope")
	want(t, "confidential", g.post("/device_authorization", form("client_id", "ci")), 401, "invalid_client")
	poll := form("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", issuer.CLI)
	want(t, "no code", g.proven("/token", poll), 400, "invalid_request")
	poll.Set("device_code", "x")
	want(t, "unknown code", g.proven("/token", poll), 400, "expired_token")
	poll.Set("client_id", issuer.Console)
	want(t, "other client", g.proven("/token", poll), 400, "unauthorized_client")
}

// TestDisabled: what is disabled ends at once, wherever it stands.
func TestDisabled(t *testing.T) {
	ctx := context.Background()
	for name, disable := range map[string]func(g *rig){
		"user": func(g *rig) {
			w := g.api("PUT", "/api/v1/authority/users/"+g.ann.ID, admin, `{"login":"ann","scopes":["scanner:read"],"disabled":true}`, "If-Match", `"1"`)
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		},
		"tenant": func(g *rig) {
			if w := g.api("PUT", "/api/v1/authority/tenants/acme", operator, `{"name":"Acme","disabled":true}`, "If-Match", `"1"`); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		},
		"client": func(g *rig) {
			c := must(g.store.Client(ctx, issuer.Console))
			c.Disabled = true
			if err := g.store.PutClient(ctx, c, "test"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		g := newRig(t)
		code, verifier := g.code()
		m := g.granted(g.proven("/token", redeem(code, verifier)))
		late, lateVerifier := g.code()
		g.clock.Add(time.Second)
		disable(g)
		if _, err := g.server.Introspect(ctx, text(m, "access_token")); err == nil {
			t.Errorf("%s: the access token is good", name)
		}
		for what, f := range map[string]url.Values{"refresh": form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token")), "code": redeem(late, lateVerifier)} {
			if w := g.proven("/token", f); w.Code == 200 {
				t.Errorf("%s: %s gives a token", name, what)
			}
		}
		_, digest := challenge()
		w := g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest))
		if page := pageOf(w); page != "" {
			w = g.submit("/authorize", form("page", page, "action", "login", "tenant", "acme", "login", "ann", "password", password))
		}
		if strings.Contains(w.Body.String(), "Allow access?") {
			t.Errorf("%s: the page lets in", name)
		}
	}
}
