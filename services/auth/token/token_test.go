package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/jwks"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const thumb = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

func claims() *Claims {
	return &Claims{
		Issuer: "https://id.example.org", Subject: "u1", Audience: []string{"https://api.example.org"}, Expires: start.Add(5 * time.Minute), Issued: start,
		ID: "t1", Client: "cli", Scopes: []string{"b", "a"}, Tenant: "acme", Family: "f1", JKT: thumb, AuthTime: start.Add(-time.Hour),
		Act: &Actor{Subject: "s1", Client: "gw", Act: &Actor{Subject: "s2"}},
	}
}

// world is an issuer and a resource server.
type world struct {
	now time.Time
	key crypto.Signer
	v   *Verifier
}

func newWorld(t testing.TB) *world {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{now: start, key: key}
	set, err := jwks.New(jwks.Key{ID: "k1", Public: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	w.v = &Verifier{Issuer: "https://id.example.org", Audience: "https://api.example.org", Keys: set, Now: func() time.Time { return w.now }}
	return w
}

func (w *world) sign(t testing.TB, c *Claims) string {
	text, err := Sign(c, w.key, "k1")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSignAndVerify(t *testing.T) {
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for _, key := range []crypto.Signer{ec, r, ed} {
		w := newWorld(t)
		w.key = key
		w.v.Keys, _ = jwks.New(jwks.Key{ID: "k1", Public: key.Public()})
		for _, c := range []*Claims{claims(), {Issuer: "https://id.example.org", Subject: "s", Audience: []string{"x", "https://api.example.org"}, Expires: start.Add(1e9), Issued: start, NotBefore: start, ID: "1", Client: "s"}} {
			got, err := w.v.Verify(t.Context(), w.sign(t, c))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c, got); d != "" {
				t.Error(d)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	w := newWorld(t)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for name, edit := range map[string]func(c *Claims){
		"iss": func(c *Claims) { c.Issuer = "" }, "sub": func(c *Claims) { c.Subject = "" }, "aud": func(c *Claims) { c.Audience = nil }, "an empty aud": func(c *Claims) { c.Audience = []string{""} },
		"exp": func(c *Claims) { c.Expires = time.Time{} }, "iat": func(c *Claims) { c.Issued = time.Time{} }, "jti": func(c *Claims) { c.ID = "" }, "client_id": func(c *Claims) { c.Client = "" },
		"four actors": func(c *Claims) { c.Act = &Actor{Act: &Actor{Act: &Actor{Act: &Actor{}}}} },
	} {
		c := claims()
		edit(c)
		if _, err := Sign(c, w.key, "k1"); !errors.Is(err, ErrInvalid) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := Sign(claims(), w.key, ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a kid: %v", err)
	}
	if _, err := Sign(claims(), p384, "k"); !errors.Is(err, ErrInvalid) {
		t.Errorf("by P-384: %v", err)
	}
	c := claims()
	c.Scopes = []string{strings.Repeat("x", MaxSize)}
	if _, err := Sign(c, w.key, "k1"); !errors.Is(err, fault.Limit) {
		t.Errorf("over 8 KiB: %v", err)
	}
}

// TestClaims is row 36: claims that are missing, of another type or of another meaning.
func TestClaims(t *testing.T) {
	w := newWorld(t)
	good, _ := json.Marshal(claims())
	for _, c := range []struct{ name, from, to, why string }{
		{"as it is", `"iss"`, `"iss"`, ""},
		{"a claim that nobody knows", `"iss"`, `"groups":["a"],"iss"`, ""},
		{"a fraction of a second", fmt.Sprint(`"iat":`, start.Unix()), fmt.Sprint(`"iat":`, start.Unix()-1, ".5"), ""},
		{"no actor", `"act"`, `"acts"`, ""},
		{"no scope", `"scope"`, `"scopes"`, ""},
		{"iss twice", `"iss":`, `"iss":"x","iss":`, "well formed"},
		{"ISS", `"iss":`, `"ISS":"x","iss":`, "well formed"},
		{"Aud for aud", `"aud"`, `"Aud"`, "well formed"},
		{"another issuer", `id.example.org`, `id.example.com`, "another issuer"},
		{"an issuer that goes on", `id.example.org"`, `id.example.org/"`, "another issuer"},
		{"no issuer", `"iss"`, `"issuer"`, "no iss"},
		{"another audience", `api.example.org`, `API.example.org`, "another audience"},
		{"no audience", `"aud"`, `"audience"`, "no aud"},
		{"audience in a longer one", `"aud":"https://api.example.org"`, `"aud":"https://api.example.org https://x"`, "another audience"},
		{"audience null", `"aud":"https://api.example.org"`, `"aud":null`, "well formed"},
		{"audience empty", `"aud":"https://api.example.org"`, `"aud":[]`, "well formed"},
		{"audience of numbers", `"aud":"https://api.example.org"`, `"aud":[1]`, "well formed"},
		{"audience nested", `"aud":"https://api.example.org"`, `"aud":[["https://api.example.org"]]`, "well formed"},
		{"audience an object", `"aud":"https://api.example.org"`, `"aud":{"https://api.example.org":1}`, "well formed"},
		{"no subject", `"sub":"u1"`, `"name":"u1"`, "no sub"},
		{"subject a number", `"sub":"u1"`, `"sub":1`, "well formed"},
		{"no client", `"client_id":"cli"`, `"azp":"cli"`, "no client_id"},
		{"no jti", `"jti"`, `"id"`, "no jti"},
		{"no exp", `"exp"`, `"expires"`, "no exp"},
		{"exp a string", fmt.Sprint(`"exp":`, start.Add(5*time.Minute).Unix()), `"exp":"never"`, "well formed"},
		{"exp infinite", fmt.Sprint(`"exp":`, start.Add(5*time.Minute).Unix()), `"exp":1e999`, "well formed"},
		{"exp over 64 bits", fmt.Sprint(`"exp":`, start.Add(5*time.Minute).Unix()), `"exp":99999999999999999999`, "well formed"},
		{"exp null", fmt.Sprint(`"exp":`, start.Add(5*time.Minute).Unix()), `"exp":null`, "well formed"},
		{"no iat", `"iat"`, `"issued"`, "no iat"},
		{"iat ahead", fmt.Sprint(`"iat":`, start.Unix()), fmt.Sprint(`"iat":`, start.Unix()+1), "not hold yet"},
		{"nbf ahead", `"iss"`, fmt.Sprint(`"nbf":`, start.Unix()+1, `,"iss"`), "not hold yet"},
		{"nbf a string", `"iss"`, `"nbf":"now","iss"`, "well formed"},
		{"scope a list", `"scope":"b a"`, `"scope":["b"]`, "well formed"},
		{"scope with two spaces", `"scope":"b a"`, `"scope":"b  a"`, "well formed"},
		{"scope with a space after", `"scope":"b a"`, `"scope":"b a "`, "well formed"},
		{"tenant a number", `"stella:tenant":"acme"`, `"stella:tenant":1`, "well formed"},
		{"tenant null", `"stella:tenant":"acme"`, `"stella:tenant":null`, "well formed"},
		{"cnf null", `{"jkt":"` + thumb + `"}`, `null`, "well formed"},
		{"cnf empty", `{"jkt":"` + thumb + `"}`, `{}`, "well formed"},
		{"cnf of two", `{"jkt":"` + thumb + `"}`, `{"jkt":"` + thumb + `","kid":"a"}`, "well formed"},
		{"cnf jkt twice", `{"jkt":"` + thumb + `"}`, `{"jkt":"` + thumb + `","jkt":"` + thumb + `"}`, "well formed"},
		{"actor a string", `"act":{`, `"act":"x","a":{`, "well formed"},
		{"actor without a subject", `{"sub":"s2"}`, `{}`, "well formed"},
		{"four actors", `{"sub":"s2"}`, `{"sub":"s2","act":{"sub":"s3","act":{"sub":"s4"}}}`, "well formed"},
		{"not JSON", `{`, `(`, "well formed"},
	} {
		payload := strings.Replace(string(good), c.from, c.to, 1)
		if payload == string(good) && c.why != "" {
			t.Fatalf("%s: nothing to replace in %s", c.name, good)
		}
		text, err := jws.Sign([]byte(payload), Type, w.key, "k1", false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.v.Verify(t.Context(), text)
		if c.why == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(fmt.Sprint(err), c.why) {
			t.Errorf("%s: %v, want %q", c.name, err, c.why)
		}
	}
}

func TestTime(t *testing.T) {
	w := newWorld(t)
	c := claims()
	c.NotBefore = start.Add(time.Minute)
	text := w.sign(t, c)
	for _, skew := range []time.Duration{0, 5 * time.Second} {
		w.v.Skew = skew
		for _, s := range []struct {
			at time.Duration
			ok bool
		}{
			{time.Minute - skew - 1, false}, {time.Minute - skew, true}, {5*time.Minute + skew - 1, true}, {5*time.Minute + skew, false}, {time.Hour, false}, {0, false},
		} {
			w.now = start.Add(s.at)
			if _, err := w.v.Verify(t.Context(), text); (err == nil) != s.ok {
				t.Errorf("skew %v at %v: %v", skew, s.at, err)
			}
		}
	}
}

// TestRevoked is row 38: a token that is remembered is refused from the moment that it is
// revoked.
func TestRevoked(t *testing.T) {
	w := newWorld(t)
	text := w.sign(t, claims())
	var revoked atomic.Bool
	var err error
	w.v.Revoked = func(_ context.Context, c *Claims) (bool, error) {
		return revoked.Load() && c.ID == "t1" && c.Family == "f1", err
	}
	check := func(want error) {
		t.Helper()
		if _, err := w.v.Verify(t.Context(), text); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%v, want %v", err, want)
		}
	}
	check(nil)
	revoked.Store(true)
	check(ErrUnauthenticated)
	revoked.Store(false)
	check(nil)
	err = errors.New("connection refused")
	check(ErrUnavailable)
	err = fault.Invalid
	check(ErrUnavailable)
	if w.v.verified != 1 {
		t.Errorf("verified %d signatures", w.v.verified)
	}
}

// source gives keys that change.
type source struct {
	key jwks.Key
	err error
}

func (s *source) Key(_ context.Context, id string) (jwks.Key, error) {
	if s.err == nil && id != s.key.ID {
		return jwks.Key{}, fault.NotFound
	}
	return s.key, s.err
}

// TestKeyTakenAway: a token that is remembered ends with its key.
func TestKeyTakenAway(t *testing.T) {
	w := newWorld(t)
	keys := &source{key: jwks.Key{ID: "k1", Public: w.key.Public()}}
	w.v.Keys = keys
	text := w.sign(t, claims())
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	for _, s := range []struct {
		name string
		key  jwks.Key
		err  error
		want error
	}{
		{"there", keys.key, nil, nil}, {"gone", jwks.Key{ID: "k2", Public: other}, nil, ErrUnauthenticated}, {"another of the same id", jwks.Key{ID: "k1", Public: other}, nil, ErrUnauthenticated},
		{"for another algorithm", jwks.Key{ID: "k1", Algorithm: "ES256", Public: w.key.Public()}, nil, ErrUnauthenticated},
		{"away", keys.key, fault.Unavailable, ErrUnavailable}, {"broken", keys.key, fault.Invalid, ErrUnavailable}, {"back", keys.key, nil, nil},
	} {
		keys.key, keys.err = s.key, s.err
		if _, err := w.v.Verify(t.Context(), text); !errors.Is(err, s.want) || s.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", s.name, err, s.want)
		}
	}
}

func TestCache(t *testing.T) {
	w := newWorld(t)
	w.v.Cache = 100
	texts := make([]string, 500)
	for i := range texts {
		c := claims()
		c.ID = fmt.Sprint(i)
		texts[i] = w.sign(t, c)
	}
	hot := texts[0]
	for _, text := range texts {
		for _, one := range []string{text, hot} {
			if _, err := w.v.Verify(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.v.young) + len(w.v.old); n > 100 {
			t.Fatalf("%d are remembered", n)
		}
	}
	if w.v.verified != 500 {
		t.Errorf("verified %d signatures: what is used all the time was forgotten", w.v.verified)
	}
	// What is not the issuer's is not remembered.
	before := len(w.v.young) + len(w.v.old)
	stranger := newWorld(t)
	for i := range 50 {
		c := claims()
		c.ID = fmt.Sprint("s", i)
		if _, err := w.v.Verify(t.Context(), stranger.sign(t, c)); !errors.Is(err, ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	if n := len(w.v.young) + len(w.v.old); n != before {
		t.Errorf("%d remembered, before %d", n, before)
	}
	w.v.Cache, w.v.young, w.v.old = -1, nil, nil
	w.v.Verify(t.Context(), hot)
	if len(w.v.young) != 0 {
		t.Error("remembered, though that is off")
	}
}

func TestUnready(t *testing.T) {
	w := newWorld(t)
	text := w.sign(t, claims())
	for name, v := range map[string]*Verifier{
		"zero": {}, "no keys": {Issuer: "https://id.example.org", Audience: "https://api.example.org"}, "no audience": {Issuer: "https://id.example.org", Keys: w.v.Keys}, "no issuer": {Audience: "https://api.example.org", Keys: w.v.Keys},
	} {
		if _, err := v.Verify(t.Context(), text); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseIntrospection(t *testing.T) {
	full, _ := json.Marshal(claims())
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"active", `{"active":true,` + string(full[1:]), nil},
		{"few claims", `{"active":true,"client_id":"a","token_type":"DPoP"}`, nil},
		{"not active", `{"active":false}`, ErrUnauthenticated},
		{"not active, with claims", `{"active":false,` + string(full[1:]), ErrUnauthenticated},
		{"a string", `{"active":"true","sub":"a"}`, ErrUnavailable},
		{"a number", `{"active":1,"sub":"a"}`, ErrUnavailable},
		{"null", `{"active":null,"sub":"a"}`, ErrUnavailable},
		{"none", string(full), ErrUnavailable},
		{"Active", `{"Active":true,"sub":"a"}`, ErrUnavailable},
		{"twice", `{"active":false,"active":true,"sub":"a"}`, ErrUnavailable},
		{"nobody's", `{"active":true}`, ErrUnavailable},
		{"bound otherwise", `{"active":true,"sub":"a","cnf":{"x5t#S256":"a"}}`, ErrUnavailable},
		{"a page", `<html>`, ErrUnavailable},
		{"a JWT", `"a.b.c"`, ErrUnavailable},
		{"huge", `{"active":true,"sub":"` + strings.Repeat("a", 5*MaxSize) + `"}`, ErrUnavailable},
	} {
		got, err := ParseIntrospection([]byte(c.text))
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want != nil && fault.KindOf(err) != c.want {
			t.Errorf("%s: the kind is %v", c.name, fault.KindOf(err))
		}
		if c.name == "active" {
			if d := cmp.Diff(claims(), got); d != "" {
				t.Error(d)
			}
		}
	}
}

func FuzzClaims(f *testing.F) {
	full, _ := json.Marshal(claims())
	f.Add(full)
	f.Add([]byte(`{"aud":["a","b"],"exp":1.5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c Claims
		if err := c.UnmarshalJSON(text); err != nil {
			return
		}
		out, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Claims
		if err := back.UnmarshalJSON(out); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		again, _ := back.MarshalJSON()
		if string(out) != string(again) {
			t.Fatalf("%s, then %s", out, again)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	text := w.sign(b, claims())
	for name, size := range map[string]int{"cached": 0, "not cached": -1} {
		b.Run(name, func(b *testing.B) {
			w.v.Cache, w.v.young, w.v.old = size, nil, nil
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.v.Verify(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
