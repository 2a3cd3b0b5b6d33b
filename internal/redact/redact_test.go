package redact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

func TestError(t *testing.T) {
	const secret = "p@ss:w/rd"
	native := fmt.Errorf("dial redis://u:p%%40ss%%3Aw%%2Frd@h: unknown command, with args %s: %w: %w", secret, fault.Unavailable, context.Canceled)
	got := redact.Error(native, "", secret)
	want := "dial redis://u:[redacted]@h: unknown command, with args [redacted]: unavailable: context canceled"
	if got.Error() != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !errors.Is(got, fault.Unavailable) || !errors.Is(got, context.Canceled) {
		t.Error("kind or context error lost")
	}
	for err := got; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the chain still says %q", err)
		}
	}
	harmless := errors.New("connection refused")
	if redact.Error(harmless, secret) != harmless || redact.Error(nil, secret) != nil {
		t.Error("an error without a secret was changed")
	}
}
