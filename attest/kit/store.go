package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Store is a folder that keeps the contents of kits, of which one release is active.
// Any number of processes may read it while one changes it.
type Store struct {
	// Dir is the folder; Trust makes it where it is absent, for the user alone.
	Dir string
}

const (
	stateName   = "state.json"
	currentName = "current.json"
	lockName    = "lock"
	releasesDir = "releases"
	contentsDir = "sha256"
	partialDir  = "partial"

	maxCurrent = 1 << 20 // bytes
)

// Activation says which release was made the active one, and when.
type Activation struct {
	Feed    string    `json:"feed"`
	Version int64     `json:"version"`
	Release string    `json:"release"` // digest of its metadata
	Expires time.Time `json:"expires"`
	At      time.Time `json:"at"`
	// Older is the reason for which a release was allowed that is older than what was
	// seen before, or "".
	Older string `json:"older,omitzero"`
}

// current is current.json.
type current struct {
	Active Activation   `json:"active"`
	Before []Activation `json:"before,omitempty"` // the newest first
	Format int64        `json:"format"`
}

// Trust begins with a root that came on a way that is trusted: see role.Trust. Where
// the store has a root of the feed it says whether the two go together: the same
// root, or one before it, changes nothing, and the next one is taken as its
// successor. Another is an error that wraps ErrConflict, or a role.Error.
func (s Store) Trust(root []byte) error {
	if err := s.trust(root); err != nil {
		return fmt.Errorf("trust a root in %s: %w", s.Dir, err)
	}
	return nil
}

func (s Store) trust(root []byte) error {
	first, err := role.Trust(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	f, err := s.hold()
	if err != nil {
		return err
	}
	defer f.release()
	state, err := f.state()
	if errors.Is(err, fault.NotFound) {
		return f.keep(first)
	}
	if err != nil {
		return err
	}
	known, err := role.DecodeRoot(state.Root)
	if err != nil {
		return err
	}
	given, err := role.DecodeRoot(root)
	if err != nil {
		return err
	}
	switch {
	case given.Feed != known.Feed:
		return fmt.Errorf("the store is of the feed %s, the root of %s: %w", known.Feed, given.Feed, fault.Conflict)
	case given.Version == known.Version && string(root) != string(state.Root):
		return fmt.Errorf("the store has another root of version %d: %w", known.Version, fault.Conflict)
	case given.Version > known.Version:
		if state, err = state.Rotate(root); err != nil {
			return err
		}
		return f.keep(state)
	}
	return nil
}

// FindRoot returns the file of the root in a kit that has a digest ("sha256:…"),
// which came on a way that is trusted. Nothing else in the kit is verified. An error
// wraps ErrNotFound where it has no such root.
func FindRoot(ctx context.Context, r io.Reader, digest string) ([]byte, error) {
	in := newReader(ctx, r)
	h, _, err := in.start()
	if err != nil {
		return nil, fmt.Errorf("find root %s: %w", digest, err)
	}
	for _, f := range h.Files[:len(h.Files)-3] {
		text, err := in.text(f.member())
		if err != nil {
			return nil, fmt.Errorf("find root %s: %w", digest, err)
		}
		if f.Digest == digest {
			return text, nil
		}
	}
	return nil, fmt.Errorf("the kit has no root %q: %w", digest, fault.NotFound)
}
