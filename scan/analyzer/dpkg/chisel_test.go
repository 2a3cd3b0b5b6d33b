package dpkg

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

const wall = `{"jsonwall":"1.0","schema":"1.0","count":9}
{"kind":"content","slice":"base-files_base","path":"/etc/"}
{"kind":"package","name":"base-files","version":"13ubuntu10.1","sha256":"` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `","arch":"amd64"}
{"kind":"package","name":"libssl3t64","version":"3.0.13-0ubuntu3.4","sha256":"x","arch":"amd64"}
{"kind":"path","path":"/etc/","mode":"0755","slices":["base-files_base","libssl3t64_libs"]}
{"kind":"path","path":"/usr/lib/libssl.so.3","mode":"0644","slices":["libssl3t64_libs"],"sha256":"ab","size":5}
{"kind":"slice","name":"base-files_base"}
{"kind":"slice","name":"libssl3t64_libs"}
{"kind":"slice","name":"base-files_chisel"}
`

func packed(t testing.TB, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(text), nil)
}

func TestChisel(t *testing.T) {
	files := map[string][]byte{chiselFile: packed(t, wall)}
	got := analyzertest.Scan(Analyzer{}, files).String()
	want := `var/lib/chisel/manifest.wall: base-files
	name: base-files | 13ubuntu10.1
	purl: pkg:deb/base-files@13ubuntu10.1?arch=amd64
	arch: amd64
	sha256: 0123456789abcdef…
	dpkg:chisel: base chisel
	owns: etc
var/lib/chisel/manifest.wall: libssl3t64
	name: libssl3t64 | 3.0.13-0ubuntu3.4
	purl: pkg:deb/libssl3t64@3.0.13-0ubuntu3.4?arch=amd64
	arch: amd64
	dpkg:chisel: libs
	owns: etc, usr/lib/libssl.so.3
blocking gap: unidentified: var/lib/chisel/manifest.wall: packages of chisel, whose manifest does not name their sources: advisories that go by source are found where both have one name
blocking gap: unidentified: var/lib/chisel/manifest.wall: dpkg packages, but no os-release says which distribution they belong to
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files[statusFile] = []byte("Package: libssl3t64\nStatus: install ok installed\nVersion: 3.0.13-0ubuntu3.4\nArchitecture: amd64\nSource: openssl\n\n" +
		"Package: base-files\nStatus: install ok installed\nVersion: 13ubuntu10.1\nArchitecture: amd64\n")
	r := analyzertest.Scan(Analyzer{}, files)
	if diff := cmp.Diff([]string{"base-files@13ubuntu10.1", "libssl3t64@3.0.13-0ubuntu3.4"}, r.Names()); diff != "" || len(r.Packages) != 2 || len(r.Gaps) != 1 {
		t.Errorf("beside a status file: %s\n%s", diff, r)
	}
}

func TestBadChisel(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"no zstd": {[]byte(wall), fault.Invalid}, "cut off": {packed(t, wall)[:60], fault.Invalid}, "no object": {packed(t, wall+"[]\n"), fault.Invalid},
		"another format": {packed(t, strings.Replace(wall, `"schema":"1.0"`, `"schema":"2.0"`, 1)), fault.Unsupported},
		"no version":     {packed(t, wall+`{"kind":"package","name":"a"}`), fault.Invalid},
		"a bomb":         {packed(t, wall+strings.Repeat(" ", maxChisel)), fault.Limit},
	} {
		_, err := Analyzer{}.Extract(t.Context(), analyzer.NewMemoryFile(chiselFile, c.data))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzChisel(f *testing.F) {
	f.Add([]byte(wall))
	f.Fuzz(func(t *testing.T, data []byte) {
		analyzertest.Check(t, Analyzer{}, chiselFile, packed(t, string(data)))
	})
}
