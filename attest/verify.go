package attest

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// Verifier verifies bundles and envelopes against a Trust. It needs no network, is a
// pure function of its arguments, and is safe for concurrent use.
type Verifier struct{ Trust Trust }

// Verify verifies the text of a Sigstore bundle, or of an envelope. Whatever is in it is
// verified, wanted or not: one bad timestamp refuses a bundle that has a good one. Only
// what is of parties that nobody here knows counts as nothing, and only where
// Expectation.Unknown says so. An error is an *Error, or wraps ErrInvalid where what is
// expected makes no sense.
func (v *Verifier) Verify(ctx context.Context, text []byte, want *Expectation) (*Verified, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // of many lines the rest is not verified
		return nil, fmt.Errorf("verify: %w", err)
	}
	item, err := decode(text)
	if err != nil {
		return nil, refuse(ReasonMalformed, "bundle", "", err)
	}
	return v.item(ctx, text, item, want)
}

// item verifies what was read of text.
func (v *Verifier) item(ctx context.Context, text []byte, item *bundle.Item, want *Expectation) (out *Verified, err error) {
	if want.Canonical {
		if err := canonical(item, text); err != nil {
			return nil, err
		}
	}
	if item.Envelope != nil {
		out, err = v.plain(item.Envelope, want)
	} else {
		out, err = v.bundle(ctx, text, item.Bundle, want)
	}
	if err == nil {
		err = content(out, want)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// check says what makes no sense about an expectation, which may be nil.
func (want *Expectation) check() error {
	if want == nil || want.At.IsZero() || want.Threshold < 0 || want.MaxAge < 0 {
		return fmt.Errorf("verify: a time is required, and a threshold and an age that are not negative: %w", fault.Invalid)
	}
	return nil
}

// decode reads one bundle or envelope, with or without white space between its parts.
func decode(text []byte) (*bundle.Item, error) {
	if len(text) > bundle.MaxBundle {
		return nil, &fault.LimitError{What: "bytes", Where: "bundle", Max: bundle.MaxBundle, Seen: int64(len(text))}
	}
	line := jsontext.Value(text)
	if bytes.ContainsAny(text, "\n\r") { // it may be in several lines
		line = bytes.Clone(text)
		if err := line.Compact(); err != nil {
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
	}
	items, err := bundle.ReadAll(bytes.NewReader(line), &bundle.ReaderOptions{MaxItems: 1})
	switch {
	case err != nil:
		return nil, err
	case len(items) != 1 || items[0].Other != nil:
		return nil, errNeither
	}
	return &items[0], nil
}

var errNeither = fmt.Errorf("it is neither a Sigstore bundle nor an envelope: %w", fault.Invalid)

// plain verifies an envelope with nothing beside it.
func (v *Verifier) plain(e *dsse.Envelope, want *Expectation) (*Verified, error) {
	if want.Logged {
		return nil, refuse(ReasonNotLogged, "envelope", "an envelope alone has no entry of a log", nil)
	}
	if want.Stamped || want.MaxAge > 0 {
		return nil, refuse(ReasonNoTimestamp, "envelope", "an envelope alone has none", nil)
	}
	out, _, err := v.envelope(e, nil, want)
	if err == nil && want.Canonical {
		out.Unchecked, err = v.unknownSignatures(e, want)
	}
	return out, err
}

// bundle verifies a bundle.
func (v *Verifier) bundle(ctx context.Context, text []byte, b *bundle.Bundle, want *Expectation) (*Verified, error) {
	if len(b.Material.Certificates) > 0 {
		return v.certified(ctx, text, b, want)
	}
	times, unchecked, err := v.stamps(b, want)
	if err != nil {
		return nil, err
	}
	var out *Verified
	var signer *dsse.PublicKey
	if b.Message != nil {
		out, signer, err = v.message(b.Message, times, want)
	} else {
		out, signer, err = v.envelope(b.Envelope, times, want)
	}
	if err != nil {
		return nil, err
	}
	if hint := b.Material.KeyHint; want.Canonical && hint != signer.KeyID() {
		return nil, refuse(ReasonMalformed, "bundle", fmt.Sprintf("it hints at key %.80q, and %s signed it", hint, signer.KeyID()), nil)
	}
	out.Times, out.Unchecked = times, unchecked
	return out, v.entries(b, signer, want, out)
}

// stamps verifies the timestamps of a bundle.
func (v *Verifier) stamps(b *bundle.Bundle, want *Expectation) (times []time.Time, unchecked []string, err error) {
	for i, token := range b.Material.Timestamps {
		at, err := v.stamp(token, b.Signature(), want.At)
		switch {
		case err == nil:
			times = append(times, at)
		case want.Unknown && timestamp.ReasonOf(err) == timestamp.ReasonAuthority:
			unchecked = append(unchecked, fmt.Sprintf("timestamp %d: no authority that is known here made it", i))
		default:
			return nil, nil, err
		}
	}
	if err := timely(times, want); err != nil {
		return nil, nil, err
	}
	return times, unchecked, nil
}

// skew is how far clocks of authorities may be ahead.
const skew = 5 * time.Minute

// stamp verifies a timestamp over a signature.
func (v *Verifier) stamp(token, sig []byte, now time.Time) (time.Time, error) {
	s, err := timestamp.Verify(token, sig, v.Trust.Authorities)
	if err != nil {
		return time.Time{}, refuse(ReasonTimestamp, "timestamp", "", err)
	}
	if s.Time.After(now.Add(skew)) {
		return time.Time{}, refuse(ReasonAge, "timestamp", fmt.Sprintf("%s is after %s", s.Time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)), nil)
	}
	return s.Time, nil
}

// key returns a key of the ring by its id, or nil.
func (v *Verifier) key(id string) *dsse.PublicKey {
	for _, m := range v.Trust.Keys.Members {
		if m.Key != nil && m.Key.KeyID() == id {
			return m.Key
		}
	}
	return nil
}

// envelope verifies the signatures of an envelope, each at the times that timestamps
// give, or now. The signer is the first, by its id, of those that count.
func (v *Verifier) envelope(e *dsse.Envelope, times []time.Time, want *Expectation) (*Verified, *dsse.PublicKey, error) {
	payloadType := want.PayloadType
	if payloadType == "" {
		payloadType = intoto.PayloadType
	}
	if e.PayloadType != payloadType {
		return nil, nil, refuse(ReasonPayloadType, "envelope", fmt.Sprintf("%.200q, want %q", e.PayloadType, payloadType), nil)
	}
	trust := dsse.Trust{Threshold: 1}
	for _, m := range v.Trust.Keys.Members {
		if m.Key != nil {
			trust.Keys = append(trust.Keys, m.Key)
		}
	}
	if len(trust.Keys) == 0 {
		return nil, nil, refuse(ReasonUnsigned, "envelope", "no key is trusted here", nil)
	}
	signed, err := trust.Verify(e, payloadType)
	if err != nil {
		return nil, nil, refuse(ReasonUnsigned, "envelope", "", err)
	}
	out := &Verified{PayloadType: payloadType, Payload: signed.Payload}
	if err := out.read(); err != nil {
		return nil, nil, err
	}
	purpose := payloadType
	if out.Statement != nil {
		purpose = out.Statement.PredicateType
	}
	good, err := v.counting(signed.Keys, purpose, times, want)
	if err != nil {
		return nil, nil, err
	}
	out.Signers = good
	return out, v.key(good[0]), nil
}

// counting are the ids of those that signed and count, at least Threshold of them.
func (v *Verifier) counting(ids []string, purpose string, times []time.Time, want *Expectation) ([]string, error) {
	if len(times) == 0 {
		times = []time.Time{want.At}
	}
	var good []string
	var refused error
	for _, id := range ids {
		err := v.allowed(id, purpose, times, want)
		if err == nil {
			good = append(good, id)
		} else if refused == nil {
			refused = err
		}
	}
	switch need := max(want.Threshold, 1); {
	case len(good) >= need:
		return good, nil
	case len(good) == 0 && refused != nil:
		return nil, refused
	default:
		return nil, refuse(ReasonThreshold, "envelope", fmt.Sprintf("%d distinct keys signed that count, want %d", len(good), need), nil)
	}
}

// allowed says whether a key that signed may have, at each of the times.
func (v *Verifier) allowed(id, purpose string, times []time.Time, want *Expectation) error {
	if len(want.Signers) > 0 && !slices.Contains(want.Signers, id) {
		return refuse(ReasonUnsigned, "signature", fmt.Sprintf("key %s signed, which is trusted and not asked for here", id), nil)
	}
	for _, at := range times {
		err := v.Trust.Keys.Check(id, at, purpose)
		if base := intoto.KindOf(purpose).Type(); errors.Is(err, key.RefusedPurpose) && base != "" && strings.HasPrefix(purpose, base+"/v") {
			err = v.Trust.Keys.Check(id, at, base) // who may sign a type without a version may sign all of its versions
		}
		if err != nil {
			return refuse(ReasonKey, "signature", "", err)
		}
	}
	return nil
}

// digestsOf are the digests by which a statement may name an artifact.
func digestsOf(artifact []byte) []string {
	return []string{
		sum.Of(artifact), fmt.Sprintf("sha384:%x", sha512.Sum384(artifact)), fmt.Sprintf("sha512:%x", sha512.Sum512(artifact)),
	}
}

// message verifies a signature over an artifact that is kept elsewhere.
func (v *Verifier) message(m *bundle.MessageSignature, times []time.Time, want *Expectation) (*Verified, *dsse.PublicKey, error) {
	if want.PayloadType != "" || len(want.Predicates) > 0 || len(want.Subjects) > 0 {
		return nil, nil, refuse(ReasonStatement, "bundle", "it signs an artifact, and no statement about one", nil)
	}
	if want.Artifact == nil {
		return nil, nil, refuse(ReasonArtifact, "bundle", "it signs an artifact, which is not at hand", nil)
	}
	if err := ownArtifact(want.Artifact); err != nil {
		return nil, nil, err
	}
	if err := artifactDigest(m, want.Artifact); err != nil {
		return nil, nil, err
	}
	// One signature is one key's, though two may fit it.
	i := slices.IndexFunc(v.Trust.Keys.Members, func(member key.Member) bool {
		return member.Key != nil && member.Key.Verify(want.Artifact, m.Signature) == nil
	})
	if i < 0 {
		return nil, nil, refuse(ReasonUnsigned, "signature", fmt.Sprintf("none of %d keys made it", len(v.Trust.Keys.Members)), nil)
	}
	good, err := v.counting([]string{v.Trust.Keys.Members[i].Key.KeyID()}, PurposeArtifact, times, want)
	if err != nil {
		return nil, nil, err
	}
	return &Verified{Payload: want.Artifact, Signers: good}, v.key(good[0]), nil
}

// PurposeArtifact is the purpose of keys that sign artifacts, and no statements.
const PurposeArtifact = "artifact"

// ownArtifact refuses a file that is what the signature of an envelope is over: who
// signed a statement has not signed a file.
func ownArtifact(artifact []byte) error {
	if bytes.HasPrefix(artifact, []byte("DSSEv1 ")) {
		return refuse(ReasonArtifact, "artifact", "it begins as what signatures of envelopes are over", nil)
	}
	return nil
}

func artifactDigest(m *bundle.MessageSignature, artifact []byte) error {
	if m.Algorithm == 0 {
		return nil
	}
	h := m.Algorithm.New()
	h.Write(artifact)
	if got := h.Sum(nil); !bytes.Equal(got, m.Digest) {
		return refuse(ReasonArtifact, "artifact", fmt.Sprintf("its %s is %x, and %x was signed", m.Algorithm, got, m.Digest), nil)
	}
	return nil
}

// entries verifies the log entries of a bundle that a key signed.
func (v *Verifier) entries(b *bundle.Bundle, signer *dsse.PublicKey, want *Expectation, out *Verified) error {
	r := rekor.OfBundle(b, signer.DER())
	for i := range b.Material.Entries {
		logged, strangers, err := v.proved(&b.Material.Entries[i], r)
		if err == nil && want.Canonical && strangers > 0 {
			what := fmt.Sprintf("log entry %d", i)
			if !want.Unknown {
				return refuse(ReasonUnchecked, what, fmt.Sprintf("%d signatures of its checkpoint are of nobody known here", strangers), nil)
			}
			out.Unchecked = append(out.Unchecked, fmt.Sprintf("%s: %d signatures of its checkpoint", what, strangers))
		}
		switch {
		case err == nil && slices.ContainsFunc(out.Logged, logged.same): // counted twice, it would do for two logs
			return refuse(ReasonLog, fmt.Sprintf("log entry %d", i), fmt.Sprintf("entry %d of %s is there already", logged.Index, logged.Origin), nil)
		case err == nil:
			out.Logged = append(out.Logged, *logged)
		case want.Unknown && errors.Is(err, tlog.ReasonUnknownLog):
			out.Unchecked = append(out.Unchecked, fmt.Sprintf("log entry %d: of a log that nobody here knows", i))
		default:
			err.What = fmt.Sprintf("log entry %d", i)
			return err
		}
	}
	if want.Logged && len(out.Logged) == 0 {
		return refuse(ReasonNotLogged, "bundle", "no entry of a log that is known here", nil)
	}
	return nil
}

// same reports whether two are one entry, whatever trees prove it.
func (l *Logged) same(other Logged) bool { return l.Origin == other.Origin && l.Index == other.Index }

// entry verifies that an entry is about a record, and that its log has it. What the
// entry says beside its checkpoint must be the same as what the checkpoint says.
func (v *Verifier) entry(e *bundle.Entry, r *rekor.Record) (*Logged, *Error) {
	logged, _, err := v.proved(e, r)
	return logged, err
}

// proved also counts the signatures of the checkpoint that nobody here knows.
func (v *Verifier) proved(e *bundle.Entry, r *rekor.Record) (*Logged, int, *Error) {
	if e.Proof == nil {
		return nil, 0, refuse(ReasonLog, "log entry", "no proof that the log has it; a promise of the log is none", nil)
	}
	if err := r.CheckEntry(e); err != nil {
		return nil, 0, refuse(ReasonEntry, "log entry", "", err)
	}
	receipt := &tlog.Receipt{Index: e.Proof.LogIndex, Checkpoint: []byte(e.Proof.Checkpoint)}
	for _, h := range e.Proof.Hashes {
		receipt.Proof = append(receipt.Proof, h)
	}
	if len(v.Trust.Logs.Logs) == 0 {
		return nil, 0, refuse(ReasonLog, "log entry", "no log is known here", tlog.ReasonUnknownLog)
	}
	checked, err := v.Trust.Logs.Verify(e.Body, receipt)
	if err != nil {
		return nil, 0, refuse(ReasonLog, "log entry", "", err)
	}
	c := checked.Checkpoint
	if c.Size != e.Proof.TreeSize || [32]byte(c.Root) != e.Proof.RootHash || !bytes.Equal(e.LogID, c.Key.FullID()) {
		return nil, 0, refuse(ReasonLog, "log entry", "its size, root or log is not that of its checkpoint", nil)
	}
	if e.Kind == rekor.Kind && e.Version == rekor.Version && e.LogIndex != e.Proof.LogIndex {
		return nil, 0, refuse(ReasonLog, "log entry", fmt.Sprintf("index %d, and its proof is of %d", e.LogIndex, e.Proof.LogIndex), nil)
	}
	out := &Logged{Origin: c.Origin, Index: checked.Index, Size: c.Size}
	for _, w := range c.Cosigned {
		out.Witnesses = append(out.Witnesses, w.Key.Name())
	}
	return out, c.Strangers, nil
}

// certified has a bundle verified whose key is in a certificate.
func (v *Verifier) certified(ctx context.Context, text []byte, b *bundle.Bundle, want *Expectation) (*Verified, error) {
	if v.Trust.Certificates == nil {
		return nil, refuse(ReasonCertificate, "bundle", "its key is in a certificate, and nothing here verifies those", nil)
	}
	if b.Envelope == nil {
		if err := ownArtifact(want.Artifact); err != nil {
			return nil, err
		}
	}
	out, err := v.Trust.Certificates.VerifyCertified(ctx, text, want.Artifact)
	if err != nil {
		return nil, refuse(ReasonCertificate, "bundle", "", err)
	}
	payloadType := want.PayloadType
	if payloadType == "" && b.Envelope != nil {
		payloadType = intoto.PayloadType
	}
	switch {
	case out.PayloadType != payloadType:
		return nil, refuse(ReasonPayloadType, "envelope", fmt.Sprintf("%.200q, want %q", out.PayloadType, payloadType), nil)
	case b.Envelope != nil && !bytes.Equal(out.Payload, b.Envelope.Payload):
		return nil, refuse(ReasonMalformed, "bundle", "two readers take it for different things", nil)
	case b.Envelope == nil && (len(want.Predicates) > 0 || len(want.Subjects) > 0):
		return nil, refuse(ReasonStatement, "bundle", "it signs an artifact, and no statement about one", nil)
	case !slices.ContainsFunc(out.Signers, func(id string) bool { return slices.Contains(want.Signers, id) }):
		return nil, refuse(ReasonIdentity, "certificate", fmt.Sprintf("of %.500q, want %q", strings.Join(out.Signers, ", "), want.Signers), nil)
	case want.Threshold > 1:
		return nil, refuse(ReasonThreshold, "envelope", fmt.Sprintf("1 signed, want %d", want.Threshold), nil)
	case want.Logged && len(out.Logged) == 0:
		return nil, refuse(ReasonNotLogged, "bundle", "no entry of a log that is known here", nil)
	}
	for _, at := range out.Times {
		if at.After(want.At.Add(skew)) {
			return nil, refuse(ReasonAge, "timestamp", fmt.Sprintf("%s is after %s", at.UTC().Format(time.RFC3339), want.At.UTC().Format(time.RFC3339)), nil)
		}
	}
	if err := out.read(); err != nil {
		return nil, err
	}
	return out, timely(out.Times, want)
}

// timely holds the times of a signature against what is expected.
func timely(times []time.Time, want *Expectation) error {
	if len(times) == 0 && (want.Stamped || want.MaxAge > 0) {
		return refuse(ReasonNoTimestamp, "bundle", "no timestamp of an authority that is known here", nil)
	}
	if want.MaxAge > 0 {
		if oldest := slices.MinFunc(times, time.Time.Compare); want.At.Sub(oldest) > want.MaxAge {
			return refuse(ReasonAge, "bundle", fmt.Sprintf("signed by %s, which is more than %s before %s", oldest.UTC().Format(time.RFC3339), want.MaxAge, want.At.UTC().Format(time.RFC3339)), nil)
		}
	}
	return nil
}

// read reads the payload where its type says that it is a statement.
func (out *Verified) read() error {
	if out.Statement = nil; out.PayloadType != intoto.PayloadType {
		return nil
	}
	s, err := intoto.Decode(out.PayloadType, out.Payload)
	if err != nil {
		return refuse(ReasonStatement, "payload", "", err)
	}
	out.Statement = s
	return nil
}

// content holds a statement against what is expected.
func content(out *Verified, want *Expectation) error {
	if out.PayloadType == "" { // the artifact itself was signed
		return nil
	}
	if out.PayloadType != intoto.PayloadType {
		if len(want.Predicates) > 0 || len(want.Subjects) > 0 || want.Artifact != nil {
			return refuse(ReasonStatement, "payload", fmt.Sprintf("%.200q is no statement", out.PayloadType), nil)
		}
		return nil
	}
	s := out.Statement
	if len(want.Predicates) > 0 && !slices.ContainsFunc(want.Predicates, func(p string) bool { return intoto.SamePredicate(p, s.PredicateType) }) {
		return refuse(ReasonPredicateType, "statement", fmt.Sprintf("%.200q, want %s", s.PredicateType, strings.Join(want.Predicates, " or ")), nil)
	}
	if len(want.Predicates) > 0 && s.Predicate == nil {
		return refuse(ReasonPredicate, "statement", fmt.Sprintf("of type %.200q, and it has none", s.PredicateType), nil)
	}
	if len(want.Subjects) > 0 && !s.About(want.Subjects...) {
		return refuse(ReasonSubject, "statement", fmt.Sprintf("about %.500s, want %s", strings.Join(s.Digests(), ", "), strings.Join(want.Subjects, " or ")), nil)
	}
	if want.Artifact != nil && !s.About(digestsOf(want.Artifact)...) {
		return refuse(ReasonArtifact, "statement", fmt.Sprintf("about %.500s, and the artifact is %s", strings.Join(s.Digests(), ", "), digestsOf(want.Artifact)[0]), nil)
	}
	return nil
}
