package auth_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth/dpop"
)

// head and body change one member of the proof, tok one claim of the token.
func head(name string, v any) func(*attempt) {
	return func(a *attempt) { a.proof.head = with(a.proof.head, name, v) }
}
func body(name string, v any) func(*attempt) {
	return func(a *attempt) { a.proof.body = with(a.proof.body, name, v) }
}
func text(f func(string) string) func(*attempt) { return func(a *attempt) { a.proof.edit = f } }
func jwk(name string, v any) func(*attempt) {
	return func(a *attempt) { a.proof.head["jwk"] = with(a.proof.head["jwk"].(map[string]any), name, v) }
}
func sent(f func(h http.Header, token, proof string)) func(*attempt) {
	return func(a *attempt) { a.header = f }
}

// raw replaces text in the header or the payload, as it is written.
func raw(part int, from, to string) func(*attempt) {
	return text(func(s string) string {
		parts := strings.Split(s, ".")
		b, _ := base64.RawURLEncoding.DecodeString(parts[part])
		changed := strings.Replace(string(b), from, to, 1)
		if changed == string(b) {
			panic("nothing to replace: " + from)
		}
		parts[part] = b64([]byte(changed))
		sig := signature("ES256", testKeys().ec, parts[0]+"."+parts[1])
		return parts[0] + "." + parts[1] + "." + b64(sig)
	})
}

