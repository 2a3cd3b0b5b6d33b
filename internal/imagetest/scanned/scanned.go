// Package scanned gives tests the documents of real scans: images put together
// from package databases, lock files and installed packages of the shared data.
package scanned

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/apk"
	"github.com/stella-ops/stella/scan/analyzer/cargo"
	"github.com/stella-ops/stella/scan/analyzer/composer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
	"github.com/stella-ops/stella/scan/analyzer/java"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/analyzer/pypi"
	"github.com/stella-ops/stella/scan/analyzer/rpm"
	"github.com/stella-ops/stella/scan/analyzer/rubygems"
	"github.com/stella-ops/stella/scan/sbom"
)

// Names are the images that Document knows, at least one of each kind of
// operating system package; the first has packages of all languages on top.
var Names = []string{"debian", "alpine", "alpaquita", "rpm", "sle"}

// analyzers are those of what the images have. Not package all: its reader of SBOM documents
// imports the codecs that are tested with these.
var analyzers = analyzer.NewSet(osrelease.Analyzer{}, dpkg.Analyzer{}, apk.Analyzer{}, rpm.Analyzer{}, gobinary.Analyzer{}, npm.Analyzer{},
	pypi.Analyzer{}, java.Analyzer{}, cargo.Analyzer{}, rubygems.Analyzer{}, composer.Analyzer{})

// known keeps what was scanned, by name and test data folder.
var known sync.Map

// Document scans the image of one name, or skips the test where the shared data
// is absent. The caller owns what it gets.
func Document(t testing.TB, name string) *sbom.Document {
	t.Helper()
	scanOnce, _ := known.LoadOrStore(name, sync.OnceValues(func() (*scan.Result, error) {
		s := &scan.Scanner{Analyzers: analyzers, Tool: sbom.Tool{Vendor: "stella-ops", Name: "stella", Version: "1.0.0"}}
		return s.Scan(context.Background(), image(layers(t, name)))
	}))
	r, err := scanOnce.(func() (*scan.Result, error))()
	if err != nil || r == nil {
		t.Fatalf("scan %s: %v", name, err)
	}
	d := *r.Document
	d.Packages = append([]sbom.Package(nil), d.Packages...)
	d.Relationships = append([]sbom.Relationship(nil), d.Relationships...)
	d.Gaps = append([]sbom.Gap(nil), d.Gaps...)
	return &d
}

func image(tars [][]byte) *scan.Image {
	img := &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: imagetest.Digest(tars[0]), ConfigDigest: imagetest.Digest(tars[0]), Platform: "linux/amd64"},
		Created: imagetest.Created,
		Source: &sbom.Source{Reference: "docker://registry.example/app:1", Manifest: imagetest.Digest(tars[0]), MediaType: "application/vnd.oci.image.manifest.v1+json",
			Tags: []string{"registry.example/app:1"}},
	}
	for _, data := range tars {
		b := imagetest.Blob(data, imagetest.Plain)
		img.Layers = append(img.Layers, b)
		img.Subject.Layers = append(img.Subject.Layers, sbom.Layer{DiffID: b.DiffID, CreatedBy: "COPY a \"b\" <c> & d /"})
		img.Source.Layers = append(img.Source.Layers, b.Descriptor)
	}
	return img
}

// layers are the tars of an image, base first.
func layers(t testing.TB, name string) [][]byte {
	t.Helper()
	switch name {
	case "debian":
		return [][]byte{imagetest.Tar(debian(t)...), imagetest.Tar(languages(t)...)}
	case "alpine":
		return [][]byte{imagetest.Tar(under(testdata.Open(t, "pkgdb/alpine-roots.tar.gz"), "alpine-3.18.9-x86_64/", "")...)}
	case "alpaquita": // built like Alpine, and there are records about it
		files := testdata.Open(t, "pkgdb/alpine-roots.tar.gz")
		return [][]byte{imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=alpaquita\nID_LIKE=alpine\nVERSION_ID=23\nPRETTY_NAME=\"BellSoft Alpaquita Linux Stream 23 (musl)\"\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: string(files["alpine-3.18.9-x86_64/lib/apk/db/installed"])},
		)}
	case "rpm":
		return [][]byte{imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nPRETTY_NAME=\"AlmaLinux 9.4 (Seafoam Ocelot)\"\nCPE_NAME=\"cpe:/o:almalinux:almalinux:9::baseos\"\n"},
			imagetest.File{Name: "var/lib/rpm/rpmdb.sqlite", Data: string(testdata.Open(t, "pkgdb/rpmdb-scancode.tar.gz")["rpmdb.sqlite"])},
		)}
	case "sle":
		return [][]byte{imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.3\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP3\"\n"},
			imagetest.File{Name: "usr/lib/sysimage/rpm/Packages.db", Data: string(testdata.Open(t, "pkgdb/rpmdb.tar.gz")["pkg/testdata/sle15-bci/Packages.db"])},
		)}
	}
	t.Fatalf("no image %q", name)
	return nil
}

