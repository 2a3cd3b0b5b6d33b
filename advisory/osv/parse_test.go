package osv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/version"
)

const full = `{
	"schema_version": "1.7.5", "id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-05-20T16:03:47.5Z",
	"published": "2024-05-19T00:00:00Z", "withdrawn": "2024-06-01T00:00:00Z",
	"aliases": ["CVE-2024-1", "CVE-2024-2"], "upstream": ["CVE-2024-3"], "related": ["GHSA-x"],
	"details": "\n## Impact\nFirst\tline \u00e9.\nSecond.", "unknown": {"a": [1, {"b": null}]},
	"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N", "source": "NVD"}],
	"affected": [{
		"package": {"ecosystem": "PyPI", "name": "p\u0061ckage", "purl": "pkg:pypi/package"},
		"ranges": [
			{"type": "GIT", "repo": "https://example.org/r", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
			{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"last_affected": "1.4"}, {"limit": "2"}], "database_specific": {"x": 1}}
		],
		"versions": ["1.0", "1.4"], "severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/x"}],
		"ecosystem_specific": {"urgency": "low", "severity": 5}, "database_specific": {"severity": "HIGH"}
	}, {"ranges": []}],
	"references": [{"type": "WEB", "url": "https://example.org/web"}, {"type": "ADVISORY", "url": "https://example.org/adv"}, {"type": "WEB", "url": "javascript:x"}],
	"database_specific": {"severity": "MODERATE", "cwe_ids": ["CWE-79", 5, "none"], "cwes": [{"cweId": "CWE-80", "name": "x"}, null]}
}`

func TestParse(t *testing.T) {
	got, err := osv.Parse([]byte(full), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &advisory.Record{
		ID: "GHSA-aaaa-bbbb-cccc", Modified: "2024-05-20T16:03:47.5Z", Published: "2024-05-19T00:00:00Z", Withdrawn: "2024-06-01T00:00:00Z",
		Aliases: []string{"CVE-2024-1", "CVE-2024-2"}, Upstream: []string{"CVE-2024-3"}, Related: []string{"GHSA-x"},
		Summary: "First line é.", Details: "\n## Impact\nFirst\tline é.\nSecond.", CWEs: []string{"CWE-79", "CWE-80"}, Rating: "MODERATE", URL: "https://example.org/adv",
		References: []advisory.Reference{{Type: "WEB", URL: "https://example.org/web"}, {Type: "ADVISORY", URL: "https://example.org/adv"}, {Type: "WEB", URL: "javascript:x"}},
		Scores:     []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N", Source: "NVD"}},
		Affected: []advisory.Affected{{
			Ecosystem: "PyPI", Name: "package", Versions: advisory.NewVersionList("1.0", "1.4"), Rating: "low",
			Scores: []finding.Score{{Type: "CVSS_V4", Value: "CVSS:4.0/x"}},
			Ranges: []advisory.Range{
				{Type: advisory.RangeGit, Repo: "https://example.org/r", Events: []version.Event{{Introduced: "0"}, {Fixed: "abc"}}},
				{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "1.0"}, {LastAffected: "1.4"}, {Limit: "2"}}},
			},
		}, {}},
		Digest: got.Digest,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.HasPrefix(got.Digest, "sha256:") || len(got.Digest) != 71 {
		t.Errorf("digest %q", got.Digest)
	}
}

func TestParseURL(t *testing.T) {
	tests := []struct{ name, members, want string }{
		{"the record's own page", `"references": [{"type": "ADVISORY", "url": "https://rh.example/RHSA-1"}, {"type": "WEB", "url": "https://alma.example/ALSA-2023-1.html"}]`, "https://alma.example/ALSA-2023-1.html"},
		{"database_specific", `"references": [{"type": "ADVISORY", "url": "https://e.example/a"}], "database_specific": {"url": "https://pkg.example/ALSA"}`, "https://pkg.example/ALSA"},
		{"an advisory before others", `"references": [{"type": "FIX", "url": "https://e.example/f"}, {"type": "ADVISORY", "url": "https://e.example/a"}, {"type": "ADVISORY", "url": "https://e.example/b"}]`, "https://e.example/a"},
		{"no link", `"references": [{"type": "WEB", "url": "ftp://e.example/f"}, {"type": "WEB", "url": "https://e.example/a b"}, {"url": null}]`, ""},
	}
	for _, tt := range tests {
		for _, text := range []string{
			`{"id": "ALSA-2023:1", "modified": "2024-05-20T16:03:47Z", ` + tt.members + `}`,
			`{` + tt.members + `, "modified": "2024-05-20T16:03:47Z", "id": "ALSA-2023:1"}`,
		} {
			r, err := osv.Parse([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.URL != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, r.URL, tt.want)
			}
		}
	}
}

