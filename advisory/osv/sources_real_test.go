package osv_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
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
