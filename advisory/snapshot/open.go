package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Snapshot is an open snapshot. It implements [advisory.View]; what it returns
// stays valid after Close.
type Snapshot struct {
	file       mapping
	digest     string
	manifest   *manifest
	ecosystems []advisory.Ecosystem
	segments   []segment
	holders    map[string][]holder // by ecosystem
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
	file, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	s, err := load(file)
	if err != nil {
		file.close()
		return nil, fmt.Errorf("open snapshot %s: %w", path, err)
	}
	return s, nil
}

// Read returns the snapshot in data, which must not be changed while it is in
// use.
func Read(data []byte) (*Snapshot, error) {
	s, err := load(mapping{data: data})
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	return s, nil
}

func load(file mapping) (*Snapshot, error) {
	data := file.data
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
	m, err := decodeManifest(text)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{file: file, digest: digestName(sum), manifest: m, ecosystems: m.ecosystems(), holders: map[string][]holder{}}
	return s, s.open(data[len(magic):at])
}

// open opens the segments in data.
func (s *Snapshot) open(data []byte) error {
	s.segments = make([]segment, len(s.manifest.Segments))
	for i, info := range s.manifest.Segments {
		name := strings.TrimSpace(info.Database + " about " + info.Ecosystem)
		if info.Size < headSize || info.Size > int64(len(data)) {
			return fmt.Errorf("segment %s: %d bytes are not there: %w", name, info.Size, fault.Invalid)
		}
		if err := s.segments[i].open(data[:info.Size], name, info.Digest); err != nil {
			return fmt.Errorf("segment %s: %w", name, err)
		}
		data = data[info.Size:]
		for n, ecosystem := range s.segments[i].ecosystems {
			if n >= len(info.Ecosystems) || info.Ecosystems[n].Name != ecosystem {
				return fmt.Errorf("segment %s: the manifest has other ecosystems: %w", name, fault.Invalid)
			}
			s.holders[ecosystem] = append(s.holders[ecosystem], holder{i, uint64(n)})
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
	return s.file.close()
}

// Digest returns the digest of the manifest.
func (s *Snapshot) Digest() string { return s.digest }

// Ecosystems implements [advisory.View].
func (s *Snapshot) Ecosystems() []advisory.Ecosystem { return s.ecosystems }

// Segments lists the segments, sorted by ecosystem and database. The caller
// must not change the list.
func (s *Snapshot) Segments() []Segment { return s.manifest.Segments }

// Verify reads all of the snapshot and checks it against its digest.
func (s *Snapshot) Verify() error {
	if s.closed.Load() {
		return fmt.Errorf("verify snapshot: %w", fs.ErrClosed)
	}
	for i := range s.segments {
		g := &s.segments[i]
		if _, err := g.part(0, int64(len(g.body))); err != nil {
			return fmt.Errorf("verify snapshot: %w", err)
		}
	}
	return nil
}
