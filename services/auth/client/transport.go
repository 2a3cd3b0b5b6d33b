package client

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// The sizes of bodies, in bytes: gateways take longer ones than MinDigest with a
// Content-Digest alone; those that cannot be read twice are held in memory up to MaxHeld.
const (
	MinDigest = 1 << 20
	MaxHeld   = 64 << 20
)

// Transport sends requests of one service with a token of Source and, where that is bound to
// a key, a fresh proof of Key (RFC 9449). Requests to any other origin go without. A
// request that the service refuses for want of a nonce, or because its token is over, is
// sent once more. It sets Content-Digest (RFC 9530) on long bodies.
//
// Service and Source are required, Key with tokens that are bound. A Transport is safe for
// concurrent use and must not be copied or changed after its first request. It follows no
// redirects; whoever follows them through it sends no credentials elsewhere.
type Transport struct {
	// Base sends requests; nil is as for Client.
	Base http.RoundTripper
	// Service is the address of the service, such as https://stella.example. Of it the
	// scheme, the host and the port count.
	Service string
	Source  Source
	Key     *dpop.Key
	// Insecure allows http to what is no loopback address: whoever is in between sees the
	// tokens, which without the key are of no use to them for as long as they are bound.
	Insecure bool
	// Now is the clock; nil is time.Now. Key has one of its own.
	Now func() time.Time

	nonces nonces
}

// RoundTrip sends a request. It does not change it. Where no token is to be had, the error
// is that of the source; where the service refuses the proof, and the clocks differ, one
// that says so.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ours, err := t.ours(r.URL)
	if err != nil || t.Source == nil {
		closeBody(r)
		return nil, errors.Join(err, missing(t.Source))
	}
	if !ours {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
		r.Header.Del("DPoP")
		return base(t.Base).RoundTrip(r)
	}
	b, err := t.body(r)
	if err != nil {
		return nil, err
	}
	token, err := t.Source.Token(r.Context())
	if err != nil {
		b.close()
		return nil, fmt.Errorf("get a token for %s: %w", r.URL.Host, err)
	}
	nonceTried, tokenTried, proofTried := false, false, false
	for {
		resp, err := t.send(r, b, token)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
		switch code := challenge(resp.Header); {
		case code == "use_dpop_nonce" && !nonceTried && b.again() && resp.Header.Get("DPoP-Nonce") != "":
			nonceTried = true
		case code == "invalid_token" && !tokenTried && b.again():
			tokenTried = true
			t.Source.Refused(token)
			next, failed := t.Source.Token(r.Context())
			if failed != nil {
				discard(resp)
				b.close()
				return nil, fmt.Errorf("get another token for %s: %w", r.URL.Host, failed)
			}
			if next == token { // there is no other
				return resp, nil
			}
			token = next
		case code == "invalid_dpop_proof" && !proofTried && b.again() && repeatable(r):
			proofTried = true // it may have been used: see repeatable
		case code == "invalid_dpop_proof" && skew(t.now(), resp.Header) != 0:
			discard(resp)
			return nil, fmt.Errorf("%s refused the proof of the key%s: %w", r.URL.Host, skewed(skew(t.now(), resp.Header)), fault.Unauthenticated)
		default:
			return resp, nil
		}
		discard(resp)
	}
}

// repeatable says of which requests net/http itself sends a second copy, where the
// connection broke before there was an answer. It sends the same proof, which a server that
// had seen the first copy refuses.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	_, key := r.Header["Idempotency-Key"]
	_, x := r.Header["X-Idempotency-Key"]
	return key || x
}

func missing(s Source) error {
	if s == nil {
		return fmt.Errorf("the transport has no source of tokens: %w", fault.Invalid)
	}
	return nil
}

func (t *Transport) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// ours says whether a request goes to the service.
func (t *Transport) ours(to *url.URL) (bool, error) {
	u, err := url.Parse(t.Service)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false, fmt.Errorf("the address of the service: want https://HOST: %w", fault.Invalid)
	}
	if u.Scheme == "http" && !t.Insecure && !isLoopback(u.Hostname()) {
		return false, fmt.Errorf("http to %s would show credentials to whoever is in between: want https: %w", u.Host, fault.Forbidden)
	}
	return originOf(u) == originOf(to), nil
}

