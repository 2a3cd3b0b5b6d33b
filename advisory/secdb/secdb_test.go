package secdb_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/secdb"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSources(t *testing.T) {
	t.Run("Alpine", func(t *testing.T) { advisorytest.TestSource(t, secdb.Alpine(), "testdata/alpine.txtar") })
	t.Run("Wolfi", func(t *testing.T) { advisorytest.TestSource(t, secdb.Wolfi(), "testdata/wolfi.txtar") })
}

// read collects what a document says.
func read(s *secdb.Source, name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
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

// fixes lists what records say, a line for each package.
func fixes(records []*advisory.Record) map[string]string {
	out := map[string]string{}
	for _, r := range records {
		id := r.ID
		if len(r.Upstream) > 0 {
			id = r.Upstream[0]
		}
		for _, a := range r.Affected {
			fixed := "0"
			if a.Status != advisory.NotAffected {
				fixed = a.Ranges[0].Events[1].Fixed
			}
			out[id+" "+a.Name] = fixed
		}
	}
	return out
}

func TestDamage(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":            "",
		"html":               "<html>",
		"no packages":        `{"distroversion":"edge"}`,
		"no release":         `{"packages":[]}`,
		"no pkg":             `{"distroversion":"edge","packages":[{}]}`,
		"secfixes":           `{"distroversion":"edge","packages":[{"pkg":{"name":"a","secfixes":["x"]}}]}`,
		"twice":              `{"distroversion":"edge","packages":[{"pkg":{"name":"a","secfixes":{"1":[],"1":[]}}}]}`,
		"cut":                `{"distroversion":"edge","packages":[`,
		"YAML alias":         "distroversion: edge\npackages: &a\n  - pkg: *a\n",
		"YAML alias as name": "distroversion: edge\npackages:\n  - pkg: {name: &a x, secfixes: {1: [*a]}}\n",
		"YAML twice":         "distroversion: edge\npackages:\n  - pkg: {name: x, secfixes: {1: [], 1: []}}\n",
		"YAML two documents": "distroversion: edge\npackages: []\n---\na: b\n",
	} {
		if records, _, err := read(secdb.Alpine(), "edge/main.json", []byte(text)); !errors.Is(err, secdb.ErrInvalid) || records != nil {
			t.Errorf("%s: %d records, %v", name, len(records), err)
		}
	}
}

// TestForms: JSON and YAML of one content say the same.
func TestForms(t *testing.T) {
	fromJSON, _, err := read(secdb.Alpine(), "x", []byte(`{"distroversion":"v3.20","packages":[{"pkg":{"name":"bolt","secfixes":{"1.10-r0":["CVE-2024-10002"],"0":["CVE-2024-10003"]}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	fromYAML, _, err := read(secdb.Alpine(), "x", []byte("---\ndistroversion: v3.20\npackages:\n  - pkg:\n      name: bolt\n      secfixes:\n        1.10-r0:\n          - CVE-2024-10002\n        0:\n          - CVE-2024-10003\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("-JSON +YAML:\n%s", diff)
	}
}

// TestRealAlpine reads the real databases of 2019 and 2020. Every line of a
// package is in some record.
func TestRealAlpine(t *testing.T) {
	for pack, want := range map[string]int{"alpine-secdb": 8, "alpine-secdb-older": 2} {
		files := testdata.Open(t, "advisories/"+pack+".tar.gz")
		if len(files) != want {
			t.Errorf("%s has %d files", pack, len(files))
		}
		lines, records, notes, unreadable := 0, 0, 0, 0
		for name, text := range files {
			list, broken, err := read(secdb.Alpine(), name, text)
			if err != nil || broken != nil {
				t.Errorf("%s: %v, %v", name, broken, err)
			}
			got := fixes(list)
			for _, l := range entries(string(text)) {
				lines++
				if _, ok := got[l]; !ok {
					t.Errorf("%s: %q is in no record", name, l)
				}
				delete(got, l)
			}
			for l := range got {
				t.Errorf("%s: %q is in a record and no line", name, l)
			}
			records += len(list)
			for _, r := range list {
				if release := strings.Split(name, "/")[0]; r.Affected[0].Ecosystem != "Alpine:"+release {
					t.Errorf("%s: %s is about %s", name, r.ID, r.Affected[0].Ecosystem)
				}
				for _, n := range r.Notes() {
					// Some versions are typing errors, which are kept.
					if !slices.Contains([]string{"57-1-r2", "1.11-20-r0", "4.10-1-r1"}, strings.Split(n.Text, `"`)[1]) {
						t.Errorf("%s: %s: %v", name, r.ID, n)
					}
					unreadable++
				}
				if len(r.Upstream) == 0 {
					notes++
				}
			}
		}
		t.Logf("%s: %d packages with a vulnerability, %d records, %d of them without a CVE id, %d versions that are none", pack, lines, records, notes, unreadable)
	}
}

