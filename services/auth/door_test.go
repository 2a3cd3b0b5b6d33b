package auth_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/cache"
)

// again sends a good request first, as the case then does with another one.
func again(edit func(*attempt)) func(*attempt) {
	return func(a *attempt) {
		if got := a.send(); got.status != 200 {
			panic("the first request was refused: " + got.text)
		}
		edit(a)
	}
}

// TestReplay is row 19.
func TestReplay(t *testing.T) {
	htu := func(s string) func(*attempt) { return again(body("htu", s)) }
	run(t, []testCase{
		good(19, "128 bytes", body("jti", strings.Repeat("j", 128))),
		good(19, "another jti", again(body("jti", "p2"))),
		good(19, "the same jti by another key", again(func(a *attempt) { a.by("EdDSA", testKeys().ed) })),
		good(19, "the same jti for another path", again(func(a *attempt) { a.target = "/x"; body("htu", "https://api.example.org/x")(a) })),
		good(19, "the same jti by another method", again(func(a *attempt) { a.method = "PUT"; body("htm", "PUT")(a) })),
		good(19, "parts that run into each other", again(func(a *attempt) {
			a.target = path + "p"
			a.proof.body["htu"], a.proof.body["jti"] = "https://api.example.org"+path+"p", "1"
		})),
		bad(19, "129 bytes", badProof, body("jti", strings.Repeat("j", 129))),
		bad(19, "8,000 bytes", badProof, body("jti", strings.Repeat("j", 4000))),
		bad(19, "the same proof", badProof, again(func(*attempt) {})),
		bad(19, "signed anew", badProof, again(body("extra", 1))),
		bad(19, "of another second", badProof, again(body("iat", start.Unix()-1))),
		bad(19, "with a younger nonce", badProof, again(func(a *attempt) { a.now = a.now.Add(time.Second); body("nonce", a.nonce())(a) })),
		bad(19, "host in upper case", badProof, htu("https://API.example.org"+path)),
		bad(19, "with a port", badProof, htu("https://api.example.org:443"+path)),
		bad(19, "with a query", badProof, htu("https://api.example.org"+path+"?a")),
		bad(19, "with a fragment", badProof, htu("https://api.example.org"+path+"#a")),
		bad(19, "with dot segments", badProof, htu("https://api.example.org/x/.."+path)),
		bad(19, "escaped", badProof, htu("https://api.example.org/%61pi/v1/scans")),
		bad(19, "with another query of the request", badProof, again(func(a *attempt) { a.target += "?b" })),
		bad(19, "with another token", badProof, again(func(a *attempt) { a.token.body["jti"] = "t2" })),
	})
}

// TestRecordedLast is row 20: whoever has no token of ours leaves nothing in the store.
func TestRecordedLast(t *testing.T) {
	stranger := func(edit func(*attempt)) func(*attempt) {
		return func(a *attempt) {
			edit(a)
			for i := range 3 {
				a.proof.body["jti"] = fmt.Sprint("p", i)
				a.send()
			}
		}
	}
	cases := []testCase{
		good(20, "a request that is right", func(*attempt) {}),
		bad(20, "a token of a stranger", badToken, stranger(func(a *attempt) { a.token.key = testKeys().ec2 })),
		bad(20, "a token that has expired", badToken, stranger(func(a *attempt) { a.token.body["exp"] = start.Unix() })),
		bad(20, "a token of somebody else", badToken, stranger(func(a *attempt) { a.token.body["cnf"] = map[string]any{"jkt": jkt(testKeys().ec2.Public())} })),
		bad(20, "a token that is not bound", badToken, stranger(func(a *attempt) { a.unbound = true })),
		bad(20, "a proof for another token", badProof, stranger(body("ath", b64(make([]byte, 32))))),
		bad(20, "a proof that is not signed", badProof, stranger(func(a *attempt) { a.proof.key = testKeys().ec2 })),
		bad(20, "no nonce", useNonce, stranger(body("nonce", nil))),
		{20, "no token", 401, "", stranger(sent(func(h http.Header, _, _ string) { h.Del("Authorization") }))},
	}
	run(t, cases)
	for _, c := range cases {
		if c.status == 200 {
			continue
		}
		a := newAttempt()
		c.edit(a)
		a.send()
		if n := a.store.adds.Load(); n != 0 {
			t.Errorf("%s: the store was asked %d times", c.name, n)
		}
	}
}

