package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// summer computes the Ref of what is read through it.
type summer struct {
	r      io.Reader
	size   int64
	whole  hash.Hash
	chunk  hash.Hash
	filled int // bytes of the chunk that is being summed
	chunks []byte
}

func newSummer(r io.Reader) *summer {
	return &summer{r: r, whole: sha256.New(), chunk: sha256.New()}
}

func (s *summer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.add(p[:n])
	return n, err
}

func (s *summer) add(p []byte) {
	s.size += int64(len(p))
	s.whole.Write(p)
	for len(p) > 0 {
		n := min(len(p), ChunkSize-s.filled)
		s.chunk.Write(p[:n])
		s.filled += n
		p = p[n:]
		if s.filled == ChunkSize {
			s.endChunk()
		}
	}
}

func (s *summer) endChunk() {
	s.chunks = s.chunk.Sum(s.chunks)
	s.chunk.Reset()
	s.filled = 0
}

// ref returns the Ref of what was read. It ends the summing.
func (s *summer) ref() Ref {
	if s.filled > 0 {
		s.endChunk()
	}
	r := Ref{Digest: "sha256:" + hex.EncodeToString(s.whole.Sum(nil)), Size: s.size}
	if s.size > ChunkSize {
		r.Chunks = s.chunks
	}
	return r
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
