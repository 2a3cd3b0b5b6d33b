package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/internal/app"
)

// TestDoor tries to get in, and to have somebody who is in do what they do not mean to.
func TestDoor(t *testing.T) {
	s := newSite(t, "")
	t.Run("nobody", func(t *testing.T) {
		p := s.browser()
		for _, path := range []string{"/console/", "/console/scans", "/console/scans/x", "/console/none", "/console/scans/x/events"} {
			_, _, at := p.get(path)
			if at.Path != "/authorize" {
				t.Errorf("%s led to %s", path, at)
			}
		}
		status, text, _ := p.post("/console/scans", url.Values{"image": {"x"}})
		if status != http.StatusUnauthorized || !strings.Contains(text, "nothing was changed") {
			t.Errorf("a form of nobody: %d\n%s", status, text)
		}
		for _, path := range []string{"/console/callback", "/console/callback?code=x&state=y"} {
			if status, text, _ := p.get(path); status != http.StatusBadRequest || !strings.Contains(text, "begin again") {
				t.Errorf("%s: %d\n%s", path, status, text)
			}
		}
	})
	p := s.admin()
	t.Run("other sites", func(t *testing.T) {
		for name, header := range map[string]map[string]string{
			"cross-site":   {"Sec-Fetch-Site": "cross-site"},
			"same-site":    {"Sec-Fetch-Site": "same-site"},
			"other origin": {"Origin": "https://evil.example"},
			"null origin":  {"Origin": "null"},
		} {
			for _, path := range []string{"/console/scans", "/console/logout", "/console/tenant"} {
				r, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader("image=evil%2Fimage&tenant=x"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				for k, v := range header {
					r.Header.Set(k, v)
				}
				if status, text, _ := p.do(r); status != http.StatusForbidden || !strings.Contains(text, "Nothing was done") {
					t.Errorf("%s to %s: %d\n%s", name, path, status, text)
				}
			}
		}
		p.has("/console/scans", "There are none.")
	})
	t.Run("headers", func(t *testing.T) {
		for _, path := range []string{"/console/", "/console/scans", "/console/none"} {
			resp, err := p.http.Get(s.url + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			policy := resp.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("%s: the policy %q has no %q", path, policy, want)
				}
			}
			if strings.Contains(policy, "unsafe") {
				t.Errorf("%s: the policy is %q", path, policy)
			}
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", path, name, got, want)
				}
			}
		}
	})
	t.Run("next", func(t *testing.T) {
		for _, next := range []string{"https://evil.example/", "//evil.example/", "/console//evil.example", "/console/\\evil.example", "javascript:alert(1)", "/token"} {
			q := s.browser()
			_, text, at := q.get("/console/login?next=" + url.QueryEscape(next))
			found := hidden.FindStringSubmatch(text)
			if found == nil {
				t.Fatalf("no login page at %s:\n%s", at, text)
			}
			_, _, at = q.post("/authorize", url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"default"}, "login": {"admin"}, "password": {s.password}})
			if at.Path != "/console/" || "http://"+at.Host != s.url {
				t.Errorf("next=%q led to %s", next, at)
			}
		}
	})
	t.Run("fixed session", func(t *testing.T) {
		q := s.browser()
		u, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		q.http.Jar.SetCookies(u, []*http.Cookie{{Name: "stella-console", Value: "KNOWNTOSOMEBODYELSE", Path: "/"}})
		_, text, _ := q.get("/console/")
		found := hidden.FindStringSubmatch(text)
		if found == nil {
			t.Fatal(text)
		}
		q.post("/authorize", url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"default"}, "login": {"admin"}, "password": {s.password}})
		for _, c := range q.http.Jar.Cookies(u) {
			if c.Name == "stella-console" && c.Value == "KNOWNTOSOMEBODYELSE" {
				t.Error("a session has the id that it was given from outside")
			}
		}
	})
	t.Run("another browser's callback", func(t *testing.T) {
		// Who is sent somebody else's answer is not logged in as them.
		q, victim := s.browser(), s.browser()
		q.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/console/callback" {
				return http.ErrUseLastResponse
			}
			return nil
		}
		_, text, _ := q.get("/console/")
		found := hidden.FindStringSubmatch(text)
		r, err := http.NewRequest(http.MethodPost, s.url+"/authorize", strings.NewReader(url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"default"}, "login": {"admin"}, "password": {s.password}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", s.url)
		resp, err := q.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		answer := resp.Header.Get("Location")
		if !strings.Contains(answer, "/console/callback?") {
			t.Fatalf("the answer is %q", answer)
		}
		if status, _, _ := victim.get(strings.TrimPrefix(answer, s.url)); status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
	})
	t.Run("logout", func(t *testing.T) {
		u, _ := url.Parse(s.url)
		before := p.http.Jar.Cookies(u)
		if _, text, _ := p.post("/console/logout", nil); !strings.Contains(text, "You are logged out") {
			t.Error(text)
		}
		p.http.Jar.SetCookies(u, before)
		if _, _, at := p.get("/console/"); at.Path != "/authorize" {
			t.Errorf("after the logout the old cookie led to %s", at)
		}
	})
}

// TestTenants: somebody who belongs to two organisations sees one at a time, and no other
// browser sees either.
func TestTenants(t *testing.T) {
	s := newSite(t, "")
	c := s.config
	if _, err := app.Bootstrap(t.Context(), &c, issuer.Bootstrap{Tenant: "other", Login: "bob", Password: "correct horse battery staple"}); err != nil {
		t.Fatal(err)
	}
	p := s.admin()
	if _, text, _ := p.post("/console/scans", url.Values{"image": {"registry.example/first:1"}}); !strings.Contains(text, "registry.example/first:1") {
		t.Fatal(text)
	}
	_, text, _ := p.get("/console/login")
	found := hidden.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no page to log in at another organisation:\n%s", text)
	}
	if _, text, at := p.post("/authorize", url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"other"}, "login": {"bob"}, "password": {"correct horse battery staple"}}); at.Path != "/console/" || !strings.Contains(text, `<option selected>other</option>`) || !strings.Contains(text, `<option>default</option>`) {
		t.Fatalf("a second login led to %s:\n%s", at, text)
	}
	if text := p.has("/console/scans", "There are none."); strings.Contains(text, "first:1") {
		t.Error("another organisation's scan is shown")
	}
	if _, _, at := p.post("/console/tenant", url.Values{"tenant": {"default"}}); at.Path != "/console/" {
		t.Errorf("a switch led to %s", at)
	}
	p.has("/console/scans", "registry.example/first:1", `<option selected>default</option>`)
	if status, _, _ := p.post("/console/tenant", url.Values{"tenant": {"nobody"}}); status != http.StatusBadRequest {
		t.Errorf("a switch to an organisation that nobody is logged in to: %d", status)
	}
	q := s.login("other", "bob", "correct horse battery staple")
	if status, _, _ := q.post("/console/tenant", url.Values{"tenant": {"default"}}); status != http.StatusBadRequest {
		t.Errorf("a switch to another person's organisation: %d", status)
	}
}
