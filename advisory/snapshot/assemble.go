package snapshot

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
)

// Assemble writes the snapshot of a manifest, whose segments and overlays open
// returns by their digests. Each is checked against its digest as it is written,
// heads and contents both. An error wraps [ErrMismatch] or [ErrInvalid] where an
// object is not what the manifest names.
func Assemble(w io.Writer, manifest []byte, open func(digest string) ([]byte, error)) error {
	m, err := DecodeManifest(manifest)
	if err != nil {
		return fmt.Errorf("assemble a snapshot: %w", err)
	}
	out := &counter{w: w}
	out.Write([]byte(magic))
	for i := range m.Segments {
		info := &m.Segments[i]
		object, err := open(info.Digest)
		if err == nil {
			err = checkSegment(object, info)
		}
		if err != nil {
			return fmt.Errorf("assemble a snapshot: segment %s: %w", info.name(), err)
		}
		out.Write(object)
	}
	for i := range m.Overlays {
		object, err := open(m.Overlays[i].Digest)
		if err == nil {
			err = checkOverlay(object, &m.Overlays[i])
		}
		if err != nil {
			return fmt.Errorf("assemble a snapshot: overlay %s: %w", m.Overlays[i].Source, err)
		}
		out.Write(object)
	}
	out.finish(manifest)
	if out.err != nil {
		return fmt.Errorf("assemble a snapshot: %w", out.err)
	}
	return nil
}

// checkSegment checks all of an object.
func checkSegment(object []byte, info *Segment) error {
	var g segment
	rest, err := g.open(object, info)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow it: %w", len(rest), fault.Invalid)
	}
	if err == nil {
		_, err = g.part(0, int64(len(g.body)))
	}
	if err != nil {
		return err
	}
	var d decoder
	defer d.close()
	return g.verifyTexts(&d)
}

func checkOverlay(object []byte, info *Overlay) error {
	var o overlay
	rest, err := o.open(object, info)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow it: %w", len(rest), fault.Invalid)
	}
	if err == nil {
		_, err = o.part(0, int64(len(o.body)))
	}
	return err
}

// Install makes the snapshot that write writes the current one, if it has the
// digest: a file that came from elsewhere, was assembled or made by a delta. All
// of it is checked before. Where it fails, the snapshot that was current still
// is.
func (s Store) Install(digest string, write func(io.Writer) error) error {
	if err := s.install(digest, write); err != nil {
		return fmt.Errorf("install snapshot %s in %s: %w", digest, s.Dir, err)
	}
	return nil
}

func (s Store) install(digest string, write func(io.Writer) error) error {
	name, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || !isHex(name) {
		return fmt.Errorf("it is not a digest: %w", fault.Invalid)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	temporary, err := durable.Temporary(s.Dir, write)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) // after the renaming there is no such file
	snap, err := Open(temporary)
	if err != nil {
		return err
	}
	err = snap.Verify()
	got := snap.Digest()
	snap.Close()
	if err == nil && got != digest {
		err = &fault.MismatchError{What: "digest", Want: digest, Got: got}
	}
	if err != nil {
		return err
	}
	previous, _ := s.current() // a damaged pointer is replaced
	if err := durable.Rename(temporary, filepath.Join(s.Dir, name+suffix)); err != nil {
		return err
	}
	return s.point(digest, previous)
}
