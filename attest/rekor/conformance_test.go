package rekor_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"path"
	"testing"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/internal/testdata"
)

// reasons are why entries of the Sigstore conformance suite are not those of their
// bundles. All others are, whatever else is wrong with the bundle.
var reasons = map[string]error{
	"dsse-invalid-sig_fail":            rekor.ReasonSignature,
	"dsse-mismatch-sig_fail":           rekor.ReasonSignature,
	"message-digest-mismatch_fail":     rekor.ReasonDigest,
	"rekor2-dsse-mismatch-sig_fail":    rekor.ReasonSignature,
	"signature-mismatch_fail":          rekor.ReasonSignature,
	"wrong-hashedrekord-artifact_fail": rekor.ReasonSignature,
	"wrong-hashedrekord-entry_fail":    rekor.ReasonKey,
	"managed-key-wrong-key_fail":       rekor.ErrInvalid, // the key is no point of its curve
}

// logged is an entry of the pack with what it should be about.
type logged struct {
	test   string
	record *rekor.Record
	entry  *bundle.Entry
}

// packEntries returns the entries of the bundles of the pack that are well formed.
func packEntries(t testing.TB) (out []logged) {
	files := testdata.Open(t, "conformance/sigstore-bundle-verify.tar.gz")
	for _, name := range testdata.Names(files) {
		if path.Base(name) != "bundle.sigstore.json" {
			continue
		}
		b, err := bundle.Decode(files[name])
		if err != nil {
			continue // package bundle says which these are
		}
		var public []byte
		if text := files[path.Join(path.Dir(name), "key.pub")]; text != nil {
			block, _ := pem.Decode(text)
			public = block.Bytes
		}
		for i := range b.Material.Entries {
			out = append(out, logged{path.Base(path.Dir(name)), rekor.OfBundle(b, public), &b.Material.Entries[i]})
		}
	}
	if len(out) != 36 {
		t.Errorf("%d entries, want 36", len(out))
	}
	return out
}

func TestConformance(t *testing.T) {
	kinds := map[string]int{}
	for _, l := range packEntries(t) {
		t.Run(l.test, func(t *testing.T) {
			err := l.record.CheckEntry(l.entry)
			if want := reasons[l.test]; want != nil {
				if !errors.Is(err, want) {
					t.Fatalf("got %v, want %v", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			kinds[l.entry.Kind+" "+l.entry.Version]++
			if l.entry.Kind != rekor.Kind || l.entry.Version != rekor.Version {
				return
			}
			body, err := l.record.Body()
			if err != nil || !bytes.Equal(body, l.entry.Body) {
				t.Errorf("Body: %s, %v\nRekor has: %s", body, err, l.entry.Body)
			}
		})
	}
	for _, kind := range []string{"hashedrekord 0.0.2", "hashedrekord 0.0.1", "dsse 0.0.1", "intoto 0.0.2"} {
		if kinds[kind] == 0 {
			t.Errorf("no entry of kind %s was accepted", kind)
		}
	}
	t.Log(kinds)
}
