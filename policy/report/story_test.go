package report

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/internal/policytest"
	"github.com/stella-ops/stella/scan/sbom"
)

// storied are a trace and options with everything that a story can tell.
func storied(t testing.TB) (*policy.Trace, *Options) {
	t.Helper()
	in := policytest.Inputs(t)
	in.Subject.Layers, in.Subject.BaseLayers = []string{policytest.Digest("1"), policytest.Digest("2")}, 1
	in.Packages[0].Locations[0].Layer = policytest.Digest("1")
	in.Packages[2].Locations[0].Layer = policytest.Digest("2")
	in.Packages[0].Upstream = &sbom.Upstream{Name: "openssl-src"}
	in.Packages[0].Usage = &sbom.Usage{State: sbom.Reached, Chain: []string{"usr/bin/api", "usr/lib/libssl.so.3"}}
	f := &in.Findings[0]
	f.Evidence.Ecosystem, f.Evidence.Name, f.Evidence.Version, f.Evidence.Range = "Debian:12", "openssl", "3.0.1", "< 3.0.2"
	f.SeverityFrom, f.EPSS, f.EPSSFrom, f.ExploitedFrom = "Debian", "0.91", "epss", "kev"
	_, trace := policytest.Evaluate(t, in)
	return trace, &Options{Findings: in.Findings, Packages: in.Packages, Layers: []sbom.Layer{
		{DiffID: policytest.Digest("1"), CreatedBy: "ADD debian.tar /"}, {DiffID: policytest.Digest("2"), CreatedBy: "RUN npm ci\x1b[2J"},
	}}
}

