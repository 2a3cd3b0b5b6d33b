package timestamp

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// The media types of RFC 3161, section 3.4.
const (
	typeQuery = "application/timestamp-query"
	typeReply = "application/timestamp-reply"
)

// The defaults of a Client.
const (
	DefaultTimeout = 20 * time.Second
	DefaultSkew    = 5 * time.Minute
)

// Client asks one authority for timestamps. Set it up before its first use; then
// it is safe for concurrent use.
type Client struct {
	// URL is where requests are sent, such as "https://timestamp.example/api/v1/timestamp".
	URL string
	// Authorities are whom an answer may be from. At least one: a token that
	// nobody will believe is not worth keeping.
	Authorities []*Authority
	// Transport carries requests; nil is a connection to public addresses only.
	Transport http.RoundTripper
	// Hash is the digest that is sent: SHA-256 where it is 0, SHA-384 or SHA-512.
	Hash crypto.Hash
	// Policy asks for a policy by its object identifier; "" leaves it to the
	// authority.
	Policy string
	// Timeout ends a request; 0 is DefaultTimeout.
	Timeout time.Duration
	// Now is the clock that the stamped time is held against; nil is time.Now. It
	// may be off by Skew, either way; 0 is DefaultSkew.
	Now  func() time.Time
	Skew time.Duration
}

// request is TimeStampReq (RFC 3161, section 2.4.1).
type request struct {
	Version      int
	Imprint      imprint
	Policy       asn1.ObjectIdentifier `asn1:"optional"`
	Nonce        *big.Int              `asn1:"optional"`
	Certificates bool                  `asn1:"optional"`
}

// Stamp asks for a timestamp of message, and returns a TimeStampResp, which is what
// bundles keep, with what it says. The token in it is as it came; what the
// authority said around it, which nobody signed, is left out. Before that it is verified: the
// token is one that [Verify] believes, answers just this request by its nonce, has
// the policy that was asked for, and the time of now. Redirections are not
// followed. An error wraps ErrUnavailable where asking again later may help, is
// an [*Error] where the answer was refused, and wraps ErrInvalid where the Client
// is not set up.
func (c *Client) Stamp(ctx context.Context, message []byte) ([]byte, *Stamp, error) {
	der, s, err := c.stamp(ctx, message)
	if err != nil {
		return nil, nil, fmt.Errorf("timestamp by %s: %w", c.host(), err)
	}
	return der, s, nil
}

func (c *Client) stamp(ctx context.Context, message []byte) ([]byte, *Stamp, error) {
	if len(c.Authorities) == 0 {
		return nil, nil, fmt.Errorf("no authorities are trusted: %w", fault.Invalid)
	}
	nonce, query, err := c.query(message)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, DefaultTimeout))
	defer cancel()
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	asked := now()
	der, err := c.post(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	t, s, err := verify(der, message, c.Authorities)
	if err != nil {
		return nil, nil, err
	}
	skew := cmp.Or(c.Skew, DefaultSkew)
	switch {
	case s.nonce == nil || s.nonce.Cmp(nonce) != 0:
		return nil, nil, &Error{Reason: ReasonNonce, Detail: "the answer is to another request"}
	case c.Policy != "" && s.Policy != c.Policy:
		return nil, nil, &Error{Reason: ReasonPolicy, Detail: fmt.Sprintf("policy %s, asked for %s", s.Policy, c.Policy)}
	case s.Time.Before(asked.Add(-skew)) || s.Time.After(now().Add(skew)):
		return nil, nil, &Error{Reason: ReasonTime, Detail: fmt.Sprintf("%s, asked at %s", rfc3339(s.Time), rfc3339(asked))}
	}
	if der, err = wrap(t.der); err != nil {
		return nil, nil, fmt.Errorf("encode the response: %v: %w", err, fault.Invalid)
	}
	return der, s, nil
}

// query returns the request for message, and its nonce: 128 random bits.
func (c *Client) query(message []byte) (nonce *big.Int, der []byte, err error) {
	var random [16]byte
	rand.Read(random[:]) // never fails
	nonce = new(big.Int).SetBytes(random[:])
	hash := cmp.Or(c.Hash, hashes[0].hash)
	r := request{Version: 1, Nonce: nonce, Certificates: true}
	for _, h := range hashes {
		if h.hash == hash {
			r.Imprint = imprint{Algorithm: pkix.AlgorithmIdentifier{Algorithm: h.oid, Parameters: asn1.NullRawValue}, Digest: sum(hash, message)}
		}
	}
	if r.Imprint.Digest == nil {
		return nil, nil, fmt.Errorf("a digest by %s, want SHA-256, SHA-384 or SHA-512: %w", hash, fault.Unsupported)
	}
	if c.Policy != "" {
		if r.Policy, err = parseOID(c.Policy); err != nil {
			return nil, nil, err
		}
	}
	if der, err = asn1.Marshal(r); err != nil {
		return nil, nil, fmt.Errorf("encode the request: %v: %w", err, fault.Invalid)
	}
	return nonce, der, nil
}

// parseOID reads an object identifier, such as "1.3.6.1.4.1.57264.2".
func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil || len(oid) == 32 {
			return nil, fmt.Errorf("policy %.80q is no object identifier: %w", s, fault.Invalid)
		}
		oid = append(oid, int(n))
	}
	if oid.String() != s {
		return nil, fmt.Errorf("policy %.80q is no object identifier: %w", s, fault.Invalid)
	}
	return oid, nil
}

// post sends a request and returns the body of the answer.
func (c *Client) post(ctx context.Context, query []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(query))
	if err != nil || req.URL.Host == "" {
		return nil, fmt.Errorf("its URL is not one: %w", fault.Invalid)
	}
	req.Header.Set("Content-Type", typeQuery)
	req.Header.Set("Accept", typeReply)
	transport := c.Transport
	if transport == nil {
		door, err := netguard.Service().Door()
		if err != nil {
			return nil, err
		}
		guarded, err := door.Transport(nil)
		if err != nil {
			return nil, err
		}
		defer guarded.CloseIdleConnections()
		transport = guarded
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusOK || status == http.StatusCreated: // Sigstore's authority says 201
	case status == http.StatusTooManyRequests || status >= 500:
		return nil, fmt.Errorf("status %d: %w", status, fault.Unavailable)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("status %d: %w", status, fault.Forbidden)
	default:
		return nil, fmt.Errorf("status %d, want 200 or 201: %w", status, fault.Unsupported)
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != typeReply {
		return nil, fmt.Errorf("an answer of type %.80q, want %s: %w", media, typeReply, fault.Unsupported)
	}
	der, err := io.ReadAll(io.LimitReader(resp.Body, MaxToken+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w: %w", err, fault.Unavailable)
	}
	return der, nil
}

// host names the authority without what a URL may hide.
func (c *Client) host() string {
	if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return "an authority"
}
