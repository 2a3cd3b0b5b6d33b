package tlog

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Files keeps immutable files by path. Paths are slash-separated, of letters,
// digits, "-" and "."; see the package's comment. It is safe for concurrent use, also
// by several processes.
type Files interface {
	// Put keeps a file, which is durable when Put returns. Equal content again is no
	// error; a file that has other content stays, and the error wraps ErrConflict.
	Put(ctx context.Context, path string, content []byte) error
	// Get returns a file of at most max bytes. The error wraps ErrNotFound where
	// there is none, and ErrLimit where it is larger.
	Get(ctx context.Context, path string, max int) ([]byte, error)
	// Delete removes a file that is of no use any more: staged entries, and partial
	// tiles whose full ones are there. One that is not there is no error.
	Delete(ctx context.Context, path string) error
}

// Head keeps one small record that is replaced whole. It is safe for concurrent use,
// also by several processes.
type Head interface {
	// Load returns the record, nil where there is none yet.
	Load(ctx context.Context) ([]byte, error)
	// Swap replaces the record old by the record new, durably. Nil is the old record
	// where there is none yet; new is never empty. The error wraps ErrConflict where
	// the record is not old. After any other error it may be old or new.
	Swap(ctx context.Context, old, new []byte) error
}

// MaxHead is the most bytes that a record of a Head has.
const MaxHead = 4*MaxCheckpoint + 1<<10

// Storage is where a log keeps what it has.
type Storage struct {
	Files Files
	Head  Head
}

// head is the record of a log.
type head struct {
	// Committed is the newest checkpoint, with the log's signature alone: from here
	// on its entries are in the log.
	Committed []byte
	// Integrated is the tree whose tiles are all there: the committed one, or the one
	// before while a commit is under way.
	Integrated Tree
	// Published is the checkpoint that readers see: its tiles are there, and the
	// witnesses that the log requires have co-signed. Nil where there is none yet.
	Published []byte
}

type headRecord struct {
	Format     int        `json:"format"`
	Committed  string     `json:"committed"`
	Integrated integrated `json:"integrated"`
	Published  string     `json:"published,omitzero"`
}

type integrated struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
}

func (h *head) encode() ([]byte, error) {
	r := headRecord{Format: 1, Committed: string(h.Committed), Published: string(h.Published)}
	r.Integrated = integrated{Size: h.Integrated.Size, Root: h.Integrated.Root.String()}
	text, err := json.Marshal(r, jsontext.EscapeForHTML(false))
	if err != nil {
		return nil, fmt.Errorf("encode the head: %v: %w", err, fault.Invalid)
	}
	if len(text) > MaxHead {
		return nil, &fault.LimitError{What: "bytes of the head", Where: "log", Max: MaxHead, Seen: int64(len(text))}
	}
	return text, nil
}

func decodeHead(text []byte) (*head, error) {
	if len(text) > MaxHead {
		return nil, &fault.LimitError{What: "bytes of the head", Where: "log", Max: MaxHead, Seen: int64(len(text))}
	}
	var r headRecord
	if err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true)); err != nil {
		return nil, &Error{Reason: ReasonMalformed, What: "head", Err: err}
	}
	if r.Format != 1 {
		return nil, fmt.Errorf("head of format %d, want 1: %w", r.Format, fault.Unsupported)
	}
	h := &head{Committed: []byte(r.Committed), Integrated: Tree{Size: r.Integrated.Size}}
	var err error
	if h.Integrated.Root, err = ParseHash(r.Integrated.Root); err != nil || r.Integrated.Size < 0 || r.Integrated.Size > MaxSize {
		return nil, &Error{Reason: ReasonMalformed, What: "head", Detail: "of the integrated tree", Err: err}
	}
	if r.Published != "" {
		h.Published = []byte(r.Published)
	}
	return h, nil
}

// NewMem returns a storage in memory, for tests and for logs that need not last.
func NewMem() Storage {
	return Storage{Files: &memFiles{files: map[string][]byte{}}, Head: &memHead{}}
}

type memFiles struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (m *memFiles) Put(ctx context.Context, path string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.files[path]; ok && !bytes.Equal(have, content) {
		return otherContent(path)
	}
	m.files[path] = bytes.Clone(content)
	return ctx.Err()
}

func otherContent(path string) error {
	return fmt.Errorf("%s is there with other content: %w", path, fault.Conflict)
}

func (m *memFiles) Get(ctx context.Context, path string, max int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[path]
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !ok:
		return nil, fmt.Errorf("%s: %w", path, fault.NotFound)
	case len(b) > max:
		return nil, tooLarge(path, max, len(b))
	}
	return bytes.Clone(b), nil
}

func tooLarge(path string, max, seen int) error {
	return &fault.LimitError{What: "bytes of a file", Where: path, Max: int64(max), Seen: int64(seen)}
}

func (m *memFiles) Delete(ctx context.Context, path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, path)
	return ctx.Err()
}

type memHead struct {
	mu   sync.Mutex
	text []byte
}

// NewMemHead returns a head in memory.
func NewMemHead() Head { return &memHead{} }

func (m *memHead) Load(ctx context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.text), ctx.Err()
}

func (m *memHead) Swap(ctx context.Context, old, new []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if !sameHead(m.text, old) {
		return otherHead()
	}
	m.text = bytes.Clone(new)
	return nil
}

// sameHead tells a record from none.
func sameHead(have, old []byte) bool {
	return (have == nil) == (old == nil) && bytes.Equal(have, old)
}

func otherHead() error {
	return fmt.Errorf("the head is not what it was: somebody else swapped it: %w", fault.Conflict)
}
