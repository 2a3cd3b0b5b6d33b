package scan_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/analyzer/programs"
	"github.com/stella-ops/stella/scan/filecache"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// programScanner scans for Debian packages, those of npm, and programs.
func programScanner() *scan.Scanner {
	return &scan.Scanner{Analyzers: analyzer.NewSet(osrelease.Analyzer{}, dpkg.Analyzer{}, npm.Analyzer{}, programs.Analyzer{})}
}

// elf is a program that begins like one; text makes it differ.
func elf(text string) string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x3e\x00\x01" + strings.Repeat("\x00", 60) + text
}

func exec(name, data string) imagetest.File {
	return imagetest.File{Name: name, Data: data, Mode: 0o755}
}

// debian are the databases of an image with one package that owns paths.
func debian(version string, paths ...string) []imagetest.File {
	list := ""
	for _, p := range paths {
		list += "/" + p + "\n"
	}
	return []imagetest.File{
		{Name: "etc/os-release", Data: "ID=debian\nVERSION_ID=12\n"},
		{Name: "var/lib/dpkg/status", Data: "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: " + version + "\n"},
		{Name: "var/lib/dpkg/info/tool.list", Data: list},
	}
}

// ownerless lists the files of a document with the start of their digest.
func ownerless(d *sbom.Document) (out []string) {
	for _, p := range d.Packages {
		if p.Type == sbom.TypeFile {
			sum := "no digest"
			if len(p.Hashes) == 1 && p.Hashes[0].Algorithm == "sha256" {
				sum = p.Hashes[0].Value[:8]
			}
			out = append(out, p.Name+" "+sum)
		}
	}
	slices.Sort(out)
	return out
}

func short(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:4])
}

func TestProgramsWithoutOwner(t *testing.T) {
	owned := debian("1.0", "usr/bin/tool", "bin/merged", "usr/lib/other")
	base := imagetest.Tar(append(owned, imagetest.File{Name: "bin", Link: "usr/bin"}, exec("usr/bin/tool", elf("tool")), exec("usr/bin/merged", elf("merged")), exec("usr/bin/extra", elf("extra")),
		exec("usr/local/bin/own", elf("own")), exec("usr/bin/gone", elf("gone")), imagetest.File{Name: "usr/bin/plain", Data: strings.Repeat("text ", 10)})...)
	for _, c := range []struct {
		name   string
		layers [][]byte
		want   []string
	}{
		{"one layer", [][]byte{base}, []string{"usr/bin/extra " + short(elf("extra")), "usr/bin/gone " + short(elf("gone")), "usr/local/bin/own " + short(elf("own"))}},
		{"replaced and removed", [][]byte{base, imagetest.Tar(exec("usr/bin/tool", elf("forged")), imagetest.File{Name: "usr/bin/.wh.gone"})},
			[]string{"usr/bin/extra " + short(elf("extra")), "usr/bin/tool " + short(elf("forged")), "usr/local/bin/own " + short(elf("own"))}},
		{"written again unchanged", [][]byte{base, imagetest.Tar(imagetest.File{Name: "usr/bin/tool", Data: elf("tool"), Mode: 0o711}, imagetest.File{Name: "usr/bin/.wh.gone"}, imagetest.File{Name: "usr/bin/.wh.extra"})},
			[]string{"usr/local/bin/own " + short(elf("own"))}},
	} {
		for _, how := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip} {
			t.Run(c.name+" "+string(how), func(t *testing.T) {
				r := mustScan(t, programScanner(), testImage(how, c.layers...))
				if diff := cmp.Diff(c.want, ownerless(r.Document)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if problems := r.Document.Check(); len(problems) > 0 {
					t.Error(problems)
				}
			})
		}
	}
}

