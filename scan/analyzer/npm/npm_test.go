package npm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

func TestPaths(t *testing.T) {
	tests := map[string]bool{
		"package.json":                                true,
		"app/node_modules/a/package.json":             true,
		"app/node_modules/a/vendor/b/package.json":    true,
		"usr/local/lib/node_modules/npm/package.json": true,
		"app/package-lock.json":                       true,
		"app/npm-shrinkwrap.json":                     true,
		"app/yarn.lock":                               true,
		"app/pnpm-lock.yaml":                          true,
		"app/node_modules/.package-lock.json":         true,
		"app/.package-lock.json":                      false,
		"app/node_modules/a/.package-lock.json":       false,
		"app/node_modules/a/package-lock.json":        false,
		"app/node_modules/a/npm-shrinkwrap.json":      false,
		"node_modules/a/yarn.lock":                    false,
		"app/old_node_modules/yarn.lock":              true,
		"app/packages.json":                           false,
	}
	set := analyzer.NewSet(Analyzer{})
	for path, want := range tests {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted = %v, want %v", path, got, want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "JSONStream": true, "@s/a": true, "@s/_a": true, "a.b-c_d~e": true, "crazy!": true,
		"": false, "@s": false, "@s/": false, "@/a": false, "@s/a/b": false, "a/b": false, "a b": false, "a%": false, "é": false,
		".a": false, "_a": false, "node_modules": false, "favicon.ico": false, "{{a}}": false, "@s/a@1": false,
	} {
		if got := validName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestCleanVersion(t *testing.T) {
	for in, want := range map[string]string{
		"1.0.0": "1.0.0", " =v1.0.0 ": "1.0.0", "v1": "1", "vnext": "vnext", "": "", "=": "=", "latest": "latest",
	} {
		if got := cleanVersion(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSource(t *testing.T) {
	tests := []struct {
		in   string
		kind sourceKind
		vcs  string
	}{
		{"", registry, ""},
		{"https://registry.example/a/-/a-1.0.0.tgz", registry, ""},
		{"https://packages.example/download/@s/a/1.0.0/0123", registry, ""},
		{"a-1.0.0.tgz#0123", registry, ""},
		{"https://files.example/a.tgz", remote, ""},
		{"https://codeload.github.com/u/a/tar.gz/0123", remote, ""},
		{"file:a.tgz", archive, ""},
		{"file:./a.tar.gz#0123", archive, ""},
		{"file:../a", local, ""},
		{"link:../a", local, ""},
		{"workspace:*", local, ""},
		{"portal:../a", local, ""},
		{"git+ssh://git@h.example/u/a.git#0123", git, "git+ssh://git@h.example/u/a.git@0123"},
		{"git://h.example/u/a.git", git, "git://h.example/u/a.git"},
		{"https://h.example/u/a.git#commit=0123", git, "git+https://h.example/u/a.git@0123"},
		{"https://h.example/u/a.git#workspace=b&commit=0123", git, "git+https://h.example/u/a.git@0123"},
		{"github:u/a#main", git, "git+https://github.com/u/a@main"},
		{"gitlab:u/a", git, "git+https://gitlab.com/u/a"},
		{"bitbucket:u/a", git, "git+https://bitbucket.org/u/a"},
		{"gist:0123", git, "git+https://gist.github.com/0123"},
		{"ssh://git@h.example/a#v1", git, "git+ssh://git@h.example/a@v1"},
		{"git@h.example:u/a.git#v1", git, "git+ssh://git@h.example/u/a.git@v1"},
	}
	for _, tt := range tests {
		got := sourceOf(tt.in)
		if got.kind != tt.kind {
			t.Errorf("%q: kind %d, want %d", tt.in, got.kind, tt.kind)
		}
		if got.kind == git && vcsURL(got.text) != tt.vcs {
			t.Errorf("%q: %s, want %s", tt.in, vcsURL(got.text), tt.vcs)
		}
	}
}

func TestIntegrity(t *testing.T) {
	const sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	got := integrity("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=?opt sha512-short md5 sha9-AAAA  sha1-!")
	if diff := cmp.Diff([]sbom.Hash{{Algorithm: "sha1", Value: sha1}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := shasum(strings.ToUpper(sha1)); len(got) != 1 || got[0].Value != sha1 {
		t.Errorf("shasum: %v", got)
	}
	if got := shasum("0123"); got != nil {
		t.Errorf("a short digest gives %v", got)
	}
}

func TestPnpmKeys(t *testing.T) {
	tests := []struct {
		major              int
		key, name, version string
	}{
		{5, "/a/1.0.0", "a", "1.0.0"},
		{5, "/@s/a/1.0.0_b@2.0.0", "@s/a", "1.0.0"},
		{5, "/a/1.0.0/b@2.0.0", "a", "1.0.0"},
		{5, "h.example/@s/a/1.0.0-rc.1", "@s/a", "1.0.0-rc.1"},
		{5, "10.0.0.1/a/2.0.0", "a", "2.0.0"},
		{5, "/2.js/1.0.0", "2.js", "1.0.0"},
		{5, "github.com/u/a/0123", "", ""},
		{6, "/a@1.0.0", "a", "1.0.0"},
		{6, "/@s/a@1.0.0(b@2.0.0)(@c/d@3.0.0)", "@s/a", "1.0.0"},
		{6, "h.example/@s/a@1.0.0", "@s/a", "1.0.0"},
		{6, "h.example/a@1.0.0", "a", "1.0.0"},
		{6, "@h.example/u/a/tarball/1.0.0", "", ""},
		{6, "file:../a", "", ""},
		{9, "a@1.0.0(b@2.0.0)", "a", "1.0.0"},
		{9, "@s/a@1.0.0", "@s/a", "1.0.0"},
		{9, "@s/a@file:../a", "@s/a", ""},
		{9, "a@https://h.example/a.tgz", "a", ""},
		{9, "a", "", ""},
		{9, "", "", ""},
	}
	for _, tt := range tests {
		p := pnpmLock{major: tt.major}
		if name, version := p.splitKey(tt.key); name != tt.name || version != tt.version {
			t.Errorf("version %d, %q: %q %q, want %q %q", tt.major, tt.key, name, version, tt.name, tt.version)
		}
	}
}

func TestPnpmPlaces(t *testing.T) {
	tests := []struct {
		major           int
		name, ref, want string
	}{
		{5, "a", "1.0.0", "/a/1.0.0"}, {5, "a", "/b/1.0.0", "/b/1.0.0"}, {5, "@s/a", "1.0.0_b@2", "/@s/a/1.0.0_b@2"},
		{6, "a", "1.0.0(b@2)", "/a@1.0.0(b@2)"}, {6, "a", "/b@1.0.0", "/b@1.0.0"}, {6, "a", "file:../b", "file:../b"}, {6, "a", "1.0.0(@s/b@2)", "/a@1.0.0(@s/b@2)"},
		{9, "a", "1.0.0(b@2)", "a@1.0.0(b@2)"}, {9, "a", "b@1.0.0", "b@1.0.0"}, {9, "a", "@s/b@1.0.0", "@s/b@1.0.0"},
		{9, "a", "file:../b@c", "a@file:../b@c"}, {9, "a", "https://h.example/a@b.tgz", "a@https://h.example/a@b.tgz"},
	}
	for _, tt := range tests {
		p := pnpmLock{major: tt.major}
		if got := p.place(tt.name, tt.ref); got != tt.want {
			t.Errorf("version %d, %s %s: %q, want %q", tt.major, tt.name, tt.ref, got, tt.want)
		}
	}
}

// TestLookUp holds the search against its definition: of all packages of that
// name, the one in the node_modules of the closest folder above.
func TestLookUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		folder := rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "node_modules"}), 0, 6).Draw(t, "parts"), "/")
		})
		packages := map[string]int{}
		for i, dir := range rapid.SliceOfN(folder, 0, 20).Draw(t, "packages") {
			packages[dir] = i
		}
		from, name := folder.Draw(t, "from"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
		best, want := -1, 0
		for dir, i := range packages {
			above, ok := strings.CutSuffix("/"+dir, "/node_modules/"+name)
			if !ok || !strings.HasPrefix("/"+from+"/", above+"/") || strings.HasSuffix(above, "/node_modules") {
				continue
			}
			if len(above) > best {
				best, want = len(above), i
			}
		}
		got, ok := new(walker).lookUp(from, name, func(dir []byte) (int, bool) { i, ok := packages[string(dir)]; return i, ok })
		if ok != (best >= 0) || ok && got != want {
			t.Fatalf("from %q: %d %v, want %d %v", from, got, ok, want, best >= 0)
		}
	})
}

func TestLookUpLimit(t *testing.T) {
	w := walker{work: maxWork}
	if _, ok := w.lookUp("", "a", func([]byte) (int, bool) { return 0, true }); ok {
		t.Error("found something after the limit")
	}
	if w.err("here") == nil {
		t.Error("no error after the limit")
	}
}

// TestSecrets: what a lockfile has of somebody's password is told to nobody.
func TestSecrets(t *testing.T) {
	for _, kind := range []sourceKind{registry, remote, git, archive} {
		p := &sbom.Package{Name: "a", Version: "1.0.0"}
		source{kind, "https://ann:hunter2@npm.example/a.tgz"}.describe(p)
		if text := fmt.Sprint(p); strings.Contains(text, "hunter2") || !strings.Contains(text, "npm.example") {
			t.Errorf("%v: %s", kind, text)
		}
	}
}
