package pypi

import (
	"context"
	"encoding/json"
	"fmt"
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
	"pipfile.lock/sample4: + passa@":                      "ours: the project itself is an entry too",
	"requirements_txt/invalid_spec: + test@":              "ours: the name is known, only the condition is malformed",
	"requirements_txt/many_specs: + pickything@2.4c1":     "ours: == leaves one version, whatever else is asked",
	"requirements_txt/many_specs: - pickything@":          "ours: == leaves one version, whatever else is asked",
	"requirements_txt/urls_wth_checksums: + flask@0.11.1": "ours: the file name of a source archive has name and version (PEP 625)",
	"requirements_txt/urls_wth_checksums: - flask@":       "ours: the file name of a source archive has name and version (PEP 625)",
	"requirements_txt/urls_wth_checksums: + pytz@2016.4":  "ours: the file name of a source archive has name and version (PEP 625)",
}

type scancodeDependency struct {
	PURL string `json:"purl"`
}

// scancodeLines returns "name@version" for the package and the dependencies
// that an expectation lists: packages with dependencies, or lists of these. What
// it has no package URL for is left out.
func scancodeLines(t *testing.T, expected []byte) []string {
	var items []json.RawMessage
	if err := json.Unmarshal(expected, &items); err != nil {
		t.Fatal(err)
	}
	var purls []string
	for _, item := range items {
		var p struct {
			scancodeDependency
			Dependencies []scancodeDependency `json:"dependencies"`
		}
		if json.Unmarshal(item, &p.Dependencies) != nil && json.Unmarshal(item, &p) != nil {
			t.Fatalf("neither a package nor a list: %.100s", item)
		}
		purls = append(purls, p.PURL)
		for _, d := range p.Dependencies {
			purls = append(purls, d.PURL)
		}
	}
	var lines []string
	for _, s := range purls {
		if s == "" {
			continue
		}
		u, err := purl.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, normalize(u.Name)+"@"+u.Version)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// TestScancode compares names and versions with what ScanCode expects of its
// own test files.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/pypi/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	seen := map[string]bool{}
	compared := 0
	for _, name := range testdata.Names(files) {
		if !strings.HasPrefix(name, root) || formatOf(name).read == nil {
			continue
		}
		dir := path.Dir(name)
		expected, ok := files[name+"-expected.json"]
		for _, other := range []string{dir + "/output.expected.json", dir + "-poetry.lock-expected.json"} {
			if !ok {
				expected, ok = files[other]
			}
		}
		if !ok {
			continue
		}
		compared++
		r := analyzertest.Scan(Analyzer{}, map[string][]byte{name: files[name]})
		if len(r.Errors) > 0 {
			t.Error(r.Errors)
		}
		theirs := scancodeLines(t, expected)
		var ours, differ []string
		for _, f := range r.Packages {
			ours = append(ours, normalize(f.Package.Name)+"@"+f.Package.Version)
		}
		for _, line := range ours {
			if !slices.Contains(theirs, line) {
				differ = append(differ, "+ "+line)
			}
		}
		for _, line := range theirs {
			if !slices.Contains(ours, line) {
				differ = append(differ, "- "+line)
			}
		}
		for _, line := range differ {
			line = strings.TrimPrefix(dir, root) + ": " + line
			if seen[line] = true; scancodeVerdicts[line] == "" {
				t.Errorf("%s: no verdict", line)
			}
		}
	}
	if compared != 26 {
		t.Errorf("compared %d files, want 26", compared)
	}
	for line := range scancodeVerdicts {
		if !seen[line] {
			t.Errorf("%s: has a verdict and does not differ", line)
		}
	}
}

