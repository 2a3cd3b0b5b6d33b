package scalibr_test

import (
	"strings"
	"testing"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor/filesystem/language/cpp/conanlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packageslockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradlelockfile"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagelockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/pnpmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/yarnlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pipfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/poetrylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/uvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargolock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/swift/packageresolved"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/cargo"
	"github.com/stella-ops/stella/scan/analyzer/composer"
	"github.com/stella-ops/stella/scan/analyzer/conan"
	"github.com/stella-ops/stella/scan/analyzer/java"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
	"github.com/stella-ops/stella/scan/analyzer/pypi"
	"github.com/stella-ops/stella/scan/analyzer/rubygems"
	"github.com/stella-ops/stella/scan/analyzer/scalibr"
	"github.com/stella-ops/stella/scan/analyzer/swift"
)

// figures are what a comparison comes to, over all files that both want. Packages are told
// apart by type, name and version, dev by what only one of the two says is for development.
type figures struct{ files, both, ours, theirs, dev int }

// rivals are extractors beside our own analyzers, and what the shared lockfiles come to.
var rivals = []struct {
	make func(*cpb.PluginConfig) (scalibr.Extractor, error)
	ours analyzer.Analyzer
	want figures
}{
	// What they alone find is the project itself, which a lockfile lists and nobody installs: a
	// crate, gems and workspaces of their own folders.
	{cargolock.New, cargo.Analyzer{}, figures{10, 154, 0, 5, 0}},
	{composerlock.New, composer.Analyzer{}, figures{13, 18, 0, 0, 0}},
	{conanlock.New, conan.Analyzer{}, figures{2, 2, 0, 0, 0}},
	{gemfilelock.New, rubygems.Analyzer{}, figures{17, 712, 0, 3, 0}},
	{gradlelockfile.New, java.Analyzer{}, figures{2, 3, 0, 0, 0}},
	{packagelockjson.New, npm.Analyzer{}, figures{4, 10, 0, 0, 0}},
	{packageresolved.New, swift.Analyzer{}, figures{4, 8, 5, 0, 0}},
	{packageslockjson.New, nuget.Analyzer{}, figures{3, 3, 0, 0, 0}},
	{pipfilelock.New, pypi.Analyzer{}, figures{7, 135, 0, 0, 0}},
	{pnpmlock.New, npm.Analyzer{}, figures{4, 4, 0, 0, 0}},
	{poetrylock.New, pypi.Analyzer{}, figures{2, 5, 0, 0, 0}},
	{uvlock.New, pypi.Analyzer{}, figures{3, 14, 0, 0, 6}},
	{yarnlock.New, npm.Analyzer{}, figures{13, 41, 0, 10, 0}},
}

// TestParity reads the shared lockfiles through both. What only they find is named in the
// log, and counted here: it may become less, and not more.
func TestParity(t *testing.T) {
	files := map[string][]byte{}
	for _, pack := range []string{"trivy-parser", "trivy-analyzer", "osv-scanner", "scancode"} {
		for name, data := range testdata.Open(t, "lockfiles/"+pack+".tar.gz") {
			files[pack+"/"+name] = data
		}
	}
	for _, r := range rivals {
		e, err := r.make(&cpb.PluginConfig{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := scalibr.New(e)
		if err != nil {
			t.Fatal(err)
		}
		theirs := list[0]
		t.Run(strings.ReplaceAll(e.Name(), "/", "-"), func(t *testing.T) {
			var got figures
			for name, data := range files {
				one := map[string][]byte{name: data}
				if !wants(theirs, name) || !wants(r.ours, name) {
					continue
				}
				got.files++
				a, b := packages(analyzertest.Scan(r.ours, one)), packages(analyzertest.Scan(theirs, one))
				for key, scope := range a {
					if other, ok := b[key]; !ok {
						got.ours++
					} else {
						got.both++
						if other != scope {
							got.dev++
						}
					}
				}
				for key := range b {
					if _, ok := a[key]; !ok {
						got.theirs++
						t.Logf("%s: only osv-scalibr finds %s", name, key)
					}
				}
			}
			if got != r.want {
				t.Errorf("got %+v, want %+v", got, r.want)
			}
		})
	}
}

func wants(a analyzer.Analyzer, name string) bool {
	return len(analyzer.NewSet(a).ByPath(nil, name)) > 0
}

// packages are what was found: whether each is for development by its package URL without
// qualifiers.
func packages(r *analyzertest.Result) map[string]bool {
	out := map[string]bool{}
	for _, f := range r.Packages {
		p := f.Package
		if p.PURL.IsZero() || p.PURL.Version == "" { // folders of the project itself
			continue
		}
		u := p.PURL
		u.Qualifiers, u.Subpath = nil, ""
		key := u.String()
		dev, seen := out[key]
		out[key] = p.Scope == "dev" && (dev || !seen)
	}
	return out
}
