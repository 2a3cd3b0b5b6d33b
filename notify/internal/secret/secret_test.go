package secret_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/secret"
)

func read(_ context.Context, ref string) ([]byte, error) {
	switch ref {
	case "env:A":
		return []byte(" alpha\n"), nil
	case "env:B":
		return []byte("beta"), nil
	case "env:LINES":
		return []byte("one\ntwo"), nil
	case "env:EMPTY":
		return nil, nil
	case "env:HUGE":
		return make([]byte, secret.MaxBytes+1), nil
	case "env:ODD":
		return nil, errors.New("the vault said hunter2")
	}
	return nil, fmt.Errorf("%s hunter2: %w", ref, fault.NotFound)
}

func TestReader(t *testing.T) {
	r := &secret.Reader{Read: read, Refs: map[string]string{"one": "env:A", "two": " env:A  env:B ", "gone": "env:A env:hunter2", "odd": "env:ODD", "lines": "env:LINES", "empty": "env:EMPTY", "huge": "env:HUGE"}}
	all, err := r.All(t.Context(), "two")
	if err != nil || len(all) != 2 || string(all[1]) != "beta" {
		t.Errorf("two: %q, %v", all, err)
	}
	if one, err := r.One(t.Context(), "one"); err != nil || one != "alpha" {
		t.Errorf("one: %q, %v", one, err)
	}
	for role, kind := range map[string]fault.Kind{"gone": fault.NotFound, "odd": fault.Unavailable, "lines": fault.Invalid, "empty": fault.Invalid, "huge": fault.Invalid, "none": fault.NotFound} {
		_, err := r.One(t.Context(), role)
		if role == "gone" {
			_, err = r.All(t.Context(), role) // one that cannot be read is no fewer signature
		}
		var f *notify.Failure
		if !errors.As(err, &f) || f.Sent != notify.No || f.Permanent || !errors.Is(f.Err, kind) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %#v", role, err)
		}
	}
	if _, err := (&secret.Reader{Refs: r.Refs}).One(t.Context(), "one"); err == nil {
		t.Error("a secret without a reader")
	}
	for role, ok := range map[string]bool{"one": true, "two": true, "none": false} {
		if err := r.Check(role, 1, 2); (err == nil) != ok {
			t.Errorf("%s: %v", role, err)
		}
	}
	if r.Check("two", 1, 1) == nil {
		t.Error("two where one is taken")
	}
}
