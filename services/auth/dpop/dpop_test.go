package dpop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/store/cache"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const target = "https://api.example.org/api/v1/scans"

func newVerifier(t testing.TB) (*Verifier, *cache.Cache) {
	c := cache.New(cache.NewMem(cache.MemLimits{}))
	t.Cleanup(func() { c.Close() })
	now := func() time.Time { return start }
	return &Verifier{
		Origins: []string{"https://api.example.org"}, Replay: c, Now: now,
		Nonces: &Nonces{Secret: make([]byte, MinSecret), Audience: "rs", Epochs: c, Now: now},
	}, c
}

func request(proof string) *http.Request {
	r := httptest.NewRequest("POST", "/api/v1/scans?a=b", nil)
	r.Header.Set(Header, proof)
	return r
}

func newKey(t testing.TB, alg string) *Key {
	k, err := Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	k.Now = func() time.Time { return start }
	return k
}

func TestProof(t *testing.T) {
	v, _ := newVerifier(t)
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	device, err := NewKey(r)
	if err != nil {
		t.Fatal(err)
	}
	device.Now = func() time.Time { return start }
	for _, k := range []*Key{newKey(t, ""), newKey(t, ES256), newKey(t, EdDSA), device} {
		nonce, err := v.Nonces.Issue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := k.Proof("POST", "HTTPS://api.example.org:443/api/v1/scans?q=1#f", nonce, "token")
		if err != nil {
			t.Fatal(err)
		}
		p, err := v.Check(request(text))
		if err != nil {
			t.Fatal(err)
		}
		if p.JKT != k.JKT() || p.URL != target || p.Method != "POST" || !p.Issued.Equal(start) || p.Nonce != nonce || len(p.ID) < 22 {
			t.Errorf("%+v", p)
		}
		again, err := NewKey(k.Signer())
		if err != nil || again.JKT() != k.JKT() {
			t.Errorf("kept and taken up: %v", err)
		}
		for _, b := range []struct{ token, jkt, code string }{
			{"token", k.JKT(), ""}, {"token", "", CodeToken}, {"token", "x", CodeToken}, {"token", k.JKT() + "=", CodeToken}, {"token2", k.JKT(), CodeInvalid}, {"", k.JKT(), CodeInvalid}, {"", "", CodeInvalid},
		} {
			if err := p.Bound(b.token, b.jkt); codeOf(err) != b.code {
				t.Errorf("%+v: %v", b, err)
			}
		}
		if err := v.Record(t.Context(), p); err != nil {
			t.Error(err)
		}
		if err := v.Record(t.Context(), p); codeOf(err) != CodeInvalid {
			t.Errorf("the second time: %v", err)
		}
	}
}

func codeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestWithoutToken: at a token endpoint a proof has no ath, and goes with no token.
func TestWithoutToken(t *testing.T) {
	v, _ := newVerifier(t)
	k := newKey(t, "")
	nonce, _ := v.Nonces.Issue(t.Context())
	text, _ := k.Proof("POST", target, nonce, "")
	p, err := v.Check(request(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Bound("token", k.JKT()); codeOf(err) != CodeInvalid {
		t.Errorf("a proof of the token endpoint goes with a token: %v", err)
	}
	if err := v.Record(t.Context(), p); err != nil {
		t.Error(err)
	}
}

func TestKeysAndProofsThatAreNot(t *testing.T) {
	if _, err := Generate("RS256"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if _, err := NewKey(p384); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
	k := newKey(t, "")
	for _, c := range [][2]string{{"", target}, {"GET", ""}, {"GET", "/a"}, {"GET", "ftp://a/"}, {"GET", "https://u:p@a/"}} {
		if _, err := k.Proof(c[0], c[1], "", ""); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	v, _ := newVerifier(t)
	v.Nonces = nil
	v.Origins = []string{"https://api.example.org/base/", "http://127.0.0.1:8080", "not a URL", "https://api.example.org?x"}
	k := newKey(t, "")
	for htu, ok := range map[string]bool{
		"https://api.example.org/base/a": true, "http://127.0.0.1:8080/a": true, "https://api.example.org/a": true, "https://127.0.0.1:8080/a": false, "http://127.0.0.1/a": false,
		"https://api.example.org/based/a": false, "https://api.example.org/base//a": false, "https://api.example.org/base": false,
	} {
		text, _ := k.Proof("GET", htu, "", "")
		if _, err := v.CheckProof(text, "GET", "/a"); (err == nil) != ok {
			t.Errorf("%s: %v", htu, err)
		}
	}
	text, _ := k.Proof("GET", "https://api.example.org/x", "", "")
	if _, err := v.CheckProof(text, "GET", "/../x"); err != nil {
		t.Errorf("dot segments of a request: %v", err)
	}
	v.Origins = v.Origins[:1]
	if _, err := v.CheckProof(text, "GET", "/../x"); err == nil {
		t.Error("dot segments lead out of the base")
	}
	for _, path := range []string{"*", "a", "/%zz", "/é"} {
		if _, err := v.CheckProof(text, "GET", path); codeOf(err) != CodeInvalid {
			t.Errorf("path %q: %v", path, err)
		}
	}
	v.Origins = nil
	if _, err := v.CheckProof(text, "GET", "/x"); codeOf(err) != CodeInvalid {
		t.Errorf("without an origin: %v", err)
	}
}

// TestChangedNonce is row 15: each bit of a nonce counts.
func TestChangedNonce(t *testing.T) {
	v, _ := newVerifier(t)
	nonce, _ := v.Nonces.Issue(t.Context())
	if err := v.Nonces.check(nonce); err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	changed := 0
	for i := range nonce {
		at := strings.IndexByte(alphabet, nonce[i])
		for bit := range 6 {
			other := nonce[:i] + string(alphabet[at^1<<bit]) + nonce[i+1:]
			changed++
			if v.Nonces.check(other) == nil {
				t.Errorf("%q passes for %q", other, nonce)
			}
		}
	}
	if changed != 55*6 {
		t.Errorf("%d nonces were tried", changed)
	}
	// Without the secret nothing can be said about the next one.
	other := &Nonces{Secret: []byte(strings.Repeat("x", MinSecret)), Audience: "rs", Epochs: v.Nonces.Epochs, Now: v.Now}
	theirs, _ := other.Issue(t.Context())
	if same := commonTail(nonce, theirs); same > 4 {
		t.Errorf("nonces of two secrets share %d characters at their end", same)
	}
}

func commonTail(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

func TestNoncesUnready(t *testing.T) {
	v, c := newVerifier(t)
	good, _ := v.Nonces.Issue(t.Context())
	for name, n := range map[string]*Nonces{
		"zero": {}, "no secret": {Epochs: c}, "a short secret": {Epochs: c, Secret: make([]byte, MinSecret-1)}, "no epochs": {Secret: make([]byte, MinSecret)},
		"a store that is away": {Secret: make([]byte, MinSecret), Epochs: epochs(func() (string, error) { return "", fault.Invalid })},
		"an empty epoch":       {Secret: make([]byte, MinSecret), Epochs: epochs(func() (string, error) { return "", nil })},
	} {
		if _, err := n.Issue(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: issue: %v", name, err)
		}
		if err := n.check(good); codeOf(err) != CodeNonce {
			t.Errorf("%s: check: %v", name, err)
		}
		if err := n.confirm(t.Context(), good); err == nil {
			t.Errorf("%s: confirm", name)
		}
		if n.Next(t.Context(), good) != "" {
			t.Errorf("%s: next", name)
		}
	}
}

type epochs func() (string, error)

func (e epochs) Epoch(context.Context) (string, error) { return e() }

// TestEpochAfterAdd: an answer that was on its way when somebody asked is not theirs.
func TestEpochAfterAdd(t *testing.T) {
	var asked atomic.Int64
	hold := make(chan struct{})
	from := epochs(func() (string, error) {
		n := asked.Add(1)
		if n == 1 {
			<-hold
		}
		return fmt.Sprint(n), nil
	})
	var calls epochCalls
	first := make(chan string, 1)
	go func() { e, _ := calls.ask(t.Context(), from); first <- e }()
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var all sync.WaitGroup
	late := make(chan string, 100)
	for range 100 {
		all.Go(func() { e, _ := calls.ask(t.Context(), from); late <- e })
	}
	for { // all of them wait behind the first
		calls.mu.Lock()
		waiting := calls.next != nil
		calls.mu.Unlock()
		if waiting {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(hold)
	all.Wait()
	close(late)
	if e := <-first; e != "1" {
		t.Errorf("the first got %s", e)
	}
	for e := range late {
		if e == "1" {
			t.Fatal("an answer of before it asked")
		}
	}
	if n := asked.Load(); n > 101 || n < 2 {
		t.Errorf("asked %d times", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	end := make(chan struct{})
	defer close(end)
	stuck := epochs(func() (string, error) { <-end; return "", nil })
	if _, err := new(epochCalls).ask(gone, stuck); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v", err)
	}
}

func TestKeep(t *testing.T) {
	for _, v := range []*Verifier{{}, {Past: time.Second, Future: time.Minute, Skew: time.Hour}} {
		if got, least := v.keep(), v.past()+v.future()+v.Skew+time.Second; got < least {
			t.Errorf("kept for %v, at least %v", got, least)
		}
	}
	if got := (&Verifier{}).keep(); got != 76*time.Second {
		t.Errorf("kept for %v", got)
	}
}

// FuzzProof: nothing panics, and what is taken was signed by the key that it names.
func FuzzProof(f *testing.F) {
	v, _ := newVerifier(f)
	v.Nonces = nil
	for _, alg := range []string{ES256, EdDSA} {
		text, _ := newKey(f, alg).Proof("GET", target, "n", "t")
		f.Add(text)
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := v.CheckProof(text, "GET", "/api/v1/scans")
		if err != nil {
			if codeOf(err) != CodeInvalid {
				t.Fatalf("%v", err)
			}
			return
		}
		m, err := jws.Parse(text, v.AlgorithmList())
		if err != nil || m.Verify(*m.Header.Key) != nil || p.URL != target {
			t.Fatal("taken, and not signed")
		}
	})
}

func BenchmarkVerifyProof(b *testing.B) {
	for _, alg := range []string{ES256, EdDSA} {
		b.Run(alg, func(b *testing.B) {
			v, _ := newVerifier(b)
			nonce, _ := v.Nonces.Issue(b.Context())
			text, _ := newKey(b, alg).Proof("POST", target, nonce, "token")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.CheckProof(text, "POST", "/api/v1/scans"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuseWithoutNonce is what somebody costs who has no nonce.
func BenchmarkRefuseWithoutNonce(b *testing.B) {
	v, _ := newVerifier(b)
	text, _ := newKey(b, ES256).Proof("POST", target, "", "token")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.CheckProof(text, "POST", "/api/v1/scans"); codeOf(err) != CodeNonce {
			b.Fatal(err)
		}
	}
}
