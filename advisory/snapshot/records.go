package snapshot

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Records yields the records of one part with everything that the snapshot has
// of them, sorted by id. What they affect is cut to the part's ecosystem and
// sorted by release and name. A part that the snapshot does not have yields nothing.
func (s *Snapshot) Records(part advisory.Part) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		for i := range s.segments {
			if s.manifest.Segments[i].Part() != part {
				continue
			}
			for n := range s.segments[i].head.records {
				r, err := s.whole(i, n)
				if err != nil {
					err = fmt.Errorf("read the records of segment %s: record %d: %w", s.manifest.Segments[i].name(), n, err)
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// whole returns a record with its long texts and what it affects.
func (s *Snapshot) whole(segment int, n uint32) (*advisory.Record, error) {
	if s.closed.Load() {
		return nil, fs.ErrClosed
	}
	g := &s.segments[segment]
	r, err := g.record(n)
	if err != nil {
		return nil, err
	}
	t, err := g.text(&s.decoder, n)
	if err != nil {
		return nil, err
	}
	r.Details, r.References, r.CWEs, r.Affected = t.Details, t.References, t.CWEs, t.Affected
	return r, nil
}

// Overlay yields the signals of one source, sorted by vulnerability. A source
// that the snapshot has no overlay of yields nothing.
func (s *Snapshot) Overlay(source string) iter.Seq2[*advisory.Signal, error] {
	for i := range s.overlays {
		if s.overlays[i].source == source {
			return s.overlays[i].all()
		}
	}
	return func(func(*advisory.Signal, error) bool) {}
}

// Object returns the bytes of a segment or overlay, by its digest: what
// [Assemble] puts together. They must not be changed. An error wraps
// [ErrNotFound].
func (s *Snapshot) Object(digest string) ([]byte, error) {
	for i := range s.segments {
		if s.manifest.Segments[i].Digest == digest {
			return s.segments[i].object, nil
		}
	}
	for i := range s.overlays {
		if s.manifest.Overlays[i].Digest == digest {
			return s.overlays[i].object, nil
		}
	}
	return nil, fmt.Errorf("snapshot %s has no object %s: %w", s.digest, digest, fault.NotFound)
}

// rows takes a segment apart into the records it was written from.
func (g *segment) rows(d *decoder) ([]stored, error) {
	rows := make([]stored, g.head.records)
	for i := range rows {
		_, text, err := g.recordText(uint32(i), false)
		if err != nil {
			return nil, err
		}
		c := cursor{rest: string(text)}
		r, err := c.record()
		if err != nil {
			return nil, err
		}
		modified, err := time.Parse(time.RFC3339, r.Modified)
		if err != nil {
			return nil, damaged("record " + r.ID)
		}
		rows[i] = stored{source: g.source, id: r.ID, digest: r.Digest, modified: modified, written: r.Modified, withdrawn: r.Withdrawn != "", record: text}
	}
	if err := g.longRows(d, rows); err != nil {
		return nil, err
	}
	return rows, g.entryRows(rows)
}

// longRows fills in the long texts.
func (g *segment) longRows(d *decoder, rows []stored) error {
	next := 0
	for n := range g.frames {
		raw, err := g.decodeFrame(d, n)
		if err != nil {
			return err
		}
		for len(raw) > 0 {
			size, used := binary.Uvarint(raw)
			if used <= 0 || size > uint64(len(raw)-used) || next == len(rows) {
				return damaged("a frame")
			}
			rows[next].long = raw[used : used+int(size)]
			raw = raw[used+int(size):]
			next++
		}
	}
	if next != len(rows) {
		return damaged("the list of long texts")
	}
	return nil
}

// entryRows fills in the entries.
func (g *segment) entryRows(rows []stored) error {
	text, err := g.part(g.postingsAt(), int64(g.postings))
	if err != nil {
		return err
	}
	c := cursor{rest: string(text)}
	var e advisory.Entry
	var events eventStore
	for c.rest != "" {
		number, name, n := c.number(), c.text(), c.count()
		if c.bad || number >= uint64(len(g.ecosystems)) {
			return damaged("an entry")
		}
		for range n {
			record := c.number()
			before := c.rest
			e = advisory.Entry{}
			c.entry(&e, &events)
			if c.bad || record >= uint64(len(rows)) {
				return damaged("an entry of " + strings.Clone(name))
			}
			rows[record].entries = append(rows[record].entries, entry{g.ecosystems[number], name, []byte(before[:len(before)-len(c.rest)])})
		}
	}
	return nil
}

// CopyTo writes the snapshot's file.
func (s *Snapshot) CopyTo(w io.Writer) error {
	if s.closed.Load() {
		return fmt.Errorf("copy snapshot: %w", fs.ErrClosed)
	}
	_, err := w.Write(s.file.Data)
	return err
}
