package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/cache"
)

// Keys are made once: RSA is slow.
var testKeys = sync.OnceValue(func() (k struct {
	ec, ec2, p384   *ecdsa.PrivateKey
	ed              ed25519.PrivateKey
	rsa, short      *rsa.PrivateKey
	issuer, issuer2 *ecdsa.PrivateKey
}) {
	ec := func(c elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	k.ec, k.ec2, k.p384, k.issuer, k.issuer2 = ec(elliptic.P256()), ec(elliptic.P256()), ec(elliptic.P384()), ec(elliptic.P256()), ec(elliptic.P256())
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.short = shortRSA()
	return k
})

// shortRSA is a key that crypto/rsa does not make any more.
func shortRSA() *rsa.PrivateKey {
	for {
		p, _ := rand.Prime(rand.Reader, 512)
		q, _ := rand.Prime(rand.Reader, 512)
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(big.NewInt(65537), phi); d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: d, Primes: []*big.Int{p, q}}
		}
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf writes a public key by hand.
func jwkOf(pub crypto.PublicKey) map[string]any {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		raw, _ := k.Bytes()
		half := (len(raw) - 1) / 2
		return map[string]any{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(raw[1 : 1+half]), "y": b64(raw[1+half:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	}
	panic("no such key")
}

// signature signs by any algorithm, also those that nobody should.
func signature(alg string, key any, input string) []byte {
	hash := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		digest, n, by := hash[:], 32, crypto.SHA256
		if alg == "ES384" {
			long := sha512.Sum384([]byte(input))
			digest, n, by = long[:], 48, crypto.SHA384
		}
		der, _ := key.Sign(nil, digest, by) // without randomness: the same each time
		var sig struct{ R, S *big.Int }
		asn1.Unmarshal(der, &sig)
		out := make([]byte, 2*n)
		if key.Curve == elliptic.P256() || alg == "ES384" {
			sig.R.FillBytes(out[:n])
			sig.S.FillBytes(out[n:])
		}
		return out
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	case *rsa.PrivateKey:
		if alg == "RS256" || key.Size() < 256 {
			sig, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
			return append(sig, 0)[:max(len(sig), 1)]
		}
		sig, _ := rsa.SignPSS(rand.Reader, key, crypto.SHA256, hash[:], &rsa.PSSOptions{SaltLength: 32})
		return sig
	case []byte:
		m := hmac.New(sha256.New, key)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
	return []byte{0}
}

// forged is a JWS that is made by hand, member by member.
type forged struct {
	head, body       map[string]any
	rawHead, rawBody string // instead of head and body
	key              any    // signs
	sign             func(input string) []byte
	edit             func(text string) string
}

func (f *forged) text() string {
	raw := func(s string, m map[string]any) string {
		if s != "" {
			return s
		}
		out, err := json.Marshal(m, json.Deterministic(true))
		if err != nil {
			panic(err)
		}
		return string(out)
	}
	input := b64([]byte(raw(f.rawHead, f.head))) + "." + b64([]byte(raw(f.rawBody, f.body)))
	alg, _ := f.head["alg"].(string)
	var sig []byte
	if f.sign != nil {
		sig = f.sign(input)
	} else {
		sig = signature(alg, f.key, input)
	}
	text := input + "." + b64(sig)
	if f.edit != nil {
		text = f.edit(text)
	}
	return text
}

// store is a cache that counts, and can be away.
type store struct {
	*cache.Cache
	adds, news atomic.Int64
	ttl        atomic.Int64
	addAway    atomic.Bool
	epochAway  atomic.Bool
	lost       atomic.Int64 // how often it lost everything
}

var errAway = errors.New("connection refused")

func newStore() *store { return &store{Cache: cache.New(cache.NewMem(cache.MemLimits{}))} }

func (s *store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.adds.Add(1)
	s.ttl.Store(int64(ttl))
	if s.addAway.Load() {
		return false, errAway
	}
	ok, err := s.Cache.Add(ctx, fmt.Sprintf("%d/%s", s.lost.Load(), key), value, ttl)
	if ok {
		s.news.Add(1)
	}
	return ok, err
}

func (s *store) Epoch(ctx context.Context) (string, error) {
	if s.epochAway.Load() {
		return "", errAway
	}
	epoch, err := s.Cache.Epoch(ctx)
	return fmt.Sprintf("%s/%d", epoch, s.lost.Load()), err
}

const (
	issuerURL = "https://id.example.org"
	audience  = "https://api.example.org"
	path      = "/api/v1/scans"
)

// world is a resource server and a client.
type world struct {
	now    time.Time
	store  *store
	nonces *dpop.Nonces
	door   *auth.Verifier
}

func (w *world) clock() time.Time { return w.now }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{now: start, store: newStore()}
	set, err := jwks.New(jwks.Key{ID: "i1", Public: testKeys().issuer.Public()})
	if err != nil {
		panic(err)
	}
	w.nonces = &dpop.Nonces{Secret: []byte(strings.Repeat("s", 32)), Audience: "rs", Epochs: w.store, Now: w.clock}
	w.door = &auth.Verifier{
		Tokens: &token.Verifier{Issuer: issuerURL, Audience: audience, Keys: set, Now: w.clock},
		Proofs: &dpop.Verifier{Origins: []string{"https://api.example.org"}, Replay: w.store, Nonces: w.nonces, Now: w.clock},
		Now:    w.clock,
	}
	return w
}

func (w *world) nonce() string {
	n, err := w.nonces.Issue(context.Background())
	if err != nil {
		panic(err)
	}
	return n
}

func jkt(pub crypto.PublicKey) string {
	t, err := jwks.Key{Public: pub}.Thumbprint()
	if err != nil {
		panic(err)
	}
	return t
}

// attempt is one request, right in everything until a case spoils it.
type attempt struct {
	*world
	method  string
	target  string // path and query as they are sent
	token   *forged
	proof   *forged
	opaque  string // a token that is no JWT
	unbound bool
	// header changes what is sent at last; proof and token are those of the header.
	header func(h http.Header, token, proof string)
	more   func(r *http.Request)
}

func newAttempt() *attempt {
	w := newWorld()
	k := testKeys()
	a := &attempt{world: w, method: "GET", target: path}
	a.token = &forged{
		key:  k.issuer,
		head: map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "i1"},
		body: map[string]any{
			"iss": issuerURL, "sub": "u1", "aud": audience, "exp": start.Add(5 * time.Minute).Unix(), "iat": start.Unix(), "jti": "t1",
			"client_id": "cli", "scope": "scanner:scan scanner:read", "stella:tenant": "acme", "cnf": map[string]any{"jkt": jkt(k.ec.Public())},
		},
	}
	a.proof = &forged{
		key:  k.ec,
		head: map[string]any{"alg": "ES256", "typ": "dpop+jwt", "jwk": jwkOf(k.ec.Public())},
		body: map[string]any{"jti": "p1", "htm": "GET", "htu": "https://api.example.org" + path, "iat": start.Unix(), "nonce": w.nonce()},
	}
	return a
}

// by has the client use another key.
func (a *attempt) by(alg string, key crypto.Signer) {
	a.proof.key = key
	a.proof.head["alg"], a.proof.head["jwk"] = alg, jwkOf(key.Public())
	if t, err := (jwks.Key{Public: key.Public()}).Thumbprint(); err == nil {
		a.token.body["cnf"] = map[string]any{"jkt": t}
	}
}

// result is what came of a request.
type result struct {
	status     int
	code       string
	identity   *auth.Identity
	answer     http.Header
	text       string // everything that was said
	challenges []string
}

func (a *attempt) request() *http.Request {
	tok := a.opaque
	if tok == "" {
		if a.unbound {
			delete(a.token.body, "cnf")
		}
		tok = a.token.text()
	}
	p := *a.proof
	p.body = maps.Clone(p.body)
	if v, set := p.body["ath"]; !set {
		sum := sha256.Sum256([]byte(tok))
		p.body["ath"] = b64(sum[:])
	} else if v == nil {
		delete(p.body, "ath")
	}
	proof := p.text()
	r := httptest.NewRequest(a.method, "http://internal.invalid"+a.target, nil)
	r.Header.Set("Authorization", "DPoP "+tok)
	r.Header.Set("DPoP", proof)
	if a.header != nil {
		a.header(r.Header, tok, proof)
	}
	if a.more != nil {
		a.more(r)
	}
	return r
}

func (a *attempt) send() result { return send(a.door, a.request()) }

func send(door *auth.Verifier, r *http.Request) result {
	w := httptest.NewRecorder()
	id, _, err := door.Check(w.Header(), r)
	if err == nil {
		return result{status: 200, identity: id, answer: w.Header()}
	}
	var f *auth.Refusal
	if !errors.As(err, &f) || id != nil {
		panic(fmt.Sprintf("no refusal: %v", err))
	}
	f.Write(w)
	said := fmt.Sprint(w.Header(), w.Body.String(), err, f.Err)
	return result{status: w.Code, code: f.Code, answer: w.Header(), text: said, challenges: w.Header().Values("WWW-Authenticate")}
}

// testCase is one line of the table: what is done, and what comes of it.
type testCase struct {
	row    int
	name   string
	status int
	code   string
	edit   func(a *attempt)
}

const (
	badProof = "invalid_dpop_proof"
	useNonce = "use_dpop_nonce"
	badToken = "invalid_token"
	badReq   = "invalid_request"
)

func good(row int, name string, edit func(*attempt)) testCase {
	return testCase{row, name, 200, "", edit}
}

func bad(row int, name, code string, edit func(*attempt)) testCase {
	return testCase{row, name, 401, code, edit}
}

// run sends every case, and checks what holds of all answers.
func run(t *testing.T, cases []testCase) {
	t.Helper()
	for i, c := range cases {
		t.Run(fmt.Sprintf("row %d/%s", c.row, c.name), func(t *testing.T) {
			a := newAttempt()
			c.edit(a)
			got := a.send()
			if got.status != c.status || got.code != c.code {
				t.Fatalf("case %d: answered %d %q, want %d %q: %s", i, got.status, got.code, c.status, c.code, got.text)
			}
			t.Log(got.challenges)
			checkAnswer(t, got)
			if got.status != 200 && c.row != 19 && c.row != 15 && c.row != 21 && a.store.news.Load() != 0 {
				t.Errorf("a refused request left %d entries in the store", a.store.news.Load())
			}
		})
	}
}

// checkAnswer checks what holds of all answers (rows 6, 14, 29).
func checkAnswer(t *testing.T, got result) {
	t.Helper()
	nonces := got.answer.Values("DPoP-Nonce")
	switch {
	case got.code == useNonce && len(nonces) != 1:
		t.Errorf("%d DPoP-Nonce fields", len(nonces))
	case got.status == 503 && (got.answer.Get("Retry-After") == "" || len(got.challenges) != 0):
		t.Errorf("503 with Retry-After %q and challenges %q", got.answer.Get("Retry-After"), got.challenges)
	}
	if got.status != 401 && got.status != 400 {
		return
	}
	if !slices.ContainsFunc(got.challenges, func(c string) bool {
		return strings.HasPrefix(c, "DPoP ") && strings.Contains(c, `algs="ES256 EdDSA PS256"`)
	}) {
		t.Errorf("no challenge of DPoP with algs: %q", got.challenges)
	}
	with := slices.DeleteFunc(slices.Clone(got.challenges), func(c string) bool { return !strings.Contains(c, "error=") })
	if got.code == "" && len(with) != 0 || got.code != "" && (len(with) != 1 || !strings.Contains(with[0], `error="`+got.code+`"`)) {
		t.Errorf("challenges %q for code %q", got.challenges, got.code)
	}
}

// with returns a copy of m with a member changed; a nil value takes it out.
func with(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	if m[name] = value; value == nil {
		delete(m, name)
	}
	return m
}

type keyOf = jwks.Key