// TestPeers reads the lockfiles that other scanners test with. The numbers are
// of distinct packages, the project itself included, and were checked by hand.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/python/", "trivy-analyzer/pkg/fanal/analyzer/language/python/"
	const osv = "osv-scanner/cmd/osv-scanner/scan/source/testdata/"
	want := map[string]string{
		parser + "packaging/testdata/distlib-0.3.1-py3.9.egg-info":                                    "distlib 0.3.1",
		parser + "packaging/testdata/iniconfig-2.0.0.METADATA":                                        "iniconfig 2.0.0",
		parser + "packaging/testdata/networkx-3.0.METADATA":                                           "networkx 3.0",
		parser + "packaging/testdata/setuptools-51.3.3-py3.8.egg-info.PKG-INFO":                       "setuptools 51.3.3",
		parser + "packaging/testdata/simple-0.1.0.METADATA":                                           "simple 0.1.0",
		parser + "packaging/testdata/zipp-3.12.1.METADATA":                                            "zipp 3.12.1",
		parser + "pip/testdata/requirements_hash.txt":                                                 "2",
		parser + "pip/testdata/requirements_hyphens.txt":                                              "2",
		parser + "pip/testdata/requirement_exstras.txt":                                               "2",
		parser + "pipenv/testdata/Pipfile_normal.lock":                                                "6",
		parser + "poetry/testdata/poetry_flask.lock":                                                  "15",
		parser + "poetry/testdata/poetry_v2_flask.lock":                                               "15",
		parser + "pylock/testdata/pylock.toml":                                                        "9",
		parser + "pylock/testdata/sad.toml":                                                           "0 line 1: expected a key: invalid input",
		parser + "uv/testdata/uv_normal.lock":                                                         "21",
		"trivy-analyzer/integration/testdata/fixtures/repo/trivy-ci-test/Pipfile.lock":                "86",
		analyzers + "packaging/testdata/classifier-license-egg/setuptools-51.3.3.egg-info/PKG-INFO":   "setuptools 51.3.3",
		analyzers + "packaging/testdata/license-file-dist/typing_extensions-4.4.0.dist-info/METADATA": "typing_extensions 4.4.0",
		analyzers + "pip/testdata/happy/requirements.txt":                                             "7",
		analyzers + "pip/testdata/libs/common-dir/lib/site-packages/click-8.0.0.dist-info/METADATA":   "click 8.0.0",
		analyzers + "poetry/testdata/sad/poetry.lock":                                                 "0 line 1: expected a key: invalid input",
		analyzers + "pylock/testdata/happy/pylock.toml":                                               "12",
		analyzers + "uv/testdata/broken-lock/uv.lock":                                                 "0 line 1: expected a key: invalid input",
		analyzers + "uv/testdata/happy/uv.lock":                                                       "13",
		osv + "locks-requirements/requirements-dev.txt":                                               "1",
		osv + "locks-requirements/requirements.prod.txt":                                              "1",
		osv + "locks-scalibr/uv.lock":                                                                 "3",
	}
	got := map[string]string{}
	for _, pack := range []string{"trivy-parser", "trivy-analyzer", "osv-scanner"} {
		for name, data := range testdata.Open(t, "lockfiles/"+pack+".tar.gz") {
			if _, wanted := want[pack+"/"+name]; wanted {
				got[pack+"/"+name] = summary(plainName(name), data)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// summary names the one installed package, or says how many packages a lockfile
// has and what is wrong with it.
func summary(name string, data []byte) string {
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(name, data))
	packages := slices.DeleteFunc(facts, func(f analyzer.Fact) bool { return f.Kind != analyzer.KindPackage })
	if len(packages) == 1 && packages[0].Scope == installed {
		return packages[0].Package.Name + " " + packages[0].Package.Version
	}
	if err == nil {
		return fmt.Sprint(len(packages))
	}
	_, reason, _ := strings.Cut(err.Error(), ": ")
	return fmt.Sprint(len(packages), " ", reason)
}

// plainName returns the name that a test file such as "zipp-3.12.1.METADATA"
// stands for.
func plainName(name string) string {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, ".METADATA"):
		return "a.dist-info/METADATA"
	case strings.HasSuffix(base, ".PKG-INFO"):
		return "a.egg-info/PKG-INFO"
	case strings.HasPrefix(base, "Pipfile"):
		return "Pipfile.lock"
	case strings.HasPrefix(base, "poetry"):
		return "poetry.lock"
	case strings.HasPrefix(base, "requirement"):
		return "requirements.txt"
	case strings.HasPrefix(base, "uv"):
		return "uv.lock"
	case strings.Contains(name, "pylock"):
		return "pylock.toml"
	}
	return strings.ReplaceAll(name, "site-packages", "packages")
}