// TestStoreAway is row 21: what cannot be checked is refused, and accepted later.
func TestStoreAway(t *testing.T) {
	full := func(a *attempt) {
		a.store.Cache = cache.New(cache.NewMem(cache.MemLimits{Keys: 1}))
		must(a.store.Cache.Add(t.Context(), "0/x", nil, time.Hour))
	}
	away := func(name string, edit func(*attempt)) testCase { return testCase{21, name, 503, "", edit} }
	run(t, []testCase{
		good(21, "is back", again(func(a *attempt) {
			a.store.addAway.Store(true)
			if got := a.send(); got.status != 503 {
				panic(got.text)
			}
			a.store.addAway.Store(false)
			body("jti", "p2")(a)
		})),
		away("for proofs", func(a *attempt) { a.store.addAway.Store(true) }),
		away("for proofs seen before", again(func(a *attempt) { a.store.addAway.Store(true) })),
		away("full", full),
		away("closed", func(a *attempt) { a.store.Cache.Close() }),
		away("no store", func(a *attempt) { a.door.Proofs.Replay = nil }),
		away("for a nonce that is needed", func(a *attempt) {
			body("nonce", nil)(a)
			a.store.epochAway.Store(true)
			a.now = a.now.Add(2 * time.Second)
		}),
		away("no verifier of proofs", func(a *attempt) { a.door.Proofs = nil }),
		away("no verifier of tokens", func(a *attempt) { a.door.Tokens = nil }),
		away("keys of the issuer", func(a *attempt) { a.door.Tokens.Keys = failing{} }),
		away("revocations", func(a *attempt) {
			a.door.Tokens.Revoked = func(context.Context, *token.Claims) (bool, error) { return false, errAway }
		}),
	})
	a := newAttempt()
	a.store.epochAway.Store(true) // after the nonce was made: asked once the proof is recorded
	if got := a.send(); got.status != 503 {
		t.Errorf("with the epoch away: %d", got.status)
	}
	a.store.epochAway.Store(false)
	if got := a.send(); got.code != badProof {
		t.Errorf("the same proof, when the epoch is back: %d %q; it was recorded", got.status, got.code)
	}
}

