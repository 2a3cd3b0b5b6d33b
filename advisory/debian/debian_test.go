package debian_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/debian"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, debian.New(), "testdata/debian.txtar")
}

// read collects what a document says.
func read(t testing.TB, name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
	t.Helper()
	for s, err := range debian.New().Parse(&advisory.Document{Name: name, Content: content}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, fmt.Sprintf("%s %s:%d", b.ID, b.Pointer, b.Line))
		case err != nil:
			fatal = err
		default:
			records = append(records, s.(*advisory.Record))
		}
	}
	return records, broken, fatal
}

func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		records    int
		broken     []string
		fatal      error
	}{
		{"tracker.json", `{"a":{"CVE-2024-1000":{"releases":{"sid":{"status":"resolved","urgency":"low"}}}}}`, 0, []string{"DEBIAN-CVE-2024-1000 /a/CVE-2024-1000:0"}, nil},
		{"tracker.json", `{"a":{"CVE-2024-1000":{"releases":[1]}},"b":{"CVE-2024-1001":{"releases":{}}}}`, 1, []string{"DEBIAN-CVE-2024-1000 /a/CVE-2024-1000:0"}, nil},
		{"tracker.json", `{"a":{"CVE-2024-1000":{"releases":{}},"CVE-2024-1000":{"releases":{}}}}`, 0, nil, debian.ErrInvalid},
		{"tracker.json", `{"a":{"CVE-2024-1000":{"releases":{}}}`, 0, nil, debian.ErrInvalid},
		{"tracker.json", `{"a":{"CVE-2024-1000":{"releases":{}}}} {}`, 0, nil, debian.ErrInvalid},
		{"tracker.json", `{"a":[],"b":{"CVE 1":{"releases":{}}}}`, 0, []string{"DEBIAN-CVE 1 /b/CVE 1:0"}, nil},
		{"tracker.json", `{}`, 0, nil, debian.ErrInvalid},
		{"tracker.json", `[]`, 0, nil, debian.ErrInvalid},
		{"DSA/list", "[29 Mar 2023] DSA-1-1 a - b\n\t{CVE-2023-1000\n[30 Mar 2023] DSA-2-1 a - b\n\t[bookworm] - a 1\n", 1, []string{"DSA-1-1 :1"}, nil},
		{"DSA/list", "[31 Feb 2023] DSA-1-1 a - b\n", 0, []string{"DSA-1-1 :1"}, nil},
		{"DSA/list", "\t[bookworm] - a 1\n[30 Mar 2023] DSA-2-1 a - b\n\tfoo\n", 0, []string{" :1", "DSA-2-1 :2"}, nil},
		{"DSA/list", "[30 Mar 2023] DSA-2-1 a - b\n\t[bookworm] - a <strange>\n", 0, []string{"DSA-2-1 :1"}, nil},
		{"DSA/list", "[30 Mar 2023] DSA-2-1 a - b\n[30 Mar 2023] DSA-2-1 a - c\n", 1, []string{"DSA-2-1 :2"}, nil},
		{"CVE/other", "x", 0, nil, debian.ErrUnsupported},
	} {
		records, broken, fatal := read(t, tt.name, []byte(tt.text))
		if len(records) != tt.records || !errors.Is(fatal, tt.fatal) || (fatal != nil) != (tt.fatal != nil) {
			t.Errorf("%s: %d records, %v", tt.text, len(records), fatal)
		}
		if diff := cmp.Diff(tt.broken, broken); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// TestRealList reads all entries of the real list, whose figures were counted
// with other tools.
func TestRealList(t *testing.T) {
	text := testdata.Open(t, "advisories/debian-tracker-lists.tar.gz")["data/DSA/list"]
	records, broken, err := read(t, "DSA/list", text)
	if err != nil || broken != nil {
		t.Fatal(broken, err)
	}
	packages, cves := 0, 0
	for _, r := range records {
		packages += len(r.Affected)
		cves += len(r.Upstream)
		for _, n := range r.Notes() {
			// One entry of 2004 has the package twice instead of its version.
			if n.Pointer != "/affected" && r.ID != "DSA-423" {
				t.Errorf("%s: %v", r.ID, n)
			}
		}
	}
	wantPackages := len(regexp.MustCompile(`(?m)^\s+\[[a-z]+\] - `).FindAll(text, -1))
	if entries := strings.Count("\n"+string(text), "\n["); len(records) != entries || packages != wantPackages {
		t.Errorf("%d records of %d entries, %d packages of %d", len(records), entries, packages, wantPackages)
	}
	t.Logf("%d advisories, %d packages, %d CVE ids", len(records), packages, cves)
}

// expected is what another collector made of the tracker's slice: which
// version fixed which package of which release.
type expected struct {
	Item struct {
		Vulnerability struct {
			Name    string
			FixedIn []struct{ Name, Version, NamespaceName string }
		}
	} `json:"item"`
}

// TestRealTracker holds the records of the real slice against those that
// another collector publishes. All its versions agree; it calls sid "unstable".
func TestRealTracker(t *testing.T) {
	files := testdata.Open(t, "advisories/debian-tracker-json-samples.tar.gz")
	const root = "tests/unit/providers/debian/test-fixtures/"
	records, broken, err := read(t, "tracker.json", files[root+"input/debian.json"])
	if err != nil || broken != nil || len(records) != 7 {
		t.Fatal(len(records), broken, err)
	}
	got := map[string]string{}
	for _, r := range records {
		for _, a := range r.Affected {
			fixed := "None"
			if a.Status == advisory.NotAffected {
				fixed = "0"
			} else if e := a.Ranges[0].Events; len(e) == 2 {
				fixed = e[1].Fixed
			}
			got[strings.TrimPrefix(r.ID, "DEBIAN-")+" "+a.Ecosystem+" "+a.Name] = fixed
		}
	}
	compared := 0
	for name, text := range files {
		if !strings.HasPrefix(name, root+"snapshots/") || strings.Contains(name, "debian:7") {
			continue // the data of release 7 is of another input
		}
		var e expected
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(name, err)
		}
		v := e.Item.Vulnerability
		for _, f := range v.FixedIn {
			release := strings.Replace(strings.TrimPrefix(f.NamespaceName, "debian:"), "unstable", "sid", 1)
			key := v.Name + " Debian:" + release + " " + f.Name
			have, ok := got[key]
			if !ok && v.Name == "CVE-2012-0833" {
				continue // of the list, not of the slice
			}
			if have != f.Version {
				t.Errorf("%s: fixed in %q, want %q", key, have, f.Version)
			}
			delete(got, key)
			compared++
		}
	}
	for key, fixed := range got {
		t.Errorf("%s: fixed in %q, and the other collector says nothing", key, fixed)
	}
	if compared < 20 {
		t.Errorf("compared %d", compared)
	}
	t.Logf("%d versions agree", compared)
}

func FuzzParse(f *testing.F) {
	f.Add("tracker.json", []byte(`{"a":{"CVE-2024-1000":{"description":"x","debianbug":1,"releases":{"sid":{"status":"open","urgency":"low"}}}}}`))
	f.Add("DSA/list", []byte("[29 Mar 2023] DSA-5380-1 a - b\n\t{CVE-2023-1000}\n\t[bookworm] - a 1\n\tNOTE: c\n"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		ids := map[string]bool{}
		for s, err := range debian.New().Parse(&advisory.Document{Name: name, Content: content}) {
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
