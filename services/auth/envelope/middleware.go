package envelope

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
)

// MaxWhole is up to which size a body is read and checked before the handler runs, in
// bytes. Of a longer one the last read fails instead of ending where it is not the body
// that was signed for.
const MaxWhole = 1 << 20

type claimsKey struct{}

// FromContext returns what the envelope of a request said, nil where there was none.
func FromContext(ctx context.Context) *Claims {
	c, _ := ctx.Value(claimsKey{}).(*Claims)
	return c
}

// Middleware lets those requests through to next that have an envelope, with the identity
// in their context ([auth.FromContext]) and without the header. Others are answered with a
// problem document: 401, 403, or 503 where the memory of used envelopes is away.
//
// A handler must read a body to its end before it acts on it, as a JSON decoder does that
// refuses what comes after the value.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := v.admit(r)
		if err != nil {
			p, _ := httpjson.Of(err)
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", Header)
			}
			p.RequestID = r.Header.Get(RequestIDHeader)
			if len(p.RequestID) > 64 {
				p.RequestID = ""
			}
			p.Write(w)
			return
		}
		r.Header.Del(Header)
		r.Header.Set(RequestIDHeader, c.RequestID)
		ctx := auth.NewContext(context.WithValue(r.Context(), claimsKey{}, c), &c.Identity)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// admit checks the envelope of a request, and makes its body that which was signed for.
func (v *Verifier) admit(r *http.Request) (*Claims, error) {
	values := r.Header.Values(Header)
	if len(values) != 1 {
		return nil, refuse("%d headers %s: want one", len(values), Header)
	}
	// Whose request it is comes before what it brings: nobody else makes the service read.
	c, trust, err := v.open(values[0])
	if err != nil {
		return nil, err
	}
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	b := Binding{Audience: v.Audience, Method: r.Method, Target: target}
	whole, rest, err := start(r)
	if err != nil {
		return nil, err
	}
	if b.Digest = sha256.Sum256(whole); rest != nil { // found out at its end
		if b.Digest, err = digestOf(c); err != nil {
			return nil, err
		}
	}
	if err := v.bound(c, b); err != nil {
		return nil, err
	}
	if err := v.allowed(c, trust); err != nil {
		return nil, err
	}
	if err := v.once(c); err != nil {
		return nil, err
	}
	switch {
	case rest != nil:
		r.Body = &checked{in: io.MultiReader(bytes.NewReader(whole), rest), close: rest, want: b.Digest, hash: sha256.New()}
	case len(whole) > 0:
		r.Body = io.NopCloser(bytes.NewReader(whole))
	default:
		r.Body = http.NoBody
	}
	return c, nil
}

// start reads what is read before the handler runs, and returns what is left.
func start(r *http.Request) (whole []byte, rest io.ReadCloser, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil, nil
	}
	if r.ContentLength > MaxWhole {
		return nil, r.Body, nil
	}
	if r.ContentLength > 0 {
		whole = make([]byte, r.ContentLength)
		if _, err = io.ReadFull(r.Body, whole); err == nil {
			return whole, nil, nil
		}
	} else if whole, err = io.ReadAll(io.LimitReader(r.Body, MaxWhole+1)); err == nil {
		if len(whole) > MaxWhole {
			return whole, r.Body, nil
		}
		return whole, nil, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, refuse("the body ended early")
	}
	return nil, nil, &httpjson.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("body: it could not be read: %w", fault.Invalid)}
}

// checked is a body that fails at its end where it is another one than was signed for.
type checked struct {
	in    io.Reader
	close io.Closer
	hash  hash.Hash
	want  [32]byte
	err   error
}

func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF && !bytes.Equal(c.hash.Sum(nil), c.want[:]) {
		err = &fault.MismatchError{What: "digest of the body", Want: fmt.Sprintf("%x", c.want), Got: fmt.Sprintf("%x", c.hash.Sum(nil))}
	}
	c.err = err
	return n, err
}

func (c *checked) Close() error { return c.close.Close() }
