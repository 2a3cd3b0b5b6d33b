package rpmdb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
)

func TestDecode(t *testing.T) {
	got, err := Decode(sample(3, 100), nil)
	want := Package{
		Name: "lib3", Version: "1.2", Release: "3.el9", Epoch: 3, HasEpoch: true, Arch: "x86_64", SourceRPM: "src3-1.2-3.el9.src.rpm",
		Vendor: "Vendor", License: "MIT", Summary: "A library", URL: "https://example.com/", ModularityLabel: "m:1:2:c",
		SigMD5: strings.Repeat("ab", 16), KeyID: "0102030405060708",
		Files:    []string{"usr/lib/a", "usr/lib/b", "usr/share/doc"},
		Requires: []string{"/bin/sh", "libc.so.6"}, Provides: []string{"lib3", "lib3.so"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got.EVR() != "3:1.2-3.el9" || got.VR() != "1.2-3.el9" {
		t.Errorf("EVR %q, VR %q", got.EVR(), got.VR())
	}
}

func TestDecodeSpecialCases(t *testing.T) {
	name := text(tagName, "n")
	for _, c := range []struct {
		name string
		blob []byte
		want Package
		err  string
	}{
		{"name alone", buildHeader([]field{name}), Package{Name: "n"}, ""},
		{"words for nothing", buildHeader([]field{name, text(tagVendor, "(none)"), text(tagVersion, "1")}), Package{Name: "n", Version: "1"}, ""},
		{"last value counts", buildHeader([]field{name, text(tagArch, "a")}, text(tagArch, "b")), Package{Name: "n", Arch: "b"}, ""},
		{"Latin-1", buildHeader([]field{name, text(tagVendor, "Caf\xe9")}), Package{Name: "n", Vendor: "Caf\uFFFD"}, ""},
		{"rpm 3 file names", buildHeader([]field{name, texts(tagOldFilenames, "/b", "/a", "/b")}), Package{Name: "n", Files: []string{"a", "b"}}, ""},
		{"one text as a list", buildHeader([]field{name, text(tagProvideName, "p")}), Package{Name: "n", Provides: []string{"p"}}, ""},
		{"odd paths", buildHeader([]field{name, numbers(tagDirIndexes, 0, 1, 2, 3, 4), texts(tagBasenames, "", "passwd", ".x", "y", "z"), texts(tagDirnames, "/", "/../../etc/", "/a//b/", "rel/", "/\xff/")}),
			Package{Name: "n", Files: []string{"a/b/.x", "etc/passwd", "rel/y", "\uFFFD/z"}}, ""},
		{"no name", buildHeader([]field{text(tagVersion, "1")}), Package{Version: "1"}, "no name"},
		{"name of a wrong type", buildHeader([]field{bytesOf(tagName, []byte("n\x00"))}), Package{}, "tag 1000: type 7"},
		{"epoch as text", buildHeader([]field{name, text(tagEpoch, "1")}), Package{Name: "n"}, "tag 1003: type 6"},
		{"text without an end", buildHeader([]field{name}, field{Tag: uint32(tagURL), Type: typeString, Count: 1, Data: []byte("abc")}), Package{Name: "n"}, "tag 1020: text does not end"},
		{"list too short", buildHeader([]field{name}, field{Tag: uint32(tagRequireName), Type: typeStringArray, Count: 3, Data: []byte("a\x00b\x00cd")}), Package{Name: "n"}, "tag 1049: 2 of 3 texts"},
		{"more names than folders", buildHeader([]field{name, numbers(tagDirIndexes, 0), texts(tagBasenames, "a", "b"), texts(tagDirnames, "/")}), Package{Name: "n"}, "2 base names with 1 folder numbers"},
		{"folder that is not there", buildHeader([]field{name, numbers(tagDirIndexes, 1), texts(tagBasenames, "a"), texts(tagDirnames, "/")}), Package{Name: "n"}, "folder 1 of 1"},
	} {
		got, err := Decode(c.blob, nil)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if (err != nil) != (c.err != "") || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.Is(err, fault.Invalid)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
}

func TestDecodeRefusesFalseIndexes(t *testing.T) {
	good := buildHeader([]field{text(tagName, "n"), numbers(tagEpoch, 1)})
	for name, edit := range map[string]func([]byte) []byte{
		"empty":              func([]byte) []byte { return nil },
		"shorter than said":  func(b []byte) []byte { return b[:len(b)-1] },
		"longer than said":   func(b []byte) []byte { return append(b, 0) },
		"no tags":            func(b []byte) []byte { b[3] = 0; return b },
		"2³² tags":           func(b []byte) []byte { copy(b, "\xff\xff\xff\xff"); return b },
		"2³² bytes":          func(b []byte) []byte { copy(b[4:], "\xff\xff\xff\xff"); return b },
		"type 10":            func(b []byte) []byte { b[8+16+7] = 10; return b },
		"type 0":             func(b []byte) []byte { b[8+16+7] = 0; return b },
		"negative offset":    func(b []byte) []byte { b[8+16+8] = 0xff; return b },
		"offset behind data": func(b []byte) []byte { b[8+16+10] = 1; return b },
		"count of 2²⁴":       func(b []byte) []byte { b[8+32+12] = 1; return b },
		"count of none":      func(b []byte) []byte { b[8+32+15] = 0; return b },
		"unaligned number":   func(b []byte) []byte { b[8+32+11] |= 1; return b },
	} {
		if p, err := Decode(edit(bytes.Clone(good)), nil); !errors.Is(err, fault.Invalid) || p.Name != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := Decode(good, nil); err != nil {
		t.Error(err)
	}
}

// TestDecodeLimits: what one header may be blown up to.
func TestDecodeLimits(t *testing.T) {
	name := text(tagName, "n")
	many := make([]uint32, 1000)
	blob := buildHeader([]field{name, numbers(tagDirIndexes, many...), texts(tagBasenames, strings.Split(strings.Repeat("a,", 999)+"a", ",")...), texts(tagDirnames, "/"+strings.Repeat("d", 1000)+"/")})
	for _, c := range []struct {
		limits Limits
		says   string
	}{
		{Limits{PathBytes: 500_000}, "bytes of file paths"},
		{Limits{Items: 999}, "elements of a list"},
	} {
		p, err := Decode(blob, &c.limits)
		if !errors.Is(err, fault.Limit) || !strings.Contains(err.Error(), c.says) || p.Name != "n" || p.Files != nil {
			t.Errorf("%s: %v, %d files", c.says, err, len(p.Files))
		}
	}
	if p, err := Decode(blob, nil); err != nil || len(p.Files) != 1 {
		t.Errorf("%v, %d files", err, len(p.Files))
	}
	long := buildHeader([]field{name, text(tagSummary, strings.Repeat("s", 1000)), text(tagURL, "u")})
	p, err := Decode(long, &Limits{TextBytes: 999})
	if !errors.Is(err, fault.Limit) || p.URL != "u" || p.Summary != "" {
		t.Errorf("long text: %+v, %v", p, err)
	}
	if _, err := Decode(long, &Limits{TextBytes: 1000}); err != nil {
		t.Error(err)
	}
}

func TestSigner(t *testing.T) {
	v3 := append([]byte{0x88, 20, 3, 5, 0, 1, 2, 3, 4}, "KEYID890rest.."...)
	fp4 := []byte{0xc2, 40, 4, 0, 1, 8, 0, 23, 22, subIssuerFingerprint, 4}
	fp4 = append(fp4, "0123456789abABCDEFGH"...)
	fp4 = append(fp4, 0, 0)
	fp6 := []byte{0xc2, 60, 6, 0, 27, 10, 0, 0, 0, 35, 34, subIssuerFingerprint | 0x80, 6}
	fp6 = append(fp6, "ABCDEFGH456789ab456789ab456789ab"...)
	name := text(tagName, "n")
	for what, c := range map[string]struct {
		f    field
		want string
	}{
		"version 3":              {bytesOf(tagSigPGP, v3), "4b45594944383930"},
		"version 4, key id":      {bytesOf(tagDSAHeader, sampleSignature()), "0102030405060708"},
		"version 4, fingerprint": {bytesOf(tagSigGPG, fp4), "4142434445464748"},
		"version 6":              {bytesOf(tagRSAHeader, fp6), "4142434445464748"},
		"rpm 6":                  {texts(tagOpenPGP, base64.StdEncoding.EncodeToString(fp4), "other"), "4142434445464748"},
		"no signature":           {bytesOf(tagRSAHeader, []byte("something else, longer than that")), ""},
		"cut":                    {bytesOf(tagRSAHeader, fp4[:15]), ""},
		"no base64":              {texts(tagOpenPGP, "?"), ""},
	} {
		p, err := Decode(buildHeader([]field{name}, c.f), nil)
		if err != nil || p.KeyID != c.want {
			t.Errorf("%s: %q, %v; want %q", what, p.KeyID, err, c.want)
		}
	}
}

func TestCleanProperty(t *testing.T) {
	part := rapid.SampledFrom([]string{"", "/", ".", "..", "a", ".b", "..c", "d."})
	rapid.Check(t, func(t *rapid.T) {
		p := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), rapid.SampledFrom([]string{"", "/"}).Draw(t, "between"))
		if want := p == path.Clean("/"+p) && p != "/"; clean(p) != want {
			t.Fatalf("clean(%q) is not %v", p, want)
		}
	})
}

func TestFlippedHeader(t *testing.T) {
	h := sample(1, 10)
	for off := range h {
		for _, mask := range []byte{0xff, 0x01, 0x80} {
			h[off] ^= mask
			if p, err := Decode(h, nil); err != nil && fault.KindOf(err) == "" || err == nil && p.Name == "" {
				t.Errorf("offset %d: %+v, %v", off, p, err)
			}
			h[off] ^= mask
		}
		if _, err := Decode(h[:off], nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("cut to %d: %v", off, err)
		}
	}
}
