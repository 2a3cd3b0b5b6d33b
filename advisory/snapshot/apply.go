package snapshot

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
)

// ApplyDelta writes the snapshot that a delta makes of from, and returns its
// digest, which is that of a full build. A delta of another snapshot wraps
// [ErrConflict]; one that does not make what it says [ErrMismatch] or
// [ErrInvalid].
func ApplyDelta(w io.Writer, from *Snapshot, delta io.Reader) (digest string, err error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("apply a delta to %s: %w", from.digest, err)
	}
	c, err := readDelta(delta)
	if err != nil {
		return fail(err)
	}
	base, digest, manifest := c.text(), c.text(), c.text()
	if c.bad {
		return fail(damaged("the delta"))
	}
	if base != from.digest {
		return fail(fmt.Errorf("it is a delta of %s: %w", base, fault.Conflict))
	}
	m, err := DecodeManifest([]byte(manifest))
	if err != nil {
		return fail(err)
	}
	objects := map[string][]byte{}
	a := applier{from: from, c: &c, enc: newEncoder()}
	for i := range m.Segments {
		if objects[m.Segments[i].Digest], err = a.segment(&m.Segments[i]); err != nil {
			return fail(fmt.Errorf("segment %s: %w", m.Segments[i].name(), err))
		}
	}
	for i := range m.Overlays {
		if objects[m.Overlays[i].Digest], err = a.overlay(&m.Overlays[i]); err != nil {
			return fail(fmt.Errorf("overlay %s: %w", m.Overlays[i].Source, err))
		}
	}
	if c.bad || c.rest != "" {
		return fail(damaged("the delta"))
	}
	if _, got, err := m.Encode(); err != nil || got != digest {
		return fail(cmp.Or(err, error(&fault.MismatchError{What: "manifest", Want: digest, Got: got})))
	}
	err = Assemble(w, []byte(manifest), func(digest string) ([]byte, error) { return objects[digest], nil })
	if err != nil {
		return fail(err)
	}
	return digest, nil
}

type applier struct {
	from *Snapshot
	c    *cursor
	enc  *zstd.Encoder
}

// segment returns the object of one segment.
func (a *applier) segment(info *Segment) ([]byte, error) {
	switch a.c.byte() {
	case deltaSame:
		return a.from.Object(info.Digest)
	case deltaNew:
		return []byte(a.c.text()), nil
	case deltaPatch:
	default:
		return nil, damaged("the delta")
	}
	base := a.from.segmentOf(info)
	if base == nil {
		return nil, fmt.Errorf("there is none to change: %w", fault.Invalid)
	}
	rows, err := base.rows(&a.from.decoder)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for range a.c.count() {
		out[a.c.text()] = true
	}
	came := make([]stored, a.c.count())
	for i := range came {
		if err := a.row(&came[i], info.Source); err != nil {
			return nil, err
		}
		out[came[i].id] = true
	}
	rows = append(slices.DeleteFunc(rows, func(s stored) bool { return out[s.id] }), came...)
	slices.SortFunc(rows, func(x, y stored) int { return strings.Compare(x.id, y.id) })
	g := group{Segment: Segment{Source: info.Source, Database: info.Database, Ecosystem: info.Ecosystem}}
	for i := range rows {
		g.records = append(g.records, &rows[i])
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("nothing is left of it: %w", fault.Invalid)
	}
	return g.encode(a.enc)
}

// row reads what appendRow wrote.
func (a *applier) row(s *stored, source string) error {
	record, long := a.c.text(), a.c.text()
	s.source, s.record, s.long = source, []byte(record), []byte(long)
	s.entries = make([]entry, a.c.count())
	for i := range s.entries {
		s.entries[i] = entry{a.c.text(), a.c.text(), []byte(a.c.text())}
	}
	if a.c.bad {
		return damaged("a record of the delta")
	}
	c := cursor{rest: record}
	r, err := c.record()
	if err != nil {
		return err
	}
	if s.modified, err = time.Parse(time.RFC3339, r.Modified); err != nil {
		return damaged("record " + r.ID)
	}
	s.id, s.digest, s.written, s.withdrawn = r.ID, r.Digest, r.Modified, r.Withdrawn != ""
	return nil
}

// overlay returns the object of one overlay.
func (a *applier) overlay(info *Overlay) ([]byte, error) {
	switch a.c.byte() {
	case deltaSame:
		return a.from.Object(info.Digest)
	case deltaNew:
		return []byte(a.c.text()), nil
	case deltaPatch:
	default:
		return nil, damaged("the delta")
	}
	rows := map[uint64]string{}
	for i := range a.from.overlays {
		if o := &a.from.overlays[i]; o.source == info.Source {
			list, err := o.rows()
			if err != nil {
				return nil, err
			}
			for _, r := range list {
				rows[r.key] = r.text
			}
		}
	}
	for range a.c.count() {
		delete(rows, a.c.number())
	}
	for range a.c.count() {
		key := a.c.number()
		rows[key] = a.c.text()
	}
	if a.c.bad || len(rows) > maxSignals {
		return nil, damaged("the delta")
	}
	list := make([]signalRow, 0, len(rows))
	for key, text := range rows {
		list = append(list, signalRow{key, text})
	}
	object, _ := encodeSignals(list)
	return object, nil
}
