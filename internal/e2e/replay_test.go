package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/cache"
	_ "github.com/stella-ops/stella/store/cache/valkeycache"
)

const (
	replayIssuer = "https://authority.test"
	replayOrigin = "https://api.test"
)

// replayDoors are three doors of one origin, each with connections of its own to one Valkey,
// and a request that they let in.
type replayDoors struct {
	testing.TB
	doors  []*auth.Verifier
	bound  *dpop.Key
	access string
}

func newReplayDoors(t *testing.T, url string) *replayDoors {
	t.Helper()
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.New(jwks.Key{ID: "k", Algorithm: "ES256", Public: signing.Public()})
	if err != nil {
		t.Fatal(err)
	}
	d := &replayDoors{TB: t}
	if d.bound, err = dpop.Generate("ES256"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	d.access, err = token.Sign(&token.Claims{Issuer: replayIssuer, Subject: "ann", Audience: []string{replayOrigin}, ID: "1", Client: "c", Tenant: "acme", Scopes: []string{"scanner:read"},
		Issued: now, Expires: now.Add(5 * time.Minute), JKT: d.bound.JKT()}, signing, "k")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := cache.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		d.doors = append(d.doors, &auth.Verifier{
			Tokens: &token.Verifier{Issuer: replayIssuer, Audience: replayOrigin, Keys: set},
			Proofs: &dpop.Verifier{Origins: []string{replayOrigin}, Replay: c, Nonces: &dpop.Nonces{Secret: make([]byte, 32), Audience: replayOrigin, Epochs: c}},
		})
	}
	return d
}

// request makes one with a fresh proof.
func (d *replayDoors) request() *http.Request {
	d.Helper()
	nonce, err := d.doors[0].Proofs.Nonces.Issue(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	proof, err := d.bound.Proof("GET", replayOrigin+"/api/v1/scans", nonce, d.access)
	if err != nil {
		d.Fatal(err)
	}
	r, err := http.NewRequest("GET", replayOrigin+"/api/v1/scans", nil)
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Authorization", "DPoP "+d.access)
	r.Header.Set("DPoP", proof)
	return r
}

// storm sends a request many times at once, and says how often it was let in. while is called
// by each sender before it sends.
func (d *replayDoors) storm(r *http.Request, n int, while func(i int)) int64 {
	var in atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if while != nil {
				while(i)
			}
			if _, _, err := d.doors[i%len(d.doors)].Check(nil, r.Clone(context.Background())); err == nil {
				in.Add(1)
			}
		})
	}
	all.Wait()
	return in.Load()
}

// TestReplaysValkey: of a thousand that present one proof at once to three doors that share a
// Valkey, one is let in; also while the Valkey loses everything, and never afterwards.
func TestReplaysValkey(t *testing.T) {
	s := servers.StartValkey(t)
	d := newReplayDoors(t, s.URL+"?prefix=replay")
	direct := servers.ValkeyClient(t, s.URL)
	if got := d.storm(d.request(), 1000, nil); got != 1 {
		t.Errorf("one proof was accepted %d times", got)
	}
	for range 5 {
		old := d.request()
		if got := d.storm(old, 300, func(i int) {
			if i == 150 {
				if err := direct.FlushAll(context.Background()).Err(); err != nil {
					t.Error(err)
				}
			}
		}); got > 1 {
			t.Errorf("one proof was accepted %d times while everything was lost", got)
		}
		if got := d.storm(old, 50, nil); got != 0 {
			t.Errorf("a proof from before the loss was accepted %d times", got)
		}
		back := false // a door may hand out a nonce of before once more, and asks for another one
		for end := time.Now().Add(10 * time.Second); !back && time.Now().Before(end); {
			back = d.storm(d.request(), 1, nil) == 1
		}
		if got := d.storm(d.request(), 50, nil); got != 1 || !back {
			t.Errorf("after the loss a fresh proof was accepted %d times", got)
		}
	}
	waiting := d.request()
	s.Kill(t)
	if got := d.storm(waiting, 50, nil); got != 0 {
		t.Errorf("without a Valkey a proof was accepted %d times", got)
	}
}