// send sends one attempt.
func (t *Transport) send(r *http.Request, b *body, token *Token) (*http.Response, error) {
	content, err := b.open()
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Body, out.GetBody = content, b.get
	if content != nil && b.length >= 0 {
		out.ContentLength = b.length
	}
	if b.digest != "" {
		out.Header.Set("Content-Digest", b.digest)
	}
	out.Header.Set("Authorization", token.Type+" "+token.Access)
	out.Header.Del("DPoP")
	origin := originOf(r.URL)
	if token.Type == TypeDPoP {
		if t.Key == nil {
			closeBody(out)
			return nil, fmt.Errorf("a token that is bound to a key, and no key: %w", fault.Invalid)
		}
		p, err := t.Key.Proof(cmp.Or(r.Method, http.MethodGet), r.URL.String(), t.nonces.get(origin), token.Access)
		if err != nil {
			closeBody(out)
			return nil, err
		}
		out.Header.Set("DPoP", p)
	}
	resp, err := base(t.Base).RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t.nonces.put(origin, resp.Header)
	return resp, nil
}

// challenge is the error that an answer says about its request's token or proof (RFC 6750
// §3, RFC 9449 §7.1), or "".
func challenge(h http.Header) string {
	for _, line := range h.Values("WWW-Authenticate") {
		_, rest, found := strings.Cut(line, `error="`)
		if code, _, closed := strings.Cut(rest, `"`); found && closed {
			return code
		}
	}
	return ""
}

// discard reads what is left of an answer, so that its connection is used again.
func discard(resp *http.Response) {
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// body is that of a request, as often as it can be had. The zero value is none.
type body struct {
	get    func() (io.ReadCloser, error) // nil: it can be had once
	first  io.ReadCloser                 // until it is used
	once   bool                          // it was used, and cannot be had again
	length int64                         // -1 where it is not known
	digest string
}

// body reads of a request what has to be known before it is sent. On an error it is closed.
func (t *Transport) body(r *http.Request) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{}, nil
	}
	b := &body{get: r.GetBody, first: r.Body, length: r.ContentLength}
	if b.length == 0 {
		b.length = -1 // with a body it means that nobody knows
	}
	long := b.length < 0 || b.length > MinDigest
	if !long {
		return b, nil
	}
	if b.get != nil {
		return b, b.hash()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxHeld+1))
	if err != nil {
		return nil, fmt.Errorf("read the body of the request: %w", err)
	}
	if len(text) > MaxHeld {
		return nil, &fault.LimitError{What: "bytes of a body that cannot be read twice", Where: r.URL.Path, Max: MaxHeld}
	}
	b.get = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	b.first, b.length = nil, int64(len(text))
	if len(text) > MinDigest {
		sum := sha256.Sum256(text)
		b.digest = contentDigest(sum[:])
	}
	return b, nil
}

// hash reads the body once to know its digest and length.
func (b *body) hash() error {
	c, err := b.get()
	if err != nil {
		b.close()
		return fmt.Errorf("read the body of the request: %w", err)
	}
	defer c.Close()
	h := sha256.New()
	n, err := io.Copy(h, c)
	if err != nil {
		b.close()
		return fmt.Errorf("read the body of the request: %w", err)
	}
	if b.length = n; n > MinDigest {
		b.digest = contentDigest(h.Sum(nil))
	}
	return nil
}

func contentDigest(sum []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

func (b *body) again() bool { return !b.once }

// open gives the body for one attempt; nil where there is none.
func (b *body) open() (io.ReadCloser, error) {
	if c := b.first; c != nil {
		b.first, b.once = nil, b.get == nil
		return c, nil
	}
	if b.get == nil {
		return nil, nil
	}
	c, err := b.get()
	if err != nil {
		return nil, fmt.Errorf("read the body of the request again: %w", err)
	}
	return c, nil
}

func (b *body) close() {
	if b.first != nil {
		b.first.Close()
	}
}
