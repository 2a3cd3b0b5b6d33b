package cosign

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/scan/image"
)

// statement is what cosign says about an image.
type statement struct {
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

// envelope takes the envelope out of whatever cosign has attached.
func envelope(t *testing.T, a *image.Attestation) *dsse.Envelope {
	t.Helper()
	if strings.HasPrefix(a.MediaType, "application/vnd.dev.sigstore.bundle") {
		b, err := bundle.Decode(a.Content)
		if err != nil {
			t.Fatal(err)
		}
		return b.Envelope
	}
	e, err := dsse.Decode(a.Content)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// verified are the predicate types of all that cosign has attached, each of which
// must be signed by its key and about the image.
func (k *kit) verified(t *testing.T) (types []string) {
	t.Helper()
	key, err := dsse.ParsePublicKey(k.read(t, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	trust := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key}}
	for _, a := range k.attestations(t) {
		v, err := trust.Verify(envelope(t, &a), "application/vnd.in-toto+json")
		if err != nil {
			t.Fatal(err)
		}
		var s statement
		if err := json.Unmarshal(v.Payload, &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Subject) != 1 || "sha256:"+s.Subject[0].Digest["sha256"] != k.digest || a.Subject != k.digest {
			t.Errorf("it is about %v, attached to %s", s.Subject, a.Subject)
		}
		types = append(types, fmt.Sprintf("%s in %s of %s", s.PredicateType, a.MediaType, a.ArtifactType))
	}
	slices.Sort(types)
	return types
}

// offline keeps cosign from asking anybody outside.
var offline = []string{"--use-signing-config=false", "--tlog-upload=false", "--yes"}

const (
	signType   = "https://sigstore.dev/cosign/sign/v1"
	bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	dsseType   = "application/vnd.dsse.envelope.v1+json"
)

// TestRead: what cosign signs and attests is found and verified, whichever way cosign
// keeps it.
func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name string
		api  bool
		args [][]string
		want []string
	}{
		{"attest", true, [][]string{{"attest", "--predicate", "predicate.json", "--type", predicateType}}, []string{predicateType + " in " + bundleType + " of " + bundleType}},
		{"sign", true, [][]string{{"sign"}}, []string{signType + " in " + bundleType + " of " + bundleType}},
		{"both", true, [][]string{{"sign"}, {"attest", "--predicate", "predicate.json", "--type", predicateType}}, []string{
			predicateType + " in " + bundleType + " of " + bundleType, signType + " in " + bundleType + " of " + bundleType,
		}},
		{"attest, without the referrers API", false, [][]string{{"attest", "--predicate", "predicate.json", "--type", predicateType}}, []string{predicateType + " in " + bundleType + " of " + bundleType}},
		{"attest, legacy", true, [][]string{{"attest", "--new-bundle-format=false", "--predicate", "predicate.json", "--type", predicateType}}, []string{predicateType + " in " + dsseType + " of "}},
		{"attest, all ways", false, [][]string{
			{"attest", "--new-bundle-format=false", "--predicate", "predicate.json", "--type", predicateType},
			{"attest", "--new-bundle-format=false", "--predicate", "predicate.json", "--type", "spdx"},
			{"attest", "--predicate", "predicate.json", "--type", predicateType},
		}, []string{predicateType + " in " + bundleType + " of " + bundleType, predicateType + " in " + dsseType + " of ", "https://spdx.dev/Document in " + dsseType + " of "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t, tc.api)
			k.run(t, "generate-key-pair")
			k.write(t, "predicate.json", []byte(`{"statements":[]}`))
			for _, args := range tc.args {
				k.run(t, slices.Concat(args[:1], []string{"--key", "cosign.key"}, offline, args[1:], []string{k.ref[:strings.LastIndex(k.ref, ":")] + "@" + k.digest})...)
			}
			if diff := cmp.Diff(tc.want, k.verified(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
