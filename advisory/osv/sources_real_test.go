package osv_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/testdata"
)

// TestRealDocuments reads real databases through their sources, document by
// document. What cannot be used is known, with its reason.
func TestRealDocuments(t *testing.T) {
	for pack, tt := range map[string]struct {
		source *osv.Source
		broken []string
	}{
		"osv-go": {source: osv.GoVulnDB()}, "osv-crates": {source: osv.RustSec()}, "osv-pypi": {source: osv.PyPA()},
		"osv-cpython": {source: osv.PSF()}, "osv-drupal": {source: osv.Drupal()}, "osv-julia": {source: osv.Julia()},
		"osv-almalinux": {source: osv.AlmaLinux()}, "osv-bitnami": {source: osv.Bitnami()}, "osv-bellsoft": {source: osv.BellSoft()},
		"osv-r": {source: osv.R()}, "osv-ghsa-mixed": {source: osv.Bucket()},
		"osv-dhi": {source: osv.DHI(), broken: []string{"osv/spark/CVE-2019-10172.json", "osv/spark/CVE-2020-27223.json"}}, // ranges that start nowhere
	} {
		t.Run(pack, func(t *testing.T) {
			var broken []string
			notes := map[string]int{}
			files := testdata.Open(t, "advisories/"+pack+".tar.gz")
			for _, name := range testdata.Names(files) {
				if ext := path.Ext(name); ext != ".json" && ext != ".yaml" {
					continue
				}
				n := 0
				for st, err := range tt.source.Parse(&advisory.Document{Name: name, Content: files[name]}) {
					n++
					if err != nil {
						broken = append(broken, name)
						t.Log(err)
						continue
					}
					for _, note := range st.(*advisory.Record).Notes() {
						notes[kind(note.Text)]++
					}
				}
				if n != 1 {
					t.Errorf("%s says %d things", name, n)
				}
			}
			if diff := cmp.Diff(tt.broken, broken); diff != "" {
				t.Errorf("documents that cannot be used, -want +got:\n%s", diff)
			}
			for _, k := range slices.Sorted(maps.Keys(notes)) {
				t.Logf("%d notes: %s", notes[k], k)
			}
		})
	}
}

// kind is a note without what is particular.
func kind(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if strings.ContainsAny(w, `"0123456789`) {
			words[i] = "…"
		}
	}
	return strings.Join(words[:min(len(words), 14)], " ")
}

// TestLinterVerdicts: what the schema's own linter finds bad is refused or
// noted, and what it finds good is neither.
//
// Source: ossf/osv-schema, tools/osv-linter/internal/checks, tests.
func TestLinterVerdicts(t *testing.T) {
	want := map[string]string{
		"GO-2020-0001.json":                "good",
		"GO-2024-2963.json":                "good",
		"MAL-2024-10238.json":              "good",
		"PYSEC-2023-74.json":               "good",
		"SUSE-FU-2022_0444-1.json":         "noted: it affects nothing",
		"nointroduced-CVE-2023-41045.json": "refused",
		"nondistinct-CVE-2018-5407.json":   `noted: it starts and is fixed at "e818b74be2170fbe957a07b0da4401c2b694b3b8"`,
	}
	got := map[string]string{}
	for name, text := range testdata.Open(t, "advisories/osv-linter.tar.gz") {
		r, err := osv.Parse(text, nil)
		verdict := "good"
		if err != nil {
			verdict = "refused"
		} else if notes := r.Notes(); len(notes) > 0 {
			verdict = fmt.Sprintf("noted: %s", notes[0].Text)
		}
		got[path.Base(name)] = verdict
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRealFetch fetches a whole database through a bundle that was made of it,
// again with what it knows then, and after a part of it has changed.
func TestRealFetch(t *testing.T) {
	files := testdata.Open(t, "advisories/osv-go.tar.gz")
	older := testdata.Open(t, "advisories/osv-go-delta.tar.gz")
	archive := func(change map[string][]byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range testdata.Names(files) {
			text := files[name]
			if other, ok := change[name]; ok {
				text = other
			}
			w, err := z.Create("ID/" + name)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(text)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	dir := t.TempDir()
	put := func(text []byte) {
		at := filepath.Join(dir, "vuln.go.dev", "vulndb.zip")
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := osv.GoVulnDB()
	fetch := func(state []byte) (map[string]string, *advisory.Fetched) {
		digests := map[string]string{}
		out, err := s.Fetch(t.Context(), feed.Dir(dir), state, func(doc *advisory.Document) error {
			digests[doc.Name] = feed.Digest(doc.Content)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return digests, out
	}
	put(archive(older))
	before, out := fetch(nil)
	if len(before) != len(files) || !out.Complete {
		t.Errorf("%d documents of %d, complete %v", len(before), len(files), out.Complete)
	}
	if again, out := fetch(out.State); len(again) != 0 || !out.Unchanged {
		t.Errorf("%d documents again, unchanged %v", len(again), out.Unchanged)
	}
	put(archive(nil))
	after, _ := fetch(out.State)
	changed := 0
	for name, digest := range after {
		if before[name] != digest {
			changed++
		}
	}
	if len(after) != len(files) || changed != len(older)-1 { // beside the list of what changed
		t.Errorf("%d documents, %d of them changed, want %d", len(after), changed, len(older)-1)
	}
}
