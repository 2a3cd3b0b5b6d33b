package feedtext_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

func TestTime(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2024-04-17T22:02:46Z", "2024-04-17T22:02:46Z"},
		{"2024-04-17T22:02:46+02:00", "2024-04-17T20:02:46Z"},
		{"2019-10-23", "2019-10-23T00:00:00Z"},
		{"2021-07-22 18:25:24", "2021-07-22T18:25:24Z"},
		{"2018-01-11 21:05", "2018-01-11T21:05:00Z"},
		{"29 Mar 2023", "2023-03-29T00:00:00Z"},
		{" 1 Mar 2023", "2023-03-01T00:00:00Z"},
		{"", ""},
		{"0000-00-00", ""},
		{"0001-01-01", ""},
		{"yesterday", ""},
	}
	for _, tt := range tests {
		if got := feedtext.Time(tt.in); got != tt.want {
			t.Errorf("Time(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestIsCVE(t *testing.T) {
	for s, want := range map[string]bool{
		"CVE-2021-44228": true, "CVE-1999-0001": true, "CVE-2024-1234567": true,
		"cve-2021-44228": false, "CVE-2021-1": false, "CVE_2019-2426": false, "CVE-202-12345": false, "CVE-2021-4422x": false, "CVE-2021": false, "": false,
	} {
		if got := feedtext.IsCVE(s); got != want {
			t.Errorf("IsCVE(%q) = %v", s, got)
		}
	}
}

func TestDigest(t *testing.T) {
	if got := feedtext.Digest([]byte("abc")); got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("one part is not hashed as it is: %s", got)
	}
	if feedtext.Digest([]byte("ab"), []byte("c")) == feedtext.Digest([]byte("a"), []byte("bc")) {
		t.Error("parts run together")
	}
}

func TestUnpack(t *testing.T) {
	const text = "the same text, again and again"
	var zipped, zst bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	zw.Write([]byte(text))
	zw.Close()
	sw, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	sw.Write([]byte(text))
	sw.Close()
	read := func(b []byte, most int64) (string, error) {
		r, err := feedtext.Unpack("x", b, most)
		if err != nil {
			return "", err
		}
		defer r.Close()
		out, err := io.ReadAll(r)
		return string(out), err
	}
	for name, b := range map[string][]byte{"plain": []byte(text), "gzip": zipped.Bytes(), "zstd": zst.Bytes()} {
		if got, err := read(b, 100); err != nil || got != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := read(b, 10); !errors.Is(err, fault.Limit) {
			t.Errorf("%s over the limit: %v", name, err)
		}
		if name == "plain" {
			continue
		}
		if _, err := read(b[:len(b)-5], 100); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
}
