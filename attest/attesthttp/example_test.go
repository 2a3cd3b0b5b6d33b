package attesthttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
)

// notary has one key, and a scan of which it keeps an SBOM.
type notary struct {
	key  *key.Key
	kept attest.Memory
}

func (n *notary) Current(context.Context, string, string) (string, error) { return n.key.KeyID(), nil }

func (n *notary) Key(context.Context, string, string, string) (attest.Key, error) { return n.key, nil }

func (n *notary) Fact(_ context.Context, scanID, predicateType, _ string) (*attest.Fact, error) {
	subject, err := intoto.NewSubject("example/app", digest("manifest"))
	text := []byte(`{"spdxVersion":"SPDX-2.3"}`)
	return &attest.Fact{Subjects: []intoto.Subject{subject}, PredicateType: predicateType, Predicate: text, Digest: digest(string(text))}, err
}

// Example has the SBOM of a scan signed and attested, and its bundle verified by what
// the service says that it is to be checked by.
func Example() {
	if err := prove(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// signed: https://spdx.dev/Document
	// other bytes are refused: true
	// verified, about example/app
}

func prove(ctx context.Context) error {
	k, err := key.Parse([]byte(signingKey), "example", nil)
	if err != nil {
		return err
	}
	n := &notary{key: k, kept: attest.Memory{Now: time.Now}}
	stores := func(string) (attest.Store, error) { return &n.kept, nil }
	root := &attest.Root{Keys: key.Ring{Members: []key.Member{{Key: k.Public(), From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}}}
	identify := func(*http.Request) (attesthttp.Identity, error) { // a service checks a token here
		return attesthttp.Identity{Tenant: "acme", Subject: "ci"}, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/sign", &attesthttp.SignHandler{
		Signer:   &attest.Signer{Facts: func(string) (attest.Facts, error) { return n, nil }, Keys: n, Stores: stores, Grants: []attest.Grant{{Subjects: []string{"ci"}}}},
		Identify: identify,
	})
	mux.Handle("/", &attesthttp.AttestHandler{
		Attestor: &attest.Attestor{
			Trust:  func(context.Context, string) (*attest.Trust, error) { return root.Trust(nil), nil },
			Stores: stores, Objects: func(string) (attest.Objects, error) { return &n.kept, nil }, Now: time.Now,
		},
		Root:     func(context.Context, string) (*attest.Root, error) { return root, nil },
		Identify: identify,
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	client := &attesthttp.Client{URL: server.URL}
	signed, err := client.Sign(ctx, attest.Order{ScanID: "scan-1", Predicate: "spdx"})
	if err != nil {
		return err
	}
	fmt.Println("signed:", signed.Fact.PredicateType)
	_, err = client.Sign(ctx, attest.Order{ScanID: "scan-1", Predicate: "spdx", Content: []byte(`{"spdxVersion":"other"}`)})
	fmt.Println("other bytes are refused:", errors.Is(err, attesthttp.ErrMismatch))
	attested, err := client.Attest(ctx, signed.Encoded, "")
	if err != nil {
		return err
	}
	told, err := client.Root(ctx) // once, by a way that is trusted
	if err != nil {
		return err
	}
	v := attest.Verifier{Trust: *told.Trust(nil)}
	verified, err := v.Verify(ctx, attested.Encoded, &attest.Expectation{At: time.Now(), Predicates: []string{intoto.PredicateSPDX}})
	if err != nil || !bytes.Equal(verified.Payload, signed.Envelope.Payload) {
		return fmt.Errorf("verify: %w", err)
	}
	s, err := intoto.Decode(verified.PayloadType, verified.Payload)
	if err != nil {
		return err
	}
	fmt.Println("verified, about", s.Subjects[0].Name)
	return nil
}
