package advisory_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
)

// TestWriteBenchmarkData writes what whole processes are compared on, for
// docs/benchmarks.md: the records of BenchmarkMatch as a store of ours (db) and
// as archives for osv-scanner (osv-scanner/ECOSYSTEM/all.zip), and documents of
// 200, 2,000 and 20,000 packages.
func TestWriteBenchmarkData(t *testing.T) {
	dir := os.Getenv("STELLA_BENCH_DATA")
	if dir == "" {
		t.Skip("STELLA_BENCH_DATA names no folder")
	}
	list := synthetic()
	if _, err := (snapshot.Store{Dir: filepath.Join(dir, "db")}).Import(records(list...)); err != nil {
		t.Fatal(err)
	}
	writeArchives(t, filepath.Join(dir, "osv-scanner"), list)
	for name, n := range map[string]int{"200": 200, "2000": 2000, "20000": 20000} {
		f, err := os.Create(filepath.Join(dir, "sbom-"+name+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		doc := syntheticDocument(n)
		for i := range doc.Packages {
			doc.Packages[i].ID = ""
		}
		doc.Normalize()
		if _, err := cyclonedx.Encode(f, doc, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeArchives(t *testing.T, dir string, list []*advisory.Record) {
	t.Helper()
	archives := map[string]*zip.Writer{}
	for _, r := range list {
		a := &r.Affected[0]
		base, _, _ := strings.Cut(a.Ecosystem, ":")
		z := archives[base]
		if z == nil {
			name := filepath.Join(dir, base, "all.zip")
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z = zip.NewWriter(f)
			archives[base] = z
		}
		var severities []any
		for _, s := range r.Scores {
			severities = append(severities, map[string]string{"type": s.Type, "score": s.Value})
		}
		text, err := json.Marshal(map[string]any{
			"schema_version": "1.6.0", "id": r.ID, "modified": r.Modified, "published": r.Modified, "aliases": r.Aliases, "summary": r.Summary, "details": r.Details, "severity": severities,
			"affected": []any{map[string]any{"package": map[string]string{"ecosystem": a.Ecosystem, "name": a.Name}, "ranges": a.Ranges, "versions": a.Versions}},
		}, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(r.ID + ".json")
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, z := range archives {
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
