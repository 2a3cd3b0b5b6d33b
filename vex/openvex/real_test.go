package openvex_test

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/openvex"
)

// read collects what a document says.
func read(t testing.TB, name string, text []byte, opts *openvex.Options) (statements []*vex.Statement, broken []string, fatal error) {
	t.Helper()
	for s, err := range openvex.Decode(name, text, opts) {
		var part *vex.StatementError
		switch {
		case fatal != nil:
			t.Fatal("something follows the last error")
		case errors.As(err, &part):
			broken = append(broken, err.Error())
		case err != nil:
			fatal = err
		default:
			statements = append(statements, s)
		}
	}
	return statements, broken, fatal
}

// figures count what documents say.
type figures struct {
	Documents, Statements, Products, Subcomponents         int
	NotAffected, Affected, Fixed, Investigated, Unverified int
}

func (f *figures) add(s *vex.Statement) {
	f.Statements++
	for i := range s.Products {
		f.Products++
		f.Subcomponents += len(s.Products[i].Subcomponents)
	}
	f.status(string(s.Status))
}

func (f *figures) status(s string) {
	switch s {
	case "not_affected":
		f.NotAffected++
	case "affected":
		f.Affected++
	case "fixed":
		f.Fixed++
	case "under_investigation":
		f.Investigated++
	default:
		f.Unverified++
	}
}

// recount counts what a document says without this package.
func (f *figures) recount(t *testing.T, text []byte) {
	var doc struct{ Statements []map[string]any }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	f.Documents++
	for _, s := range doc.Statements {
		f.Statements++
		f.status(s["status"].(string))
		for _, p := range s["products"].([]any) {
			f.Products++
			if object, ok := p.(map[string]any); ok {
				subs, _ := object["subcomponents"].([]any)
				f.Subcomponents += len(subs)
			}
		}
	}
}

// packs are the shared documents, and what they say.
var packs = map[string]figures{
	"openvex-aqua-vexhub":    {Documents: 34, Statements: 9945, Products: 9977, Subcomponents: 10057, NotAffected: 9945},
	"openvex-dhi":            {Documents: 50, Statements: 4251, Products: 37342, Subcomponents: 58372, NotAffected: 4170, Investigated: 81},
	"openvex-go-vex":         {Documents: 7, Statements: 11, Products: 13, Subcomponents: 10, NotAffected: 2, Fixed: 6, Investigated: 3},
	"openvex-rancher-golang": {Documents: 97, Statements: 46312, Products: 46312, Subcomponents: 46312, NotAffected: 46312},
	"openvex-rancher-oci":    {Documents: 242, Statements: 6779, Products: 6779, Subcomponents: 6779, NotAffected: 6779},
	"openvex-vexctl":         {Documents: 7, Statements: 9, Products: 10, NotAffected: 4, Fixed: 4, Investigated: 1},
}

// TestReal: every document of the shared packs is read whole, and a count without
// this package comes to the same.
func TestReal(t *testing.T) {
	for pack, want := range packs {
		t.Run(pack, func(t *testing.T) {
			var got, recounted figures
			files := testdata.Open(t, "vex/"+pack+".tar.gz")
			for _, name := range testdata.Names(files) {
				if path.Ext(name) != ".json" || !strings.Contains(string(files[name][:min(len(files[name]), 4096)]), "openvex.dev/ns") {
					continue
				}
				statements, broken, err := read(t, name, files[name], nil)
				if err != nil || len(broken) > 0 {
					t.Errorf("%s: %v %v", name, broken, err)
					continue
				}
				got.Documents++
				for _, s := range statements {
					got.add(s)
					if s.ID == "" || s.Time.IsZero() || s.Origin.Document == "" || s.Origin.Author == "" {
						t.Fatalf("%s: %s is not complete", name, s.Origin.Pointer)
					}
				}
				recounted.recount(t, files[name])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(recounted, got); diff != "" {
				t.Errorf("against the count without this package (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRealWritten: what the shared documents say is the same after it was written.
func TestRealWritten(t *testing.T) {
	compared, left := 0, 0
	for _, pack := range []string{"openvex-aqua-vexhub", "openvex-go-vex", "openvex-rancher-oci", "openvex-vexctl"} {
		files := testdata.Open(t, "vex/"+pack+".tar.gz")
		for _, name := range testdata.Names(files) {
			statements, _, err := read(t, name, files[name], nil)
			if err != nil {
				continue
			}
			doc := &openvex.Document{Author: statements[0].Origin.Author, Timestamp: statements[0].Time, Statements: statements}
			text, err := encode(doc)
			if err != nil {
				left++ // of a product without an identifier, or not complete
				continue
			}
			again, broken, err := read(t, name, text, nil)
			statements = unique(statements)
			if err != nil || len(broken) > 0 || len(again) != len(statements) {
				t.Fatalf("%s: %d of %d statements, %v %v", name, len(again), len(statements), broken, err)
			}
			for i := range again {
				if again[i].Content != statements[i].Content {
					t.Fatalf("%s: %s changed (-before +after):\n%s", name, statements[i].Origin.Pointer, diff(statements[i], again[i]))
				}
				compared++
			}
		}
	}
	if compared < 15000 || left > 10 {
		t.Errorf("%d statements were compared, and %d documents left out", compared, left)
	}
}

// TestGoVex: the documents that the reference implementation is tested with say what
// its tests expect.
func TestGoVex(t *testing.T) {
	files := testdata.Open(t, "vex/openvex-go-vex.tar.gz")
	const dir = "pkg/vex/testdata/"
	for _, tt := range []struct {
		file, vulnerability, product, version, time string
		status                                      vex.Status
	}{
		{"v0.0.1.json", "CVE-2023-12345", "pkg:apk/wolfi/git@2.39.0-r1?arch=armv7", "1", "2023-01-09T00:02:03.647787998Z", vex.Fixed},
		{"v0.0.1-noversion.json", "CVE-2023-12345", "pkg:apk/wolfi/git@2.39.0-r1?arch=armv7", "1", "2023-01-09T00:02:03.647787998Z", vex.Fixed},
		{"v0.2.0.json", "CVE-2023-1255", "pkg:oci/alpine@sha256%3A124c7d2707904eea7431fffe91522a01e5a861a624ee31d03372cc1d138a3126", "1", "2023-07-18T00:28:47.696004345Z", vex.Fixed},
		{"v001-1.vex.json", "CVE-1234-5678", "pkg:apk/wolfi/bash@1.0.0", "", "2022-12-22T21:36:43Z", vex.UnderInvestigation},
		{"v020-1.vex.json", "CVE-9876-54321", "pkg:apk/wolfi/bash@1.0.0", "", "2022-12-22T21:36:43Z", vex.UnderInvestigation},
	} {
		statements, _, err := read(t, tt.file, files[dir+tt.file], nil)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		s := statements[0]
		got := []string{s.Vulnerability, s.Products[0].PURL, s.Origin.Version, s.Time.Format("2006-01-02T15:04:05.999999999Z07:00"), string(s.Status)}
		if diff := cmp.Diff([]string{tt.vulnerability, tt.product, tt.version, tt.time, string(tt.status)}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, diff)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	text := testdata.Open(b, "vex/openvex-rancher-golang.tar.gz")["pkg/golang/k8s.io/api/scan.openvex.json"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range openvex.Decode("x", text, nil) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n == 0 {
			b.Fatal("no statements")
		}
	}
}
