package csaf_test

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// calculate is what callers give [csaf.ValidateOptions].
func calculate(vector string) (int, error) {
	v, err := cvss.Parse(vector)
	return int(v.Score()), err
}

var everything = &csaf.ValidateOptions{CVSS: calculate, Optional: true, Informative: true}

// suite is the index of the official tests.
type suite struct {
	Tests []struct {
		ID       string
		Group    string
		Failures []suiteFile
		Valid    []suiteFile
	}
}

type suiteFile struct {
	Name  string
	Valid bool
}

// notPerformed are the tests that need a network or a dictionary.
var notPerformed = []string{"6.3.6", "6.3.7", "6.3.8"}

// contradictory are documents that the index calls valid, though they fail a
// mandatory test just as a document of that test's own does: this one has a
// digest by the same algorithm twice (6.1.25).
var contradictory = map[string]bool{"optional/oasis_csaf_tc-csaf_2_0-2021-6-2-09-02.json": true}

// alsoUnreleased fails 6.1.18 with its only revision, besides 6.1.17.
const alsoUnreleased = "mandatory/oasis_csaf_tc-csaf_2_0-2021-6-1-17-01.json"

// TestOfficial holds the verdicts against the official test data: which test a
// document fails, and whether it is valid.
func TestOfficial(t *testing.T) {
	files := testdata.Open(t, "conformance/csaf20-validator.tar.gz")
	raw, err := os.ReadFile(testdata.Path(t, "conformance/csaf20-testcases-dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s suite
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, test := range s.Tests {
		check := func(f suiteFile, fails bool) {
			text, ok := files["csaf_2.0/test/validator/data/"+f.Name]
			if !ok {
				return
			}
			seen[test.Group]++
			problems := validate(t, f.Name, text)
			if got := csaf.Valid(problems); got != f.Valid && !contradictory[f.Name] {
				t.Errorf("%s: valid is %v, want %v: %v", f.Name, got, f.Valid, problems)
			}
			if slices.Contains(notPerformed, test.ID) {
				return
			}
			failed := testsOf(problems, func(csaf.Problem) bool { return true })
			if slices.Contains(failed, test.ID) != fails {
				t.Errorf("%s: test %s failing is %v, want %v: %v", f.Name, test.ID, !fails, fails, problems)
			}
			if want, ok := []string{test.ID}, f.Name != alsoUnreleased; !f.Valid && ok {
				mandatory := testsOf(problems, func(p csaf.Problem) bool { return p.Mandatory })
				if d := cmp.Diff(want, mandatory); d != "" {
					t.Errorf("%s: mandatory tests that fail (-want +got):\n%s%v", f.Name, d, problems)
				}
			}
		}
		for _, f := range test.Failures {
			check(f, true)
		}
		for _, f := range test.Valid {
			check(f, false)
		}
	}
	t.Log("documents by group:", seen)
	if seen["mandatory"] < 40 {
		t.Errorf("%d documents of mandatory tests: the pack is not the one this test knows", seen["mandatory"])
	}
}

func validate(t testing.TB, name string, text []byte) []csaf.Problem {
	t.Helper()
	doc, err := csaf.Decode(text, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	problems, err := csaf.Validate(doc, path.Base(name), everything)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return problems
}

// testsOf lists the tests of those problems that keep says, each once.
func testsOf(problems []csaf.Problem, keep func(csaf.Problem) bool) []string {
	set := map[string]bool{}
	for _, p := range problems {
		if keep(p) {
			set[p.Test] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// realPacks have documents that publishers issued.
var realPacks = []string{
	"vex/csaf-cisa-ics.tar.gz", "vex/csaf-vex-redhat-trustify.tar.gz", "vex/csaf-vex-claircore.tar.gz", "vex/csaf-examples.tar.gz",
	"vex/csaf-provider-trees.tar.gz", "advisories/rhel-csaf-to-osv.tar.gz",
}

// realDocuments calls fn for each file of the packs that names CSAF.
func realDocuments(t testing.TB, fn func(pack, name string, text []byte)) {
	for _, pack := range realPacks {
		files := testdata.Open(t, pack)
		for _, name := range testdata.Names(files) {
			if strings.HasSuffix(name, ".json") && strings.Contains(string(files[name]), `"tracking"`) {
				fn(strings.TrimSuffix(path.Base(pack), ".tar.gz"), name, files[name])
			}
		}
	}
}
