package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
)

// segment is an open segment: its head, which was checked, and its body, whose
// blocks are checked when they are first read.
type segment struct {
	head
	name       string
	ecosystems []string
	sums       []byte          // digests of the blocks
	body       []byte          // not to be read but through part
	checked    []atomic.Uint32 // a bit for each block
}

// open reads the head of a segment and checks it.
func (g *segment) open(data []byte, name, digest string) error {
	if string(data[:len(segmentSign)]) != segmentSign {
		return fmt.Errorf("it does not begin as one: %w", fault.Invalid)
	}
	g.name = name
	for i, to := range []*uint32{&g.head.ecosystems, &g.names, &g.directory, &g.keys, &g.records, &g.blocks} {
		*to = binary.LittleEndian.Uint32(data[8+4*i:])
	}
	g.postings, g.texts = binary.LittleEndian.Uint64(data[32:]), binary.LittleEndian.Uint64(data[40:])
	if g.directory > maxDirectory || g.postings > maxPart || g.texts > maxPart {
		return fmt.Errorf("its head is damaged: %w", fault.Invalid)
	}
	size := g.head.size()
	if size > int64(len(data)) || size+g.bodySize() != int64(len(data)) || int64(g.blocks) != (g.bodySize()+blockSize-1)/blockSize {
		return fmt.Errorf("its parts do not add up to %d bytes: %w", len(data), fault.Invalid)
	}
	if got := digestName(sha256.Sum256(data[:size])); got != digest {
		return &fault.MismatchError{What: "head", Want: digest, Got: got}
	}
	c := cursor{rest: string(data[headSize : headSize+g.names])}
	for range g.head.ecosystems {
		g.ecosystems = append(g.ecosystems, c.text())
		if c.bad {
			break
		}
	}
	if c.bad || c.rest != "" {
		return fmt.Errorf("its list of ecosystems is damaged: %w", fault.Invalid)
	}
	g.sums, g.body = data[headSize+g.names:size], data[size:]
	g.checked = make([]atomic.Uint32, (g.blocks+31)/32)
	return nil
}

// part returns n bytes of the body, after checking the blocks that they are in.
func (g *segment) part(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > int64(len(g.body))-n {
		return nil, fmt.Errorf("segment %s: a place is outside: %w", g.name, fault.Invalid)
	}
	for block := at / blockSize; block*blockSize < at+n; block++ {
		word, bit := &g.checked[block/32], uint32(1)<<(block%32)
		if word.Load()&bit != 0 {
			continue
		}
		if err := g.check(block); err != nil {
			return nil, err
		}
		word.Or(bit)
	}
	return g.body[at : at+n], nil
}

func (g *segment) check(block int64) error {
	start := block * blockSize
	got := sha256.Sum256(g.body[start:min(start+blockSize, int64(len(g.body)))])
	want := [sha256.Size]byte(g.sums[block*sha256.Size:])
	if got != want {
		return &fault.MismatchError{What: fmt.Sprintf("segment %s, block %d", g.name, block), Want: digestName(want), Got: digestName(got)}
	}
	return nil
}
