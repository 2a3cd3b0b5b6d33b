package envelope

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth"
)

var start0 = time.Unix(1_800_000_000, 0)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), 32)))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

var (
	gatewayKey = key('g')
	workerKey  = key('w')
	alice      = &auth.Identity{Tenant: "acme", Subject: "alice", Client: "cli", Scopes: []string{"scanner:read", "scanner:scan"}, Proof: auth.ProofDPoP}
	binding    = Binding{Audience: "scanner", Method: "POST", Target: "/api/v1/scans?a=b", Digest: Digest([]byte(`{"image":"alpine"}`))}
)

func signer() *Signer { return &Signer{Name: "gateway", Key: gatewayKey, Now: at(start0)} }

func verifier() *Verifier {
	return &Verifier{Audience: "scanner", Now: at(start0), Issuers: map[string]Trust{
		"gateway": {Keys: []ed25519.PublicKey{public(key('o')), public(gatewayKey)}, Anybody: true},
		"worker":  {Keys: []ed25519.PublicKey{public(workerKey)}, Scopes: []string{"scanner:work"}, Tenants: []string{"acme"}},
		"nobody":  {Keys: []ed25519.PublicKey{public(key('n'))}},
		"other":   {Keys: []ed25519.PublicKey{public(key('x'))}, Anybody: true, Audiences: []string{"policy"}},
		"keyless": {Anybody: true, Keys: []ed25519.PublicKey{nil, {}}},
	}}
}

func sign(t testing.TB, s *Signer, id *auth.Identity, b Binding) string {
	t.Helper()
	text, err := s.Sign(id, b, "rid-1")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerify(t *testing.T) {
	got, err := verifier().Verify(sign(t, signer(), alice, binding), binding)
	if err != nil {
		t.Fatal(err)
	}
	want := &Claims{Issuer: "gateway", Audience: "scanner", Method: "POST", Target: "/api/v1/scans?a=b", Digest: hex.EncodeToString(binding.Digest[:]),
		Identity: *alice, RequestID: "rid-1", IssuedAt: start0.Unix(), Expires: start0.Unix() + 30, ID: got.ID}
	if diff := cmp.Diff(want, got); diff != "" || len(got.ID) < 26 {
		t.Error(diff, got.ID)
	}
}

// TestAlteredBits: each single bit of an envelope.
func TestAlteredBits(t *testing.T) {
	text, v := []byte(sign(t, signer(), alice, binding)), verifier()
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			if _, err := v.Verify(string(text), binding); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("byte %d, bit %d: %v", i, bit, err)
			}
			text[i] ^= 1 << bit
		}
	}
	if _, err := v.Verify(string(text), binding); err != nil {
		t.Error("as it was:", err)
	}
}

// TestAlteredAtRandom: parts of it removed, repeated, exchanged, replaced, and fields of
// the payload altered under the signature of another one.
func TestAlteredAtRandom(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	v := verifier()
	text := sign(t, signer(), alice, binding)
	other := sign(t, signer(), &auth.Identity{Tenant: "evil", Subject: "eve", Scopes: []string{"authority:admin"}}, Binding{Audience: "policy", Method: "GET", Target: "/"})
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \r\n\x00"
	for i := range n {
		b := []byte(text)
		for range 1 + r.IntN(3) {
			p, q := r.IntN(len(b)), r.IntN(len(b))
			switch p, q = min(p, q), max(p, q); r.IntN(6) {
			case 0:
				b = append(b[:p:p], b[q:]...)
			case 1:
				b = append(b[:q:q], b[p:]...)
			case 2:
				b[p] = alphabet[r.IntN(len(alphabet))]
			case 3:
				b[p], b[q] = b[q], b[p]
			case 4:
				b = append(b[:p:p], append([]byte{alphabet[r.IntN(len(alphabet))]}, b[p:]...)...)
			case 5:
				b = append(b[:p:p], other[min(p, len(other)):]...)
			}
		}
		if string(b) == text || string(b) == other {
			continue
		}
		if _, err := v.Verify(string(b), binding); err == nil {
			t.Fatalf("alteration %d was accepted: %q", i, b)
		}
	}
}

