package kev_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/kev"
	"github.com/stella-ops/stella/internal/testdata"
)

// read collects what a document says.
func read(name, text string) (signals []advisory.Signal, broken []string, fatal error) {
	for s, err := range (kev.Source{}).Parse(&advisory.Document{Name: name, Content: []byte(text)}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, fmt.Sprintf("%s %s:%d", b.ID, b.Pointer, b.Line))
		case err != nil:
			fatal = err
		default:
			signals = append(signals, *s.(*advisory.Signal))
		}
	}
	return signals, broken, fatal
}

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, kev.Source{}, "testdata/kev.txtar")
}

func TestForms(t *testing.T) {
	want := []advisory.Signal{
		{Vulnerability: "CVE-2021-44228", Exploited: "2021-12-10", Due: "2021-12-24", Ransomware: "Known"},
		{Vulnerability: "CVE-2023-1234567", Exploited: "2023-05-01", Due: "2023-05-22"},
	}
	for name, text := range map[string]string{
		"json": `{"title":"x","count":2,"vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","dueDate":"2021-12-24","knownRansomwareCampaignUse":"Known","cwes":["CWE-20"]},
			{"cveID":"CVE-2023-1234567","dateAdded":"2023-05-01","dueDate":"2023-05-22"}]}`,
		"csv": "\xef\xbb\xbfcveID,vulnerabilityName,dateAdded,shortDescription,dueDate,knownRansomwareCampaignUse\r\n" +
			"CVE-2021-44228,\"Log4j, \"\"Log4Shell\"\"\",2021-12-10,\"two\nlines\",2021-12-24,Known\r\nCVE-2023-1234567,x,2023-05-01,y,2023-05-22,\r\n",
	} {
		got, broken, err := read(name, text)
		if err != nil || broken != nil {
			t.Errorf("%s: %v, %v", name, broken, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDamage(t *testing.T) {
	entry := `{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","dueDate":"2021-12-24"}`
	list := func(entries ...string) string { return `{"vulnerabilities":[` + strings.Join(entries, ",") + `]}` }
	for _, tt := range []struct {
		name, text string
		signals    int
		broken     []string
		fatal      error
	}{
		{"twice", list(entry, entry), 1, []string{"CVE-2021-44228 /vulnerabilities/1:0"}, nil},
		{"bad id", list(`{"cveID":"CVE-21-1","dateAdded":"2021-12-10"}`, entry), 1, []string{"CVE-21-1 /vulnerabilities/0:0"}, nil},
		{"bad day", list(`{"cveID":"CVE-2021-44229","dateAdded":"10/12/2021"}`, entry), 1, []string{"CVE-2021-44229 /vulnerabilities/0:0"}, nil},
		{"no day", list(`{"cveID":"CVE-2021-44229"}`), 0, []string{"CVE-2021-44229 /vulnerabilities/0:0"}, nil},
		{"bad word", list(`{"cveID":"CVE-2021-44229","dateAdded":"2021-12-10","knownRansomwareCampaignUse":"Maybe"}`), 0, []string{"CVE-2021-44229 /vulnerabilities/0:0"}, nil},
		{"bad kind", list(`{"cveID":7}`, entry), 1, []string{" /vulnerabilities/0/cveID:0"}, nil},
		{"csv line", "cveID,dateAdded,dueDate\nCVE-2021-44228,2021-12-10,2021-12-24\nCVE-2021-44229,soon,2021-12-24\n", 1, []string{"CVE-2021-44229 :3"}, nil},
		{"count", `{"count":2,"vulnerabilities":[` + entry + `]}`, 1, nil, kev.ErrInvalid},
		{"cut", list(entry)[:60], 0, nil, kev.ErrInvalid},
		{"cut behind an entry", `{"vulnerabilities":[` + entry + `,`, 1, nil, kev.ErrInvalid},
		{"no list", `{"count":0}`, 0, nil, kev.ErrInvalid},
		{"twice the list", `{"vulnerabilities":[],"vulnerabilities":[]}`, 0, nil, kev.ErrInvalid},
		{"more", list(entry) + "{}", 1, nil, kev.ErrInvalid},
		{"columns", "id,name\n", 0, nil, kev.ErrInvalid},
		{"cells", "cveID,dateAdded,dueDate\nCVE-2021-44228\n", 0, nil, kev.ErrInvalid},
		{"html", "<html>", 0, nil, kev.ErrInvalid},
		{"nothing", "", 0, nil, kev.ErrInvalid},
	} {
		signals, broken, fatal := read(tt.name, tt.text)
		if len(signals) != tt.signals || !errors.Is(fatal, tt.fatal) || (fatal != nil) != (tt.fatal != nil) {
			t.Errorf("%s: %d signals, %v", tt.name, len(signals), fatal)
		}
		if diff := cmp.Diff(tt.broken, broken); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestRealCatalogue reads all entries of the shared catalogue in both forms.
func TestRealCatalogue(t *testing.T) {
	files := testdata.Open(t, "advisories/kev.tar.gz")
	fromJSON, broken, err := read("json", string(files["known_exploited_vulnerabilities.json"]))
	if err != nil || broken != nil || len(fromJSON) != 1404 {
		t.Errorf("%d signals, %v, %v", len(fromJSON), broken, err)
	}
	fromCSV, broken, err := read("csv", string(files["known_exploited_vulnerabilities.csv"]))
	if err != nil || broken != nil {
		t.Errorf("CSV: %v, %v", broken, err)
	}
	if diff := cmp.Diff(fromJSON, fromCSV); diff != "" {
		t.Errorf("the two forms differ (-JSON +CSV):\n%s", diff)
	}
}

// TestRealHistory reads the shared revisions and says what came and went.
func TestRealHistory(t *testing.T) {
	files := testdata.Open(t, "advisories/kev-history.tar.gz")
	names := testdata.Names(files)
	slices.Sort(names)
	var last map[string]bool
	var got []string
	for _, name := range names {
		signals, broken, err := read(name, string(files[name]))
		if err != nil || broken != nil {
			t.Fatalf("%s: %v, %v", name, broken, err)
		}
		now, came, went := map[string]bool{}, 0, 0
		for _, s := range signals {
			now[s.Vulnerability] = true
			if !last[s.Vulnerability] {
				came++
			}
		}
		for id := range last {
			if !now[id] {
				went++
			}
		}
		got = append(got, fmt.Sprintf("%s: %d, +%d -%d", name[4:14], len(signals), came, went))
		last = now
	}
	if diff := cmp.Diff([]string{"2025-04-04: 1314, +1314 -0", "2025-07-18: 1381, +67 -0", "2025-08-21: 1401, +20 -0"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"count":1,"vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","dueDate":"2021-12-24"}]}`)
	f.Add("cveID,dateAdded,dueDate,knownRansomwareCampaignUse\nCVE-2021-44228,2021-12-10,2021-12-24,Known\n")
	f.Fuzz(func(t *testing.T, text string) {
		signals, _, _ := read("x", text)
		for _, s := range signals {
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
