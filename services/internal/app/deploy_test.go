package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/system"
)

// deploy is the folder of what these tests are about.
const deploy = "../../../deploy"

// runs is the user and the group of every process.
const runs = "65532:65532"

// workload is a process as compose.yaml or a manifest has it run.
type workload struct {
	name    string
	args    []string
	env     map[string]string
	files   map[string]string // in the container, from: a file of this tree or of what keys.sh made
	folders []string          // in the container, to write to
	mode    os.FileMode       // of files; 0 is as they are
}

// system is the one that it serves, "" for another command.
func (w *workload) system() string {
	if len(w.args) == 2 && w.args[0] == "serve" {
		return w.args[1]
	}
	return ""
}

// folder is where keys.sh was run, "" before.
var folder string

// made is what keys.sh makes, once for all tests.
var made = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stella-deploy-")
	if folder = dir; err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "stella"), "../../stella")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, errors.New("build stella: " + string(out))
	}
	text, err := os.ReadFile(filepath.Join(deploy, "keys.sh"))
	if err != nil {
		return dir, err
	}
	if err := os.WriteFile(filepath.Join(dir, "keys.sh"), text, 0o755); err != nil {
		return dir, err
	}
	for range 2 { // the second time nothing is made anew
		run := exec.Command("sh", filepath.Join(dir, "keys.sh"))
		run.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
		if out, err := run.CombinedOutput(); err != nil {
			return dir, errors.New("keys.sh: " + err.Error() + ": " + string(out))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// secrets is the folder of what keys.sh made. Without a shell and openssl a test is skipped,
// and fails where CI is true.
func secrets(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"sh", "openssl", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("deploy/keys.sh is not run: %v", err)
		}
	}
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "secrets")
}

func TestKeys(t *testing.T) {
	dir := secrets(t)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o007 != 0 || info.Mode().Perm()&0o040 == 0 {
			t.Errorf("%s has mode %v: want it for its owner and group alone", f.Name(), info.Mode())
		}
	}
}

// TestCompose starts every process as compose.yaml has it, but over engines of its own.
func TestCompose(t *testing.T) { start(t, compose(t)) }

// TestKubernetes does so as the manifests have it.
func TestKubernetes(t *testing.T) { start(t, kubernetes(t)) }

