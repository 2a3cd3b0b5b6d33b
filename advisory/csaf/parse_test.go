package csaf_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	parser "github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// fixture is what a fixture's door serves.
func fixture(t testing.TB, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range txtar.Parse(text).Files {
		if at, ok := strings.CutPrefix(f.Name, "feed/"); ok {
			out[at] = string(f.Data)
		}
	}
	return out
}

// TestRefusals: what makes a document unusable, and what does not.
func TestRefusals(t *testing.T) {
	text := fixture(t, "testdata/redhat-vex.txtar")[vex+"2024/cve-2024-10002.json"]
	const name = "2024/cve-2024-10002.json"
	for what, tt := range map[string]struct {
		name, old, new string
		want           error
		notes          string // the one test that fails
	}{
		"good":                  {name, "", "", nil, ""},
		"another file name":     {"2024/cve-2024-10003.json", "", "", csaf.ErrMismatch, ""},
		"another publisher":     {name, `"https://www.redhat.com"`, `"https://example.com"`, csaf.ErrMismatch, ""},
		"TLP:RED":               {name, `"WHITE"`, `"RED"`, csaf.ErrForbidden, ""},
		"TLP:AMBER":             {name, `"WHITE"`, `"AMBER"`, csaf.ErrForbidden, ""},
		"a draft":               {name, `"final"`, `"draft"`, csaf.ErrInvalid, ""},
		"no such product":       {name, `"BaseOS-9:nut-1:2.0-5.el9.x86_64"`, `"nut"`, csaf.ErrInvalid, ""},
		"text behind":           {name, "", "", csaf.ErrInvalid, "behind"},
		"truncated":             {name, "", "", csaf.ErrInvalid, "cut"},
		"version 1.0":           {name, `"csaf_version": "2.0"`, `"csaf_version": "1.0"`, csaf.ErrUnsupported, ""},
		"contradiction":         {name, `"known_not_affected": [`, `"known_not_affected": [` + "\n" + `"red_hat_enterprise_linux_7:bolt",`, csaf.ErrInvalid, ""},
		"no CVE id":             {name, `"cve": "CVE-2024-10002"`, `"cve": "CVE-24"`, csaf.ErrInvalid, ""},
		"another last revision": {name, `"version": "2"`, `"version": "1"`, nil, "6.1.16"},
		"another score":         {name, `"baseScore": 7.5`, `"baseScore": 1.5`, nil, "6.1.9"},
		"another weakness":      {name, `"name": "Improper`, `"name": "Proper`, nil, "6.1.11"},
	} {
		doc := &advisory.Document{Name: tt.name, Content: []byte(strings.Replace(text, tt.old, tt.new, 1))}
		switch tt.notes {
		case "behind":
			doc.Content = append([]byte(text), "{}"...)
		case "cut":
			doc.Content = doc.Content[:len(text)/2]
		}
		if tt.old != "" && tt.old != tt.new && string(doc.Content) == text {
			t.Errorf("%s: the text is the same", what)
		}
		notes, err := csaf.RedHatVEX().Notes(doc)
		if (tt.want == nil) != (err == nil) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
			continue
		}
		records, broken, fatal := read(csaf.RedHatVEX(), doc.Name, doc.Content)
		if (fatal == nil) != (err == nil) || broken != nil || len(records) != map[bool]int{true: 1, false: 0}[err == nil] {
			t.Errorf("%s: %d records, %v, %v", what, len(records), broken, fatal)
			continue
		}
		if err != nil {
			if !errors.Is(fatal, advisory.ErrInvalid) && !errors.Is(fatal, advisory.ErrUnsupported) {
				t.Errorf("%s: %v", what, fatal)
			}
			continue
		}
		if tt.notes == "" && len(notes) > 0 || tt.notes != "" && (len(notes) == 0 || !strings.HasPrefix(notes[0], tt.notes)) {
			t.Errorf("%s: notes %q", what, notes)
		}
		if (tt.notes == "6.1.9") != (len(records[0].Scores) == 0) {
			t.Errorf("%s: scores %v", what, records[0].Scores)
		}
	}
}

// TestNoReason: what is not affected for no reason is left out, and the rest is
// read.
func TestNoReason(t *testing.T) {
	text := fixture(t, "testdata/redhat-vex.txtar")[vex+"2024/cve-2024-10002.json"]
	i, j := strings.Index(text, `"flags"`), strings.Index(text, `"remediations"`)
	records, broken, err := read(csaf.RedHatVEX(), "cve-2024-10002.json", []byte(text[:i]+text[j:]))
	if err != nil || broken != nil || len(records) != 1 || len(records[0].Affected) != 6 {
		t.Fatal(records, broken, err)
	}
	for _, a := range records[0].Affected {
		if a.Status == advisory.NotAffected {
			t.Errorf("%+v", a)
		}
	}
}

