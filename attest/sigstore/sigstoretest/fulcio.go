package sigstoretest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/sigstore"
)

// Token returns an identity token for a subject, valid for five minutes.
func (i *Instance) Token(subject string) (string, error) {
	claims := map[string]any{"iss": Issuer, "aud": Audience, "sub": subject, "iat": i.at.Unix(), "exp": i.at.Add(5 * time.Minute).Unix()}
	if strings.Contains(subject, "@") {
		claims["email"], claims["email_verified"] = subject, true
	}
	return i.TokenOf(claims)
}

// TokenOf returns a token of any claims.
func (i *Instance) TokenOf(claims map[string]any) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	input := enc.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + enc.EncodeToString(text)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, i.tokenKey, sum[:])
	if err != nil {
		return "", err
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + enc.EncodeToString(sig), nil
}

// Fulcio returns a transport to the certificate authority's API. It answers
// POST /api/v2/signingCert of requests that Fulcio would answer.
func (i *Instance) Fulcio() http.RoundTripper {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", i.signingCert)
	return transport{mux}
}

// transport hands requests to a handler.
type transport struct{ http.Handler }

// RoundTrip returns the handler's answer.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)
	return w.Result(), nil
}

func (i *Instance) signingCert(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, why string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":16,"message":%q,"details":[]}`, why)
	}
	subject, err := i.check(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		refuse(http.StatusUnauthorized, err.Error())
		return
	}
	var q struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Algorithm, Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(http.StatusBadRequest, "not JSON")
		return
	}
	block, _ := pem.Decode([]byte(q.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		refuse(http.StatusBadRequest, "no public key")
		return
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := pub.(*ecdsa.PublicKey)
	sum := sha256.Sum256([]byte(subject))
	if err != nil || !ok || !ecdsa.VerifyASN1(key, sum[:], q.PublicKeyRequest.ProofOfPossession) {
		refuse(http.StatusBadRequest, "the signature supplied could not be verified")
		return
	}
	cert, err := i.Certificate(pub, subject, i.at, nil)
	if err != nil {
		refuse(http.StatusInternalServerError, err.Error())
		return
	}
	var chain []string
	for _, der := range [][]byte{cert, i.CA.Below.Raw, i.CA.Root.Raw} {
		chain = append(chain, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

// check verifies a token and returns whom it is for.
func (i *Instance) check(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("no token")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || len(sig) != 64 || !ecdsa.Verify(&i.tokenKey.PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return "", fmt.Errorf("the token's signature is bad")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var c struct {
		Iss, Aud, Sub, Email string
		Exp                  int64
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return "", err
	}
	if c.Iss != Issuer || c.Aud != Audience || i.at.Unix() > c.Exp {
		return "", fmt.Errorf("the token is of another issuer, for another audience or over")
	}
	if c.Email != "" {
		return c.Email, nil
	}
	return c.Sub, nil
}

// Keyless returns a way to sign as a subject.
func (i *Instance) Keyless(subject string) (*sigstore.Keyless, error) {
	ca, err := sigstore.NewFulcio(CA, &sigstore.FulcioOptions{Transport: i.Fulcio(), Attempts: 1})
	if err != nil {
		return nil, err
	}
	return &sigstore.Keyless{Authority: ca, Token: func(context.Context) (string, error) { return i.Token(subject) }, Now: i.Now}, nil
}

// Sign signs a payload as a subject, has it timestamped and logged, and returns the
// bundle.
func (i *Instance) Sign(ctx context.Context, subject, payloadType string, payload []byte) (*bundle.Bundle, error) {
	k, err := i.Keyless(subject)
	if err != nil {
		return nil, err
	}
	key, err := k.Signer(ctx)
	if err != nil {
		return nil, err
	}
	return i.Bundle(ctx, key, key.Certificate(), payloadType, payload)
}

// Bundle is Sign with a key and a certificate of the caller's.
func (i *Instance) Bundle(ctx context.Context, key dsse.Signer, cert []byte, payloadType string, payload []byte) (*bundle.Bundle, error) {
	env, err := dsse.Sign(ctx, payloadType, payload, key)
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{Envelope: env, Material: bundle.VerificationMaterial{Certificates: [][]byte{cert}}}
	stamp, err := i.Timestamp(b.Signature(), i.at)
	if err != nil {
		return nil, err
	}
	b.Material.Timestamps = [][]byte{stamp}
	entry, err := i.Log.Append(rekor.OfBundle(b, nil))
	if err != nil {
		return nil, err
	}
	b.Material.Entries = []bundle.Entry{entry}
	return b, nil
}
