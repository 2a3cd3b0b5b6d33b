package notifyhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

// ask has the handler serve a request whose path is sent as it is.
func (g *rig) ask(method, path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	raw, query, _ := strings.Cut(path, "?")
	r.URL.RawQuery = query
	r.URL.Path, r.URL.RawPath = raw, raw
	if decoded, err := url.PathUnescape(raw); err == nil {
		r.URL.Path = decoded
	}
	r.Header = header.Clone()
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer acme/ann/operator/payloads")
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

// TestHostilePaths: no path has a second name, and none that is strange is served.
func TestHostilePaths(t *testing.T) {
	g := newRig(t)
	const base = "/api/v1/notify"
	for _, path := range []string{
		base + "/../notify/endpoints", base + "//endpoints", "//api/v1/notify/endpoints", base + "/./endpoints", base + "/endpoints/", base + "/endpoints/hook/", base + "/endpoints/%2e%2e", base + "/endpoints/%2E%2E/rules", base + "/endpoints/..",
		base + "/endpoints/hook%00", base + "/endpoints/hook;x=1", base + "/endpoints/hook%5c", base + "/endpoints\\hook", base + "/endpoints/%c0%af", base + "/endpoints/%2fhook", base + "/endpoints/hook%2ftest", base + "/ENDPOINTS/hook",
		base + "/endpoints/hook%0d%0aX:y", base + "/endpoints/hook%20", base + "/endpoints/%E2%80%AEhook", base + "/endpoints/" + strings.Repeat("a", 10_000), base + "/users//preferences", base + "/users/../preferences", base + "/users/%00/preferences",
		base + "/users/" + strings.Repeat("u", 300) + "/preferences", base + "/deliveries/d-dead/payload/..", base + "/deliveries/d-dead%2fpayload", base + "/incidents/..%2fdeliveries", base, base + "/", "/", "",
	} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			if w := g.ask(method, path, "", http.Header{"If-Match": {`"1"`}}); w.Code != http.StatusNotFound && (method != "DELETE" || w.Code != http.StatusMethodNotAllowed) {
				t.Errorf("%s %.80q: %d %.200s", method, path, w.Code, w.Body)
			}
		}
	}
}

