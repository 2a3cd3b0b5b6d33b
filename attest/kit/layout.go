package kit

import (
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

const (
	block    = 512
	endBytes = 2 * block
	headName = "kit.json"
)

// member is a file of the archive, of which name and size are everything that can
// differ.
type member struct {
	name   string
	size   int64
	digest string // of its content
}

// room is what a member takes with header and filling.
func (m member) room() int64 { return block + m.size + m.filling() }

func (m member) filling() int64 { return -m.size & (block - 1) }

// header returns the only header that a member of a kit has. The size is at most
// [MaxTarget] and the name at most 99 bytes.
func (m member) header() [block]byte {
	var h [block]byte
	put := func(at int, s string) { copy(h[at:], s) }
	put(0, m.name)
	put(100, "0000644\x00"+"0000000\x00"+"0000000\x00")
	put(124, fmt.Sprintf("%011o\x00", m.size)+"00000000000\x00"+"        "+"0")
	put(257, "ustar\x0000")
	put(329, "0000000\x00"+"0000000\x00")
	var sum int64
	for _, b := range h {
		sum += int64(b)
	}
	put(148, fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// contents lists the contents that a file with a base has, sorted, each once.
func contents(entries []Entry, base int64) []member {
	var out []member
	for _, e := range entries {
		if e.Since > base {
			out = append(out, contentOf(e))
		}
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(out) // entries of one digest have one length
}

func contentOf(e Entry) member {
	return member{name: strings.Replace(e.Digest, ":", "/", 1), size: e.Length, digest: e.Digest}
}

// baseOf returns the number that is written where a base is asked for: the greatest
// since among what is left out.
func baseOf(entries []Entry, base int64) (out int64) {
	for _, e := range entries {
		if e.Since <= base {
			out = max(out, e.Since)
		}
	}
	return out
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }
