package kit

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/stella-ops/stella/attest/role"
)

// metadata is a source of the files of metadata in a kit.
type metadata []role.NamedFile

// Open implements role.Source.
func (m metadata) Open(_ context.Context, name string) (io.ReadCloser, error) {
	for _, f := range m {
		if f.Name == name {
			return io.NopCloser(bytes.NewReader(f.Data)), nil
		}
	}
	return nil, fs.ErrNotExist
}

// roots returns the files of roots, of which there is at least one.
func (m metadata) roots() []role.NamedFile { return m[:len(m)-3] }

// proof is what metadata prove to who has a state.
type proof struct {
	// after is the state to be kept, also after an error.
	after role.State
	// own is the kit's own: the newest root that is known, and its files.
	own     role.State
	release *role.Release
	older   bool // than what was seen, which the caller allowed
}

// prove verifies the metadata of a kit twice: they must follow what the state knows,
// and they must prove themselves to who knows nothing but the root. The former finds
// what was held back, and the latter reads every file.
func prove(ctx context.Context, m metadata, state role.State, at time.Time, older bool) (proof, error) {
	p := proof{after: state}
	if state.Root == nil {
		return p, refuse(role.ReasonMissing, "state", "it has no root to trust")
	}
	if err := m.chain(state); err != nil {
		return p, err
	}
	after, _, err := state.Update(ctx, at, m)
	p.after = after
	if older && role.ReasonOf(err) == role.ReasonRollback {
		p.older, err = true, nil
	}
	if err != nil {
		return p, err
	}
	p.own, p.release, err = role.State{Root: after.Root}.Update(ctx, at, m)
	return p, err
}

// chain verifies that the roots follow on each other, and that the known one is
// among them or next to them.
func (m metadata) chain(state role.State) error {
	known, err := role.DecodeRoot(state.Root)
	if err != nil {
		return err
	}
	files := m.roots()
	first, err := role.DecodeRoot(files[0].Data)
	if err != nil {
		return inFile(files[0].Name, err)
	}
	if first.Feed != known.Feed {
		return refuse(role.ReasonFeed, files[0].Name, "%q, want %q", first.Feed, known.Feed)
	}
	if role.File(role.RoleRoot, first.Version) != files[0].Name {
		return refuse(role.ReasonMixed, files[0].Name, "it is version %d", first.Version)
	}
	if first.Version > known.Version+1 {
		return refuse(role.ReasonSkipped, files[0].Name, "version %d is known: the roots between must be loaded first", known.Version)
	}
	s, err := role.Trust(files[0].Data)
	if err != nil {
		return inFile(files[0].Name, err)
	}
	for i, f := range files {
		if i > 0 {
			if s, err = s.Rotate(f.Data); err != nil {
				return inFile(f.Name, err)
			}
		}
		if f.Name == role.File(role.RoleRoot, known.Version) && !bytes.Equal(f.Data, state.Root) {
			return refuse(role.ReasonEquivocation, f.Name, "version %d is known with other content", known.Version)
		}
	}
	return nil
}
