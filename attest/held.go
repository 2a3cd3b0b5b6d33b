package attest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/fault"
)

// Held are keys that this process has open, the same for every tenant. The ring says
// which of them sign what and when, so a key that is rotated out stops signing by
// itself. Ring and Now are required. It must not change while it is in use, and is then
// safe for concurrent use.
type Held struct {
	Ring key.Ring
	// Open are the keys, in any order. One that is not in the ring never signs.
	Open []Key
	Now  func() time.Time
}

var _ Keys = (*Held)(nil)

// Current returns the key that signs statements of a type now: of those that are open,
// the one that came into force last.
func (h *Held) Current(_ context.Context, tenant, predicateType string) (string, error) {
	for _, m := range h.Ring.At(h.Now(), predicateType) {
		if h.open(m.Key.KeyID()) != nil {
			return m.Key.KeyID(), nil
		}
	}
	return "", fmt.Errorf("a key of tenant %.80q that may sign %.200q now: %w", tenant, predicateType, fault.NotFound)
}

// Key returns a key that is open and may sign statements of a type now.
func (h *Held) Key(_ context.Context, _, id, predicateType string) (Key, error) {
	k := h.open(id)
	if k == nil {
		return nil, fmt.Errorf("key %.80q is not open here: %w", id, fault.NotFound)
	}
	if err := h.Ring.Check(id, h.Now(), predicateType); err != nil {
		return nil, errors.Join(fmt.Errorf("key %s may not sign %.200q now: %w", id, predicateType, fault.Forbidden), err)
	}
	return k, nil
}

func (h *Held) open(id string) Key {
	for _, k := range h.Open {
		if k.KeyID() == id {
			return k
		}
	}
	return nil
}