// entries reads a YAML database with little more than its indentation: what a
// package fixed, by the CVE id or the first word, once.
func entries(text string) []string {
	pkg, out := "", map[string]bool{}
	for l := range strings.Lines(text) {
		word := strings.TrimSpace(l)
		if name, ok := strings.CutPrefix(word, "name: "); ok {
			pkg = name
		}
		entry, ok := strings.CutPrefix(word, "- ")
		if !ok || pkg == "" || strings.HasPrefix(entry, "pkg:") {
			continue
		}
		id, _, _ := strings.Cut(strings.Replace(strings.TrimSpace(entry), "_", "-", 1), " ")
		if m := regexp.MustCompile(`^CVE-\d{4}-\d{4,}`).FindString(id); m != "" {
			id = m
		} else {
			id = "ALPINE-" + id
		}
		out[id+" "+pkg] = true
	}
	return slices.Collect(maps.Keys(out))
}

// TestRealOthers holds the records of real slices against those that another
// collector publishes: which version fixed which package, "0" included. All
// agree.
func TestRealOthers(t *testing.T) {
	files := testdata.Open(t, "advisories/providers-vunnel.tar.gz")
	for name, s := range map[string]*secdb.Source{"wolfi": secdb.Wolfi(), "chainguard": secdb.Chainguard(), "minimos": secdb.MinimOS()} {
		root := "tests/unit/providers/" + name + "/test-fixtures/"
		records, broken, err := read(s, "security.json", files[root+"input/secdb/security.json"])
		if err != nil || broken != nil {
			t.Fatal(name, broken, err)
		}
		got := fixes(records)
		compared := 0
		for file, text := range files {
			if !strings.HasPrefix(file, root+"snapshots/") || strings.Contains(file, "/osv/") {
				continue
			}
			var e struct {
				Item struct {
					Vulnerability struct {
						Name    string
						FixedIn []struct{ Name, Version string }
					}
				} `json:"item"`
			}
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(file, err)
			}
			v := e.Item.Vulnerability
			for _, f := range v.FixedIn {
				key := v.Name + " " + f.Name
				if got[key] != f.Version {
					t.Errorf("%s: %s: fixed in %q, want %q", name, key, got[key], f.Version)
				}
				delete(got, key)
				compared++
			}
		}
		for key, fixed := range got {
			t.Errorf("%s: %s: fixed in %q, and the other collector says nothing", name, key, fixed)
		}
		t.Logf("%s: %d records, %d versions agree", name, len(records), compared)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"distroversion":"v3.20","packages":[{"pkg":{"name":"bolt","secfixes":{"1.10-r0":["CVE-2024-10002 XSA-1 (x)"],"0":["CVE-2024-10003"]}}}]}`))
	f.Add([]byte("distroversion: v3.20\npackages:\n  - pkg:\n      name: bolt\n      secfixes:\n        1.10-r0:\n          - CVE-2024-10002\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		ids := map[string]bool{}
		for s, err := range secdb.Alpine().Parse(&advisory.Document{Name: "x", Content: content}) {
			if err != nil {
				continue
			}
			r := s.(*advisory.Record)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if ids[r.ID] {
				t.Fatalf("%s is there twice", r.ID)
			}
			ids[r.ID] = true
		}
	})
}

// What a database says about one package becomes a record for each CVE.
func Example() {
	const database = `{"distroversion": "v3.20", "packages": [{"pkg": {"name": "bolt", "secfixes": {
		"1.9-r3": ["CVE-2024-10001"],
		"0": ["CVE-2024-10002"]
	}}}]}`
	for s, err := range secdb.Alpine().Parse(&advisory.Document{Name: "v3.20/main.json", Content: []byte(database)}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := s.(*advisory.Record)
		a := r.Affected[0]
		fmt.Printf("%s %s %s: %d ranges, status %q\n", r.ID, a.Ecosystem, a.Name, len(a.Ranges), a.Status)
	}
	// Output:
	// ALPINE-CVE-2024-10001 Alpine:v3.20 bolt: 1 ranges, status ""
	// ALPINE-CVE-2024-10002 Alpine:v3.20 bolt: 0 ranges, status "not_affected"
}
