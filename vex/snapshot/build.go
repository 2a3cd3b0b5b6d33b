package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Info is what a snapshot holds.
type Info struct {
	Digest     string `json:"digest"`     // of the set
	Statements int    `json:"statements"` // how many
	Names      int    `json:"names"`      // of vulnerabilities, with aliases
	Size       int64  `json:"size"`       // of the file, in bytes
}

// Build writes a snapshot of statements, which are prepared and sorted by ID, each
// once: those of vex.Set.All, or of a store. An error of the sequence is returned as
// it is; others wrap ErrInvalid or ErrLimit, or are w's. The file is held in memory
// until it is written.
func Build(ctx context.Context, w io.Writer, statements iter.Seq2[*vex.Statement, error]) (*Info, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	defer enc.Close()
	b := &builder{enc: enc, index: map[string][]uint32{}}
	for s, err := range statements {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = b.add(s)
		}
		if err != nil {
			return nil, fmt.Errorf("build a snapshot of VEX: %w", err)
		}
	}
	b.shut()
	out, err := b.file()
	if err != nil {
		return nil, fmt.Errorf("build a snapshot of VEX: %w", err)
	}
	if _, err := w.Write(out); err != nil {
		return nil, fmt.Errorf("write a snapshot of VEX: %w", err)
	}
	return &Info{Digest: digestName(b.head.set), Statements: len(b.ids), Names: len(b.index), Size: int64(len(out))}, nil
}

// builder collects what goes into a file.
type builder struct {
	head   head
	enc    *zstd.Encoder
	ids    []string
	sums   []byte
	places []byte
	index  map[string][]uint32
	frames []byte // where each ends, and its size before compression
	texts  []byte
	open   []byte // the frame that is open
	used   int
}

func (b *builder) add(s *vex.Statement) error {
	sum, err := sumOf(s.ID)
	if err != nil {
		return fmt.Errorf("a statement that is not prepared: %w", err)
	}
	if n := len(b.ids); n > 0 && b.ids[n-1] >= s.ID {
		return fmt.Errorf("statement %s comes after %s: %w", s.ID, b.ids[n-1], fault.Invalid)
	}
	if len(b.ids) == MaxStatements {
		return &fault.LimitError{What: "statements", Where: "snapshot", Max: MaxStatements}
	}
	text, err := json.Marshal(s, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("statement %s: %v: %w", s.ID, err, fault.Invalid)
	}
	if len(text) > MaxStatement {
		return &fault.LimitError{What: "bytes of a statement", Where: s.ID, Max: MaxStatement, Seen: int64(len(text))}
	}
	if len(b.open)+len(text) > frameSize {
		b.shut()
	}
	for _, n := range []int{len(b.frames) / frameInfo, len(b.open), len(text)} {
		b.places = binary.LittleEndian.AppendUint32(b.places, uint32(n))
	}
	b.open, b.used = append(b.open, text...), b.used+1
	number := uint32(len(b.ids))
	for _, name := range namesOf(s) {
		b.index[name] = append(b.index[name], number)
		b.head.postings++
	}
	b.ids, b.sums = append(b.ids, s.ID), append(b.sums, sum[:]...)
	return nil
}

// namesOf returns what a statement is found by, each once.
func namesOf(s *vex.Statement) []string {
	out := []string{strings.ToUpper(s.Vulnerability)}
	for _, a := range s.Aliases {
		if a = strings.ToUpper(a); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// shut closes the open frame.
func (b *builder) shut() {
	if b.used == 0 {
		return
	}
	b.texts = b.enc.EncodeAll(b.open, b.texts)
	b.frames = binary.LittleEndian.AppendUint64(b.frames, uint64(len(b.texts)))
	b.frames = binary.LittleEndian.AppendUint32(b.frames, uint32(len(b.open)))
	b.open, b.used = b.open[:0], 0
}

// file puts everything together.
func (b *builder) file() ([]byte, error) {
	names := slices.Sorted(maps.Keys(b.index))
	var ends, firsts, postings []byte
	var text strings.Builder
	for _, name := range names {
		text.WriteString(name)
		ends = binary.LittleEndian.AppendUint32(ends, uint32(text.Len()))
		firsts = binary.LittleEndian.AppendUint32(firsts, uint32(len(postings)/4))
		for _, n := range b.index[name] {
			postings = binary.LittleEndian.AppendUint32(postings, n)
		}
	}
	firsts = binary.LittleEndian.AppendUint32(firsts, uint32(len(postings)/4))
	h := &b.head
	set, err := sumOf(vex.SetDigest(b.ids))
	if err != nil {
		return nil, err
	}
	h.set, h.statements, h.names, h.frames = set, uint32(len(b.ids)), uint32(len(names)), uint32(len(b.frames)/frameInfo)
	h.nameBytes, h.textBytes = uint64(text.Len()), uint64(len(b.texts))
	switch size := h.bodyAt() + h.bodySize(); {
	case len(names) > MaxNames || int64(text.Len()) > 1<<32-1:
		return nil, &fault.LimitError{What: "names of vulnerabilities", Where: "snapshot", Max: MaxNames, Seen: int64(len(names))}
	case len(postings)/4 > MaxPostings:
		return nil, &fault.LimitError{What: "postings", Where: "snapshot", Max: MaxPostings, Seen: int64(len(postings) / 4)}
	case size > MaxFile:
		return nil, &fault.LimitError{What: "bytes", Where: "snapshot", Max: MaxFile, Seen: size}
	}
	out := make([]byte, h.bodyAt(), h.bodyAt()+h.bodySize())
	for _, part := range [][]byte{b.sums, b.places, ends, firsts, postings, b.frames, []byte(text.String()), b.texts} {
		out = append(out, part...)
	}
	seal(out, h)
	return out, nil
}

// seal writes the head of a file and the sums of its body.
func seal(file []byte, h *head) {
	body := file[h.bodyAt():]
	front := h.append(file[:0])
	for block := range slices.Chunk(body, blockSize) {
		sum := sha256.Sum256(block)
		front = append(front, sum[:]...)
	}
	sum := sha256.Sum256(front)
	copy(file[len(front):], sum[:])
}
