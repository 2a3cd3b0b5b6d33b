package sigstoretest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
)

// What an instance signs is good for its trust root, until a log's key is taken out
// of it for the time.
func Example() {
	ctx := context.Background()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	instance, err := sigstoretest.New(at)
	if err != nil {
		log.Fatal(err)
	}
	statement := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}}],"predicateType":"https://stella.test/p","predicate":{}}`
	bundle, err := instance.Sign(ctx, "alice@stella.test", intoto.PayloadType, []byte(statement))
	if err != nil {
		log.Fatal(err)
	}
	text, err := bundle.Encode()
	if err != nil {
		log.Fatal(err)
	}
	root, err := instance.TrustRoot()
	if err != nil {
		log.Fatal(err)
	}
	for _, until := range []time.Time{{}, at.Add(-time.Second)} {
		root.Logs[0].Until = until
		v, err := sigstore.NewVerifier(root, nil)
		if err != nil {
			log.Fatal(err)
		}
		verified, err := v.VerifyBundle(ctx, text)
		if err != nil {
			fmt.Println(sigstore.ReasonOf(err))
			continue
		}
		fmt.Println(verified.Keys)
	}
	// Output:
	// [sigstore:https://issuer.stella.test|alice@stella.test]
	// log key outside validity
}
