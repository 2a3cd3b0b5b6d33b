package attesthttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// SignHandler has statements signed for many tenants. Signer and Identify are required.
// It is safe for concurrent use and must not be copied or changed after its first
// request.
//
// What is signed the Signer makes itself, of what is kept: bytes in a request are only
// compared with that. Errors are problem documents (RFC 9457). What a backend says is
// not part of them: such an answer has a request_id, and Report is told the rest.
type SignHandler struct {
	Signer *attest.Signer
	// Identify says who sends a request. Nothing else in a request decides on tenant or
	// subject. An error should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once   sync.Once
	mux    httpjson.Mux
	signer attest.Signer
}

var signRoutes = []route[SignHandler]{
	{"POST", root + "/sign", false, []string{"scan_id", "key_id"}, (*SignHandler).sign},
}

// ServeHTTP answers a request.
func (h *SignHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(func() {
		h.mux.Report = h.Report
		h.signer = *h.Signer
		h.signer.Facts = func(tenant string) (attest.Facts, error) {
			f, err := h.Signer.Facts(tenant)
			return keptFacts{f}, httpjson.Opened(tenant, err)
		}
		h.signer.Stores = func(tenant string) (attest.Store, error) {
			s, err := h.Signer.Stores(tenant)
			return s, httpjson.Opened(tenant, err)
		}
		mount(&h.mux, h, signRoutes, h.Identify)
	})
	h.mux.ServeHTTP(w, r)
}

// signing asks for a signature.
type signing struct {
	ScanID        string `json:"scan_id"`
	PredicateType string `json:"predicate_type"`
	Digest        string `json:"digest,omitempty"`
	KeyID         string `json:"key_id,omitempty"`
}

// order reads what is to be signed. Bytes of a document say which one is meant, and
// their type says as what.
func (c *call) order() (*attest.Order, error) {
	t, err := c.bodyType("application/json", TypeSPDX, TypeCycloneDX)
	if err != nil {
		return nil, err
	}
	if t == "application/json" {
		if len(c.query) > 0 {
			return nil, httpjson.BadRequest("query: what is to be signed is said in the body")
		}
		var body signing
		if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
			return nil, err
		}
		if body.Digest != "" && !sum.Is(body.Digest) {
			return nil, fmt.Errorf("digest %.80q: want sha256: and 64 hexadecimal digits: %w", body.Digest, fault.Invalid)
		}
		return &attest.Order{ScanID: body.ScanID, Predicate: body.PredicateType, Digest: body.Digest, KeyID: body.KeyID}, nil
	}
	o := &attest.Order{ScanID: c.query.Get("scan_id"), Predicate: intoto.PredicateSPDX, KeyID: c.query.Get("key_id")}
	if t == TypeCycloneDX {
		o.Predicate = intoto.PredicateCycloneDX
	}
	if o.ScanID == "" {
		return nil, httpjson.BadRequest("query: scan_id says whose document it is, and is required")
	}
	if o.Content, err = httpjson.ReadBytes(c.r, "a document", MaxSBOM); err == nil && len(o.Content) == 0 {
		err = httpjson.BadRequest("body: no document")
	}
	return o, err
}

func (h *SignHandler) sign(c *call) error {
	o, err := c.order()
	if err != nil {
		return err
	}
	if o.ScanID != "" && !isScan(o.ScanID) {
		return fmt.Errorf("scan %.80q: %w", o.ScanID, fault.NotFound)
	}
	signed, err := h.signer.Sign(c.r.Context(), attest.Caller{Tenant: c.who.Tenant, Subject: c.who.Subject}, *o)
	if err != nil {
		return c.unsigned(err)
	}
	header := c.w.Header()
	header.Set(KeyHeader, signed.KeyID)
	header.Set(DocumentHeader, signed.Fact.Digest)
	header.Set(AttestationHeader, sum.Of(signed.Encoded))
	c.bytes(TypeEnvelope, signed.Encoded)
	return nil
}

// unsigned says whose fault it is that nothing was signed. What the caller means and is
// not what is kept is a MismatchError; other mismatches are of data or keys.
func (c *call) unsigned(err error) error {
	var kept keptError
	var meant *fault.MismatchError
	switch {
	case errors.As(err, &kept):
		return c.damaged(err)
	case errors.Is(err, fault.Mismatch) && !errors.As(err, &meant):
		return fmt.Errorf("%v", err)
	}
	return err
}

// keptFacts marks what is wrong with what is kept, so that it is not taken for what is
// wrong with what was sent.
type keptFacts struct{ attest.Facts }

// keptError is an error about what is kept.
type keptError struct{ error }

func (e keptError) Unwrap() error { return e.error }

func (f keptFacts) Fact(ctx context.Context, scanID, predicateType, digest string) (*attest.Fact, error) {
	fact, err := f.Facts.Fact(ctx, scanID, predicateType, digest)
	if errors.Is(err, fault.Mismatch) || errors.Is(err, fault.Invalid) || errors.Is(err, fault.Limit) {
		err = keptError{err}
	}
	return fact, err
}
