package sigstore_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
)

// TestAttest puts a verifier into package attest's, which says whose certificates
// count.
func TestAttest(t *testing.T) {
	s := newScene(t, step{})
	certificates, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := attest.Verifier{Trust: attest.Trust{Certificates: certificates}}
	signer := "sigstore:" + sigstoretest.Issuer + "|" + subject
	want := &attest.Expectation{At: noon.Add(time.Hour), Subjects: []string{image}, Signers: []string{signer}, Logged: true, Stamped: true, MaxAge: 2 * time.Hour}
	r, err := v.Verify(context.Background(), s.text, want)
	if err != nil || string(r.Payload) != string(payload) || len(r.Signers) != 1 || r.Signers[0] != signer {
		t.Errorf("%+v, %v", r, err)
	}
	changed := bytes.Replace(s.text, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
	if _, err := v.Verify(context.Background(), changed, want); !strings.HasPrefix(attest.Code(err), "certificate/") {
		t.Errorf("code %q: %v", attest.Code(err), err)
	}
	for name, change := range map[string]func(*attest.Expectation){
		"somebody else": func(e *attest.Expectation) { e.Signers = []string{signer + "x"} },
		"nobody":        func(e *attest.Expectation) { e.Signers = nil },
		"too old":       func(e *attest.Expectation) { e.MaxAge = time.Second },
		"in the future": func(e *attest.Expectation) { e.At = noon.Add(-time.Hour) },
		"two signers":   func(e *attest.Expectation) { e.Threshold = 2 },
		"other image":   func(e *attest.Expectation) { e.Subjects = []string{"sha256:" + image[8:] + "0"} },
	} {
		other := *want
		change(&other)
		if _, err := v.Verify(context.Background(), s.text, &other); attest.Code(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
