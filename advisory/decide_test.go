package advisory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/version"
)

// TestSimple: the short cut says what the whole range says.
func TestSimple(t *testing.T) {
	used := 0 // over all: one ecosystem alone may draw none
	for _, ecosystem := range []string{"npm", "PyPI", "Maven", "Go", "Debian:12", "Alpine:v3.18", "AlmaLinux:9", "RubyGems", "NuGet", "Packagist", "crates.io", "ConanCenter"} {
		scheme, err := version.For(ecosystem)
		if err != nil {
			t.Fatal(err)
		}
		versions := rapid.OneOf(
			rapid.SampledFrom([]string{"0", "1.0", "1.0.0", "1.0.0-alpha.1", "1.0.0rc1", "1:1.0-1", "2.0.0", "2.0.0.Final", "1.2_p1-r3", "dev-main", "x", "", "v1.0.0"}),
			rapid.StringMatching(`[0-2](\.[0-2]){0,2}(-[a-b0-1])?`),
		)
		rapid.Check(t, func(t *rapid.T) {
			var events []version.Event
			for i, v := range rapid.SliceOfN(versions, 1, 6).Draw(t, "events") {
				if i%2 == 0 {
					events = append(events, version.Event{Introduced: v})
				} else {
					events = append(events, version.Event{Fixed: v})
				}
			}
			if rapid.Bool().Draw(t, "in order") {
				order(scheme, events)
			}
			c := comparison{scheme: scheme, query: query{version: versions.Draw(t, "version")}}
			c.parse()
			got, ok := c.simple(events)
			if !ok {
				return
			}
			used++
			set, err := version.NewRange(scheme, events)
			if err != nil {
				t.Fatalf("%v is taken, but %v", events, err)
			}
			if want := set.Contains(c.query.version); got != want {
				t.Fatalf("%s: %q in %v: %v, want %v", ecosystem, c.query.version, events, got, want)
			}
		})
	}
	if used == 0 {
		t.Error("the short cut was never taken")
	}
}

// order sorts the versions of events, where they can be.
func order(scheme version.Scheme, events []version.Event) {
	var versions []string
	for _, e := range events {
		versions = append(versions, e.Introduced+e.Fixed)
	}
	versions = sortVersions(scheme, versions)
	for i := range min(len(versions), len(events)) {
		if events[i].Fixed = ""; i%2 == 0 {
			events[i].Introduced = versions[i]
		} else {
			events[i].Fixed = versions[i]
		}
	}
}

// TestSpan: the interval that is shown contains the version.
func TestSpan(t *testing.T) {
	scheme, err := version.For("npm")
	if err != nil {
		t.Fatal(err)
	}
	versions := rapid.StringMatching(`[0-3]\.[0-3]\.[0-3]`)
	rapid.Check(t, func(t *rapid.T) {
		var events []version.Event
		for range rapid.IntRange(1, 3).Draw(t, "pairs") {
			events = append(events, version.Event{Introduced: rapid.OneOf(rapid.Just("0"), versions).Draw(t, "introduced")})
			switch rapid.IntRange(0, 2).Draw(t, "end") {
			case 0:
				events = append(events, version.Event{Fixed: versions.Draw(t, "fixed")})
			case 1:
				events = append(events, version.Event{LastAffected: versions.Draw(t, "last")})
			}
		}
		c := comparison{scheme: scheme, query: query{version: versions.Draw(t, "version")}}
		c.parse()
		v := c.decide(&Entry{Affected: Affected{Ranges: []Range{{Type: RangeSemver, Events: events}}}})
		if !v.affected {
			return
		}
		for part := range strings.SplitSeq(v.span, ", ") {
			sign, bound, _ := strings.Cut(part, " ")
			o, err := scheme.Compare(c.query.version, bound)
			if bound == "0" {
				continue
			}
			if holds := map[string]bool{">=": o >= 0, "<": o < 0, "<=": o <= 0}; err != nil || !holds[sign] {
				t.Fatalf("%s is said to be in %q of %v", c.query.version, v.span, events)
			}
		}
		for _, fixed := range v.fixed {
			c := comparison{scheme: scheme, query: query{version: fixed}}
			c.parse()
			if c.decide(&Entry{Affected: Affected{Ranges: []Range{{Type: RangeSemver, Events: events}}}}).affected {
				t.Fatalf("%s is said to be fixed in %s, which %v affects", c.query.version, fixed, events)
			}
		}
	})
}

