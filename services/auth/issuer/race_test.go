package issuer_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
)

// race sends requests at once and counts those that succeed.
func (g *rig) race(n int, request func(i int) *httptest.ResponseRecorder) int {
	var good atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			if request(i).Code == 200 {
				good.Add(1)
			}
		})
	}
	close(begin)
	wg.Wait()
	return int(good.Load())
}

// TestOnce: whatever is for one use is used once, however many come at one time.
func TestOnce(t *testing.T) {
	g := newRig(t)
	const n = 50
	for range 3 {
		code, verifier := g.code()
		if got := g.race(n, func(int) *httptest.ResponseRecorder { return g.proven("/token", redeem(code, verifier)) }); got > 1 {
			t.Errorf("a code gave %d tokens", got)
		}
		code, verifier = g.code()
		refresh := text(g.granted(g.proven("/token", redeem(code, verifier))), "refresh_token")
		if got := g.race(n, func(int) *httptest.ResponseRecorder {
			return g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", refresh))
		}); got > 1 {
			t.Errorf("a refresh token gave %d tokens", got)
		}
		f := g.as("ci", "grant_type", "client_credentials")
		if got := g.race(n, func(int) *httptest.ResponseRecorder { return g.proven("/token", f) }); got != 1 {
			t.Errorf("an assertion gave %d tokens", got)
		}
		proof := g.proof("/token")
		if got := g.race(n, func(int) *httptest.ResponseRecorder {
			return g.post("/token", g.as("ci", "grant_type", "client_credentials"), "DPoP", proof)
		}); got != 1 {
			t.Errorf("a proof gave %d tokens", got)
		}
		device := members(g.post("/device_authorization", form("client_id", issuer.CLI)))
		w := g.open("/device", nil)
		w = g.submit("/device", form("page", pageOf(w), "action", "login", "user_code", text(device, "user_code"), "tenant", "acme", "login", "ann", "password", password))
		g.submit("/device", form("page", pageOf(w), "action", "allow"))
		if got := g.race(n, func(int) *httptest.ResponseRecorder {
			return g.proven("/token", form("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", issuer.CLI, "device_code", text(device, "device_code")))
		}); got != 1 {
			t.Errorf("a device code gave %d tokens", got)
		}
	}
}

// TestReuseLeavesNothing: while a family ends, nothing of it stays, whoever was first.
func TestReuseLeavesNothing(t *testing.T) {
	g := newRig(t)
	for range 10 {
		code, verifier := g.code()
		var mu sync.Mutex
		var refresh, access []string
		g.race(4, func(int) *httptest.ResponseRecorder {
			w := g.proven("/token", redeem(code, verifier))
			mu.Lock()
			defer mu.Unlock()
			if w.Code == 200 {
				refresh, access = append(refresh, text(members(w), "refresh_token")), append(access, text(members(w), "access_token"))
			}
			return w
		})
		for _, r := range refresh {
			if w := g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", r)); w.Code == 200 {
				t.Error("a refresh token of a family that was ended is good")
			}
		}
		for _, a := range access {
			if _, err := g.verify(a); err == nil {
				t.Error("an access token of a family that was ended is good")
			}
		}
	}
}

// TestRotationUnderLoad is row 42: no valid request is refused while keys rotate, and a
// verifier that reads the set as seldom as allowed knows every key in time.
func TestRotationUnderLoad(t *testing.T) {
	g := newRig(t, func(s *issuer.Server) { s.Algorithm = issuer.EdDSA })
	ctx := context.Background()
	var known, issued, rejected int
	var set = must(g.server.Keys(ctx))
	read := g.clock.Now()
	kids := map[string]bool{}
	algs := []string{issuer.ES256, issuer.EdDSA}
	var last []string
	for step := range 3000 {
		g.clock.Add(40 * time.Second)
		if step%15 == 0 { // every ten minutes: as soon as the one before signs
			k, err := g.server.Rotate(ctx, &issuer.Rotation{Algorithm: algs[step/15%2]})
			if err != nil {
				t.Fatal(err)
			}
			kids[k.ID] = true
		}
		if g.clock.Now().Sub(read) >= 5*time.Minute {
			set, read = must(g.server.Keys(ctx)), g.clock.Now()
			known++
		}
		w := g.proven("/token", g.as("ci", "grant_type", "client_credentials"))
		if w.Code != 200 {
			t.Fatalf("step %d: %d %s", step, w.Code, w.Body)
		}
		last = append(last, text(members(w), "access_token"))
		last = last[max(0, len(last)-4):] // those that hold: three minutes
		for _, a := range last {
			issued++
			v := verifierWith(g, set)
			if _, err := v.Verify(ctx, a); err != nil {
				rejected++
				t.Errorf("step %d: %v", step, err)
			}
		}
		if rejected > 3 {
			t.FailNow()
		}
	}
	if n := len(must(g.store.Keys(ctx))); n > 4 {
		t.Errorf("%d keys are left", n)
	}
	t.Logf("%d rotations, %d verifications, %d refused, %d readings of the set", len(kids), issued, rejected, known)
}

