package door

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// Reader reads answers of a source's hosts, and of no other: what publishers name is
// theirs to choose, and not where this goes. A body that breaks is asked for once
// more. It is safe for concurrent use.
type Reader struct {
	Door  Door
	Hosts []string // without ports
}

// Check refuses an address that is not https at one of the hosts. An error wraps the
// kind forbidden.
func (r Reader) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || !slices.ContainsFunc(r.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }) {
		return fmt.Errorf("fetch %.300s: it is not https at a host of the source: %w", address, fault.Forbidden)
	}
	return nil
}

// Read reads an answer whole, of at most q.Max bytes, which must be set. The content
// is nil where NotModified; the answer's body is closed.
func (r Reader) Read(ctx context.Context, q Request) ([]byte, *Response, error) {
	var b bytes.Buffer
	resp, err := r.body(ctx, q, func(in io.Reader) error {
		b.Reset()
		_, err := b.ReadFrom(in)
		return err
	})
	if err != nil || resp.NotModified {
		return nil, resp, err
	}
	return append([]byte{}, b.Bytes()...), resp, nil // without spare room, as it may be kept for long
}

// body passes an answer's body to read, once more from the start if it breaks.
func (r Reader) body(ctx context.Context, q Request, read func(io.Reader) error) (*Response, error) {
	if err := r.Check(q.URL); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		resp, err := r.Door.Open(ctx, q)
		if err != nil || resp.NotModified {
			return resp, err
		}
		bounded := &io.LimitedReader{R: resp.Body, N: q.Max + 1}
		err = read(bounded)
		resp.Body.Close()
		switch {
		case err == nil && bounded.N <= 0:
			return nil, fmt.Errorf("fetch: %w", &fault.LimitError{What: "bytes of an answer", Where: q.URL, Max: q.Max})
		case err == nil:
			return resp, nil
		case try == 2 || ctx.Err() != nil || !errors.Is(err, fault.Unavailable) || errors.Is(err, errDisk):
			return nil, fmt.Errorf("fetch %.300s: %w", q.URL, err)
		}
	}
}

// Spooled is an answer in a temporary file, which Close removes. It has no name where
// the system allows that, so that nothing stays of a process that is killed.
type Spooled struct {
	*os.File
	Size   int64
	Digest string // of the content, "sha256:" and 64 hexadecimal digits
	named  bool
}

// Close closes and removes the file.
func (s *Spooled) Close() error {
	err := s.File.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.Name()))
	}
	return err
}

// errDisk says that it is not the answer that failed.
var errDisk = fmt.Errorf("write a temporary file: %w", fault.Unavailable)

// Spool reads an answer of at most q.Max bytes into a temporary file, and returns it
// at its beginning. NotModified is an error: what is known is in no file.
func (r Reader) Spool(ctx context.Context, q Request) (*Spooled, *Response, error) {
	f, err := os.CreateTemp("", "stella-fetch-")
	if err != nil {
		return nil, nil, fmt.Errorf("fetch %.300s: %w: %w", q.URL, errDisk, err)
	}
	s := &Spooled{File: f, named: os.Remove(f.Name()) != nil}
	resp, err := r.body(ctx, q, s.fill)
	if err == nil && resp.NotModified {
		err = fmt.Errorf("fetch %.300s: the answer says unmodified to who knows nothing: %w", q.URL, fault.Invalid)
	}
	if err == nil {
		if _, err = f.Seek(0, io.SeekStart); err != nil {
			err = fmt.Errorf("fetch %.300s: %w: %w", q.URL, errDisk, err)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, resp, nil
}

// fill writes the file from its start.
func (s *Spooled) fill(in io.Reader) error {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", errDisk, err)
	}
	if err := s.Truncate(0); err != nil {
		return fmt.Errorf("%w: %w", errDisk, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(disk{s.File}, h), in)
	s.Size, s.Digest = n, "sha256:"+hex.EncodeToString(h.Sum(nil))
	return err
}

// disk tells a disk's errors from those of an answer.
type disk struct{ f *os.File }

// Write writes.
func (d disk) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errDisk, err)
	}
	return n, err
}

// Digest returns the digest of a content, "sha256:" and 64 hexadecimal digits.
func Digest(content []byte) string { return sum.Of(content) }
