package rekor_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
)

// A log's entry about one signature proves nothing about another one.
func Example() {
	key, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))) // take a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	record := func(payload string) *rekor.Record {
		envelope, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", []byte(payload), key)
		if err != nil {
			fmt.Println(err)
		}
		return &rekor.Record{Envelope: envelope, PublicKey: key.Public().DER()}
	}

	logged, other := record(`{"fixed":true}`), record(`{"fixed":false}`)
	body, err := logged.Body()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(logged.Check(body))
	fmt.Println(errors.Is(other.Check(body), rekor.ReasonSignature))
	// Output:
	// <nil>
	// true
}
