package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/jwks"
)

func key(t testing.TB, id string) jwks.Key {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwks.Key{ID: id, Algorithm: "EdDSA", Public: pub}
}

func set(t testing.TB, ids ...string) *jwks.Set {
	var keys []jwks.Key
	for _, id := range ids {
		keys = append(keys, key(t, id))
	}
	s, err := jwks.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	ed  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	ec  = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`
	enc = `{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}`
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		ids        string // of what is read; "-" for a refusal
	}{
		{"two", `{"keys":[` + ed + `,"kid":"a"},` + ec + `,"kid":"b","use":"sig","alg":"ES256"}]}`, "a b"},
		{"empty", `{"keys":[]}`, ""},
		{"other members", `{"keys":[` + ed + `,"kid":"a","x5c":["AA"],"iat":1}],"issuer":"x"}`, "a"},
		{"no id", `{"keys":[` + ed + `}]}`, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		{"a key for encryption is left out", `{"keys":[` + ed + `,"kid":"a","use":"enc"},` + ec + `,"kid":"b"}]}`, "b"},
		{"a key of another kind is left out", `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"},` + ec + `,"kid":"b"}]}`, "b"},
		{"a key of another curve is left out", `{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"},` + ec + `,"kid":"b"}]}`, "b"},
		{"a key of another algorithm is left out", `{"keys":[` + ec + `,"alg":"ECDH-ES"},` + ec + `,"kid":"b"}]}`, "b"},
		{"verify among the operations", `{"keys":[` + ec + `,"kid":"b","key_ops":["verify"]}]}`, "b"},
		{"an RSA key for encryption is left out", `{"keys":[` + enc + `,` + ec + `,"kid":"b"}]}`, "b"},
		{"an id twice", `{"keys":[` + ed + `,"kid":"a"},` + ec + `,"kid":"a"}]}`, "-"},
		{"a key twice without an id", `{"keys":[` + ed + `},` + ed + `}]}`, "-"},
		{"private", `{"keys":[` + ed + `,"d":"AA"}]}`, "-"},
		{"private beside a good one", `{"keys":[` + ec + `,"kid":"b"},` + ed + `,"d":"AA"}]}`, "-"},
		{"symmetric", `{"keys":[{"kty":"oct","k":"AA"}]}`, "-"},
		{"no kty", `{"keys":[{"kid":"a"}]}`, "-"},
		{"no point", `{"keys":[` + strings.Replace(ec, "f83O", "f83P", 1) + `}]}`, "-"},
		{"weak RSA", `{"keys":[{"kty":"RSA","n":"` + strings.Repeat("_", 171) + `","e":"AQAB"}]}`, "-"},
		{"empty id", `{"keys":[` + ed + `,"kid":""}]}`, "-"},
		{"number as id", `{"keys":[` + ed + `,"kid":1}]}`, "-"},
		{"huge id", `{"keys":[` + ed + `,"kid":"` + strings.Repeat("k", 300) + `"}]}`, "-"},
		{"member twice", `{"keys":[` + ed + `,"kid":"a","kid":"b"}]}`, "-"},
		{"keys twice", `{"keys":[],"keys":[]}`, "-"},
		{"KEYS", `{"keys":[],"KEYS":[]}`, "-"},
		{"no keys", `{}`, "-"},
		{"keys null", `{"keys":null}`, "-"},
		{"keys an object", `{"keys":{}}`, "-"},
		{"a list", `[]`, "-"},
		{"null in keys", `{"keys":[null]}`, "-"},
		{"a page", `<html>`, "-"},
		{"over 64 KiB", `{"keys":[],"pad":"` + strings.Repeat("x", jwks.MaxBytes) + `"}`, "-"},
		{"over 64 keys", `{"keys":[` + strings.Repeat(`{"kty":"x"},`, 64) + `{"kty":"x"}]}`, "-"},
	} {
		s, err := jwks.Parse([]byte(c.text))
		if c.ids == "-" {
			if !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Limit) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var ids []string
		for _, k := range s.Keys() {
			ids = append(ids, k.ID)
		}
		if got := strings.Join(ids, " "); got != c.ids {
			t.Errorf("%s: %q, want %q", c.name, got, c.ids)
		}
		back, err := jwks.Parse(s.Marshal())
		if err != nil || string(back.Marshal()) != string(s.Marshal()) {
			t.Errorf("%s: written as %s: %v", c.name, s.Marshal(), err)
		}
	}
}