// Files that came with a package of a language are its own, if its layer brought them.
func TestProgramsOfLanguagePackages(t *testing.T) {
	pkg := imagetest.File{Name: "app/node_modules/a/package.json", Data: `{"name":"a","version":"1.0.0"}`}
	base := imagetest.Tar(append(debian("1.0"), pkg, exec("app/node_modules/a/build/a.node", elf("addon")), exec("app/node_modules/a/cli.js", "#!/usr/bin/env node\n"),
		exec("app/server.js", "#!/usr/bin/env node\nx\n"))...)
	added := imagetest.Tar(exec("app/node_modules/a/miner", elf("miner")))
	r := mustScan(t, programScanner(), testImage(imagetest.Gzip, base, added))
	want := []string{"app/node_modules/a/miner " + short(elf("miner")), "app/server.js " + short("#!/usr/bin/env node\nx\n")}
	if diff := cmp.Diff(want, ownerless(r.Document)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Digests that needed a second reading are kept, and part of the recipe.
func TestDigestsOfProgramsAreKept(t *testing.T) {
	cache, err := filecache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base := imagetest.Tar(append(debian("1.0"), exec("usr/bin/extra", elf("extra")))...)
	s := programScanner()
	s.Cache = cache
	first := mustScan(t, s, testImage(imagetest.Gzip, base))
	if n := len(first.Fragments); n != 2 {
		t.Errorf("%d fragments, want that of the layer and that of its digests", n)
	}
	img := testImage(imagetest.Gzip, base, imagetest.Tar(imagetest.File{Name: "readme", Data: "new"}))
	img.Layers[0].Open = nil // must not be needed
	again := mustScan(t, s, img)
	if diff := cmp.Diff([]string{"usr/bin/extra " + short(elf("extra"))}, ownerless(again.Document)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := again.Document.Composition.Fragments[:2], first.Document.Composition.Fragments; !slices.Equal(got, want) {
		t.Errorf("fragments %v, before %v", got, want)
	}
}

// A root file system has programs without an owner; a folder of somebody's work has not.
func TestProgramsOfFolders(t *testing.T) {
	root := fstest.MapFS{
		"opt/own": {Data: []byte(elf("own")), Mode: 0o755}, "usr/bin/tool": {Data: []byte(elf("tool")), Mode: 0o755},
	}
	for _, f := range debian("1.0", "usr/bin/tool") {
		root[f.Name] = &fstest.MapFile{Data: []byte(f.Data), Mode: 0o644}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, root); err != nil {
		t.Fatal(err)
	}
	scanDir := func(dir string) []string {
		img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectDirectory, Name: "d"}, Tree: &layer.Tree{FS: os.DirFS(dir)}}
		return ownerless(mustScan(t, programScanner(), img).Document)
	}
	if diff := cmp.Diff([]string{"opt/own " + short(elf("own"))}, scanDir(dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := scanDir(filepath.Join(dir, "opt")); len(got) > 0 {
		t.Errorf("somebody's work: %v", got)
	}
}

// once is a folder whose files can be opened a single time.
type once struct {
	fs.FS
	opened map[string]bool
}

func (o once) Open(name string) (fs.File, error) {
	if o.opened[name] && name == "opt/own" {
		return nil, fs.ErrPermission
	}
	o.opened[name] = true
	return o.FS.Open(name)
}

// A program that cannot be read again for its digest is listed without one, and a gap says so.
func TestProgramWithoutDigest(t *testing.T) {
	root := fstest.MapFS{"opt/own": {Data: []byte(elf("own")), Mode: 0o755}}
	for _, f := range debian("1.0") {
		root[f.Name] = &fstest.MapFile{Data: []byte(f.Data), Mode: 0o644}
	}
	img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectDirectory, Name: "d"}, Tree: &layer.Tree{FS: once{root, map[string]bool{}}}}
	d := mustScan(t, programScanner(), img).Document
	if diff := cmp.Diff([]string{"opt/own no digest"}, ownerless(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(d.Gaps, func(g sbom.Gap) bool { return g.Code == sbom.GapUnreadable && g.Where == "opt/own" }) {
		t.Errorf("no gap says so: %v", d.Gaps)
	}
}