// TestBinding is rows 22 and 23: the token, the proof and the key belong together.
func TestBinding(t *testing.T) {
	k := testKeys()
	ath := func(f func(sum [32]byte) any) func(*attempt) {
		return func(a *attempt) { body("ath", f(sha256.Sum256([]byte(a.token.text()))))(a) }
	}
	cnf := func(v any) func(*attempt) { return func(a *attempt) { a.token.body["cnf"] = v } }
	thumb := jkt(k.ec.Public())
	run(t, []testCase{
		good(22, "the hash of the token", func(*attempt) {}),
		bad(22, "none", badProof, func(a *attempt) { a.proof.body["ath"] = nil }),
		bad(22, "of another token", badProof, body("ath", b64(make([]byte, 32)))),
		bad(22, "in hexadecimal", badProof, ath(func(s [32]byte) any { return hex.EncodeToString(s[:]) })),
		bad(22, "padded", badProof, ath(func(s [32]byte) any { return base64.URLEncoding.EncodeToString(s[:]) })),
		bad(22, "cut", badProof, ath(func(s [32]byte) any { return b64(s[:])[:42] })),
		bad(22, "of SHA-1", badProof, func(a *attempt) { s := sha1.Sum([]byte(a.token.text())); body("ath", b64(s[:]))(a) }),
		bad(22, "empty", badProof, body("ath", "")),
		bad(22, "a number", badProof, body("ath", 1)),
		bad(22, "the token itself", badProof, func(a *attempt) { body("ath", a.token.text())(a) }),

		good(23, "the thumbprint of the key", cnf(map[string]any{"jkt": thumb})),
		bad(23, "of another key", badToken, cnf(map[string]any{"jkt": jkt(k.ec2.Public())})),
		bad(23, "padded", badToken, cnf(map[string]any{"jkt": thumb + "="})),
		bad(23, "in lower case", badToken, cnf(map[string]any{"jkt": strings.ToLower(thumb)})),
		bad(23, "cut", badToken, cnf(map[string]any{"jkt": thumb[:42]})),
		bad(23, "empty", badToken, cnf(map[string]any{"jkt": ""})),
		bad(23, "a list", badToken, cnf(map[string]any{"jkt": []string{thumb}})),
		bad(23, "two members", badToken, cnf(map[string]any{"jkt": thumb, "x5t#S256": thumb})),
		bad(23, "of a certificate", badToken, cnf(map[string]any{"x5t#S256": thumb})),
		bad(23, "the key itself", badToken, cnf(map[string]any{"jwk": jwkOf(k.ec.Public())})),
		bad(23, "no object", badToken, cnf(thumb)),
		bad(23, "of SHA-1", badToken, func(a *attempt) { s := sha1.Sum([]byte(thumb)); cnf(map[string]any{"jkt": b64(s[:])})(a) }),
		bad(23, "another key in the proof", badToken, func(a *attempt) {
			a.proof.key, a.proof.head["jwk"] = k.ec2, jwkOf(k.ec2.Public())
		}),
	})
}

