package trust

import (
	"bytes"
	"errors"
	"io"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// maxSignatures bounds the signatures of one proof.
const maxSignatures = 16

// detached checks an armoured OpenPGP signature (RFC 9580; CSAF 2.0 §7.1.19).
func (v *Verifier) detached(content, proof []byte) vex.Verification {
	if len(proof) > MaxProof {
		return unchecked(nil, "the signature has more than %d bytes", MaxProof)
	}
	list, err := readSignatures(proof)
	if err != nil {
		return unchecked(nil, "the signature cannot be read: %v", err)
	}
	if v.at.IsZero() {
		return unchecked(nil, "no time was given as of which OpenPGP signatures are checked")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var signed *ranked
	out := unchecked(nil, "it is signed by %s, of which the trust document has no key", list[0].issuer())
	for _, s := range list {
		for i := range v.pgp {
			k := &v.pgp[i]
			if len(k.entity.PrimaryKey.Fingerprint) == 0 || len(openpgp.EntityList{k.entity}.EntitiesById(s.keyID)) == 0 {
				continue
			}
			switch said := v.check(content, s.packet, k); {
			case said.Signature == vex.Verified && k.before(signed):
				signed, out = k, said
			case signed == nil && (out.Signature != vex.Bad):
				out = said
			}
		}
	}
	return out
}

// signature is one signature of a proof.
type signature struct {
	keyID  uint64
	packet []byte
}

func (s *signature) issuer() string { return formatKeyID(s.keyID) }

func formatKeyID(id uint64) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 16)
	for i := range b {
		b[15-i] = digits[id>>(4*i)&15]
	}
	return string(b)
}

// readSignatures splits a proof into its signatures. What is none is refused: it has
// no business there.
func readSignatures(proof []byte) ([]signature, error) {
	body, err := dearmor(proof, openpgp.SignatureType)
	if err != nil {
		return nil, err
	}
	var out []signature
	packets := packet.NewOpaqueReader(bytes.NewReader(body))
	for {
		op, err := packets.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		p, err := op.Parse()
		if err != nil {
			return nil, err
		}
		sig, ok := p.(*packet.Signature)
		switch {
		case !ok:
			return nil, errors.New("it has something that is no signature")
		case sig.IssuerKeyId == nil:
			return nil, errors.New("it does not say whose it is")
		case len(out) == maxSignatures:
			return nil, &fault.LimitError{What: "signatures", Where: "proof", Max: maxSignatures}
		}
		var b bytes.Buffer
		if err := op.Serialize(&b); err != nil {
			return nil, err
		}
		out = append(out, signature{*sig.IssuerKeyId, b.Bytes()})
	}
	if len(out) == 0 {
		return nil, errors.New("it is empty")
	}
	return out, nil
}

// check verifies one signature by the key that it names.
func (v *Verifier) check(content, sig []byte, k *ranked) vex.Verification {
	config := &packet.Config{Time: func() time.Time { return v.at }}
	_, _, err := openpgp.VerifyDetachedSignature(openpgp.EntityList{k.entity}, bytes.NewReader(content), bytes.NewReader(sig), config)
	var wrong pgperrors.SignatureError
	switch {
	case err == nil && k.Revoked != "":
		return bad(nil, "signed by the key %q, which is revoked: %s", k.Name, k.Revoked)
	case err == nil:
		return vex.Verification{Signature: vex.Verified, Signer: k.Identity}
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return bad(nil, "signed by the key %q, which its owner revoked", k.Name)
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return unchecked(nil, "the signature of the key %q is not valid at %s", k.Name, v.at.UTC().Format(time.RFC3339))
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureOlderThanKey):
		return unchecked(nil, "the key %q was not valid when the signature was made", k.Name)
	case errors.As(err, &wrong):
		return bad(nil, "the key %q did not sign this: %v", k.Name, err)
	}
	return unchecked(nil, "the signature of the key %q cannot be checked: %v", k.Name, err)
}
