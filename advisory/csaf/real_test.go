package csaf_test

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// read collects what a document says.
func read(s *csaf.Source, name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
	for st, err := range s.Parse(&advisory.Document{Name: name, Content: content}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, err.Error())
		case err != nil:
			fatal = err
		default:
			records = append(records, st.(*advisory.Record))
		}
	}
	return records, broken, fatal
}

// figures count what the documents of a pack say.
type figures struct {
	Documents, Refused, Noted              int
	Records, Broken, Packages              int
	Fixed, Open, NotAffected, Investigated int
	WillNotFix, Deferred, EndOfLife        int
	Streams                                int
}

func (f *figures) add(records []*advisory.Record) {
	for _, r := range records {
		f.Records++
		for _, a := range r.Affected {
			f.Packages++
			if a.Stream != "" {
				f.Streams++
			}
			switch {
			case a.Status == advisory.NotAffected:
				f.NotAffected++
			case a.Status == advisory.UnderInvestigation:
				f.Investigated++
			case a.Status == advisory.WillNotFix:
				f.WillNotFix++
			case a.Status == advisory.FixDeferred:
				f.Deferred++
			case a.Status == advisory.EndOfLife:
				f.EndOfLife++
			case len(a.Ranges) > 0 && len(a.Ranges[0].Events) > 1:
				f.Fixed++
			default:
				f.Open++
			}
		}
	}
}

// packs are the shared documents of publishers that have a source.
var packs = map[string]struct {
	source *csaf.Source
	below  string
}{
	"vex/csaf-vex-redhat-trustify.tar.gz":     {csaf.RedHatVEX(), "etc/datasets/ds3/csaf/"},
	"vex/csaf-vex-claircore.tar.gz":           {csaf.RedHatVEX(), "rhel/vex/"},
	"vex/csaf-examples.tar.gz":                {csaf.RedHatAdvisories(), "csaf_2.0/examples/csaf/rhsa"},
	"advisories/rhel-csaf-to-osv.tar.gz":      {csaf.RedHatAdvisories(), "tools/redhat/testdata/CSAF/"},
	"advisories/rhel-csaf-oval-vunnel.tar.gz": {csaf.RedHatAdvisories(), "tests/unit/providers/rhel/test-fixtures/csaf/"},
	"vex/csaf-cisa-ics.tar.gz":                {csaf.CISA(), "csaf_files/"},
}

// TestReal reads what publishers issued and counts what it says, what is
// refused and which tests fail and are tolerated.
func TestReal(t *testing.T) {
	got, tests := map[string]figures{}, map[string]int{}
	for pack, p := range packs {
		f := figures{}
		for name, content := range testdata.Open(t, pack) {
			if !strings.HasPrefix(name, p.below) || path.Ext(name) != ".json" {
				continue
			}
			f.Documents++
			records, broken, err := read(p.source, name, content)
			if err != nil {
				f.Refused++
				t.Logf("refused: %v", err)
			}
			f.Broken += len(broken)
			f.add(records)
			if len(broken) > 0 {
				t.Log(name, broken)
			}
			notes, _ := p.source.Notes(&advisory.Document{Name: name, Content: content})
			if len(notes) > 0 {
				f.Noted++
			}
			seen := map[string]bool{}
			for _, n := range notes {
				id, _, _ := strings.Cut(n, " ")
				if !seen[id] {
					tests[path.Base(pack)+" "+id]++
				}
				seen[id] = true
			}
		}
		got[path.Base(pack)] = f
	}
	text, _ := json.Marshal(got, json.Deterministic(true))
	t.Log(strings.ReplaceAll(string(text), "},", "},\n"))
	text, _ = json.Marshal(tests, json.Deterministic(true))
	t.Log(string(text))
}

// line is one package of a record.
func lines(affected []advisory.Affected) (out []string) {
	for _, a := range affected {
		for _, r := range a.Ranges {
			out = append(out, fmt.Sprintf("%s %s %v", a.Ecosystem, a.Name, r.Events))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestRealOSV holds records against those that OSV's own converter makes of the
// same documents.
func TestRealOSV(t *testing.T) {
	files := testdata.Open(t, "advisories/rhel-csaf-to-osv.tar.gz")
	for _, name := range []string{"rhsa-2024_4546", "rhsa-2024_6220"} {
		records, broken, err := read(csaf.RedHatAdvisories(), name+".json", files["tools/redhat/testdata/CSAF/"+name+".json"])
		if err != nil || broken != nil || len(records) != 1 {
			t.Fatal(len(records), broken, err)
		}
		var want struct {
			ID       string
			Upstream []string
			Related  []string
			Summary  string
			Severity []struct{ Type, Score string }
			Affected []struct {
				Package struct{ Name, Ecosystem string }
				Ranges  []advisory.Range
			}
			References []advisory.Reference
		}
		if err := json.Unmarshal(files["tools/redhat/testdata/OSV/"+strings.ToUpper(name)+".json"], &want, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		var affected []advisory.Affected
		for _, a := range want.Affected {
			affected = append(affected, advisory.Affected{Ecosystem: a.Package.Ecosystem, Name: a.Package.Name, Ranges: a.Ranges})
		}
		r := records[0]
		if diff := cmp.Diff(lines(affected), lines(r.Affected)); diff != "" {
			t.Errorf("%s: packages -OSV +got:\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{want.ID, want.Summary, fmt.Sprint(want.Upstream), want.Severity[0].Score}, []string{r.ID, r.Summary, fmt.Sprint(r.Upstream), r.Scores[0].Value}); diff != "" {
			t.Errorf("%s: -OSV +got:\n%s", name, diff)
		}
		t.Log(len(r.Affected), len(want.Affected), len(r.References), len(want.References))
	}
}
