package sigstore_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"testing"

	"github.com/stella-ops/stella/attest/sigstore"
)

// TestFlips flips one bit of every byte of a bundle. Nothing may be accepted that
// says anything else, and every refusal has a reason.
func TestFlips(t *testing.T) {
	s := newScene(t, step{})
	v, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	reasons := map[sigstore.Reason]int{}
	stride := 1
	if testing.Short() {
		stride = 5
	}
	for i := 0; i < len(s.text); i += stride {
		text := append([]byte(nil), s.text...)
		text[i] ^= 1 << (i % 7)
		_, err := v.Verify(ctx, text, s.artifact, s.policy)
		if err != nil {
			if sigstore.ReasonOf(err) == "" {
				t.Errorf("byte %d: no reason: %v", i, err)
			}
			reasons[sigstore.ReasonOf(err)]++
			continue
		}
		if spare(s.text, text, i) {
			continue
		}
		t.Errorf("byte %d of %q: accepted", i, s.text[max(0, i-20):min(len(s.text), i+20)])
	}
	t.Logf("%d bytes: %v", len(s.text), reasons)
}

// spare reports whether byte i is the last sign of a base64 text and only bits of it differ
// that stand for nothing (RFC 4648, section 3.5): it says the same.
func spare(was, is []byte, i int) bool {
	for _, begin := range []int{i - 1, i - 2} { // before "==", before "="
		if begin < 0 || begin+4 > len(was) || was[begin+3] != '=' || (was[begin+2] == '=') != (begin == i-1) {
			continue
		}
		a, err := base64.StdEncoding.DecodeString(string(was[begin : begin+4]))
		b, failed := base64.StdEncoding.DecodeString(string(is[begin : begin+4]))
		return err == nil && failed == nil && bytes.Equal(a, b)
	}
	return false
}

func TestErrors(t *testing.T) {
	s := newScene(t, badContents["signature flipped"].step)
	_, err := s.verify()
	e, ok := errors.AsType[*sigstore.Error](err)
	if !ok || !errors.Is(err, sigstore.ReasonSignature) || !errors.Is(err, sigstore.ErrMismatch) || errors.Is(err, sigstore.ErrInvalid) || e.Unwrap() == nil {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(ctx, s.text, s.artifact, s.policy); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := sigstore.NewVerifier(s.root, &sigstore.Options{Logs: -1}); !errors.Is(err, sigstore.ErrInvalid) {
		t.Errorf("options: %v", err)
	}
	if sigstore.ReasonOf(errors.New("x")) != "" {
		t.Error("a reason of an error without one")
	}
}

// TestConcurrent verifies good and bad bundles at once with one verifier.
func TestConcurrent(t *testing.T) {
	s := newScene(t, step{})
	v, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), s.text...)
	bad[len(bad)/2] ^= 1
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := v.Verify(context.Background(), s.text, s.artifact, s.policy); err != nil {
				t.Error(err)
			}
			if _, err := v.Verify(context.Background(), bad, s.artifact, s.policy); err == nil {
				t.Error("accepted")
			}
		})
	}
	wg.Wait()
}
