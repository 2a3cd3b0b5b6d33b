package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/netguard"
)

// MaxAnswer is the limit of an authority's answer, in bytes.
const MaxAnswer = 1 << 20

// FulcioOptions are the details of a Fulcio client. Nil means the zero value.
type FulcioOptions struct {
	// Transport sends the requests. Nil: one that reaches public addresses and the
	// URL's own host, and no proxy.
	Transport http.RoundTripper
	// Timeout bounds one attempt; 0 means 30 s. Attempts is how often it is tried
	// where the authority cannot answer; 0 means 3.
	Timeout  time.Duration
	Attempts int
}

// Fulcio is a client of Fulcio's API v2. It is safe for concurrent use. Make it by
// NewFulcio.
type Fulcio struct {
	url       string
	transport http.RoundTripper
	timeout   time.Duration
	attempts  int
}

// NewFulcio returns a client for the instance at a URL, such as
// "https://fulcio.example".
func NewFulcio(base string, opts *FulcioOptions) (*Fulcio, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: URL of a certificate authority: want https (http on this machine only), a host and neither user nor query", ErrInvalid)
	}
	f := &Fulcio{url: base, timeout: 30 * time.Second, attempts: 3}
	if opts != nil {
		f.transport = opts.Transport
		if opts.Timeout > 0 {
			f.timeout = opts.Timeout
		}
		if opts.Attempts > 0 {
			f.attempts = opts.Attempts
		}
	}
	if f.transport == nil {
		door, err := netguard.Service(u.Host).Door()
		if err != nil {
			return nil, fmt.Errorf("reach %s: %w", u.Host, err)
		}
		if f.transport, err = door.Transport(nil); err != nil {
			return nil, fmt.Errorf("reach %s: %w", u.Host, err)
		}
	}
	return f, nil
}

// loopback reports whether a host is this machine, where a token may be sent
// without TLS.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && netguard.ClassOf(addr) == netguard.Loopback
}

type fulcioRequest struct {
	PublicKeyRequest struct {
		PublicKey struct {
			Algorithm string `json:"algorithm"`
			Content   string `json:"content"`
		} `json:"publicKey"`
		Proof []byte `json:"proofOfPossession"`
	} `json:"publicKeyRequest"`
}

type fulcioAnswer struct {
	Embedded fulcioChain `json:"signedCertificateEmbeddedSct"`
	Detached fulcioChain `json:"signedCertificateDetachedSct"`
}

type fulcioChain struct {
	Chain struct {
		Certificates []string `json:"certificates"`
	} `json:"chain"`
}

// Issue asks for a certificate. A certificate whose signed timestamp is not in it is
// taken as well; whether it does is for the trust root to say.
func (f *Fulcio) Issue(ctx context.Context, pub crypto.PublicKey, proof []byte, token string) ([][]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: public key: %v", ErrUnsupported, err)
	}
	var q fulcioRequest
	switch pub.(type) {
	case *ecdsa.PublicKey:
		q.PublicKeyRequest.PublicKey.Algorithm = "ECDSA"
	case ed25519.PublicKey:
		q.PublicKeyRequest.PublicKey.Algorithm = "ED25519"
	case *rsa.PublicKey:
		q.PublicKeyRequest.PublicKey.Algorithm = "RSA_PSS"
	}
	q.PublicKeyRequest.PublicKey.Content = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	q.PublicKeyRequest.Proof = proof
	caller := &httpjson.Caller{
		Service: "certificate authority", URL: f.url, Transport: f.transport, Timeout: f.timeout, Attempts: f.attempts,
		Token: func(context.Context) (string, error) { return token, nil },
	}
	var a fulcioAnswer
	// To be given two certificates does no harm.
	call := httpjson.Call{What: "ask for a certificate", Method: http.MethodPost, Path: "/api/v2/signingCert", Body: q, Want: http.StatusOK, Again: true}
	if err := caller.Do(ctx, call, httpjson.Into(&a, MaxAnswer, nil)); err != nil {
		return nil, err
	}
	texts := a.Embedded.Chain.Certificates
	if len(texts) == 0 {
		texts = a.Detached.Chain.Certificates
	}
	if len(texts) == 0 || len(texts) > MaxChain {
		return nil, refuse(ReasonCertificate, nil, "the authority answers with %d certificates", len(texts))
	}
	var chain [][]byte
	for i, text := range texts {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
			return nil, refuse(ReasonMalformed, nil, "certificate %d of the authority's answer", i)
		}
		chain = append(chain, block.Bytes)
	}
	return chain, nil
}
