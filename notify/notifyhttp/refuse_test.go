package notifyhttp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

// fillIn makes a route's path one of something that is there.
var fillIn = strings.NewReplacer("{endpoint_id}", "hook", "{rule_id}", "r", "{template_id}", "t", "{maintenance_id}", "m", "{inhibition_id}", "i", "{user}", "ann", "{delivery_id}", "d-dead", "{incident_id}", "d-dead")

// TestRights: what is for operators and readers of payloads is for nobody else.
func TestRights(t *testing.T) {
	g := newRig(t)
	for _, r := range notifyhttp.Restricted() {
		tokens := []string{"acme/bob", "acme/bob/payloads"}
		if strings.HasSuffix(r[1], "/payload") {
			tokens = []string{"acme/bob", "acme/bob/operator"}
		}
		for _, token := range tokens {
			if a := g.send(t, token, r[0], fillIn.Replace(r[1]), "{}"); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s by %s: %d %s", r[0], r[1], token, a.StatusCode, a.body)
			}
		}
	}
	for _, r := range notifyhttp.Routes() {
		if strings.HasSuffix(r[1], "/ack") {
			continue
		}
		if a := g.send(t, "", r[0], fillIn.Replace(r[1]), ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s by nobody: %d %s", r[0], r[1], a.StatusCode, a.body)
		}
	}
}

// TestTenants: to another tenant what is there looks as what is not.
func TestTenants(t *testing.T) {
	g := newRig(t)
	g.tenants["acme"].Set(t.Context(), &notify.Setting{Kind: notify.SettingRule, ID: "r", Number: 1, Body: []byte(`{"id":"r","to":[{"endpoint":"hook"}]}`)})
	for _, r := range notifyhttp.Routes() {
		if !strings.Contains(r[1], "{") || strings.Contains(r[1], "{user}") || r[0] == http.MethodPut {
			continue
		}
		path := fillIn.Replace(r[1])
		none := strings.NewReplacer("hook", "x-none", "d-dead", "x-none", "rules/r", "rules/x-none", "templates/t", "templates/x-none", "maintenance/m", "maintenance/x-none", "inhibitions/i", "inhibitions/x-none").Replace(path)
		id := path[len(commonPrefix(path, none)):]
		id, _, _ = strings.Cut(id, "/")
		var got []string
		for _, p := range []string{path, none} {
			a := g.send(t, "other/eve/operator/payloads", r[0], p, map[bool]string{true: "{}"}[r[0] == "POST"], `If-Match: "1"`)
			text := strings.NewReplacer("x-none", "ID", "/"+id+`"`, `/ID"`, "/"+id+"/", "/ID/", `\"`+id+`\"`, `\"ID\"`, "/"+id+`\"`, `/ID\"`).Replace(string(a.body))
			got = append(got, fmt.Sprintln(a.StatusCode, text))
		}
		if got[0] != got[1] || !strings.HasPrefix(got[0], "404") {
			t.Errorf("%s %s\n%s", r[0], r[1], cmp.Diff(got[1], got[0]))
		}
	}
	for path, want := range map[string]string{"endpoints": "settings", "deliveries": "deliveries", "endpoint-states": "endpoints", "users/ann/preferences": "settings"} {
		if a := g.send(t, "other/eve/operator", "GET", "/api/v1/notify/"+path, ""); string(a.body) != fmt.Sprintf("{%q:[]}\n", want) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	// A link is of its tenant, whoever follows it.
	if a := g.send(t, "other/eve", "POST", "/api/v1/notify/ack", "token=signed.other.d-link", form); a.StatusCode != http.StatusNotFound {
		t.Errorf("a link to what another tenant has: %d", a.StatusCode)
	}
}

func commonPrefix(a, b string) string {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return a[:i]
		}
	}
	return a
}

const form = "Content-Type: application/x-www-form-urlencoded"

// bodies are right ones, by a part of a route's path.
var bodies = map[string]string{
	"/endpoints/{": `{"type":"webhook"}`, "/rules/": `{"to":[{"endpoint":"hook"}]}`, "/templates/": `{"type":"webhook","parts":{"text":"a"}}`, "/maintenance/": `{"from":"2026-12-01T22:00:00Z","until":"2026-12-02T04:00:00Z"}`,
	"/inhibitions/": `{"source":{"causes":["kev"]},"target":{"causes":["new"]},"equal":["image"],"for":"1h"}`, "/preferences/": `{"to":[]}`, "/preview": `{"event_id":"e","rule":{"to":[{"endpoint":"hook"}]}}`,
}

