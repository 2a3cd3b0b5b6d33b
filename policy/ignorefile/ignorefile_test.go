package ignorefile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

var update = flag.Bool("update", false, "write what the code gives into testdata")

func testOptions() *Options {
	return &Options{Owner: "payments", Created: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)}
}

func TestFiles(t *testing.T) {
	const name = "testdata/files.txtar"
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(a.Files); i += 2 {
		f := a.Files[i]
		format := FormatOf(f.Name)
		r, err := Parse(format, f.Name, f.Data, testOptions())
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		var b strings.Builder
		for _, e := range r.Exceptions {
			line, err := json.Marshal(e, json.Deterministic(true))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s\n", line)
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "# %s\n", n)
		}
		if *update {
			a.Files[i+1].Data = []byte(b.String())
		} else if diff := cmp.Diff(string(a.Files[i+1].Data), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format Format
		text   string
		opts   *Options
		want   error
	}{
		{"no owner", Trivy, "CVE-2026-1", &Options{Created: time.Now()}, ErrInvalid},
		{"no time", Trivy, "CVE-2026-1", &Options{Owner: "a"}, ErrInvalid},
		{"no options", Trivy, "CVE-2026-1", nil, ErrInvalid},
		{"format", "snyk", "", testOptions(), ErrUnsupported},
		{"YAML", Grype, "ignore: [", testOptions(), ErrInvalid},
		{"list", Grype, "- a", testOptions(), ErrInvalid},
		{"bomb", TrivyYAML, "a: &a [x]\nvulnerabilities: [*a, *a]", testOptions(), ErrUnsupported},
		{"TOML", OSV, "[[IgnoredVulns]\nid = 1", testOptions(), ErrInvalid},
		{"TOML of another shape", OSV, "IgnoredVulns = 3", testOptions(), ErrInvalid},
		{"size", Trivy, strings.Repeat("\n", MaxFile+1), testOptions(), ErrLimit},
	} {
		if _, err := Parse(tt.format, "f", []byte(tt.text), tt.opts); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, format := range []Format{Trivy, TrivyYAML, Grype, OSV} {
		if r, err := Parse(format, "f", nil, testOptions()); err != nil || len(r.Exceptions)+len(r.Notes) > 0 {
			t.Errorf("an empty %s: %+v, %v", format, r, err)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		".trivyignore": Trivy, "a/b/.trivyignore": Trivy, ".trivyignore.yaml": TrivyYAML, `c\.trivyignore.yml`: TrivyYAML, ".grype.yaml": Grype, "osv-scanner.toml": OSV, ".osv-scanner.toml": OSV,
		"policy.yaml": "", "": "",
	} {
		if got := FormatOf(name); got != want {
			t.Errorf("FormatOf(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestSameIDs: an id does not depend on who imports a file and when, and not on what
// else is in it.
func TestSameIDs(t *testing.T) {
	first, err := Parse(Trivy, ".trivyignore", []byte("CVE-2026-1\nCVE-2026-2\n"), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	second, err := Parse(Trivy, "x/.trivyignore", []byte("# c\n\nCVE-2026-2\n"), &Options{Owner: "other", Created: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if first.Exceptions[1].ID != second.Exceptions[0].ID || first.Exceptions[0].ID == first.Exceptions[1].ID {
		t.Errorf("ids %q %q, then %q", first.Exceptions[0].ID, first.Exceptions[1].ID, second.Exceptions[0].ID)
	}
}

// pkg is a package that files of other tools may be about.
type pkg struct {
	typ, name, version, path string // in Grype's words
	purl                     string
}

var testPackages = []pkg{
	{"apk", "openssl", "3.0.1-r2", "lib/apk/db/installed", "pkg:apk/alpine/openssl@3.0.1-r2"},
	{"deb", "openssl", "3.0.1", "var/lib/dpkg/status", "pkg:deb/debian/openssl@3.0.1"},
	{"npm", "@babel/core", "7.0.0", "app/node_modules/@babel/core/package.json", "pkg:npm/%40babel/core@7.0.0"},
	{"npm", "core", "7.0.0", "app/node_modules/core/package.json", "pkg:npm/core@7.0.0"},
	{"npm", "lodash", "4.17.21", "app/node_modules/lodash/package.json", "pkg:npm/lodash@4.17.21"},
	{"python", "lodash", "1.0", "usr/lib/lodash", "pkg:pypi/lodash@1.0"},
	{"java-archive", "commons", "1.0", "app/a.jar", "pkg:maven/org.apache/commons@1.0"},
	{"go-module", "github.com/a/b", "v1.0.0", "usr/bin/b", "pkg:golang/github.com/a/b@v1.0.0"},
}

// doublestar is a short model of the globs of other tools.
func doublestar(glob, s string) bool {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.HasPrefix(glob[i:], "**/"):
			b.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case glob[i] == '*':
			b.WriteString("[^/]*")
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return regexp.MustCompile(b.String() + "$").MatchString(s)
}

// suppressed says which packages an engine that blocks everything lets pass.
func suppressed(t rapid.TB, list []policy.Exception, id string) map[string]bool {
	engine, err := policy.Compile(&policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{{ID: "all", Action: policy.ActionBlock, Because: "x"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &policy.Inputs{At: testOptions().Created.Add(time.Hour), Exceptions: list}
	for i, p := range testPackages {
		u, err := purl.Parse(p.purl)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(i)
		in.Packages = append(in.Packages, sbom.Package{ID: name, PURL: u, Name: u.Name, Version: u.Version, Locations: []sbom.Location{{Path: p.path}}})
		in.Findings = append(in.Findings, finding.Finding{Package: name, Name: u.Name, Version: u.Version, PURL: p.purl, Vulnerability: id, Advisory: id})
	}
	result, err := engine.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for i, d := range trace.Decisions {
		out[testPackages[i].purl] = d.Outcome == policy.Pass
	}
	return out
}

// TestNeverWider: what an exception covers, the tool would have ignored.
func TestNeverWider(t *testing.T) {
	globs := []string{"", "app/**", "app/*", "**/package.json", "*.jar", "app/a.jar", "/usr/**", "**", "app/**/core/*", "app/**/core/package.json", "usr/lib/lodash"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
		id, glob := draw("id", "", "CVE-2026-1", "CVE-2026-2"), draw("glob", globs...)
		name, version := draw("name", "", "openssl", "lodash", "@babel/core", "core", "commons", "github.com/a/b", "lod.*"), draw("version", "", "1.0", "3.0.1", "v1.0.0", "7.0.0")
		typ := draw("type", "", "npm", "python", "apk", "deb", "java-archive", "go-module")
		file := fmt.Sprintf("ignore:\n  - {vulnerability: %q, package: {name: %q, version: %q, type: %q, location: %q}}\n", id, name, version, typ, glob)
		r, err := Parse(Grype, ".grype.yaml", []byte(file), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		got := suppressed(t, r.Exceptions, "CVE-2026-1")
		for _, p := range testPackages {
			want := id+name+version+typ+glob != "" && (id == "" || id == "CVE-2026-1") && (name == "" || regexp.MustCompile("^"+name+"$").MatchString(p.name)) &&
				(version == "" || version == p.version) && (typ == "" || typ == p.typ) && (glob == "" || doublestar(glob, p.path) || doublestar(glob, "/"+p.path))
			if got[p.purl] && !want {
				t.Fatalf("%s is covered, and Grype would not ignore it:\n%s", p.purl, file)
			}
			if want && !got[p.purl] && len(r.Notes) == 0 {
				t.Fatalf("%s is not covered, and no note says so:\n%s", p.purl, file)
			}
		}
		url := draw("purl", "", "pkg:npm/lodash", "pkg:npm/lodash@4.17.21", "pkg:npm/lodash@1", "pkg:apk/alpine/openssl", "pkg:npm/*")
		file = fmt.Sprintf("vulnerabilities:\n  - {id: CVE-2026-1, paths: [%q], purls: [%q]}\n", glob, url)
		if r, err = Parse(TrivyYAML, ".trivyignore.yaml", []byte(strings.NewReplacer(`[""]`, "[]").Replace(file)), testOptions()); err != nil {
			t.Fatal(err)
		}
		for u, is := range suppressed(t, r.Exceptions, "CVE-2026-1") {
			i := 0
			for testPackages[i].purl != u {
				i++
			}
			bare, version, _ := strings.Cut(url, "@")
			same := url == "" || strings.HasPrefix(u, bare+"@") && (version == "" || strings.HasSuffix(u, "@"+version))
			if is && (!same || glob != "" && !doublestar(strings.TrimPrefix(glob, "/"), testPackages[i].path)) {
				t.Fatalf("%s is covered, and Trivy would not ignore it:\n%s", u, file)
			}
		}
	})
	r, err := Parse(Grype, ".grype.yaml", []byte("ignore:\n  - {vulnerability: CVE-2026-1}\n"), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for purl, is := range suppressed(t, r.Exceptions, "CVE-2026-1") {
		if !is {
			t.Errorf("%s is not covered by a rule for all packages", purl)
		}
	}
}

func fuzzFormat(f *testing.F, format Format) {
	a, err := txtar.ParseFile("testdata/files.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		if FormatOf(path.Base(file.Name)) == format {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(format, "f", text, testOptions())
		if err != nil {
			return
		}
		ids := map[string]bool{}
		for _, e := range r.Exceptions {
			if err := e.Check(); err != nil || ids[e.ID] {
				t.Fatalf("%v, or %s is there twice", err, e.ID)
			}
			ids[e.ID] = true
		}
	})
}

func FuzzTrivy(f *testing.F)     { fuzzFormat(f, Trivy) }
func FuzzTrivyYAML(f *testing.F) { fuzzFormat(f, TrivyYAML) }
func FuzzGrype(f *testing.F)     { fuzzFormat(f, Grype) }
func FuzzOSV(f *testing.F)       { fuzzFormat(f, OSV) }
