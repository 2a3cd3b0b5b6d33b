package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// What an embedder pays at most: third-party modules compiled in, and bytes of the program
// without its tables of symbols. The size differs a little between systems, folders and
// releases of Go; there is room for that.
const (
	maxModules = 25
	maxBytes   = 15_000_000
)

// TestWeight builds the program, looks at what is in it, and has it scan an image. With
// STELLA_LONG=1 it is built as an embedder does who ships it, with the versions of go.mod
// alone and without cgo, which compiles everything once more.
func TestWeight(t *testing.T) {
	program := filepath.Join(t.TempDir(), "embed")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, ".")
	if os.Getenv("STELLA_LONG") != "" {
		build.Args = slices.Insert(build.Args, 2, "-trimpath")
		build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	modules := []string{}
	for _, m := range info.Deps {
		if !strings.HasPrefix(m.Path, "github.com/stella-ops/") {
			modules = append(modules, m.Path)
		}
	}
	slices.Sort(modules)
	s, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes stripped, %d third-party modules:\n%s", info.GoVersion, s.Size(), len(modules), strings.Join(modules, "\n"))
	if len(modules) > maxModules {
		t.Errorf("%d third-party modules are compiled in, at most %d may be", len(modules), maxModules)
	}
	if s.Size() > maxBytes {
		t.Errorf("the program has %d bytes, at most %d may it have", s.Size(), maxBytes)
	}

	layout, folder := t.TempDir(), t.TempDir()
	imagetest.Layout(layout, imagetest.Gzip, imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n\n"},
	))
	if out, err := exec.Command(program, layout, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"image.cdx.json", "image.spdx.json"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := format.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := []string{}
		for _, p := range d.Packages {
			got = append(got, p.PURL.String())
		}
		if diff := cmp.Diff([]string{"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
