package npm

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/purl"
)

// scancodeVerdicts say who is right where ScanCode's expectation of its own test
// files and our result differ: "+" is ours alone, "-" theirs alone.
var scancodeVerdicts = map[string]string{
	// ScanCode takes a folder for a version. A folder is what its package.json
	// says: those lines come from these files, with the version they have.
	"- graphile-build-pg@workspace:graphile-build/graphile-build-pg": "ours: a folder is no version",
	"- graphile-build@workspace:graphile-build/graphile-build":       "ours: a folder is no version",
	"- graphile-export@workspace:utils/graphile-export":              "ours: a folder is no version",
	"- graphile-utils@workspace:graphile-build/graphile-utils":       "ours: a folder is no version",
	"- graphile@workspace:utils/graphile":                            "ours: a folder is no version",
	"- ruru-components@workspace:grafast/ruru-components":            "ours: a folder is no version",
	// yarn's patched copy of typescript 5.2.2, which is listed besides.
	"- typescript@patch:typescript@npm%3A5.2.2#optional!builtin<compat/typescript>::version=5.2.2&hash=ad5954": "ours: it is typescript 5.2.2",
}

type scancodePackage struct {
	PURL         string `json:"purl"`
	Dependencies []struct {
		PURL string `json:"purl"`
		File string `json:"datafile_path"`
	} `json:"dependencies"`
}

// scancodeLine returns "name@version" for a package URL. ScanCode escapes the
// sign before a version that has one itself.
func scancodeLine(t *testing.T, s string) string {
	u, err := purl.Parse(strings.Replace(s, "typescript%40patch", "typescript@patch", 1))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Namespace+"/"+u.Name, "/") + "@" + u.Version
}

// TestScancode compares names and versions with what ScanCode expects of its
// own test files: single package.json files, and a yarn workspace.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/npm/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	seen := map[string]bool{}
	compare := func(name string, theirs, ours map[string]bool) {
		var unknown []string
		for _, line := range slices.Sorted(maps.Keys(ours)) {
			if !theirs[line] {
				unknown = append(unknown, "+ "+line)
			}
		}
		for _, line := range slices.Sorted(maps.Keys(theirs)) {
			if !ours[line] {
				unknown = append(unknown, "- "+line)
			}
		}
		for _, line := range unknown {
			if seen[line] = true; scancodeVerdicts[line] == "" {
				t.Errorf("%s: %s: no verdict", name, line)
			}
		}
	}
	compared := 0
	for _, name := range testdata.Names(files) {
		expected, ok := files[name+".expected"]
		if !ok {
			expected, ok = files[name+"-expected"]
		}
		if !ok || !strings.HasPrefix(name, root) {
			continue
		}
		var packages []scancodePackage
		if err := json.Unmarshal(expected, &packages); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compared++
		theirs := map[string]bool{}
		for _, p := range packages {
			theirs[scancodeLine(t, p.PURL)] = true
		}
		compare(name, theirs, found(t, map[string][]byte{"package.json": files[name]}))
	}
	if compared != 15 {
		t.Errorf("compared %d files, want 15", compared)
	}

	workspace, theirs := map[string][]byte{}, map[string]bool{}
	for name, data := range files {
		if rest, ok := strings.CutPrefix(name, root+"workspace/crystal/"); ok {
			workspace[rest] = data
		}
	}
	var doc struct {
		Packages []scancodePackage
		scancodePackage
	}
	if err := json.Unmarshal(files[root+"workspace/crystal.expected.json"], &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Packages {
		theirs[scancodeLine(t, p.PURL)] = true
	}
	for _, d := range doc.Dependencies {
		if path.Base(d.File) == "yarn.lock" {
			theirs[scancodeLine(t, d.PURL)] = true
		}
	}
	compare("workspace/crystal", theirs, found(t, workspace))
	for line := range scancodeVerdicts {
		if !seen[line] {
			t.Errorf("%s: has a verdict and does not differ", line)
		}
	}
}

// found returns "name@version" of the packages in files.
func found(t *testing.T, files map[string][]byte) map[string]bool {
	t.Helper()
	r := analyzertest.Scan(Analyzer{}, files)
	if len(r.Errors) > 0 {
		t.Error(r.Errors)
	}
	lines := map[string]bool{}
	for _, name := range r.Names() {
		lines[name] = true
	}
	return lines
}