func TestVersionList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.StringMatching(`[a-z0-9.é]{0,200}`)).Draw(t, "versions")
		list := NewVersionList(want...)
		var got []string
		for v := range list.All() {
			got = append(got, v)
			if !list.Has(v) {
				t.Fatalf("%q is not in its list", v)
			}
		}
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if list.Has("never") {
			t.Fatal("it has what it has not")
		}
		// A damaged list ends early.
		cut := list[:len(list)-rapid.IntRange(0, len(list)).Draw(t, "cut")]
		for v := range cut.All() {
			if len(want) == 0 || v != want[0] {
				t.Fatalf("got %q of a damaged list", v)
			}
			want = want[1:]
		}
	})
	for v := range VersionList("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").All() {
		t.Errorf("got %q of a list with an endless number", v)
	}
}

func TestCanonicalName(t *testing.T) {
	tests := [][3]string{
		{"PyPI", "Products.CMF__Plone-x", "products-cmf-plone-x"}, {"PyPI", "requests", "requests"}, {"PyPI", "a--b", "a-b"}, {"PyPI", "ruamel.yaml", "ruamel-yaml"},
		{"Go", "github.com/BurntSushi/toml", "github.com/burntsushi/toml"}, {"NuGet", "Newtonsoft.Json", "newtonsoft.json"}, {"npm", "JSONStream", "JSONStream"},
		{"Packagist:https://x", "A/B", "a/b"}, {"Maven", "Org:Art", "Org:Art"}, {"RubyGems", "RedCloth", "RedCloth"}, {"Debian:12", "libX", "libX"},
		{"SwiftURL", "https://github.com/Vapor/vapor.git", "github.com/vapor/vapor"}, {"VSCode", "Ms/Python", "ms.python"}, {"", "A", "A"},
	}
	for _, tt := range tests {
		if got := CanonicalName(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s of %s: %q, want %q", tt[1], tt[0], got, tt[2])
		}
		if got := CanonicalName(tt[0], tt[2]); got != tt[2] {
			t.Errorf("%s of %s is not its own form: %q", tt[2], tt[0], got)
		}
	}
}

func TestSystemParts(t *testing.T) {
	tests := []struct {
		version string
		n       int
		want    string
	}{
		{"12.15", 1, "12"}, {"12", 1, "12"}, {"3.18.9", 2, "3.18"}, {"3.18", 2, "3.18"}, {"3", 2, "3"}, {"", 2, ""}, {"1.2.3.4", 3, "1.2.3"}, {"sid", 1, "sid"},
	}
	for _, tt := range tests {
		if got := (system{version: tt.version}).parts(tt.n); got != tt.want {
			t.Errorf("%d parts of %q: %q, want %q", tt.n, tt.version, got, tt.want)
		}
	}
}

func TestSplitDistro(t *testing.T) {
	var got [][2]string
	for _, s := range []string{"debian-12", "opensuse-leap-15.6", "bookworm", "opensuse-tumbleweed", "RHEL-9.4", "-1", "a-", ""} {
		id, version := splitDistro(s)
		got = append(got, [2]string{id, version})
	}
	want := [][2]string{{"debian", "12"}, {"opensuse-leap", "15.6"}, {"bookworm", ""}, {"opensuse-tumbleweed", ""}, {"rhel", "9.4"}, {"-1", ""}, {"a-", ""}, {"", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEpochs(t *testing.T) {
	for in, want := range map[string]string{"1:2.3-4": "2.3-4", "2.3": "2.3", "0:1": "1", "a:1": "a:1", "": ""} {
		if got := cutEpoch(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