// TestSchemes is rows 24 to 29: how a token is sent.
func TestSchemes(t *testing.T) {
	auths := func(format string) func(*attempt) {
		return sent(func(h http.Header, tok, _ string) { h.Set("Authorization", strings.ReplaceAll(format, "TOKEN", tok)) })
	}
	bearer := func(edit func(*attempt)) func(*attempt) {
		return func(a *attempt) { a.door.AllowBearer = true; edit(a) }
	}
	unbound := func(format string) func(*attempt) {
		return bearer(func(a *attempt) { a.unbound = true; auths(format)(a) })
	}
	none := func(row int, name string, edit func(*attempt)) testCase { return testCase{row, name, 401, "", edit} }
	request := func(row int, name string, edit func(*attempt)) testCase {
		return testCase{row, name, 400, badReq, edit}
	}
	run(t, []testCase{
		good(24, "a bound token by DPoP", bearer(func(*attempt) {})),
		bad(24, "a bound token by Bearer", badToken, auths("Bearer TOKEN")),
		bad(24, "a bound token by Bearer, which is allowed", badToken, bearer(auths("Bearer TOKEN"))),
		bad(24, "a bound token by Bearer, without a proof", badToken, bearer(sent(func(h http.Header, tok, _ string) {
			h.Set("Authorization", "bearer "+tok)
			h.Del("DPoP")
		}))),
		bad(24, "an unbound token by Bearer, which is not allowed", badToken, func(a *attempt) { a.unbound = true; auths("Bearer TOKEN")(a) }),
		bad(24, "bound in a way that we do not know, by Bearer", badToken, bearer(func(a *attempt) {
			a.token.body["cnf"] = map[string]any{"x5t#S256": jkt(testKeys().ec.Public())}
			auths("Bearer TOKEN")(a)
		})),

		good(25, "an unbound token by Bearer", unbound("Bearer TOKEN")),
		bad(25, "an unbound token by DPoP", badToken, func(a *attempt) { a.unbound = true }),
		bad(25, "an unbound token by DPoP where Bearer is allowed", badToken, unbound("DPoP TOKEN")),
		bad(25, "an unbound token by DPoP without a proof", badProof, func(a *attempt) {
			a.unbound = true
			a.header = func(h http.Header, _, _ string) { h.Del("DPoP") }
		}),
		bad(25, "cnf null", badToken, func(a *attempt) { a.token.rawBody = `{"cnf":null}` }),

		good(26, "one", func(*attempt) {}),
		request(26, "two of DPoP", sent(func(h http.Header, tok, _ string) { h.Add("Authorization", "DPoP "+tok) })),
		request(26, "both schemes", bearer(sent(func(h http.Header, tok, _ string) { h.Add("Authorization", "Bearer "+tok) }))),
		request(26, "Basic as well", sent(func(h http.Header, _, _ string) { h.Add("Authorization", "Basic YTpi") })),
		request(26, "both in one field", auths("DPoP TOKEN, Bearer TOKEN")),
		request(26, "one and an empty one", sent(func(h http.Header, _, _ string) { h.Add("Authorization", "") })),

		good(27, "dpop", auths("dpop TOKEN")),
		good(27, "DPOP", auths("DPOP TOKEN")),
		good(27, "several spaces", auths("DPoP   TOKEN")),
		good(27, "bEARER", unbound("bEARER TOKEN")),
		bad(27, "no token", badToken, auths("DPoP")),
		bad(27, "a token that is empty", badToken, auths("DPoP ")),
		bad(27, "two words", badToken, auths("DPoP TOKEN TOKEN")),
		bad(27, "in quotes", badToken, auths(`DPoP "TOKEN"`)),
		bad(27, "a parameter", badToken, auths("DPoP token=TOKEN;a=b")),
		bad(27, "padding within", badToken, auths("DPoP a=b")),
		bad(27, "padding alone", badToken, auths("DPoP ===")),
		bad(27, "not ASCII", badToken, auths("DPoP é")),
		none(27, "a tab", auths("DPoP\tTOKEN")),
		none(27, "no scheme", auths("TOKEN")),
		none(27, "a scheme that runs on", auths("DPoPX TOKEN")),
		none(27, "Basic", auths("Basic YTpi")),

		good(28, "a proxy's own", sent(func(h http.Header, _, _ string) { h.Set("Proxy-Authorization", "Basic YTpi") })),
		none(28, "DPoP in Proxy-Authorization", sent(func(h http.Header, tok, _ string) { h.Del("Authorization"); h.Set("Proxy-Authorization", "DPoP "+tok) })),
		none(28, "Bearer in Proxy-Authorization", unboundIn("Proxy-Authorization", "Bearer ")),
		none(28, "DPoP in X-Authorization", sent(func(h http.Header, tok, _ string) { h.Del("Authorization"); h.Set("X-Authorization", "DPoP "+tok) })),
		none(28, "a cookie", sent(func(h http.Header, tok, _ string) { h.Del("Authorization"); h.Set("Cookie", "access_token="+tok) })),

		good(29, "another name in the query", func(a *attempt) { a.target += "?access_tokens=1" }),
		none(29, "no credentials", sent(func(h http.Header, _, _ string) { h.Del("Authorization"); h.Del("DPoP") })),
		none(29, "a proof alone", sent(func(h http.Header, _, _ string) { h.Del("Authorization") })),
		none(29, "no credentials where Bearer is allowed", bearer(sent(func(h http.Header, _, _ string) { h.Del("Authorization") }))),
		none(29, "an empty field", auths("")),
		request(29, "a token in the query", func(a *attempt) { a.target += "?access_token=" + a.token.text(); auths("")(a) }),
		request(29, "a token in the query as well", func(a *attempt) { a.target += "?a=b&access_token=x" }),
		request(29, "an escaped name in the query", func(a *attempt) { a.target += "?access%5Ftoken=x" }),
		request(29, "a name without a value", func(a *attempt) { a.target += "?access_token" }),
	})
}

