package rubygems_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/rubygems"
)

// TestPeers: numbers are of gems by name and version, and were checked by hand; gems from a
// folder are among them, and the versions of Ruby and Bundler are not.
func TestPeers(t *testing.T) {
	const source, gemfiles = "osv-scanner/cmd/osv-scanner/scan/source/testdata/", "scancode/tests/packagedcode/data/rubygems/gemfile/"
	peertest.Test(t, rubygems.Analyzer{}, peertest.Peers{
		"osv-scanner/cmd/osv-scanner/scan/testdata/locks-many/Gemfile.lock": {Want: "ast@2.4.2"},
		source + "locks-empty/Gemfile.lock":                                 {Want: "0"},
		source + "locks-gitignore/Gemfile.lock":                             {Want: "ast@2.4.2"},
		source + "locks-many-with-insecure/Gemfile.lock":                    {Want: "ast@2.4.2"},
		source + "locks-many-with-invalid/Gemfile.lock":                     {Want: "ast@2.4.2"},
		"trivy-parser/pkg/dependency/parser/ruby/bundler/testdata/Gemfile_bundler2.lock": {As: "Gemfile.lock",
			Want: "coderay@1.1.3 concurrent-ruby@1.1.10 dotenv@2.7.6 faker@2.21.0 i18n@1.10.0 json@2.6.2 method_source@1.0.0 pry@0.14.1"},
		gemfiles + "1/Gemfile.lock":  {Want: "67"},
		gemfiles + "2/Gemfile.lock":  {Want: "29"},
		gemfiles + "5/Gemfile.lock":  {Want: "109"},
		gemfiles + "7/Gemfile.lock":  {Want: "20"},
		gemfiles + "8/Gemfile.lock":  {Want: "benchmark-ips@2.7.2 minitest@5.11.3 mysql2@0.5.2 rake-compiler@1.0.7 rake@13.0.1 trilogy@2.1.0"},
		gemfiles + "9/Gemfile.lock":  {Want: "11"},
		gemfiles + "10/Gemfile.lock": {Want: "175"},
		gemfiles + "11/Gemfile.lock": {Want: "74"},
		gemfiles + "12/Gemfile.lock": {Want: "187"},
	})
}

// scancodeDiffers says where ScanCode's expectation of its own test files and our result
// differ, and who is right: "+" is ours alone, "-" theirs alone.
var scancodeDiffers = map[string]string{
	// Ours: fragments without a heading, of which Bundler reads nothing; an error says so.
	"spec/Gemfile.lock1": "-user-lib@2.1.0",
	"spec/Gemfile.lock2": "-user-lib@2.1.0",
	"spec/Gemfile.lock3": "-activesupport@3.2.17 -addressable@2.3.6 -allowy@0.4.0 -i18n@0.6.9 -multi_json@1.9.2",
	"spec/Gemfile.lock4": "-activesupport@3.2.17 -addressable@2.3.6 -allowy@0.4.0 -clockwork@0.4.1 -delayed_job@4.0.0 " +
		"-fluent-logger@0.4.7 -i18n@0.6.9 -msgpack@0.5.8 -multi_json@1.9.2 -yajl-ruby@1.2.0",
}

// TestScancode compares gems that have a version.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/gemfile_lock/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	got, compared := map[string]string{}, 0
	for _, name := range testdata.Names(files) {
		expected, ok := files[name+".expected.json"]
		if !ok || !strings.HasPrefix(name, root) {
			continue
		}
		compared++
		var list []struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}
		if err := json.Unmarshal(expected, &list); err != nil {
			t.Fatal(err)
		}
		var theirs, differ []string
		for _, g := range list {
			if g.Version != "" {
				theirs = append(theirs, g.Name+"@"+g.Version)
			}
		}
		ours := analyzertest.Scan(rubygems.Analyzer{}, map[string][]byte{"Gemfile.lock": files[name]}).Names()
		for _, line := range ours {
			if !slices.Contains(theirs, line) {
				differ = append(differ, "+"+line)
			}
		}
		for _, line := range theirs {
			if !slices.Contains(ours, line) {
				differ = append(differ, "-"+line)
			}
		}
		if slices.Sort(differ); len(differ) > 0 {
			got[strings.TrimPrefix(name, root)] = strings.Join(differ, " ")
		}
	}
	if compared != 14 {
		t.Errorf("compared %d files, want 14", compared)
	}
	if diff := cmp.Diff(scancodeDiffers, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
