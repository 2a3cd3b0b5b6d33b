package vendored_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/vendored"
)

const (
	bitnamiFile    = "opt/bitnami/redis/.spdx-redis.spdx"
	documentFile   = "app/application.cdx.json"
	componentsFile = "opt/bitnami/.bitnami_components.json"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, vendored.Analyzer{}) }

func FuzzBitnami(f *testing.F) { analyzertest.Fuzz(f, vendored.Analyzer{}, bitnamiFile) }

func FuzzDocument(f *testing.F) {
	analyzertest.Fuzz(f, vendored.Analyzer{}, documentFile,
		`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"library","bom-ref":"a","name":"a","purl":"pkg:npm/a@1"}},"components":[{"type":"library","bom-ref":"b","name":"b","purl":"pkg:npm/b@1","components":[{"type":"library","bom-ref":"a","name":"c"}]}],"dependencies":[{"ref":"a","dependsOn":["b","a"]}]}`,
		"SPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\nPackageName: a\nSPDXID: SPDXRef-a\nRelationship: SPDXRef-a CONTAINS SPDXRef-a\n")
}

func FuzzComponents(f *testing.F) { analyzertest.Fuzz(f, vendored.Analyzer{}, componentsFile) }

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(vendored.Analyzer{})
	for path, want := range map[string]bool{
		bitnamiFile: true, documentFile: true, componentsFile: true, "opt/bitnami/a/b/.spdx-c.spdx": true, "a/sbom/x.json": true, "x.dist-info/sboms/a.spdx": true,
		"usr/share/sbom/a/b.json": true, "usr/share/sbom/x.txt": false, "bom.json": true, "a/SBOM.json": true, "a/B.SPDX.JSON": true, "a/b.cdx.xml": true,
		"a/.spdx-c.spdx": false, "LICENSE.spdx": false, "opt/bitnami/a/LICENSE.spdx": false, "srv/opt/bitnami/.bitnami_components.json": false,
		"var/lib/db/sbom/a.spdx.json": false, "x/vcpkg.spdx.json": false, "a/testdata/a.cdx.json": false, "a.json": false, "xsbom/a.json": false, "package.json": false,
	} {
		if got := len(set.ByPath(nil, path)) > 0; got != want {
			t.Errorf("%s is wanted: %v", path, got)
		}
	}
}

func TestCost(t *testing.T) {
	const head = `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[`
	chain := func(n int, edge string) string {
		return `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","packages":[` + analyzertest.Lines(n, `{"SPDXID":"SPDXRef-%[1]d","name":"p%[1]d"},`) +
			`{"SPDXID":"SPDXRef-x","name":"x"}],"relationships":[` + analyzertest.Lines(n-1, edge) + `{"spdxElementId":"SPDXRef-x","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-0"}]}`
	}
	const edge = `{"spdxElementId":"SPDXRef-%[1]d","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-`
	analyzertest.TestCost(t, vendored.Analyzer{},
		analyzertest.Growth{Name: "components", Path: documentFile, Data: func(n int) string {
			return head + analyzertest.Lines(n/4, `{"type":"library","bom-ref":"%[1]d","name":"a","version":"%[1]d","purl":"pkg:npm/a@%[1]d"},`) + `{"type":"library","name":"b"}]}`
		}},
		analyzertest.Growth{Name: "containers of one", Path: bitnamiFile, Data: func(n int) string { return chain(n/4, edge+`0"},`) }},
		analyzertest.Growth{Name: "chains", Path: bitnamiFile, Data: func(n int) string { return chain(n/4, edge+`%[1]d0"},`) }},
		analyzertest.Growth{Name: "list of components", Path: componentsFile, Data: func(n int) string {
			return "{" + analyzertest.Lines(n/4, `"a%[1]d":{"version":"%[1]d","arch":"amd64"},`) + `"b":{}}`
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, vendored.Analyzer{},
		analyzertest.Hostile{Name: "too large", Path: documentFile, Data: strings.Repeat(" ", 33<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested arrays", Path: documentFile, Data: `{"bomFormat":"CycloneDX","components":` + strings.Repeat("[", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested list of components", Path: componentsFile, Data: `{"a":` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "empty", Path: documentFile, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty, under a name of many", Path: "srv/bom.json", Want: fault.Invalid},
		analyzertest.Hostile{Name: "another thing of that name", Path: "srv/bom.json", Data: "[]"},
		analyzertest.Hostile{Name: "no document", Path: documentFile, Data: "[]", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "no list", Path: componentsFile, Data: "[]", Want: fault.Invalid},
		analyzertest.Hostile{Name: "name of no text", Path: componentsFile, Data: `{"":{}}`, Want: fault.Invalid},
	)
}

// TestNoAuthority: a document cannot say what a system has installed, who owns files, or
// which distribution an image is.
func TestNoAuthority(t *testing.T) {
	r := analyzertest.Scan(vendored.Analyzer{}, map[string][]byte{documentFile: []byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
		{"type":"operating-system","bom-ref":"os","name":"debian","version":"13"},
		{"type":"library","bom-ref":"d","name":"dpkg","version":"1","purl":"pkg:deb/debian/dpkg@1"},
		{"type":"library","bom-ref":"m","name":"ms","version":"1","purl":"pkg:npm/ms@1","properties":[{"name":"stella:owned-by","value":"d"}]}]}`)})
	if got := fmt.Sprint(r.Names(), len(r.Gaps), r.Errors); got != "[ms@1] 1 []" {
		t.Error(got)
	}
	for _, p := range r.Packages {
		if p.Kind != analyzer.KindPackage || p.OS != nil || p.Owns != nil || p.Parent != "" || len(p.DependsOn) > 0 {
			t.Errorf("%+v", p.Fact)
		}
	}
}

// TestPeers: documents of osv-scanner, read under names that are looked at. They are of
// Alpine and Debian images, whose packages a document cannot add; four of one are Go modules
// and a generic package.
func TestPeers(t *testing.T) {
	const data = "osv-scanner/cmd/osv-scanner/scan/source/testdata/sbom-insecure/"
	peertest.Test(t, vendored.Analyzer{}, peertest.Peers{
		data + "alpine-zlib-16.cdx.json":    {As: "srv/alpine.cdx.json", Want: "0"},
		data + "postgres-stretch.cdx.xml":   {As: "srv/postgres.cdx.xml", Want: "4"},
		data + "only-unimportant.spdx.json": {As: "srv/only-unimportant.spdx.json", Want: "0"},
	})
}

func Example() {
	facts, err := vendored.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(componentsFile, []byte(`{
		"redis": {"arch": "amd64", "distro": "debian-12", "type": "NAMI", "version": "7.2.4-1"}
	}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL)
	}
	// Output: pkg:bitnami/redis@7.2.4-1?arch=amd64&distro=debian-12
}
