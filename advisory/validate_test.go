package advisory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
)

// good is a record without a fault, changed by change.
func good(change func(*advisory.Record)) *advisory.Record {
	r := &advisory.Record{
		ID: "X-1", Modified: "2024-05-20T16:03:47Z", Aliases: []string{"CVE-2024-1234"}, Summary: "One line.", Details: "Two\nlines.",
		Digest: "sha256:" + strings.Repeat("0a", 32),
		Affected: []advisory.Affected{{
			Ecosystem: "npm", Name: "a", Status: advisory.WillNotFix,
			Ranges:   []advisory.Range{{Type: advisory.RangeSemver, Events: []version.Event{{Introduced: "1.0.0"}, {Fixed: "1.2.0"}}}},
			Versions: advisory.NewVersionList("1.0.0"),
		}},
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestRecordValidate(t *testing.T) {
	if err := good(nil).Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		change  func(*advisory.Record)
		pointer string
		kind    error
	}{
		{"no id", func(r *advisory.Record) { r.ID = "" }, "", advisory.ErrInvalid},
		{"space in id", func(r *advisory.Record) { r.ID = "X 1" }, "/id", advisory.ErrInvalid},
		{"C1 control in id", func(r *advisory.Record) { r.ID = "X\u0085" }, "/id", advisory.ErrInvalid},
		{"long id", func(r *advisory.Record) { r.ID = strings.Repeat("x", 257) }, "/id", advisory.ErrLimit},
		{"no modified", func(r *advisory.Record) { r.Modified = "" }, "", advisory.ErrInvalid},
		{"day", func(r *advisory.Record) { r.Published = "2024-05-20" }, "/published", advisory.ErrInvalid},
		{"empty alias", func(r *advisory.Record) { r.Aliases = append(r.Aliases, "") }, "/aliases", advisory.ErrInvalid},
		{"many aliases", func(r *advisory.Record) { r.Aliases = make([]string, advisory.MaxIDs+1) }, "/aliases", advisory.ErrLimit},
		{"lines in summary", func(r *advisory.Record) { r.Summary = "a\nb" }, "/summary", advisory.ErrInvalid},
		{"not UTF-8", func(r *advisory.Record) { r.Details = "\xff" }, "/details", advisory.ErrInvalid},
		{"digest", func(r *advisory.Record) { r.Digest = "sha256:0A" }, "/digest", advisory.ErrInvalid},
		{"ecosystem without name", func(r *advisory.Record) { r.Affected[0].Name = "" }, "/affected/0", advisory.ErrInvalid},
		{"status", func(r *advisory.Record) { r.Affected[0].Status = "fine" }, "/affected/0", advisory.ErrInvalid},
		{"no introduced", func(r *advisory.Record) { r.Affected[0].Ranges[0].Events = nil }, "/affected/0/ranges/0", advisory.ErrInvalid},
		{"two in one", func(r *advisory.Record) { r.Affected[0].Ranges[0].Events[0].Fixed = "2" }, "/affected/0/ranges/0/events/0", advisory.ErrInvalid},
		{"no type", func(r *advisory.Record) { r.Affected[0].Ranges[0].Type = "" }, "/affected/0/ranges/0", advisory.ErrInvalid},
		{"many versions", func(r *advisory.Record) {
			r.Affected[0].Versions = advisory.VersionList(strings.Repeat("\x011", advisory.MaxVersions+1))
		}, "/affected/0/versions", advisory.ErrLimit},
	}
	for _, tt := range tests {
		err := good(tt.change).Validate()
		var broken *advisory.RecordError
		if !errors.As(err, &broken) || !errors.Is(err, tt.kind) || broken.Pointer != tt.pointer {
			t.Errorf("%s: got %v, want %v at %q", tt.name, err, tt.kind, tt.pointer)
		}
	}
}

func TestRecordNotes(t *testing.T) {
	events := func(e ...version.Event) func(*advisory.Record) {
		return func(r *advisory.Record) { r.Affected[0].Ranges[0].Events = e }
	}
	tests := []struct {
		name   string
		change func(*advisory.Record)
		want   []string
	}{
		{"good", nil, nil},
		{"zero time", func(r *advisory.Record) { r.Modified = "0001-01-01T00:00:00Z" }, []string{"/modified"}},
		{"withdrawn too early", func(r *advisory.Record) { r.Published, r.Withdrawn = "2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z" }, []string{"/withdrawn"}},
		{"own alias", func(r *advisory.Record) { r.Aliases = []string{"X-1"} }, []string{"/aliases"}},
		{"own upstream", func(r *advisory.Record) { r.Upstream = []string{"X-1", "CVE-2024-1234", "Y", "Y"} }, []string{"/upstream", "/upstream", "/upstream"}},
		{"two CVE ids", func(r *advisory.Record) { r.Aliases = []string{"CVE-2024-1", "CVE-2024-2"} }, []string{"/aliases"}},
		{"control characters", func(r *advisory.Record) { r.Details = "a\x1b[31mb" }, []string{"/details"}},
		{"vector", func(r *advisory.Record) { r.Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:Q"}} }, []string{"/severity/0"}},
		{"affects nothing", func(r *advisory.Record) { r.Affected = nil }, []string{"/affected"}},
		{"no order", func(r *advisory.Record) { r.Affected[0].Ecosystem = "Linux" }, []string{"/affected/0"}},
		{"unknown type", func(r *advisory.Record) { r.Affected[0].Ranges[0].Type = "X" }, []string{"/affected/0/ranges/0"}},
		{"no commit", func(r *advisory.Record) { r.Affected[0].Ranges[0].Type = advisory.RangeGit }, []string{"/affected/0/ranges/0"}},
		{"fixed and last", events(version.Event{Introduced: "0"}, version.Event{Fixed: "2.0.0"}, version.Event{LastAffected: "1.0.0"}), []string{"/affected/0/ranges/0"}},
		{"ends too early", events(version.Event{Introduced: "2.0.0"}, version.Event{Fixed: "1.0.0"}), []string{"/affected/0/ranges/0"}},
		{"no version", events(version.Event{Introduced: "0"}, version.Event{Fixed: "one"}), []string{"/affected/0/ranges/0"}},
		{"starts where it ends", events(version.Event{Introduced: "1.0.0"}, version.Event{Fixed: "1.0.0"}), []string{"/affected/0/ranges/0"}},
		{"any order", events(version.Event{Fixed: "2.0.0"}, version.Event{Introduced: "1.0.0"}), nil},
	}
	for _, tt := range tests {
		r := good(tt.change)
		if err := r.Validate(); err != nil {
			t.Errorf("%s: refused: %v", tt.name, err)
		}
		var got []string
		for _, n := range r.Notes() {
			got = append(got, n.Pointer)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestSignalValidate(t *testing.T) {
	tests := []struct {
		s    advisory.Signal
		good bool
	}{
		{advisory.Signal{Vulnerability: "CVE-2021-44228", Exploited: "2021-12-10", Due: "2021-12-24"}, true},
		{advisory.Signal{Vulnerability: "CVE-2021-44228", EPSS: "0.97565", Percentile: "1.0", Day: "2024-01-01"}, true},
		{advisory.Signal{Vulnerability: "CVE-2021-44228", EPSS: "1.5"}, false},
		{advisory.Signal{Vulnerability: "CVE-2021-44228", EPSS: "1e-3"}, false},
		{advisory.Signal{Vulnerability: "CVE-2021-44228", EPSS: "-0"}, false},
		{advisory.Signal{Vulnerability: "CVE-2021-44228"}, false},
		{advisory.Signal{Vulnerability: "CVE-2021-44228", Exploited: "10/12/2021"}, false},
		{advisory.Signal{Vulnerability: "GHSA-1", EPSS: "0.1"}, false},
	}
	for _, tt := range tests {
		if err := tt.s.Validate(); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.s, err)
		}
	}
}

func TestDocumentValidate(t *testing.T) {
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/./b", `a\b`, "a\nb", "\xff", strings.Repeat("x", 1025)} {
		if err := (&advisory.Document{Name: name, Content: []byte("x")}).Validate(); !errors.Is(err, advisory.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, d := range []advisory.Document{{Name: "a"}, {Name: "a", Gone: true, Content: []byte("x")}, {Name: "a", Content: []byte("x"), Signature: "sure"}} {
		if err := d.Validate(); !errors.Is(err, advisory.ErrInvalid) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	for _, d := range []advisory.Document{{Name: "a/ALSA-2025:1.json", Content: []byte("x")}, {Name: "a", Gone: true}} {
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestSummarize(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"\n## Impact\nFirst\tline \x1bé.": "First line é.",
		strings.Repeat("é", 200):          strings.Repeat("é", 150) + "…",
	} {
		if got := advisory.Summarize(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
