package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Spooled is an answer in a temporary file, which Close removes.
type Spooled struct{ *os.File }

// Close closes and removes the file.
func (s *Spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}

// Spool reads an answer into a temporary file, and returns it at its beginning.
// Addresses are judged as by [Read].
func Spool(ctx context.Context, door vex.Door, hosts []string, r vex.Request) (*Spooled, *vex.Response, error) {
	if err := check(r.URL, hosts); err != nil {
		return nil, nil, err
	}
	resp, err := door.Open(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if resp.NotModified {
		return nil, nil, fmt.Errorf("fetch %.300s: the answer says unmodified to who knows nothing: %w", r.URL, fault.Invalid)
	}
	defer resp.Body.Close()
	f, err := os.CreateTemp("", "stella-vex-")
	if err != nil {
		return nil, nil, fmt.Errorf("fetch %.300s: %w: %w", r.URL, err, fault.Unavailable)
	}
	s := &Spooled{f}
	n, err := io.Copy(f, io.LimitReader(resp.Body, r.Max+1))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	switch {
	case err != nil && fault.KindOf(err) == "": // of the disk
		err = fmt.Errorf("fetch %.300s: %w: %w", r.URL, err, fault.Unavailable)
	case err != nil:
		err = fmt.Errorf("fetch %.300s: %w", r.URL, err)
	case n > r.Max:
		err = &fault.LimitError{What: "bytes of an answer", Where: r.URL, Max: r.Max}
	default:
		return s, resp, nil
	}
	return nil, nil, errors.Join(err, s.Close())
}
