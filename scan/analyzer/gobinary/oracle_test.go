package gobinary_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestAgainstGoVersion builds one program in the ways that lay out executables
// differently and compares what is found with what the go command prints.
func TestAgainstGoVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("builds executables")
	}
	w := newWorkshop(t)
	external := []string{"-ldflags=-linkmode=external -X main.version=v2.5.0"}
	tests := []struct {
		name, platform string
		flags          []string
	}{
		{"elf", "linux/amd64", nil},
		{"elf arm64", "linux/arm64", nil},
		{"elf stripped", "linux/amd64", []string{"-ldflags=-s -w"}},
		{"elf without build id", "linux/amd64", []string{"-ldflags=-s -w -buildid="}},
		{"elf pie", "linux/amd64", []string{"-buildmode=pie"}},
		{"elf big endian", "linux/s390x", nil},
		{"elf 32 bits", "linux/386", nil},
		{"elf linked by cc", runtime.GOOS + "/" + runtime.GOARCH, external},
		{"elf pie linked by cc", runtime.GOOS + "/" + runtime.GOARCH, append([]string{"-buildmode=pie"}, external...)},
		{"elf shared library", runtime.GOOS + "/" + runtime.GOARCH, append([]string{"-buildmode=c-shared"}, external...)},
		{"pe", "windows/amd64", nil},
		{"pe stripped", "windows/amd64", []string{"-ldflags=-s -w"}},
		{"mach-o", "darwin/arm64", nil},
		{"mach-o stripped", "darwin/arm64", []string{"-ldflags=-s -w"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.name, "cc") || strings.Contains(tt.name, "shared") {
				if _, err := exec.LookPath("gcc"); err != nil || runtime.GOOS != "linux" {
					t.Skip("needs Linux with gcc")
				}
			}
			out := w.build(t, tt.platform, tt.flags...)
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			facts := extract(t, data)
			printed, err := exec.Command("go", "version", "-m", out).Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(modulesOf(string(printed)), describe(facts)); diff != "" {
				t.Errorf("go version -m (-), facts (+):\n%s", diff)
			}
		})
	}
}

// modulesOf turns what go version -m prints into the words of describe.
func modulesOf(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	list := []string{"stdlib " + lines[0][strings.LastIndex(lines[0], ": go")+4:]}
	for i, line := range lines {
		f := strings.Split(strings.TrimSpace(line), "\t")
		f = append(f, "", "", "")
		if f[2] == "(devel)" {
			f[2] = ""
		}
		switch f[0] {
		case "mod":
			list = append(list, fmt.Sprintf("%s %s", f[1], f[2]))
		case "dep":
			if i+1 == len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[i+1]), "=>") {
				list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", f[1], f[2], f[3])))
			}
		case "=>":
			was := strings.Fields(lines[i-1])
			if strings.HasPrefix(f[1], "../") {
				list = append(list, fmt.Sprintf("%s  from %s", was[1], f[1]))
			} else {
				list = append(list, fmt.Sprintf("%s %s %s for %s@%s", f[1], f[2], f[3], was[1], was[2]))
			}
		}
	}
	sort.Strings(list)
	return list
}

func describe(facts []analyzer.Fact) []string {
	var list []string
	for _, f := range facts {
		p := f.Package
		line := p.Name + " " + p.Version
		if v := property(p, "go:h1"); v != "" {
			line += " " + v
		}
		if v := property(p, "go:replaced-by"); v != "" {
			line += " from " + v
		} else if v := property(p, "go:replaces"); v != "" {
			line += " for " + v
		}
		list = append(list, line)
	}
	sort.Strings(list)
	return list
}

func property(p *sbom.Package, name string) string {
	for _, x := range p.Properties {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// extract returns the facts of an executable, which must be wanted and read
// without error.
func extract(t *testing.T, data []byte) []analyzer.Fact {
	t.Helper()
	if len(analyzer.NewSet(gobinary.Analyzer{}).ByMagic(nil, "app", data[:8])) == 0 {
		t.Fatalf("a file that begins with %q is not wanted", data[:8])
	}
	facts, err := gobinary.Analyzer{}.Extract(context.Background(), fileOf(t, "app", data))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// TestAgainstBuildinfo compares with debug/buildinfo on the executables of the
// Go distribution.
func TestAgainstBuildinfo(t *testing.T) {
	n := 0
	for _, dir := range []string{"bin", "pkg/tool"} {
		_ = filepath.WalkDir(filepath.Join(goroot(t), dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			n++
			compare(t, path, data)
			return nil
		})
	}
	compare(t, "notgo", fromGo(t, "notgo/notgo.base64"))
	if n == 0 {
		t.Skip("this Go distribution has no executables")
	}
}

// compare fails where debug/buildinfo finds something else than the analyzer.
func compare(t *testing.T, name string, data []byte) {
	t.Helper()
	facts, err := gobinary.Analyzer{}.Extract(context.Background(), fileOf(t, name, data))
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	want, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		if len(facts) > 0 {
			t.Errorf("%s: found %v, debug/buildinfo says %v", name, describe(facts), err)
		}
		return
	}
	if len(facts) != len(want.Deps)+2 {
		t.Errorf("%s: found %v, debug/buildinfo %v", name, describe(facts), want)
	} else if got := facts[1].Package; "go"+got.Version != want.GoVersion && property(got, "go:toolchain") != want.GoVersion {
		t.Errorf("%s: found %+v, debug/buildinfo %s", name, got, want.GoVersion)
	}
}

// TestOldFormat reads an executable of Go 1.17, whose header points to texts
// that come before it in the file.
func TestOldFormat(t *testing.T) {
	data := fromGo(t, "go117/go117.base64")
	facts := extract(t, data)
	want := []string{"example.com/go117 ", "stdlib 1.17"}
	if diff := cmp.Diff(want, describe(facts)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}
