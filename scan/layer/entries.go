package layer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
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
	data  []byte
	last  []byte
	count int
}

// Len returns the number of entries.
func (e *Entries) Len() int { return e.count }

// Add appends one entry.
func (e *Entries) Add(kind EntryKind, path, link string) {
	shared := 0
	for n := min(len(path), len(e.last)); shared < n && path[shared] == e.last[shared]; {
		shared++
	}
	e.data = append(e.data, byte(kind))
	e.data = binary.AppendUvarint(e.data, uint64(shared))
	e.data = binary.AppendUvarint(e.data, uint64(len(path)-shared))
	e.data = append(e.data, path[shared:]...)
	if kind == EntrySymlink || kind == EntryHardlink {
		e.data = binary.AppendUvarint(e.data, uint64(len(link)))
		e.data = append(e.data, link...)
	}
	e.last = append(e.last[:shared], path[shared:]...)
	e.count++
}

var errEntries = fmt.Errorf("layer entries: %w", fault.Invalid)

// Visit calls visit for each entry until it returns false. The slices are
// valid during the call only. It returns an error where the data is damaged.
func (e *Entries) Visit(visit func(kind EntryKind, path, link []byte) bool) error {
	var path []byte
	field := func(data []byte) ([]byte, []byte, error) {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w) {
			return nil, nil, errEntries
		}
		return data[w : w+int(n)], data[w+int(n):], nil
	}
	for data := e.data; len(data) > 0; {
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
	return nil
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
	return base64.StdEncoding.AppendEncode(nil, e.data), nil
}

// UnmarshalText parses the base64 form and checks it.
func (e *Entries) UnmarshalText(text []byte) error {
	data, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return errors.Join(errEntries, err)
	}
	*e = Entries{data: data}
	n := 0
	if err := e.Visit(func(EntryKind, []byte, []byte) bool { n++; return true }); err != nil {
		return err
	}
	e.count = n
	return nil
}
