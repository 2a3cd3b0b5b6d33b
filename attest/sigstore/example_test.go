package sigstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
)

// A bundle is verified against the file of a trust root, for an image, and for who
// may have signed. Here an instance in the process signed it.
func Example() {
	ctx := context.Background()
	bundle, file, err := sign(ctx, "alice@stella.test")
	if err != nil {
		log.Fatal(err)
	}

	root, err := sigstore.ParseTrustRoot(file)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := sigstore.NewVerifier(root, nil)
	if err != nil {
		log.Fatal(err)
	}
	artifact := &sigstore.Artifact{Digest: image}
	result, err := verifier.Verify(ctx, bundle, artifact, &sigstore.Policy{
		Identities: []sigstore.Identity{{Issuer: "https://issuer.stella.test", Subject: "alice@stella.test"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Subject, "at", result.Times[0].At.Format(time.RFC3339), "in", result.Entries[0].Log)

	_, err = verifier.Verify(ctx, bundle, artifact, &sigstore.Policy{
		Identities: []sigstore.Identity{{Issuer: "https://issuer.stella.test", Subject: "bob@stella.test"}},
	})
	fmt.Println(sigstore.ReasonOf(err))

	// Output:
	// alice@stella.test at 2026-11-01T12:00:00Z in https://log.stella.test
	// identity
}

// sign returns a bundle and the trust root of the instance that it is of.
func sign(ctx context.Context, subject string) (text, file []byte, err error) {
	instance, err := sigstoretest.New(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, nil, err
	}
	b, err := instance.Sign(ctx, subject, intoto.PayloadType, payload)
	if err != nil {
		return nil, nil, err
	}
	root, err := instance.TrustRoot()
	if err != nil {
		return nil, nil, err
	}
	if text, err = b.Encode(); err != nil {
		return nil, nil, err
	}
	file, err = root.Encode()
	return text, file, err
}
