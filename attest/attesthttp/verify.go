package attesthttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

var verifyKeys = []string{"subject", "predicate_type", "signer", "threshold", "logged", "stamped", "max_age", "unknown", "canonical", "digest", "evidence"}

// Verification is what a server vouches for: that every line was verified.
type Verification struct {
	At time.Time `json:"at"` // of the verification
	// Digest is that of the text that was verified.
	Digest string  `json:"digest"`
	Lines  []Proof `json:"lines"` // one for a bundle or an envelope
}

// Proof is what was verified about one line.
type Proof struct {
	PayloadType   string    `json:"payload_type"`
	Payload       string    `json:"payload"` // digest of the bytes that were signed
	Size          int       `json:"size"`    // of them
	PredicateType string    `json:"predicate_type"`
	Subjects      []Subject `json:"subjects"`
	// Signers are keys, or the identity of a certificate.
	Signers []string    `json:"signers"`
	Times   []time.Time `json:"times"` // when it was signed at the latest
	Logged  []Logged    `json:"logged"`
	// Unchecked says what is there of parties that nobody knows.
	Unchecked []string `json:"unchecked"`
}

// Subject is what a statement is about.
type Subject struct {
	Name    string   `json:"name,omitempty"`
	Digests []string `json:"digests"`
}

// Logged is an entry of a log that was proved.
type Logged struct {
	Origin    string   `json:"origin"`
	Index     int64    `json:"index"`
	Size      int64    `json:"size"` // of the tree that proves it
	Witnesses []string `json:"witnesses"`
}

// expectation reads what is expected.
func (c *call) expectation(at time.Time) (*attest.Expectation, error) {
	want := &attest.Expectation{At: at}
	var err error
	for key, into := range map[string]*[]string{"subject": &want.Subjects, "predicate_type": &want.Predicates, "signer": &want.Signers} {
		if *into, err = c.list(key); err != nil {
			return nil, err
		}
	}
	for _, s := range want.Subjects {
		if !isDigest(s) {
			return nil, httpjson.BadRequest("query: subject %.80q: want a digest, such as sha256: and 64 hexadecimal digits", s)
		}
	}
	for i := range want.Predicates {
		if want.Predicates[i], err = intoto.PredicateType(want.Predicates[i]); err != nil {
			return nil, httpjson.QueryFault(err)
		}
	}
	for key, into := range map[string]*bool{"logged": &want.Logged, "stamped": &want.Stamped, "unknown": &want.Unknown, "canonical": &want.Canonical} {
		if *into, err = c.yes(key); err != nil {
			return nil, err
		}
	}
	if want.Threshold, err = c.number("threshold", dsse.MaxSignatures); err != nil {
		return nil, err
	}
	if c.query.Has("max_age") {
		want.MaxAge, err = time.ParseDuration(c.query.Get("max_age"))
		if err != nil || want.MaxAge <= 0 {
			return nil, httpjson.BadRequest("query: max_age %.40q: want a duration that is over 0, such as 720h", c.query.Get("max_age"))
		}
	}
	return want, nil
}

func (h *AttestHandler) verify(c *call) error {
	want, err := c.expectation(h.Attestor.Now())
	if err != nil {
		return err
	}
	t, err := c.bodyType(TypeBundle, TypeEnvelope, TypeLines, bundle.LinesMediaType)
	if err != nil {
		return err
	}
	evidence, err := c.yes("evidence")
	if err != nil {
		return err
	}
	lines := t == TypeLines || t == bundle.LinesMediaType
	digest := c.query.Get("digest")
	if c.query.Has("digest") && !sum.Is(digest) {
		return httpjson.BadRequest("query: digest %.80q: want sha256: and 64 hexadecimal digits", digest)
	}
	if evidence && !lines {
		return httpjson.BadRequest("query: evidence is in lines, and this is %s", t)
	}
	text, err := httpjson.ReadBytes(c.r, "what is to be verified", MaxVerify)
	if err != nil {
		return err
	}
	trust, err := h.attestor.Trust(c.r.Context(), c.who.Tenant)
	if err != nil {
		return err
	}
	out := &Verification{At: want.At.UTC(), Digest: sum.Of(text)}
	if digest != "" && digest != out.Digest {
		err = &attest.Error{Reason: attest.ReasonMalformed, What: "text", Err: &fault.MismatchError{What: "digest", Want: digest, Got: out.Digest}}
		return unverified(err)
	}
	list, err := h.verified(c, &attest.Verifier{Trust: *trust}, text, lines, evidence, want)
	if err != nil {
		return unverified(err)
	}
	for i := range list {
		p, err := proofOf(&list[i])
		if err != nil {
			return unverified(err)
		}
		out.Lines = append(out.Lines, *p)
	}
	return c.answer(http.StatusOK, out)
}

// verified verifies a text. A verifier that breaks down has verified nothing.
func (h *AttestHandler) verified(c *call, v *attest.Verifier, text []byte, lines, evidence bool, want *attest.Expectation) (list []attest.Line, err error) {
	defer func() {
		if p := recover(); p != nil {
			id := h.mux.Tell(c.r, fmt.Errorf("the verifier broke down: %v\n%s", p, debug.Stack()))
			list, err = nil, &httpjson.Error{Status: http.StatusUnprocessableEntity, RequestID: id, Extra: map[string]any{"code": CodePanic, "where": "verifier"},
				Err: fmt.Errorf("the verifier broke down, so that nothing is verified: %w", fault.Mismatch)}
		}
	}()
	return verifyText(c.r.Context(), v, text, lines, evidence, want)
}

func verifyText(ctx context.Context, v *attest.Verifier, text []byte, lines, evidence bool, want *attest.Expectation) ([]attest.Line, error) {
	switch {
	case evidence:
		e, err := v.Evidence(ctx, text, "", want)
		if err != nil {
			return nil, err
		}
		return e.Lines, nil
	case lines:
		return v.Lines(ctx, text, "", want)
	}
	one, err := v.Verify(ctx, text, want)
	if err != nil {
		return nil, err
	}
	return []attest.Line{{Verified: *one, Number: 1}}, nil
}

// unverified is the answer to what is not good. Whatever it is, it is no success.
func unverified(err error) error {
	var e *attest.Error
	var known *httpjson.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &e):
		return refusal(err, e)
	case errors.Is(err, fault.Invalid): // what is expected makes no sense
		return &httpjson.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("%s: %w", clip(err.Error()), fault.Invalid)}
	}
	return inside("verify", err)
}

func proofOf(l *attest.Line) (*Proof, error) {
	p := &Proof{
		PayloadType: l.PayloadType, Payload: sum.Of(l.Payload), Size: len(l.Payload), Subjects: []Subject{}, Signers: l.Signers, Times: []time.Time{}, Logged: []Logged{},
		Unchecked: append([]string{}, l.Unchecked...),
	}
	for _, t := range l.Times {
		p.Times = append(p.Times, t.UTC())
	}
	for _, e := range l.Logged {
		p.Logged = append(p.Logged, Logged{e.Origin, e.Index, e.Size, append([]string{}, e.Witnesses...)})
	}
	if l.Statement == nil && l.PayloadType == intoto.PayloadType {
		var err error
		if l.Statement, err = intoto.Decode(l.PayloadType, l.Payload); err != nil {
			return nil, err
		}
	}
	if l.Statement != nil {
		p.PredicateType = l.Statement.PredicateType
		for i := range l.Statement.Subjects {
			s := &l.Statement.Subjects[i]
			p.Subjects = append(p.Subjects, Subject{Name: s.Name, Digests: append([]string{}, s.Secure()...)})
		}
	}
	return p, nil
}