func unboundIn(field, scheme string) func(*attempt) {
	return func(a *attempt) {
		a.door.AllowBearer, a.unbound = true, true
		a.header = func(h http.Header, tok, _ string) { h.Del("Authorization"); h.Set(field, scheme+tok) }
	}
}

// failing has no keys.
type failing struct{}

func (failing) Key(context.Context, string) (k keyOf, err error) { return k, errAway }

// TestTokens is row 36, as it shows at the door; package token has more.
func TestTokens(t *testing.T) {
	claim := func(name string, v any) func(*attempt) {
		return func(a *attempt) { a.token.body = with(a.token.body, name, v) }
	}
	thead := func(name string, v any) func(*attempt) {
		return func(a *attempt) { a.token.head = with(a.token.head, name, v) }
	}
	run(t, []testCase{
		good(36, "among several audiences", claim("aud", []string{"x", audience})),
		good(36, "application/at+jwt", thead("typ", "application/at+jwt")),
		good(36, "nbf now", claim("nbf", start.Unix())),
		bad(36, "of another issuer", badToken, claim("iss", "https://id.example.org/")),
		bad(36, "for another audience", badToken, claim("aud", "https://api.example.org/")),
		bad(36, "expired", badToken, claim("exp", start.Unix())),
		bad(36, "not yet", badToken, claim("nbf", start.Unix()+1)),
		bad(36, "a plain JWT", badToken, thead("typ", "JWT")),
		bad(36, "a proof as a token", badToken, thead("typ", "dpop+jwt")),
		bad(36, "no client", badToken, claim("client_id", nil)),
		bad(36, "no kid", badToken, thead("kid", nil)),
		bad(36, "a kid that is not known", badToken, thead("kid", "../../etc/passwd")),
		bad(36, "none", badToken, func(a *attempt) { a.token.head["alg"], a.token.key = "none", nil }),
		bad(36, "HS256 by the public key", badToken, func(a *attempt) {
			pub, _ := testKeys().issuer.PublicKey.Bytes()
			a.token.head["alg"], a.token.key = "HS256", pub
		}),
		bad(36, "by the key that it brings", badToken, func(a *attempt) {
			a.token.key, a.token.head["jwk"] = testKeys().ec2, jwkOf(testKeys().ec2.Public())
		}),
		bad(36, "the client's own proof", badToken, func(a *attempt) { a.opaque = a.proof.text() }),
		bad(36, "opaque", badToken, func(a *attempt) { a.opaque = "0123456789abcdef" }),
	})
}