func TestStoryGoldens(t *testing.T) {
	trace, opts := storied(t)
	in, _, beside := policytest.Beside(t, true)
	nodata := *trace
	nodata.Assessed, nodata.Decisions, nodata.Gaps = false, nil, nil
	const name = "testdata/stories.txtar"
	var got []txtar.File
	for _, c := range []struct {
		name  string
		trace *policy.Trace
		opts  Options
	}{
		{"all", trace, Options{Passing: true, Findings: opts.Findings, Packages: opts.Packages, Layers: opts.Layers}},
		{"trace-alone", trace, Options{Vulnerability: "ghsa-AAAA-bbbb-c123"}},
		{"beside", beside, Options{Findings: in.Findings, Secrets: in.Secrets, Packages: in.Packages}},
		{"no-data", &nodata, Options{}},
	} {
		stories, err := Stories(c.trace, &c.opts)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Prose(&b, stories); err != nil {
			t.Fatal(err)
		}
		got = append(got, txtar.File{Name: c.name, Data: b.Bytes()})
	}
	if *update {
		text := txtar.Format(&txtar.Archive{Comment: []byte("Stories as prose. go test -update writes this.\n"), Files: got})
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Files, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// tells checks what holds of every story of a finding.
func tells(t interface{ Fatalf(string, ...any) }, s *Story, d *policy.Decided) {
	switch {
	case s.Outcome != d.Outcome:
		t.Fatalf("%s: outcome %s, the trace says %s", s.Title, s.Outcome, d.Outcome)
	case d.Before == nil && !strings.Contains(s.Because, inner(d.Because)):
		t.Fatalf("%s: %q, the trace says %q", s.Title, s.Because, d.Because)
	case d.Before != nil && (!strings.Contains(s.Because, d.Exception) || !strings.Contains(s.Because, inner(d.Before.Because))):
		t.Fatalf("%s: %q, the trace says %q before exception %s", s.Title, s.Because, d.Before.Because, d.Exception)
	}
	order := []StepKind{StepPackage, StepRecord, StepSupplier, StepException, StepRule, StepVerdict, StepNext}
	at, kinds, text := 0, map[StepKind]int{}, s.Because
	for i := range s.Steps {
		n := slices.Index(order, s.Steps[i].Kind)
		if n < at {
			t.Fatalf("%s: step %d is of kind %q", s.Title, i, s.Steps[i].Kind)
		}
		at = n
		kinds[s.Steps[i].Kind]++
		text += "\n" + s.Steps[i].Title + "\n" + strings.Join(s.Steps[i].Text, "\n")
		if s.Steps[i].Title == "" || slices.Contains(s.Steps[i].Text, "") {
			t.Fatalf("%s: step %d has no title, or an empty text: %q", s.Title, i, s.Steps[i])
		}
	}
	for _, k := range order {
		if kinds[k] == 0 {
			t.Fatalf("%s: no step of kind %s", s.Title, k)
		}
	}
	for _, a := range d.Rules {
		if !strings.Contains(text, a.Rule+": "+a.Is) {
			t.Fatalf("%s: nothing of rule %s, which answered %s", s.Title, a.Rule, a.Is)
		}
	}
	for _, e := range d.Exceptions {
		if !strings.Contains(text, e.ID) {
			t.Fatalf("%s: nothing of exception %s", s.Title, e.ID)
		}
	}
	decided := strings.Count(text, "\nIt decides.")
	if want := d.Gate == policy.GateRules || d.Gate == policy.GateThreshold; d.Before == nil && want != (decided > claims(d)) {
		t.Fatalf("%s: gate %s, and %d steps say that they decide", s.Title, d.Gate, decided)
	}
}

// claims counts the claims that decide.
func claims(d *policy.Decided) int {
	if d.VEX == nil {
		return 0
	}
	return len(d.VEX.Deciding)
}

// TestStories: whatever is decided about, each finding has its story, twice the same.
func TestStories(t *testing.T) {
	base := policytest.Inputs(t)
	rapid.Check(t, func(r *rapid.T) {
		in := *base
		in.Findings, in.Exceptions = slices.Clone(base.Findings), slices.Clone(base.Exceptions)
		levels := []finding.Severity{finding.Unknown, finding.Low, finding.Medium, finding.High, finding.Critical}
		for i := range in.Findings {
			f := &in.Findings[i]
			f.Severity = rapid.SampledFrom(levels).Draw(r, "severity")
			f.Exploited = rapid.SampledFrom([]string{"", "2026-11-01"}).Draw(r, "exploited")
			if rapid.Bool().Draw(r, "fix") {
				f.Fixed = []string{"9"}
			}
		}
		for i := range in.Exceptions {
			e := &in.Exceptions[i]
			e.Effect = rapid.SampledFrom(policy.Effects).Draw(r, "effect")
			e.Severity, e.Control = "", ""
			switch e.Effect {
			case policy.Downgrade:
				e.Severity = rapid.SampledFrom(levels[1:]).Draw(r, "to")
			case policy.RequireControl:
				e.Control = "waf"
			}
			e.Scope = policy.ExceptionScope{Vulnerabilities: []string{in.Findings[rapid.IntRange(0, 7).Draw(r, "of")].Vulnerability}}
			e.Expires = rapid.SampledFrom([]time.Time{{}, in.At.Add(-time.Hour), in.At.Add(time.Hour)}).Draw(r, "expires")
		}
		in.Controls = rapid.SampledFrom([][]string{nil, {"waf"}}).Draw(r, "controls")
		_, trace := policytest.Evaluate(t, &in)
		opts := &Options{Passing: true}
		if rapid.Bool().Draw(r, "with findings") {
			opts.Findings, opts.Packages = in.Findings, in.Packages
		}
		stories, err := Stories(trace, opts)
		if err != nil {
			r.Fatalf("%v", err)
		}
		again, err := Stories(trace, opts)
		if diff := cmp.Diff(stories, again); diff != "" || err != nil {
			r.Fatalf("not the same twice: %v\n%s", err, diff)
		}
		v, _ := newView(trace, opts)
		list := v.chosen(false)
		if len(list) != len(trace.Decisions) || len(stories) < len(list)+len(trace.Gaps) {
			r.Fatalf("%d stories of %d findings and %d gaps", len(stories), len(list), len(trace.Gaps))
		}
		for i, d := range list {
			tells(r, stories[i], d)
		}
	})
}

// TestStoriesOfTheRest: items and gaps have stories, and what nobody asked for has none.
func TestStoriesOfTheRest(t *testing.T) {
	in, _, trace := policytest.Beside(t, true)
	stories, err := Stories(trace, &Options{Passing: true, Secrets: in.Secrets, Packages: in.Packages})
	if err != nil {
		t.Fatal(err)
	}
	for i := range trace.Items {
		x := &trace.Items[i]
		j := slices.IndexFunc(stories, func(s *Story) bool { return s.Title == x.Title() && s.Outcome == x.Outcome })
		if j < 0 || !strings.Contains(stories[j].Because, inner(x.Because)) {
			t.Errorf("%s: no story that says %q", x.Title(), x.Because)
		}
	}
	trace, opts := storied(t)
	opts.Vulnerability = "CVE-1999-0001"
	if _, err := Stories(trace, opts); !errors.Is(err, ErrNotFound) {
		t.Errorf("a finding that is not there: %v", err)
	}
	if _, err := Stories(nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("no trace: %v", err)
	}
	for _, name := range []string{"openssl", "pkg:deb/debian/openssl", "pkg:deb/debian/openssl@3.0.1", "p01"} {
		stories, err := Stories(trace, &Options{Package: name})
		if err != nil || len(stories) != 1 || stories[0].Title != "CVE-2026-0001 in openssl 3.0.1" {
			t.Errorf("%s: %v, %v", name, stories, err)
		}
	}
}

// TestOtherRecord: a finding that rests on other bytes of the record is not what was
// decided about.
func TestOtherRecord(t *testing.T) {
	trace, opts := storied(t)
	opts.Findings = slices.Clone(opts.Findings)
	opts.Findings[0].Evidence.Record, opts.Vulnerability = policytest.Digest("9"), opts.Findings[0].Vulnerability
	stories, err := Stories(trace, opts)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(stories[0].Steps[1].Text, " ")
	if strings.Contains(text, "3.0.2") || !strings.Contains(text, "stands in the findings") {
		t.Errorf("it tells what was not decided about: %s", text)
	}
}

// TestExplained: an explanation is a story, too.
func TestExplained(t *testing.T) {
	if Explained(nil) != nil {
		t.Error("a story of nothing")
	}
	x := &finding.Explanation{
		Package: finding.PackageFact{Name: "demo", Version: "1.0", PURL: "pkg:pypi/demo@1.0"}, Asked: "GHSA-1", Vulnerabilities: []string{"CVE-1"},
		Conclusion: finding.Affected, Reason: finding.ReasonInRange, Why: "1.0 is in < 1.1", Snapshot: policytest.Digest("c"),
		Scope: finding.Scope{Name: "PyPI", Scheme: "pypi", Ecosystems: []finding.EcosystemFact{{Name: "PyPI"}}, Lookups: []finding.Lookup{{Name: "demo", Version: "1.0", Why: "its own name"}}},
		Records: []finding.ConsideredRecord{
			{ID: "PYSEC-1", Source: "osv", Digest: policytest.Digest("e"), Applies: true, Why: "1.0 is in < 1.1",
				Entries: []finding.ConsideredEntry{{Ecosystem: "PyPI", Name: "demo", Why: "it contains it", Compared: []finding.Comparison{{Type: "ECOSYSTEM", Range: "< 1.1", Answer: "yes", Why: "1.0 < 1.1 (fixed)"}}}}},
			{ID: "OTHER-1", Why: "it is about other packages", Elsewhere: []string{"npm/demo"}, More: 2},
		},
		Findings: []finding.Finding{{Vulnerability: "CVE-1", Advisory: "PYSEC-1", Severity: finding.High, Fixed: []string{"1.1"}}},
	}
	var b bytes.Buffer
	if err := Prose(&b, []*Story{Explained(x)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"GHSA-1 in demo 1.0: affected\nThe package is affected: 1.0 is in < 1.1.\n", "PYSEC-1: applies", "ECOSYSTEM < 1.1: yes; 1.0 <",
		"OTHER-1: does not apply", "npm/demo and 2 more", "An update to 1.1 repairs it.", policytest.Digest("e"),
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing of %q in\n%s", want, b.String())
		}
	}
	x.Records, x.Findings, x.Conclusion, x.Why = nil, nil, finding.UnknownID, "no record is about GHSA-1"
	if s := Explained(x); !strings.HasPrefix(s.Because, "Nobody can say") || s.Steps[1].Title != "no record of the data is about GHSA-1" {
		t.Errorf("an unknown id: %+v", s)
	}
}

// TestStoryData: what is shown elsewhere is what was told.
func TestStoryData(t *testing.T) {
	trace, opts := storied(t)
	stories, err := Stories(trace, opts)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stories)
	if err != nil {
		t.Fatal(err)
	}
	var back []*Story
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stories, back); diff != "" {
		t.Errorf("-told +read:\n%s", diff)
	}
	record := stories[slices.IndexFunc(stories, func(s *Story) bool { return strings.HasPrefix(s.Title, "CVE-2026-0001") })].Steps[1]
	want := []Ref{{Name: "CVE-2026-0001", Digest: policytest.Digest("e"), URL: "https://security.example/CVE-2026-0001"}, {Name: "advisory data", Digest: policytest.Digest("c")}}
	if diff := cmp.Diff(want, record.Refs); diff != "" {
		t.Errorf("references of the record (-want +got):\n%s", diff)
	}
}

// TestProse: no text commands a terminal, and only a word that is longer than a line
// makes one longer.
func TestProse(t *testing.T) {
	if err := Prose(io.Discard, nil); err != nil {
		t.Error(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b[2J", "a\r\nb", "\u202eabc", "\xff", strings.Repeat("w", 200), strings.Repeat("many words ", 40)}))
		s := &Story{Title: text.Draw(t, "title"), Outcome: policy.Outcome(text.Draw(t, "outcome")), Because: text.Draw(t, "because")}
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			s.Steps = append(s.Steps, Step{Kind: StepRule, Title: text.Draw(t, "step"), Text: rapid.SliceOf(text).Draw(t, "text"), Refs: []Ref{{text.Draw(t, "name"), text.Draw(t, "digest"), text.Draw(t, "url")}}})
		}
		var b bytes.Buffer
		if err := Prose(&b, []*Story{s, s}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > proseWidth && len(strings.Fields(line)) > 3 {
				t.Fatalf("%d columns: %q", n, line)
			}
			for _, c := range line {
				if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
					t.Fatalf("character %U in %q", c, line)
				}
			}
		}
	})
}
