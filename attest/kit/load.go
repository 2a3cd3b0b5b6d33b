package kit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
)

// LoadOptions say how a kit is loaded. Nil is the zero value.
type LoadOptions struct {
	// AllowOlder, where it is not empty, allows a release that is older than what the
	// store has seen, and is the reason, which is recorded. Everything else is
	// verified as ever. Newer releases that were seen stay known: the next kit must be
	// at least as new as them, or be allowed again.
	AllowOlder string
}

// Loaded says what loading a kit did.
type Loaded struct {
	Activation
	Kit       string `json:"kit"` // digest of its kit.json
	Base      int64  `json:"base"`
	Unchanged bool   `json:"unchanged"` // the release was active already
	Read      int    `json:"read"`      // contents that were taken from the kit
	Reused    int    `json:"reused"`    // contents that were there
	Bytes     int64  `json:"bytes"`     // of those that were read
}

// Load verifies a kit wholly and makes its release the active one. at is the time by
// which it must not have expired, and is recorded. Until Load returns, and where it
// fails or the power does, the release that was active stays so, and an older kit than
// that is refused. A load that was cut goes on where it was, if r can seek, and reads
// no content again that is there.
//
// An error that refuses the kit is a role.Error with its reason. It is a *BaseError
// where the kit is a delta to what the store does not have, and wraps ErrNotFound
// where the store trusts no root yet, ErrConflict where another process changes it.
func (s Store) Load(ctx context.Context, r io.Reader, at time.Time, o *LoadOptions) (*Loaded, error) {
	if o == nil {
		o = &LoadOptions{}
	}
	out, err := s.load(ctx, r, at, o)
	if err != nil {
		return nil, fmt.Errorf("load a kit into %s: %w", s.Dir, err)
	}
	return out, nil
}

func (s Store) load(ctx context.Context, r io.Reader, at time.Time, o *LoadOptions) (*Loaded, error) {
	if len(o.AllowOlder) > MaxReason {
		return nil, &fault.LimitError{What: "bytes", Where: "reason for an older release", Max: MaxReason, Seen: int64(len(o.AllowOlder))}
	}
	f, err := s.hold()
	if err != nil {
		return nil, err
	}
	defer f.release()
	state, err := f.state()
	if err != nil {
		return nil, err
	}
	l := &loading{folder: f, reader: newReader(ctx, r)}
	k, after, err := l.kit(state, at, o.AllowOlder != "")
	// Keys that were replaced are so from now on. Versions count when all is there:
	// who is told to load the base of a delta first must be able to.
	rotated := state
	rotated.Root = after.Root
	if keepErr := f.learn(state, rotated); keepErr != nil {
		return nil, errors.Join(err, keepErr)
	}
	if err != nil {
		return nil, err
	}
	l.out = &Loaded{Kit: k.Digest, Base: k.Base, Activation: Activation{
		Feed: k.Feed, Version: k.Version, Expires: k.Expires, At: at.UTC().Truncate(time.Second),
	}}
	if k.older {
		l.out.Older = o.AllowOlder
	}
	if err := l.stage(k); err != nil {
		return nil, err
	}
	if err := f.learn(rotated, after); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.KitLearnt)
	return l.out, l.activate(k)
}

// learn keeps what is newly known of the feed.
func (f *folder) learn(before, after role.State) error {
	old, err := before.Encode()
	if err != nil {
		return err
	}
	text, err := after.Encode()
	if err != nil || string(text) == string(old) {
		return err
	}
	return f.replace(stateName, text)
}

// loading is one load.
type loading struct {
	*folder
	*reader
	out *Loaded
}

