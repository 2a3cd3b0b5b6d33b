package tlog_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/tlog"
)

func TestReceipt(t *testing.T) {
	_, r, _ := good()
	for _, extra := range [][]byte{nil, []byte("extra")} {
		r.Extra = extra
		text, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("c2sp.org/tlog-proof@v1\n")) {
			t.Errorf("%s", text)
		}
		again, err := tlog.DecodeReceipt(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
	}
	for name, change := range map[string]func(*tlog.Receipt){
		"negative index":      func(r *tlog.Receipt) { r.Index = math.MinInt64 },
		"no checkpoint":       func(r *tlog.Receipt) { r.Checkpoint = nil },
		"no signatures":       func(r *tlog.Receipt) { r.Checkpoint = r.Checkpoint[:40] },
		"too many hashes":     func(r *tlog.Receipt) { r.Proof = make([]tlog.Hash, tlog.MaxProof+1) },
		"too much extra data": func(r *tlog.Receipt) { r.Extra = make([]byte, tlog.MaxExtra+1) },
	} {
		_, r, _ := good()
		change(r)
		if _, err := r.Encode(); !errors.Is(err, tlog.ErrInvalid) && !errors.Is(err, tlog.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReceiptBytes: a receipt with any byte changed, or without its end, is refused
// by name.
func TestReceiptBytes(t *testing.T) {
	_, r, _ := good()
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := trusting(origin)
	check := func(b []byte) error {
		r, err := tlog.DecodeReceipt(b)
		if err == nil {
			_, err = p.Verify([]byte(entry(1)), r)
		}
		return err
	}
	if err := check(text); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range text {
		for bit := range 8 {
			b := bytes.Clone(text)
			b[i] ^= 1 << bit
			n++
			if err := check(b); err == nil {
				t.Errorf("byte %d, bit %d is accepted:\n%s", i, bit, b)
			} else if tlog.ReasonOf(err) == "" {
				t.Errorf("byte %d: no reason: %v", i, err)
			}
		}
		if err := check(text[:i]); err == nil {
			t.Errorf("the first %d bytes are accepted", i)
		}
	}
	t.Logf("%d mutations refused", n)
}

func TestDecodeReceiptRefuses(t *testing.T) {
	_, r, _ := good()
	whole, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	for name, bad := range map[string]string{
		"empty":                 "",
		"another header":        strings.Replace(text, "@v1", "@v2", 1),
		"carriage returns":      strings.ReplaceAll(text, "\n", "\r\n"),
		"no index":              strings.Replace(text, "index 1\n", "", 1),
		"index with a plus":     strings.Replace(text, "index 1", "index +1", 1),
		"index with zeros":      strings.Replace(text, "index 1", "index 01", 1),
		"index 2^63":            strings.Replace(text, "index 1", "index 9223372036854775808", 1),
		"index twice":           strings.Replace(text, "index 1\n", "index 1\nindex 1\n", 1),
		"empty extra":           strings.Replace(text, "index", "extra \nindex", 1),
		"extra twice":           strings.Replace(text, "index", "extra AA==\nextra AA==\nindex", 1),
		"extra, other bits":     strings.Replace(text, "index", "extra AB==\nindex", 1),
		"extra behind":          strings.Replace(text, "index 1\n", "index 1\nextra AA==\n", 1),
		"no empty line":         strings.Replace(text, "\n\n", "\n", 1),
		"two empty lines":       strings.Replace(text, "\n\n", "\n\n\n", 1),
		"no checkpoint":         text[:strings.Index(text, "\n\n")+2],
		"a checkpoint unsigned": text[:strings.LastIndex(text, "\n\n")+1],
	} {
		if r, err := tlog.DecodeReceipt([]byte(bad)); tlog.ReasonOf(err) != tlog.ReasonMalformed {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := tlog.DecodeReceipt(make([]byte, tlog.MaxReceipt+1)); !errors.Is(err, tlog.ErrLimit) {
		t.Errorf("too large: %v", err)
	}
}
