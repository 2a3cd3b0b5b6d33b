package rubysec_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/rubysec"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, rubysec.Source{}, "testdata/rubysec.txtar")
}

func parse(name string, text []byte) (r *advisory.Record, err error) {
	for s, e := range (rubysec.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		r, _ = s.(*advisory.Record)
		err = errors.Join(err, e)
	}
	return r, err
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":     "",
		"no package":  "date: 2024-01-01\n",
		"no date":     "gem: x\npatched_versions: ['>= 1']\n",
		"operator":    "gem: x\ndate: 2024-01-01\npatched_versions: ['=> 1']\n",
		"version":     "gem: x\ndate: 2024-01-01\npatched_versions: ['>= one']\n",
		"all good":    "gem: x\ndate: 2024-01-01\npatched_versions: ['>= 0']\nunaffected_versions: ['< 1']\n",
		"kind":        "gem: [x]\ndate: 2024-01-01\n",
		"twice":       "gem: x\ngem: y\ndate: 2024-01-01\n",
		"two of them": "gem: x\ndate: 2024-01-01\n---\ngem: y\n",
	} {
		if r, err := parse("gems/x/CVE-2024-0001.yml", []byte(text)); r != nil || !errors.Is(err, rubysec.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

func TestRating(t *testing.T) {
	for members, want := range map[string]string{
		"": "", "cvss_v3: 9.8": "CRITICAL", "cvss_v3: 9": "CRITICAL", "cvss_v3: 8.9": "HIGH", "cvss_v3: 6.9\ncvss_v2: 10.0": "MEDIUM", "cvss_v2: 10.0": "HIGH",
		"cvss_v4: 3.9\ncvss_v3: 9.8": "LOW", "cvss_v3: 0.0": "NONE", "cvss_v3: 10.1": "", "cvss_v3: high": "", "cvss_v3:": "",
	} {
		r, err := parse("gems/x/CVE-2024-0001.yml", []byte("gem: x\ndate: 2024-01-01\n"+members+"\n"))
		if err != nil || r.Rating != want {
			t.Errorf("%q: %v, %v, want %q", members, r, err, want)
		}
	}
}

// TestRealAdvisories reads the shared database, and holds the verdict of each
// record on every version that its gem's files name, and on some near them,
// against the requirements, which it evaluates one by one as RubyGems does.
func TestRealAdvisories(t *testing.T) {
	files := testdata.Open(t, "advisories/ruby-advisory-db.tar.gz")
	type raw struct {
		Gem                 string
		Patched, Unaffected []string
	}
	read := map[string]raw{}
	versions := map[string]map[string]bool{}
	for name, text := range files {
		var f struct {
			Gem        string   `yaml:"gem"`
			Patched    []string `yaml:"patched_versions"`
			Unaffected []string `yaml:"unaffected_versions"`
		}
		if err := yaml.Unmarshal(text, &f); err != nil {
			t.Fatal(err)
		}
		read[name] = raw{f.Gem, f.Patched, f.Unaffected}
		if versions[f.Gem] == nil {
			versions[f.Gem] = map[string]bool{"0": true, "0.0.1": true, "99999": true}
		}
		for _, req := range append(append([]string{}, f.Patched...), f.Unaffected...) {
			for c := range strings.SplitSeq(req, ",") {
				v := strings.TrimLeft(c, " ~<>=!")
				for _, near := range []string{v, v + ".pre", v + ".1", v + ".RC1"} {
					versions[f.Gem][near] = true
				}
				if b, err := strconv.Atoi(v[strings.LastIndexByte(v, '.')+1:]); err == nil {
					versions[f.Gem][v[:strings.LastIndexByte(v, '.')+1]+strconv.Itoa(b+1)] = true
				}
			}
		}
	}
	got := map[string]int{}
	for name, text := range files {
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
		scheme, err := version.For("RubyGems")
		if err != nil {
			t.Fatal(err)
		}
		for v := range versions[read[name].Gem] {
			got["verdicts"]++
			affected := false
			for _, rng := range r.Affected[0].Ranges {
				set, err := version.NewRange(scheme, rng.Events)
				if err != nil {
					t.Fatal(err)
				}
				affected = affected || set.Contains(v).State == version.Yes
			}
			good := false
			for _, req := range append(append([]string{}, read[name].Patched...), read[name].Unaffected...) {
				good = good || satisfies(t, v, req)
			}
			if affected == good {
				t.Errorf("%s: %s is affected: %v, repaired or never affected: %v", name, v, affected, good)
			}
		}
	}
	want := map[string]int{"records": 671, "no entry": 69, "verdicts": got["verdicts"]}
	if diff := cmp.Diff(want, got); diff != "" || got["verdicts"] < 10_000 {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
}

// satisfies evaluates a requirement.
//
// Source: RubyGems, Gem::Requirement::OPS.
func satisfies(t *testing.T, v, req string) bool {
	compare := func(a, b string) int {
		c, err := version.Compare("RubyGems", a, b)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for c := range strings.SplitSeq(req, ",") {
		var op, want string
		if _, err := fmt.Sscan(c, &op, &want); err != nil {
			t.Fatal(req, err)
		}
		o := compare(v, want)
		ok := false
		switch op {
		case "=":
			ok = o == 0
		case ">":
			ok = o > 0
		case ">=":
			ok = o >= 0
		case "<":
			ok = o < 0
		case "<=":
			ok = o <= 0
		case "~>":
			ok = o >= 0 && compare(release(v), raised(release(want))) < 0
		default:
			t.Fatal(req)
		}
		if !ok {
			return false
		}
	}
	return true
}

// release cuts a version before its first letter.
func release(v string) string {
	if i := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		v = v[:i]
	}
	return strings.TrimRight(v, ".")
}

func raised(v string) string {
	parts := strings.Split(v, ".")
	if len(parts) > 1 {
		parts = parts[:len(parts)-1]
	}
	n, _ := strconv.Atoi(parts[len(parts)-1])
	parts[len(parts)-1] = strconv.Itoa(n + 1)
	return strings.Join(parts, ".")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("gem: x\ncve: 2024-0001\ndate: 2024-01-01\ncvss_v3: 9.8\npatched_versions: ['~> 1.2.3.rc1, != 1.2.4', '>= 2']\nunaffected_versions: ['< 1.0.pre']\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _ := parse("gems/x/CVE-2024-0001.yml", text)
		if r != nil {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
