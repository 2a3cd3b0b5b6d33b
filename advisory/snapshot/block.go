package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
)

// blocks is digested content, whose blocks are checked when they are first read.
type blocks struct {
	name    string          // of what it is, for errors
	sums    []byte          // digests of the blocks
	body    []byte          // not to be read but through part
	checked []atomic.Uint32 // a bit for each block
}

func newBlocks(name string, sums, body []byte) blocks {
	n := (len(body) + blockSize - 1) / blockSize
	return blocks{name: name, sums: sums, body: body, checked: make([]atomic.Uint32, (n+31)/32)}
}

// part returns n bytes of the body, after checking the blocks that they are in.
func (g *blocks) part(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > int64(len(g.body))-n {
		return nil, fmt.Errorf("%s: a place is outside: %w", g.name, fault.Invalid)
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

func (g *blocks) check(block int64) error {
	start := block * blockSize
	got := sha256.Sum256(g.body[start:min(start+blockSize, int64(len(g.body)))])
	want := [sha256.Size]byte(g.sums[block*sha256.Size:])
	if got != want {
		return &fault.MismatchError{What: fmt.Sprintf("%s, block %d", g.name, block), Want: digestName(want), Got: digestName(got)}
	}
	return nil
}

// appendSums appends the digests of the blocks of a body.
func appendSums(out, body []byte) []byte {
	for block := range slices.Chunk(body, blockSize) {
		sum := sha256.Sum256(block)
		out = append(out, sum[:]...)
	}
	return out
}

// segment is an open segment: its head, which was checked, its body and its
// long texts.
type segment struct {
	head
	blocks
	source     string
	ecosystems []string
	frameSums  []byte // digests of the frames before compression
	area       []byte // where the frames end, the frames, and a digest of both
	object     []byte // all of it, as it was written
}

// open reads the head of the segment that data begins with and checks it. It
// returns what follows the segment.
func (g *segment) open(data []byte, info *Segment) (rest []byte, err error) {
	if len(data) < headSize || string(data[:len(segmentSign)]) != segmentSign {
		return nil, fmt.Errorf("it does not begin as one: %w", fault.Invalid)
	}
	for i, to := range []*uint32{&g.head.ecosystems, &g.names, &g.directory, &g.keys, &g.records, &g.head.blocks} {
		*to = binary.LittleEndian.Uint32(data[8+4*i:])
	}
	g.postings, g.texts = binary.LittleEndian.Uint64(data[32:]), binary.LittleEndian.Uint64(data[40:])
	g.frames, g.head.ids = binary.LittleEndian.Uint32(data[48:]), binary.LittleEndian.Uint32(data[52:])
	if g.directory > maxDirectory || g.postings > maxPart || g.texts > maxPart {
		return nil, fmt.Errorf("its head is damaged: %w", fault.Invalid)
	}
	size, whole := g.head.size(), g.head.size()+g.bodySize()
	if whole != info.Size || whole > int64(len(data)) || int64(g.head.blocks) != (g.bodySize()+blockSize-1)/blockSize {
		return nil, fmt.Errorf("its parts do not add up to %d bytes: %w", info.Size, fault.Invalid)
	}
	if got := digestName(sha256.Sum256(data[:size])); got != info.Digest {
		return nil, &fault.MismatchError{What: "head", Want: info.Digest, Got: got}
	}
	c := cursor{rest: string(data[headSize : headSize+g.names])}
	for range g.head.ecosystems {
		g.ecosystems = append(g.ecosystems, c.text())
		if c.bad {
			break
		}
	}
	if c.bad || c.rest != "" {
		return nil, fmt.Errorf("its list of ecosystems is damaged: %w", fault.Invalid)
	}
	sums := headSize + int64(g.names)
	frameSums := sums + int64(g.head.blocks)*sha256.Size
	g.source, g.frameSums = info.Source, data[frameSums:size]
	g.blocks = newBlocks(info.name(), data[sums:frameSums], data[size:whole])
	if g.area, rest, err = cutArea(data[whole:], g.frames); err != nil {
		return nil, err
	}
	g.object = data[:len(data)-len(rest)]
	return rest, nil
}

// cutArea cuts the long texts off data. Where they end is not digested: what a
// frame is, is.
func cutArea(data []byte, frames uint32) (area, rest []byte, err error) {
	ends := 4 * int64(frames)
	size := ends + sha256.Size
	if frames > 0 && size <= int64(len(data)) {
		size += int64(binary.LittleEndian.Uint32(data[ends-4:]))
	}
	if size > int64(len(data)) {
		return nil, nil, fmt.Errorf("its long texts are cut off: %w", fault.Invalid)
	}
	return data[:size], data[size:], nil
}