// stage puts everything that the release names into the store, and reads the kit to
// its end.
func (l *loading) stage(k *Kit) error {
	have, err := l.held(k)
	if err != nil {
		return err
	}
	for i, m := range k.contents {
		l.rest = k.contents[i+1:]
		if have[m.digest] {
			err = l.skip(m)
			l.out.Reused++
		} else {
			err = l.fetch(m)
			l.out.Read++
			l.out.Bytes += m.size
		}
		if err != nil {
			return err
		}
	}
	if err := l.end(); err != nil {
		return err
	}
	for _, d := range []string{contentsDir, partialDir} {
		if err := durable.SyncFolder(l.path(d)); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.KitStaged)
	return nil
}

// held says which contents are there and right, and wants those that the kit lacks.
func (l *loading) held(k *Kit) (map[string]bool, error) {
	have := map[string]bool{}
	for _, m := range contents(k.Entries, 0) {
		ok, err := l.has(l.ctx, m)
		if err != nil {
			return nil, err
		}
		have[m.digest] = ok
	}
	lacks := &BaseError{Feed: k.Feed}
	for _, e := range k.Entries {
		if !k.Has(e) && !have[e.Digest] {
			lacks.Missing = append(lacks.Missing, e)
			lacks.Base = max(lacks.Base, e.Since)
		}
	}
	if lacks.Missing != nil {
		return nil, lacks
	}
	return have, nil
}

// skip goes over a content that is there.
func (l *loading) skip(m member) error {
	if err := l.begin(m); err != nil {
		return err
	}
	if err := l.pass(m.size, m.name); err != nil {
		return err
	}
	return l.finish(m)
}

// fetch takes a content from the kit.
func (l *loading) fetch(m member) error {
	if err := l.begin(m); err != nil {
		return err
	}
	name := partialDir + "/" + m.digest[len("sha256:"):]
	f, err := l.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := l.fill(f, m); err != nil {
		if role.ReasonOf(err) == role.ReasonContent {
			err = errors.Join(err, l.root.Remove(name))
		}
		return err
	}
	if err := l.finish(m); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.KitContent)
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := l.root.Rename(name, m.name); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.KitNamed)
	return nil
}

// fill writes a content into a file that may have the beginning of it.
func (l *loading) fill(f *os.File, m member) error {
	h := sha256.New()
	if l.seek != nil {
		had, err := l.resume(f, m, h)
		if err != nil {
			return err
		}
		if had > 0 {
			err := l.remainder(f, m, had, h)
			if role.ReasonOf(err) != role.ReasonContent {
				return err
			}
			// What was there was not its beginning: power may have cut it.
			if err := l.pass(-m.size, m.name); err != nil {
				return err
			}
			h.Reset()
		}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	return l.remainder(f, m, 0, h)
}

// resume reads what a file has of a content into a hash.
func (l *loading) resume(f *os.File, m member, h hash.Hash) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() > m.size {
		return 0, err
	}
	had, err := io.Copy(h, &patient{l.ctx, f})
	if err != nil {
		return 0, err
	}
	return had, l.pass(had, m.name)
}

// remainder copies a content from an offset on, and checks all of it.
func (l *loading) remainder(f *os.File, m member, from int64, h hash.Hash) error {
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	if err := l.copy(io.MultiWriter(h, f), m.size-from, m.name); err != nil {
		return err
	}
	return m.check(h)
}

// activate replaces the pointer to the active release.
func (l *loading) activate(k *Kit) error {
	text, err := k.own.Encode()
	if err != nil {
		return err
	}
	l.out.Release = sum.Of(text)
	c, err := l.current()
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Invalid): // a damaged pointer is replaced
		c = &current{}
	case err != nil:
		return err
	case c.Active.Release == l.out.Release:
		if _, _, err := l.record(c.Active); err == nil {
			l.out.Activation, l.out.Unchanged = c.Active, true
			return nil
		}
	default:
		c.Before = slices.Insert(c.Before, 0, c.Active)
		c.Before = c.Before[:min(len(c.Before), MaxActivation-1)]
	}
	if err := l.replace(recordName(l.out.Release), text); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.KitRelease)
	c.Active, c.Format = l.out.Activation, formatNow
	pointer, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := l.replace(currentName, pointer); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.KitActivated)
	return nil
}
