package sigstore

import (
	"context"
	"errors"
	"testing"
)

// TestPanic has the library panic: that is a failure, and never a success
// (CVE-2026-44310).
func TestPanic(t *testing.T) {
	v := &Verifier{} // without a trust root the library reads through nil
	r, err := v.run(context.Background(), []byte(managedBundle), nil, nil)
	if r != nil || ReasonOf(err) != ReasonFailed || !errors.Is(err, ErrInvalid) {
		t.Errorf("%v, %v", r, err)
	}
}

const managedBundle = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},` +
	`"dsseEnvelope":{"payload":"e30=","payloadType":"t","signatures":[{"sig":"AAAA"}]}}`