// TestForm is rows 1 to 5: what a proof is made of.
func TestForm(t *testing.T) {
	run(t, []testCase{
		good(1, "one field", func(*attempt) {}),
		bad(1, "none", badProof, sent(func(h http.Header, _, _ string) { h.Del("DPoP") })),
		bad(1, "the same twice", badProof, sent(func(h http.Header, _, p string) { h.Add("DPoP", p) })),
		bad(1, "two", badProof, sent(func(h http.Header, _, _ string) { h.Add("DPoP", "x.y.z") })),
		bad(1, "two joined", badProof, sent(func(h http.Header, _, p string) { h.Set("DPoP", p+", "+p) })),
		bad(1, "two joined without a space", badProof, sent(func(h http.Header, _, p string) { h.Set("DPoP", p+","+p) })),
		bad(1, "empty", badProof, sent(func(h http.Header, _, _ string) { h.Set("DPoP", "") })),
		bad(1, "an empty one more", badProof, sent(func(h http.Header, _, _ string) { h.Add("DPoP", "") })),

		good(2, "near 8 KiB", head("pad", strings.Repeat("x", 5000))),
		bad(2, "over 8 KiB", badProof, head("pad", strings.Repeat("x", 7000))),
		bad(2, "1 MB", badProof, text(func(s string) string { return s + strings.Repeat("A", 1<<20) })),
		bad(2, "two parts", badProof, text(func(s string) string { return s[:strings.LastIndex(s, ".")] })),
		bad(2, "four parts", badProof, text(func(s string) string { return s + ".AA" })),
		bad(2, "five parts, as of JWE", badProof, text(func(s string) string { return s + ".AA.AA" })),
		bad(2, "100,000 dots", badProof, text(func(string) string { return strings.Repeat(".", 100_000) })),
		bad(2, "8,000 dots", badProof, text(func(string) string { return strings.Repeat(".", 8000) })),
		bad(2, "no signature", badProof, text(func(s string) string { return s[:strings.LastIndex(s, ".")+1] })),
		bad(2, "no payload", badProof, text(func(s string) string { p := strings.Split(s, "."); return p[0] + ".." + p[2] })),
		bad(2, "no header", badProof, text(func(s string) string { p := strings.Split(s, "."); return "." + p[1] + "." + p[2] })),
		bad(2, "padding", badProof, text(func(s string) string { return s + "==" })),
		bad(2, "the alphabet of base64", badProof, text(func(s string) string { return s[:len(s)-4] + "+/+/" })),
		bad(2, "a line break", badProof, text(func(s string) string { return s[:20] + "\n" + s[20:] })),
		bad(2, "a carriage return", badProof, text(func(s string) string { return s[:20] + "\r" + s[20:] })),
		bad(2, "a space before", badProof, text(func(s string) string { return " " + s })),
		bad(2, "a space after", badProof, text(func(s string) string { return s + " " })),
		bad(2, "bits that mean nothing", badProof, text(func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) })),
		bad(2, "JSON serialization", badProof, text(func(s string) string {
			p := strings.Split(s, ".")
			return fmt.Sprintf(`{"protected":"%s","payload":"%s","signature":"%s"}`, p[0], p[1], p[2])
		})),

		good(3, "a member that nobody knows", head("zzz", []any{1, "a"})),
		bad(3, "alg twice", badProof, raw(0, `"alg":"ES256"`, `"alg":"ES256","alg":"ES256"`)),
		bad(3, "alg twice, the first none", badProof, raw(0, `"alg":"ES256"`, `"alg":"none","alg":"ES256"`)),
		bad(3, "escaped duplicate", badProof, raw(0, `"alg":"ES256"`, `"alg":"ES256","\u0061lg":"none"`)),
		bad(3, "kty twice in the jwk", badProof, raw(0, `"kty":"EC"`, `"kty":"EC","kty":"EC"`)),
		bad(3, "ALG beside alg", badProof, raw(0, `"alg":"ES256"`, `"alg":"ES256","ALG":"none"`)),
		bad(3, "Typ for typ", badProof, raw(0, `"typ"`, `"Typ"`)),
		bad(3, "JWK beside jwk", badProof, raw(0, `"jwk":`, `"JWK":{},"jwk":`)),
		bad(3, "Kelvin sign in jwk", badProof, raw(0, `"jwk":`, `"jwK":{},"jwk":`)),
		bad(3, "KTY in the jwk", badProof, raw(0, `"kty":"EC"`, `"kty":"EC","KTY":"RSA"`)),
		bad(3, "a list", badProof, func(a *attempt) { a.proof.rawHead = `["ES256"]` }),
		bad(3, "null", badProof, func(a *attempt) { a.proof.rawHead = `null` }),
		bad(3, "two values", badProof, func(a *attempt) { a.proof.rawHead = `{"alg":"ES256"}{}` }),
		bad(3, "a byte order mark", badProof, raw(0, `{`, "\ufeff{")),
		bad(3, "not UTF-8", badProof, raw(0, `"typ"`, "\"\xff\":1,\"typ\"")),
		bad(3, "nested 3,000 deep", badProof, raw(0, `"typ"`, `"z":`+strings.Repeat("[", 3000)+`,"typ"`)),
		bad(3, "jti twice", badProof, raw(1, `"jti":"p1"`, `"jti":"p1","jti":"p2"`)),
		bad(3, "JTI beside jti", badProof, raw(1, `"jti":"p1"`, `"jti":"p1","JTI":"p2"`)),
		bad(3, "Htu for htu", badProof, raw(1, `"htu"`, `"Htu"`)),

		good(4, "iat with a fraction", body("iat", float64(start.Unix())+0.5)),
		good(4, "claims that nobody knows", body("extra", map[string]any{"a": 1})),
		bad(4, "no jti", badProof, body("jti", nil)),
		bad(4, "no htm", badProof, body("htm", nil)),
		bad(4, "no htu", badProof, body("htu", nil)),
		bad(4, "no iat", badProof, body("iat", nil)),
		bad(4, "jti empty", badProof, body("jti", "")),
		bad(4, "jti a number", badProof, body("jti", 1)),
		bad(4, "jti a list", badProof, body("jti", []string{"p1"})),
		bad(4, "htm a number", badProof, body("htm", 1)),
		bad(4, "htm null", badProof, raw(1, `"htm":"GET"`, `"htm":null`)),
		bad(4, "htu an object", badProof, body("htu", map[string]any{})),
		bad(4, "iat a string", badProof, body("iat", fmt.Sprint(start.Unix()))),
		bad(4, "iat true", badProof, body("iat", true)),
		bad(4, "iat infinite", badProof, raw(1, fmt.Sprint(`"iat":`, start.Unix()), `"iat":1e400`)),
		bad(4, "iat NaN", badProof, raw(1, fmt.Sprint(`"iat":`, start.Unix()), `"iat":NaN`)),
		bad(4, "iat negative", badProof, body("iat", -1)),
		bad(4, "iat over 64 bits", badProof, raw(1, fmt.Sprint(`"iat":`, start.Unix()), `"iat":18446744073709551617`)),
		bad(4, "a list", badProof, func(a *attempt) { a.proof.rawBody = `[]` }),
		bad(4, "no JSON", badProof, func(a *attempt) { a.proof.rawBody = `hello` }),

		good(5, "with application/", head("typ", "application/dpop+jwt")),
		good(5, "in another case", head("typ", "DPoP+JWT")),
		bad(5, "none", badProof, head("typ", nil)),
		bad(5, "empty", badProof, head("typ", "")),
		bad(5, "JWT", badProof, head("typ", "JWT")),
		bad(5, "an access token's", badProof, head("typ", "at+jwt")),
		bad(5, "with a parameter", badProof, head("typ", "dpop+jwt;charset=utf-8")),
		bad(5, "application/ twice", badProof, head("typ", "application/application/dpop+jwt")),
		bad(5, "a space", badProof, head("typ", "dpop+jwt ")),
		bad(5, "a list", badProof, head("typ", []string{"dpop+jwt"})),
	})
}

