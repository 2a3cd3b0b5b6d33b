package key_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
)

// A key is generated, kept under a password as cosign keeps its own, and opened
// to sign.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "key")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	private, err := key.Generate(key.P256)
	if err != nil {
		log.Fatal(err)
	}
	text, err := key.Encrypt(private, []byte("correct horse"))
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "cosign.key")
	if err := key.WriteFile(path, text); err != nil {
		log.Fatal(err)
	}

	k, err := key.Open(ctx, path, &key.Options{
		Password: func(context.Context, string) ([]byte, error) { return []byte("correct horse"), nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	envelope, err := dsse.Sign(ctx, "application/vnd.example+json", []byte(`{"n":1}`), k)
	if err != nil {
		log.Fatal(err)
	}
	trust := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}
	v, err := trust.Verify(envelope, "application/vnd.example+json")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, the same bytes each time: %t\n", v.Payload, k.Deterministic())
	// Output: {"n":1}, the same bytes each time: true
}

// One key follows another; for a week both are good.
func ExampleRing() {
	old, err := key.Generate("")
	if err != nil {
		log.Fatal(err)
	}
	next, err := key.Generate("")
	if err != nil {
		log.Fatal(err)
	}
	date := func(month time.Month, day int) time.Time { return time.Date(2027, month, day, 0, 0, 0, 0, time.UTC) }
	const verdicts = "https://stella-ops.org/verdict/v1"

	ring := key.Ring{Members: []key.Member{{Key: old.Public(), From: date(1, 1), Purposes: []string{verdicts}}}}
	ring, err = ring.Rotate(key.Member{Key: next.Public(), From: date(6, 1), Purposes: []string{verdicts}}, 7*24*time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("next signs:", ring.At(date(6, 1), verdicts)[0].Key.KeyID() == next.KeyID())
	fmt.Println("old verifies:", ring.Check(old.KeyID(), date(6, 7), verdicts) == nil)
	fmt.Println("a week later:", errors.Is(ring.Check(old.KeyID(), date(6, 8), verdicts), key.RefusedLate))

	ring, err = ring.Revoke(old.KeyID(), key.Revocation{At: date(3, 1), Reason: "a laptop was stolen"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("what it signed in February:", ring.Check(old.KeyID(), date(2, 1), verdicts) == nil)
	fmt.Println("what it signed in April:", ring.Check(old.KeyID(), date(4, 1), verdicts) == nil)
	// Output:
	// next signs: true
	// old verifies: true
	// a week later: true
	// what it signed in February: true
	// what it signed in April: false
}
