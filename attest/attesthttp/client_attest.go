package attesthttp

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// Attested is an attestation with its bundle, as it stands.
type Attested struct {
	ID      string // the digest of the encoded envelope
	Version int    // each proof that comes makes another one
	// Missing are the proofs that it is to have and that are not in the bundle yet.
	Missing []attest.ProofKind
	Bundle  *bundle.Bundle
	Encoded []byte // the bundle's canonical JSON
}

// Attest hands an envelope over, which is about a scan, or about none that is known
// where scanID is "". Whether it is logged, the tenant's settings say. An error wraps
// ErrMismatch where no known signer signed it; [Code] says why.
func (c *Client) Attest(ctx context.Context, envelope []byte, scanID string) (*Attested, error) {
	e, err := dsse.Decode(envelope)
	if err != nil {
		return nil, fmt.Errorf("attest: %w", err)
	}
	q := httpjson.Call{What: "attest", Method: http.MethodPost, Path: "/attest", Raw: envelope, Limit: dsse.MaxEnvelope, Want: http.StatusOK, Header: map[string]string{"Content-Type": TypeEnvelope, "Accept": TypeBundle}}
	if scanID != "" {
		if err := noScan(scanID); err != nil {
			return nil, fmt.Errorf("attest: %w", err)
		}
		q.Query = url.Values{"scan_id": {scanID}}
	}
	out := new(Attested)
	err = c.do(ctx, q, func(resp *http.Response) error {
		if err := out.read(resp); err != nil {
			return err
		}
		if got := out.Bundle.Envelope; got.PayloadType != e.PayloadType || !bytes.Equal(got.Payload, e.Payload) || len(e.Signatures) != 1 || !bytes.Equal(got.Signatures[0].Sig, e.Signatures[0].Sig) {
			return &fault.MismatchError{What: "payload of the bundle", Want: sum.Of(e.Payload), Got: sum.Of(got.Payload)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// read reads an answer with a bundle of a statement.
func (a *Attested) read(resp *http.Response) error {
	text, err := readTyped(resp, TypeBundle, bundle.MaxBundle)
	if err != nil {
		return err
	}
	b, err := bundle.Decode(text)
	if err != nil {
		return fmt.Errorf("the server's answer: %v: %w", err, fault.Mismatch)
	}
	if b.Envelope == nil {
		return &fault.MismatchError{What: "the server's answer", Want: "a bundle of a statement", Got: "one of an artifact"}
	}
	envelope, err := envelopeOf(b)
	if err != nil {
		return fmt.Errorf("the server's answer: %v: %w", err, fault.Mismatch)
	}
	*a = Attested{ID: sum.Of(envelope), Bundle: b, Encoded: text}
	if want := resp.Header.Get(AttestationHeader); want != a.ID {
		return &fault.MismatchError{What: "id of the attestation", Want: want, Got: a.ID}
	}
	if a.Version, err = strconv.Atoi(resp.Header.Get(VersionHeader)); err != nil {
		return fmt.Errorf("the server's answer has no version: %w", fault.Unavailable)
	}
	for _, k := range fields(resp.Header.Get(MissingHeader)) {
		a.Missing = append(a.Missing, attest.ProofKind(k))
	}
	return nil
}

// fields are the elements of a header that is a list.
func fields(header string) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(header, " ", ""), ","), func(s string) bool { return s == "" })
}

// Attestation returns an attestation by its id.
func (c *Client) Attestation(ctx context.Context, id string) (*Attested, error) {
	if !sum.Is(id) {
		return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	out := new(Attested)
	q := httpjson.Call{What: "read attestation " + id, Method: http.MethodGet, Path: "/attestations/" + id, Want: http.StatusOK, Header: map[string]string{"Accept": TypeBundle}}
	err := c.do(ctx, q, func(resp *http.Response) error {
		if err := out.read(resp); err != nil {
			return err
		}
		if out.ID != id {
			return &fault.MismatchError{What: "id of the attestation", Want: id, Got: out.ID}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Envelope returns the encoded envelope of an attestation by its id, which is its digest.
func (c *Client) Envelope(ctx context.Context, id string) ([]byte, error) {
	if !sum.Is(id) {
		return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	var out []byte
	q := httpjson.Call{What: "read the envelope " + id, Method: http.MethodGet, Path: "/attestations/" + id, Want: http.StatusOK, Header: map[string]string{"Accept": TypeEnvelope}}
	err := c.do(ctx, q, func(resp *http.Response) error {
		text, err := readTyped(resp, TypeEnvelope, dsse.MaxEnvelope)
		if err != nil {
			return err
		}
		if got := sum.Of(text); got != id {
			return &fault.MismatchError{What: "digest of the envelope", Want: id, Got: got}
		}
		out = text
		return nil
	})
	return out, err
}

// Find lists attestations, the newest first. They are without their envelopes, and their
// proofs without content: Attestation has those.
func (c *Client) Find(ctx context.Context, q attest.Query) (*attest.Page, error) {
	query := url.Values{}
	for key, value := range map[string]string{"subject": q.Subject, "predicate_type": q.PredicateType, "scan_id": q.ScanID, "after": q.After} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var page attestationPage
	err := c.get(ctx, "list attestations", "/attestations", query, into(&page, func(p *attestationPage) bool {
		return p.Attestations != nil && !slices.ContainsFunc(p.Attestations, func(a attested) bool { return !sum.Is(a.ID) })
	}))
	if err != nil {
		return nil, err
	}
	out := &attest.Page{Next: page.Next}
	for i := range page.Attestations {
		out.Attestations = append(out.Attestations, page.Attestations[i].kept())
	}
	return out, nil
}

// Check is what is expected of what a server verifies, by whom the tenant trusts and as
// of now.
type Check struct {
	// Subjects, Predicates, Signers, Threshold, Logged, Stamped, MaxAge, Unknown and
	// Canonical are as in attest.Expectation.
	Subjects, Predicates, Signers       []string
	Threshold                           int
	Logged, Stamped, Unknown, Canonical bool
	MaxAge                              time.Duration
	// Lines says that it is JSON Lines, and Evidence that they belong together. Digest is
	// theirs; "" where it is not known.
	Lines, Evidence bool
	Digest          string
}

func (k *Check) query() url.Values {
	out := url.Values{}
	for key, list := range map[string][]string{"subject": k.Subjects, "predicate_type": k.Predicates, "signer": k.Signers} {
		if len(list) > 0 {
			out.Set(key, strings.Join(list, ","))
		}
	}
	for key, yes := range map[string]bool{"logged": k.Logged, "stamped": k.Stamped, "unknown": k.Unknown, "canonical": k.Canonical, "evidence": k.Evidence} {
		if yes {
			out.Set(key, "true")
		}
	}
	if k.Threshold != 0 {
		out.Set("threshold", strconv.Itoa(k.Threshold))
	}
	if k.MaxAge != 0 {
		out.Set("max_age", k.MaxAge.String())
	}
	if k.Digest != "" {
		out.Set("digest", k.Digest)
	}
	return out
}

// Verify has a bundle, an envelope or lines verified by the service. Nil expects what is
// signed and nothing else. Every error is a refusal; [Code] says why where one was told.
// Who does not trust the service verifies with an attest.Verifier.
func (c *Client) Verify(ctx context.Context, text []byte, k *Check) (*Verification, error) {
	if k == nil {
		k = new(Check)
	}
	t := TypeBundle
	if k.Lines || k.Evidence {
		t = TypeLines
	}
	out, digest := new(Verification), sum.Of(text)
	q := httpjson.Call{What: "verify " + digest, Method: http.MethodPost, Path: "/attestations/verify", Query: k.query(), Raw: text, Limit: MaxVerify, Want: http.StatusOK, Header: map[string]string{"Content-Type": t}}
	err := c.do(ctx, q, into(out, func(v *Verification) bool {
		return v.Digest == digest && len(v.Lines) > 0 && !slices.ContainsFunc(v.Lines, func(p Proof) bool { return !k.meets(&p) })
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// meets reports whether what was verified is what was expected: a server that leaves out
// a part of a request must not be believed.
func (k *Check) meets(p *Proof) bool {
	var subjects []string
	for _, s := range p.Subjects {
		subjects = append(subjects, s.Digests...)
	}
	one := func(want []string, of func(string) bool) bool { return len(want) == 0 || slices.ContainsFunc(want, of) }
	return len(p.Signers) >= max(k.Threshold, 1) && (!k.Logged || len(p.Logged) > 0) && (!k.Stamped && k.MaxAge == 0 || len(p.Times) > 0) &&
		one(k.Subjects, func(s string) bool { return slices.Contains(subjects, s) }) &&
		one(k.Signers, func(s string) bool { return slices.Contains(p.Signers, s) }) &&
		(k.Evidence || one(k.Predicates, func(want string) bool {
			t, err := intoto.PredicateType(want)
			return err == nil && intoto.SamePredicate(t, p.PredicateType)
		}))
}

// Root returns what the tenant's bundles are to be checked by. Whoever uses it for that
// trusts the service once, when it was asked.
func (c *Client) Root(ctx context.Context) (*attest.Root, error) {
	var out *attest.Root
	err := c.get(ctx, "read the trust root", "/trust-root", nil, func(resp *http.Response) error {
		text, err := readTyped(resp, "application/json", attest.MaxRoot)
		if err != nil {
			return err
		}
		out, err = attest.DecodeRoot(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