// TestKeysOfProofs is rows 6 to 10.
func TestKeysOfProofs(t *testing.T) {
	k := testKeys()
	cases := []testCase{
		good(6, "ES256", func(a *attempt) { a.by("ES256", k.ec) }),
		good(6, "EdDSA", func(a *attempt) { a.by("EdDSA", k.ed) }),
		good(6, "PS256", func(a *attempt) { a.by("PS256", k.rsa) }),
		bad(6, "none", badProof, func(a *attempt) { a.proof.head["alg"], a.proof.key = "none", nil }),
		bad(6, "none without a signature", badProof, func(a *attempt) {
			a.proof.head["alg"] = "none"
			a.proof.edit = func(s string) string { return s[:strings.LastIndex(s, ".")+1] }
		}),
		bad(6, "NONE", badProof, head("alg", "NONE")),
		bad(6, "HS256 by the public key", badProof, func(a *attempt) {
			pub, _ := k.ec.PublicKey.Bytes()
			a.proof.head["alg"], a.proof.key = "HS256", pub
		}),
		bad(6, "HS256 with the key as jwk", badProof, func(a *attempt) {
			a.proof.head["alg"], a.proof.key = "HS256", []byte("secret")
			a.proof.head["jwk"] = map[string]any{"kty": "oct", "k": b64([]byte("secret"))}
		}),
		bad(6, "RS1", badProof, head("alg", "RS1")),
		bad(6, "RS256", badProof, func(a *attempt) { a.by("RS256", k.rsa) }),
		bad(6, "ES384", badProof, func(a *attempt) { a.by("ES384", k.p384) }),
		bad(6, "ES256K", badProof, head("alg", "ES256K")),
		bad(6, "es256", badProof, head("alg", "es256")),
		bad(6, "no alg", badProof, head("alg", nil)),
		bad(6, "alg a number", badProof, head("alg", 256)),
		bad(6, "alg a list", badProof, head("alg", []string{"ES256"})),

		good(7, "a jwk that says its alg", jwk("alg", "ES256")),
		good(7, "a jwk for signatures", jwk("use", "sig")),
		bad(7, "ES256 by Ed25519", badProof, func(a *attempt) { a.by("ES256", k.ed) }),
		bad(7, "EdDSA by P-256", badProof, func(a *attempt) { a.by("EdDSA", k.ec) }),
		bad(7, "PS256 by P-256", badProof, func(a *attempt) { a.by("PS256", k.ec) }),
		bad(7, "ES256 by RSA", badProof, func(a *attempt) { a.by("ES256", k.rsa) }),
		bad(7, "ES256 by P-384", badProof, func(a *attempt) { a.by("ES256", k.p384) }),
		bad(7, "RSA of 1024 bits", badProof, func(a *attempt) { a.by("PS256", k.short) }),
		bad(7, "RSA with exponent 1", badProof, func(a *attempt) { a.by("PS256", k.rsa); jwk("e", "AQ")(a) }),
		bad(7, "RSA with an even exponent", badProof, func(a *attempt) { a.by("PS256", k.rsa); jwk("e", "AQAA")(a) }),
		bad(7, "RSA with a huge exponent", badProof, func(a *attempt) { a.by("PS256", k.rsa); jwk("e", b64([]byte("\x01\x00\x00\x00\x01")))(a) }),
		bad(7, "RSA with a leading zero", badProof, func(a *attempt) {
			a.by("PS256", k.rsa)
			jwk("n", b64(append([]byte{0}, k.rsa.N.Bytes()...)))(a)
		}),
		bad(7, "RSA of 16,384 bits", badProof, func(a *attempt) {
			a.by("PS256", k.rsa)
			jwk("n", b64(append(make([]byte, 0), strings.Repeat("\xff", 2048)...)))(a)
		}),
		bad(7, "a jwk of another alg", badProof, jwk("alg", "ES384")),
		bad(7, "a jwk for encryption", badProof, jwk("use", "enc")),
		bad(7, "a jwk that only signs", badProof, jwk("key_ops", []string{"sign"})),
		bad(7, "crv for kty", badProof, jwk("kty", "OKP")),
		bad(7, "X25519", badProof, func(a *attempt) { a.by("EdDSA", k.ed); jwk("crv", "X25519")(a) }),

		good(8, "a kid is ignored", head("kid", "i1")),
		good(8, "an address of keys is ignored", head("jku", "https://evil.example.org/keys")),
		good(8, "an address of certificates is ignored", head("x5u", "http://169.254.169.254/")),
		bad(8, "another key's", badProof, func(a *attempt) { a.proof.key = k.ec2 }),
		bad(8, "another key's, that jku has", badProof, func(a *attempt) { a.proof.key = k.ec2; a.proof.head["jku"] = "https://evil.example.org/keys" }),
		bad(8, "the issuer's, by kid", badProof, func(a *attempt) { a.proof.key = k.issuer; a.proof.head["kid"] = "i1" }),
		bad(8, "no jwk", badProof, head("jwk", nil)),
		bad(8, "no jwk but a kid", badProof, func(a *attempt) { head("jwk", nil)(a); a.proof.head["kid"] = "i1" }),
		bad(8, "jwk a string", badProof, head("jwk", "key")),
		bad(8, "jwk a set", badProof, func(a *attempt) { a.proof.head["jwk"] = map[string]any{"keys": []any{a.proof.head["jwk"]}} }),
		bad(8, "crit", badProof, head("crit", []string{"exp"})),
		bad(8, "crit b64", badProof, func(a *attempt) { a.proof.head["crit"], a.proof.head["b64"] = []string{"b64"}, true }),
		bad(8, "b64", badProof, head("b64", false)),
		bad(8, "crit empty", badProof, head("crit", []string{})),
		bad(8, "enc", badProof, head("enc", "A128GCM")),
		bad(8, "zip", badProof, head("zip", "DEF")),
		bad(8, "zeros", badProof, func(a *attempt) { a.proof.sign = func(string) []byte { return make([]byte, 64) } }),
		bad(8, "r and s of the order", badProof, func(a *attempt) {
			n := k.ec.Params().N.FillBytes(make([]byte, 32))
			a.proof.sign = func(string) []byte { return append(n, n...) }
		}),
		bad(8, "63 bytes", badProof, func(a *attempt) { a.proof.sign = func(in string) []byte { return signature("ES256", k.ec, in)[:63] } }),
		bad(8, "in DER", badProof, func(a *attempt) {
			a.proof.sign = func(in string) []byte {
				h := sha256.Sum256([]byte(in))
				der, _ := ecdsa.SignASN1(nil, k.ec, h[:])
				return der
			}
		}),
		bad(8, "a changed header", badProof, func(a *attempt) {
			a.proof.edit = func(s string) string {
				p := strings.Split(s, ".")
				b, _ := base64.RawURLEncoding.DecodeString(p[0])
				return b64([]byte(strings.Replace(string(b), "{", "{ ", 1))) + "." + p[1] + "." + p[2]
			}
		}),
		bad(8, "a changed payload", badProof, func(a *attempt) {
			a.proof.edit = func(s string) string {
				p := strings.Split(s, ".")
				b, _ := base64.RawURLEncoding.DecodeString(p[1])
				return p[0] + "." + b64([]byte(strings.Replace(string(b), `"p1"`, `"p2"`, 1))) + "." + p[2]
			}
		}),

		good(9, "members that are not private", jwk("ext", true)),
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		cases = append(cases, bad(9, "with "+name, badProof, jwk(name, b64([]byte("private")))))
	}
	cases = append(cases,
		bad(9, "with d null", badProof, raw(0, `"kty":`, `"d":null,"kty":`)),
		bad(9, "with D", badProof, jwk("D", "AA")),
		bad(9, "of Ed25519 with d", badProof, func(a *attempt) { a.by("EdDSA", k.ed); jwk("d", b64(k.ed.Seed()))(a) }),

		good(10, "a point of P-256", func(a *attempt) { a.by("ES256", k.ec2) }),
		bad(10, "off the curve", badProof, jwk("y", a0(k.ec, 1))),
		bad(10, "0, 0", badProof, func(a *attempt) { jwk("x", b64(make([]byte, 32)))(a); jwk("y", b64(make([]byte, 32)))(a) }),
		bad(10, "31 bytes", badProof, func(a *attempt) { jwk("x", b64(make([]byte, 31)))(a) }),
		bad(10, "33 bytes", badProof, func(a *attempt) {
			b, _ := k.ec.PublicKey.Bytes()
			jwk("x", b64(append([]byte{0}, b[1:33]...)))(a)
		}),
		bad(10, "x over the field", badProof, jwk("x", b64([]byte(strings.Repeat("\xff", 32))))),
		bad(10, "no y", badProof, jwk("y", nil)),
		bad(10, "y a number", badProof, jwk("y", 1)),
		bad(10, "Ed25519 of 31 bytes", badProof, func(a *attempt) { a.by("EdDSA", k.ed); jwk("x", b64(make([]byte, 31)))(a) }),
	)
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	} {
		cases = append(cases, bad(10, "low order "+y[:4]+y[60:], badProof, func(a *attempt) {
			point, _ := hex.DecodeString(y)
			a.by("EdDSA", k.ed)
			a.proof.head["jwk"] = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(point)}
			// R is the identity and S zero: a signature of everything by such a key.
			a.proof.sign = func(string) []byte { return append([]byte{1}, make([]byte, 63)...) }
		}))
	}
	run(t, cases)
}

