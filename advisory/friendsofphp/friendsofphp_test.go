package friendsofphp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/friendsofphp"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, friendsofphp.Source{}, "testdata/friendsofphp.txtar")
}

func parse(name string, text []byte) (r *advisory.Record, err error) {
	for s, e := range (friendsofphp.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		r, _ = s.(*advisory.Record)
		err = errors.Join(err, e)
	}
	return r, err
}

func TestRefused(t *testing.T) {
	const end = "reference: composer://acme/anvil\n"
	for name, text := range map[string]string{
		"nothing":      "",
		"no package":   "branches: {1.x: {versions: ['<1']}}\n",
		"no branches":  end,
		"no versions":  "branches: {1.x: {time: ~}}\n" + end,
		"operator":     "branches: {1.x: {versions: ['~1']}}\n" + end,
		"version":      "branches: {1.x: {versions: ['<one']}}\n" + end,
		"nothing left": "branches: {1.x: {versions: ['>2', '<1']}}\n" + end,
		"list":         "branches: ['<1']\n" + end,
	} {
		if r, err := parse("acme/anvil/x.yaml", []byte(text)); r != nil || !errors.Is(err, friendsofphp.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestRealAdvisories reads the shared database, and holds the verdict of each
// record on every version that its package's files name, and on some near them,
// against the conditions, which it evaluates one by one.
func TestRealAdvisories(t *testing.T) {
	type raw struct {
		Reference string
		Branches  map[string]struct{ Versions []string }
	}
	files := testdata.Open(t, "advisories/php-friendsofphp.tar.gz")
	read, versions := map[string]raw{}, map[string]map[string]bool{}
	for name, text := range files {
		var f raw
		if err := yaml.Unmarshal(text, &f); err != nil {
			t.Fatal(err)
		}
		read[name] = f
		if versions[f.Reference] == nil {
			versions[f.Reference] = map[string]bool{"0": true, "99999": true}
		}
		for _, b := range f.Branches {
			for _, c := range b.Versions {
				v := strings.TrimLeft(c, "<>= ")
				for _, near := range []string{v, v + "-beta1", v + "-p1", v + ".1"} {
					versions[f.Reference][near] = true
				}
			}
		}
	}
	scheme, err := version.For("Packagist")
	if err != nil {
		t.Fatal(err)
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
		if len(r.Aliases) == 0 {
			got["without an alias"]++
		}
		var sets []version.Range
		for _, rng := range r.Affected[0].Ranges {
			set, err := version.NewRange(scheme, rng.Events)
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, set)
		}
		for v := range versions[read[name].Reference] {
			if _, err := scheme.Parse(v); err != nil {
				continue // 1.2.3-p1-beta1 and the like
			}
			got["verdicts"]++
			affected := false
			for _, set := range sets {
				affected = affected || set.Contains(v).State == version.Yes
			}
			want := false
			for _, b := range read[name].Branches {
				all := true
				for _, c := range b.Versions {
					all = all && holds(t, scheme, v, c)
				}
				want = want || all
			}
			if affected != want {
				t.Errorf("%s: %s is affected: %v, want %v", name, v, affected, want)
			}
		}
	}
	want := map[string]int{"records": 805, "without an alias": 224, "verdicts": got["verdicts"]}
	if diff := cmp.Diff(want, got); diff != "" || got["verdicts"] < 10_000 {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
}

// holds evaluates one condition as the package comment says.
func holds(t *testing.T, scheme version.Scheme, v, condition string) bool {
	want := strings.TrimLeft(condition, "<>= ")
	op := strings.TrimSpace(strings.TrimSuffix(condition, want))
	if op == ">=" && !strings.Contains(want, "-") {
		want += "-dev"
	}
	o, err := scheme.Compare(v, want)
	if err != nil {
		t.Fatal(err)
	}
	switch op {
	case "<":
		return o < 0
	case "<=":
		return o <= 0
	case ">":
		return o > 0
	case ">=":
		return o >= 0
	}
	t.Fatal(condition)
	return false
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("title: x\ncve: CVE-2024-0001\nbranches: {1.x: {time: 2024-01-01, versions: ['>=1.2', '<1.4.2-beta1']}}\ncomposer-repository: https://packages.example.org\nreference: composer://acme/anvil\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _ := parse("acme/anvil/CVE-2024-0001.yaml", text)
		if r != nil {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
