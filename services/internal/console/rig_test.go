package console_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/imagetest/pushed"
	"github.com/stella-ops/stella/services/internal/app"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/system"
)

// site is a whole installation in this process, on the embedded store, with a registry and a
// mirror of advisories beside it.
type site struct {
	testing.TB
	url      string
	data     string
	registry string
	password string
	config   config.Config
}

// newSite starts one. packages are what Wolfi's database says, as its secdb has it.
func newSite(t testing.TB, packages string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{TB: t, data: filepath.Join(dir, "data")}
	images := httptest.NewServer(registry.New())
	t.Cleanup(images.Close)
	s.registry = strings.TrimPrefix(images.URL, "http://")
	mirror := filepath.Join(dir, "mirror")
	file := filepath.Join(mirror, "packages.wolfi.dev", "os", "security.json")
	text := `{"apkurl":"{{urlprefix}}","archs":["x86_64"],"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[` + packages + `]}`
	hook := filepath.Join(dir, "secrets", "default", "hook") // by which webhooks are signed, as file:hook
	for _, err := range []error{
		os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644),
		os.MkdirAll(filepath.Dir(hook), 0o700), os.WriteFile(hook, []byte("whsec_b2xkZXIga2V5IG9mIHRoZSB3ZWJob29rIQ=="), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s.url = "http://" + address
	settings := fmt.Sprintf("data: %s\nlisten: %s\nmanagement: {listen: \"\"}\nlog: {level: error, format: text}\nnetwork: {allow: [127.0.0.1], registries: [{host: %q, plain_http: true}]}\nconcelier: {sources: {wolfi: 1m}, mirror: %s}\nnotifier: {allow: [127.0.0.1], secrets: %s}\n",
		s.data, address, s.registry, mirror, filepath.Join(dir, "secrets"))
	where := filepath.Join(dir, "stella.yaml")
	if err := os.WriteFile(where, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Input{Systems: config.Systems, File: where})
	if err == nil {
		err = system.Local(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.config = *c
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Program("stella", c).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the installation ended with %v", err)
		}
	})
	s.until("the installation answers", func() bool {
		resp, err := http.Get(s.url + "/console/static/none")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	secret, err := os.ReadFile(filepath.Join(s.data, "initial-password"))
	if err != nil {
		t.Fatal(err)
	}
	s.password = strings.TrimSpace(string(secret))
	return s
}

// until waits for something to become true.
func (s *site) until(what string, is func() bool) {
	s.Helper()
	for end := time.Now().Add(90 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("%s: not within 90 s", what)
		}
	}
}

// push pushes an image of Wolfi with an apk database, and further layers.
func (s *site) push(image, installed string, more ...[]byte) string {
	s.Helper()
	layers := append([][]byte{imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=wolfi\nNAME=Wolfi\nVERSION_ID=20230201\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: installed})}, more...)
	ref, err := pushed.Image(s.registry, image, layers...)
	if err != nil {
		s.Fatal(err)
	}
	return ref
}

// person is somebody with a browser that runs no script.
type person struct {
	*site
	http *http.Client
}

// browser opens one where nobody is logged in. It follows redirects, as browsers do.
func (s *site) browser() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	return &person{s, &http.Client{Jar: jar, Timeout: time.Minute}}
}

var hidden = regexp.MustCompile(`name="page" value="([^"]+)"`)

// login logs somebody in at the page that a first visit leads to.
func (s *site) login(tenant, login, password string) *person {
	s.Helper()
	p := s.browser()
	status, text, at := p.get("/console/")
	found := hidden.FindStringSubmatch(text)
	if status != http.StatusOK || found == nil || at.Path != "/authorize" {
		s.Fatalf("a first visit led to %s (%d), which is no login page:\n%s", at, status, text)
	}
	status, text, at = p.post("/authorize", url.Values{"page": {found[1]}, "action": {"login"}, "tenant": {tenant}, "login": {login}, "password": {password}})
	if status != http.StatusOK || at.Path != "/console/" {
		s.Fatalf("a login led to %s (%d):\n%s", at, status, text)
	}
	return p
}

// admin is the administrator of the installation.
func (s *site) admin() *person {
	s.Helper()
	return s.login("default", "admin", s.password)
}

// get loads a page, and says where redirects led to.
func (p *person) get(path string) (status int, text string, at *url.URL) {
	p.Helper()
	r, err := http.NewRequest(http.MethodGet, p.url+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	return p.do(r)
}

// post sends a form from a page of the console itself.
func (p *person) post(path string, form url.Values) (status int, text string, at *url.URL) {
	p.Helper()
	r, err := http.NewRequest(http.MethodPost, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.url)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(r)
}

func (p *person) do(r *http.Request) (status int, text string, at *url.URL) {
	p.Helper()
	resp, err := p.http.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Request.URL
}

// has loads a page and wants texts in it.
func (p *person) has(path string, want ...string) string {
	p.Helper()
	status, text, at := p.get(path)
	if status != http.StatusOK {
		p.Fatalf("GET %s: %d at %s:\n%s", path, status, at, text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.Errorf("GET %s has no %q:\n%s", path, w, text)
		}
	}
	return text
}

// scanned submits a scan and waits for its end; it returns the path of its page.
func (p *person) scanned(image string) string {
	p.Helper()
	status, text, at := p.post("/console/scans", url.Values{"image": {image}})
	if status != http.StatusOK || !strings.HasPrefix(at.Path, "/console/scans/") {
		p.Fatalf("a submission led to %s (%d):\n%s", at, status, text)
	}
	p.until("the scan of "+image, func() bool {
		_, text, _ := p.get(at.Path)
		return !strings.Contains(text, `id="live"`)
	})
	return at.Path
}

// informed waits until advisories are there.
func (p *person) informed() {
	p.Helper()
	p.until("advisories", func() bool {
		_, text, _ := p.get("/console/")
		return strings.Contains(text, "/console/advisories\">head ")
	})
}
