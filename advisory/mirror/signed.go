package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
)

// ActiveFile is where the folder of a store keeps the role.State that signs its current
// snapshot, while [StateFile] knows of a newer release.
const ActiveFile = "mirror-active.json"

// Signed is the release that signs a snapshot.
type Signed struct {
	*role.Release
	// Newer reports whether a newer release is known that could not be completed.
	Newer bool
	// NewerVersion is its version; 0 where its metadata are not there.
	NewerVersion int64
}

// SignedBy returns the release of the mirror that a store follows which signs a snapshot:
// the newest that is known, or the one before where an update to the newest has failed.
// Keys that were replaced since do not count. at is the time by which signatures have
// expired. An error wraps ErrNotFound where the store follows no mirror, ErrMismatch
// where another snapshot is signed, and is a role.Error otherwise.
func SignedBy(store snapshot.Store, digest string, at time.Time) (*Signed, error) {
	out, err := signedBy(store.Dir, digest, at)
	if err != nil {
		return nil, fmt.Errorf("find who signed the advisories in %s: %w", store.Dir, err)
	}
	return out, nil
}

func signedBy(dir, digest string, at time.Time) (*Signed, error) {
	known, err := stored(dir, StateFile)
	if err != nil {
		return nil, err
	}
	if signs(known, digest) {
		release, err := known.Release(at)
		return &Signed{Release: release}, err
	}
	active, err := stored(dir, ActiveFile)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	if err == nil && signs(active, digest) {
		active.Root = known.Root
		release, err := active.Release(at)
		out := &Signed{Release: release, Newer: true}
		if newer, err := known.Release(longAgo); err == nil {
			out.NewerVersion = newer.Version
		}
		return out, err
	}
	release, err := known.Release(at)
	if err != nil {
		return nil, err
	}
	signed, err := SnapshotOf(release)
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the current data is not what version %d of the feed %s signs: %w", release.Version, release.Feed, &fault.MismatchError{What: "signed snapshot", Want: signed, Got: digest})
}

// signs reports whether a state holds a release of the snapshot, expired or not.
func signs(s role.State, digest string) bool {
	release, err := s.Release(longAgo)
	if err != nil {
		return false
	}
	signed, err := SnapshotOf(release)
	return err == nil && signed == digest
}

// stored reads a state from the folder of a store. An error wraps ErrNotFound where
// there is none.
func stored(dir, name string) (role.State, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return role.State{}, fmt.Errorf("%s is not there: %w", name, fault.NotFound)
	}
	if err != nil {
		return role.State{}, err
	}
	return role.DecodeState(text)
}

// learn keeps what is known after an update's metadata were read, and before it, where
// that signs the snapshot which is current, what it was: all of the newer one may never
// arrive.
func (c *Client) learn(before, after role.State, current string) error {
	if signs(before, current) && !signs(after, current) {
		if err := c.keep(ActiveFile, before); err != nil {
			return err
		}
	}
	return c.keep(StateFile, after)
}

func (c *Client) keep(name string, s role.State) error {
	text, err := s.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Store.Dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(c.Store.Dir, name), durable.Bytes(text))
}

// completed forgets what signed the snapshot before.
func (c *Client) completed() error {
	err := os.Remove(filepath.Join(c.Store.Dir, ActiveFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