// record wraps members into a record that is otherwise good.
func record(members string) string {
	return `{"id": "X-1", "modified": "2024-05-20T16:03:47Z", ` + members + `}`
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	tests := []struct {
		name, text, pointer, want string
		kind                      error
	}{
		{"empty", ``, "", "the text ends early", osv.ErrInvalid},
		{"no object", `[]`, "", "it is not an object", osv.ErrInvalid},
		{"null", `null`, "", "it is not an object", osv.ErrInvalid},
		{"cut off", `{"id": "X-1", "aliases": ["a"`, "/aliases", "EOF", osv.ErrInvalid},
		{"more", record(`"x": 1`) + `{}`, "", "something follows", osv.ErrInvalid},
		{"twice", record(`"id": "X-2"`), "/id", "duplicate", osv.ErrInvalid},
		{"no UTF-8", record("\"summary\": \"\xff\""), "/summary", "UTF-8", osv.ErrInvalid},
		{"lone surrogate", record(`"summary": "\ud800"`), "/summary", "", osv.ErrInvalid},
		{"no id", `{"modified": "2024-05-20T16:03:47Z"}`, "", "it has no id", osv.ErrInvalid},
		{"bad id", `{"id": "X 1", "modified": "2024-05-20T16:03:47Z"}`, "/id", "space or control", osv.ErrInvalid},
		{"long id", `{"id": "` + strings.Repeat("x", 300) + `"}`, "/id", "bytes of the id", osv.ErrLimit},
		{"no modified", `{"id": "X-1"}`, "", "no time of modification", osv.ErrInvalid},
		{"bad modified", `{"id": "X-1", "modified": "2024-05-20"}`, "/modified", "RFC 3339", osv.ErrInvalid},
		{"bad withdrawn", record(`"withdrawn": "yes"`), "/withdrawn", "RFC 3339", osv.ErrInvalid},
		{"aliases are a string", record(`"aliases": "CVE-1"`), "/aliases", "not an array", osv.ErrInvalid},
		{"an alias is a number", record(`"aliases": ["a", 1]`), "/aliases/1", "not a string", osv.ErrInvalid},
		{"many aliases", record(`"aliases": ["a"` + strings.Repeat(`,"a"`, 20000) + `]`), "/aliases/19999", "aliases", osv.ErrLimit},
		{"affected is an object", record(`"affected": {}`), "/affected", "not an array", osv.ErrInvalid},
		{"a package without a name", record(`"affected": [{"package": {"ecosystem": "npm"}}]`), "/affected/0", "ecosystem", osv.ErrInvalid},
		{"no introduced", record(`"affected": [{}, {"ranges": [{"type": "SEMVER", "events": [{"fixed": "1"}]}]}]`), "/affected/1/ranges/0", "no introduced", osv.ErrInvalid},
		{"no events", record(`"affected": [{"ranges": [{"type": "SEMVER"}]}]`), "/affected/0/ranges/0", "no introduced", osv.ErrInvalid},
		{"two in one event", record(`"affected": [{"ranges": [{"events": [{"introduced": "0", "fixed": "1"}]}]}]`), "/affected/0/ranges/0/events/0", "sets 2", osv.ErrInvalid},
		{"an empty event", record(`"affected": [{"ranges": [{"events": [{}]}]}]`), "/affected/0/ranges/0/events/0", "sets 0", osv.ErrInvalid},
		{"a version is a number", record(`"affected": [{"versions": [1.10]}]`), "/affected/0/versions/0", "not a string", osv.ErrInvalid},
		{"deep", record(`"x": ` + deep), "", "depth", osv.ErrInvalid},
		{"large", record(`"x": "` + strings.Repeat("x", 1<<20) + `"`), "", "bytes of one record", osv.ErrLimit},
	}
	for _, tt := range tests {
		_, err := osv.Parse([]byte(tt.text), &osv.Options{MaxRecord: 1 << 20})
		var broken *advisory.RecordError
		switch {
		case !errors.As(err, &broken):
			t.Errorf("%s: error %v", tt.name, err)
		case !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(broken.Pointer, tt.pointer):
			t.Errorf("%s: error at %q: %v", tt.name, broken.Pointer, err)
		}
	}
}

