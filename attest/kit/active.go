package kit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Active is the release that was active when it was asked for. It stays what it is
// when another becomes active, as long as [Store.Collect] keeps its contents. It is
// safe for concurrent use.
//
// Its contents go where they are used without a path: Read is what the Manifest and
// Object of a cache of advisories ask for, and File what a set of VEX statements is
// opened from.
type Active struct {
	Activation
	Entries []Entry // sorted by name

	store Store
}

// Active returns the active release, whose metadata are verified again. That it has
// expired is for the caller to judge. An error wraps ErrNotFound where there is none.
func (s Store) Active() (*Active, error) {
	f, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("open the kit: %w", err)
	}
	defer f.release()
	c, err := f.current()
	if err != nil {
		return nil, fmt.Errorf("open the kit in %s: %w", s.Dir, err)
	}
	_, entries, err := f.record(c.Active)
	if err != nil {
		return nil, fmt.Errorf("open the kit in %s: %w", s.Dir, err)
	}
	return &Active{Activation: c.Active, Entries: entries, store: s}, nil
}

// List returns the entries of a kind, sorted by name.
func (a *Active) List(kind string) (out []Entry) {
	for _, e := range a.Entries {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// Entry returns the entry of a kind and name. An error wraps ErrNotFound.
func (a *Active) Entry(kind, name string) (Entry, error) {
	e, err := find(a.Entries, kind, name)
	if err != nil {
		return e, fmt.Errorf("kit %d of %s: %w", a.Version, a.Feed, err)
	}
	return e, nil
}

// Open opens a content as a stream, which is verified as it is read: its end is only
// reached if all of it is right, and is an error otherwise. Use nothing of it before.
func (a *Active) Open(kind, name string) (io.ReadCloser, error) {
	f, e, err := a.open(kind, name)
	if err != nil {
		return nil, err
	}
	return &stream{f: f, m: contentOf(e), h: sha256.New()}, nil
}

// File opens a content as a file after having verified all of it: to be mapped into
// memory, or read anywhere. It must not be written to.
func (a *Active) File(ctx context.Context, kind, name string) (*os.File, error) {
	f, e, err := a.open(kind, name)
	if err != nil {
		return nil, err
	}
	s := &stream{f: f, m: contentOf(e), h: sha256.New()}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, &patient{ctx, s}, make([]byte, bufferSize))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Read returns a content of at most limit bytes, verified.
func (a *Active) Read(ctx context.Context, kind, name string, limit int64) ([]byte, error) {
	e, err := a.Entry(kind, name)
	if err != nil {
		return nil, err
	}
	if e.Length > limit {
		return nil, &fault.LimitError{What: "bytes", Where: e.Target(), Max: limit, Seen: e.Length}
	}
	s, err := a.Open(kind, name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	b := bytes.NewBuffer(make([]byte, 0, e.Length+bytes.MinRead))
	_, err = b.ReadFrom(&patient{ctx, s})
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (a *Active) open(kind, name string) (*os.File, Entry, error) {
	e, err := a.Entry(kind, name)
	if err != nil {
		return nil, e, err
	}
	store, err := a.store.open()
	if err != nil {
		return nil, e, err
	}
	defer store.release()
	f, err := store.root.Open(contentOf(e).name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, e, &role.Error{Reason: role.ReasonMissing, File: e.Target(), Err: err}
	}
	return f, e, err
}

// stream is a content that is verified at its end.
type stream struct {
	f *os.File
	m member
	h hash.Hash
	n int64
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.f.Read(b)
	s.h.Write(b[:n])
	s.n += int64(n)
	switch {
	case s.n > s.m.size:
		return n, refuse(role.ReasonEndless, s.m.name, "more than %d bytes", s.m.size)
	case err == io.EOF && s.n < s.m.size:
		return n, refuse(role.ReasonTruncated, s.m.name, "%d bytes of %d", s.n, s.m.size)
	case err == io.EOF:
		if bad := s.m.check(s.h); bad != nil {
			return n, bad
		}
	}
	return n, err
}

// Close implements io.Closer.
func (s *stream) Close() error { return s.f.Close() }
