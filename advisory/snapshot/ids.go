package snapshot

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// idSize is the size of an element of the index of ids: 4 bytes of an id's hash
// and a record's number. Ids that share a hash are told apart by their records.
const idSize = 8

// ids makes the index of the ids that the records of a segment name.
func (g *group) ids() ([]byte, error) {
	type named struct{ hash, record uint32 }
	list := make([]named, 0, 3*len(g.records))
	for i, s := range g.records {
		c := cursor{rest: string(s.record)}
		c.eachID(func(id string) { list = append(list, named{uint32(hash("", id)), uint32(i)}) })
		if c.bad {
			return nil, damaged("record " + s.id)
		}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.record, b.record)) })
	list = slices.Compact(list)
	out := make([]byte, 0, idSize*len(list))
	for _, n := range list {
		out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, n.hash), n.record)
	}
	return out, nil
}

// eachID calls f for every id that a written record names.
func (c *cursor) eachID(f func(id string)) {
	id := c.text()
	f(id)
	if strings.Contains(id, "-CVE-") { // Names has the CVE id too
		for _, name := range (&advisory.Record{ID: id}).Names()[1:] {
			f(name)
		}
	}
	for range recordTexts - 1 {
		c.text()
	}
	for range 3 { // aliases, upstream, related
		for range c.count() {
			f(c.text())
		}
	}
}

// recordTexts is the number of texts that a written record begins with, its id
// first.
const recordTexts = 7

// Named implements [advisory.View].
func (s *Snapshot) Named(_ context.Context, id string) ([]advisory.Ref, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("look up %s: %w", id, fs.ErrClosed)
	}
	var out []advisory.Ref
	h := uint32(hash("", id))
	for i := range s.segments {
		g := &s.segments[i]
		if err := g.named(h, id, func(record uint32) { out = append(out, advisory.Ref(uint64(i)<<32|uint64(record))) }); err != nil {
			return nil, fmt.Errorf("look up %s: segment %s: %w", id, g.name, err)
		}
	}
	return out, nil
}

// named calls found for each record that names an id.
func (g *segment) named(h uint32, id string, found func(record uint32)) error {
	low, high := uint32(0), g.head.ids
	for low < high {
		middle := low + (high-low)/2
		b, err := g.part(g.idsAt()+int64(middle)*idSize, idSize)
		if err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(b) < h {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for ; low < g.head.ids; low++ {
		b, err := g.part(g.idsAt()+int64(low)*idSize, idSize)
		if err != nil || binary.LittleEndian.Uint32(b) != h {
			return err
		}
		number := binary.LittleEndian.Uint32(b[4:])
		r, err := g.record(number)
		if err != nil {
			return fmt.Errorf("record %d: %w", number, err)
		}
		if slices.Contains(r.Names(), id) {
			found(number)
		}
	}
	return nil
}

// damaged is the error of a part that breaks its format.
func damaged(what string) error { return fmt.Errorf("%s is damaged: %w", what, fault.Invalid) }
