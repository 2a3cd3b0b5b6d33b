package dsse_test

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
)

// Two of three must sign. What was changed on the way is refused.
func Example() {
	var keys []*dsse.PrivateKey
	trust := dsse.Trust{Threshold: 2}
	for i := range 3 {
		seed := make([]byte, ed25519.SeedSize) // take ed25519.GenerateKey for real keys
		seed[0] = byte(i)
		k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed))
		if err != nil {
			fmt.Println(err)
			return
		}
		keys = append(keys, k)
		trust.Keys = append(trust.Keys, k.Public())
	}

	const payloadType = "application/vnd.example.release+json"
	envelope, err := dsse.Sign(context.Background(), payloadType, []byte(`{"release":7}`), keys[0], keys[2])
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := envelope.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}

	received, err := dsse.Decode(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := trust.Verify(received, payloadType)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, signed by %d\n", verified.Payload, len(verified.Keys))

	received.Payload = []byte(`{"release":8}`)
	_, err = trust.Verify(received, payloadType)
	fmt.Println(err)
	// Output:
	// {"release":7}, signed by 2
	// signed by 0 of 3 trusted keys, want 2 (2 signatures)
}
