package trust

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// payloadTypes are those under which documents are signed. A signature of another
// type was made for something else, whatever its payload looks like.
var payloadTypes = []string{
	intoto.PayloadType,
	"text/vex", "text/vex+json", "application/vex+json", "application/openvex+json", "application/vnd.openvex+json",
	"application/csaf+json",
	"application/vnd.cyclonedx+json",
}

// envelope checks a DSSE envelope.
func (v *Verifier) envelope(content []byte) vex.Verification {
	e, err := dsse.Decode(content)
	if err != nil {
		return unchecked(nil, "the envelope cannot be read: %v", err)
	}
	if !slices.Contains(payloadTypes, e.PayloadType) {
		return unchecked(nil, "the payload type is %.100q, which is none of a VEX document", e.PayloadType)
	}
	return v.signatures(e)
}

// signatures looks for the key that decides among those that signed an envelope.
func (v *Verifier) signatures(e *dsse.Envelope) vex.Verification {
	message := dsse.PAE(e.PayloadType, e.Payload)
	var signed, revoked, named *ranked
	tries := 0
	for i := range v.pem {
		k := &v.pem[i]
		for _, s := range e.Signatures {
			if s.KeyID != "" && (s.KeyID == k.public.KeyID() || s.KeyID == k.Identity) && k.before(named) {
				named = k
			}
			if tries++; tries > dsse.MaxTries*16 {
				return unchecked(e.Payload, "there are more signatures and keys than are tried")
			}
			switch {
			case k.public.Verify(message, s.Sig) != nil:
			case k.Revoked != "":
				revoked = k
			case k.before(signed):
				signed = k
			}
		}
	}
	switch {
	case signed != nil:
		return vex.Verification{Signature: vex.Verified, Signer: signed.Identity, Payload: e.Payload}
	case revoked != nil:
		return bad(e.Payload, "signed by the key %q, which is revoked: %s", revoked.Name, revoked.Revoked)
	case named != nil:
		return bad(e.Payload, "the key %q, which it names, did not sign it", named.Name)
	}
	return unchecked(e.Payload, "none of the keys of the trust document signed it")
}

// bundle checks a sigstore bundle with an envelope. One that names a plain key is
// checked by the keys of the trust document, and needs no log: the key is trusted
// by itself.
func (v *Verifier) bundle(ctx context.Context, content []byte) (vex.Verification, error) {
	if len(content) > MaxBundle {
		return unchecked(nil, "the bundle has more than %d bytes", MaxBundle), nil
	}
	var b struct {
		Envelope     jsontext.Value `json:"dsseEnvelope"`
		Verification struct {
			PublicKey   jsontext.Value `json:"publicKey"`
			Certificate jsontext.Value `json:"certificate"`
			Chain       jsontext.Value `json:"x509CertificateChain"`
		} `json:"verificationMaterial"`
	}
	if err := json.Unmarshal(content, &b); err != nil {
		return unchecked(nil, "the bundle cannot be read: %v", err), nil
	}
	if b.Envelope.Kind() != '{' {
		return unchecked(nil, "the bundle has no envelope: it is a signature of something beside it"), nil
	}
	certified := b.Verification.Certificate.Kind() == '{' || b.Verification.Chain.Kind() == '{'
	plain := v.envelope(b.Envelope)
	switch {
	case !certified:
		return plain, nil
	case plain.Payload == nil:
		return plain, nil
	case v.sigstore == nil:
		return unchecked(plain.Payload, "its key is in a certificate, which needs a sigstore verifier"), nil
	}
	verified, err := v.sigstore.VerifyBundle(ctx, content)
	switch {
	case errors.Is(err, fault.Mismatch):
		return bad(plain.Payload, "%v", err), nil
	case err != nil:
		return vex.Verification{}, err
	case len(verified.Keys) != 1 || !strings.HasPrefix(verified.Keys[0], "sigstore:") || !slices.Contains(payloadTypes, verified.PayloadType):
		return unchecked(plain.Payload, "the sigstore verifier names %d signers of %.100q, want one certificate's of a VEX document", len(verified.Keys), verified.PayloadType), nil
	}
	return vex.Verification{Signature: vex.Verified, Signer: verified.Keys[0], Payload: verified.Payload}, nil
}
