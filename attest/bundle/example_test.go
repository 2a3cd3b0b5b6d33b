package bundle_test

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
)

// A signed statement travels as a bundle. Who receives it verifies the envelope
// with a key that they have; the hint only says which.
func Example() {
	key, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))) // take a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", []byte(`{"predicate":{}}`), key)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := bundle.New(envelope, nil).Encode()
	if err != nil {
		fmt.Println(err)
		return
	}

	received, err := bundle.Decode(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	trust := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}
	verified, err := trust.Verify(received.Envelope, "application/vnd.in-toto+json")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, logged %d times\n", verified.Payload, len(received.Material.Entries))
	// Output: {"predicate":{}}, logged 0 times
}
