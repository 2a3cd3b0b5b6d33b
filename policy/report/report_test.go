package report

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/internal/policytest"
	"github.com/stella-ops/stella/scan/sbom"
)

var update = flag.Bool("update", false, "write what the code gives into testdata")

type rendering struct {
	name  string
	write func(io.Writer, *policy.Trace, *Options) error
}

var renderings = []rendering{{"text", Text}, {"markdown", Markdown}, {"csv", CSV}, {"junit", JUnit}}

func TestGoldens(t *testing.T) {
	in := policytest.Inputs(t)
	_, trace := policytest.Evaluate(t, in)
	clean := *trace
	clean.Decisions, clean.Gaps, clean.Outcome, clean.Because = nil, nil, policy.Pass, ""
	const name = "testdata/renderings.txtar"
	a, err := txtar.ParseFile(name)
	if err != nil && !*update {
		t.Fatal(err)
	}
	var got []txtar.File
	for _, r := range renderings {
		for _, c := range []struct {
			name  string
			trace *policy.Trace
			opts  Options
		}{
			{"all", trace, Options{Passing: true}}, {"one", trace, Options{Vulnerability: "ghsa-AAAA-bbbb-c123"}}, {"clean", &clean, Options{}},
		} {
			c.opts.Findings = in.Findings
			var b bytes.Buffer
			if err := r.write(&b, c.trace, &c.opts); err != nil {
				t.Fatal(err)
			}
			got = append(got, txtar.File{Name: r.name + "-" + c.name, Data: b.Bytes()})
		}
	}
	if *update {
		text := txtar.Format(&txtar.Archive{Comment: []byte("The sample image, as it is shown. go test -update writes this.\n"), Files: got})
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(a.Files, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNothingToShow(t *testing.T) {
	_, trace := policytest.Evaluate(t, policytest.Inputs(t))
	if err := Text(io.Discard, trace, &Options{Vulnerability: "CVE-1999-0001"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a finding that is not there: %v", err)
	}
	for _, r := range renderings {
		if err := r.write(io.Discard, nil, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s of nothing: %v", r.name, err)
		}
	}
}

// TestHostile: whatever the texts of others are, they stay texts.
func TestHostile(t *testing.T) {
	in := policytest.Inputs(t)
	_, base := policytest.Evaluate(t, in)
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"=cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "\t=1", "\r=1", "a,b\"c\nd", "</failure><testcase/>", "]]>", "<script>x</script>", "[a](https://evil.example)", "| a | b |\n|---|", "@everyone", "#1",
			"\x1b[2J", "\u202eabc", "`code`", "https://evil.example www.evil.example", "\xff\xfe", "\x00", "&lt;b&gt;", "\\|", "\ufffe",
		})).Draw(t, "text")
		trace := *base
		trace.Decisions = slices.Clone(base.Decisions)
		for i := range trace.Decisions {
			d := &trace.Decisions[i]
			d.Name, d.Version, d.Because, d.Vulnerability, d.PURL, d.Aliases = evil, evil, evil, evil, evil, []string{evil}
		}
		trace.Subject.Name, trace.Because, trace.Environment = evil, evil, evil
		trace.Gaps = []sbom.Gap{{Code: "x", Where: evil, What: evil, Blocking: true}}
		out := map[string]string{}
		for _, r := range renderings {
			var first, second bytes.Buffer
			if r.write(&first, &trace, &Options{Passing: true}) != nil || r.write(&second, &trace, &Options{Passing: true}) != nil || first.String() != second.String() {
				t.Fatalf("%s: not the same twice", r.name)
			}
			out[r.name] = first.String()
			for _, c := range first.String() {
				if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
					t.Fatalf("%s: character %U in %q", r.name, c, evil)
				}
			}
		}
		rows, err := csv.NewReader(strings.NewReader(out["csv"])).ReadAll()
		if err != nil || len(rows) != len(trace.Decisions)+2 {
			t.Fatalf("CSV of %q: %d rows, %v", evil, len(rows), err)
		}
		for _, row := range rows {
			for _, c := range row {
				if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
					t.Fatalf("a cell %q", c)
				}
			}
		}
		var doc junitSuites
		if err := xml.Unmarshal([]byte(out["junit"]), &doc); err != nil || len(doc.Suite.Cases) != len(trace.Decisions)+1 || doc.Tests != len(doc.Suite.Cases) {
			t.Fatalf("JUnit of %q: %d cases, %v", evil, len(doc.Suite.Cases), err)
		}
		md := out["markdown"]
		for _, bad := range []string{"<script", "](", "@e", "https://", "www.e"} {
			if strings.Contains(md, bad) && !strings.Contains(md, `\`+bad) {
				t.Fatalf("Markdown of %q has %q:\n%s", evil, bad, md)
			}
		}
		for line := range strings.Lines(md) {
			if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 7 {
				t.Fatalf("a row of %q has other cells: %s", evil, line)
			}
		}
	})
}

// TestJUnitDecides: what is no pass makes a build fail, and what passes does not.
func TestJUnitDecides(t *testing.T) {
	in := policytest.Inputs(t)
	_, trace := policytest.Evaluate(t, in)
	var b bytes.Buffer
	if err := JUnit(&b, trace, nil); err != nil {
		t.Fatal(err)
	}
	var doc junitSuites
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	// Failures: one blocks. Errors: one unknown severity, one failed evaluation, one gap. Skipped: three excused.
	if doc.Tests != 10 || doc.Failures != 1 || doc.Errors != 3 || doc.Skipped != 3 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped", doc.Tests, doc.Failures, doc.Errors, doc.Skipped)
	}
}

func TestMarkdownRows(t *testing.T) {
	_, trace := policytest.Evaluate(t, policytest.Inputs(t))
	var b bytes.Buffer
	if err := Markdown(&b, trace, &Options{Rows: 1}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "and 3 more") || !strings.Contains(b.String(), "and 2 more") {
		t.Errorf("what is cut off is not said:\n%s", b.String())
	}
}
