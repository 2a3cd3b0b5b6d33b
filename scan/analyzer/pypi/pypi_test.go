package pypi

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
)

func TestPaths(t *testing.T) {
	tests := map[string]bool{
		"lib/site-packages/a-1.0.dist-info/METADATA": true,
		"METADATA":                             false,
		"lib/site-packages/a.dist-info/RECORD": true,
		"lib/site-packages/a.egg-info/installed-files.txt": true,
		"lib/site-packages/a.egg-info/top_level.txt":       true,
		"lib/site-packages/a-1.0.dist-info/top_level.txt":  true,
		"app/top_level.txt":                                  false,
		"lib/RECORD":                                         false,
		"app/installed-files.txt":                            false,
		"lib/site-packages/a.egg-info":                       true,
		"lib/site-packages/a.egg-info/PKG-INFO":              true,
		"lib/site-packages/a.egg-info/requires.txt":          true,
		"lib/site-packages/a-1.0.egg/EGG-INFO/PKG-INFO":      true,
		"lib/site-packages/a-1.0.egg/EGG-INFO/requires.txt":  true,
		"src/PKG-INFO":                                       false,
		"src/requires.txt":                                   false,
		"app/requirements.txt":                               true,
		"app/dev-requirements.txt":                           true,
		"app/requirements/base.txt":                          true,
		"app/requirements.in":                                false,
		"app/notes.txt":                                      false,
		"app/poetry.lock":                                    true,
		"app/uv.lock":                                        true,
		"app/pdm.lock":                                       true,
		"app/Pipfile.lock":                                   true,
		"app/pylock.toml":                                    true,
		"app/pylock.dev.toml":                                true,
		"app/pyproject.toml":                                 false,
		"lib/site-packages/a/uv.lock":                        false,
		"lib/python3/dist-packages/a/tests/requirements.txt": false,
	}
	set := analyzer.NewSet(Analyzer{})
	for path, want := range tests {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted = %v, want %v", path, got, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	runs := regexp.MustCompile(`[-_.]+`) // as PEP 503 writes it
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9._-]{0,12}`).Draw(t, "name")
		if got, want := normalize(name), strings.ToLower(runs.ReplaceAllString(name, "-")); got != want {
			t.Fatalf("normalize(%q) = %q, want %q", name, got, want)
		}
	})
}

func TestParseRequirement(t *testing.T) {
	tests := []struct {
		in     string
		want   requirement
		pinned string
		ok     bool
	}{
		{"a", requirement{name: "a"}, "", true},
		{" A.b_c [x, y] >= 1.0 , < 2 ; python_version < '3' ", requirement{name: "A.b_c", spec: ">= 1.0 , < 2", marker: "python_version < '3'"}, "", true},
		{"a (==1.0)", requirement{name: "a", spec: "==1.0"}, "1.0", true},
		{"a==1.0.*", requirement{name: "a", spec: "==1.0.*"}, "", true},
		{"a===weird+v", requirement{name: "a", spec: "===weird+v"}, "weird+v", true},
		{"a>=1,==1.5,!=1.4", requirement{name: "a", spec: ">=1,==1.5,!=1.4"}, "1.5", true},
		{"a~=1.0", requirement{name: "a", spec: "~=1.0"}, "", true},
		{"a@https://x.example/a.zip ; os_name == 'nt'", requirement{name: "a", url: "https://x.example/a.zip", marker: "os_name == 'nt'"}, "", true},
		{"a; extra == 'x'", requirement{name: "a", marker: "extra == 'x'"}, "", true},
		{"a[x", requirement{name: "a"}, "", false},
		{"a 1.0", requirement{name: "a", spec: "1.0"}, "", false},
		{"a==", requirement{name: "a", spec: "=="}, "", false},
		{"a>>1", requirement{name: "a", spec: ">>1"}, "", false},
		{"a @ ", requirement{name: "a"}, "", false},
		{"-a", requirement{name: "-a"}, "", false},
		{"", requirement{}, "", false},
	}
	for _, tt := range tests {
		got, ok := parseRequirement(tt.in)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(requirement{})); diff != "" || ok != tt.ok {
			t.Errorf("%q: ok %v, want %v (-want +got):\n%s", tt.in, ok, tt.ok, diff)
		}
		if pin := got.pinned(); pin != tt.pinned {
			t.Errorf("%q: pinned to %q, want %q", tt.in, pin, tt.pinned)
		}
	}
}

func TestOnlyForExtra(t *testing.T) {
	for marker, want := range map[string]bool{
		"": false, "extra == 'x'": true, "python_version > '3' and extra=='x'": true, "(extra  == \"x\")": true,
		"platform_python_implementation == 'extra'": false, "my_extra == 'x'": false, "'extra' == os_name": false,
	} {
		if got := (requirement{marker: marker}).onlyForExtra(); got != want {
			t.Errorf("%q: %v, want %v", marker, got, want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	for name, in := range map[string]string{
		"UTF-8":                    "a==1 # é\n",
		"UTF-8 with a mark":        "\xef\xbb\xbfa==1 # é\n",
		"UTF-16, low byte first":   "\xff\xfea\x00=\x00=\x001\x00 \x00#\x00 \x00\xe9\x00\n\x00",
		"UTF-16, high byte first":  "\xfe\xff\x00a\x00=\x00=\x001\x00 \x00#\x00 \x00\xe9\x00\n",
		"UTF-16, a byte too short": "\xff\xfea\x00=\x00=\x001\x00 \x00#\x00 \x00\xe9\x00\n\x00x",
	} {
		if got := decodeText([]byte(in)); got != "a==1 # é\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestScopeByName(t *testing.T) {
	for file, want := range map[string]string{
		"requirements.txt": "", "requirements-dev.txt": "dev", "dev_requirements.txt": "dev", "requirements/test.txt": "dev",
		"requirements.prod.txt": "", "requirements-device.txt": "", "development/requirements.txt": "",
	} {
		if got := scopeByName(file); string(got) != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestMarkerScope(t *testing.T) {
	for marker, want := range map[string]string{
		"": "", "'dev' in dependency_groups": "dev", "('dev' in dependency_groups)": "dev", "'x' in extras": "optional",
		"'x' in extras or 'dev' in dependency_groups": "optional", "'main' in dependency_groups": "",
		"'dev' in dependency_groups or 'main' in dependency_groups": "",
		"'dev' in dependency_groups or os_name == 'nt'":             "",
		"'dev' in dependency_groups and os_name == 'nt'":            "",
	} {
		if got := markerScope(marker, []*tomltree.Table{{Text: "main"}}); string(got) != want {
			t.Errorf("%q: %q, want %q", marker, got, want)
		}
	}
}

func TestAllows(t *testing.T) {
	tests := []struct {
		spec, version string
		want          bool
	}{
		{"", "1.0", true}, {">=1.0", "1.0", true}, {">=1.0,<2", "2.0", false}, {">1.0", "1.0", false}, {"<=1.0", "1.0.0", true}, {"<1.0", "1.0rc1", false}, {"<1.10", "1.9.12", true}, {">=1.0", "1", true}, {">=1!1.0", "1.0", false},
		{"!=1.0", "1.0", false}, {"!=1.0", "1.1", true}, {"==1.*", "1.5", true}, {"==1.*", "10.5", false}, {"!=1.*", "1.5", false}, {"!=1.*", "2.0", true},
		{"~=1.4", "1.9", true}, {"~=1.4", "2.0", false}, {"~=1.4.2", "1.4.9", true}, {"~=1.4.2", "1.5", false}, {"~=1.4.2", "1.4.1", false},
		{"===1.0", "1.0", true}, {"=>1.0", "1.5", false}, {">=${V}", "1.0", false}, {">1.*", "2.0", false}, {">=1.0", "not a version", false},
	}
	for _, tt := range tests {
		if got := allows(tt.spec, tt.version); got != tt.want {
			t.Errorf("%q allows %s: %v, want %v", tt.spec, tt.version, got, tt.want)
		}
	}
}

// TestSecrets: what a lockfile has of somebody's password is told to nobody.
func TestSecrets(t *testing.T) {
	for _, kind := range []sourceKind{index, archive, vcs, local} {
		e := entry{name: "a", version: "1.0.0", from: source{kind, "https://ann:hunter2@pypi.example/a.whl"}}
		if text := fmt.Sprint(e.describe()); strings.Contains(text, "hunter2") || !strings.Contains(text, "pypi.example") {
			t.Errorf("%v: %s", kind, text)
		}
	}
}
