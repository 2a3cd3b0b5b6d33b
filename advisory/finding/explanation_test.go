package finding_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// explanation has a value in every member.
func explanation() *finding.Explanation {
	fixed := []finding.FixedIn{{Record: "A-1", Ecosystem: "npm", Name: "a", Versions: []string{"1.1", "2.1"}}}
	return &finding.Explanation{
		Package: finding.PackageFact{ID: "p", Name: "a", Version: "1.0", PURL: "pkg:npm/a@1.0", Owner: "pkg:deb/debian/a@1"}, Asked: "A-1", Vulnerabilities: []string{"CVE-1-1"},
		Conclusion: finding.NotAffected, Reason: finding.ReasonFixed, Why: "it is fixed", Snapshot: "sha256:00",
		Scope: finding.Scope{Name: "npm", Scheme: "npm", Ecosystems: []finding.EcosystemFact{{Name: "npm", Modified: "2024-01-01T00:00:00Z"}}, Lookups: []finding.Lookup{{Name: "a", Version: "1.0", Why: "its name"}}},
		Records: []finding.ConsideredRecord{{
			ID: "A-1", Source: "s", Digest: "sha256:01", Withdrawn: "2024-01-01T00:00:00Z", Path: []string{"A-1", "B-1", "CVE-1-1"}, Reason: finding.ReasonFixed, Why: "it is fixed",
			Entries:   []finding.ConsideredEntry{{Ecosystem: "npm", Name: "a", Version: "1.0", Stream: "m:1", Status: "will_not_fix", Reason: finding.ReasonFixed, Why: "fixed", Compared: []finding.Comparison{{Type: "SEMVER", Range: ">= 0", Answer: "no", Why: "so"}}, Fixed: []string{"1.0"}}},
			Elsewhere: []string{"npm/b"}, More: 2,
		}},
		Backport: &finding.Backport{Upstream: fixed, Distribution: fixed, Why: "both fixed it"},
		Findings: []finding.Finding{{Package: "p", Name: "a", Version: "1.0", Vulnerability: "CVE-1-1", Advisory: "A-1"}},
		Gaps:     []sbom.Gap{{Code: sbom.GapStale, Blocking: true, Where: "npm", What: "old"}},
	}
}

func TestExplanationText(t *testing.T) {
	var b strings.Builder
	if err := explanation().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `pkg:npm/a@1.0: not affected
because     it is fixed [fixed]
asked       A-1, which is CVE-1-1
installed by pkg:deb/debian/a@1
looked up   in npm, by the order of npm versions
  a 1.0: its name
  npm, newest record of 2024-01-01T00:00:00Z
A-1 does not apply: it is fixed [fixed]
  sha256:01 from s
  by A-1 → B-1 → CVE-1-1
  npm a of m:1, status will_not_fix: fixed [fixed]
    SEMVER >= 0: no; so
  also about npm/b and 2 more
backport    both fixed it
  others: npm a in 1.1, 2.1 (A-1)
  here: npm a in 1.1, 2.1 (A-1)
finding     CVE-1-1 by A-1, severity unknown
not assessed, whatever the vulnerability: npm: old
data        sha256:00
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestExplanationJSON: the names of the members are part of the interface.
func TestExplanationJSON(t *testing.T) {
	got, err := json.Marshal(explanation(), jsontext.WithIndent(" "))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(got)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), `":`); ok {
			names = append(names, strings.TrimPrefix(name, `"`))
		}
	}
	want := "package id name version purl owner asked vulnerabilities conclusion reason why snapshot scope name ecosystems name modified scheme lookups name version why " +
		"records id source digest withdrawn path applies reason why entries ecosystem name version stream status applies reason why compared type range answer why fixed elsewhere more " +
		"backport upstream record ecosystem name versions distribution record ecosystem name versions why findings package name version vulnerability advisory evidence ecosystem name version range record gaps code blocking where what"
	if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var back finding.Explanation
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(explanation(), &back); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken")

// TestExplanationHostile: what records write cannot command a terminal, and
// empty members leave no trace.
func TestExplanationHostile(t *testing.T) {
	x := &finding.Explanation{Package: finding.PackageFact{Name: "a\x1b[31m\nb"}, Asked: "\u202eCVE", Conclusion: finding.UnknownID, Reason: finding.ReasonUnknownID, Why: "no\rne", Scope: finding.Scope{Name: "npm"}}
	var b strings.Builder
	if err := x.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := "a\ufffd[31m\ufffdb: unknown id\nbecause     no\ufffdne [unknown_id]\nasked       \ufffdCVE\nlooked up   nowhere: npm\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := x.WriteText(broken{}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}
