package gobinary_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
)

// forwardOnly is the content of a file in a compressed layer: asking for
// random access fails the test.
type forwardOnly struct {
	t testing.TB
	io.Reader
}

func (c forwardOnly) ReaderAt() (io.ReaderAt, error) {
	c.t.Error("the analyzer asks for random access")
	return nil, errors.New("no random access")
}

// fileOf returns data as a file that can be read forwards only.
func fileOf(t testing.TB, name string, data []byte) *analyzer.File {
	return analyzer.NewFile(name, int64(len(data)), 0o755, forwardOnly{t, bytes.NewReader(data)}, nil, nil)
}

// fromGo reads a binary that the Go distribution keeps for its own tests.
func fromGo(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goroot(t), "src/debug/buildinfo/testdata", name))
	if err != nil {
		t.Skipf("this Go distribution has no test data: %v", err)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// workshop is a folder with a Go program that requires a module as published,
// a module that another one replaces, and a module replaced by a folder. The
// modules come from a proxy in the same folder.
type workshop struct {
	dir string
	env []string
}

func newWorkshop(t testing.TB) workshop {
	t.Helper()
	w := workshop{dir: t.TempDir()}
	w.write(t, "app/go.mod", `module example.com/Team/app

go 1.20

require (
	example.com/Lib v1.2.3
	example.com/old v1.0.0
	example.com/patched v0.9.0
)

replace example.com/old => example.com/fork/new v1.4.0
replace example.com/patched => ../patched
`)
	w.write(t, "app/main.go", `package main

import (
	lib "example.com/Lib"
	old "example.com/old"
	"example.com/patched"
)

var version string

func main() { println(lib.V, old.V, patched.V, version) }
`)
	w.write(t, "patched/go.mod", "module example.com/patched\n\ngo 1.20\n")
	w.write(t, "patched/p.go", "package patched\n\nconst V = 3\n")
	w.publish(t, "example.com/Lib", "v1.2.3", "lib")
	w.publish(t, "example.com/fork/new", "v1.4.0", "old")
	w.env = append(os.Environ(), "GO111MODULE=on", "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "GOTOOLCHAIN=local",
		"GOPROXY=file://"+filepath.ToSlash(filepath.Join(w.dir, "proxy")), "GONOSUMDB=*", "GONOSUMCHECK=1", "GOPRIVATE=",
		"GOSUMDB=off", "GOMODCACHE="+filepath.Join(w.dir, "modcache"), "CGO_ENABLED=0")
	return w
}

func (w workshop) write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publish puts a module of one package into the proxy.
func (w workshop) publish(t testing.TB, module, version, pkg string) {
	t.Helper()
	mod := "module " + module + "\n\ngo 1.20\n"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"go.mod": mod, pkg + ".go": "package " + pkg + "\n\nconst V = 7\n"} {
		f, err := z.Create(module + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(f, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	escaped := strings.NewReplacer("L", "!l").Replace(module)
	base := "proxy/" + escaped + "/@v/" + version
	w.write(t, base+".mod", mod)
	w.write(t, base+".info", `{"Version":"`+version+`"}`)
	w.write(t, base+".zip", b.String())
}

// build compiles the program and returns the path of the executable.
func (w workshop) build(t testing.TB, platform string, flags ...string) string {
	t.Helper()
	goos, goarch, _ := strings.Cut(platform, "/")
	out := filepath.Join(t.TempDir(), "app")
	cmd := exec.Command("go", append([]string{"build", "-o", out}, append(flags, ".")...)...)
	cmd.Dir = filepath.Join(w.dir, "app")
	cmd.Env = append(w.env, "GOOS="+goos, "GOARCH="+goarch)
	for _, f := range flags {
		if f == "-linkmode=external" || strings.Contains(f, "-linkmode=external") {
			cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
		}
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build for %s %v: %v\n%s", platform, flags, err, text)
	}
	return out
}

// goroot asks the go command where its distribution is.
func goroot(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	return strings.TrimSpace(string(out))
}
