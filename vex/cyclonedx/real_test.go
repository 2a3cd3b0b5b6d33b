package cyclonedx_test

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/cyclonedx"
)

// read collects what a document says.
func read(t testing.TB, name string, text []byte, opts *cyclonedx.Options) (statements []*vex.Statement, broken []string, fatal error) {
	t.Helper()
	for s, err := range cyclonedx.Decode(name, text, opts) {
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
	Documents, Statements, Products, NotAffected, Affected, Fixed, Investigated int
}

func (f *figures) add(status string, products int) {
	f.Statements++
	f.Products += products
	switch status {
	case "not_affected", "false_positive":
		f.NotAffected++
	case "affected", "exploitable":
		f.Affected++
	case "fixed", "resolved", "resolved_with_pedigree":
		f.Fixed++
	case "under_investigation", "in_triage":
		f.Investigated++
	}
}

// recount counts what a document says without this package. In the shared ones all
// versions of a vulnerability have one status.
func (f *figures) recount(t *testing.T, text []byte) {
	var doc struct {
		Vulnerabilities []struct {
			Analysis *struct{ State string }
			Affects  []struct{ Versions []any }
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	f.Documents++
	for _, v := range doc.Vulnerabilities {
		if v.Analysis == nil {
			continue
		}
		n := 0
		for _, a := range v.Affects {
			n += max(1, len(a.Versions))
		}
		f.add(v.Analysis.State, n)
	}
}

// TestReal: every document of the shared pack is read whole, BOM-Links lead to the
// documents beside it, and a count without this package comes to the same.
func TestReal(t *testing.T) {
	files := testdata.Open(t, "vex/cdx-vex.tar.gz")
	var got, recounted figures
	refused, resolved, unresolved := map[string]string{}, 0, 0
	for _, name := range testdata.Names(files) {
		if path.Ext(name) != ".json" {
			continue
		}
		opts := &cyclonedx.Options{BOM: func(serial string, version int) *cyclonedx.BOM {
			for other, text := range files {
				if path.Dir(other) != path.Dir(name) || !strings.HasPrefix(path.Base(other), "bom") {
					continue
				}
				b, err := cyclonedx.ReadBOM(other, text, nil)
				if err != nil {
					t.Fatal(err)
				}
				if b.Serial() == serial && b.Version() == version {
					return b
				}
			}
			return nil
		}}
		statements, broken, err := read(t, name, files[name], opts)
		if err != nil {
			refused[name] = strings.TrimPrefix(err.Error(), "read cyclonedx from "+name+": ")
			continue
		}
		if len(broken) > 0 {
			t.Errorf("%s: %v", name, broken)
		}
		got.Documents++
		for _, s := range statements {
			got.add(string(s.Status), len(s.Products))
			for _, p := range s.Products {
				if strings.HasPrefix(p.Name, "urn:cdx:") {
					unresolved++
				} else {
					resolved++
				}
			}
		}
		recounted.recount(t, files[name])
	}
	if diff := cmp.Diff(figures{Documents: 16, Statements: 59, Products: 88, NotAffected: 34, Affected: 11, Fixed: 7, Investigated: 7}, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(recounted, got); diff != "" {
		t.Errorf("against the count without this package (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"VEX/bom.json": `/specVersion: "1.3" is none of [1.4 1.5 1.6 1.7]: unsupported`, // an SBOM of before there were vulnerabilities
	}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if resolved != 87 || unresolved != 1 { // its document is not in the pack
		t.Errorf("%d references were resolved, and %d not", resolved, unresolved)
	}
}

// TestOfficial: documents of the specification's own tests with vulnerabilities say
// the same in JSON and in XML, and those of other kinds say nothing. The four that
// have an analysis say that what is not affected is affected in three versions.
func TestOfficial(t *testing.T) {
	files := testdata.Open(t, "conformance/cyclonedx-docs.tar.gz")
	documents, statements, parts := 0, 0, 0
	for _, name := range testdata.Names(files) {
		version := path.Base(path.Dir(name))
		if base := path.Base(name); !strings.HasPrefix(base, "valid-") || !strings.Contains(" 1.4 1.5 1.6 1.7 ", " "+version+" ") {
			continue
		}
		if ext := path.Ext(name); ext != ".json" && ext != ".xml" {
			continue
		}
		documents++
		said, broken, err := read(t, name, files[name], nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		statements, parts = statements+len(said), parts+len(broken)
		twin := files[strings.TrimSuffix(name, path.Ext(name))+map[string]string{".json": ".xml", ".xml": ".json"}[path.Ext(name)]]
		if twin == nil || !strings.Contains(name, "vulnerability") {
			continue
		}
		_, other, _ := read(t, name, twin, nil)
		if diff := cmp.Diff(broken, other); diff != "" {
			t.Errorf("%s: JSON and XML differ:\n%s", name, diff)
		}
	}
	if documents != 152 || statements != 0 || parts != 12 {
		t.Errorf("%d documents, %d statements, %d parts", documents, statements, parts)
	}
}

func BenchmarkDecode(b *testing.B) {
	one := `{"id": "CVE-2024-1", "source": {"name": "NVD"}, "ratings": [{"score": 7.5, "severity": "high", "method": "CVSSv31", "vector": "AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N"}],` +
		` "description": "A text of some length that says what the vulnerability is, and is not read.", "analysis": {"state": "not_affected", "justification": "code_not_reachable", "detail": "It is not called."}, "affects": [{"ref": "b"}]}`
	text := []byte(cdx(strings.Repeat(one+",", 4999) + one))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range cyclonedx.Decode("x", text, nil) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 5000 {
			b.Fatal(n)
		}
	}
}
