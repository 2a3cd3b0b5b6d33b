package attesthttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// AttestHandler takes envelopes, gives out what was attested, and verifies, for many
// tenants. Attestor and Identify are required. It is safe for concurrent use and must
// not be copied or changed after its first request.
//
// Errors are problem documents (RFC 9457); that of a refusal has the code that
// attest.Code gives. What a backend says is not part of them: such an answer has a
// request_id, and Report is told the rest.
type AttestHandler struct {
	Attestor *attest.Attestor
	// Settings say whether what a tenant sends is logged: a Center's Of. Nil: nothing is.
	Settings func(ctx context.Context, tenant string) (*export.Settings, error)
	// Root is what others check a tenant's bundles by: public keys, logs and authorities.
	// Nil, and a nil Root: nobody is told.
	Root func(ctx context.Context, tenant string) (*attest.Root, error)
	// Identify says who sends a request. Nothing else in a request decides on the
	// tenant. An error should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once     sync.Once
	mux      httpjson.Mux
	attestor attest.Attestor
}

var attestRoutes = []route[AttestHandler]{
	{"POST", root + "/attest", false, []string{"scan_id"}, (*AttestHandler).attest},
	{"GET", root + "/attestations", false, []string{"subject", "predicate_type", "scan_id", "after", "limit"}, (*AttestHandler).find},
	{"POST", root + "/attestations/verify", false, verifyKeys, (*AttestHandler).verify},
	{"GET", root + "/attestations/{attestation_id}", false, nil, (*AttestHandler).attestation},
	{"GET", root + "/trust-root", false, nil, (*AttestHandler).root},
}

// ServeHTTP answers a request.
func (h *AttestHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(func() {
		h.mux.Report = h.Report
		h.attestor = *h.Attestor
		h.attestor.Trust = func(ctx context.Context, tenant string) (*attest.Trust, error) {
			t, err := h.Attestor.Trust(ctx, tenant)
			return t, inside("read whom the tenant trusts", err)
		}
		mount(&h.mux, h, attestRoutes, h.Identify)
	})
	h.mux.ServeHTTP(w, r)
}

func (h *AttestHandler) store(c *call) (attest.Store, error) {
	s, err := h.Attestor.Stores(c.who.Tenant)
	return s, httpjson.Opened(c.who.Tenant, err)
}

// options say what is wanted of what a tenant sends.
func (h *AttestHandler) options(c *call) (*attest.AttestOptions, error) {
	scanID, err := c.scan()
	if err != nil || h.Settings == nil {
		return &attest.AttestOptions{ScanID: scanID}, err
	}
	s, err := h.Settings(c.r.Context(), c.who.Tenant)
	if err != nil {
		return nil, inside("read the settings", err)
	}
	if s.Mode == export.SignLog && h.Attestor.Log == nil {
		return nil, fmt.Errorf("what this tenant attests is logged, and there is no log here: %w", fault.Unavailable)
	}
	return &attest.AttestOptions{ScanID: scanID, Logged: s.Mode == export.SignLog}, nil
}

func (h *AttestHandler) attest(c *call) error {
	if _, err := c.bodyType(TypeEnvelope); err != nil {
		return err
	}
	o, err := h.options(c)
	if err != nil {
		return err
	}
	text, err := httpjson.ReadBytes(c.r, "an envelope", dsse.MaxEnvelope)
	if err != nil {
		return err
	}
	a, b, err := h.attestor.Attest(c.r.Context(), c.who.Tenant, text, o)
	if err != nil {
		return unattested(err)
	}
	c.w.Header().Set("Location", root+"/attestations/"+a.ID)
	return c.bundle(a, b)
}

// unattested says whose fault it is that something is not attested. What a log or an
// authority answered is not the sender's.
func unattested(err error) error {
	var e *attest.Error
	switch {
	case errors.As(err, &e) && slices.Contains([]attest.Reason{attest.ReasonLog, attest.ReasonEntry, attest.ReasonTimestamp, attest.ReasonAge}, e.Reason):
		return fmt.Errorf("%v", err)
	case e != nil:
		return refusal(err, e)
	case errors.Is(err, fault.Conflict): // a collection is at its object
		return fmt.Errorf("%v: %w", err, fault.Unavailable)
	}
	switch kind := fault.KindOf(err); kind {
	case fault.Mismatch:
		return fmt.Errorf("%v", err)
	case fault.Invalid, fault.Unsupported:
		return fmt.Errorf("%s: %w", clip(err.Error()), kind)
	}
	return err
}

// refusal tells why something is not good. It is written anew: what a library said about
// bytes that were sent is for who sent them.
func refusal(err error, e *attest.Error) error {
	where := e.What
	if before, ok := strings.CutSuffix(err.Error(), e.Error()); ok { // such as "line 2: "
		where = before + where
	}
	return &httpjson.Error{
		Status: http.StatusUnprocessableEntity, Extra: map[string]any{"code": attest.Code(err), "where": clip(where)},
		Err: fmt.Errorf("%s: %w", clip(err.Error()), fault.Mismatch),
	}
}

