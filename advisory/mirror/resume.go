package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Resume goes on from the release that a source has, where it is newer than the one
// in Dir: where Dir was lost, or is of another machine than the one that published
// last. Begin must have been called. It takes over versions, metadata and roots, and
// no content: publish next, which is when others see it. It reports whether there was
// something newer.
//
// What a source has is verified as a client does, except that it may have expired.
// ReasonRollback means that the source has an older release than Dir, which the next
// one replaces; ReasonEquivocation, that two publishers have signed releases of one
// version, between which only their holders can choose.
func (p *Publisher) Resume(ctx context.Context, src role.Source) (bool, error) {
	resumed, err := p.resume(ctx, src)
	if err != nil {
		return false, fmt.Errorf("go on with the mirror %s from what is published: %w", p.Dir, err)
	}
	return resumed, nil
}

// longAgo is before everything that expires.
var longAgo = time.Unix(1, 0)

func (p *Publisher) resume(ctx context.Context, src role.Source) (bool, error) {
	before, err := p.state()
	if err != nil {
		return false, err
	}
	if _, err := p.finish(before); err != nil {
		return false, err
	}
	read := &rootsRead{Source: src}
	after, _, err := before.Update(ctx, longAgo, read)
	if err != nil {
		return false, err
	}
	if bytes.Equal(before.Root, after.Root) && bytes.Equal(before.Timestamp, after.Timestamp) {
		return false, nil
	}
	if err := p.olderRoots(ctx, src, before); err != nil {
		return false, err
	}
	s := before
	for _, root := range read.roots {
		if s, err = s.Rotate(root.Bytes()); err != nil {
			return false, err
		}
		if err := p.advance(s); err != nil {
			return false, err
		}
	}
	return true, p.advance(after)
}

// olderRoots writes the roots before the one that Dir has: clients that know those
// come by way of them. What did not lead to its successor is left out.
func (p *Publisher) olderRoots(ctx context.Context, src role.Source, s role.State) error {
	next := s.Root
	r, err := role.DecodeRoot(next)
	if err != nil {
		return err
	}
	for v := r.Version - 1; v > 0; v-- {
		name := role.File(role.RoleRoot, v)
		if text, err := os.ReadFile(filepath.Join(p.Dir, name)); err == nil {
			next = text
			continue
		}
		text, err := readRoot(ctx, src, name)
		if err != nil || text == nil {
			return err
		}
		old, err := role.Trust(text)
		if err == nil {
			_, err = old.Rotate(next)
		}
		if err != nil {
			return nil
		}
		if err := p.write(name, text); err != nil {
			return err
		}
		next = text
	}
	return nil
}

// readRoot returns nil where there is none.
func readRoot(ctx context.Context, src role.Source, name string) ([]byte, error) {
	rc, err := src.Open(ctx, name)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(io.LimitReader(rc, role.MaxRootFile+1))
}

// rootsRead keeps the roots that are read of a source.
type rootsRead struct {
	role.Source
	roots []*bytes.Buffer
}

func (r *rootsRead) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	rc, err := r.Source.Open(ctx, name)
	if err != nil || roleOf(name) != role.RoleRoot {
		return rc, err
	}
	b := new(bytes.Buffer)
	r.roots = append(r.roots, b)
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(rc, b), rc}, nil
}
