package packagefile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb/rpmdbtest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/sbom"
)

const control = `Package: libhello1
Source: hello (2.10-3)
Version: 1:2.10-3+b1
Architecture: amd64
Maintainer: Jane Doe <jane@example.org>
Homepage: https://example.org/hello
Description: example of a library
 Package: nothing
`

// packed is a tar of files, without an end for open ones.
func packed(open bool, files ...[2]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			panic(err)
		}
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	if !open {
		b.Write(make([]byte, 1024))
	}
	return b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func zstandard(data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(data, nil)
}

// archive is an ar archive of members.
func archive(members ...[2]string) []byte {
	out := []byte(arMagic)
	for _, m := range members {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", m[0], 0, 0, 0, 0o100644, len(m[1]), m[1])
		if len(m[1])%2 == 1 {
			out = append(out, '\n')
		}
	}
	return out
}

func deb(suffix string, data []byte) []byte {
	return archive([2]string{"debian-binary", "2.0\n"}, [2]string{"_odd/", "x"}, [2]string{"control.tar" + suffix, string(data)}, [2]string{"data.tar.xz", "files"})
}

// rpm is a package with a header.
func rpm(fields ...rpmdbtest.Field) []byte {
	out := append([]byte(leadMagic), make([]byte, leadBytes-len(leadMagic))...)
	signature := rpmdbtest.Header([]rpmdbtest.Field{rpmdbtest.Bytes(261, make([]byte, 15))})
	for _, h := range [][]byte{signature, rpmdbtest.Header(fields)} {
		for len(out)%8 != 0 {
			out = append(out, 0)
		}
		out = append(append(out, headerMagic+"\x00\x00\x00\x00"...), h...)
	}
	return append(out, "files"...)
}

func hello(source string) []byte {
	fields := []rpmdbtest.Field{
		rpmdbtest.Text(1000, "hello-libs"), rpmdbtest.Text(1001, "2.12"), rpmdbtest.Text(1002, "3.el9"), rpmdbtest.Numbers(1003, 1),
		rpmdbtest.Text(1004, "example"), rpmdbtest.Text(1014, "GPL-3.0-or-later"), rpmdbtest.Text(1022, "x86_64"),
	}
	if source != "" {
		fields = append(fields, rpmdbtest.Text(1044, source))
	}
	return rpm(fields...)
}

const pkginfo = "# Generated\npkgname = libhello\npkgver = 2.10-r1\narch = x86_64\norigin = hello\npkgdesc = example\nlicense = MIT\nurl = https://example.org\n"

func alpine(info string) []byte {
	out := gzipped(packed(true, [2]string{".SIGN.RSA.key", strings.Repeat("s", 600)}))
	out = append(out, gzipped(packed(true, [2]string{".PKGINFO", info}, [2]string{".post-install", "x"}))...)
	return append(out, gzipped(packed(false, [2]string{"usr/bin/hello", "x"}))...)
}

