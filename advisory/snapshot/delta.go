package snapshot

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
)

// A delta turns one snapshot into another. It is magic, then, compressed with
// zstd: the digests of both, the manifest of the second, and for each of its
// segments and overlays what became of it. A segment that changed is the list of
// records that went and of those that came or changed; who applies it writes the
// segment anew and compares its digest, so a delta can do no harm.
const (
	deltaMagic = "stella delta 1\n\x00"
	deltaLimit = 2 << 30 // bytes, decompressed
)

// What became of a segment or overlay.
const (
	deltaSame  = iota // it is in the first snapshot
	deltaNew          // the object follows
	deltaPatch        // removed and changed rows follow
)

// WriteDelta writes what turns from into to. The result is the size in bytes.
func WriteDelta(w io.Writer, from, to *Snapshot) (int64, error) {
	out := &counter{w: w}
	if err := writeDelta(out, from, to); err != nil {
		return 0, fmt.Errorf("write the delta from %s to %s: %w", from.digest, to.digest, err)
	}
	return out.n, nil
}

func writeDelta(out *counter, from, to *Snapshot) error {
	manifest, _, err := to.manifest.Encode()
	if err != nil {
		return err
	}
	b := appendText(appendText(appendText(nil, from.digest), to.digest), string(manifest))
	for i := range to.segments {
		if b, err = from.appendSegment(b, to, i); err != nil {
			return fmt.Errorf("segment %s: %w", to.manifest.Segments[i].name(), err)
		}
	}
	for i := range to.overlays {
		if b, err = from.appendOverlay(b, &to.overlays[i], &to.manifest.Overlays[i]); err != nil {
			return fmt.Errorf("overlay %s: %w", to.overlays[i].source, err)
		}
	}
	if len(b) > deltaLimit {
		return &fault.LimitError{What: "bytes of a delta", Where: "delta", Max: deltaLimit, Seen: int64(len(b))}
	}
	out.Write([]byte(deltaMagic))
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return err
	}
	if _, err := enc.Write(b); err != nil {
		return err
	}
	return errors.Join(enc.Close(), out.err)
}

// appendSegment writes what became of segment i of to.
func (s *Snapshot) appendSegment(b []byte, to *Snapshot, i int) ([]byte, error) {
	info := &to.manifest.Segments[i]
	if _, err := s.Object(info.Digest); err == nil {
		return append(b, deltaSame), nil
	}
	base := s.segmentOf(info)
	if base == nil {
		return appendText(append(b, deltaNew), string(to.segments[i].object)), nil
	}
	old, err := base.rows(&s.decoder)
	if err != nil {
		return nil, err
	}
	now, err := to.segments[i].rows(&to.decoder)
	if err != nil {
		return nil, err
	}
	gone, came := difference(old, now)
	b = binary.AppendUvarint(append(b, deltaPatch), uint64(len(gone)))
	for _, id := range gone {
		b = appendText(b, id)
	}
	b = binary.AppendUvarint(b, uint64(len(came)))
	for _, r := range came {
		b = appendRow(b, r)
	}
	return b, nil
}

// segmentOf returns the segment of the same part; nil where there is none.
func (s *Snapshot) segmentOf(info *Segment) *segment {
	for i := range s.segments {
		if s.manifest.Segments[i].Part() == info.Part() {
			return &s.segments[i]
		}
	}
	return nil
}

// difference returns the ids that are gone, and the rows that are new or other.
// Both lists are sorted by id.
func difference(old, now []stored) (gone []string, came []*stored) {
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		switch c := compareRows(old, i, now, j); {
		case c < 0:
			gone = append(gone, old[i].id)
			i++
		case c > 0:
			came = append(came, &now[j])
			j++
		default:
			if !old[i].equal(&now[j]) {
				came = append(came, &now[j])
			}
			i, j = i+1, j+1
		}
	}
	return gone, came
}

func compareRows(old []stored, i int, now []stored, j int) int {
	switch {
	case i == len(old):
		return 1
	case j == len(now):
		return -1
	}
	return strings.Compare(old[i].id, now[j].id)
}

func (s *stored) equal(t *stored) bool {
	return bytes.Equal(s.record, t.record) && bytes.Equal(s.long, t.long) && slices.EqualFunc(s.entries, t.entries, func(a, b entry) bool {
		return a.ecosystem == b.ecosystem && a.name == b.name && bytes.Equal(a.text, b.text)
	})
}

// appendRow writes a record with all that it has in its segment.
func appendRow(b []byte, s *stored) []byte {
	b = appendText(appendText(b, string(s.record)), string(s.long))
	b = binary.AppendUvarint(b, uint64(len(s.entries)))
	for _, e := range s.entries {
		b = appendText(appendText(appendText(b, e.ecosystem), e.name), string(e.text))
	}
	return b
}

// appendOverlay writes what became of an overlay.
func (s *Snapshot) appendOverlay(b []byte, to *overlay, info *Overlay) ([]byte, error) {
	if _, err := s.Object(info.Digest); err == nil {
		return append(b, deltaSame), nil
	}
	var base *overlay
	for i := range s.overlays {
		if s.overlays[i].source == to.source {
			base = &s.overlays[i]
		}
	}
	if base == nil {
		return appendText(append(b, deltaNew), string(to.object)), nil
	}
	old, err := base.rows()
	if err != nil {
		return nil, err
	}
	now, err := to.rows()
	if err != nil {
		return nil, err
	}
	have := make(map[uint64]string, len(old))
	for _, r := range old {
		have[r.key] = r.text
	}
	var changed []signalRow
	for _, r := range now {
		if text, ok := have[r.key]; !ok || text != r.text {
			changed = append(changed, r)
		}
		delete(have, r.key)
	}
	b = binary.AppendUvarint(append(b, deltaPatch), uint64(len(have)))
	for _, r := range old {
		if _, gone := have[r.key]; gone {
			b = binary.AppendUvarint(b, r.key)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(changed)))
	for _, r := range changed {
		b = appendText(binary.AppendUvarint(b, r.key), r.text)
	}
	return b, nil
}

// signalRow is a signal in its written form.
type signalRow struct {
	key  uint64
	text string
}

func (o *overlay) rows() ([]signalRow, error) {
	body, err := o.part(0, int64(len(o.body)))
	if err != nil {
		return nil, err
	}
	rows := make([]signalRow, o.signals)
	ends, texts := body[8*len(rows):], string(body[12*len(rows):])
	start := uint32(0)
	for i := range rows {
		end := binary.LittleEndian.Uint32(ends[4*i:])
		if end < start || int64(end) > int64(len(texts)) {
			return nil, damaged("a signal")
		}
		rows[i] = signalRow{binary.LittleEndian.Uint64(body[8*i:]), texts[start:end]}
		start = end
	}
	return rows, nil
}

// readDelta checks the beginning of a delta and decompresses the rest.
func readDelta(r io.Reader) (cursor, error) {
	in := bufio.NewReader(r)
	head := make([]byte, len(deltaMagic))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != deltaMagic {
		return cursor{}, fmt.Errorf("it is not a delta: %w", cmp.Or(err, error(fault.Invalid)))
	}
	dec, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20), zstd.WithDecoderMaxMemory(deltaLimit))
	if err != nil {
		return cursor{}, err
	}
	defer dec.Close()
	text, err := io.ReadAll(io.LimitReader(dec, deltaLimit+1))
	if err != nil {
		return cursor{}, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if len(text) > deltaLimit {
		return cursor{}, &fault.LimitError{What: "bytes of a delta", Where: "delta", Max: deltaLimit}
	}
	return cursor{rest: string(text)}, nil
}
