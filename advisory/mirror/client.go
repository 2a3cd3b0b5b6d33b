package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Client keeps the current snapshot of a store up to date from a mirror. All
// fields are required. One update at a time may run on a store.
type Client struct {
	// Source is where the mirror's files are: see [Over] and role.FS.
	Source role.Source
	Store  snapshot.Store
	// Root is the root to begin with, which came on a way that is trusted. Once
	// there is a state it is not looked at.
	Root []byte
}

// The ways in which a snapshot came to a client.
const (
	Unchanged = "unchanged" // there is none that is newer
	ByDelta   = "delta"
	ByObjects = "objects" // those that were not there
)

// Updated says what an update did.
type Updated struct {
	Feed    string    `json:"feed"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"` // of the release
	Digest  string    `json:"digest"`  // of the snapshot
	Number  int64     `json:"number,omitzero"`
	From    string    `json:"from,omitempty"` // the snapshot that was there before
	How     string    `json:"how"`
	Bytes   int64     `json:"bytes"` // of deltas and objects that were read
}

// StateFile is where the folder of a store keeps what its client knows of the
// feed: a role.State. After an update that failed it may know of a newer release than
// the one that signs the current snapshot, for which there is [ActiveFile].
const StateFile = "mirror.json"

// SnapshotOf returns the digest of the snapshot that a release signs.
func SnapshotOf(r *role.Release) (digest string, err error) {
	_, a, err := headOf(r)
	return a.Digest, err
}

func headOf(r *role.Release) (t role.Target, a about, err error) {
	if t, err = r.Target(manifestName); err != nil {
		return t, a, err
	}
	if err := json.Unmarshal(t.Custom, &a); err != nil || a.Digest != t.Digest {
		return t, a, fmt.Errorf("the release names the snapshot %q by the manifest %s: %w", a.Digest, t.Digest, fault.Invalid)
	}
	return t, a, nil
}

// Update verifies the mirror's newest release and makes its snapshot the
// current one. at is the time by which signatures have expired. Where it fails,
// the snapshot that was current still is; what was learnt about keys and
// versions is kept in every case.
func (c *Client) Update(ctx context.Context, at time.Time) (*Updated, error) {
	out, err := c.update(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("update the advisories in %s: %w", c.Store.Dir, err)
	}
	return out, nil
}

func (c *Client) update(ctx context.Context, at time.Time) (*Updated, error) {
	before, err := c.state()
	if err != nil {
		return nil, err
	}
	out := new(Updated)
	u := &updating{Client: c, out: out}
	if old, err := c.Store.Open(); err == nil {
		defer old.Close()
		u.old, out.From = old, old.Digest()
	}
	after, release, err := before.Update(ctx, at, c.Source)
	if keepErr := c.learn(before, after, out.From); keepErr != nil {
		return nil, errors.Join(err, keepErr)
	}
	if err != nil {
		return nil, err
	}
	head, a, err := headOf(release)
	if err != nil {
		return nil, err
	}
	u.release = release
	out.Feed, out.Version, out.Expires = release.Feed, release.Version, release.Expires
	out.Digest, out.Number = a.Digest, a.Number
	if out.From == out.Digest {
		out.How = Unchanged
	} else if err := u.run(ctx, head); err != nil {
		return nil, err
	}
	return out, c.completed()
}

// updating is one update.
type updating struct {
	*Client
	release *role.Release
	old     *snapshot.Snapshot // nil where there is none that can be read
	out     *Updated
}

func (u *updating) run(ctx context.Context, head role.Target) error {
	if u.old != nil {
		delta, err := u.release.Target(deltaPrefix + hexOf(u.old.Digest()))
		if err == nil && u.byDelta(ctx, delta) == nil {
			u.out.How = ByDelta
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	// The way that always leads there: a delta that cannot be had or applied
	// is no reason to stay behind.
	u.out.How = ByObjects
	if head.Length > maxManifest {
		return &fault.LimitError{What: "bytes", Where: manifestName, Max: maxManifest, Seen: head.Length}
	}
	manifest, err := u.read(ctx, head)
	if err != nil {
		return err
	}
	return u.Store.Install(u.out.Digest, func(w io.Writer) error {
		return snapshot.Assemble(w, manifest, func(digest string) ([]byte, error) { return u.object(ctx, digest) })
	})
}

func (u *updating) byDelta(ctx context.Context, t role.Target) error {
	delta, err := u.read(ctx, t)
	if err != nil {
		return err
	}
	return u.Store.Install(u.out.Digest, func(w io.Writer) error {
		_, err := snapshot.ApplyDelta(w, u.old, bytes.NewReader(delta))
		return err
	})
}

// object returns a segment or overlay: the old snapshot's where it has it.
func (u *updating) object(ctx context.Context, digest string) ([]byte, error) {
	if u.old != nil {
		if object, err := u.old.Object(digest); err == nil {
			return object, nil
		}
	}
	if !strings.HasPrefix(digest, "sha256:") {
		return nil, fmt.Errorf("object %q: %w", digest, fault.Invalid)
	}
	t, err := u.release.Target(objectPrefix + hexOf(digest))
	if err != nil {
		return nil, err
	}
	return u.read(ctx, t)
}

func (u *updating) read(ctx context.Context, t role.Target) ([]byte, error) {
	if t.Length > maxObject {
		return nil, &fault.LimitError{What: "bytes", Where: t.Name, Max: maxObject, Seen: t.Length}
	}
	var b bytes.Buffer
	err := t.Copy(ctx, &b, u.Source)
	u.out.Bytes += int64(b.Len())
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// state reads what is known of the feed; at first it trusts Root.
func (c *Client) state() (role.State, error) {
	s, err := stored(c.Store.Dir, StateFile)
	if !errors.Is(err, fault.NotFound) {
		return s, err
	}
	if c.Root == nil {
		return role.State{}, fmt.Errorf("there is no root to trust yet: %w", fault.NotFound)
	}
	return role.Trust(c.Root)
}

// Over makes a source of the files below an address that a door leads to.
func Over(door advisory.Door, base string) role.Source {
	return over{door, strings.TrimSuffix(base, "/") + "/"}
}

type over struct {
	door advisory.Door
	base string
}

func (o over) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := o.door.Open(ctx, advisory.Request{URL: o.base + name})
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}
