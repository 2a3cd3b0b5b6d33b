package role

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// Draft says what the next metadata of a feed are.
type Draft struct {
	// At is now: what is made must expire after it.
	At time.Time
	// Expires are the times of the roles whose metadata are made anew. Those
	// of timestamp always are. Snapshot's are as well where targets' are, and
	// targets' where Targets is given; each needs its time. A time without a
	// need makes them anew with what they said.
	Expires map[Role]time.Time
	// Targets are all files of the release, in any order. Nil means those of
	// the release before; without elements it means none.
	Targets []Target
	// Signers are the keys of each role whose metadata are made.
	Signers map[Role][]dsse.Signer
}

// NamedFile is one file to be published.
type NamedFile struct {
	Name string
	Data []byte
}

// Publish makes the metadata that follow a publisher's state, each one version
// on, and returns the state after them and their files in the order in which
// they are to be written; the content of targets is to be there before. Equal
// arguments give equal files, if the signers are deterministic.
//
// A feed has one publisher at a time, who keeps the state that comes back before
// the files are written: two that follow the same state make two releases of one
// version, which clients refuse.
//
// Publish verifies what it made as a client with the state before would. An
// error means that no such client would take it, such as one for
// ReasonThreshold where a role's keys were replaced and its metadata are not
// made anew; nothing is to be published then.
func (s State) Publish(ctx context.Context, d *Draft) (State, []NamedFile, error) {
	p := &publisher{ctx: ctx, draft: d, before: s}
	if err := p.make(); err != nil {
		return s, nil, fmt.Errorf("publish: %w", err)
	}
	after, _, err := s.Update(ctx, d.At, p)
	if err != nil {
		return s, nil, fmt.Errorf("publish: a client would refuse it: %w", err)
	}
	return after, p.files, nil
}

// publisher makes files. It is the source of its own client.
type publisher struct {
	ctx    context.Context
	draft  *Draft
	before State
	feed   string
	files  []NamedFile
	kept   []NamedFile // of the release before
}

func (p *publisher) make() error {
	u := &update{state: p.before}
	if err := u.start(); err != nil {
		return err
	}
	p.feed = u.root.Feed
	oldTargets, oldSnapshot, oldTimestamp := new(targets), new(snapshot), new(timestamp)
	for _, x := range []struct {
		role Role
		file []byte
		p    payload
	}{{RoleTargets, p.before.Targets, oldTargets}, {RoleSnapshot, p.before.Snapshot, oldSnapshot}, {RoleTimestamp, p.before.Timestamp, oldTimestamp}} {
		if x.file == nil {
			continue
		}
		if _, err := peek(x.role, "state", x.file, x.p); err != nil {
			return err
		}
		p.kept = append(p.kept, NamedFile{Name: File(x.role, x.p.head().Version), Data: x.file})
	}
	about := oldSnapshot.Targets
	made, err := p.targets(oldTargets)
	if err != nil {
		return err
	}
	if made != nil {
		about = made
	}
	named := oldTimestamp.Snapshot
	if p.asked(RoleSnapshot) || made != nil || named == nil {
		sn := &snapshot{Targets: about}
		if named, err = p.add(RoleSnapshot, oldSnapshot.Version, &sn.header, sn); err != nil {
			return err
		}
	}
	ts := &timestamp{Snapshot: named}
	_, err = p.add(RoleTimestamp, oldTimestamp.Version, &ts.header, ts)
	return err
}

// targets makes targets metadata where there is a need; nil means none.
func (p *publisher) targets(old *targets) (*meta, error) {
	tg := &targets{Targets: map[string]*wireTarget{}}
	switch {
	case p.draft.Targets != nil:
		for _, t := range p.draft.Targets {
			if tg.Targets[t.Name] != nil {
				return nil, fmt.Errorf("target %q is given twice: %w", t.Name, fault.Invalid)
			}
			w, err := t.wire()
			if err != nil {
				return nil, err
			}
			tg.Targets[t.Name] = w
		}
	case old.Targets == nil:
		return nil, fmt.Errorf("the first release needs targets, if only none: %w", fault.Invalid)
	case p.asked(RoleTargets):
		tg.Targets = old.Targets
	default:
		return nil, nil
	}
	return p.add(RoleTargets, old.Version, &tg.header, tg)
}

func (p *publisher) asked(r Role) bool { return !p.draft.Expires[r].IsZero() }

// add signs the metadata that follow the version before.
func (p *publisher) add(r Role, before int64, h *header, content payload) (*meta, error) {
	expires := p.draft.Expires[r]
	if expires.IsZero() {
		return nil, fmt.Errorf("%s is made anew and needs a time in Expires: %w", r, fault.Invalid)
	}
	if before >= MaxVersion {
		return nil, &fault.LimitError{What: "version", Where: string(r), Max: MaxVersion, Seen: before}
	}
	*h = newHeader(p.feed, before+1, expires)
	file, err := seal(p.ctx, r, content, p.draft.Signers[r])
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, NamedFile{Name: File(r, h.Version), Data: file})
	return describe(h.Version, file), nil
}

// Open gives what was made, and what stays.
func (p *publisher) Open(_ context.Context, name string) (io.ReadCloser, error) {
	for _, f := range slices.Concat(p.files, p.kept) {
		if f.Name == name {
			return io.NopCloser(bytes.NewReader(f.Data)), nil
		}
	}
	return nil, fs.ErrNotExist
}
