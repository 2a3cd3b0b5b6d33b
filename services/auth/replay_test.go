package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/token"
)

// doors are n processes that answer for one origin and share a store.
func doors(w *world, n int) []*auth.Verifier {
	out := []*auth.Verifier{w.door}
	for range n - 1 {
		nonces := &dpop.Nonces{Secret: w.nonces.Secret, Audience: w.nonces.Audience, Epochs: w.store, Now: w.clock}
		out = append(out, &auth.Verifier{
			Tokens: &token.Verifier{Issuer: issuerURL, Audience: audience, Keys: w.door.Tokens.Keys, Now: w.clock},
			Proofs: &dpop.Verifier{Origins: w.door.Proofs.Origins, Replay: w.store, Nonces: nonces, Now: w.clock},
			Now:    w.clock,
		})
	}
	return out
}

// storm sends one request n times at once, to each door in turn, and counts the answers.
func storm(doors []*auth.Verifier, r *http.Request, n int, while func(i int)) (accepted int64, others map[string]int) {
	var count atomic.Int64
	var mu sync.Mutex
	others = map[string]int{}
	ready := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-ready
			if while != nil {
				while(i)
			}
			got := send(doors[i%len(doors)], r.Clone(context.Background()))
			if got.status == 200 {
				count.Add(1)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			others[fmt.Sprint(got.status, got.code)]++
		})
	}
	close(ready)
	all.Wait()
	return count.Load(), others
}

// TestReplayStorm: of 1,000 that send one proof at once, one is let in.
func TestReplayStorm(t *testing.T) {
	for round := range 3 {
		a := newAttempt()
		accepted, others := storm(doors(a.world, 3), a.request(), 1000, nil)
		if accepted != 1 || others["401"+badProof] != 999 || len(others) != 1 {
			t.Fatalf("round %d: accepted %d, others %v", round, accepted, others)
		}
		if n := a.store.news.Load(); n != 1 {
			t.Errorf("%d entries", n)
		}
	}
}

// TestReplayWhileLost: the store forgets everything, again and again, while one proof is sent
// 300 times. It is accepted once at most, and never by a nonce of before a loss.
func TestReplayWhileLost(t *testing.T) {
	asked := 0
	for round := range 10 {
		a := newAttempt()
		accepted, others := storm(doors(a.world, 3), a.request(), 300, func(i int) {
			if i%30 == round {
				a.store.lost.Add(1)
			}
		})
		if accepted > 1 {
			t.Fatalf("round %d: accepted %d times, others %v", round, accepted, others)
		}
		asked += others["401"+useNonce]
		// What was in flight before the loss is never accepted after it.
		for range 10 {
			if got := a.send(); got.status == 200 {
				t.Fatal("an old proof was accepted after a loss")
			}
		}
		a.now = a.now.Add(2 * time.Second) // a nonce may be made of an epoch that is a second old
		body("nonce", a.nonce())(a)
		body("jti", "p2")(a)
		if got := a.send(); got.status != 200 {
			t.Fatalf("a new nonce does not help: %s", got.text)
		}
	}
	if asked == 0 {
		t.Error("nobody was asked for a nonce: nothing was lost")
	}
}

// TestReplayWhileAway: while the store cannot be reached nothing is accepted.
func TestReplayWhileAway(t *testing.T) {
	a := newAttempt()
	a.store.addAway.Store(true)
	accepted, others := storm(doors(a.world, 3), a.request(), 1000, nil)
	if accepted != 0 || others["503"] != 1000 {
		t.Fatalf("accepted %d, others %v", accepted, others)
	}
	a.store.addAway.Store(false)
	a.store.epochAway.Store(true)
	accepted, others = storm(doors(a.world, 3), a.request(), 1000, nil)
	if accepted != 0 || others["503"] != 1 || others["401"+badProof] != 999 {
		t.Fatalf("accepted %d, others %v", accepted, others)
	}
}

// timed is a store by a clock of its own.
type timed struct {
	now  time.Time
	keys map[string]time.Time
}

func (s *timed) Add(_ context.Context, key string, _ []byte, ttl time.Duration) (bool, error) {
	if until, ok := s.keys[key]; ok && s.now.Before(until) {
		return false, nil
	}
	s.keys[key] = s.now.Add(ttl)
	return true, nil
}

// TestReplayAtTheEdges: a proof is remembered until no process takes its time any more, however
// far their clocks are apart within Skew. The nonce of it lives longer here than it does.
func TestReplayAtTheEdges(t *testing.T) {
	const past, future, skew = 60 * time.Second, 10 * time.Second, 5 * time.Second
	tried := 0
	for _, apart := range []time.Duration{-skew, -time.Millisecond, 0, time.Millisecond, skew} {
		for _, ahead := range []time.Duration{-past, -past + time.Millisecond, 0, future - time.Millisecond, future} {
			for _, edge := range []time.Duration{past, past + future, past + future + skew, past + future + skew + time.Second} {
				for _, ms := range []time.Duration{-1, 0, 1} {
					a := newAttempt()
					a.door.Proofs.Nonces = nil
					s := &timed{now: start, keys: map[string]time.Time{}}
					a.door.Proofs.Replay = s
					a.token.body["exp"] = start.Add(time.Hour).Unix()
					a.proof.body["iat"] = float64(start.Add(ahead).UnixMilli()) / 1000
					if got := a.send(); got.status != 200 {
						t.Fatalf("ahead %v: %s", ahead, got.text)
					}
					// Another process, whose clock is apart, sees it later.
					later := edge + ms*time.Millisecond
					s.now, a.now = start.Add(later), start.Add(later+apart)
					tried++
					if got := a.send(); got.status == 200 {
						t.Errorf("iat %v ahead, clocks %v apart: accepted again after %v", ahead, apart, later)
					}
				}
			}
		}
	}
	if tried != 300 {
		t.Errorf("tried %d", tried)
	}
}

// TestStrangersDoNotFillMemory: tokens that are not the issuer's leave nothing behind.
func TestStrangersDoNotFillMemory(t *testing.T) {
	a := newAttempt()
	a.token.key = testKeys().ec2
	for i := range 200 {
		a.token.body["jti"] = fmt.Sprint("t", i)
		a.proof.body["jti"] = fmt.Sprint("p", i)
		if got := a.send(); got.code != badToken {
			t.Fatal(got.text)
		}
	}
	if n := a.store.adds.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

// BenchmarkVerifyCached is a request whose token was seen before: one signature, of its proof.
func BenchmarkVerifyCached(b *testing.B) {
	w := newWorld()
	w.now = time.Now()
	key := must(dpop.Generate(""))
	text := must(token.Sign(&token.Claims{
		Issuer: issuerURL, Subject: "u", Audience: []string{audience}, Expires: w.now.Add(time.Hour), Issued: w.now, ID: "t", Client: "c", JKT: key.JKT(),
	}, testKeys().issuer, "i1"))
	nonce := w.nonce()
	requests := make([]*http.Request, b.N)
	for i := range requests {
		r := must(http.NewRequest("GET", "http://x"+path, nil))
		r.Header.Set("Authorization", "DPoP "+text)
		r.Header.Set("DPoP", must(key.Proof("GET", "https://api.example.org"+path, nonce, text)))
		requests[i] = r
	}
	answer := http.Header{}
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range requests {
		if _, _, err := w.door.Check(answer, r); err != nil {
			b.Fatal(err)
		}
	}
}
