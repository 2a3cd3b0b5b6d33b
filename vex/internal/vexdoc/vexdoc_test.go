package vexdoc_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

func TestCut(t *testing.T) {
	for _, end := range []string{"a", "é", "€", "𝄞", "\xff"} {
		long := strings.Repeat("a", vex.MaxText-1) + end + "b"
		got := vexdoc.Cut(long)
		if len(got) > vex.MaxText || !strings.HasPrefix(long, got) || len(got) < vex.MaxText-utf8.UTFMax {
			t.Errorf("%q: cut to %d bytes", end, len(got))
		}
		if utf8.ValidString(long) && !utf8.ValidString(got) {
			t.Errorf("%q: cut within a character", end)
		}
	}
	if got := vexdoc.Cut("a\x00b"); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

func TestTime(t *testing.T) {
	for in, want := range map[string]string{
		"2024-01-02T03:04:05.678901234+01:00": "2024-01-02T02:04:05.678901234Z",
		"9999-12-31T23:59:59Z":                "9999-12-31T23:59:59Z",
		"9999-12-31T23:59:59-01:00":           "",
		"0001-01-01T00:00:00Z":                "",
		"0000-06-01T00:00:00Z":                "",
		"2024-01-02":                          "",
		"2024-13-02T00:00:00Z":                "",
		"":                                    "",
	} {
		got, err := vexdoc.Time(in)
		if want == "" {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("%q: %v, %v", in, got, err)
			}
			continue
		}
		if err != nil || got.Format("2006-01-02T15:04:05.999999999Z07:00") != want {
			t.Errorf("%q: %v, %v, want %s", in, got, err, want)
		}
	}
}

// TestProducts: names that say the same are one; names of different things are none
// for what lowers risk.
func TestProducts(t *testing.T) {
	type products = []vex.Product
	for name, tt := range map[string]struct {
		names       vexdoc.Names
		safe, risky products
	}{
		"nothing": {vexdoc.Names{Name: "n"}, products{{Name: "n"}}, products{{Name: "n"}}},
		"one says more": {
			vexdoc.Names{PURLs: []string{"pkg:npm/bolt", "", "pkg:npm/bolt@1", "pkg:npm/bolt"}},
			products{{PURL: "pkg:npm/bolt@1"}}, products{{PURL: "pkg:npm/bolt@1"}},
		},
		"two forms of a CPE name": {
			vexdoc.Names{CPEs: []string{"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*", "cpe:/a:x:y:1"}},
			products{{CPE: "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}}, products{{CPE: "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}},
		},
		"two versions": {
			vexdoc.Names{PURLs: []string{"pkg:npm/bolt@1", "pkg:npm/bolt@2"}, CPEs: []string{"cpe:/a:x:y"}},
			products{{Name: "pkg:npm/bolt@1 and pkg:npm/bolt@2 and cpe:/a:x:y"}},
			products{{PURL: "pkg:npm/bolt@1"}, {PURL: "pkg:npm/bolt@2"}, {CPE: "cpe:/a:x:y"}},
		},
		"two qualifiers": {
			vexdoc.Names{Name: "n", PURLs: []string{"pkg:rpm/x/bolt@1?arch=x86_64", "pkg:rpm/x/bolt?distro=y-1"}},
			products{{Name: "n"}}, products{{PURL: "pkg:rpm/x/bolt@1?arch=x86_64", Name: "n"}, {PURL: "pkg:rpm/x/bolt?distro=y-1", Name: "n"}},
		},
		"one cannot be read": {
			vexdoc.Names{PURLs: []string{"pkg:npm/bolt", "pkg:"}},
			products{{Name: "pkg:npm/bolt and pkg:"}}, products{{PURL: "pkg:npm/bolt"}, {PURL: "pkg:"}},
		},
	} {
		for safe, want := range map[bool]products{true: tt.safe, false: tt.risky} {
			got := tt.names.Products(safe)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(vex.Product{})); diff != "" {
				t.Errorf("%s, safe %v (-want +got):\n%s", name, safe, diff)
			}
		}
	}
}

func TestHash(t *testing.T) {
	for in, want := range map[string]string{"sha-256": "sha256:ab", "SHA-1": "sha1:ab", "sha256": "sha256:ab", "SHA3-256": "sha3-256:ab", "BLAKE2b-512": "blake2b-512:ab", "md5": "md5:ab"} {
		if got := vexdoc.Hash(in, "AB"); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