// TestPeers reads the lockfiles that other scanners test with. The numbers are
// of distinct packages, the project itself included, and were checked by hand.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/nodejs/", "trivy-analyzer/pkg/fanal/analyzer/language/nodejs/"
	want := map[string]string{
		parser + "bun/testdata/bun_invalid.lock":                                        "0 lockfileVersion \"\\\"not-a-number\\\"\": unsupported",
		analyzers + "bun/testdata/happy/bun.lock":                                       "7",
		analyzers + "bun/testdata/no-node-modules/bun.lock":                             "6",
		"trivy-analyzer/integration/testdata/fixtures/repo/bun/bun.lock":                "7",
		"osv-scanner/cmd/osv-scanner/scan/source/testdata/locks-insecure/bun.lock":      "3",
		parser + "npm/testdata/package-lock_v1.json":                                    "32",
		parser + "npm/testdata/package-lock_v3.json":                                    "32",
		parser + "npm/testdata/package-lock_v3_with-same-dev-and-non-dev.json":          "5",
		parser + "npm/testdata/package-lock_v3_with_legacy_licenses.json":               "4",
		parser + "npm/testdata/package-lock_v3_with_workspace.json":                     "7",
		parser + "npm/testdata/package-lock_v3_with_workspace_as_object.json":           "3",
		parser + "npm/testdata/package-lock_v3_without_root_deps_field.json":            "4",
		parser + "pnpm/testdata/pnpm-lock_archives.yaml":                                "6",
		parser + "pnpm/testdata/pnpm-lock_v6.yaml":                                      "3",
		parser + "pnpm/testdata/pnpm-lock_v6_with_dev.yaml":                             "85",
		parser + "pnpm/testdata/pnpm-lock_v9_cyclic_import.yaml":                        "7",
		parser + "pnpm/testdata/pnpm-lock_v9_same-vers-diff-peers.yaml":                 "6",
		parser + "yarn/testdata/yarn_v2_deps_with_protocol.lock":                        "3",
		parser + "yarn/testdata/yarn_v2_happy.lock":                                     "18",
		parser + "yarn/testdata/yarn_with_local.lock":                                   "4",
		parser + "yarn/testdata/yarn_with_npm.lock":                                     "1",
		analyzers + "npm/testdata/happy/package-lock.json":                              "8",
		analyzers + "npm/testdata/sad/package-lock.json":                                "0 line 1 (byte 1): expected a member name in quotes: invalid input",
		analyzers + "pnpm/testdata/happy/pnpm-lock.yaml":                                "1",
		analyzers + "pnpm/testdata/happy-v9/pnpm-lock.yaml":                             "1",
		analyzers + "pnpm/testdata/sad/pnpm-lock.yaml":                                  "0 line 1: no lockfileVersion: invalid input",
		analyzers + "yarn/testdata/latest-version/yarn.lock":                            "3",
		analyzers + "yarn/testdata/monorepo/yarn.lock":                                  "16",
		analyzers + "yarn/testdata/project-with-workspace-in-subdir/foo/yarn.lock":      "1",
		analyzers + "yarn/testdata/yarn-berry-node-modules/yarn.lock":                   "4",
		analyzers + "yarn/testdata/yarn-licenses/yarn.lock":                             "4",
		analyzers + "yarn/testdata/wrong-packagejson/yarn.lock":                         "1",
		"osv-scanner/cmd/osv-scanner/scan/source/testdata/locks-many/yarn.lock":         "1",
		"osv-scanner/cmd/osv-scanner/scan/source/testdata/locks-many/package-lock.json": "1",
	}
	got := map[string]string{}
	for _, pack := range []string{"trivy-parser", "trivy-analyzer", "osv-scanner"} {
		files := testdata.Open(t, "lockfiles/"+pack+".tar.gz")
		for name, data := range files {
			if _, wanted := want[pack+"/"+name]; !wanted {
				continue
			}
			facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(plainName(name), data))
			got[pack+"/"+name] = summary(len(facts), err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// plainName returns the name that a test file such as "package-lock_v1.json"
// stands for.
func plainName(name string) string {
	for kind, plain := range map[string]string{"package-lock": "package-lock.json", "pnpm-lock": "pnpm-lock.yaml", "yarn": "yarn.lock", "bun": "bun.lock"} {
		if strings.HasPrefix(path.Base(name), kind) {
			return plain
		}
	}
	return path.Base(name)
}
