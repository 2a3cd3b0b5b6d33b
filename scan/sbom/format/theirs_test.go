package format_test

import (
	"bytes"
	"compress/bzip2"
	"encoding/json"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// TestTheirPackagesAreOurs reads what syft, Red Hat, Trivy and other producers
// wrote: every package URL that a plain walk through their JSON finds is that of
// one of our packages, in canonical form, as many times as they have it.
func TestTheirPackagesAreOurs(t *testing.T) {
	t.Parallel()
	documents, total, respelt := 0, 0, 0
	for _, pack := range []string{"sbom/cdx-examples", "sbom/guac-docs", "sbom/guac-top-images", "sbom/redhat-trustify", "vex/cdx-vex"} {
		testdata.Walk(t, pack+".tar.gz", func(name string, r io.Reader) {
			if strings.HasSuffix(name, ".bz2") {
				r, name = bzip2.NewReader(r), strings.TrimSuffix(name, ".bz2")
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(name, err)
			}
			var theirs any
			if path.Ext(name) != ".json" || testing.Short() && len(text) > 256<<10 || json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &theirs) != nil {
				return
			}
			d, as, err := format.Decode(bytes.NewReader(text))
			if err != nil || strings.HasPrefix(as, "stella") {
				return // counted elsewhere
			}
			documents++
			ours := urls(d)
			if d.Subject.Package != nil {
				ours[d.Subject.Package.PURL.String()]++
			}
			blocked := d.Blocked()
			for raw, n := range theirURLs(theirs) {
				total += n
				u, err := purl.Parse(raw)
				if err != nil {
					if !blocked {
						t.Errorf("%s: no gap for the package URL %q: %v", name, raw, err)
					}
					continue
				}
				if u.String() != raw {
					respelt++
				}
				if ours[u.String()] -= n; ours[u.String()] < 0 {
					t.Errorf("%s: %d of %q are missing", name, -ours[u.String()], raw)
				}
			}
		})
	}
	t.Logf("%d documents, %d package URLs, %d respelt", documents, total, respelt)
	if !testing.Short() && (documents < 117 || total < 18_586) {
		t.Errorf("only %d documents with %d package URLs", documents, total)
	}
}

// theirURLs counts the package URLs of packages in JSON of SPDX and CycloneDX.
func theirURLs(v any) map[string]int {
	found := map[string]int{}
	root, _ := v.(map[string]any)
	if inner, ok := root["sbom"].(map[string]any); ok {
		root = inner
	}
	list, _ := root["packages"].([]any)
	for _, p := range list {
		p, _ := p.(map[string]any)
		refs, _ := p["externalRefs"].([]any)
		for _, r := range refs {
			r, _ := r.(map[string]any)
			if s, ok := r["referenceLocator"].(string); ok && r["referenceType"] == "purl" {
				found[s]++
				break // a package has one in our model
			}
		}
	}
	var components func(v any)
	components = func(v any) {
		list, _ := v.([]any)
		for _, c := range list {
			c, _ := c.(map[string]any)
			if s, ok := c["purl"].(string); ok && s != "" {
				found[s]++
			}
			components(c["components"])
		}
	}
	components(root["components"])
	meta, _ := root["metadata"].(map[string]any)
	components([]any{meta["component"]})
	return found
}
