package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/mapped"
	"github.com/stella-ops/stella/vex"
)

// Snapshot is an open snapshot. It is a vex.View, and safe for concurrent use.
type Snapshot struct {
	head
	name    string // for errors
	info    Info
	body    blocks
	dec     *zstd.Decoder
	file    mapped.File
	mu      sync.Mutex
	decoded map[uint32]*vex.Statement // read last
	before  map[uint32]*vex.Statement // and before those
}

var _ vex.View = (*Snapshot)(nil)

// cachedStatements is half of how many statements are held ready.
const cachedStatements = 16384

// Open opens a file in memory, which must not change meanwhile. An error wraps
// ErrNotFound, ErrInvalid or ErrMismatch.
func Open(path string) (*Snapshot, error) {
	f, err := mapped.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot of VEX: %w", missing(err))
	}
	s := &Snapshot{name: path, file: f}
	if err := s.open(bytes.NewReader(f.Data), int64(len(f.Data))); err != nil {
		f.Close()
		return nil, fmt.Errorf("open snapshot of VEX %s: %w", path, err)
	}
	s.body.body, s.body.file = f.Data[s.bodyAt():], nil
	return s, nil
}

// New opens what is in r, which is read as it is needed and must not change
// meanwhile.
func New(r io.ReaderAt, size int64) (*Snapshot, error) {
	s := &Snapshot{name: "in a reader"}
	if err := s.open(r, size); err != nil {
		return nil, fmt.Errorf("open snapshot of VEX: %w", err)
	}
	return s, nil
}

// open reads what comes before the body.
func (s *Snapshot) open(r io.ReaderAt, size int64) error {
	first := make([]byte, headSize)
	if n, err := r.ReadAt(first, 0); n < headSize {
		return fmt.Errorf("it has %d bytes, %v: %w", n, err, fault.Invalid)
	}
	if err := s.head.read(first, size); err != nil {
		return err
	}
	front := make([]byte, s.bodyAt())
	if n, err := r.ReadAt(front, 0); n < len(front) {
		return fmt.Errorf("it ends early: %v: %w", err, fault.Invalid)
	}
	sums := front[headSize : len(front)-sha256.Size]
	if got, want := sha256.Sum256(front[:len(front)-sha256.Size]), [sha256.Size]byte(front[len(front)-sha256.Size:]); got != want {
		return &fault.MismatchError{What: "head", Want: digestName(want), Got: digestName(got)}
	}
	s.body.sums, s.body.size, s.body.file, s.body.at = sums, s.bodySize(), r, s.bodyAt()
	s.body.checked = newBits(s.blocks())
	s.info = Info{Digest: digestName(s.set), Statements: int(s.statements), Names: int(s.names), Size: size}
	var err error
	s.dec, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*MaxStatement), zstd.WithDecoderConcurrency(0))
	return err
}

// Close frees the file. What was read stays.
func (s *Snapshot) Close() error {
	s.dec.Close()
	return s.file.Close()
}

// Digest returns the digest of the set.
func (s *Snapshot) Digest() string { return s.info.Digest }

// Info says what the snapshot holds.
func (s *Snapshot) Info() Info { return s.info }

// Statements returns those that are about a vulnerability with one of the ids.
func (s *Snapshot) Statements(ctx context.Context, ids []string) ([]*vex.Statement, error) {
	var numbers []uint32
	for _, id := range ids {
		list, err := s.find(strings.ToUpper(id))
		if err != nil {
			return nil, s.damaged(err)
		}
		numbers = append(numbers, list...)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	var out []*vex.Statement
	for _, n := range numbers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st, err := s.statement(n)
		if err != nil {
			return nil, s.damaged(err)
		}
		out = append(out, st)
	}
	return out, nil
}

// All yields every statement, sorted by ID.
func (s *Snapshot) All() iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		for n := range s.statements {
			st, err := s.read(n)
			if err != nil {
				yield(nil, s.damaged(err))
				return
			}
			if !yield(st, nil) {
				return
			}
		}
	}
}

func (s *Snapshot) damaged(err error) error {
	return fmt.Errorf("snapshot of VEX %s: %w", s.name, err)
}

// find returns the numbers of the statements of a name.
func (s *Snapshot) find(name string) ([]uint32, error) {
	from, to := uint32(0), s.names
	for from < to {
		i := from + (to-from)/2
		is, err := s.nameAt(i)
		switch c := strings.Compare(is, name); {
		case err != nil:
			return nil, err
		case c == 0:
			return s.postingsOf(i)
		case c < 0:
			from = i + 1
		default:
			to = i
		}
	}
	return nil, nil
}