// TestIntrospection is row 37.
func TestIntrospection(t *testing.T) {
	asked := 0
	answer := func(edit func(c *token.Claims), err error) func(*attempt) {
		return func(a *attempt) {
			a.opaque = "key_0123456789"
			a.door.AllowBearer = true
			a.door.Introspect = func(_ context.Context, text string) (*token.Claims, error) {
				asked++
				c := &token.Claims{Subject: "ci", Client: "ci", Tenant: "acme", Scopes: []string{"scanner:scan"}, Expires: start.Add(time.Hour)}
				if edit != nil {
					edit(c)
				}
				if text != "key_0123456789" {
					return nil, fault.NotFound
				}
				return c, err
			}
			a.header = func(h http.Header, tok, _ string) { h.Set("Authorization", "Bearer "+tok); h.Del("DPoP") }
		}
	}
	run(t, []testCase{
		good(37, "active", answer(nil, nil)),
		good(37, "for us", answer(func(c *token.Claims) { c.Audience = []string{audience} }, nil)),
		good(37, "a JWT is not asked about", func(a *attempt) {
			answer(nil, errAway)(a)
			a.opaque, a.unbound = "", true
		}),
		good(37, "bound, with its proof", func(a *attempt) {
			answer(func(c *token.Claims) { c.JKT = jkt(testKeys().ec.Public()) }, nil)(a)
			a.header = nil
		}),
		bad(37, "bound, without a proof", badToken, answer(func(c *token.Claims) { c.JKT = jkt(testKeys().ec.Public()) }, nil)),
		bad(37, "not active", badToken, answer(nil, &token.Refusal{Why: "it is not active"})),
		bad(37, "not known", badToken, answer(nil, fault.NotFound)),
		bad(37, "refused", badToken, answer(nil, fault.Unauthenticated)),
		bad(37, "expired", badToken, answer(func(c *token.Claims) { c.Expires = start }, nil)),
		bad(37, "not yet", badToken, answer(func(c *token.Claims) { c.NotBefore = start.Add(1) }, nil)),
		bad(37, "for another audience", badToken, answer(func(c *token.Claims) { c.Audience = []string{"x"} }, nil)),
		bad(37, "where Bearer is not allowed", badToken, func(a *attempt) { answer(nil, nil)(a); a.door.AllowBearer = false }),
		{37, "away", 503, "", answer(nil, errAway)},
		{37, "says nothing", 503, "", answer(func(c *token.Claims) { *c = token.Claims{} }, nil)},
	})
	// Answers are used for 30 s, and no longer than the token holds.
	a := newAttempt()
	ends := start.Add(time.Hour)
	answer(func(c *token.Claims) { c.Expires = ends }, nil)(a)
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{0, 1}, {time.Second, 1}, {30*time.Second - 1, 1}, {30 * time.Second, 2}, {59 * time.Second, 2}, {60 * time.Second, 3}} {
		asked = max(asked, 0)
		if step.at == 0 {
			asked = 0
		}
		a.now = start.Add(step.at)
		if got := a.send(); got.status != 200 || asked != step.want {
			t.Errorf("at %v: %d, asked %d times, want %d", step.at, got.status, asked, step.want)
		}
	}
	ends = start.Add(95 * time.Second)
	a.now = start.Add(90 * time.Second)
	a.send()
	a.now = ends
	if got := a.send(); got.code != badToken {
		t.Errorf("at its end: %d %q", got.status, got.code)
	}
}

// TestIdentity: nothing but the token decides who it is.
func TestIdentity(t *testing.T) {
	a := newAttempt()
	a.token.body["scope"] = "b a b"
	a.target += "?tenant=other"
	a.more = func(r *http.Request) {
		for _, name := range []string{"X-Tenant", "X-Stella-Tenant", "X-User", "X-Forwarded-User"} {
			r.Header.Set(name, "other")
		}
	}
	want := &auth.Identity{Tenant: "acme", Subject: "u1", Client: "cli", Scopes: []string{"a", "b"}, Proof: auth.ProofDPoP}
	if d := cmp.Diff(want, a.send().identity); d != "" {
		t.Error(d)
	}
	a.door.AllowBearer, a.unbound = true, true
	a.header = func(h http.Header, tok, _ string) { h.Set("Authorization", "Bearer "+tok) }
	want.Proof = auth.ProofBearer
	if d := cmp.Diff(want, a.send().identity); d != "" {
		t.Error(d)
	}
}

// TestNextNonce: a client that takes what it is given never has to try twice.
func TestNextNonce(t *testing.T) {
	a := newAttempt()
	a.token.body["exp"] = start.Add(24 * time.Hour).Unix()
	challenged, changed := 0, 0
	body("nonce", nil)(a)
	for i := range 200 {
		a.now = start.Add(time.Duration(i) * 30 * time.Second)
		a.proof.body["iat"], a.proof.body["jti"] = a.now.Unix(), fmt.Sprint(i)
		got := a.send()
		if got.code == useNonce {
			challenged++
			body("nonce", got.answer.Get("DPoP-Nonce"))(a)
			got = a.send()
		}
		if got.status != 200 {
			t.Fatalf("request %d: %s", i, got.text)
		}
		if n := got.answer.Values("DPoP-Nonce"); len(n) > 0 {
			changed++
			body("nonce", n[0])(a)
		}
	}
	if challenged != 1 || changed < 20 {
		t.Errorf("challenged %d times, given %d nonces", challenged, changed)
	}
}