// TestForged: what is signed rightly and says something else, or by somebody else.
func TestForged(t *testing.T) {
	with := func(f func(*Claims)) string {
		c := Claims{Issuer: "gateway", Audience: "scanner", Method: "POST", Target: binding.Target, Digest: hex.EncodeToString(binding.Digest[:]),
			Identity: *alice, IssuedAt: start0.Unix(), Expires: start0.Unix() + 30, ID: "id"}
		f(&c)
		payload, err := json.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		return seal(gatewayKey, domain, string(payload))
	}
	good := with(func(*Claims) {})
	if _, err := verifier().Verify(good, binding); err != nil {
		t.Fatal(err)
	}
	raw := func(payload string) string { return seal(gatewayKey, domain, payload) }
	payload, _ := decode(strings.Split(good, ".")[1])
	for name, text := range map[string]string{
		"empty": "", "version alone": "v1.", "two parts": good[:strings.LastIndex(good, ".")], "four parts": good + ".e30", "no version": good[3:], "v2": "v2" + good[2:], "V1": "V1" + good[2:],
		"padding": good + "==", "space": good + " ", "newline in it": good[:50] + "\n" + good[50:], "no signature": good[:strings.LastIndex(good, ".")+1],
		"audience":       with(func(c *Claims) { c.Audience = "policy" }),
		"no audience":    with(func(c *Claims) { c.Audience = "" }),
		"method":         with(func(c *Claims) { c.Method = "post" }),
		"path":           with(func(c *Claims) { c.Target = "/api/v1/scans/x?a=b" }),
		"query":          with(func(c *Claims) { c.Target = "/api/v1/scans?a=c" }),
		"no query":       with(func(c *Claims) { c.Target = "/api/v1/scans" }),
		"body":           with(func(c *Claims) { c.Digest = hex.EncodeToString(make([]byte, 32)) }),
		"short digest":   with(func(c *Claims) { c.Digest = c.Digest[:62] }),
		"no digest":      with(func(c *Claims) { c.Digest = "" }),
		"long life":      with(func(c *Claims) { c.Expires++ }),
		"ends before":    with(func(c *Claims) { c.Expires = c.IssuedAt }),
		"negative":       with(func(c *Claims) { c.IssuedAt, c.Expires = -1, 20 }),
		"huge":           with(func(c *Claims) { c.IssuedAt, c.Expires = -1<<62, 1<<62 }),
		"no id":          with(func(c *Claims) { c.ID = "" }),
		"issuer":         with(func(c *Claims) { c.Issuer = "worker" }),
		"unknown issuer": with(func(c *Claims) { c.Issuer = "eve" }),
		"no issuer":      with(func(c *Claims) { c.Issuer = "" }),
		"keyless issuer": with(func(c *Claims) { c.Issuer = "keyless" }),
		"other domain":   seal(gatewayKey, "", string(payload)),
		"other key":      seal(workerKey, domain, string(payload)),
		"unknown member": raw(strings.Replace(string(payload), "{", `{"adm":true,`, 1)),
		"member twice":   raw(strings.Replace(string(payload), "{", `{"iss":"gateway",`, 1)),
		"other case":     raw(strings.Replace(string(payload), `"iss"`, `"ISS"`, 1)),
		"trailing":       raw(string(payload) + "{}"),
		"array":          raw("[]"),
		"not UTF-8":      raw(strings.Replace(string(payload), "alice", "al\xffce", 1)),
		"too long":       raw(string(payload) + strings.Repeat(" ", MaxSize)),
		"another audience": (func() string {
			s := Signer{Name: "other", Key: key('x'), Now: at(start0)}
			return sign(t, &s, alice, binding)
		})(),
	} {
		if c, err := verifier().Verify(text, binding); err == nil {
			t.Errorf("%s was accepted: %+v", name, c)
		}
	}
}

func seal(k ed25519.PrivateKey, prefix, payload string) string {
	text := version + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k, []byte(prefix+text)))
}

// TestClocks: an envelope is good from skew before its time to skew after its end.
func TestClocks(t *testing.T) {
	text := sign(t, signer(), alice, binding)
	for _, test := range []struct {
		after time.Duration
		good  bool
	}{{-time.Hour, false}, {-5*time.Second - time.Millisecond, false}, {-5 * time.Second, true}, {0, true}, {35*time.Second - time.Millisecond, true}, {35 * time.Second, false}, {time.Hour, false}} {
		v := verifier()
		v.Now = at(start0.Add(test.after))
		if _, err := v.Verify(text, binding); (err == nil) != test.good {
			t.Errorf("%v after it was signed: %v", test.after, err)
		}
	}
}

