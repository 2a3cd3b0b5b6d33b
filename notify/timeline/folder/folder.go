// Package folder keeps checkpoints of timelines in a folder: a file for each tenant, to
// which lines are appended. The folder lies where the owner of the database cannot write,
// such as on another machine; where the system can make files that only grow, it should.
package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/filelock"
	"github.com/stella-ops/stella/notify/timeline"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrConflict    error = fault.Conflict
	ErrUnsupported error = fault.Unsupported // the folder lies where files have no locks
)

// Sink is a timeline.Sink in a folder. It is safe for concurrent use, also by several
// processes: who writes holds the lock of the tenant's file. Make it by New.
type Sink struct{ dir string }

var _ timeline.Sink = (*Sink)(nil)

// New returns the sink of a folder, which it makes where it does not exist.
func New(dir string) (*Sink, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of checkpoints: %w", err)
	}
	return &Sink{dir}, nil
}

// Path returns the file of a tenant. An error wraps ErrInvalid for a name that a file
// cannot have.
func (s *Sink) Path(tenant string) (string, error) {
	if tenant == "" || len(tenant) > 64 || tenant[0] == '.' || strings.Trim(tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return "", fmt.Errorf("checkpoints of tenant %.80q: want letters, digits, '-', '_' and '.': %w", tenant, fault.Invalid)
	}
	return filepath.Join(s.dir, tenant+".jsonl"), nil
}

// Open reads the lines of a tenant. One that a crash left half is not read: nobody was
// told that it is there.
func (s *Sink) Open(_ context.Context, tenant string) (io.ReadCloser, error) {
	path, err := s.Path(tenant)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	end, _, err := lastLine(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read checkpoints of tenant %s: %w", tenant, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, end), f}, nil
}

// Last returns the newest checkpoint of a tenant, nil without any.
func (s *Sink) Last(_ context.Context, tenant string) (*timeline.Kept, error) {
	path, err := s.Path(tenant)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	defer f.Close()
	_, line, err := lastLine(f)
	if err != nil || line == nil {
		return nil, err
	}
	return kept(line, tenant)
}

// Put appends a checkpoint. The line is durable when Put returns.
func (s *Sink) Put(_ context.Context, tenant string, k *timeline.Kept) error {
	path, err := s.Path(tenant)
	if err != nil {
		return err
	}
	if bytes.ContainsAny(k.Envelope, "\r\n") || len(k.Envelope) == 0 || len(k.Envelope) > timeline.MaxCheckpoint {
		return fmt.Errorf("put checkpoint %d of %d bytes: want a line of up to %d: %w", k.Number, len(k.Envelope), timeline.MaxCheckpoint, fault.Invalid)
	}
	if err := put(path, tenant, k); err != nil {
		return fmt.Errorf("put checkpoint %d of tenant %s: %w", k.Number, tenant, err)
	}
	return nil
}

func put(path, tenant string, k *timeline.Kept) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := filelock.Wait(f); errors.Is(err, filelock.ErrUnsupported) {
		return fmt.Errorf("lock %s: %v: %w", path, err, fault.Unsupported)
	} else if err != nil {
		return err
	}
	end, line, err := lastLine(f)
	if err != nil {
		return err
	}
	last := &timeline.Kept{}
	if line != nil {
		if last, err = kept(line, tenant); err != nil {
			return err
		}
	}
	switch {
	case k.Number == last.Number+1:
		return add(f, path, end, k.Envelope)
	case k.Number > last.Number || k.Number < 1:
		return fmt.Errorf("the last one is %d: %w", last.Number, fault.Conflict)
	}
	return there(f, end, k)
}

// add writes a line behind the last whole one.
func add(f *os.File, path string, end int64, line []byte) error {
	info, err := f.Stat()
	if err == nil && info.Size() > end { // what a crash left
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Write(append(bytes.Clone(line), '\n'))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil && end == 0 {
		err = durable.SyncFolder(filepath.Dir(path))
	}
	return err
}

// there checks that a checkpoint that has a successor, or is the last one, is the same:
// the nth line is checkpoint n.
func there(f *os.File, end int64, k *timeline.Kept) error {
	in := newLines(io.NewSectionReader(f, 0, end))
	for n := int64(1); ; n++ {
		line, err := in.next()
		if err != nil {
			return err
		}
		if n < k.Number {
			continue
		}
		if !bytes.Equal(line, k.Envelope) {
			return fmt.Errorf("another one is there: %w", fault.Conflict)
		}
		return nil
	}
}

// kept reads the number of a checkpoint. Nothing is verified: whoever trusts it does
// that.
func kept(line []byte, tenant string) (*timeline.Kept, error) {
	e, err := dsse.Decode(line)
	if err != nil {
		return nil, fmt.Errorf("the last checkpoint: %w", err)
	}
	var p struct {
		Number int64  `json:"number"`
		Tenant string `json:"tenant"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil || p.Number < 1 || p.Tenant != tenant {
		return nil, fmt.Errorf("the last checkpoint is number %d of tenant %.80q: %v: %w", p.Number, p.Tenant, err, fault.Invalid)
	}
	return &timeline.Kept{Number: p.Number, Envelope: line}, nil
}
