package format_test

import (
	"bytes"
	"compress/bzip2"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// packs hold the documents of the shared data, and with them schemas, prose and
// other things that a reader of SBOMs is given by mistake.
var packs = []string{"sbom/cdx-examples", "sbom/guac-docs", "sbom/guac-top-images", "sbom/redhat-trustify", "vex/cdx-vex",
	"conformance/cyclonedx-docs", "conformance/spdx-examples", "conformance/spdx-tools-golang", "vex/openvex-spec", "conformance/spdx3-model"}

// TestRealFilesAreReadOrRefused reads every file of the packs: it is a document of
// a known format and version, or the error has a kind and says why.
func TestRealFilesAreReadOrRefused(t *testing.T) {
	t.Parallel()
	read, refused := map[string]int{}, map[string]int{}
	for _, pack := range packs {
		testdata.Walk(t, pack+".tar.gz", func(name string, r io.Reader) {
			if strings.HasSuffix(name, ".bz2") {
				r = bzip2.NewReader(r)
				name = strings.TrimSuffix(name, ".bz2")
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(name, err)
			}
			if testing.Short() && len(text) > 256<<10 {
				return
			}
			d, as, err := format.Decode(bytes.NewReader(text))
			if err == nil {
				read[as]++
				if problems := d.Check(); len(problems) > 0 {
					t.Errorf("%s: inconsistent: %+v", name, problems[0])
				}
				return
			}
			kind := fault.KindOf(err)
			refused[string(kind)+" "+path.Ext(name)]++
			t.Logf("%s: %v", name, err)
			if kind == "" || len(err.Error()) > 600 || err.Error() == string(kind) {
				t.Errorf("%s: %.700v", name, err)
			}
		})
	}
	if testing.Short() {
		return
	}
	if diff := cmp.Diff(map[string]int{
		"cyclonedx-json@1.2": 45, "cyclonedx-json@1.3": 2, "cyclonedx-json@1.4": 77, "cyclonedx-json@1.5": 9, "cyclonedx-json@1.6": 97,
		"cyclonedx-xml@1.1": 1, "cyclonedx-xml@1.2": 48, "cyclonedx-xml@1.3": 1, "cyclonedx-xml@1.4": 52, "cyclonedx-xml@1.6": 70,
		"spdx-json@2.2": 37, "spdx-json@2.3": 16, "spdx-tag-value@2.2": 15, "spdx-tag-value@2.3": 1, "spdx-yaml@2.2": 1, "spdx-yaml@2.3": 1,
	}, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{
		"invalid input .json": 3, "invalid input .xml": 9, // made to be refused
		"unsupported .json": 23, // SPDX 3, JSON schemas, another bomFormat
		"unsupported .xml":  4, "unsupported .textproto": 74, "unsupported .rdf": 1, "unsupported .md": 24,
		"unsupported .jsonld": 1, "unsupported .ttl": 1, "unsupported .gz": 1, "unsupported .xz": 1,
	}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}