// TestSecretsAreNotShown is row 45: no answer and no error has a token or a proof in it.
func TestSecretsAreNotShown(t *testing.T) {
	checked := 0
	for _, edit := range []func(*attempt){
		func(a *attempt) { a.token.key = testKeys().ec2 }, func(a *attempt) { a.proof.body["ath"] = nil }, body("htu", "https://canary.example/CANARY"), body("htm", "CANARY"), body("nonce", "CANARY"),
		head("alg", "CANARY"), head("typ", "CANARY"), func(a *attempt) { a.token.head["kid"] = "CANARY" }, func(a *attempt) { a.token.body["aud"] = "CANARY" },
		func(a *attempt) { a.token.body["iss"] = "CANARY" }, func(a *attempt) { a.opaque = "CANARY" }, func(a *attempt) { a.store.addAway.Store(true) },
		func(a *attempt) { a.target = "/?access_token=CANARY" }, sent(func(h http.Header, tok, _ string) { h.Set("Authorization", "CANARY "+tok) }),
		sent(func(h http.Header, tok, p string) { h.Add("DPoP", p) }), sent(func(h http.Header, tok, p string) { h.Add("Authorization", tok) }),
		func(a *attempt) { a.proof.rawBody = "CANARY" }, func(a *attempt) { a.proof.rawHead = "CANARY" }, func(a *attempt) { a.token.rawBody = `{"CANARY"` },
		func(a *attempt) { a.proof.edit = func(s string) string { return "CANARY" + s } },
		func(a *attempt) { a.proof.body["jti"] = strings.Repeat("CANARY", 40) },
		again(func(*attempt) {}),
	} {
		a := newAttempt()
		edit(a)
		r := a.request()
		got := send(a.door, r)
		if got.status == 200 {
			t.Error("a case that is accepted")
			continue
		}
		for _, secret := range append(strings.FieldsFunc(r.Header.Get("Authorization")+" "+r.Header.Get("DPoP"), func(c rune) bool { return c == ' ' || c == '.' }), "CANARY", "canary", "p1") {
			if checked++; len(secret) > 5 && strings.Contains(got.text, secret) || secret == "p1" && strings.Contains(got.text, `p1`) {
				t.Errorf("%q is in %s", secret, got.text)
			}
		}
	}
	if checked < 50 {
		t.Errorf("checked %d", checked)
	}
}

// TestRefusal: what a handler answers with.
func TestRefusal(t *testing.T) {
	a := newAttempt()
	_, _, err := a.door.Check(nil, must(http.NewRequest("GET", "http://x/", nil)))
	if !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("%v", err)
	}
	f := a.door.Insufficient(&auth.Identity{Proof: auth.ProofDPoP}, `scanner:scan"`)
	if f.Status != 403 || !errors.Is(f, fault.Forbidden) {
		t.Errorf("%+v", f)
	}
	want := []string{`DPoP error="insufficient_scope", error_description="the access token lacks a right", algs="ES256 EdDSA PS256", scope="scanner:scan'"`}
	if d := cmp.Diff(want, f.Challenges); d != "" {
		t.Error(d)
	}
	if f := a.door.Insufficient(&auth.Identity{Proof: auth.ProofAPIKey}, "a"); !strings.HasPrefix(f.Challenges[0], "Bearer error=") {
		t.Errorf("%q", f.Challenges)
	}
	if dpop.CodeNonce != useNonce || dpop.CodeInvalid != badProof || dpop.CodeToken != badToken {
		t.Error("codes are of the protocol")
	}
}
