package kit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/filelock"
	"github.com/stella-ops/stella/internal/sum"
)

// folder is an open store.
type folder struct {
	dir  string
	root *os.Root
	lock *os.File // nil where it is only read
}

// hold opens the store for a change, which one process at a time may make.
func (s Store) hold() (*folder, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{contentsDir, partialDir, releasesDir} {
		if err := f.root.MkdirAll(d, 0o700); err != nil {
			f.release()
			return nil, err
		}
	}
	f.lock, err = f.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = filelock.Try(f.lock)
	}
	switch {
	case errors.Is(err, filelock.ErrHeld):
		err = fmt.Errorf("somebody else is changing the store: %w", fault.Conflict)
	case errors.Is(err, filelock.ErrUnsupported): // there, one process at a time may change a store
		err = nil
	}
	if err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

// open opens the store for reading.
func (s Store) open() (*folder, error) {
	root, err := os.OpenRoot(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store in %s: %w", s.Dir, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	return &folder{dir: s.Dir, root: root}, nil
}

func (f *folder) release() {
	f.root.Close()
	if f.lock != nil {
		f.lock.Close()
	}
}

// read reads a file of the store, which is absent with ErrNotFound.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &fault.LimitError{What: "bytes", Where: name, Max: limit}
	}
	return text, err
}

func (f *folder) replace(name string, text []byte) error {
	return durable.Replace(f.path(name), durable.Bytes(text))
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// state returns what is known of the feed.
func (f *folder) state() (role.State, error) {
	text, err := f.read(stateName, role.MaxState)
	if errors.Is(err, fault.NotFound) {
		return role.State{}, fmt.Errorf("it has no root to trust yet: %w", fault.NotFound)
	}
	if err != nil {
		return role.State{}, err
	}
	return role.DecodeState(text)
}

func (f *folder) keep(s role.State) error {
	text, err := s.Encode()
	if err != nil {
		return err
	}
	return f.replace(stateName, text)
}

// current returns which release is active; ErrNotFound where none is.
func (f *folder) current() (*current, error) {
	text, err := f.read(currentName, maxCurrent)
	if errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("no kit is active: %w", fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	c := new(current)
	if err := json.Unmarshal(text, c, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%s: %v: %w", currentName, err, fault.Invalid)
	}
	if c.Format != formatNow {
		return nil, fmt.Errorf("%s: format %d: %w", currentName, c.Format, fault.Unsupported)
	}
	return c, nil
}

func recordName(digest string) string {
	return releasesDir + "/" + strings.TrimPrefix(digest, "sha256:") + ".json"
}

// record reads the release of an activation and verifies it again. That it has
// expired since is for who uses it to judge.
func (f *folder) record(a Activation) (*role.Release, []Entry, error) {
	if !sum.Is(a.Release) {
		return nil, nil, fmt.Errorf("%s: release %.80q: %w", currentName, a.Release, fault.Invalid)
	}
	text, err := f.read(recordName(a.Release), role.MaxState)
	if err != nil {
		return nil, nil, err
	}
	if got := sum.Of(text); got != a.Release {
		return nil, nil, &fault.MismatchError{What: "metadata of the release", Want: a.Release, Got: got}
	}
	state, err := role.DecodeState(text)
	if err != nil {
		return nil, nil, err
	}
	r, err := state.Release(time.Unix(0, 0))
	if err != nil {
		return nil, nil, err
	}
	entries, err := entriesOf(r)
	return r, entries, err
}

// has reports whether the store has a content, by reading it. What is damaged or
// cannot be read counts as absent: a kit that has it replaces it.
func (f *folder) has(ctx context.Context, m member) (bool, error) {
	file, err := f.root.Open(m.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, &patient{ctx, io.LimitReader(file, m.size+1)}, make([]byte, bufferSize))
	return err == nil && n == m.size && m.check(h) == nil, ctx.Err()
}