func TestPackages(t *testing.T) {
	debian := packed(false, [2]string{"./md5sums", "x"}, [2]string{"./control", control})
	files := map[string][]byte{
		"a/1.deb":                  deb(".gz", gzipped(debian)),
		"a/2.deb":                  deb(".zst", zstandard(debian)),
		"a/3.DEB":                  deb("", debian),
		"a/libx_1%3a2-3_arm64.deb": deb(".xz", []byte("\xfd7zXZ\x00")),
		"a/nameless.deb":           deb(".xz", []byte("\xfd7zXZ\x00")),
		"a/4.rpm":                  hello("hello-2.12-3.el9.src.rpm"),
		"a/5.src.rpm":              hello(""),
		"a/6.apk":                  alpine(pkginfo),
		"a/7.apk":                  []byte("ADBd and more"),
		"a/android.apk":            []byte("PK\x03\x04 and more"),
		"a/movie.rpm":              []byte(".RMF and more"),
		"a/empty.deb":              nil,
	}
	want := `a/1.deb: libhello1
	name: libhello1 | 1:2.10-3+b1
	purl: pkg:deb/libhello1@1:2.10-3%2Bb1?arch=amd64&upstream=hello%402.10-3
	as: declared
	arch: amd64
	upstream: hello | 2.10-3
	description: example of a library
	supplier: Jane Doe <jane@example.org>
	homepage: https://example.org/hello
`
	want += strings.Replace(want, "a/1.deb", "a/2.deb", 1) + strings.Replace(want, "a/1.deb", "a/3.DEB", 1) + `a/4.rpm: hello-libs
	name: hello-libs | 1:2.12-3.el9
	purl: pkg:rpm/hello-libs@2.12-3.el9?arch=x86_64&epoch=1&upstream=hello-2.12-3.el9.src.rpm
	as: declared
	arch: x86_64
	upstream: hello
	licence: GPL-3.0-or-later
	description: example
	rpm:sourcerpm: hello-2.12-3.el9.src.rpm
a/5.src.rpm: hello-libs
	name: hello-libs | 1:2.12-3.el9
	purl: pkg:rpm/hello-libs@2.12-3.el9?arch=src&epoch=1
	as: declared
	arch: src
	licence: GPL-3.0-or-later
	description: example
a/6.apk: libhello
	name: libhello | 2.10-r1
	purl: pkg:apk/libhello@2.10-r1?arch=x86_64&upstream=hello
	as: declared
	arch: x86_64
	upstream: hello
	licence: MIT
	description: example
	homepage: https://example.org
a/libx_1%3a2-3_arm64.deb: libx
	name: libx | 1:2-3
	purl: pkg:deb/libx@1:2-3?arch=arm64
	as: declared
	arch: arm64
	packagefile:by: file name
error: read a/7.apk: an Alpine package of version 3: unsupported
error: read a/libx_1%3a2-3_arm64.deb: control data of the kind ".xz", so that the package is told by its file name alone: unsupported
error: read a/nameless.deb: control data of the kind ".xz": unsupported
`
	if diff := cmp.Diff(want, analyzertest.Scan(Analyzer{}, files).String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is installed in the same version has the same package URL.
func TestDistribution(t *testing.T) {
	in := &analyzer.Squashed{OS: &sbom.OS{ID: "rocky", VersionID: "9.4"}}
	facts, err := Analyzer{}.Extract(t.Context(), analyzer.NewMemoryFile("a.rpm", hello("hello-2.12-3.el9.src.rpm")))
	if err != nil {
		t.Fatal(err)
	}
	in.Facts = []analyzer.Located{{Fact: facts[0], Path: "a.rpm"}}
	out, _ := Analyzer{}.Join(in)
	if got, want := out[0].Package.PURL.String(), "pkg:rpm/rocky/hello-libs@2.12-3.el9?arch=x86_64&distro=rocky-9.4&epoch=1&upstream=hello-2.12-3.el9.src.rpm"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// streamed is content that ends an analyzer which reads more than it needs.
type streamed struct {
	io.Reader
	left int
}

func (*streamed) ReaderAt() (io.ReaderAt, error) { return nil, analyzer.ErrForward }

func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p[:min(len(p), s.left)])
	s.left -= n
	if s.left == 0 && err == nil {
		err = fmt.Errorf("read too far")
	}
	return n, err
}

func TestReadsNoMoreThanItNeeds(t *testing.T) {
	for name, data := range map[string][]byte{"a.deb": deb(".gz", gzipped(packed(false, [2]string{"control", control}))), "a.rpm": hello("")} {
		need := len(data) + 64<<10
		data = append(data, make([]byte, 1<<20)...)
		f := analyzer.NewFile(name, int64(len(data)), 0o644, &streamed{bytes.NewReader(data), need}, nil, nil)
		if facts, err := (Analyzer{}).Extract(context.Background(), f); err != nil || len(facts) != 1 {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
}

func TestHostile(t *testing.T) {
	bomb := packed(false, [2]string{"a", strings.Repeat("\x00", maxControl)}, [2]string{"control", control})
	huge := hello("")
	binary.BigEndian.PutUint32(huge[leadBytes+8:], 0xffffffff)
	big := append(hello("")[:leadBytes], headerMagic+"\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x01"...)
	var many [][2]string
	for range maxMembers {
		many = append(many, [2]string{"_x", ""})
	}
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "a bomb", Path: "a.deb", Data: string(deb(".gz", gzipped(bomb))), Want: fault.Limit},
		analyzertest.Hostile{Name: "a bomb of zstd", Path: "a.deb", Data: string(deb(".zst", zstandard(bomb))), Want: fault.Limit},
		analyzertest.Hostile{Name: "a bomb of Alpine", Path: "a.apk", Data: string(gzipped(bomb)), Want: fault.Limit},
		analyzertest.Hostile{Name: "a long control file", Path: "a.deb", Data: string(deb("", packed(false, [2]string{"control", strings.Repeat("a", maxText+1)}))), Want: fault.Limit},
		analyzertest.Hostile{Name: "many members", Path: "a.deb", Data: string(archive(append(many, [2]string{"control.tar", ""})...)), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no control", Path: "a.deb", Data: string(archive([2]string{"data.tar", ""})), Want: fault.Invalid},
		analyzertest.Hostile{Name: "cut off", Path: "a.deb", Data: arMagic + "debian", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no gzip", Path: "a.deb", Data: string(deb(".gz", []byte("no"))), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no tar", Path: "a.apk", Data: string(gzipped(bytes.Repeat([]byte("a"), 2000))), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: "a.apk", Data: string(alpine("pkgname = a\n")), Want: fault.Invalid},
		analyzertest.Hostile{Name: "a signature without end", Path: "a.rpm", Data: string(huge), Want: fault.Invalid},
		analyzertest.Hostile{Name: "a large header", Path: "a.rpm", Data: string(big) + strings.Repeat("\x00", maxHeader+8), Want: fault.Limit},
		analyzertest.Hostile{Name: "cut off in the header", Path: "a.rpm", Data: string(hello("")[:leadBytes+120]), Want: fault.Invalid},
	)
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, Analyzer{},
		analyzertest.Growth{Name: "fields", Path: "a.deb", Data: func(n int) string {
			return string(deb("", packed(false, [2]string{"control", control + analyzertest.Lines(n, "X-%d: y\n")})))
		}},
		analyzertest.Growth{Name: "lines", Path: "a.apk", Data: func(n int) string { return string(alpine(pkginfo + analyzertest.Lines(n, "depend = a%d\n"))) }},
		analyzertest.Growth{Name: "tags", Path: "a.rpm", Data: func(n int) string {
			fields := []rpmdbtest.Field{rpmdbtest.Text(1000, "a"), rpmdbtest.Text(1001, "1")}
			for i := range min(n, 60_000) {
				fields = append(fields, rpmdbtest.Text(uint32(10_000+i), "x"))
			}
			return string(rpm(fields...))
		}})
}

func FuzzDeb(f *testing.F) {
	f.Add(deb(".gz", gzipped(packed(false, [2]string{"control", control}))))
	f.Add(deb("", packed(false, [2]string{"./control", control})))
	f.Add(deb(".zst", zstandard(packed(false, [2]string{"./control", control}))))
	f.Fuzz(func(t *testing.T, data []byte) { analyzertest.Check(t, Analyzer{}, "a_1_b.deb", data) })
}

func FuzzControl(f *testing.F) {
	f.Add([]byte(control))
	f.Fuzz(func(t *testing.T, text []byte) {
		analyzertest.Check(t, Analyzer{}, "a.deb", deb("", packed(false, [2]string{"control", string(text)})))
	})
}

func FuzzRPM(f *testing.F) {
	f.Add(hello("hello-2.12-3.el9.src.rpm"))
	f.Fuzz(func(t *testing.T, data []byte) { analyzertest.Check(t, Analyzer{}, "a.rpm", data) })
}

func FuzzPkginfo(f *testing.F) {
	f.Add([]byte(pkginfo))
	f.Fuzz(func(t *testing.T, text []byte) { analyzertest.Check(t, Analyzer{}, "a.apk", alpine(string(text))) })
}
