package rekor

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/internal/fault"
)

// CheckEntry is [Record.Check] for an entry of a bundle: the kind and version
// beside the body must be those of the body.
func (r *Record) CheckEntry(e *bundle.Entry) error {
	if e == nil {
		return refuse(ReasonMalformed, "no entry")
	}
	kind, version, err := r.check(e.Body)
	if err != nil {
		return err
	}
	if e.Kind != kind || e.Version != version {
		return refuse(ReasonLabel, "%.64q %.64q for a body of %s %s", e.Kind, e.Version, kind, version)
	}
	return nil
}

// Check returns nil if body is that of an entry about r and nothing else.
// Otherwise the error is a *[CheckError], or says what keeps r from being a
// record. Bodies of Rekor v2 are compared as bytes with what r's entry must be.
// So are those of Rekor v1, but for the hash of the uploaded envelope, which
// depends on how its JSON was written: that a log's proof covers it is all there
// is to say of it.
func (r *Record) Check(body []byte) error {
	_, _, err := r.check(body)
	return err
}

// checks are the kinds of entry that are known.
var checks = []struct {
	kind, version string
	check         func(*subject, []byte) ([]byte, error) // returns the body that it must be
}{
	{Kind, Version, (*subject).checkHashedRekordV2},
	{"dsse", "0.0.2", (*subject).checkDSSEV2},
	{"hashedrekord", "0.0.1", (*subject).checkHashedRekordV1},
	{"dsse", "0.0.1", (*subject).checkDSSEV1},
	{"intoto", "0.0.2", (*subject).checkIntotoV1},
}

func (r *Record) check(body []byte) (kind, version string, err error) {
	s, err := r.subject()
	if err != nil {
		return "", "", err
	}
	if len(body) > bundle.MaxBody {
		return "", "", &fault.LimitError{What: "bytes of an entry's body", Where: "log entry", Max: bundle.MaxBody, Seen: int64(len(body))}
	}
	var head struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return "", "", refuse(ReasonMalformed, "%v", err)
	}
	for _, c := range checks {
		if c.kind != head.Kind || c.version != head.Version {
			continue
		}
		want, err := c.check(s, body)
		if err == nil && !bytes.Equal(body, want) {
			err = refuse(ReasonSpelling, "")
		}
		var e *CheckError
		if errors.As(err, &e) {
			e.Entry = c.kind + " " + c.version
		}
		return c.kind, c.version, err
	}
	return "", "", refuse(ReasonKind, "%.64q %.64q", head.Kind, head.Version)
}

// read reads a body of which the kind is known.
func read[S any](body []byte) (*entry[S], error) {
	e := new(entry[S])
	if err := json.Unmarshal(body, e, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse(ReasonMalformed, "%v", err)
	}
	if e.Spec == nil {
		return nil, refuse(ReasonMalformed, "spec is missing")
	}
	return e, nil
}

func (s *subject) checkHashedRekordV2(body []byte) ([]byte, error) {
	e, err := read[specV2](body)
	if err != nil {
		return nil, err
	}
	h := e.Spec.HashedRekord
	if h == nil || h.Data == nil || e.Spec.DSSE != nil {
		return nil, refuse(ReasonMalformed, "want hashedRekordV002 with data and a signature, and nothing else")
	}
	details, err := s.checkSignatureV2(h.Signature)
	if err != nil {
		return nil, err
	}
	want, err := s.hashedRekord(details)
	if err != nil {
		// A message's digest of another hash than the key's: it can be the record's,
		// but no such entry can be about it.
		return nil, refuse(ReasonAlgorithm, "%v", err)
	}
	if err := same(ReasonAlgorithm, h.Data.Algorithm, want.Data.Algorithm); err != nil {
		return nil, err
	}
	if err := same(ReasonDigest, h.Data.Digest, want.Data.Digest); err != nil {
		return nil, err
	}
	return marshal(entry[specV2]{Version: Version, Kind: Kind, Spec: &specV2{HashedRekord: want}})
}

// checkSignatureV2 checks signature and key, and returns the name of the key's
// algorithm.
func (s *subject) checkSignatureV2(sig *signatureV2) (details string, err error) {
	if sig == nil || sig.Verifier == nil {
		return "", refuse(ReasonMalformed, "no signature with its verifier")
	}
	v := sig.Verifier
	if (v.PublicKey == nil) == (v.Certificate == nil) {
		return "", refuse(ReasonMalformed, "want either publicKey or x509Certificate")
	}
	want := s.key.verifier(v.Details)
	if raw(v.PublicKey) != raw(want.PublicKey) || raw(v.Certificate) != raw(want.Certificate) {
		return "", refuse(ReasonKey, "")
	}
	if !slices.Contains(s.key.details, v.Details) {
		return "", refuse(ReasonAlgorithm, "%.64q, want %s", v.Details, s.key.details[0])
	}
	return v.Details, same(ReasonSignature, sig.Content, s.signature)
}

func raw(b *rawBytes) string {
	if b == nil {
		return ""
	}
	return b.Raw
}

func (s *subject) checkDSSEV2(body []byte) ([]byte, error) {
	if s.Envelope == nil {
		return nil, refuse(ReasonContent, "an envelope, want a message")
	}
	e, err := read[specV2](body)
	if err != nil {
		return nil, err
	}
	d := e.Spec.DSSE
	if d == nil || d.Payload == nil || len(d.Signatures) != 1 || e.Spec.HashedRekord != nil {
		return nil, refuse(ReasonMalformed, "want dsseV002 with a payload hash and one signature, and nothing else")
	}
	details, err := s.checkSignatureV2(d.Signatures[0])
	if err != nil {
		return nil, err
	}
	if err := same(ReasonAlgorithm, d.Payload.Algorithm, "SHA2_256"); err != nil {
		return nil, err
	}
	digest := sha256Of(s.Envelope.Payload)
	if err := same(ReasonDigest, d.Payload.Digest, encode(digest)); err != nil {
		return nil, err
	}
	want := &dsseV2{
		Payload:    &digestV2{Algorithm: "SHA2_256", Digest: encode(digest)},
		Signatures: []*signatureV2{{Content: s.signature, Verifier: s.key.verifier(details)}},
	}
	return marshal(entry[specV2]{Version: "0.0.2", Kind: "dsse", Spec: &specV2{DSSE: want}})
}

// same compares one part of an entry with that of the record.
func same(reason Reason, got, want string) error {
	if got == want {
		return nil
	}
	return refuse(reason, "%.120q, want %.120q", got, want)
}
