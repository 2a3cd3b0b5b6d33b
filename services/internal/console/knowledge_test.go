package console_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
)

// hostile are texts that a page must show as nothing but text.
var hostile = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "left\u202eright", "bell\u0007"}

// tame fails where a page has a hostile text as anything but text.
func (p *person) tame(path string) string {
	p.Helper()
	text := p.has(path)
	for _, bad := range []string{"<script>alert", "<img src=x", "\u202e", "\u0007", "<b>bold"} {
		if strings.Contains(text, bad) {
			p.Errorf("GET %s has %q as it is:\n%s", path, bad, text)
		}
	}
	return text
}

// lacks wants texts not to be in a page.
func (p *person) lacks(path string, bad ...string) {
	p.Helper()
	text := p.has(path)
	for _, b := range bad {
		if strings.Contains(text, b) {
			p.Errorf("GET %s has %q:\n%s", path, b, text)
		}
	}
}

// refused sends a form that must be refused, and wants texts in the answer.
func (p *person) refused(path string, form url.Values, status int, want ...string) string {
	p.Helper()
	got, text, _ := p.post(path, form)
	if got != status {
		p.Errorf("POST %s: %d, want %d:\n%s", path, got, status, text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.Errorf("POST %s has no %q:\n%s", path, w, text)
		}
	}
	return text
}

var nextPage = regexp.MustCompile(`href="([^"]+)" rel="next"`)

// pages follows a list from page to page, and wants a number of different entries in it, more
// than one page has.
func (p *person) pages(path string, entry *regexp.Regexp, want int) {
	p.Helper()
	seen := map[string]bool{}
	pages := 0
	for from := path; from != "" && pages < 20; pages++ {
		text := p.has(from)
		for _, m := range entry.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
		}
		from = ""
		if next := nextPage.FindStringSubmatch(text); next != nil {
			from = html.UnescapeString(next[1])
		}
	}
	if len(seen) != want || pages < 2 {
		p.Errorf("%s has %d entries on %d pages, want %d on more than one", path, len(seen), pages, want)
	}
}

// took sends a form that must do something, and wants a sentence that says so.
func (p *person) took(path string, form url.Values, want string) *url.URL {
	p.Helper()
	status, text, at := p.post(path, form)
	if status != http.StatusOK || !strings.Contains(text, want) {
		p.Fatalf("POST %s: %d at %s, want %q:\n%s", path, status, at, want, text)
	}
	return at
}

// upload sends a form with a file.
func (p *person) upload(path, field, name string, content []byte, more map[string]string) (int, string) {
	p.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range more {
		if err := w.WriteField(k, v); err != nil {
			p.Fatal(err)
		}
	}
	f, err := w.CreateFormFile(field, name)
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, p.url+path, &b)
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Origin", p.url)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	status, text, _ := p.do(r)
	return status, text
}

// caller is the administrator's way to the API, as a client with the person's own token.
func (s *site) caller() http.RoundTripper {
	s.Helper()
	ctx := context.Background()
	server, err := client.Metadata(ctx, s.url, nil)
	if err != nil {
		s.Fatal(err)
	}
	key, err := dpop.Generate("")
	if err != nil {
		s.Fatal(err)
	}
	k := &client.Client{Server: server, ID: issuer.Console, Key: key}
	code, err := k.Code(ctx, s.url+"/console/callback")
	if err != nil {
		s.Fatal(err)
	}
	p := s.browser()
	p.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/console/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := p.http.Get(code.URL)
	if err != nil {
		s.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	found := hidden.FindStringSubmatch(string(text))
	if found == nil {
		s.Fatalf("no login page at %s:\n%s", code.URL, text)
	}
	form := url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"default"}, "login": {"admin"}, "password": {s.password}}
	r, err := http.NewRequest(http.MethodPost, s.url+"/authorize", strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", s.url)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if resp, err = p.http.Do(r); err != nil {
		s.Fatal(err)
	}
	resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		s.Fatalf("a login led nowhere: %d: %v", resp.StatusCode, err)
	}
	token, err := code.Exchange(ctx, at.Query())
	if err != nil {
		s.Fatal(err)
	}
	return &client.Transport{Service: s.url, Source: k.Refresh(client.NewMemory(token)), Key: key}
}

