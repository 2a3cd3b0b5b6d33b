package sarif

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/internal/policytest"
)

var update = flag.Bool("update", false, "write what the code gives into testdata")

// sample returns the log of the sample image.
func sample(t testing.TB, change func(*Options)) []byte {
	t.Helper()
	in := policytest.Inputs(t)
	_, trace := policytest.Evaluate(t, in)
	opts := &Options{Findings: in.Findings, Packages: in.Packages, Artifact: "Dockerfile", Version: "1.2.3"}
	if change != nil {
		change(opts)
	}
	text, err := Encode(trace, opts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGolden(t *testing.T) {
	got := sample(t, func(o *Options) { o.Passing = true })
	const name = "testdata/sample.sarif"
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if again := sample(t, func(o *Options) { o.Passing = true }); !bytes.Equal(got, again) {
		t.Error("the same input, other bytes")
	}
}

func TestSchema(t *testing.T) {
	var text []byte
	for name, b := range testdata.Open(t, "conformance/sarif-schema.tar.gz") {
		if strings.HasSuffix(name, "/sarif-schema-2.1.0.json") {
			text = b
		}
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaURI, v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaURI)
	if err != nil {
		t.Fatal(err)
	}
	in := policytest.Inputs(t)
	_, trace := policytest.Evaluate(t, in)
	beside, _, decided := policytest.Beside(t, true)
	bare := *trace
	bare.Decisions, bare.Assessed = nil, false
	for name, x := range map[string]struct {
		trace *policy.Trace
		opts  *Options
	}{
		"everything": {trace, &Options{Findings: in.Findings, Packages: in.Packages, Version: "1.2.3", Passing: true}},
		"no options": {trace, nil},
		"nothing":    {&bare, &Options{Version: "1.2.3"}},
		"truncated":  {trace, &Options{MaxResults: 2}},
		"beside":     {decided, &Options{Secrets: beside.Secrets, Packages: beside.Packages, Passing: true}},
	} {
		text, err := Encode(x.trace, x.opts)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x.opts == nil { // without a version SARIF2005 has something to say
			continue
		}
		for rule, why := range check(doc) {
			if rule != "SARIF2005" || x.opts.Version != "" {
				t.Errorf("%s: %s: %s", name, rule, why)
			}
		}
	}
}

// decoded is a log as the tests look at it.
type decoded struct {
	Runs []struct {
		Tool        struct{ Driver struct{ Rules []descriptor } }
		Results     []result
		Invocations []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []notification
		}
	}
}

func decode(t testing.TB, text []byte) *decoded {
	t.Helper()
	out := new(decoded)
	if err := json.Unmarshal(text, out, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsSaid(t *testing.T) {
	r := decode(t, sample(t, nil)).Runs[0]
	got := map[string]string{}
	for i, x := range r.Results {
		s := x.Level
		for _, p := range x.Suppressions {
			s += " suppressed: " + p.Justification
		}
		got[x.RuleID] = s
		if r.Tool.Driver.Rules[x.RuleIndex].ID != x.RuleID {
			t.Errorf("result %d: rule %d is another", i, x.RuleIndex)
		}
	}
	want := map[string]string{
		"CVE-2026-0001": "error",
		"CVE-2026-0002": "warning",
		"CVE-2026-0003": "error suppressed: Exception 'lodash-later' of ana: repaired in 1.5, see [ticket](https://evil.example), until 2026-12-24T00:00:00Z.",
		"CVE-2026-0004": "note suppressed: Suppliers say that it is not affected; 'vendor' in document " + policytest.Digest("f") + ": component not present.",
		"CVE-2026-0005": "note suppressed: Rule 'unimportant': the distribution says that it is unimportant.",
		"CVE-2026-0006": "warning",
		"CVE-2026-0007": "error",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r.Results[0].RuleID != "CVE-2026-0007" || r.Invocations[0].ExecutionSuccessful {
		t.Errorf("the error is not the first, or the run is called a success: %s", r.Results[0].RuleID)
	}
	if n := r.Invocations[0].ToolExecutionNotifications; len(n) != 2 || n[0].Level != "error" || n[1].Level != "note" {
		t.Errorf("notifications: %+v", n)
	}
	if s := r.Tool.Driver.Rules[r.Results[1].RuleIndex].Properties["security-severity"]; s != "8.0" && s != "9.1" {
		t.Errorf("security-severity of %s is %v", r.Results[1].RuleID, s)
	}
}

// TestHostileTexts: the texts of others neither link nor fill in.
func TestHostileTexts(t *testing.T) {
	in := policytest.Inputs(t)
	for i := range in.Findings {
		in.Findings[i].Summary, in.Findings[i].URL = "[click](https://evil.example) {0} \x1b[31m", "https://evil.example/<script>"
		in.Findings[i].Fixed = []string{"[1](2)"}
	}
	_, trace := policytest.Evaluate(t, in)
	text, err := Encode(trace, &Options{Findings: in.Findings, Passing: true})
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, text).Runs[0]
	var all []string
	for _, x := range r.Results {
		all = append(all, x.Message.Text)
	}
	for _, x := range r.Tool.Driver.Rules {
		all = append(all, x.ShortDescription.Text, x.Help.Text, x.Help.Markdown, x.HelpURI)
	}
	for _, s := range all {
		if plain := strings.NewReplacer(`\[`, "", `\]`, "", "{{", "", "}}", "").Replace(s); strings.ContainsAny(plain, "[]{}\x1b") || strings.Contains(plain, "<script") {
			t.Errorf("%q", s)
		}
	}
}

// TestFingerprints: they do not depend on the tool's and the package's version, the
// outcome, or what else is there.
func TestFingerprints(t *testing.T) {
	prints := func(text []byte) map[string]string {
		out := map[string]string{}
		for _, r := range decode(t, text).Runs[0].Results {
			out[r.RuleID] = r.PartialFingerprints["primaryLocationLineHash"]
		}
		return out
	}
	first := prints(sample(t, nil))
	in := policytest.Inputs(t)
	for i := range in.Findings {
		in.Packages[i].Version, in.Packages[i].PURL.Version, in.Findings[i].Version = "9", "9", "9"
		in.Findings[i].PURL = in.Packages[i].PURL.String()
		in.Findings[i].Severity = finding.Critical
	}
	in.Findings = in.Findings[:6]
	_, trace := policytest.Evaluate(t, in)
	text, err := Encode(trace, &Options{Packages: in.Packages, Artifact: "Dockerfile", Version: "9.9.9"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for id, print := range prints(text) {
		if first[id] != print || seen[print] {
			t.Errorf("%s: fingerprint %s, then %s", id, first[id], print)
		}
		seen[print] = true
	}
}

func TestLimits(t *testing.T) {
	in := policytest.Inputs(t)
	f := in.Findings[1]
	in.Findings = nil
	for i := range MaxResults + 5 {
		g := f
		g.Vulnerability = fmt.Sprintf("CVE-2026-%06d", i)
		g.Severity = finding.Medium
		if i%1000 == 999 {
			g.Severity = finding.Critical
		}
		in.Findings = append(in.Findings, g)
	}
	_, trace := policytest.Evaluate(t, in)
	text, err := Encode(trace, nil)
	if err != nil {
		t.Fatal(err)
	}
	results, rules := bytes.Count(text, []byte(`"ruleIndex":`)), bytes.Count(text, []byte(`"helpUri":`))
	if results != MaxResults || rules != MaxResults || !bytes.Contains(text, []byte("There are 25005 results, of which 25000 are in this log")) {
		t.Errorf("%d results, %d rules", results, rules)
	}
	worst, _, _ := bytes.Cut(text, []byte(`"severity": "medium"`))
	if n := bytes.Count(worst, []byte(`"severity": "critical"`)); n != 25 {
		t.Errorf("%d results of the highest severity are first, want 25", n)
	}
	trace.Decisions = trace.Decisions[:ShownResults+1]
	if text, err = Encode(trace, nil); err != nil {
		t.Fatal(err)
	}
	if n := decode(t, text).Runs[0].Invocations[0].ToolExecutionNotifications[0]; n.Level != "note" || !strings.Contains(n.Message.Text, "5001 results") {
		t.Errorf("%+v", n)
	}
}