// TestRotationBeside rotates while others ask, at one moment: what they get is good.
func TestRotationBeside(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	stop := make(chan struct{})
	var rotations int
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; ; rotations++ {
			select {
			case <-stop:
				return
			default:
			}
			g.clock.Add(time.Second)
			if _, err := g.server.Rotate(ctx, nil); err != nil {
				t.Error(err)
				return
			}
			g.clock.Add(issuer.DefaultLead)
		}
	})
	good := g.race(200, func(int) *httptest.ResponseRecorder {
		for n := 0; ; n++ { // assertions and proofs get old while the clock runs ahead
			w := g.proven("/token", g.as("ci", "grant_type", "client_credentials"))
			if w.Code == 200 || w.Code >= 500 || n == 1000 {
				return w
			}
		}
	})
	close(stop)
	wg.Wait()
	if good != 200 {
		t.Errorf("%d of 200 requests were good beside %d rotations", good, rotations)
	}
}

// TestRotateNow: a key that somebody else may have is of no use as soon as it is known.
func TestRotateNow(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	before := text(g.granted(g.proven("/token", g.as("ci", "grant_type", "client_credentials"))), "access_token")
	if _, err := g.server.Rotate(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := g.server.Rotate(ctx, &issuer.Rotation{Now: true, Algorithm: issuer.EdDSA}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.verify(before); err == nil {
		t.Error("a token of the old key is good")
	}
	after := text(g.granted(g.proven("/token", g.as("ci", "grant_type", "client_credentials"))), "access_token")
	if _, err := g.verify(after); err != nil {
		t.Error(err)
	}
	if n := len(must(g.server.Keys(ctx)).Keys()); n != 1 {
		t.Errorf("%d keys are published", n)
	}
	if _, err := g.server.Rotate(ctx, &issuer.Rotation{Algorithm: "HS256"}); err == nil {
		t.Error("a symmetric key was made")
	}
}

// TestMaintain rotates when it is time, and once.
func TestMaintain(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	for range 3 {
		if err := g.server.Maintain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(must(g.store.Keys(ctx))); n != 1 {
		t.Fatalf("%d keys", n)
	}
	g.clock.Add(30*24*time.Hour - time.Minute)
	for range 3 {
		if err := g.server.Maintain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(must(g.store.Keys(ctx))); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// TestOtherSeal: keys that were sealed by another key are not used, and nothing tells why.
func TestOtherSeal(t *testing.T) {
	g := newRig(t)
	key := make([]byte, issuer.SealSize)
	s := &issuer.Server{Issuer: issuerURL, Audiences: []string{audience}, Store: g.store, Seal: [][]byte{key}, Replay: g.replay, Nonces: g.server.Nonces, Identify: identify, Now: g.clock.Now, Report: g.server.Report}
	g.server, s = s, g.server
	w := g.post("/token", form("grant_type", "client_credentials", "client_id", "dev", "client_secret", secret))
	want(t, "other seal", w, 500, "server_error")
	if len(g.reports) != 1 || !strings.Contains(g.reports[0], text(members(w), "request_id")) {
		t.Errorf("reports %q of %s", g.reports, w.Body)
	}
	g.server = &issuer.Server{Issuer: issuerURL, Audiences: []string{audience}, Store: g.store, Seal: append([][]byte{key}, s.Seal...), Replay: g.replay, Nonces: s.Nonces, Identify: identify, Now: g.clock.Now}
	g.granted(g.post("/token", form("grant_type", "client_credentials", "client_id", "dev", "client_secret", secret)))
}

// TestFlushKeepsSessions: a cache that forgot everything costs nobody a login.
func TestFlushKeepsSessions(t *testing.T) {
	g := newRig(t)
	code, verifier := g.code("scope", auth.ScannerRead)
	refresh := text(g.granted(g.proven("/token", redeem(code, verifier))), "refresh_token")
	proof := g.proof("/token")
	g.replay.flush()
	g.clock.Add(2 * time.Second)
	f := form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", refresh)
	w := g.post("/token", f, "DPoP", proof)
	want(t, "after the flush", w, 400, "use_dpop_nonce")
	nonce := w.Header().Get(dpop.NonceHeader)
	g.granted(g.post("/token", f, "DPoP", must(g.key.Proof("POST", issuerURL+"/token", nonce, ""))))
	if list := must(g.store.Revocations(context.Background(), 0, 0)); len(list) != 0 {
		t.Errorf("revoked: %v", list)
	}
}