// TestLimitedIssuer: one that speaks for itself alone.
func TestLimitedIssuer(t *testing.T) {
	self := func(tenant, subject, proof string, scopes ...string) *auth.Identity {
		return &auth.Identity{Tenant: tenant, Subject: subject, Client: subject, Scopes: scopes, Proof: proof}
	}
	for name, test := range map[string]struct {
		issuer string
		seed   byte
		id     *auth.Identity
		kind   error
	}{
		"its work":          {"worker", 'w', self("", "worker", auth.ProofService, "scanner:work"), nil},
		"its tenant":        {"worker", 'w', self("acme", "worker", auth.ProofService, "scanner:work"), nil},
		"no rights":         {"worker", 'w', self("", "worker", auth.ProofService), nil},
		"other tenant":      {"worker", 'w', self("evil", "worker", auth.ProofService, "scanner:work"), ErrForbidden},
		"other right":       {"worker", 'w', self("", "worker", auth.ProofService, "scanner:work", "scanner:read"), ErrForbidden},
		"somebody else":     {"worker", 'w', self("", "alice", auth.ProofService, "scanner:work"), ErrForbidden},
		"as by a token":     {"worker", 'w', self("", "worker", auth.ProofDPoP, "scanner:work"), ErrForbidden},
		"as the gateway":    {"gateway", 'w', alice, ErrUnauthenticated},
		"nothing for empty": {"nobody", 'n', self("", "nobody", auth.ProofService, "scanner:work"), ErrForbidden},
	} {
		s := &Signer{Name: test.issuer, Key: key(test.seed), Now: at(start0)}
		if _, err := verifier().Verify(sign(t, s, test.id, binding), binding); !errors.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", name, err, test.kind)
		}
	}
}

func TestOnce(t *testing.T) {
	v, m := verifier(), &Memory{Most: 2}
	v.Once = m.Once
	one, two, three := sign(t, signer(), alice, binding), sign(t, signer(), alice, binding), sign(t, signer(), alice, binding)
	step := func(text string, want error) {
		t.Helper()
		if _, err := v.Verify(text, binding); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	wrong := binding
	wrong.Method = "GET"
	if _, err := v.Verify(one, wrong); err == nil {
		t.Error("another method")
	}
	step(one, nil)
	step(one, ErrUnauthenticated)
	step(two, nil)
	step(three, ErrUnavailable) // full: refused
	v.Now = at(start0.Add(35*time.Second - time.Millisecond))
	step(one, ErrUnauthenticated)
	v.Now = at(start0.Add(50 * time.Second))
	s := signer()
	s.Now = v.Now
	step(sign(t, s, alice, binding), nil) // the first ones are over and forgotten
}

func TestSignRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		s  *Signer
		id *auth.Identity
		b  Binding
	}{
		"no name":     {&Signer{Key: gatewayKey}, alice, binding},
		"no key":      {&Signer{Name: "gateway"}, alice, binding},
		"long life":   {&Signer{Name: "gateway", Key: gatewayKey, Life: 31 * time.Second}, alice, binding},
		"nobody":      {signer(), nil, binding},
		"no audience": {signer(), alice, Binding{Method: "GET", Target: "/"}},
		"not UTF-8":   {signer(), &auth.Identity{Subject: "\xff"}, binding},
	} {
		if _, err := test.s.Sign(test.id, test.b, ""); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := signer().Sign(&auth.Identity{Subject: strings.Repeat("x", MaxSize)}, binding, ""); !errors.Is(err, ErrLimit) {
		t.Error("too long:", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign(f, signer(), alice, binding))
	f.Add(seal(gatewayKey, domain, "{}"))
	f.Add("v1..")
	v := verifier()
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := v.Verify(text, binding); err == nil && seal(gatewayKey, domain, mustPayload(text)) != text {
			t.Errorf("%q was accepted as %+v", text, c)
		}
	})
}

func mustPayload(text string) string {
	b, _ := decode(strings.Split(text, ".")[1])
	return string(b)
}

func BenchmarkSign(b *testing.B) {
	s := signer()
	for b.Loop() {
		sign(b, s, alice, binding)
	}
}

func BenchmarkVerify(b *testing.B) {
	v, text := verifier(), sign(b, signer(), alice, binding)
	for b.Loop() {
		if _, err := v.Verify(text, binding); err != nil {
			b.Fatal(err)
		}
	}
}