// TestOutages: what is wrong inside is not the client's fault, and not told to it.
func TestOutages(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		told   bool
	}{
		"broken": {errors.New("disk /var/lib/stella is full"), 500, true},
		"wrong":  {fmt.Errorf("row of db.internal: %w", fault.Invalid), 500, true},
		"away":   {fmt.Errorf("it is away: %w", fault.Unavailable), 503, false},

		"later broken": {errors.New("disk /var/lib/stella is full"), 500, true},
		"later away":   {fmt.Errorf("it is away: %w", fault.Unavailable), 503, false},
	} {
		g := newRig(t)
		g.fails = c.err
		if strings.HasPrefix(name, "later") {
			g.fails, g.later = nil, c.err
		}
		n := 0
		for _, r := range notifyhttp.Routes() {
			path := fillIn.Replace(r[1])
			body, header := "{}", []string{`If-Match: "1"`}
			for kind, text := range bodies {
				if strings.Contains(r[1], kind) && r[0] == "PUT" || strings.HasSuffix(r[1], kind) {
					body = text
				}
			}
			if strings.HasSuffix(path, "/ack") {
				path, body, header = path+"?token=signed.acme.d-link", "", nil
				if r[0] == "POST" {
					path, body, header = r[1], "token=signed.acme.d-link", []string{form}
				}
			}
			n++
			a := g.send(t, "acme/ann/operator/payloads", r[0], path, body, header...)
			if a.StatusCode != c.status || strings.Contains(string(a.body), "stella is full") || strings.Contains(string(a.body), "db.internal") {
				t.Errorf("%s: %s %s: %d %s", name, r[0], r[1], a.StatusCode, a.body)
			}
			if c.status == 503 && a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %s %s: no Retry-After", name, r[0], r[1])
			}
		}
		if told := len(g.reports); c.told && told != n || !c.told && told > 0 {
			t.Errorf("%s: of %d answers the operator was told of %d", name, n, told)
		}
	}
}

// endless is a body of zeros.
type endless struct{ n, most int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n >= e.most {
		return 0, io.EOF
	}
	clear(p)
	e.n += int64(len(p))
	return len(p), nil
}

// TestEndless: of a body that is too long hardly more is read than may be, and none of
// them is an error of the service.
func TestEndless(t *testing.T) {
	g := newRig(t)
	for _, r := range notifyhttp.Routes() {
		if r[0] != "PUT" && r[0] != "POST" || strings.HasSuffix(r[1], "/replay") {
			continue
		}
		for _, start := range []string{"", `{"x":"`, `{"note":"`, "token=", "[" + strings.Repeat("[", 200)} {
			read := &endless{most: 1 << 30}
			q := httptest.NewRequest(r[0], fillIn.Replace(r[1]), io.MultiReader(strings.NewReader(start), read))
			q.ContentLength = -1
			q.Header.Set("Authorization", "Bearer acme/ann/operator")
			q.Header.Set("Content-Type", map[bool]string{true: "application/x-www-form-urlencoded", false: "application/json"}[strings.HasSuffix(r[1], "/ack")])
			q.Header.Set("If-None-Match", "*")
			w := httptest.NewRecorder()
			g.handler.ServeHTTP(w, q)
			if w.Code < 400 || w.Code >= 500 || read.n > notifyhttp.MaxBody+(256<<10) {
				t.Errorf("%s %s %q: %d after %d bytes", r[0], r[1], start, w.Code, read.n)
			}
		}
	}
}

var (
	styleOf  = regexp.MustCompile(`(?s)<style>(.*)</style>`)
	policyOf = regexp.MustCompile(`style-src 'sha256-([^']*)'`)
)

// TestAckPage: the page runs and loads nothing, its styles are those that its policy
// allows, and whatever the title holds is text.
func TestAckPage(t *testing.T) {
	for _, title := range []string{
		"plain", `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</h1></main><form action=https://evil.example><input name=token>`, "{{.Token}}", "a\u202eb\u2066c", "a\r\nSet-Cookie: x=1", "\x00\x1b[2J",
		strings.Repeat("é", 5000), "\xff\xfe", `javascript:alert(1)`, `<style>*{}</style>`, "<!--", "&lt;b&gt;", "<svg/onload=alert(1)>", "`${alert(1)}`",
	} {
		g := newRig(t)
		w := &notify.Work{Revision: 1, Decide: func(*notify.State) (*notify.Plan, error) {
			return &notify.Plan{Incidents: []notify.Incident{{ID: "d-1", Opened: start, Message: notify.Message{Title: title}}}}, nil
		}}
		if err := g.tenants["acme"].Do(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		const path = "/api/v1/notify/ack"
		for _, a := range []*answer{
			g.send(t, "", "GET", path+"?token=signed.acme.d-1", ""), g.send(t, "", "POST", path, "token=signed.acme.d-1&note="+strings.Repeat("n", 1000), form), g.send(t, "", "GET", path+"?token=signed.acme.d-1", ""),
		} {
			text := string(a.body)
			style, policy := styleOf.FindStringSubmatch(text), policyOf.FindStringSubmatch(a.Header.Get("Content-Security-Policy"))
			if a.StatusCode != 200 || style == nil || policy == nil {
				t.Fatalf("%q: %d %s", title, a.StatusCode, text)
			}
			if digest := sha256.Sum256([]byte(style[1])); policy[1] != base64.StdEncoding.EncodeToString(digest[:]) {
				t.Errorf("%q: the styles are not those of the policy", title)
			}
			text = strings.Replace(text, style[0], "", 1)
			if n := strings.Count(text, "<"); n > 40 || strings.Contains(text, "<script") || strings.Contains(text, "<img") || strings.Contains(text, "<svg") || strings.Count(text, "<form") > 1 || strings.Contains(text, "evil.example>") ||
				strings.ContainsAny(text, "\u202e\u2066\x00\x1b\r") || strings.Contains(text, "{{") && title != "{{.Token}}" || len(text) > 6000 {
				t.Errorf("%q: %s", title, text)
			}
			if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%q: %v", title, a.Header)
			}
		}
	}
}