// TestVersion21: documents of version 2.1 are read, and not those that refer to
// nothing.
func TestVersion21(t *testing.T) {
	const doc = `{"document":{"category":"csaf_vex","csaf_version":"2.1","distribution":{"tlp":{"label":"CLEAR"}},"publisher":{"category":"vendor","name":"E","namespace":"https://example.com"},"title":"t",` +
		`"tracking":{"current_release_date":"2025-01-02T00:00:00Z","id":"EX-9","initial_release_date":"2025-01-01T00:00:00Z","revision_history":[],"status":"final","version":"1"}},` +
		`"product_tree":{"full_product_names":[{"name":"bolt","product_id":"P","product_identification_helper":{"purls":["pkg:npm/bolt@1.0.0"]}}]},` +
		`"vulnerabilities":[{"cve":"CVE-2025-10001","cwes":[{"id":"CWE-79","name":"x","version":"4.15"}],"metrics":[{"content":{"cvss_v4":{"version":"4.0","vectorString":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N","baseScore":9.3,"baseSeverity":"CRITICAL"}},"products":["P"]}],` +
		`"product_status":{"known_affected":["P"]},"remediations":[{"category":"fix_planned","details":"soon","product_ids":["P"]}]}]}`
	s := csaf.Provider(example)
	records, broken, err := read(s, "ex-9.json", []byte(doc))
	if err != nil || broken != nil || len(records) != 1 {
		t.Fatal(records, broken, err)
	}
	r := records[0]
	if r.ID != "EX-9" || len(r.Affected) != 1 || r.Affected[0].Status != advisory.FixDeferred || len(r.Scores) != 1 || r.Scores[0].Type != "CVSS_V4" || len(r.CWEs) != 1 {
		t.Errorf("%+v", r)
	}
	records, broken, err = read(s, "ex-9.json", []byte(strings.Replace(doc, `"known_affected":["P"]`, `"known_affected":["Q"]`, 1)))
	if len(records) != 0 || len(broken) != 1 || err != nil {
		t.Error(records, broken, err)
	}
	if _, _, err := read(s, "ex-9.json", []byte(strings.Replace(doc, `"final"`, `"draft"`, 1))); !errors.Is(err, csaf.ErrInvalid) {
		t.Error(err)
	}
}

// TestOfficial reads the standard's own test files: one that must be invalid is
// refused or noted, one that must be valid is read without a note, save for a
// draft.
func TestOfficial(t *testing.T) {
	counts := map[string]int{}
	for name, text := range testdata.Open(t, "conformance/csaf20-validator.tar.gz") {
		group := "valid"
		switch {
		case !strings.Contains(name, "/mandatory/"):
			continue
		case strings.Compare(name[len(name)-len("01.json"):], "11.json") < 0:
			group = "invalid"
		}
		d, err := parser.Decode(text, nil)
		if err != nil {
			counts[group+" unreadable"]++
			continue
		}
		s := csaf.Provider(csaf.Trusted{Name: "test", Metadata: "https://example.com/provider-metadata.json", Namespace: d.Head.Publisher.Namespace})
		doc := &advisory.Document{Name: parser.Filename(d.Head.Tracking.ID), Content: text}
		notes, err := s.Notes(doc)
		switch {
		case err != nil:
			counts[group+" refused"]++
			if group == "valid" && d.Head.Tracking.Status != "draft" {
				t.Errorf("%s: %v", name, err)
			}
		case len(notes) > 0:
			counts[group+" noted"]++
		default:
			counts[group+" silent"]++
			if group == "invalid" {
				t.Errorf("%s is invalid and read without a word", name)
			}
		}
		if err == nil {
			if _, broken, err := read(s, doc.Name, text); err != nil {
				t.Errorf("%s: %v %v", name, broken, err)
			}
		}
	}
	want := map[string]int{"valid silent": 16, "valid refused": 1, "invalid noted": 24, "invalid refused": 6}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestIDs: a record is not named like one of the CVE program's, and each of a
// document has an id of its own.
func TestIDs(t *testing.T) {
	text := fixture(t, "testdata/provider.txtar")["example.com/csaf/white/2024/ex-1.json"]
	for _, tt := range []struct {
		id   string
		want []string
	}{
		{"EX-1", []string{"EX-1:CVE-2024-10001", "EX-1:Bug_7", "EX-1:Bug_7:3"}},
		{"EX 1", []string{"EX_1:CVE-2024-10001", "EX_1:Bug_7", "EX_1:Bug_7:3"}},
		{"CVE-2024-10009", []string{"EXAMPLE-CVE-2024-10009:CVE-2024-10001", "EXAMPLE-CVE-2024-10009:Bug_7", "EXAMPLE-CVE-2024-10009:Bug_7:3"}},
	} {
		doc := strings.Replace(text, `"id": "EX-1"`, `"id": "`+tt.id+`"`, 1)
		doc = strings.Replace(doc, `"cve": "CVE-2024-10002"`, `"ids": [{"system_name": "Tracker", "text": "Bug 7"}]`, 1)
		k, end := strings.LastIndex(doc[:strings.Index(doc, `"ids"`)], "{"), strings.LastIndex(doc, "]")
		doc = doc[:end] + "," + doc[k:end] + doc[end:]
		records, broken, err := read(csaf.Provider(example), parser.Filename(tt.id), []byte(doc))
		if err != nil || broken != nil {
			t.Fatal(broken, err)
		}
		var got []string
		for _, r := range records {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.id, diff)
		}
	}
}