// someone makes a user with some rights, and logs them in.
func (s *site) someone(login string, scopes ...string) *person {
	s.Helper()
	const password = "a long password for a test 1"
	body, err := json.Marshal(map[string]any{"login": login, "scopes": scopes, "password": password})
	if err != nil {
		s.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/authority/users", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.caller().RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
		s.Fatalf("make user %s: %d %s", login, resp.StatusCode, text)
	}
	p := s.browser()
	status, text, at := p.get("/console/")
	found := hidden.FindStringSubmatch(text)
	if status != http.StatusOK || found == nil {
		s.Fatalf("no login page at %s (%d):\n%s", at, status, text)
	}
	status, text, at = p.post("/authorize", url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {"default"}, "login": {login}, "password": {password}})
	if status != http.StatusOK || at.Path != "/console/" {
		s.Fatalf("the login of %s led to %s (%d):\n%s", login, at, status, text)
	}
	return p
}

// secdb writes what Wolfi's database says from now on.
func (s *site) secdb(packages string) []byte {
	s.Helper()
	text := []byte(`{"apkurl":"{{urlprefix}}","archs":["x86_64"],"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[` + packages + `]}`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.data), "mirror", "packages.wolfi.dev", "os", "security.json"), text, 0o644); err != nil {
		s.Fatal(err)
	}
	return text
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// manyPackages are n packages of Wolfi with a vulnerability each, and those of more.
func manyPackages(n int, more ...string) string {
	list := more
	for i := range n {
		list = append(list, fmt.Sprintf(`{"pkg":{"name":"part%03d","secfixes":{"2.0-r%d":["CVE-2023-%05d"]}}}`, i, i, 20000+i))
	}
	return strings.Join(list, ",")
}

