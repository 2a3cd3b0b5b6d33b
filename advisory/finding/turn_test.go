package finding_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
)

func TestCompare(t *testing.T) {
	f := func(change ...func(*finding.Finding)) []finding.Finding {
		out := finding.Finding{Package: "p", Vulnerability: "CVE-1", Severity: finding.Low, Evidence: finding.Evidence{Range: ">= 0"}}
		for _, c := range change {
			c(&out)
		}
		return []finding.Finding{out}
	}
	fixed := func(f *finding.Finding) { f.Fixed = []string{"2"} }
	exploited := func(f *finding.Finding) { f.Exploited = "2024-01-01" }
	high := func(f *finding.Finding) { f.Severity = finding.High }
	told := func(f *finding.Finding) {
		f.Summary, f.URL, f.EPSS, f.Evidence.Record, f.Aliases = "x", "y", "0.1", "sha256:z", []string{"a"}
	}
	for name, c := range map[string]struct {
		before, after []finding.Finding
		cause         string
	}{
		"nothing":        {nil, nil, ""},
		"new":            {nil, f(), "new"},
		"withdrawn":      {f(), nil, "withdrawn"},
		"same":           {f(), f(), ""},
		"told otherwise": {f(), f(told), ""},
		"a fix":          {f(), f(fixed), "fix_available"},
		"another fix":    {f(fixed), f(func(f *finding.Finding) { f.Fixed = []string{"3"} }), "changed"},
		"no fix":         {f(fixed), f(), "changed"},
		"exploited":      {f(), f(exploited, fixed, high), "kev"},
		"not exploited":  {f(exploited), f(), "changed"},
		"severity":       {f(), f(high), "changed"},
	} {
		got := finding.Together(finding.Compare(c.before, c.after))
		cause := ""
		if len(got) > 0 {
			cause = got[0].Turn.Cause()
		}
		if cause != c.cause || len(got) > 1 {
			t.Errorf("%s: %+v, want %q", name, got, c.cause)
		}
	}
	mixed := finding.Compare(f(), []finding.Finding{{Package: "q", Vulnerability: "CVE-1", Severity: finding.High}})
	want := []finding.Difference{{Vulnerability: "CVE-1", Turn: finding.TurnNew | finding.TurnWithdrawn, Severity: finding.High}}
	if diff := cmp.Diff(want, finding.Together(mixed)); diff != "" || want[0].Turn.Cause() != "changed" {
		t.Errorf("one package new, another withdrawn: %s (-want +got):\n%s", want[0].Turn.Cause(), diff)
	}
}

// TestTurns: every turn has a cause, and each cause is some turn's.
func TestTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finding.Turn(rapid.IntRange(0, 31).Draw(t, "a")), finding.Turn(rapid.IntRange(0, 31).Draw(t, "b"))
		if (a.Cause() == "") != (a == 0) {
			t.Fatalf("%05b: %q", a, a.Cause())
		}
		if one := finding.ParseTurn(a.Cause()); a != 0 && one.Cause() != a.Cause() {
			t.Fatalf("%q is %05b", a.Cause(), one)
		}
		order := []string{"kev", "new", "fix_available", "changed", "withdrawn", ""}
		union := slices.Index(order, (a | b).Cause())
		if first := min(slices.Index(order, a.Cause()), slices.Index(order, b.Cause())); union > first && (a|b)&(finding.TurnNew|finding.TurnWithdrawn) != finding.TurnNew|finding.TurnWithdrawn {
			t.Fatalf("%05b and %05b: %q", a, b, (a | b).Cause())
		}
	})
	if finding.ParseTurn("else") != 0 {
		t.Error("a cause that is none")
	}
}
