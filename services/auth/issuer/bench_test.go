package issuer_test

import "testing"

// BenchmarkToken is a service that gets a token: an assertion and a proof are verified,
// the token is signed. Making both is in it.
func BenchmarkToken(b *testing.B) {
	g := newRig(b)
	for b.Loop() {
		g.granted(g.proven("/token", g.as("ci", "grant_type", "client_credentials")))
	}
}