// TestHostileMethods: a method is what the request line says.
func TestHostileMethods(t *testing.T) {
	g := newRig(t)
	for _, method := range []string{"TRACE", "CONNECT", "PATCH", "OPTIONS", "get", "PROPFIND", "X"} {
		if w := g.ask(method, "/api/v1/notify/endpoints/hook", "", http.Header{}); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		w := g.ask("POST", "/api/v1/notify/endpoints/hook/test", "{}", http.Header{name: {"DELETE"}, "Content-Type": {"application/json"}})
		if w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestHostileBodies: what is not exactly one object of the right members is refused, and
// changes nothing.
func TestHostileBodies(t *testing.T) {
	g := newRig(t)
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	bodies := map[string]string{
		"empty": "", "null byte": "\x00", "text": "hello", "array": "[]", "number": "1", "string": `"x"`, "half": `{"type":"webh`, "twice": `{"type":"webhook","type":"slack"}`, "twice by escape": `{"type":"webhook","t\u0079pe":"x"}`, "other case": `{"TYPE":"webhook"}`,
		"unknown": `{"type":"webhook","tenant_id":"other"}`, "trailing": `{"type":"webhook"}{}`, "comment": `{/**/"type":"webhook"}`, "NaN": `{"type":NaN}`, "large": `{"type":9223372036854775808}`, "surrogate": `{"type":"\ud800"}`, "not UTF-8": "{\"type\":\"\xff\"}",
		"BOM": "\ufeff{\"type\":\"webhook\"}", "deep": `{"options":` + strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000) + "}", "very deep": strings.Repeat("[", 50_000), "wide": `{"options":{` + many(20_000, func(i int) string { return fmt.Sprintf(`"k%d":"",`, i) }) + `"z":""}}`,
		"prototype": `{"type":"webhook","__proto__":{}}`, "many options": `{"type":"webhook","options":{` + many(33, func(i int) string { return fmt.Sprintf(`"k%d":"",`, i) }) + `"z":""}}`, "long": `{"type":"webhook","name":"` + strings.Repeat("x", 201) + `"}`,
		"role": `{"type":"webhook","secrets":{"a b":"env:X"}}`, "pace": `{"type":"webhook","pace":"-1s"}`, "id": `{"type":"webhook","id":"../x"}`, "type": `{"type":"web/hook"}`,
	}
	for name, body := range bodies {
		for condition, value := range map[string]string{"If-Match": `"1"`, "If-None-Match": "*"} {
			w := g.ask("PUT", "/api/v1/notify/endpoints/hook", body, http.Header{"Content-Type": {"application/json"}, condition: {value}})
			if w.Code < 400 || w.Code >= 500 || w.Header().Get("Content-Type") != httpjson.ProblemType || w.Body.Len() > 16<<10 {
				t.Errorf("%s: %d, %d bytes: %.300s", name, w.Code, w.Body.Len(), w.Body)
			}
		}
	}
	for _, header := range []http.Header{
		{}, {"Content-Type": {"text/json"}}, {"Content-Type": {"application/json", "application/json"}}, {"Content-Type": {"application/json; charset=utf-16"}}, {"Content-Type": {"multipart/form-data; boundary=x"}},
		{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, {"Content-Type": {"application/x-www-form-urlencoded"}}, {"Content-Type": {";"}},
	} {
		header.Set("If-Match", `"1"`)
		if w := g.ask("PUT", "/api/v1/notify/endpoints/hook", `{"type":"webhook"}`, header); w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%v: %d %s", header, w.Code, w.Body)
		}
	}
	for _, match := range []string{``, `*`, `1`, `"1`, `1"`, `"01"`, `"+1"`, `"-1"`, `"0"`, `"1", "2"`, `W/"1"`, `"1" `, `"9223372036854775807"`, `"9223372036854775808"`, `"1e0"`, `"١"`, `"2"`} {
		w := g.ask("PUT", "/api/v1/notify/endpoints/hook", `{"type":"webhook"}`, http.Header{"Content-Type": {"application/json"}, "If-Match": {match}})
		if want := map[bool]int{true: 412, false: 400}[match == `"2"`]; w.Code != want {
			t.Errorf("If-Match %s: %d, want %d", match, w.Code, want)
		}
	}
	if s, err := g.tenants["acme"].Setting(t.Context(), notify.SettingEndpoint, "hook"); err != nil || s.Number != 1 {
		t.Errorf("after all that: %+v, %v", s, err)
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestSecretsAreReferences: what may be a secret is not kept, and not repeated.
func TestSecretsAreReferences(t *testing.T) {
	g := newRig(t)
	for secret, want := range map[string]int{
		"env:NAME": 201, "vault:team/x#y": 201, "env:NEW env:OLD": 201, "https://hooks.slack.example/services/T/B/hunter2": 422, "whsec_hunter2": 422, "hunter2": 422, "": 422, " ": 422, ":hunter2": 422, "env:": 422, "env:A hunter2": 422, "Env:hunter2": 422, "a b:hunter2": 422,
	} {
		w := g.ask("PUT", "/api/v1/notify/endpoints/new", fmt.Sprintf(`{"type":"webhook","secrets":{"url":%q}}`, secret), http.Header{"Content-Type": {"application/json"}, "If-None-Match": {"*"}})
		if w.Code != want || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%q: %d %s", secret, w.Code, w.Body)
		}
		if want == 201 {
			g = newRig(t)
		}
	}
}

// TestHostileQueries: a query with more than it may have is refused before anything is
// looked up.
func TestHostileQueries(t *testing.T) {
	g := newRig(t)
	for name, query := range map[string]string{
		"many": strings.Repeat("status=dead&", 100_000), "many names": "limit=1" + strings.Repeat("&a=b&c=d", 10_000), "twice": "limit=1&limit=1", "semicolon": "limit=1;after=x", "encoded": "%6cimit=0", "broken": "limit=%", "huge": "limit=99999999999999999999",
		"float": "limit=1.0", "hex": "limit=0x1", "space": "limit= 1", "status": "status=DEAD", "zero byte": "rule=%00", "not UTF-8": "rule=%ff", "long": "rule=" + strings.Repeat("x", 10_000), "tenant": "tenant=other", "array": "status[]=dead",
	} {
		if w := g.ask("GET", "/api/v1/notify/deliveries?"+query, "", http.Header{}); w.Code != http.StatusBadRequest || w.Body.Len() > 8<<10 {
			t.Errorf("%s: %d, %d bytes: %.200s", name, w.Code, w.Body.Len(), w.Body)
		}
	}
	for name, body := range map[string]string{"many": "token=signed.acme.d-link" + strings.Repeat("&a=b", 100_000), "long": "token=" + strings.Repeat("x", 4000)} {
		w := g.ask("POST", "/api/v1/notify/ack", body, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		if w.Code != http.StatusRequestEntityTooLarge && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestItemsOfMany: however many images items have, a page is bounded, and pages together
// have all.
func TestItemsOfMany(t *testing.T) {
	g := newRig(t)
	d := delivery("d-many", notify.Delivered, "", "application/json", "{}")
	p := &notify.Plan{Deliveries: []notify.Delivery{d}}
	for i := range 30 {
		p.Items = append(p.Items, notify.Item{Key: fmt.Sprintf("m%02d", i), Group: d.Group, Window: d.Window, Event: fmt.Sprint("e", i), Notices: make([]notify.Notice, 500)})
	}
	w := &notify.Work{Revision: 1, Decide: func(*notify.State) (*notify.Plan, error) { return p, nil }}
	if err := g.tenants["acme"].Do(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for after := ""; ; {
		list, next, err := g.client("acme/bob").Items(t.Context(), "d-many", after)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, i := range list {
			n += len(i.Notices)
		}
		sizes = append(sizes, n)
		if after = next; next == "" {
			break
		}
	}
	if len(sizes) != 2 || sizes[0] != notifyhttp.MaxListed || sizes[1] != 5000 {
		t.Errorf("pages of %v images", sizes)
	}
}

// TestDeletedOften: what was deleted is set anew, until its number is too high.
func TestDeletedOften(t *testing.T) {
	g := newRig(t)
	rules := g.client("acme/ann/operator").Rules()
	r := &notify.Rule{To: []notify.Target{{Endpoint: "hook"}}}
	last := int64(0)
	for {
		k, err := rules.Set(t.Context(), "r", 0, r)
		if err != nil {
			break
		}
		if k.Number <= last {
			t.Fatalf("number %d after %d", k.Number, last)
		}
		if last = k.Number; rules.Delete(t.Context(), "r", last) != nil {
			t.Fatal("it is not deleted")
		}
	}
	if last < 99 {
		t.Errorf("the last number is %d", last)
	}
}
