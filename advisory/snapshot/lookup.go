package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Affected implements [advisory.View]. To find that there is nothing it
// allocates no memory.
func (s *Snapshot) Affected(_ context.Context, ecosystem, name string) ([]advisory.Entry, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("look up %s of %s: %w", name, ecosystem, fs.ErrClosed)
	}
	holders := s.holders[ecosystem]
	if len(holders) == 0 {
		return nil, nil
	}
	var list []advisory.Entry
	h := hash(ecosystem, name)
	for _, holder := range holders {
		g := &s.segments[holder.segment]
		text, err := g.posting(h, holder.ecosystem, name)
		if err == nil && text != nil {
			list, err = appendPosting(list, string(text), g.ecosystems[holder.ecosystem], holder.segment)
		}
		if err != nil {
			return nil, fmt.Errorf("look up %s of %s: segment %s: %w", name, ecosystem, g.name, err)
		}
	}
	return list, nil
}

// posting finds the posting of a name, whose hash with the ecosystem is h. It
// returns nil where there is none.
func (g *segment) posting(h, ecosystem uint64, name string) ([]byte, error) {
	slot, err := g.part(int64(slotOf(h, g.directory))*4, 8)
	if err != nil {
		return nil, err
	}
	low, high := binary.LittleEndian.Uint32(slot), binary.LittleEndian.Uint32(slot[4:])
	if low >= high {
		return nil, nil
	}
	if high > g.keys {
		return nil, fmt.Errorf("its directory is damaged: %w", fault.Invalid)
	}
	for low < high { // the first key that is not before h
		middle := low + (high-low)/2
		k, err := g.key(middle)
		if err != nil {
			return nil, err
		}
		if k.hash < h {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for i := low; i < g.keys && i < low+maxSameHash; i++ {
		k, err := g.key(i)
		if err != nil || k.hash != h {
			return nil, err
		}
		text, err := g.part(g.postingsAt()+int64(k.at), int64(k.size))
		if err != nil {
			return nil, err
		}
		if int64(k.at)+int64(k.size) > int64(g.postings) {
			return nil, fmt.Errorf("a key points outside: %w", fault.Invalid)
		}
		if isPosting(text, ecosystem, name) {
			return text, nil
		}
	}
	return nil, nil
}

func (g *segment) key(i uint32) (key, error) {
	b, err := g.part(g.keysAt()+int64(i)*keySize, keySize)
	if err != nil {
		return key{}, err
	}
	return key{hash: binary.LittleEndian.Uint64(b), at: binary.LittleEndian.Uint32(b[8:]), size: binary.LittleEndian.Uint32(b[12:])}, nil
}

// isPosting reports whether a posting is about the name.
func isPosting(text []byte, ecosystem uint64, name string) bool {
	n, used := binary.Uvarint(text)
	if used <= 0 || n != ecosystem {
		return false
	}
	text = text[used:]
	n, used = binary.Uvarint(text)
	if used <= 0 || n > uint64(len(text)-used) {
		return false
	}
	return string(text[used:used+int(n)]) == name
}

// Record implements [advisory.View].
func (s *Snapshot) Record(_ context.Context, ref advisory.Ref) (*advisory.Record, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("read record: %w", fs.ErrClosed)
	}
	if ref>>32 >= advisory.Ref(len(s.segments)) {
		return nil, fmt.Errorf("read record: no segment %d: %w", ref>>32, fault.NotFound)
	}
	g := &s.segments[ref>>32]
	r, err := g.record(uint32(ref))
	if err != nil {
		return nil, fmt.Errorf("segment %s: record %d: %w", g.name, uint32(ref), err)
	}
	return r, nil
}

func (g *segment) record(i uint32) (*advisory.Record, error) {
	_, text, err := g.recordText(i, false)
	if err != nil {
		return nil, err
	}
	c := cursor{rest: string(text)}
	r, err := c.record()
	if r != nil {
		r.Source = g.source
	}
	return r, err
}

// recordText returns what appendRecord wrote, and, where they are wanted, the
// numbers of the keys of the record's entries.
func (g *segment) recordText(i uint32, wanted bool) (keys []uint32, text []byte, err error) {
	if i >= g.records {
		return nil, nil, fmt.Errorf("it is not there: %w", fault.NotFound)
	}
	place, err := g.part(g.placesAt()+int64(i)*4, 8)
	if err != nil {
		return nil, nil, err
	}
	start, end := binary.LittleEndian.Uint32(place), binary.LittleEndian.Uint32(place[4:])
	if start > end || uint64(end) > g.head.texts {
		return nil, nil, fmt.Errorf("its place is damaged: %w", fault.Invalid)
	}
	if text, err = g.part(g.textsAt()+int64(start), int64(end-start)); err != nil {
		return nil, nil, err
	}
	n, used := binary.Uvarint(text)
	if used <= 0 || n > uint64(len(text)) {
		return nil, nil, fmt.Errorf("record %d is damaged: %w", i, fault.Invalid)
	}
	text = text[used:]
	last := uint32(0)
	for range n {
		d, used := binary.Uvarint(text)
		if used <= 0 || d > maxPart {
			return nil, nil, fmt.Errorf("record %d is damaged: %w", i, fault.Invalid)
		}
		text = text[used:]
		if last += uint32(d); wanted {
			keys = append(keys, last)
		}
	}
	return keys, text, nil
}
