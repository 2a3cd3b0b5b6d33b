package csaf

import "testing"

func TestLanguageFault(t *testing.T) {
	for _, tag := range []string{"en", "EN-us", "de-DE-1996", "zh-cmn-Hans-CN", "zh-yue", "sgn-ase", "qtx", "en-Qaaa-XA", "es-419", "i-default", "I-Mingo", "x-a-b",
		"zh-min-nan", "art-lojban", "sl-rozaj-biske-1994", "en-a-bbb-x-a-ccc", "de-a-foo-b-foo", "fr-Latn-FR-x-y", "iw", "ja"} {
		if why := languageFault(tag); why != "" || !isLanguageTag(tag) {
			t.Errorf("%s: %s", tag, why)
		}
	}
	for _, tag := range []string{"EZ", "xx", "jp", "en-UK", "en-840", "en-Abcd", "en-yue", "zh-yue-cmn", "de-1996-1996", "en-a-bbb-a-ccc", "en-xxxxx", "abcd", "en-abc", "", "-", "en-"} {
		if languageFault(tag) == "" {
			t.Errorf("%s is valid", tag)
		}
	}
}

func TestTables(t *testing.T) {
	if n := len(weaknesses()); n != 964 {
		t.Errorf("%d weaknesses", n)
	}
	for kind, want := range map[string]int{"language": 8268, "extlang": 256, "script": 225, "region": 305, "variant": 134, "grandfathered": 26} {
		if n := len(subtags()[kind]); n != want {
			t.Errorf("%d of %s, want %d", n, kind, want)
		}
	}
	if _, ok := weaknesses()["CWE-Copyright"]; ok {
		t.Error("a line of the head is a weakness")
	}
}

func TestPURLFault(t *testing.T) {
	for s, ok := range map[string]bool{
		"pkg:rpm/redhat/bash@5?arch=src": true, "pkg:npm/%40a/b@1": true, "pkg:generic/a": true, "pkg:oci/nginx@sha256%3Aab": true, "pkg:julia/A?uuid=1": true,
		"pkg:maven/@1.3.4": false, "pkg:maven/a@1": false, "pkg:oci/a/b": false, "pkg:julia/A": false, "pkg:swid/a": false, "pkg:npm/a?B%=1": false, "npm/a": false,
	} {
		if why := purlFault(s); (why == "") != ok {
			t.Errorf("%s: %q", s, why)
		}
	}
}

func TestTime(t *testing.T) {
	a, ok1 := Time("2024-02-01T00:30:00+01:00")
	b, ok2 := Time("2024-01-31t23:30:00.000z")
	if !ok1 || !ok2 || !a.Equal(b) {
		t.Error(a, b)
	}
	for _, s := range []string{"", "2024-01-01", "2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00+24:00"} {
		if _, ok := Time(s); ok {
			t.Error(s)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	// CSAF 2.0, section 3.1.11.2, rule 11, in ascending order.
	order := []string{"0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0", "2.1.0", "2.1.1", "10", "99999999999999999999"}
	for i, a := range order {
		for j, b := range order {
			x, ok1 := parseVersion(a)
			y, ok2 := parseVersion(b)
			if c := x.compare(y); !ok1 || !ok2 || (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, c)
			}
		}
	}
	a, _ := parseVersion("999")
	b, _ := parseVersion("1000.0.0+x-y")
	if !b.follows(a) || a.follows(b) || b.prerelease != "" || b.build != "x-y" {
		t.Error(a, b)
	}
}
