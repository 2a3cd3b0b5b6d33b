package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/mapped"
)

// Snapshot is an open snapshot. It implements [advisory.View]; what it returns
// stays valid after Close.
type Snapshot struct {
	file       mapped.File
	digest     string
	manifest   *Manifest
	ecosystems []advisory.Ecosystem
	segments   []segment
	overlays   []overlay
	holders    map[string][]holder // by ecosystem
	decoder    decoder
	closed     atomic.Bool
}

// holder is a segment that is about an ecosystem, which it has under a number.
type holder struct {
	segment   int
	ecosystem uint64
}

var _ advisory.View = (*Snapshot)(nil)

// Open opens the snapshot in the file at path and checks its manifest and
// structure. Close it when no method of it runs any more.
func Open(path string) (*Snapshot, error) {
	file, err := mapped.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	s, err := load(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open snapshot %s: %w", path, err)
	}
	return s, nil
}

// Read returns the snapshot in data, which must not be changed while it is in
// use.
func Read(data []byte) (*Snapshot, error) {
	s, err := load(mapped.File{Data: data})
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	return s, nil
}

func load(file mapped.File) (*Snapshot, error) {
	data := file.Data
	if len(data) < len(magic)+footerSize || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("it is not a snapshot: %w", fault.Invalid)
	}
	end := len(data) - footerSize
	footer := data[end:]
	if string(footer[48:]) != magic {
		return nil, fmt.Errorf("it is cut off: %w", fault.Invalid)
	}
	at, size := binary.LittleEndian.Uint64(footer), binary.LittleEndian.Uint64(footer[8:])
	if size > maxManifest || at > uint64(end) || at+size != uint64(end) {
		return nil, fmt.Errorf("its footer is damaged: %w", fault.Invalid)
	}
	text := data[at:end]
	sum := sha256.Sum256(text)
	if !bytes.Equal(sum[:], footer[16:48]) {
		return nil, &fault.MismatchError{What: "manifest", Want: digestName([32]byte(footer[16:48])), Got: digestName(sum)}
	}
	m, err := DecodeManifest(text)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{file: file, digest: digestName(sum), manifest: m, ecosystems: m.Ecosystems(), holders: map[string][]holder{}}
	return s, s.open(data[len(magic):at])
}

// open opens the segments and overlays in data.
func (s *Snapshot) open(data []byte) (err error) {
	s.segments = make([]segment, len(s.manifest.Segments))
	for i := range s.manifest.Segments {
		info := &s.manifest.Segments[i]
		g := &s.segments[i]
		if data, err = g.open(data, info); err != nil {
			return fmt.Errorf("segment %s: %w", info.name(), err)
		}
		for n, ecosystem := range g.ecosystems {
			if n >= len(info.Ecosystems) || info.Ecosystems[n].Name != ecosystem {
				return fmt.Errorf("segment %s: the manifest has other ecosystems: %w", info.name(), fault.Invalid)
			}
			s.holders[ecosystem] = append(s.holders[ecosystem], holder{i, uint64(n)})
		}
	}
	s.overlays = make([]overlay, len(s.manifest.Overlays))
	for i := range s.manifest.Overlays {
		if data, err = s.overlays[i].open(data, &s.manifest.Overlays[i]); err != nil {
			return fmt.Errorf("overlay %s: %w", s.manifest.Overlays[i].Source, err)
		}
	}
	if len(data) != 0 {
		return fmt.Errorf("%d bytes are of no segment: %w", len(data), fault.Invalid)
	}
	return nil
}

// Close frees the memory that maps the file. Methods called afterwards return
// [fs.ErrClosed].
func (s *Snapshot) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.decoder.close()
	return s.file.Close()
}

// Digest returns the digest of the manifest.
func (s *Snapshot) Digest() string { return s.digest }

// Ecosystems implements [advisory.View].
func (s *Snapshot) Ecosystems() []advisory.Ecosystem { return s.ecosystems }

// Manifest says what the snapshot is made of. The caller must not change it.
func (s *Snapshot) Manifest() *Manifest { return s.manifest }

// Verify reads all of the snapshot and checks it against its digest.
func (s *Snapshot) Verify() error {
	if s.closed.Load() {
		return fmt.Errorf("verify snapshot: %w", fs.ErrClosed)
	}
	for i := range s.segments {
		g := &s.segments[i]
		_, err := g.part(0, int64(len(g.body)))
		if err == nil {
			err = g.verifyTexts(&s.decoder)
		}
		if err != nil {
			return fmt.Errorf("verify snapshot: %w", err)
		}
	}
	for i := range s.overlays {
		o := &s.overlays[i]
		if _, err := o.part(0, int64(len(o.body))); err != nil {
			return fmt.Errorf("verify snapshot: %w", err)
		}
	}
	return nil
}