// debian is a real root with one more package, which owns a Python package.
func debian(t testing.TB) []imagetest.File {
	files := testdata.Open(t, "pkgdb/debian-bookworm-minbase.tar.gz")
	files["var/lib/dpkg/status"] = append(bytes.TrimRight(files["var/lib/dpkg/status"], "\n"), []byte("\n\nPackage: python3-requests\nStatus: install ok installed\n"+
		"Architecture: all\nSource: requests (2:2.28.1+dfsg-1)\nVersion: 2:2.28.1+dfsg-1\nMaintainer: Debian Python Team <team+python@tracker.debian.org>\nDescription: elegant HTTP library\n")...)
	const metadata = "usr/lib/python3/dist-packages/requests-2.28.1.dist-info/METADATA"
	files["var/lib/dpkg/info/python3-requests.list"] = []byte("/.\n/usr\n/" + metadata + "\n")
	files[metadata] = []byte("Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\n")
	// A second package database that cannot be read.
	files["var/lib/rpm/rpmdb.sqlite"] = append([]byte("SQLite format 3\x00"), make([]byte, 5000)...)
	return under(files, "", "")
}

// languages are projects, installed packages, archives and a Go program.
func languages(t testing.TB) []imagetest.File {
	files := under(testdata.Open(t, "lockfiles/trivy-analyzer.tar.gz"), "", "srv/")
	parsers := testdata.Open(t, "lockfiles/trivy-parser.tar.gz")
	for _, name := range testdata.Names(parsers) {
		base := path.Base(name)
		dir := "opt/" + strings.ReplaceAll(strings.TrimPrefix(name, "pkg/dependency/parser/"), "/", "-") + "/"
		switch {
		case strings.HasPrefix(base, "package-lock"):
			base = "package-lock.json"
		case strings.HasPrefix(base, "pnpm-lock"):
			base = "pnpm-lock.yaml"
		case strings.HasPrefix(base, "yarn"), strings.HasPrefix(base, "requirements"), strings.HasPrefix(base, "poetry"), strings.HasPrefix(base, "gradle"):
		default:
			continue
		}
		files = append(files, imagetest.File{Name: dir + base, Data: string(parsers[name])})
	}
	program, err := os.ReadFile("/proc/self/exe") // a Go program, and at hand
	if err == nil {
		files = append(files, imagetest.File{Name: "usr/local/bin/program", Data: string(program), Mode: 0o755})
	}
	manifests := testdata.Open(t, "lockfiles/jar-manifests.tar.gz")
	for _, name := range testdata.Names(manifests) {
		if base := path.Base(name); strings.HasSuffix(base, ".jar") {
			files = append(files, imagetest.File{Name: "opt/lib/" + base, Data: jar("META-INF/MANIFEST.MF", string(manifests[name]))})
		}
	}
	return append(files,
		imagetest.File{Name: "opt/lib/netty.jar", Data: jar("META-INF/maven/io.netty/netty-codec-http/pom.properties", "groupId=io.netty\nartifactId=netty-codec-http\nversion=4.1.48.Final\n")},
		imagetest.File{Name: "opt/lib/unnamed.jar", Data: jar("some.class", "x")},
		imagetest.File{Name: "opt/lib/broken.jar", Data: "PK\x03\x04 and nothing more"},
		imagetest.File{Name: "opt/py/requests-2.19.1.dist-info/METADATA", Data: "Metadata-Version: 2.1\nName: requests\nVersion: 2.19.1\nLicense: Apache 2.0\n"},
		imagetest.File{Name: "opt/py/Odd_Name-1.dist-info/METADATA", Data: "Metadata-Version: 2.1\nName: Odd.Name <&> \"x\"\nVersion: not a version\nLicense: see the file\n"},
		imagetest.File{Name: "opt/broken/package-lock.json", Data: "{"},
	)
}

func jar(name, data string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err == nil {
		_, err = f.Write([]byte(data))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // memory does not fail
	}
	return b.String()
}

// under makes tar entries of the files below prefix.
func under(files map[string][]byte, prefix, target string) []imagetest.File {
	var out []imagetest.File
	for _, name := range testdata.Names(files) {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			out = append(out, imagetest.File{Name: target + rest, Data: string(files[name])})
		}
	}
	return out
}
