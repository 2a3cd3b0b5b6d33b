package mirror

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Publisher writes a mirror. Dir and Signers are required. One process at a time
// may publish into a folder.
//
// Whatever a method does, it writes contents first, then keeps its own state, and then
// writes what clients read, the timestamp last. Whoever goes on after a crash publishes
// what was kept, and never signs a version a second time.
type Publisher struct {
	// Dir is the folder. What is in it besides the mirror is left alone.
	Dir string
	// Signers are the keys of the roles targets, snapshot and timestamp.
	Signers map[role.Role][]dsse.Signer
	// Lifetimes say after how long the metadata of a role expire. Defaults:
	// targets 30 days, snapshot 7 days, timestamp 1 day.
	Lifetimes map[role.Role]time.Duration
	// Deltas is how many snapshots before the newest have a delta to it. Zero
	// means 14; negative means none.
	Deltas int
	// Everything also publishes what is not known to allow it: sources whose
	// licence forbids passing on changed data, and what was imported by hand.
	Everything bool
	// VEX is the file of a set of VEX statements that is published beside the
	// advisories; "" is none. Whether they may be passed on is for the caller to know.
	VEX string

	before func(file string) error // tests end it before a file is written
}

// lifetimes are the defaults.
var lifetimes = map[role.Role]time.Duration{role.RoleTargets: 30 * 24 * time.Hour, role.RoleSnapshot: 7 * 24 * time.Hour, role.RoleTimestamp: 24 * time.Hour}

// Published says what was published.
type Published struct {
	Digest  string           `json:"digest"` // of the snapshot, without what was left out
	Version int64            `json:"version"`
	Deltas  map[string]int64 `json:"deltas,omitempty"` // bytes of the delta from each snapshot
	Objects int              `json:"objects"`          // segments and overlays
	// Omitted are the sources that were left out; "" is what was imported by
	// hand.
	Omitted []string `json:"omitted,omitempty"`
}

// release is one snapshot that was published.
type release struct {
	Snapshot string `json:"snapshot"`
	Manifest string `json:"manifest"` // digest of its file, which is the same
	// Files are the digests of the objects' files, by the objects' digests.
	Files map[string]string `json:"files"`
}

// Begin makes Dir a mirror without a release, which trusts a root (role.Root).
func (p *Publisher) Begin(root []byte) error {
	state, err := role.Trust(root)
	if err != nil {
		return fmt.Errorf("begin the mirror %s: %w", p.Dir, err)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, stateName)); err == nil {
		return fmt.Errorf("begin the mirror %s: there is one: %w", p.Dir, fault.Conflict)
	}
	if err := p.advance(state); err != nil {
		return fmt.Errorf("begin the mirror %s: %w", p.Dir, err)
	}
	return nil
}

// Rotate publishes the next root. To rotate again to the one that stands is no error.
func (p *Publisher) Rotate(root []byte) error {
	state, err := p.state()
	if err == nil {
		_, err = p.finish(state)
	}
	if err == nil && !bytes.Equal(root, state.Root) {
		err = p.rotate(state, root)
	}
	if err != nil {
		return fmt.Errorf("rotate the root of %s: %w", p.Dir, err)
	}
	return nil
}

func (p *Publisher) rotate(s role.State, root []byte) error {
	s, err := s.Rotate(root)
	if err != nil {
		return err
	}
	return p.advance(s)
}

// Publish publishes a snapshot. number is that of the head that it is, 0 where
// nobody counts. Publishing what is published already renews the signatures.
func (p *Publisher) Publish(ctx context.Context, at time.Time, snap *snapshot.Snapshot, number int64) (*Published, error) {
	out, err := p.publish(ctx, at, snap, number)
	if err != nil {
		return nil, fmt.Errorf("publish snapshot %s in %s: %w", snap.Digest(), p.Dir, err)
	}
	return out, nil
}

