// Package peertest compares analyzers with what other scanners expect of their own test files.
package peertest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/purl"
)

// Peers are files that other scanners test with: of each, which is named by its pack and
// path ("trivy-parser/pkg/…"), what it is called here and what is found in it, as Names
// joined by spaces, or their number where that is long, and " !" with the error's text.
type Peers map[string]Peer

// Peer is one of them.
type Peer struct {
	As   string // path to read it as; "" is its own
	Want string
}

// Test reads the lockfiles of other scanners' tests, where the shared data are there.
func Test(t *testing.T, a analyzer.Analyzer, want Peers) {
	t.Helper()
	got := map[string]bool{}
	for _, pack := range []string{"trivy-parser", "trivy-analyzer", "osv-scanner", "scancode"} {
		for name, data := range testdata.Open(t, "lockfiles/"+pack+".tar.gz") {
			w, ok := want[pack+"/"+name]
			if !ok {
				continue
			}
			got[pack+"/"+name] = true
			as := w.As
			if as == "" {
				as = name
			}
			if text := summary(analyzertest.Scan(a, map[string][]byte{as: data}), w.Want); text != w.Want {
				t.Errorf("%s/%s:\n got %s\nwant %s", pack, name, text, w.Want)
			}
		}
	}
	for name := range want {
		if !got[name] {
			t.Errorf("%s is not among the shared data", name)
		}
	}
}

func summary(r *analyzertest.Result, like string) string {
	names := r.Names()
	text := strings.Join(names, " ")
	if !strings.Contains(like, "@") {
		text = strconv.Itoa(len(names))
	}
	for _, e := range r.Errors {
		text += " !" + e
	}
	return text
}

// ScancodePURLs returns the package URLs that ScanCode expects of one of its test files:
// all that its JSON names, sorted, each once, without qualifiers.
func ScancodePURLs(t testing.TB, expected []byte) []string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(expected, &doc); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, i := range v {
				walk(i)
			}
		case map[string]any:
			if s, _ := v["purl"].(string); s != "" {
				u, err := purl.Parse(s)
				if err != nil {
					t.Logf("ScanCode expects %q: %v", s, err)
				} else {
					u.Qualifiers, u.Subpath = nil, ""
					out = append(out, u.String())
				}
			}
			for _, i := range v {
				walk(i)
			}
		}
	}
	walk(doc)
	slices.Sort(out)
	return slices.Compact(out)
}
