package tlog_test

import (
	"bytes"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/testdata"
)

// rekorEntry is a log entry of a Sigstore bundle.
type rekorEntry struct {
	Body  []byte `json:"canonicalizedBody"`
	LogID struct {
		KeyID []byte `json:"keyId"`
	} `json:"logId"`
	Proof struct {
		Index      string   `json:"logIndex"`
		Hashes     [][]byte `json:"hashes"`
		Checkpoint struct {
			Envelope string `json:"envelope"`
		} `json:"checkpoint"`
	} `json:"inclusionProof"`
}

// TestRekorReceipts verifies the inclusion proofs of real entries of Rekor v1 (ECDSA)
// and v2 (Ed25519), which Sigstore's conformance suite has in its bundles. What those
// bundles have wrong elsewhere is not this package's.
func TestRekorReceipts(t *testing.T) {
	all := testdata.Open(t, "conformance/sigstore-bundle-verify.tar.gz")
	keys := rekorKeys(t, all)
	got := map[string]tlog.Reason{}
	for name, text := range all {
		if !strings.HasSuffix(name, ".sigstore.json") {
			continue
		}
		var b struct {
			Material struct {
				Entries []rekorEntry `json:"tlogEntries"`
			} `json:"verificationMaterial"`
		}
		if err := json.Unmarshal(text, &b); err != nil {
			continue // what is wrong with it is the bundle's
		}
		for _, e := range b.Material.Entries {
			if e.Proof.Index == "" {
				continue
			}
			err := verifyRekor(t, keys, e)
			if err != nil && tlog.ReasonOf(err) == "" {
				t.Errorf("%s: no reason: %v", name, err)
			}
			got[filepath.Base(filepath.Dir(name))] = tlog.ReasonOf(err)
		}
	}
	refused := map[string]tlog.Reason{}
	for name, reason := range got {
		if reason != "" {
			refused[name] = reason
		}
	}
	want := map[string]tlog.Reason{
		"bundle-invalid-base64-signature_fail":         tlog.ReasonRoot,      // its entry was changed too
		"bundle-with-root-cert_fail":                   tlog.ReasonMalformed, // it has no checkpoint
		"checkpoint-bad-keyhint_fail":                  tlog.ReasonUnsigned,
		"checkpoint-wrong-roothash_fail":               tlog.ReasonProof,     // the size of another checkpoint
		"invalid-inclusion-proof_fail":                 tlog.ReasonMalformed, // it has no checkpoint
		"rekor2-checkpoint-missing-origin_fail":        tlog.ReasonMalformed,
		"rekor2-checkpoint-missing-size_fail":          tlog.ReasonMalformed,
		"rekor2-checkpoint-no-matching-signature_fail": tlog.ReasonUnsigned,
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Error(diff)
	}
	t.Logf("%d bundles, %d refused", len(got), len(refused))
}

// verifyRekor takes the policy's origin from the checkpoint, as Rekor v1's shards need
// it.
func verifyRekor(t *testing.T, keys []*tlog.Key, e rekorEntry) error {
	t.Helper()
	index, err := strconv.ParseInt(e.Proof.Index, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(e.Proof.Checkpoint.Envelope, "\n")
	p := &tlog.Policy{}
	for _, k := range keys {
		p.Logs = append(p.Logs, tlog.LogKey{Origin: origin, Key: k})
	}
	r := &tlog.Receipt{Index: index, Checkpoint: []byte(e.Proof.Checkpoint.Envelope)}
	for _, h := range e.Proof.Hashes {
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	c, err := p.Verify(e.Body, r)
	if err == nil && !bytes.HasPrefix(e.LogID.KeyID, c.Checkpoint.Key.FullID()[:4]) {
		t.Errorf("the log's id is %x, the key's %x", e.LogID.KeyID, c.Checkpoint.Key.FullID())
	}
	return err
}

// rekorKeys are the logs' keys of all trusted roots of the suite.
func rekorKeys(t *testing.T, all map[string][]byte) (out []*tlog.Key) {
	t.Helper()
	seen := map[string]bool{}
	for _, name := range testdata.Names(all) {
		if filepath.Base(name) != "trusted_root.json" {
			continue
		}
		var root struct {
			Logs []struct {
				URL string `json:"baseUrl"`
				Key struct {
					Raw []byte `json:"rawBytes"`
				} `json:"publicKey"`
			} `json:"tlogs"`
		}
		if err := json.Unmarshal(all[name], &root); err != nil {
			t.Fatal(err)
		}
		for _, l := range root.Logs {
			public, err := dsse.ParsePublicKeyDER(l.Key.Raw)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(l.URL)
			if err != nil {
				t.Fatal(err)
			}
			k, err := tlog.NewLogKey(u.Host, public)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[k.String()] {
				seen[k.String()] = true
				out = append(out, k)
			}
		}
	}
	return out
}