func (p *Publisher) publish(ctx context.Context, at time.Time, snap *snapshot.Snapshot, number int64) (*Published, error) {
	state, err := p.state()
	if err != nil {
		return nil, err
	}
	if _, err := p.finish(state); err != nil {
		return nil, err
	}
	history, err := p.history()
	if err != nil {
		return nil, err
	}
	m, omitted := p.allowed(snap.Manifest())
	text, digest, err := m.Encode()
	if err != nil {
		return nil, err
	}
	out := &Published{Digest: digest, Deltas: map[string]int64{}, Objects: len(m.Segments) + len(m.Overlays), Omitted: omitted}
	now := release{Snapshot: digest, Manifest: digest, Files: map[string]string{}}
	targets, err := p.objects(m, snap, &now)
	if err != nil {
		return nil, err
	}
	custom, err := json.Marshal(about{Digest: digest, Number: number}, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	head, err := p.target(manifestName, text, custom)
	if err != nil {
		return nil, err
	}
	beside, err := p.vex()
	if err != nil {
		return nil, err
	}
	targets = append(append(targets, head), beside...)
	history = slices.DeleteFunc(history, func(r release) bool { return r.Snapshot == digest })
	deltas, err := p.deltas(history, now, out)
	if err != nil {
		return nil, err
	}
	draft := &role.Draft{At: at, Expires: map[role.Role]time.Time{}, Targets: append(targets, deltas...), Signers: p.Signers}
	for r, d := range lifetimes {
		draft.Expires[r] = at.Add(cmp.Or(p.Lifetimes[r], d)).Truncate(time.Second)
	}
	after, _, err := state.Publish(ctx, draft)
	if err != nil {
		return nil, err
	}
	history = append(history, now)
	history = history[max(0, len(history)-1-p.kept()):]
	// The contents are there. The history is kept before the state, so that no release
	// is missing in it; one that a crash kept from being one costs a delta more.
	if err := p.keepHistory(history); err != nil {
		return nil, err
	}
	if err := p.advance(after); err != nil {
		return nil, err
	}
	r, err := after.Release(at)
	if err != nil {
		return nil, err
	}
	out.Version = r.Version
	return out, p.prune(history, draft.Targets)
}

// Renew publishes a new timestamp: the release is still current. An error wraps
// ErrNotFound where Dir does not have the release's contents, as after [Publisher.Resume].
func (p *Publisher) Renew(ctx context.Context, at time.Time) error {
	if err := p.renew(ctx, at); err != nil {
		return fmt.Errorf("renew the mirror %s: %w", p.Dir, err)
	}
	return nil
}

func (p *Publisher) renew(ctx context.Context, at time.Time) error {
	state, err := p.state()
	if err != nil {
		return err
	}
	expires := at.Add(cmp.Or(p.Lifetimes[role.RoleTimestamp], lifetimes[role.RoleTimestamp])).Truncate(time.Second)
	after, _, err := state.Publish(ctx, &role.Draft{At: at, Expires: map[role.Role]time.Time{role.RoleTimestamp: expires}, Signers: p.Signers})
	if err != nil {
		return err
	}
	whole, err := p.whole(after)
	if err == nil && !whole {
		err = fmt.Errorf("contents of the release are not there, publish a new one: %w", fault.NotFound)
	}
	if err != nil {
		return err
	}
	return p.advance(after)
}

func (p *Publisher) kept() int {
	if p.Deltas < 0 {
		return 0
	}
	return cmp.Or(p.Deltas, 14)
}

// allowed leaves out what may not be passed on.
func (p *Publisher) allowed(all *snapshot.Manifest) (*snapshot.Manifest, []string) {
	m := *all
	if p.Everything {
		return &m, nil
	}
	may := map[string]bool{}
	for _, o := range all.Sources {
		may[o.Name] = o.Redistribute
	}
	var omitted []string
	forbidden := func(source string) bool {
		if !may[source] && !slices.Contains(omitted, source) {
			omitted = append(omitted, source)
		}
		return !may[source]
	}
	m.Segments = slices.DeleteFunc(slices.Clone(all.Segments), func(s snapshot.Segment) bool { return forbidden(s.Source) })
	m.Overlays = slices.DeleteFunc(slices.Clone(all.Overlays), func(o snapshot.Overlay) bool { return forbidden(o.Source) })
	m.Sources = slices.DeleteFunc(slices.Clone(all.Sources), func(o snapshot.Origin) bool { return !o.Redistribute })
	slices.Sort(omitted)
	return &m, omitted
}

// objects writes the segments and overlays of a manifest.
func (p *Publisher) objects(m *snapshot.Manifest, snap *snapshot.Snapshot, now *release) (targets []role.Target, err error) {
	digests := make([]string, 0, len(m.Segments)+len(m.Overlays))
	for _, s := range m.Segments {
		digests = append(digests, s.Digest)
	}
	for _, o := range m.Overlays {
		digests = append(digests, o.Digest)
	}
	for _, digest := range digests {
		if now.Files[digest] != "" {
			continue // sources that say the same share an object
		}
		object, err := snap.Object(digest)
		if err != nil {
			return nil, err
		}
		t, err := p.target(objectPrefix+hexOf(digest), object, nil)
		if err != nil {
			return nil, err
		}
		now.Files[digest] = t.Digest
		targets = append(targets, t)
	}
	return targets, nil
}

// deltas writes what turns the snapshots before into the newest.
func (p *Publisher) deltas(history []release, now release, out *Published) (targets []role.Target, err error) {
	history = history[max(0, len(history)-p.kept()):]
	if len(history) == 0 {
		return nil, nil
	}
	to, err := p.assembled(now)
	if err != nil {
		return nil, err
	}
	for _, old := range history {
		from, err := p.assembled(old)
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", old.Snapshot, err)
		}
		var delta bytes.Buffer
		size, err := snapshot.WriteDelta(&delta, from, to)
		from.Close()
		if err != nil {
			return nil, err
		}
		t, err := p.target(deltaPrefix+hexOf(old.Snapshot), delta.Bytes(), nil)
		if err != nil {
			return nil, err
		}
		out.Deltas[old.Snapshot] = size
		targets = append(targets, t)
	}
	return targets, nil
}

// assembled opens a snapshot that is published here.
func (p *Publisher) assembled(r release) (*snapshot.Snapshot, error) {
	manifest, err := os.ReadFile(p.content(r.Manifest))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = snapshot.Assemble(&b, manifest, func(digest string) ([]byte, error) {
		file, ok := r.Files[digest]
		if !ok {
			return nil, fmt.Errorf("the history does not have it: %w", fault.NotFound)
		}
		return os.ReadFile(p.content(file))
	})
	if err != nil {
		return nil, err
	}
	return snapshot.Read(b.Bytes())
}

// target writes the content of a target, if it is not there.
func (p *Publisher) target(name string, content, custom []byte) (role.Target, error) {
	t, err := role.Describe(name, bytes.NewReader(content), custom)
	if err != nil {
		return t, err
	}
	if p.has(t) {
		return t, nil
	}
	return t, p.write(t.File(), content)
}
