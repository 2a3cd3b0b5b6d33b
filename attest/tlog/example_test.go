package tlog_test

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
)

// A log gives a receipt, and whoever has the log's verifier key checks it offline.
func Example() {
	ctx := context.Background()
	private, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	signer, err := tlog.NewLogSigner("log.example/releases", private.Public(), private)
	if err != nil {
		panic(err)
	}
	log, err := tlog.Open(ctx, tlog.NewMem(), signer, nil)
	if err != nil {
		panic(err)
	}
	defer log.Close()
	receipt, err := log.Submit(ctx, []byte("what was released"))
	if err != nil {
		panic(err)
	}
	text, err := receipt.Encode() // travels with the entry
	if err != nil {
		panic(err)
	}

	key, err := tlog.ParseKey(signer.Key().String())
	if err != nil {
		panic(err)
	}
	policy := &tlog.Policy{Logs: []tlog.LogKey{{Key: key}}}
	read, err := tlog.DecodeReceipt(text)
	if err != nil {
		panic(err)
	}
	checked, err := policy.Verify([]byte("what was released"), read)
	if err != nil {
		panic(err)
	}
	fmt.Println("entry", checked.Index, "of", checked.Checkpoint.Origin)

	_, err = policy.Verify([]byte("something else"), read)
	fmt.Println(tlog.ReasonOf(err))
	// Output:
	// entry 0 of log.example/releases
	// wrong root
}