// nameAt returns the ith name.
func (s *Snapshot) nameAt(i uint32) (string, error) {
	from, to := int64(0), int64(0)
	b, err := s.body.part(s.endsAt()+max(int64(i)-1, 0)*4, 4)
	if err != nil {
		return "", err
	}
	if to = int64(binary.LittleEndian.Uint32(b)); i > 0 {
		from = to
		if b, err = s.body.part(s.endsAt()+int64(i)*4, 4); err != nil {
			return "", err
		}
		to = int64(binary.LittleEndian.Uint32(b))
	}
	if to < from || to > int64(s.nameBytes) {
		return "", fmt.Errorf("name %d is outside: %w", i, fault.Invalid)
	}
	b, err = s.body.part(s.namesAt()+from, to-from)
	return string(b), err
}

// postingsOf returns the numbers of the statements of the ith name.
func (s *Snapshot) postingsOf(i uint32) ([]uint32, error) {
	b, err := s.body.part(s.firstsAt()+int64(i)*4, 8)
	if err != nil {
		return nil, err
	}
	from, to := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if from > to || to > s.postings {
		return nil, fmt.Errorf("postings of name %d are outside: %w", i, fault.Invalid)
	}
	b, err = s.body.part(s.postingsAt()+int64(from)*4, int64(to-from)*4)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, 0, to-from)
	for ; len(b) > 0; b = b[4:] {
		n := binary.LittleEndian.Uint32(b)
		if n >= s.statements {
			return nil, fmt.Errorf("statement %d of name %d is outside: %w", n, i, fault.Invalid)
		}
		out = append(out, n)
	}
	return out, nil
}

// statement returns the nth statement, perhaps one that was read before.
func (s *Snapshot) statement(n uint32) (*vex.Statement, error) {
	s.mu.Lock()
	st := s.decoded[n]
	if st == nil {
		if st = s.before[n]; st != nil {
			s.remember(n, st)
		}
	}
	s.mu.Unlock()
	if st != nil {
		return st, nil
	}
	st, err := s.read(n)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(n, st)
	return st, nil
}

// remember holds a statement ready. The lock must be held.
func (s *Snapshot) remember(n uint32, st *vex.Statement) {
	if s.decoded == nil || len(s.decoded) >= cachedStatements {
		s.before, s.decoded = s.decoded, map[uint32]*vex.Statement{}
	}
	s.decoded[n] = st
}

// read reads the nth statement and verifies it by its ID.
func (s *Snapshot) read(n uint32) (*vex.Statement, error) {
	b, err := s.body.part(s.placesAt()+int64(n)*placeSize, placeSize)
	if err != nil {
		return nil, err
	}
	frame, at, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	text, err := s.frame(frame)
	if err != nil {
		return nil, err
	}
	if uint64(at)+uint64(size) > uint64(len(text)) {
		return nil, fmt.Errorf("statement %d is outside of its frame: %w", n, fault.Invalid)
	}
	st := new(vex.Statement)
	if err := json.Unmarshal(text[at:at+size], st); err != nil {
		return nil, fmt.Errorf("statement %d: %v: %w", n, err, fault.Invalid)
	}
	if err := st.Prepare(); err != nil {
		return nil, fmt.Errorf("statement %d: %w", n, err)
	}
	id, err := s.body.part(int64(n)*sha256.Size, sha256.Size)
	if err != nil {
		return nil, err
	}
	if want := digestName([sha256.Size]byte(id)); st.ID != want {
		return nil, &fault.MismatchError{What: fmt.Sprintf("id of statement %d", n), Want: want, Got: st.ID}
	}
	return st, nil
}

// frame decompresses a frame.
func (s *Snapshot) frame(i uint32) ([]byte, error) {
	if i >= s.frames {
		return nil, fmt.Errorf("frame %d is outside: %w", i, fault.Invalid)
	}
	from := uint64(0)
	if i > 0 {
		b, err := s.body.part(s.framesAt()+int64(i-1)*frameInfo, frameInfo)
		if err != nil {
			return nil, err
		}
		from = binary.LittleEndian.Uint64(b)
	}
	b, err := s.body.part(s.framesAt()+int64(i)*frameInfo, frameInfo)
	if err != nil {
		return nil, err
	}
	to, size := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])
	if from > to || to > s.textBytes || size > MaxStatement+frameSize {
		return nil, fmt.Errorf("frame %d is outside: %w", i, fault.Invalid)
	}
	if b, err = s.body.part(s.textsAt()+int64(from), int64(to-from)); err != nil {
		return nil, err
	}
	text, err := s.dec.DecodeAll(b, make([]byte, 0, min(size, 4*frameSize)))
	if err != nil || len(text) != int(size) {
		return nil, fmt.Errorf("frame %d: %d bytes instead of %d, %v: %w", i, len(text), size, err, fault.Invalid)
	}
	return text, nil
}
