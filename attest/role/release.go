package role

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Release is what all four roles of a feed agree on.
type Release struct {
	Feed string
	// Version is that of the targets metadata: it changes when they do.
	Version int64
	// Expires is when the first of the four metadata does. From then on the
	// release says what was, not what is.
	Expires time.Time
	Targets []Target // sorted by name
}

// Target returns the target of a name, or an error wrapping ErrNotFound.
func (r *Release) Target(name string) (Target, error) {
	i, ok := slices.BinarySearchFunc(r.Targets, name, func(t Target, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return Target{}, fmt.Errorf("target %q in version %d of %s: %w", name, r.Version, r.Feed, fault.NotFound)
	}
	return r.Targets[i], nil
}

// Release returns the release that a state holds, without any source. It
// verifies everything again: signatures, digests, and that nothing had expired
// at the given time. After an update that ended early the state may know of a
// newer release than it has; that is ReasonMissing or ReasonMixed.
func (s State) Release(at time.Time) (*Release, error) {
	if at.IsZero() {
		return nil, fmt.Errorf("release: no time is given: %w", fault.Invalid)
	}
	u := &update{state: s, at: at}
	if err := u.start(); err != nil {
		return nil, err
	}
	if err := u.root.expired(at); err != nil {
		return nil, err
	}
	ts, sn, tg := new(timestamp), new(snapshot), new(targets)
	if err := u.held(RoleTimestamp, s.Timestamp, nil, ts); err != nil {
		return nil, err
	}
	if err := u.held(RoleSnapshot, s.Snapshot, ts.Snapshot, sn); err != nil {
		return nil, err
	}
	if err := u.held(RoleTargets, s.Targets, sn.Targets, tg); err != nil {
		return nil, err
	}
	return newRelease(u.root, ts, sn, tg), nil
}

// held reads what the state has of a role.
func (u *update) held(r Role, file []byte, m *meta, p payload) error {
	name := File(r, 0)
	if m != nil {
		name = File(r, m.Version)
	}
	if file == nil {
		return &Error{Reason: ReasonMissing, File: name, Detail: "the state has none"}
	}
	if m != nil && !m.names(file) {
		return m.refuse(name, file)
	}
	if err := u.accept(r, name, file, m, p); err != nil {
		return err
	}
	return p.head().expired(name, u.at)
}

func newRelease(root *Root, ts *timestamp, sn *snapshot, tg *targets) *Release {
	r := &Release{Feed: root.Feed, Version: tg.Version, Expires: root.Expires}
	for _, h := range []*header{&ts.header, &sn.header, &tg.header} {
		if h.expires.Before(r.Expires) {
			r.Expires = h.expires
		}
	}
	r.Targets = tg.list()
	return r
}

func (t *targets) list() []Target {
	out := make([]Target, 0, len(t.Targets))
	for name, w := range t.Targets {
		out = append(out, Target{Name: name, Length: w.Length, Digest: w.Digest, Custom: w.Custom})
	}
	slices.SortFunc(out, func(a, b Target) int { return strings.Compare(a.Name, b.Name) })
	return out
}
