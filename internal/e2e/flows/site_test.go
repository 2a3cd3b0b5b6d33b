package flows

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/imagetest/pushed"
)

// site is an installation with what lies around it: a registry, a mirror of advisories, and
// somebody who is told.
type site struct {
	testing.TB
	dir      string
	gateway  string // address of the API
	settings string // YAML that all processes have
	registry string // host and port
	mirror   string // folder
	told     *listener
	env      []string
	watch    []string // a program that each process runs under

	mu        sync.Mutex
	processes []*process
	logs      map[string]*tail
}

// process is one of the installation's.
type process struct {
	name    string
	systems []string
	config  string
	manage  string // address of the management port
	cmd     *exec.Cmd
	done    chan struct{}
}

// group says what runs in one process.
type group struct {
	name    string
	systems []string
	config  string // YAML beside the common one
}

// engines are where an installation keeps what it has.
type engines struct{ store, queue, cache, bucket string }

// images are what the registry has: name to packages of Wolfi.
var images = map[string]string{
	"app:1":   "P:bolt\nV:1.8-r0\nA:x86_64\n\nP:nut\nV:2.0-r0\nA:x86_64\n\n",
	"other:1": "P:nut\nV:2.0-r0\nA:x86_64\n\n",
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{TB: t, dir: t.TempDir(), logs: map[string]*tail{}, told: listen(t)}
	s.mirror = filepath.Join(s.dir, "mirror")
	s.publish(`{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`)
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	s.registry = strings.TrimPrefix(server.URL, "http://")
	for image, installed := range images {
		s.push(image, installed)
	}
	t.Cleanup(s.stop)
	return s
}

// publish makes what Wolfi's database says, as a mirror has it.
func (s *site) publish(packages string) {
	s.Helper()
	file := filepath.Join(s.mirror, "packages.wolfi.dev", "os", "security.json")
	text := `{"apkurl":"{{urlprefix}}","archs":["x86_64"],"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[` + packages + `]}`
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		s.Fatal(err)
	}
}

// push pushes an image with some packages.
func (s *site) push(image, installed string) {
	s.Helper()
	_, err := pushed.Image(s.registry, image, imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=wolfi\nNAME=Wolfi\nVERSION_ID=20230201\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: installed}))
	if err != nil {
		s.Fatal(err)
	}
}

// free returns addresses that nobody listens at.
func free(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// keyPair makes an Ed25519 key: NAME.key, and NAME.pem with the public one in the folder of
// whom others believe.
func (s *site) keyPair(name string) string {
	s.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		s.Fatal(err)
	}
	s.write("trust/"+name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open}))
	return s.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// write writes a file of the installation.
func (s *site) write(name string, text []byte) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// start runs a process and waits until it is ready.
func (s *site) start(g group) *process {
	s.Helper()
	p := s.launch(g)
	s.ready(p)
	return p
}

func (s *site) launch(g group) *process {
	s.Helper()
	p := &process{name: g.name, systems: g.systems, manage: free(s, 1)[0]}
	p.config = s.write(g.name+".yaml", []byte(s.settings+"management: {listen: "+p.manage+"}\ninstance: "+g.name+"\n"+g.config))
	s.run(p)
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	return p
}

// run starts, or starts again.
func (s *site) run(p *process) {
	s.Helper()
	s.mu.Lock()
	log := s.logs[p.name]
	if log == nil {
		log = &tail{}
		s.logs[p.name] = log
	}
	s.mu.Unlock()
	line := append(append(slices.Clone(s.watch), stella(s), "serve", "--config", p.config), p.systems...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(environ(), s.env...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	done := make(chan struct{})
	if err := servers.Spawn(cmd, done); err != nil {
		s.Fatal(err)
	}
	p.cmd, p.done = cmd, done
}

// ready waits until a process is.
func (s *site) ready(p *process) {
	s.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + p.manage + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		ended := false
		select {
		case <-p.done:
			ended = true
		default:
		}
		if ended || time.Now().After(end) {
			s.Fatalf("%s is not ready (ended: %v): %v\n%s", p.name, ended, err, s.logs[p.name])
		}
	}
}

// stop ends all processes as an operator does, and wants that to take less than ten
// seconds each.
func (s *site) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range slices.Backward(s.processes) {
		select {
		case <-p.done:
			s.Errorf("%s ended by itself:\n%s", p.name, s.logs[p.name])
			continue
		default:
		}
		for _, pid := range s.pids(p) {
			syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	for _, p := range s.processes {
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			s.Errorf("%s does not stop:\n%s", p.name, s.logs[p.name])
			p.cmd.Process.Kill()
		}
	}
	if s.Failed() {
		for name, log := range s.logs {
			s.Logf("%s: %s", name, log)
		}
	}
}

// pids are those of a process: of the one that is watched, not of who watches.
func (s *site) pids(p *process) []int {
	pid := p.cmd.Process.Pid
	if len(s.watch) == 0 {
		return []int{pid}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var out []int
	for _, child := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			out = append(out, n)
		}
	}
	if err != nil || len(out) == 0 {
		s.Errorf("%s: what is watched is not found: %v", p.name, err)
	}
	return out
}

// tail keeps the last of what a process says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 32<<10 {
		t.text = bytes.Clone(t.text[len(t.text)-16<<10:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// listener is a webhook that takes everything.
type listener struct {
	url string
	mu  sync.Mutex
	got []string
}

func listen(t testing.TB) *listener {
	l := &listener{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, string(body))
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// heard reports whether a message came that has all of some texts.
func (l *listener) heard(texts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.got, func(m string) bool {
		return !slices.ContainsFunc(texts, func(t string) bool { return !strings.Contains(m, t) })
	})
}

// secret256 is a key of 32 bytes, as configurations have it.
func secret256() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// until waits for something.
func (s *site) until(what string, limit time.Duration, done func() bool) {
	s.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// retire ends a process for good, in order.
func (s *site) retire(p *process) {
	s.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = slices.DeleteFunc(s.processes, func(o *process) bool { return o == p })
}