// TestAdvisories looks advisories up, and approves a run that is held.
func TestAdvisories(t *testing.T) {
	bad, err := json.Marshal(map[string]any{"pkg": map[string]any{"name": `<b>bold"'`, "secfixes": map[string]any{"1.0-r1": []string{"CVE-2024-10009"}}}})
	if err != nil {
		t.Fatal(err)
	}
	bolt := `{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`
	var ids []string
	for i := range 510 { // more than one page has
		ids = append(ids, fmt.Sprintf(`"CVE-2022-%05d"`, 30000+i))
	}
	s := newSite(t, manyPackages(60, bolt, string(bad), `{"pkg":{"name":"many","secfixes":{"3.0-r0":[`+strings.Join(ids, ",")+`]}}}`))
	p := s.admin()
	p.informed()
	page := p.has("/console/advisories", "Newest snapshot", "wolfi", `<td class="n">572</td>`, "Read now", "Look up")
	if strings.Contains(page, "is held") {
		t.Errorf("a run is held that should not be:\n%s", page)
	}
	_, _, at := p.get("/console/advisories?id=CVE-2024-10001")
	if at.Path != "/console/advisories/CVE-2024-10001" {
		t.Errorf("a look-up led to %s", at)
	}
	p.has(at.Path, "Side by side", "Wolfi", "bolt", "all versions, before 1.9-r3", "1.9-r3", "wolfi", "/console/documents/sha256:")
	p.has("/console/advisories?ecosystem=Wolfi&name=bolt", "CVE-2024-10001", "before 1.9-r3", `href="/console/advisories/`)
	p.has("/console/advisories?ecosystem=Wolfi&name=none", "No record names it.")
	p.has("/console/advisories?ecosystem=Wolfi", "could not be read")
	p.lacks("/console/advisories?ecosystem=Wolfi&name=bolt", "Next page")
	p.pages("/console/advisories?ecosystem=Wolfi&name=many", regexp.MustCompile(`<td class="name"><a href="/console/advisories/([^"]+)"`), 510)
	p.tame("/console/advisories/CVE-2024-10009")
	p.tame("/console/advisories?ecosystem=Wolfi&name=" + url.QueryEscape(`<b>bold"'`))
	for _, h := range hostile[:2] {
		p.tame("/console/advisories?ecosystem=" + url.QueryEscape(h) + "&name=" + url.QueryEscape(h))
	}
	for _, id := range []string{"CVE-1999-0001", "a%20b", "%3Cscript%3Ealert(1)", "%E2%80%AE"} {
		if status, text, _ := p.get("/console/advisories/" + id); status != http.StatusNotFound || strings.Contains(text, "<script>alert") {
			t.Errorf("%s: %d\n%s", id, status, text)
		}
	}
	for _, id := range []string{"a/b", "..", `a\b`, "a;b"} {
		if status, text, _ := p.get("/console/advisories?id=" + url.QueryEscape(id)); status != http.StatusBadRequest || !strings.Contains(text, "This is no id") {
			t.Errorf("%s: %d\n%s", id, status, text)
		}
	}
	text := s.secdb(manyPackages(5, bolt))
	p.took("/console/advisories/sources/wolfi/sync", nil, "read soon")
	p.until("a run that is held", func() bool {
		_, text, _ := p.get("/console/advisories")
		return strings.Contains(text, "is held")
	})
	page = p.has("/console/advisories", "Approve run", "fewer records")
	run := regexp.MustCompile(`name="run" value="(\d+)"`).FindStringSubmatch(page)
	if run == nil {
		t.Fatal("no form approves the run")
	}
	reader := s.someone("reader", auth.AdvisoryRead, auth.ScannerRead)
	reader.has("/console/advisories", "is held")
	reader.lacks("/console/advisories", "Approve run", "Read now", "<th scope=\"col\">Action</th>")
	reader.refused("/console/advisories/sources/wolfi/approve", url.Values{"run": {run[1]}}, http.StatusForbidden, "You have no right to this")
	reader.refused("/console/advisories/sources/wolfi/sync", nil, http.StatusForbidden, "You have no right to this")
	p.refused("/console/advisories/sources/wolfi/approve", url.Values{"run": {"x"}}, http.StatusBadRequest, "Which run?")
	p.refused("/console/advisories/sources/wolfi/approve", url.Values{"run": {"999999"}}, http.StatusConflict, "not possible now")
	p.took("/console/advisories/sources/wolfi/approve", url.Values{"run": {run[1]}}, "The run was approved")
	p.lacks("/console/advisories", "is held")
	p.documents(text)
}

// documents looks documents up by their digests.
func (p *person) documents(text []byte) {
	p.Helper()
	at := "/console/documents/" + digestOf(text)
	p.has(at, "a document of advisories", "laid out to be read", html.EscapeString(`"reponame": "os"`), "Download")
	resp, err := p.http.Get(p.url + at + "/content")
	if err != nil {
		p.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !bytes.Equal(got, text) || resp.Header.Get("Content-Type") != "application/octet-stream" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		p.Errorf("a download is %d bytes, want %d: %v", len(got), len(text), resp.Header)
	}
	for _, path := range []string{"/console/documents/" + digestOf([]byte("none")), "/console/documents/" + digestOf([]byte("none")) + "/content", "/console/documents/none", "/console/documents/sha256:xyz/content"} {
		status, text, _ := p.get(path)
		if status != http.StatusNotFound {
			p.Errorf("%s: %d\n%s", path, status, text)
		}
	}
	_, page, _ := p.get("/console/documents/" + digestOf([]byte("none")))
	if !strings.Contains(page, "kept elsewhere or not any more") {
		p.Errorf("a document that nobody has:\n%s", page)
	}
}