func TestNew(t *testing.T) {
	a := key(t, "a")
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for name, keys := range map[string][]jwks.Key{
		"twice": {a, a}, "another curve": {{ID: "a", Public: p384.Public()}}, "none": {{ID: "a"}}, "another algorithm": {{ID: "a", Algorithm: "ES256", Public: a.Public}},
		"symmetric": {{ID: "a", Public: crypto.PublicKey([]byte("secret"))}},
	} {
		if _, err := jwks.New(keys...); !errors.Is(err, jwks.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := jwks.New(make([]jwks.Key, jwks.MaxKeys+1)...); !errors.Is(err, jwks.ErrLimit) {
		t.Errorf("too many: %v", err)
	}
	var none *jwks.Set
	if _, ok := none.Lookup("a"); ok || string(none.Marshal()) != `{"keys":[]}` {
		t.Errorf("nil is no empty set: %s", none.Marshal())
	}
	b := a
	if b.ID = "b"; a.Same(b) || !a.Same(a) || a.Same(key(t, "a")) || (jwks.Key{}).Same(jwks.Key{}) {
		t.Error("Same")
	}
}

func TestLocal(t *testing.T) {
	s := set(t, "a")
	var err error
	l := jwks.Local(func(context.Context) (*jwks.Set, error) { return s, err })
	if k, err := l.Key(t.Context(), "a"); err != nil || k.ID != "a" {
		t.Errorf("%+v %v", k, err)
	}
	if _, err := l.Key(t.Context(), "b"); !errors.Is(err, jwks.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	err = fault.Invalid
	if _, err := l.Key(t.Context(), "a"); fault.KindOf(err) != fault.Invalid && !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
}

// issuer answers requests for a set.
type issuer struct {
	mu     sync.Mutex
	body   string
	status int
	err    error
	asked  atomic.Int64
	hold   chan struct{}
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	if i.hold != nil {
		select {
		case <-i.hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return nil, i.err
	}
	return &http.Response{StatusCode: i.status, Body: io.NopCloser(strings.NewReader(i.body)), Header: http.Header{}}, nil
}

func (i *issuer) set(s *jwks.Set, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.err = 200, err
	if s != nil {
		i.body = string(s.Marshal())
	}
}

type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(1_800_000_000, c.ns.Load()) }
func (c *clock) after(d time.Duration) { c.ns.Add(int64(d)) }

func remote(i *issuer) (*jwks.Remote, *clock) {
	c := &clock{}
	return &jwks.Remote{URL: "https://id.example.org/jwks", Transport: i, Now: c.now}, c
}

// settle waits until a request that runs in the background has ended.
func settle(t *testing.T, r *jwks.Remote, i *issuer, asked int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); i.asked.Load() < asked; {
		if time.Now().After(end) {
			t.Fatalf("asked %d times, want %d", i.asked.Load(), asked)
		}
		time.Sleep(time.Millisecond)
	}
	r.Key(t.Context(), "nobody") // waits for what runs
}

// TestRemote is row 42: overlap, one request for unknown ids in 30 s, and an issuer that is
// away.
func TestRemote(t *testing.T) {
	i := &issuer{}
	r, c := remote(i)
	first := set(t, "a")
	i.set(first, nil)
	ask := func(id string) error { _, err := r.Key(t.Context(), id); return err }
	step := func(what string, err, want error, asked int64) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if n := i.asked.Load(); n != asked && asked >= 0 { // less where a request may be on its way
			t.Errorf("%s: asked %d times, want %d", what, n, asked)
		}
	}
	step("first", ask("a"), nil, 1)
	for n := range 1000 {
		step("unknown ids", ask(fmt.Sprint("x", n)), jwks.ErrNotFound, 1)
	}
	// The issuer has a new key: it is there within 30 s, for whoever asks first.
	both, _ := jwks.New(append(first.Keys(), key(t, "b"))...)
	i.set(both, nil)
	c.after(30*time.Second - 1)
	step("a new key, too early", ask("b"), jwks.ErrNotFound, 1)
	c.after(1)
	step("a new key", ask("b"), nil, 2)
	step("the old key in the overlap", ask("a"), nil, 2)
	// The old one is taken away: it is known for Refresh at most.
	only, _ := jwks.New(both.Keys()[1])
	i.set(only, nil)
	c.after(jwks.DefaultRefresh - 1)
	step("the old key before Refresh", ask("a"), nil, 2)
	c.after(1)
	ask("b")
	settle(t, r, i, 3)
	step("the old key after Refresh", ask("a"), jwks.ErrNotFound, 3)
	// The issuer is away: the last set is used until it is MaxAge old.
	i.set(nil, errors.New("connection refused"))
	c.after(jwks.DefaultRefresh)
	step("away", ask("b"), nil, -1)
	settle(t, r, i, 4)
	step("an unknown id while away", ask("c"), jwks.ErrUnavailable, -1)
	if r.Failure() == nil {
		t.Error("no failure is told")
	}
	c.after(jwks.DefaultMaxAge - jwks.DefaultRefresh - 1)
	step("away for long", ask("b"), nil, -1)
	settle(t, r, i, 5)
	c.after(1)
	step("away for too long", ask("b"), jwks.ErrUnavailable, -1)
	i.set(only, nil)
	c.after(time.Second)
	step("back", ask("b"), nil, -1)
	if r.Failure() != nil {
		t.Error("a failure is told that is over")
	}
}

func TestRemoteRefuses(t *testing.T) {
	good := set(t, "a")
	for name, edit := range map[string]func(r *jwks.Remote, i *issuer){
		"http":         func(r *jwks.Remote, _ *issuer) { r.URL = "http://id.example.org/jwks" },
		"file":         func(r *jwks.Remote, _ *issuer) { r.URL, r.Insecure = "file:///etc/passwd", true },
		"a password":   func(r *jwks.Remote, _ *issuer) { r.URL = "https://u:p@id.example.org/jwks" },
		"no host":      func(r *jwks.Remote, _ *issuer) { r.URL = "https:///jwks" },
		"no transport": func(r *jwks.Remote, _ *issuer) { r.Transport = nil },
		"404":          func(_ *jwks.Remote, i *issuer) { i.status = 404 },
		"a redirect":   func(_ *jwks.Remote, i *issuer) { i.status = 302 },
		"500":          func(_ *jwks.Remote, i *issuer) { i.status = 500 },
		"huge":         func(_ *jwks.Remote, i *issuer) { i.body += strings.Repeat(" ", 1<<20) },
		"an id twice": func(_ *jwks.Remote, i *issuer) {
			i.body = `{"keys":[` + ed + `,"kid":"a"},` + ec + `,"kid":"a"}]}`
		},
		"symmetric": func(_ *jwks.Remote, i *issuer) { i.body = `{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}` },
		"never":     func(r *jwks.Remote, i *issuer) { i.hold, r.Timeout = make(chan struct{}), 20*time.Millisecond },
	} {
		i := &issuer{}
		i.set(good, nil)
		r, _ := remote(i)
		edit(r, i)
		if _, err := r.Key(t.Context(), "a"); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := &issuer{}
	i.set(good, nil)
	r, _ := remote(i)
	r.URL, r.Insecure = "http://localhost/jwks", true
	if _, err := r.Key(t.Context(), "a"); err != nil {
		t.Errorf("http where it is allowed: %v", err)
	}
}

// TestRemoteTogether: any number of callers are one request, and who gives up does not end it.
func TestRemoteTogether(t *testing.T) {
	i := &issuer{hold: make(chan struct{})}
	i.set(set(t, "a"), nil)
	r, _ := remote(i)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Key(gone, "a"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("a caller that gave up: %v", err)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := r.Key(t.Context(), "a"); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	close(i.hold)
	all.Wait()
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestRotation: 1,000 rotations, each key published Refresh before it signs: no key that signs is
// ever unknown, and none is known for longer than Refresh after it was taken away.
func TestRotation(t *testing.T) {
	i := &issuer{}
	r, c := remote(i)
	keys := []jwks.Key{key(t, "0"), key(t, "1")}
	publish := func() {
		s, err := jwks.New(keys...)
		if err != nil {
			t.Fatal(err)
		}
		i.set(s, nil)
	}
	publish()
	for n := 1; n <= 1000; n++ {
		// Key n was published a while ago and signs from now on; the next is published.
		keys = append(keys[max(0, len(keys)-2):], key(t, fmt.Sprint(n+1)))
		publish()
		for range 3 {
			if _, err := r.Key(t.Context(), fmt.Sprint(n)); err != nil {
				t.Fatalf("rotation %d: %v", n, err)
			}
			c.after(jwks.DefaultRefresh / 2)
		}
		settle(t, r, i, 0)
		if n > 3 {
			if _, err := r.Key(t.Context(), fmt.Sprint(n-3)); !errors.Is(err, jwks.ErrNotFound) {
				t.Fatalf("rotation %d: a key of long ago: %v", n, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[` + ed + `,"kid":"a"},` + ec + `}]}`))
	f.Add([]byte(`{"keys":[` + enc + `]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := jwks.Parse(text)
		if err != nil {
			return
		}
		back, err := jwks.Parse(s.Marshal())
		if err != nil || string(back.Marshal()) != string(s.Marshal()) {
			t.Fatalf("%s: %v", s.Marshal(), err)
		}
	})
}