// a0 is the y of a key, changed.
func a0(k *ecdsa.PrivateKey, by int64) string {
	b, _ := k.PublicKey.Bytes()
	y := new(big.Int).SetBytes(b[33:])
	return b64(y.Add(y, big.NewInt(by)).FillBytes(make([]byte, 32)))
}

// TestRequestOfProofs is rows 11 to 13: the request that a proof is for.
func TestRequestOfProofs(t *testing.T) {
	at := func(target, htu string) func(*attempt) {
		return func(a *attempt) { a.target, a.proof.body["htu"] = target, htu }
	}
	const origin = "https://api.example.org"
	var cases []testCase
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "HEAD"} {
		cases = append(cases, good(11, m, func(a *attempt) { a.method, a.proof.body["htm"] = m, m }))
	}
	run(t, append(cases,
		bad(11, "another", badProof, body("htm", "POST")),
		bad(11, "in lower case", badProof, body("htm", "get")),
		bad(11, "a space", badProof, body("htm", "GET ")),
		bad(11, "a prefix", badProof, body("htm", "GE")),
		bad(11, "longer", badProof, body("htm", "GETT")),
		bad(11, "of an override", badProof, func(a *attempt) {
			a.proof.body["htm"] = "DELETE"
			a.more = func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") }
		}),

		good(12, "host and scheme in upper case", at(path, "HTTPS://API.Example.ORG"+path)),
		good(12, "the default port", at(path, "https://api.example.org:443"+path)),
		good(12, "an empty port", at(path, "https://api.example.org:"+path)),
		good(12, "a needless escape", at("/a~b", origin+"/a%7eb")),
		good(12, "a needless escape in the request", at("/%61~b", origin+"/a~b")),
		good(12, "an escape in lower case", at("/a%2Fb", origin+"/a%2fb")),
		good(12, "dot segments", at(path, origin+"/api/./v2/../v1/scans")),
		good(12, "escaped dot segments", at(path, origin+"/api/%2e/v1/scans")),
		good(12, "no path", at("/", origin)),
		good(12, "a query in the request", at(path+"?limit=1", origin+path)),
		bad(12, "http", badProof, at(path, "http://api.example.org"+path)),
		bad(12, "another host", badProof, at(path, "https://api2.example.org"+path)),
		bad(12, "a host that goes on", badProof, at(path, "https://api.example.org.evil.example"+path)),
		bad(12, "a dot after the host", badProof, at(path, "https://api.example.org."+path)),
		bad(12, "another port", badProof, at(path, "https://api.example.org:8443"+path)),
		bad(12, "the port of http", badProof, at(path, "https://api.example.org:80"+path)),
		bad(12, "another path", badProof, at(path, origin+"/api/v1/scan")),
		bad(12, "a path in another case", badProof, at(path, origin+"/API/v1/scans")),
		bad(12, "a slash after it", badProof, at(path, origin+path+"/")),
		bad(12, "two slashes", badProof, at(path, origin+"/"+path)),
		bad(12, "an escaped slash", badProof, at(path, origin+"/api%2Fv1/scans")),
		bad(12, "escaped twice", badProof, at("/a~b", origin+"/a%257eb")),
		bad(12, "a path alone", badProof, at(path, path)),
		bad(12, "no scheme", badProof, at(path, "//api.example.org"+path)),
		bad(12, "the prefix alone", badProof, at(path, origin)),

		good(13, "a query of its own", at(path, origin+path+"?a=b")),
		good(13, "a fragment of its own", at(path, origin+path+"#top")),
		good(13, "the Host means nothing", func(a *attempt) { a.more = func(r *http.Request) { r.Host = "evil.example" } }),
		bad(13, "an origin by Host", badProof, func(a *attempt) {
			at(path, "https://evil.example"+path)(a)
			a.more = func(r *http.Request) { r.Host = "evil.example" }
		}),
		bad(13, "an origin by X-Forwarded-Host", badProof, func(a *attempt) {
			at(path, "https://evil.example"+path)(a)
			a.more = func(r *http.Request) {
				r.Header.Set("X-Forwarded-Host", "evil.example")
				r.Header.Set("Forwarded", "host=evil.example;proto=https")
			}
		}),
		bad(13, "the origin inside", badProof, at(path, "http://internal.invalid"+path)),
		bad(13, "user information", badProof, at(path, "https://user@api.example.org"+path)),
		bad(13, "user information and a password", badProof, at(path, "https://a:b@api.example.org"+path)),
		bad(13, "our host as user", badProof, at(path, "https://api.example.org@evil.example"+path)),
		bad(13, "our host as user before a query", badProof, at(path, "https://api.example.org?@evil.example"+path)),
		bad(13, "a backslash", badProof, at(path, `https://api.example.org\@evil.example`+path)),
		bad(13, "a space", badProof, at(path, "https://api.example.org"+path+" ")),
		bad(13, "a tab", badProof, at(path, "https://api.example.org\t"+path)),
		bad(13, "not ASCII", badProof, at(path, "https://api.example.org/é")),
		bad(13, "an escape that is none", badProof, at(path, "https://api.example.org"+path+"%zz")),
		bad(13, "an escape in the host", badProof, at(path, "https://api%2eexample.org"+path)),
		bad(13, "no host", badProof, at(path, "https://"+path)),
		bad(13, "another scheme", badProof, at(path, "file://api.example.org"+path)),
		bad(13, "a control character in the query", badProof, at(path, origin+path+"?a=\x01")),
	))
}