func start(t *testing.T, list []workload) {
	var serve, other []string
	for _, w := range list {
		if s := w.system(); s != "" {
			serve = append(serve, s)
		} else {
			other = append(other, strings.Join(w.args, " "))
		}
		t.Run(w.name, func(t *testing.T) { w.start(t) })
	}
	slices.Sort(serve)
	if diff := cmp.Diff(slices.Sorted(slices.Values(config.Systems)), serve); diff != "" {
		t.Errorf("systems that are run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"migrate"}, other); diff != "" {
		t.Errorf("what else is run (-want +got):\n%s", diff)
	}
	private(t, list)
}

// private checks that secrets are with those who need them.
func private(t *testing.T, list []workload) {
	all := slices.DeleteFunc(slices.Clone(config.Systems), func(s string) bool { return !config.Stores(s) })
	want := map[string][]string{
		"store": append(slices.Clone(all), "migrate"), "queue": append(slices.Clone(all), "migrate"), "bucket": append(slices.Clone(all), "migrate"),
		"cache": append(slices.Clone(all), "gateway", "migrate"), "root.json": append(slices.Clone(all), "migrate"),
		"owner": {"migrate"}, "seal": {"authority"}, "pull": {"scanner", "worker"}, "links": {"notifier"},
		"gateway.key": {"gateway"}, "worker.key": {"worker"}, "scanner-web.key": {"scanner"}, "export-center.key": {"exporter"},
		"signing.key": {"signer"}, "log.key": {"attestor"}, "checkpoints.key": {"timeline"}, "tls.crt": {"console", "gateway"}, "tls.key": {"gateway"},
	}
	got := map[string][]string{}
	for _, w := range list {
		for file := range w.files {
			if name, ok := strings.CutPrefix(file, "/run/secrets/"); ok && !strings.HasPrefix(name, "trust") {
				got[name] = append(got[name], w.name)
			}
		}
	}
	for _, m := range []map[string][]string{want, got} {
		for _, names := range m {
			slices.Sort(names)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who has which secret (-want +got):\n%s", diff)
	}
}

var absolute = regexp.MustCompile(`(^|[\s"'=,:{\[])(/(?:run|etc|data|checkpoints)\b)`)

// lay puts what a process finds in its container below a folder, and returns its
// environment.
func (w *workload) lay(t *testing.T, root string) (env []string) {
	t.Helper()
	here := func(text string) string { return absolute.ReplaceAllString(text, "${1}"+root+"$2") }
	for to, from := range w.files {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		mode := w.mode
		if info, err := os.Stat(from); mode == 0 && err == nil {
			mode = info.Mode().Perm()
		}
		if filepath.Ext(to) == ".yaml" {
			text = []byte(here(string(text)))
		}
		name := filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range w.folders {
		if err := os.MkdirAll(filepath.Join(root, f), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range w.env {
		env = append(env, name+"="+here(value))
	}
	return env
}

// start has the configuration read without a mistake, and the process run until it is ready.
func (w *workload) start(t *testing.T) {
	root := t.TempDir()
	env := w.lay(t, root)
	systems := []string{w.system()}
	if w.system() == "" {
		systems = []string{"scheduler"} // as the command reads it
	}
	c, err := config.Load(config.Input{Systems: systems, Environ: env})
	if err != nil {
		t.Fatal(strings.ReplaceAll(err.Error(), root, ""))
	}
	if w.system() == "" {
		if c.Migrate.Store.Scheme() != "postgres" {
			t.Errorf("migrate.store is %s", c.Migrate.Store)
		}
		return
	}
	if c.Profile != config.Distributed || c.Data != filepath.Join(root, "data") {
		t.Errorf("profile %s, data %s", c.Profile, c.Data)
	}
	own := t.TempDir()
	c.Store, c.Bucket = config.NewURL("sqlite:"+filepath.Join(own, "stella.db")), config.NewURL("file:"+filepath.Join(own, "objects"))
	c.Queue, c.Cache = config.NewURL(""), config.NewURL("")
	c.Concelier.Sources = nil // nobody is asked
	w.run(t, c)
}

// run has it run until it is ready.
func (w *workload) run(t *testing.T, c *config.Config) {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := Program(w.name, c, w.system())
	var log bytes.Buffer
	p.Listener, p.Management, p.Log = listen(), listen(), &log
	address, started, ended := p.Management.Addr().String(), make(chan struct{}), make(chan error, 1)
	p.Started = func(net.Addr, net.Addr) { close(started) }
	go func() { ended <- p.Run(ctx) }()
	select {
	case <-started:
	case err := <-ended:
		t.Fatalf("it did not start: %v", err)
	}
	status, answer := ask(t, "http://"+address+"/readyz")
	if w.system() == "gateway" { // whose systems are not there, which it finds out by and by
		if !strings.Contains(answer, `"cache":{"ready":true`) || !strings.Contains(answer, "system gateway") {
			t.Errorf("/readyz is %d %s", status, answer)
		}
	} else if status != http.StatusOK {
		t.Errorf("/readyz is %d %s", status, answer)
	}
	if status, _ := ask(t, "http://"+address+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d", status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v, and this log:\n%s", err, log.String())
	}
}

func ask(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// parse reads a file of the folder.
func parse(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// service is one of compose.yaml.
type service struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	Privileged  bool              `yaml:"privileged"`
	CapAdd      []string          `yaml:"cap_add"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Secrets     []string          `yaml:"secrets"`
	Tmpfs       []string          `yaml:"tmpfs"`
}

type composition struct {
	Services map[string]service `yaml:"services"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

// engines are the services that are not ours, with the users that their images have.
var engines = map[string]string{"postgres": "70:70", "valkey": "999:1000", "rustfs": "", "objects": runs}

// pinned is an image of a version, not of whatever is newest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.]+)?$`)

// compose reads compose.yaml.
func compose(t *testing.T) (out []workload) {
	dir := secrets(t)
	var c composition
	parse(t, "compose.yaml", &c)
	for name, s := range c.Services {
		user, engine := engines[name]
		if !engine {
			user = runs
		}
		if s.User != user || s.Privileged || len(s.CapAdd) > 0 || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		if !s.ReadOnly && name != "rustfs" {
			t.Errorf("%s writes to its image", name)
		}
		for _, secret := range s.Secrets {
			file := c.Secrets[secret].File
			if file != "./secrets/"+secret {
				t.Errorf("%s: secret %s is %q", name, secret, file)
			} else if _, err := os.Stat(filepath.Join(dir, secret)); err != nil {
				t.Errorf("%s: keys.sh makes no %s", name, secret)
			}
		}
		if engine {
			if !pinned.MatchString(s.Image) {
				t.Errorf("%s: image %s is not of a version", name, s.Image)
			}
			continue
		}
		out = append(out, s.workload(t, name, dir, c.Volumes))
	}
	slices.SortFunc(out, func(a, b workload) int { return strings.Compare(a.name, b.name) })
	return out
}

func (s *service) workload(t *testing.T, name, secrets string, volumes map[string]any) workload {
	t.Helper()
	w := workload{name: name, args: s.Command, env: s.Environment, files: map[string]string{}, folders: []string{"/data"}}
	for _, secret := range s.Secrets {
		w.files["/run/secrets/"+secret] = filepath.Join(secrets, secret)
	}
	for _, v := range s.Volumes {
		from, rest, _ := strings.Cut(v, ":")
		to, mode, _ := strings.Cut(rest, ":")
		if !strings.HasPrefix(from, ".") {
			if _, ok := volumes[from]; !ok {
				t.Errorf("%s: no volume is called %s", name, from)
			}
			w.folders = append(w.folders, to)
			continue
		}
		if mode != "ro" {
			t.Errorf("%s: %s can be written", name, v)
		}
		if from != "./secrets/trust" {
			w.files[to] = filepath.Join(deploy, from)
			continue
		}
		list, err := filepath.Glob(filepath.Join(secrets, "trust", "*"))
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, file := range list {
			w.files[to+"/"+filepath.Base(file)] = file
		}
	}
	return w
}

func TestConfigurations(t *testing.T) {
	for _, name := range []string{"stella.yaml", "signer.yaml", "gateway.yaml"} {
		var here, there map[string]any
		parse(t, name, &here)
		parse(t, filepath.Join("kubernetes", "config", name), &there)
		delete(here, "bucket") // where the objects of one machine are
		delete(there, "bucket")
		if diff := cmp.Diff(here, there); diff != "" {
			t.Errorf("%s is another one for Kubernetes (-compose +kubernetes):\n%s", name, diff)
		}
	}
	var g struct {
		Gateway struct {
			Upstreams map[string][]string `yaml:"upstreams"`
		} `yaml:"gateway"`
	}
	parse(t, "gateway.yaml", &g)
	if diff := cmp.Diff(system.Systems(), slices.Sorted(maps.Keys(g.Gateway.Upstreams))); diff != "" {
		t.Errorf("systems behind the gateway (-want +got):\n%s", diff)
	}
	for name, list := range g.Gateway.Upstreams {
		if !slices.Equal(list, []string{"http://" + name + ":8080"}) {
			t.Errorf("%s is at %v", name, list)
		}
	}
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split("\n"+string(text), "\nFROM ")[1:]
	last := strings.Split(stages[len(stages)-1], "\n")
	if last[0] != "scratch" || !slices.Contains(last, "USER "+runs) || !slices.Contains(last, `ENTRYPOINT ["/stella"]`) || slices.ContainsFunc(last, func(l string) bool { return strings.HasPrefix(l, "RUN") }) {
		t.Errorf("the image is not the program alone, run by %s:\n%s", runs, strings.Join(last, "\n"))
	}
	for _, s := range stages[:len(stages)-1] {
		image, _, _ := strings.Cut(s, " ")
		if !pinned.MatchString(image) {
			t.Errorf("image %s is not of a version", image)
		}
	}
}

// TestOperating: the page of operators has every metric and every name that processes know
// each other by.
func TestOperating(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../shell/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"stella_[a-z_]+"`).FindAllString(string(source), -1)
	if len(names) < 10 {
		t.Fatal(names)
	}
	names = append(names, `"gateway"`, `"worker"`, `"scanner-web"`, `"export-center"`)
	for _, s := range config.Systems {
		names = append(names, `"`+s+`"`)
	}
	for _, n := range names {
		if n = strings.Trim(n, `"`); !strings.Contains(string(page), "`"+n+"`") {
			t.Errorf("docs/operating.md does not name %s", n)
		}
	}
}
