package sigstore

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/stella-ops/stella/attest/intoto"
)

// digests returns the digests of an artifact, by which it is compared.
func (a *Artifact) digests() ([]string, error) {
	var out []string
	if a.Content != nil {
		s256, s384, s512 := sha256.Sum256(a.Content), sha512.Sum384(a.Content), sha512.Sum512(a.Content)
		out = []string{"sha256:" + hex.EncodeToString(s256[:]), "sha384:" + hex.EncodeToString(s384[:]), "sha512:" + hex.EncodeToString(s512[:])}
	}
	if a.Digest == "" {
		if out == nil {
			return nil, &Error{Reason: ReasonMalformed, What: "artifact", Detail: "neither digest nor content"}
		}
		return out, nil
	}
	name, digits, _ := strings.Cut(a.Digest, ":")
	size := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}[name]
	if b, err := hex.DecodeString(digits); err != nil || size == 0 || len(b) != size || strings.ToLower(digits) != digits {
		return nil, &Error{Reason: ReasonMalformed, What: "artifact", Detail: "digest " + a.Digest}
	}
	if out != nil && !slices.Contains(out, a.Digest) {
		return nil, &Error{Reason: ReasonArtifact, What: "artifact", Detail: "its content has another digest than " + a.Digest}
	}
	return []string{a.Digest}, nil
}

// checkArtifact compares what is signed with the artifact, and reads a statement.
func (s *verification) checkArtifact() error {
	var digests []string
	if s.artifact != nil {
		var err error
		if digests, err = s.artifact.digests(); err != nil {
			return err
		}
	}
	if m := s.bundle.GetMessageSignature(); m != nil {
		d := m.GetMessageDigest()
		s.out.Digest = algorithms[d.GetAlgorithm()] + ":" + hex.EncodeToString(d.GetDigest())
		if digests == nil {
			return refuse(ReasonArtifact, nil, "a message is signed, and no artifact given to compare it with")
		}
		if !slices.Contains(digests, s.out.Digest) {
			return refuse(ReasonArtifact, nil, "of %s, want %s", s.out.Digest, strings.Join(digests, " or "))
		}
		return nil
	}
	if s.out.PayloadType != intoto.PayloadType {
		if digests != nil {
			return refuse(ReasonArtifact, nil, "a payload of type %q names no artifact", s.out.PayloadType)
		}
		return nil
	}
	st, err := intoto.Decode(s.out.PayloadType, s.out.Payload)
	if err != nil {
		return refuse(reasonOfKind(err), err, "statement")
	}
	if digests != nil && !st.About(digests...) {
		return refuse(ReasonArtifact, nil, "the statement is about %s, want %s", strings.Join(st.Digests(), ", "), strings.Join(digests, " or "))
	}
	s.out.Statement = st
	return nil
}