// TestTimeOfProofs is rows 14 to 18.
func TestTimeOfProofs(t *testing.T) {
	iat := func(d time.Duration) func(*attempt) {
		return body("iat", float64(start.UnixMilli()+d.Milliseconds())/1000)
	}
	in := func(name string, d time.Duration) func(*attempt) { return body(name, start.Add(d).Unix()) }
	nonce := func(f func(w *world, n string) any) func(*attempt) {
		return func(a *attempt) { body("nonce", f(a.world, a.proof.body["nonce"].(string)))(a) }
	}
	other := func(edit func(n *dpop.Nonces)) func(*attempt) {
		return nonce(func(w *world, _ string) any {
			n := &dpop.Nonces{Secret: w.nonces.Secret, Audience: w.nonces.Audience, Epochs: w.store, Now: w.clock}
			edit(n)
			return must(n.Issue(t.Context()))
		})
	}
	run(t, []testCase{
		good(14, "a nonce of ours", func(*attempt) {}),
		good(14, "not needed where there are none", func(a *attempt) { a.door.Proofs.Nonces = nil; body("nonce", nil)(a) }),
		bad(14, "none", useNonce, body("nonce", nil)),
		bad(14, "another text", useNonce, body("nonce", "nonce")),
		bad(14, "cut", useNonce, nonce(func(_ *world, n string) any { return n[:len(n)-1] })),
		bad(14, "longer", useNonce, nonce(func(_ *world, n string) any { return n + "A" })),
		bad(14, "padded", useNonce, nonce(func(_ *world, n string) any { return n + "=" })),
		bad(14, "changed at its start", useNonce, nonce(func(_ *world, n string) any { return "B" + n[1:] })),
		bad(14, "changed within", useNonce, nonce(func(_ *world, n string) any { return n[:30] + flip(n[30]) + n[31:] })),
		bad(14, "changed in its MAC", useNonce, nonce(func(_ *world, n string) any { return n[:50] + flip(n[50]) + n[51:] })),
		bad(14, "a number", badProof, body("nonce", 1)),

		good(15, "of another process with the same secret", other(func(*dpop.Nonces) {})),
		good(15, "young enough", other(func(n *dpop.Nonces) { n.Now = func() time.Time { return start.Add(-5*time.Minute + time.Second) } })),
		bad(15, "of the authorization server", useNonce, other(func(n *dpop.Nonces) { n.Audience = "as" })),
		bad(15, "of an audience that runs on", useNonce, other(func(n *dpop.Nonces) { n.Audience = "rsx" })),
		bad(15, "of another secret", useNonce, other(func(n *dpop.Nonces) { n.Secret = []byte(strings.Repeat("t", 32)) })),
		bad(15, "too old", useNonce, other(func(n *dpop.Nonces) { n.Now = func() time.Time { return start.Add(-5 * time.Minute) } })),
		bad(15, "of the future", useNonce, other(func(n *dpop.Nonces) { n.Now = func() time.Time { return start.Add(time.Minute) } })),
		bad(15, "of before the store lost what it knew", useNonce, func(a *attempt) { a.store.lost.Add(1) }),
		bad(15, "of another store", useNonce, other(func(n *dpop.Nonces) { n.Epochs = newStore() })),

		bad(16, "null", badProof, raw(1, `"nonce":`, `"nonce":null,"x":`)),
		bad(16, "empty", badProof, body("nonce", "")),
		bad(16, "left out when the next is due", useNonce, func(a *attempt) {
			a.now = a.now.Add(3 * time.Minute)
			in("iat", 3*time.Minute)(a)
			body("nonce", nil)(a)
		}),
		bad(16, "under another name", useNonce, func(a *attempt) { a.proof.body["Nonce2"] = a.proof.body["nonce"]; body("nonce", nil)(a) }),

		good(17, "now", iat(0)),
		good(17, "60 s old", iat(-60*time.Second)),
		good(17, "10 s ahead", iat(10*time.Second)),
		bad(17, "60.001 s old", badProof, iat(-60001*time.Millisecond)),
		bad(17, "61 s old", badProof, iat(-61*time.Second)),
		bad(17, "10.001 s ahead", badProof, iat(10001*time.Millisecond)),
		bad(17, "11 s ahead", badProof, iat(11*time.Second)),
		bad(17, "61 s ahead", badProof, iat(61*time.Second)),
		bad(17, "1970", badProof, body("iat", 0)),
		bad(17, "in milliseconds", badProof, body("iat", start.UnixMilli())),
		bad(17, "the year 9999", badProof, body("iat", 253402300799)),

		good(18, "exp ahead", in("exp", time.Second)),
		good(18, "nbf now", in("nbf", 0)),
		good(18, "nbf 8 s ahead", in("nbf", 8*time.Second)),
		bad(18, "exp now", badProof, in("exp", 0)),
		bad(18, "exp over", badProof, in("exp", -time.Hour)),
		bad(18, "exp a string", badProof, body("exp", "never")),
		bad(18, "exp null", badProof, raw(1, `"htm":`, `"exp":null,"htm":`)),
		bad(18, "nbf 11 s ahead", badProof, in("nbf", 11*time.Second)),
		bad(18, "nbf in an hour", badProof, in("nbf", time.Hour)),
		bad(18, "nbf a string", badProof, body("nbf", "now")),
	})
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
