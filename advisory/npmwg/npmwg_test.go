package npmwg_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/npmwg"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, npmwg.Source{}, "testdata/npmwg.txtar")
}

func parse(name string, text []byte) (r *advisory.Record, err error) {
	for s, e := range (npmwg.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		r, _ = s.(*advisory.Record)
		err = errors.Join(err, e)
	}
	return r, err
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":          ``,
		"no number":        `{"module_name":"x","vulnerable_versions":"*"}`,
		"no package":       `{"id":1,"vulnerable_versions":"*"}`,
		"nothing affected": `{"id":1,"module_name":"x","vulnerable_versions":"","patched_versions":"*"}`,
		"kind":             `{"id":"one"}`,
		"more":             `{"id":1,"module_name":"x","vulnerable_versions":"*"}{}`,
	} {
		if r, err := parse("vuln/npm/1.json", []byte(text)); r != nil || !errors.Is(err, npmwg.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestRealAdvisories reads the shared advisories, and holds the verdict of each
// on the versions that its ranges name, and on some near them, against the range
// as it is written.
func TestRealAdvisories(t *testing.T) {
	scheme, err := version.For("npm")
	if err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`[0-9]+(\.[0-9]+)*(-[0-9A-Za-z.]+)?`)
	got := map[string]int{}
	for name, text := range testdata.Open(t, "advisories/npm-nodejs-wg.tar.gz") {
		if strings.HasSuffix(name, "/index.json") {
			continue
		}
		r, err := parse(name, text)
		if err != nil {
			got["refused"]++
			t.Log(err)
			continue
		}
		got["records"]++
		if len(r.Affected) == 0 {
			got["no entry"]++
			continue
		}
		var raw struct {
			Vulnerable string `json:"vulnerable_versions"`
			Patched    string `json:"patched_versions"`
		}
		if err := json.Unmarshal(text, &raw); err != nil {
			t.Fatal(err)
		}
		want, err := version.ParseNPMRange(raw.Vulnerable, &version.NPMOptions{Loose: true, IncludePrerelease: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(numbers.FindAllString(raw.Vulnerable+" "+raw.Patched, -1), "0.0.0", "99.0.0") {
			for _, end := range []string{"", ".0", ".0.0", "-alpha", ".0-alpha", ".1"} {
				parsed, err := scheme.Parse(v + end)
				if err != nil {
					continue
				}
				got["verdicts"]++
				affected := false
				for _, rng := range r.Affected[0].Ranges {
					set, err := version.NewRange(scheme, rng.Events)
					if err != nil {
						t.Fatal(err)
					}
					affected = affected || set.ContainsVersion(parsed).State == version.Yes
				}
				if affected != (want.ContainsVersion(parsed).State == version.Yes) {
					t.Errorf("%s: %s in %q: %v", name, v+end, raw.Vulnerable, affected)
				}
			}
		}
	}
	want := map[string]int{"records": 306, "no entry": 80, "verdicts": got["verdicts"]}
	if diff := cmp.Diff(want, got); diff != "" || got["verdicts"] < 1000 {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":1,"module_name":"x","vulnerable_versions":"<1.2.3 || ~2.0 || 3 - 4.1.x-beta","references":"https://example.org","cvss_vector":"CVSS:3.0/AV:N"}`))
	f.Add([]byte(`{"id":1,"module_name":"x","vulnerable_versions":"","patched_versions":">1.2.3-beta","references":["https://example.org"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _ := parse("vuln/npm/1.json", text)
		if r != nil {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
