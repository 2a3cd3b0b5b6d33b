package console

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/imagetest/pushed"
)

func TestMain(m *testing.M) { servers.Main(m) }

// binary builds the program once, where STELLA_TEST_BINARY names none.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STELLA_TEST_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "stella-console-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "stella")
	if text, err := exec.Command("go", "build", "-o", out, "github.com/stella-ops/stella/services/stella").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stella: %w: %s", err, text)
	}
	return out, nil
})

// browser finds Chromium.
func browser(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("STELLA_TEST_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("STELLA_REQUIRE_CHROMIUM") != "" {
		t.Fatal("there is no Chromium: put one on PATH, or name it in STELLA_TEST_CHROMIUM")
	}
	t.Skip("there is no Chromium on PATH, and STELLA_TEST_CHROMIUM names none: the console is not tested in a browser")
	return ""
}

// site is an installation with a registry and a mirror of advisories beside it.
type site struct {
	testing.TB
	url, registry, password string
	data                    string
	log                     *os.File
}

// newSite starts one. packages are what Wolfi's database says, as its secdb has it; fill is
// called on the folder of its data before it starts, nil for nothing.
func newSite(t testing.TB, packages string, fill func(data string)) *site {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &site{TB: t, data: filepath.Join(dir, "data")}
	images := httptest.NewServer(registry.New(registry.Logger(quiet)))
	t.Cleanup(images.Close)
	s.registry = strings.TrimPrefix(images.URL, "http://")
	mirror := filepath.Join(dir, "mirror")
	s.write(filepath.Join(mirror, "packages.wolfi.dev", "os", "security.json"),
		`{"apkurl":"{{urlprefix}}","archs":["x86_64"],"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[`+packages+`]}`)
	if fill != nil {
		fill(s.data)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s.url = "http://" + address
	settings := filepath.Join(dir, "stella.yaml")
	s.write(settings, fmt.Sprintf("tenant: acme\ndata: %s\nlisten: %s\nmanagement: {listen: \"\"}\nlog: {level: warn, format: text}\nnetwork: {allow: [127.0.0.1], registries: [{host: %q, plain_http: true}]}\nconcelier: {sources: {wolfi: 1m}, mirror: %s}\nnotifier: {allow: [127.0.0.1]}\n",
		s.data, address, s.registry, mirror))
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--config", settings)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STELLA_") })
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, s.log, s.log
	done := make(chan struct{})
	if err := servers.Spawn(cmd, done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the installation does not stop")
			cmd.Process.Kill()
		}
		if t.Failed() {
			text, _ := os.ReadFile(s.log.Name())
			t.Logf("%s", text)
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

func (s *site) write(file, text string) {
	s.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// until waits for something to become true.
func (s *site) until(what string, is func() bool) {
	s.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("%s: not within two minutes", what)
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

// tab is a tab of a browser with nothing in it.
type tab struct {
	*site
	ctx context.Context
	at  string // the page that is to be shown
}

// open starts a browser and opens a tab.
func (s *site) open(width, height int) *tab {
	s.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser(s)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, height),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	all, stop := chromedp.NewExecAllocator(context.Background(), options...)
	s.Cleanup(stop)
	ctx, end := chromedp.NewContext(all)
	s.Cleanup(end)
	t := &tab{site: s, ctx: ctx}
	t.run(chromedp.EmulateViewport(int64(width), int64(height)))
	return t
}

// run does things in the tab, each within half a minute.
func (t *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for _, step := range steps {
		value(t, step)
	}
}

// value does something in the tab, and returns what it gives. The first of a tab starts the
// browser, which would end with a timeout of its context.
func value[T any](t *tab, a chromedp.Action[T]) T {
	t.Helper()
	late := time.AfterFunc(30*time.Second, func() {
		t.Errorf("in the browser, toward %s: a step takes over half a minute", t.at)
		chromedp.Cancel(t.ctx)
	})
	defer late.Stop()
	v, err := chromedp.Run(t.ctx, a)
	if err != nil {
		at, _ := chromedp.Run(t.ctx, chromedp.Location())
		text, _ := chromedp.Run(t.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
		t.Fatalf("in the browser at %s: %v\n%s", at, err, text)
	}
	return v
}

// js is what a script in the page says.
func js[T any](t *tab, script string) T {
	t.Helper()
	return value(t, chromedp.Evaluate[T](script))
}

// login logs the administrator in.
func (t *tab) login() {
	t.Helper()
	t.run(chromedp.Navigate(t.url+"/console/"), chromedp.WaitVisible("#password"),
		chromedp.SetValue("#tenant", "acme"), chromedp.SetValue("#login", "admin"), chromedp.SetValue("#password", t.password), chromedp.Click("form button"), chromedp.WaitVisible("nav.side"))
}
