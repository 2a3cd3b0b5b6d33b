package dpop_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/stella-ops/stella/services/auth/dpop"
)

// seen is the least that a verifier needs to remember proofs. It is for one process and
// forgets nothing; store/cache does both.
type seen map[string]bool

func (s seen) Add(_ context.Context, key string, _ []byte, _ time.Duration) (bool, error) {
	was := s[key]
	s[key] = true
	return !was, nil
}

// A client makes a proof, and a server accepts it once.
func Example() {
	client, err := dpop.Generate(dpop.EdDSA)
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, err := client.Proof("GET", "https://api.example.org/api/v1/scans", "", "the access token")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &dpop.Verifier{Origins: []string{"https://api.example.org"}, Replay: seen{}}
	r := httptest.NewRequest("GET", "/api/v1/scans?limit=10", nil)
	r.Header.Set(dpop.Header, proof)
	for range 2 {
		p, err := server.Check(r)
		if err == nil {
			// client.JKT() stands for what the token says.
			err = p.Bound("the access token", client.JKT())
		}
		if err == nil {
			err = server.Record(r.Context(), p)
		}
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// DPoP: it was used before
}
