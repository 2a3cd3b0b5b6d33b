package envelope

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
)

// Transport sends requests to one service in the name of an identity. Signer, Audience and
// Base are required. It is safe for concurrent use.
//
// A body is read before it is sent, to be signed for: one over [MaxWhole] must be readable
// twice, as those of http.NewRequest from bytes or strings are (GetBody).
type Transport struct {
	Signer   *Signer
	Audience string
	Base     http.RoundTripper
	// Identity is for requests whose context has none. Nil: they are not sent.
	Identity *auth.Identity
}

// RoundTrip sends a request with an envelope. Errors of its own wrap ErrUnauthenticated
// where there is no identity, or ErrLimit.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	out, err := t.sign(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, fmt.Errorf("%s to %s: %w", r.Method, t.Audience, err)
	}
	return t.Base.RoundTrip(out)
}

func (t *Transport) sign(r *http.Request) (*http.Request, error) {
	id := auth.FromContext(r.Context())
	if id == nil {
		id = t.Identity
	}
	if id == nil {
		return nil, fmt.Errorf("nobody sends it: the context has no identity: %w", fault.Unauthenticated)
	}
	out := r.Clone(r.Context())
	b := Binding{Audience: t.Audience, Method: cmp.Or(r.Method, http.MethodGet), Target: r.URL.RequestURI()}
	var err error
	if b.Digest, err = digestBody(r, out); err != nil {
		return nil, err
	}
	rid := r.Header.Get(RequestIDHeader)
	if c := FromContext(r.Context()); rid == "" && c != nil {
		rid = c.RequestID
	}
	text, err := t.Signer.Sign(id, b, rid)
	if err != nil {
		return nil, err
	}
	out.Header.Set(Header, text)
	if rid != "" {
		out.Header.Set(RequestIDHeader, rid)
	}
	return out, nil
}

// digestBody digests the body of r and gives out one that can be sent.
func digestBody(r, out *http.Request) (sum [32]byte, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return sha256.Sum256(nil), nil
	}
	if r.GetBody != nil {
		again, err := r.GetBody()
		if err != nil {
			return sum, fmt.Errorf("read the body: %w", err)
		}
		defer again.Close()
		h := sha256.New()
		if _, err := io.Copy(h, again); err != nil {
			return sum, fmt.Errorf("read the body: %w", err)
		}
		return [32]byte(h.Sum(nil)), nil
	}
	whole, err := io.ReadAll(io.LimitReader(r.Body, MaxWhole+1))
	if err != nil {
		return sum, fmt.Errorf("read the body: %w", err)
	}
	if len(whole) > MaxWhole {
		return sum, &fault.LimitError{What: "bytes of a body that can be read once", Where: "request", Max: MaxWhole}
	}
	r.Body.Close()
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(whole)), int64(len(whole))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(whole)), nil }
	return sha256.Sum256(whole), nil
}
