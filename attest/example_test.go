package attest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/tlog"
)

// A statement is signed, logged, and checked by somebody who has the trust root alone.
func Example() {
	ctx := context.Background()
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return at }
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}

	// A signing key, and a log with a key of its own, both made here.
	signing, err := key.Generate(key.P256)
	must(err)
	logging, err := key.Generate(key.Ed25519)
	must(err)
	logSigner, err := tlog.NewLogSigner("log.example/2026", logging.Public(), logging)
	must(err)
	transparency, err := tlog.Open(ctx, tlog.NewMem(), logSigner, nil)
	must(err)
	defer transparency.Close()

	// Whom to believe, as a file that is handed out once.
	root := &attest.Root{
		Keys: key.Ring{Members: []key.Member{{Key: signing.Public(), From: at.AddDate(0, -1, 0), To: at.AddDate(1, 0, 0), Purposes: []string{intoto.PredicateSPDX}}}},
		Logs: tlog.Policy{Logs: []tlog.LogKey{{Key: transparency.Key()}}},
	}

	// The statement, its signature, and the log's receipt.
	subject, err := intoto.NewSubject("example/app", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
	must(err)
	statement := &intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{subject}, PredicateType: intoto.PredicateSPDX, Predicate: []byte(`{"spdxVersion":"SPDX-2.3"}`)}
	payload, err := statement.Encode()
	must(err)
	envelope, err := dsse.Sign(ctx, intoto.PayloadType, payload, signing)
	must(err)
	text, err := envelope.Encode()
	must(err)
	memory := &attest.Memory{Now: clock}
	attestor := &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return root.Trust(nil), nil },
		Stores:  func(string) (attest.Store, error) { return memory, nil },
		Objects: func(string) (attest.Objects, error) { return memory, nil },
		Log:     &attest.Embedded{Log: transparency}, Now: clock,
	}
	_, bundle, err := attestor.Attest(ctx, "acme", text, &attest.AttestOptions{Logged: true})
	must(err)
	file, err := bundle.Encode()
	must(err)

	// Years later, elsewhere, without a network.
	verifier := &attest.Verifier{Trust: *root.Trust(nil)}
	want := &attest.Expectation{At: at, Predicates: []string{"https://spdx.dev/Document"}, Subjects: []string{subject.Secure()[0]}, Logged: true}
	verified, err := verifier.Verify(ctx, file, want)
	must(err)
	fmt.Println("logged as entry", verified.Logged[0].Index, "of", verified.Logged[0].Origin)

	file[len(file)/2] ^= 1
	_, err = verifier.Verify(ctx, file, want)
	fmt.Println("one bit of it changed:", err != nil, attest.Code(err) != "")
	want.At = at.AddDate(2, 0, 0)
	file[len(file)/2] ^= 1
	_, err = verifier.Verify(ctx, file, want)
	fmt.Println("after the key's time, without a timestamp:", attest.Code(err))
	// Output:
	// logged as entry 0 of log.example/2026
	// one bit of it changed: true true
	// after the key's time, without a timestamp: key/key no longer valid
}
