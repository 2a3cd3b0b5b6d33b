package layer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/stella-ops/stella/internal/fault"
)

// EntryKind is the kind of a layer entry.
type EntryKind byte

// The kinds of entries.
const (
	EntryFile     EntryKind = 'f' // a regular file
	EntryDir      EntryKind = 'd'
	EntrySymlink  EntryKind = 'l'
	EntryHardlink EntryKind = 'h'
	EntryOther    EntryKind = 'o' // a device, fifo or socket
)

// Entry is one path of a layer, in the order of the tar.
type Entry struct {
	Kind EntryKind
	Path string
	Link string // the target of a link; for hard links a cleaned path of the layer
}

// Entries is a list of entries in little space: paths share the beginning of
// the path before them. It is written as base64 of, for each entry: the kind
// (one byte), the count of shared bytes and the rest of the path (uvarint,
// uvarint length, bytes), and for links the target (uvarint length, bytes).
// The zero value is an empty list.
type Entries struct {
	blocks [][]byte // each of whole entries: a long list grows without being copied
	size   int      // bytes of all blocks
	last   []byte
	count  int
}

const (
	firstBlock = 1 << 10
	entryBlock = 64 << 10
)

// Len returns the number of entries.
func (e *Entries) Len() int { return e.count }

// Add appends one entry.
func (e *Entries) Add(kind EntryKind, path, link string) {
	shared := 0
	for n := min(len(path), len(e.last)); shared < n && path[shared] == e.last[shared]; {
		shared++
	}
	b := e.room(1 + 3*binary.MaxVarintLen32 + len(path) - shared + len(link))
	before := len(b)
	b = append(b, byte(kind))
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(path)-shared))
	b = append(b, path[shared:]...)
	if kind == EntrySymlink || kind == EntryHardlink {
		b = binary.AppendUvarint(b, uint64(len(link)))
		b = append(b, link...)
	}
	e.blocks[len(e.blocks)-1] = b
	e.size += len(b) - before
	e.last = append(e.last[:shared], path[shared:]...)
	e.count++
}

// room returns the last block, with room for n bytes more or a first growth.
func (e *Entries) room(n int) []byte {
	if last := len(e.blocks) - 1; last >= 0 && (cap(e.blocks[last])-len(e.blocks[last]) >= n || len(e.blocks[last])+n <= entryBlock) {
		return e.blocks[last]
	}
	size := entryBlock
	if len(e.blocks) == 0 {
		size = firstBlock
	}
	e.blocks = append(e.blocks, make([]byte, 0, max(size, n)))
	return e.blocks[len(e.blocks)-1]
}

var errEntries = fmt.Errorf("layer entries: %w", fault.Invalid)

// Visit calls visit for each entry until it returns false. The slices are
// valid during the call only. It returns an error where the data is damaged.
func (e *Entries) Visit(visit func(kind EntryKind, path, link []byte) bool) error {
	var path []byte
	for _, block := range e.blocks {
		for data := block; len(data) > 0; {
			kind := EntryKind(data[0])
			shared, w := binary.Uvarint(data[1:])
			if w <= 0 || shared > uint64(len(path)) {
				return errEntries
			}
			rest, tail, err := field(data[1+w:])
			if err != nil {
				return err
			}
			path = append(path[:shared], rest...)
			var link []byte
			if kind == EntrySymlink || kind == EntryHardlink {
				if link, tail, err = field(tail); err != nil {
					return err
				}
			}
			if !visit(kind, path, link) {
				return nil
			}
			data = tail
		}
	}
	return nil
}

// field cuts bytes off that their length stands before.
func field(data []byte) (value, rest []byte, err error) {
	n, w := binary.Uvarint(data)
	if w <= 0 || n > uint64(len(data)-w) {
		return nil, nil, errEntries
	}
	return data[w : w+int(n)], data[w+int(n):], nil
}

// All yields the entries in order.
func (e *Entries) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		_ = e.Visit(func(kind EntryKind, path, link []byte) bool {
			return yield(Entry{Kind: kind, Path: string(path), Link: string(link)})
		})
	}
}

// MarshalText returns the base64 form.
func (e Entries) MarshalText() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(base64.StdEncoding.EncodedLen(e.size))
	err := e.encode(&b)
	return b.Bytes(), err
}

// encode writes the base64 form.
func (e *Entries) encode(w io.Writer) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	for _, block := range e.blocks {
		if _, err := enc.Write(block); err != nil {
			return err
		}
	}
	return enc.Close()
}

// UnmarshalText parses the base64 form and checks it.
func (e *Entries) UnmarshalText(text []byte) error {
	data, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return errors.Join(errEntries, err)
	}
	read := Entries{blocks: [][]byte{data}, size: len(data)}
	err = read.Visit(func(_ EntryKind, path, _ []byte) bool {
		read.count++
		read.last = append(read.last[:0], path...)
		return true
	})
	if err == nil {
		*e = read
	}
	return err
}