// clip bounds text of a stranger.
func clip(s string) string {
	const most = 2 << 10
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// bundle gives an attestation's bundle as it stands, and says what it lacks: a bundle
// has no member for that.
func (c *call) bundle(a *attest.Attestation, b *bundle.Bundle) error {
	text, err := b.Encode()
	if err != nil {
		return inside("encode the bundle", err)
	}
	c.about(a)
	c.bytes(TypeBundle, text)
	return nil
}

// about says which attestation it is.
func (c *call) about(a *attest.Attestation) {
	header := c.w.Header()
	header.Set(AttestationHeader, a.ID)
	header.Set(KeyHeader, a.KeyID)
	header.Set(VersionHeader, strconv.Itoa(a.Version()))
	if missing := a.Missing(); len(missing) > 0 {
		header.Set(MissingHeader, joined(missing))
	}
}

// joined are the names of proofs as a header has them.
func joined[S ~string](list []S) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// attestation gives one as a bundle, or as the envelope alone.
func (h *AttestHandler) attestation(c *call) error {
	id := c.r.PathValue("attestation_id")
	c.w.Header().Set("Vary", "Accept")
	offer, err := choose(c.r.Header.Values("Accept"), []string{TypeBundle, TypeEnvelope})
	if err != nil {
		return err
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	if _, err := store.Attestation(c.r.Context(), id); err != nil {
		return h.mux.Damaged(c.r, err)
	}
	a, b, err := h.attestor.Bundle(c.r.Context(), c.who.Tenant, id)
	switch fault.KindOf(err) {
	case "":
	case fault.Unavailable:
		return err
	default: // it is there, so that its object is not, or is another one
		return c.damaged(err)
	}
	if err != nil {
		return err
	}
	if offer == TypeBundle {
		return c.bundle(a, b)
	}
	text, err := envelopeOf(b)
	if err == nil && sum.Of(text) != a.ID {
		err = &fault.MismatchError{What: "digest of the envelope", Want: a.ID, Got: sum.Of(text)}
	}
	if err != nil {
		return c.damaged(err)
	}
	c.about(a)
	c.bytes(TypeEnvelope, text)
	return nil
}

// envelopeOf encodes the envelope of a bundle as it is kept: with its key id, which a
// bundle has as a hint beside it.
func envelopeOf(b *bundle.Bundle) ([]byte, error) {
	e := dsse.Envelope{PayloadType: b.Envelope.PayloadType, Payload: b.Envelope.Payload}
	for _, s := range b.Envelope.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{KeyID: b.Material.KeyHint, Sig: s.Sig})
	}
	return e.Encode()
}

// attested is what a list says about an attestation.
type attested struct {
	ID            string             `json:"id"`
	Payload       string             `json:"payload"` // digest
	KeyID         string             `json:"key_id"`
	PredicateType string             `json:"predicate_type"`
	Subjects      []string           `json:"subjects"`
	ScanID        string             `json:"scan_id,omitempty"`
	Size          int64              `json:"size"`
	Version       int                `json:"version"`
	Wanted        []attest.ProofKind `json:"wanted"`
	Missing       []attest.ProofKind `json:"missing"`
	Proofs        []proved           `json:"proofs"`
	Made          time.Time          `json:"made"`
}

type proved struct {
	Kind   attest.ProofKind `json:"kind"`
	Source string           `json:"source"`
	Made   time.Time        `json:"made"`
}

type attestationPage struct {
	Attestations []attested `json:"attestations"`
	Next         string     `json:"next,omitempty"`
}

func attestedOf(a *attest.Attestation) attested {
	out := attested{
		ID: a.ID, Payload: a.Payload, KeyID: a.KeyID, PredicateType: a.PredicateType, Subjects: a.Subjects, ScanID: a.ScanID, Size: a.Ref.Size,
		Version: a.Version(), Wanted: a.Wanted, Missing: a.Missing(), Proofs: []proved{}, Made: a.Made.UTC(),
	}
	for _, p := range a.Proofs {
		out.Proofs = append(out.Proofs, proved{p.Kind, p.Source, p.Made.UTC()})
	}
	return out
}

func (a *attested) kept() attest.Attestation {
	out := attest.Attestation{ID: a.ID, Payload: a.Payload, KeyID: a.KeyID, PredicateType: a.PredicateType, Subjects: a.Subjects, ScanID: a.ScanID, Wanted: a.Wanted, Made: a.Made}
	out.Ref.Digest, out.Ref.Size = a.ID, a.Size
	for _, p := range a.Proofs {
		out.Proofs = append(out.Proofs, attest.Proof{Kind: p.Kind, Source: p.Source, Made: p.Made})
	}
	return out
}

func (h *AttestHandler) find(c *call) error {
	q := attest.Query{Subject: c.query.Get("subject"), After: c.query.Get("after")}
	var err error
	if q.Limit, err = c.number("limit", 1000); err != nil {
		return err
	}
	if c.query.Has("subject") && !isDigest(q.Subject) {
		return httpjson.BadRequest("query: subject %.80q: want a digest, such as sha256: and 64 hexadecimal digits", q.Subject)
	}
	if c.query.Has("predicate_type") {
		if q.PredicateType, err = intoto.PredicateType(c.query.Get("predicate_type")); err != nil {
			return httpjson.QueryFault(err)
		}
	}
	if q.ScanID, err = c.scan(); err != nil {
		return err
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	found, err := store.Find(c.r.Context(), q)
	if err != nil {
		return httpjson.QueryFault(h.mux.Damaged(c.r, err))
	}
	page := attestationPage{Attestations: []attested{}, Next: found.Next}
	for i := range found.Attestations {
		page.Attestations = append(page.Attestations, attestedOf(&found.Attestations[i]))
	}
	return c.answer(http.StatusOK, page)
}

func (h *AttestHandler) root(c *call) error {
	var r *attest.Root
	if h.Root != nil {
		var err error
		if r, err = h.Root(c.r.Context(), c.who.Tenant); err != nil {
			return inside("read the trust root", err)
		}
	}
	if r == nil {
		return fmt.Errorf("trust root: none is told here: %w", fault.NotFound)
	}
	text, err := r.Encode()
	if err != nil {
		return inside("encode the trust root", err)
	}
	c.bytes("application/json", text)
	return nil
}
