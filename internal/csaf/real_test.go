package csaf_test

import (
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/csaf"
)

// tally counts the documents of a pack: those read, of these the valid ones,
// and those refused.
type tally struct{ read, valid, refused int }

// TestReal decodes and validates what publishers issued. The figures are
// checked by hand where documents are refused or invalid:
//   - Two cannot be read: one has text behind it, one has only an id, by which
//     a program marks a deleted document.
//   - CISA wrote "vers:all/*" and the like as a single version (6.1.31).
//   - Red Hat's documents of 2023 have version 1 and a revision 2 (6.1.16);
//     one defines a platform twice (6.1.2). One of 2022 has package URLs of type
//     oci with a namespace (6.1.13).
//   - Files that were made for tests are not named by their ids; one has a
//     product without action statement (6.1.27.10).
func TestReal(t *testing.T) {
	counts, fails := map[string]tally{}, map[string]int{}
	realDocuments(t, func(pack, name string, text []byte) {
		c := counts[pack]
		defer func() { counts[pack] = c }()
		doc, err := csaf.Decode(text, nil)
		if err != nil {
			c.refused++
			t.Logf("%s: %v", name, err)
			return
		}
		c.read++
		problems, err := csaf.Validate(doc, path.Base(name), &csaf.ValidateOptions{CVSS: calculate})
		if err != nil {
			t.Fatal(name, err)
		}
		if csaf.Valid(problems) {
			c.valid++
		}
		for _, id := range testsOf(problems, func(csaf.Problem) bool { return true }) {
			fails[id]++
		}
	})
	if d := cmp.Diff(wantTallies, counts, cmp.AllowUnexported(tally{})); d != "" {
		t.Errorf("documents (-want +got):\n%s", d)
	}
	if d := cmp.Diff(wantFails, fails); d != "" {
		t.Errorf("documents by failed test (-want +got):\n%s", d)
	}
}

var (
	wantTallies = map[string]tally{
		"csaf-cisa-ics":            {read: 406, valid: 378},
		"csaf-vex-redhat-trustify": {read: 18, valid: 2},
		"csaf-vex-claircore":       {read: 6, valid: 2, refused: 1},
		"csaf-examples":            {read: 19, valid: 19},
		"csaf-provider-trees":      {read: 5, valid: 3, refused: 1},
		"rhel-csaf-to-osv":         {read: 2, valid: 2},
	}
	wantFails = map[string]int{"6.1.2": 1, "6.1.13": 1, "6.1.16": 16, "6.1.27.10": 1, "6.1.31": 28, csaf.TestFilename: 5}
)