// TestAckLooking: looking at a link changes nothing, however often; taking it does once.
func TestAckLooking(t *testing.T) {
	g := newRig(t)
	acknowledged := func() time.Time {
		i, err := g.tenants["acme"].Incident(t.Context(), "d-link")
		if err != nil {
			t.Fatal(err)
		}
		return i.Acknowledged
	}
	const path = "/api/v1/notify/ack?token=signed.acme.d-link"
	for _, method := range []string{"GET", "HEAD", "GET"} {
		if a := g.send(t, "", method, path, ""); a.StatusCode != 200 {
			t.Errorf("%s: %d", method, a.StatusCode)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "OPTIONS"} {
		if a := g.send(t, "", method, path, ""); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, a.StatusCode)
		}
	}
	// A token in the address alone takes nothing.
	if a := g.send(t, "", "POST", path, "note=x", form); a.StatusCode < 400 || !acknowledged().IsZero() {
		t.Errorf("%d, acknowledged %v", a.StatusCode, acknowledged())
	}
	for _, body := range []string{"token=signed.acme.d-link&token=signed.acme.d-dead", "token=signed.acme.d-link&note=a&note=b", "token=signed.acme.d-link&note=%ff", "token=%zz", "token=signed.acme.d-link;note=x"} {
		if a := g.send(t, "", "POST", "/api/v1/notify/ack", body, form); a.StatusCode < 400 || !acknowledged().IsZero() {
			t.Errorf("%q: %d, acknowledged %v", body, a.StatusCode, acknowledged())
		}
	}
	if a := g.send(t, "", "POST", "/api/v1/notify/ack", "token=signed.acme.d-link", form); a.StatusCode != 200 || acknowledged().IsZero() {
		t.Errorf("%d, acknowledged %v", a.StatusCode, acknowledged())
	}
}

// TestNothingWired: what is not wired is refused, and looks like nothing else.
func TestNothingWired(t *testing.T) {
	g := newRig(t)
	g.handler.Preview, g.handler.Test, g.handler.OpenAck = nil, nil, nil
	for path, want := range map[string]int{"preview": 422, "endpoints/hook/test": 422, "ack": 415} {
		body, header := `{"event_id":"e"}`, "X: y"
		if path == "ack" {
			body, header = "token=x", form
		} else if path != "preview" {
			body = "{}"
		}
		if a := g.send(t, "acme/ann/operator", "POST", "/api/v1/notify/"+path, body, header); a.StatusCode != want {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
}

// TestLinks opens links with the key that signs them.
func TestLinks(t *testing.T) {
	g := newRig(t)
	key, err := notify.NewAckKey([]byte(strings.Repeat("k", notify.MinSecret)))
	if err != nil {
		t.Fatal(err)
	}
	g.handler.OpenAck = key.Open
	good := key.Sign("acme", "d-link", start)
	if a := g.send(t, "", "GET", "/api/v1/notify/ack?token="+good, ""); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	late := key.Sign("acme", "d-link", start.Add(-time.Second))
	for i := -1; i < len(good); i++ {
		token := late
		if i >= 0 {
			b := []byte(good)
			if b[i]++; b[i] == ':' || b[i] == '[' || b[i] == '{' || b[i] == '.' || b[i] == '/' {
				b[i] = 'A'
			}
			token = string(b)
		}
		if a := g.send(t, "", "POST", "/api/v1/notify/ack", "token="+token, form); a.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %d", token, a.StatusCode)
		}
	}
	if i, err := g.tenants["acme"].Incident(t.Context(), "d-link"); err != nil || !i.Acknowledged.IsZero() {
		t.Errorf("%+v, %v", i, err)
	}
}
