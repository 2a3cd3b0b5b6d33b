package role

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Update reads what is new in a feed, by the workflow of TUF 1.0, section 5:
// roots one by one, then timestamp, snapshot and targets, and returns the newest
// state and its release. What the state has already is not read again: nothing
// new costs one small file and one that is not there.
//
// at is the time by which metadata count as expired; it is set once for the
// whole update. Who takes a feed that travelled for longer than it is good, as
// on a disk, gives an earlier time: older versions are refused all the same, and
// [Release.Expires] tells how stale it is. An [*Error] says what was refused and why. Other errors are the
// source's. The state that is returned is to be kept in every case: also after
// an error it may know newer roots and versions, and then refuses older ones.
func (s State) Update(ctx context.Context, at time.Time, src Source) (State, *Release, error) {
	u := &update{ctx: ctx, at: at, src: src, state: s}
	r, err := u.run()
	return u.state, r, err
}

// update is one update: what is verified goes into state.
type update struct {
	ctx   context.Context
	at    time.Time
	src   Source
	state State
	root  *Root
}

func (u *update) run() (*Release, error) {
	if u.at.IsZero() {
		return nil, fmt.Errorf("update: no time is given: %w", fault.Invalid)
	}
	if err := u.start(); err != nil {
		return nil, err
	}
	if err := u.roots(); err != nil {
		return nil, err
	}
	if err := u.root.expired(u.at); err != nil {
		return nil, err
	}
	if err := u.forget(); err != nil {
		return nil, err
	}
	ts, err := u.timestamp()
	if err != nil {
		return nil, err
	}
	sn, err := u.snapshot(ts)
	if err != nil {
		return nil, err
	}
	tg, err := u.targets(sn)
	if err != nil {
		return nil, err
	}
	return newRelease(u.root, ts, sn, tg), nil
}

// start reads the root that is trusted.
func (u *update) start() error {
	if u.state.Root == nil {
		return fmt.Errorf("the state has no root to trust: %w", fault.Invalid)
	}
	root, err := readRoot("state", u.state.Root)
	u.root = root
	return err
}

// roots goes from root to root, as far as the source has them. Whether one has
// expired matters for the last one only.
func (u *update) roots() error {
	for n := 0; ; n++ {
		name := File(RoleRoot, u.root.Version+1)
		file, err := read(u.ctx, u.src, name, MaxRootFile)
		if errors.Is(err, ReasonMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == MaxRotations {
			return &Error{Reason: ReasonEndless, File: name, Err: &fault.LimitError{What: "new roots in one update", Where: "root", Max: MaxRotations}}
		}
		if err := u.rotate(name, file); err != nil {
			return err
		}
	}
}

func (u *update) rotate(name string, file []byte) error {
	next, err := u.root.next(name, file)
	if err != nil {
		return err
	}
	u.root, u.state.Root = next, file
	return nil
}

// forget drops what the root's holders do not vouch for, and its version with
// it: after a change of keys, what somebody signed with the old ones must not
// stand in the way.
func (u *update) forget() error {
	for _, x := range []struct {
		role Role
		file *[]byte
		p    payload
	}{{RoleTimestamp, &u.state.Timestamp, new(timestamp)}, {RoleSnapshot, &u.state.Snapshot, new(snapshot)}, {RoleTargets, &u.state.Targets, new(targets)}} {
		if *x.file == nil {
			continue
		}
		_, err := u.root.verify(x.role, "state", *x.file, x.p)
		if errors.Is(err, ReasonThreshold) {
			*x.file = nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// accept reads a file that the role's holders vouch for and that is the version
// which the role above names.
func (u *update) accept(r Role, name string, file []byte, m *meta, p payload) error {
	if _, err := u.root.verify(r, name, file, p); err != nil {
		return err
	}
	if h := p.head(); m != nil && h.Version != m.Version {
		return &Error{Reason: ReasonMixed, File: name, Detail: fmt.Sprintf("it is version %d", h.Version)}
	}
	return nil
}

func (u *update) timestamp() (*timestamp, error) {
	name := File(RoleTimestamp, 0)
	file, err := read(u.ctx, u.src, name, MaxTimestampFile)
	if err != nil {
		return nil, err
	}
	ts := new(timestamp)
	text, err := u.root.verify(RoleTimestamp, name, file, ts)
	if err != nil {
		return nil, err
	}
	if u.state.Timestamp != nil {
		old := new(timestamp)
		seen, err := peek(RoleTimestamp, "state", u.state.Timestamp, old)
		if err != nil {
			return nil, err
		}
		if err := ts.follows(name, &old.header, bytes.Equal(text, seen)); err != nil {
			return nil, err
		}
		if err := ts.Snapshot.follows(old.Snapshot, name, RoleSnapshot); err != nil {
			return nil, err
		}
		if ts.Version == old.Version {
			file = u.state.Timestamp
		}
	}
	if err := ts.expired(name, u.at); err != nil {
		return nil, err
	}
	u.state.Timestamp = file
	return ts, nil
}

// follows compares with the version that was seen before.
func (h *header) follows(file string, old *header, same bool) error {
	switch {
	case h.Version < old.Version:
		return &Error{Reason: ReasonRollback, File: file, Detail: fmt.Sprintf("version %d, version %d was seen", h.Version, old.Version)}
	case h.Version == old.Version && !same:
		return &Error{Reason: ReasonEquivocation, File: file, Detail: fmt.Sprintf("version %d was seen with other content", h.Version)}
	}
	return nil
}

func (u *update) snapshot(ts *timestamp) (*snapshot, error) {
	sn := new(snapshot)
	file, name, err := u.named(RoleSnapshot, ts.Snapshot, u.state.Snapshot, sn)
	if err != nil {
		return nil, err
	}
	if u.state.Snapshot != nil {
		old := new(snapshot)
		if _, err := peek(RoleSnapshot, "state", u.state.Snapshot, old); err != nil {
			return nil, err
		}
		if err := sn.follows(name, &old.header, bytes.Equal(file, u.state.Snapshot)); err != nil {
			return nil, err
		}
		if err := sn.Targets.follows(old.Targets, name, RoleTargets); err != nil {
			return nil, err
		}
	}
	if err := sn.expired(name, u.at); err != nil {
		return nil, err
	}
	u.state.Snapshot = file
	return sn, nil
}

func (u *update) targets(sn *snapshot) (*targets, error) {
	tg := new(targets)
	file, name, err := u.named(RoleTargets, sn.Targets, u.state.Targets, tg)
	if err != nil {
		return nil, err
	}
	if u.state.Targets != nil { // counts by itself where the snapshot was forgotten
		old := new(targets)
		if _, err := peek(RoleTargets, "state", u.state.Targets, old); err != nil {
			return nil, err
		}
		if err := tg.follows(name, &old.header, bytes.Equal(file, u.state.Targets)); err != nil {
			return nil, err
		}
	}
	if err := tg.expired(name, u.at); err != nil {
		return nil, err
	}
	u.state.Targets = file
	return tg, nil
}

// named reads the file that the role above names: the one at hand, or else the
// source's.
func (u *update) named(r Role, m *meta, at []byte, p payload) (file []byte, name string, err error) {
	name = File(r, m.Version)
	if m.names(at) {
		return at, name, u.accept(r, name, at, m, p)
	}
	if file, err = read(u.ctx, u.src, name, m.Length); err != nil {
		return nil, name, err
	}
	if !m.names(file) {
		return nil, name, m.refuse(name, file)
	}
	return file, name, u.accept(r, name, file, m, p)
}
