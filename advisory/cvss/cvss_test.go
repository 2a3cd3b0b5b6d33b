package cvss_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestScore(t *testing.T) {
	tests := []struct {
		vector   string
		base     string
		score    string
		severity finding.Severity
	}{
		{"AV:N/AC:L/Au:N/C:C/I:C/A:C", "10.0", "10.0", finding.High},
		{"AV:N/AC:L/Au:N/C:N/I:N/A:N", "0.0", "0.0", finding.Low},
		{"AV:L/AC:M/Au:S/C:N/I:P/A:C/E:U/RL:OF/RC:UR/CDP:N/TD:L/CR:H/IR:H/AR:H", "5.0", "1.2", finding.Medium},
		{"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "9.8", "9.8", finding.Critical},
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "0.0", "0.0", finding.None},
		{"CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", "1.6", "1.6", finding.Low},
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/E:U/RL:O/RC:U", "10.0", "8.0", finding.Critical},
		{"CVSS:3.1/AC:L/AV:N/UI:N/PR:N/A:H/S:U/C:H/I:H", "9.8", "9.8", finding.Critical},
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "9.3", "9.3", finding.Critical},
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "9.3", "8.1", finding.Critical},
		{"CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", "0.0", "0.0", finding.None},
	}
	for _, tt := range tests {
		v, err := cvss.Parse(tt.vector)
		if err != nil {
			t.Error(err)
			continue
		}
		got := []string{v.Base().String(), v.Score().String(), string(v.Severity())}
		if diff := cmp.Diff([]string{tt.base, tt.score, string(tt.severity)}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.vector, diff)
		}
	}
}

func TestZero(t *testing.T) {
	var v cvss.Vector
	if got := fmt.Sprintf("%s %s%s%s%s", v.Score(), v.Base(), v.Severity(), v.Version(), v); got != "0.0 0.0" {
		t.Errorf("zero Vector prints %q", got)
	}
}

// lines returns the lines of a list of the shared suite, cut into fields, with
// the comment apart.
func lines(t *testing.T, name string) (out [][]string, comments []string) {
	t.Helper()
	text, ok := testdata.Open(t, "conformance/cvss-claircore.tar.gz")["toolkit/types/cvss/testdata/"+name]
	if !ok {
		t.Fatalf("the suite has no %s", name)
	}
	for line := range strings.Lines(string(text)) {
		fields, comment, _ := strings.Cut(line, "#")
		if f := strings.Fields(fields); len(f) > 0 {
			out, comments = append(out, f), append(comments, strings.TrimSpace(comment))
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return out, comments
}

func TestSuiteScores(t *testing.T) {
	for _, name := range []string{"v2_score.list", "v30_score.list", "v31_score.list", "v4_score.list"} {
		list, _ := lines(t, name)
		for _, f := range list {
			v, err := cvss.Parse(f[0])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := v.Score().String(); strings.TrimSuffix(got, ".0") != strings.TrimSuffix(f[1], ".0") {
				t.Errorf("%s: %s scores %s, want %s", name, f[0], got, f[1])
			}
		}
		t.Logf("%s: %d vectors", name, len(list))
	}
}

func TestSuiteErrors(t *testing.T) {
	tests := []struct{ name, version string }{{"v2_error.list", "2.0"}, {"v3_error.list", "3."}, {"v4_error.list", "4.0"}}
	for _, tt := range tests {
		list, comments := lines(t, tt.name)
		for i, f := range list {
			v, err := cvss.Parse(f[0])
			valid := err == nil && strings.HasPrefix(v.Version(), tt.version) // each list is about one version
			if want := comments[i] == "OK"; valid != want {
				t.Errorf("%s: %s: valid %v, want %v (%v)", tt.name, f[0], valid, want, err)
			}
			if err != nil && !errors.Is(err, cvss.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
		}
	}
}

func TestSuiteRoundTrip(t *testing.T) {
	for _, name := range []string{"v2_roundtrip.list", "v3_roundtrip.list", "v4_roundtrip.list"} {
		list, _ := lines(t, name)
		for _, f := range list {
			v, err := cvss.Parse(f[0])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			// String leaves out what is not defined.
			want := strings.TrimSuffix(strings.TrimSuffix(f[0], "/RL:X"), "/CDP:ND/TD:ND/CR:ND/IR:ND/AR:ND")
			if got := v.String(); got != want {
				t.Errorf("%s: %s prints as %s", name, f[0], got)
			}
		}
	}
}

// TestSchemas: what Parse accepts, FIRST's JSON schemas accept; for version 4.0,
// whose pattern says all, the reverse holds too.
func TestSchemas(t *testing.T) {
	patterns := map[string]string{}
	for name, text := range testdata.Open(t, "conformance/cvss-schemas.tar.gz") {
		var schema struct {
			Properties struct {
				VectorString struct{ Pattern string }
			}
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		version := strings.TrimSuffix(name[strings.LastIndex(name, "-v")+2:], ".json")
		patterns[version] = schema.Properties.VectorString.Pattern
	}
	for _, version := range []string{"2.0", "3.0", "3.1", "4.0"} {
		re, err := regexp.Compile(patterns[version])
		if err != nil || patterns[version] == "" {
			t.Fatalf("version %s: pattern %q: %v", version, patterns[version], err)
		}
		rapid.Check(t, func(t *rapid.T) {
			s := rapid.StringMatching(patterns[version]).Draw(t, "vector")
			v, err := cvss.Parse(s)
			if version == "4.0" && err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			if err == nil && !re.MatchString(v.String()) {
				t.Fatalf("%s prints as %s, which the schema refuses", s, v)
			}
		})
	}
}