func TestParseTolerates(t *testing.T) {
	for _, members := range []string{
		`"aliases": null, "affected": null, "severity": null, "references": null, "published": null`,
		`"database_specific": null, "x": 1e400`,
		`"affected": [{"package": null, "ranges": null, "versions": null, "ecosystem_specific": [], "database_specific": "x"}]`,
		`"affected": [{"package": {"ecosystem": "Unheard:of", "name": "x"}, "ranges": [{"type": "NEW", "events": [{"fixed": "1"}, {"introduced": "2"}]}]}]`,
		`"severity": [{"type": "CVSS_V3", "score": "7.5"}, {"type": "NEW"}]`,
		`"database_specific": {"severity": {"cvss": 3}, "url": 5}`,
	} {
		if _, err := osv.Parse([]byte(record(members)), nil); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}

func TestParseYAML(t *testing.T) {
	const text = `
id: PYSEC-1
modified: 2023-07-25T16:31:58.309647Z
withdrawn: null
aliases: &a
- CVE-2022-4899
related: *a
details: A vulnerability was found in zstd v1.4.10, where an
  attacker can.
affected:
- package: {ecosystem: PyPI, name: zstd}
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: "0"
    - fixed: 1.10
  versions: [1.1.4, 1.20, 1e3]
`
	r, err := osv.ParseYAML([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &advisory.Record{
		ID: "PYSEC-1", Modified: "2023-07-25T16:31:58.309647Z", Digest: r.Digest,
		Aliases: []string{"CVE-2022-4899"}, Related: []string{"CVE-2022-4899"},
		Summary: "A vulnerability was found in zstd v1.4.10, where an attacker can.", Details: "A vulnerability was found in zstd v1.4.10, where an attacker can.",
		Affected: []advisory.Affected{{
			Ecosystem: "PyPI", Name: "zstd", Versions: advisory.NewVersionList("1.1.4", "1.20", "1e3"),
			Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}, {Fixed: "1.10"}}}},
		}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseYAMLErrors(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, c := range "bcdefgh" {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "*" + string(c-1) + "]\n"
	}
	tests := []struct {
		name, text, want string
		kind             error
	}{
		{"empty", "", "EOF", osv.ErrInvalid},
		{"not YAML", "\t{", "", osv.ErrInvalid},
		{"two documents", "id: X-1\n---\nid: X-2\n", "something follows", osv.ErrInvalid},
		{"merge", "a: &a {id: X-1}\n<<: *a\n", "a name is not", osv.ErrInvalid},
		{"bomb", bomb, "aliases written out", osv.ErrLimit},
		{"endless", "a: &a [*a]\n", "", osv.ErrInvalid},
		{"deep", "a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70), "levels of nesting", osv.ErrLimit},
	}
	for _, tt := range tests {
		_, err := osv.ParseYAML([]byte(tt.text), &osv.Options{MaxRecord: 1 << 20})
		var broken *advisory.RecordError
		if !errors.As(err, &broken) || !errors.Is(err, tt.kind) && tt.name != "endless" || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(record(`"aliases": ["\u0041"], "affected": [{"versions": ["1"], "ranges": [{"events": [{"introduced": "0"}]}]}]`)))
	f.Add([]byte(`{"id": "X", "modified": "0001-01-01T00:00:00Z", "details": "\n\n# x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := osv.Parse(text, &osv.Options{MaxRecord: 1 << 20})
		if err != nil {
			var broken *advisory.RecordError
			if !errors.As(err, &broken) || !errors.Is(err, osv.ErrInvalid) && !errors.Is(err, osv.ErrLimit) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if r.ID == "" || r.Modified == "" || len(r.Summary) > 400 || strings.ContainsAny(r.Summary, "\n\r") {
			t.Fatalf("record %+v", r)
		}
	})
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte("id: X-1\nmodified: 2023-07-25T16:31:58Z\naliases: &a [x]\nrelated: *a\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := osv.ParseYAML(text, &osv.Options{MaxRecord: 1 << 16})
		var broken *advisory.RecordError
		if err != nil && !errors.As(err, &broken) {
			t.Fatalf("untyped error %v", err)
		}
	})
}
