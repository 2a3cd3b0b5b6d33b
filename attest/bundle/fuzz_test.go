package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
)

// seeds are texts to begin with: one of everything, and each edit of it.
func seeds(f *testing.F) [][]byte {
	whole := encode(f, sample())
	out := [][]byte{[]byte(whole), []byte("{}"), nil}
	for _, name := range []string{"older spelling", "version 0.1", "number as a number", "null of a list"} {
		out = append(out, bytes.ReplaceAll([]byte(whole), []byte(edits[name][0]), []byte(edits[name][1])))
	}
	return out
}

// known reports whether err has a kind: none may slip through without.
func known(err error) bool {
	return errors.Is(err, bundle.ErrInvalid) || errors.Is(err, bundle.ErrUnsupported) || errors.Is(err, bundle.ErrLimit)
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := bundle.Decode(text)
		if err != nil {
			if b != nil || !known(err) {
				t.Fatalf("%v with %v", b, err)
			}
			return
		}
		again, err := b.Encode()
		if errors.Is(err, bundle.ErrUnsupported) {
			return // a chain, or no proof
		}
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		got, err := bundle.Decode(again)
		if err != nil || !cmp.Equal(b, got, cmpopts.EquateEmpty()) {
			t.Fatalf("%v after Encode and Decode: %s", err, cmp.Diff(b, got))
		}
		if third, err := got.Encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("written in two ways: %v\n%s\n%s", err, again, third)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	entry := sample().Material.Entries[0]
	text, err := entry.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := bundle.DecodeEntry(text)
		if err != nil {
			if e != nil || !known(err) {
				t.Fatalf("%v with %v", e, err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		if got, err := bundle.DecodeEntry(again); err != nil || !cmp.Equal(e, got, cmpopts.EquateEmpty()) {
			t.Fatalf("%v after Encode and Decode: %s", err, cmp.Diff(e, got))
		}
	})
}

func FuzzReader(f *testing.F) {
	lines, err := bundle.Encode(items())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lines)
	f.Add([]byte("{}\n{\"a\":1}\r\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bundle.NewReader(bytes.NewReader(text), nil)
		end := int64(0)
		for n := 1; ; n++ {
			item, err := r.Next()
			if err == io.EOF {
				if want := bytes.Count(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) + 1; len(text) > 0 && n-1 != want {
					t.Fatalf("%d items of %d lines", n-1, want)
				}
				return
			}
			if err != nil {
				if !known(err) {
					t.Fatal(err)
				}
				return
			}
			kinds := 0
			for _, is := range []bool{item.Envelope != nil, item.Bundle != nil, item.Other != nil} {
				if is {
					kinds++
				}
			}
			if kinds != 1 || item.Line != n || item.Offset < end || n > 1 && text[item.Offset-1] != '\n' {
				t.Fatalf("item %d is of %d kinds, at line %d, byte %d", n, kinds, item.Line, item.Offset)
			}
			end = item.Offset + 1
		}
	})
}

// TestFlippedByte: no byte of an encoded bundle can change without the bundle
// being refused or another one.
func TestFlippedByte(t *testing.T) {
	flip(t, []byte(encode(t, sample())), 1, 0x20, 0x80)
}

// flip changes each byte in turn.
func flip(t *testing.T, whole []byte, masks ...byte) {
	t.Helper()
	text := bytes.Clone(whole)
	for i := range text {
		for _, mask := range masks {
			text[i] ^= mask
			if b, err := bundle.Decode(text); err == nil && encode(t, b) == string(whole) {
				t.Errorf("byte %d ^ %#x: %q means the same", i, mask, text[i])
			}
			text[i] ^= mask
		}
	}
}

func TestConformanceFlippedByte(t *testing.T) {
	if os.Getenv("STELLA_LONG") == "" {
		t.Skip("decodes ten thousand bundles: only with STELLA_LONG")
	}
	files := packFiles(t)
	for _, name := range []string{"rekor2-happy-path"} {
		want, err := bundle.Decode(files[name])
		if err != nil {
			t.Fatal(err)
		}
		text, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		flip(t, text, 1)
	}
}

// drawBundle draws a bundle that version 0.3 can say.
func drawBundle(t *rapid.T) *bundle.Bundle {
	text := rapid.StringN(1, 20, 60)
	some := rapid.SliceOfN(rapid.Byte(), 1, 40)
	b := new(bundle.Bundle)
	if rapid.Bool().Draw(t, "envelope") {
		b.Envelope = &dsse.Envelope{
			PayloadType: text.Draw(t, "type"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
			Signatures: []dsse.Signature{{Sig: some.Draw(t, "sig")}},
		}
	} else {
		b.Message = &bundle.MessageSignature{Signature: some.Draw(t, "sig")}
	}
	if rapid.Bool().Draw(t, "certificate") {
		b.Material.Certificates = [][]byte{some.Draw(t, "certificate")}
	} else {
		b.Material.KeyHint = rapid.String().Draw(t, "hint")
	}
	index := rapid.Int64Min(0)
	for i := range rapid.IntRange(0, 3).Draw(t, "entries") {
		b.Material.Entries = append(b.Material.Entries, bundle.Entry{
			LogIndex: index.Draw(t, "index"), LogID: append(some.Draw(t, "log"), byte(i)), Kind: text.Draw(t, "kind"), Version: text.Draw(t, "version"), Body: some.Draw(t, "body"),
			Proof: &bundle.Proof{
				LogIndex: index.Draw(t, "index"), TreeSize: rapid.Int64Min(1).Draw(t, "size"), Checkpoint: text.Draw(t, "checkpoint"),
				RootHash: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root")),
				Hashes:   make([][32]byte, rapid.IntRange(0, bundle.MaxHashes).Draw(t, "hashes")),
			},
			Promise: bundle.Promise{IntegratedTime: index.Draw(t, "time"), SignedEntryTimestamp: rapid.SliceOf(rapid.Byte()).Draw(t, "promise")},
		})
	}
	for range rapid.IntRange(0, 3).Draw(t, "timestamps") {
		b.Material.Timestamps = append(b.Material.Timestamps, some.Draw(t, "timestamp"))
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBundle(t)
		text, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := bundle.Decode(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func packFiles(t *testing.T) map[string][]byte {
	out := map[string][]byte{}
	for name, text := range openPack(t) {
		if path.Base(name) == "bundle.sigstore.json" {
			out[path.Base(path.Dir(name))] = text
		}
	}
	return out
}
