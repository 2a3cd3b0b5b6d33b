package snapshot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Long texts are kept in frames: texts of records that follow each other,
// compressed together. A frame ends after a record whose id says so, or when it
// is full, so that a change of one record changes its own frame alone. What is
// digested is the frame before compression: the same records have the same
// digest whatever wrote the file.
const (
	maxFrame   = 256 << 10 // bytes after which a frame ends
	frameLimit = 1 << 20   // bytes of a frame at most: maxFrame and one text
	frameBits  = 31        // a record in 32 ends its frame
)

// appendLong writes the long texts of a record; nothing where it has none.
func appendLong(b []byte, r *advisory.Record) []byte {
	details := r.Details
	if len(details) > advisory.MaxDetails {
		end := advisory.MaxDetails
		for end > 0 && !utf8.RuneStart(details[end]) {
			end--
		}
		details = details[:end]
	}
	references, cwes := r.References, r.CWEs
	references = references[:min(len(references), maxReferences)]
	cwes = cwes[:min(len(cwes), maxReferences)]
	if details == "" && len(references)+len(cwes) == 0 {
		return b
	}
	b = appendText(b, details)
	b = binary.AppendUvarint(b, uint64(len(references)))
	for _, ref := range references {
		b = appendText(appendText(b, ref.Type), ref.URL)
	}
	return appendTexts(b, cwes)
}

// maxReferences bounds the references that views keep of one record.
const maxReferences = 256

// long reads what appendLong wrote.
func (c *cursor) long(t *advisory.Text) {
	if c.rest == "" {
		return
	}
	t.Details = c.text()
	if n := c.count(); n > 0 {
		t.References = make([]advisory.Reference, n)
		for i := range t.References {
			t.References[i] = advisory.Reference{Type: c.text(), URL: c.text()}
		}
	}
	t.CWEs = c.texts()
}

// frames makes the frames of a segment.
type frames struct {
	starts []byte // number of each frame's first record
	sums   []byte
	area   []byte // as written: ends, frames, digest
}

func (g *group) frames(enc *zstd.Encoder) (f frames, err error) {
	var raw, packed, ends []byte
	first := 0
	flush := func(next int) error {
		if len(raw) > frameLimit {
			return g.limit(&fault.LimitError{What: "bytes of long texts", Max: frameLimit, Seen: int64(len(raw))})
		}
		sum := sha256.Sum256(raw)
		f.sums = append(f.sums, sum[:]...)
		f.starts = binary.LittleEndian.AppendUint32(f.starts, uint32(first))
		packed = enc.EncodeAll(raw, packed)
		ends = binary.LittleEndian.AppendUint32(ends, uint32(len(packed)))
		raw, first = raw[:0], next
		if len(packed) > maxPart {
			return g.limit(&fault.LimitError{What: "bytes of long texts, compressed", Max: maxPart, Seen: int64(len(packed))})
		}
		return nil
	}
	for i, s := range g.records {
		raw = binary.AppendUvarint(raw, uint64(len(s.long)))
		raw = append(raw, s.long...)
		if hash("", s.id)&frameBits == 0 || len(raw) >= maxFrame || i == len(g.records)-1 {
			if err := flush(i + 1); err != nil {
				return f, err
			}
		}
	}
	f.area = append(ends, packed...)
	sum := sha256.Sum256(f.area)
	f.area = append(f.area, sum[:]...)
	return f, nil
}

func newEncoder() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return enc
}

// decoder decompresses frames. It is made when first needed.
type decoder struct {
	once sync.Once
	dec  *zstd.Decoder
}

func (d *decoder) decode(b []byte) ([]byte, error) {
	d.once.Do(func() {
		d.dec, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(frameLimit), zstd.WithDecoderMaxWindow(2<<20), zstd.IgnoreChecksum(true))
	})
	return d.dec.DecodeAll(b, nil)
}

func (d *decoder) close() {
	d.once.Do(func() {})
	if d.dec != nil {
		d.dec.Close()
	}
}

// frame returns the decompressed frame of a record, the number of the frame's
// first record, and how many it has.
func (g *segment) frame(d *decoder, record uint32) (raw []byte, first uint32, err error) {
	low, high := uint32(0), g.head.frames
	for low < high { // the first frame that begins after the record
		middle := low + (high-low)/2
		start, err := g.part(g.startsAt()+int64(middle)*4, 4)
		if err != nil {
			return nil, 0, err
		}
		if binary.LittleEndian.Uint32(start) <= record {
			low, first = middle+1, binary.LittleEndian.Uint32(start)
		} else {
			high = middle
		}
	}
	if low == 0 {
		return nil, 0, fmt.Errorf("record %d has no text: %w", record, fault.Invalid)
	}
	raw, err = g.decodeFrame(d, low-1)
	return raw, first, err
}

// decodeFrame decompresses frame n and checks it.
func (g *segment) decodeFrame(d *decoder, n uint32) ([]byte, error) {
	end := func(n uint32) int64 { return int64(binary.LittleEndian.Uint32(g.area[4*n:])) }
	var start int64
	if n > 0 {
		start = end(n - 1)
	}
	packed := g.area[4*int64(g.head.frames) : int64(len(g.area))-sha256.Size]
	if stop := end(n); start > stop || stop > int64(len(packed)) {
		return nil, fmt.Errorf("frame %d is outside: %w", n, fault.Invalid)
	}
	raw, err := d.decode(packed[start:end(n)])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, &fault.LimitError{What: "bytes of long texts", Where: g.name, Max: frameLimit}
	}
	if err != nil {
		return nil, fmt.Errorf("frame %d: %v: %w", n, err, fault.Invalid)
	}
	if got := sha256.Sum256(raw); got != [sha256.Size]byte(g.frameSums[int64(n)*sha256.Size:]) {
		return nil, &fault.MismatchError{What: fmt.Sprintf("frame %d", n), Want: digestName([sha256.Size]byte(g.frameSums[int64(n)*sha256.Size:])), Got: digestName(got)}
	}
	return raw, nil
}

// verifyTexts checks the area of the texts as it was written, and every frame.
func (g *segment) verifyTexts(d *decoder) error {
	end := len(g.area) - sha256.Size
	if got := sha256.Sum256(g.area[:end]); got != [sha256.Size]byte(g.area[end:]) {
		return &fault.MismatchError{What: "segment " + g.name + ": long texts", Want: digestName([sha256.Size]byte(g.area[end:])), Got: digestName(got)}
	}
	for n := range g.head.frames {
		if _, err := g.decodeFrame(d, n); err != nil {
			return fmt.Errorf("segment %s: %w", g.name, err)
		}
	}
	return nil
}

// Text implements [advisory.View].
func (s *Snapshot) Text(_ context.Context, ref advisory.Ref) (*advisory.Text, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("read text: %w", fs.ErrClosed)
	}
	if ref>>32 >= advisory.Ref(len(s.segments)) {
		return nil, fmt.Errorf("read text: no segment %d: %w", ref>>32, fault.NotFound)
	}
	g := &s.segments[ref>>32]
	t, err := g.text(&s.decoder, uint32(ref))
	if err != nil {
		return nil, fmt.Errorf("segment %s: text of record %d: %w", g.name, uint32(ref), err)
	}
	return t, nil
}

func (g *segment) text(d *decoder, i uint32) (*advisory.Text, error) {
	keys, _, err := g.recordText(i, true)
	if err != nil {
		return nil, err
	}
	raw, first, err := g.frame(d, i)
	if err != nil {
		return nil, err
	}
	c := cursor{rest: string(raw)}
	var long string
	for ; first <= i && !c.bad; first++ {
		long = c.text()
	}
	t := &advisory.Text{}
	if !c.bad {
		c = cursor{rest: strings.Clone(long)}
		c.long(t)
	}
	if c.bad {
		return nil, fmt.Errorf("it is damaged: %w", fault.Invalid)
	}
	t.Affected, err = g.affected(keys, i)
	slices.SortStableFunc(t.Affected, func(a, b advisory.Affected) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	return t, err
}

// affected returns the entries of a record among the postings of its keys.
func (g *segment) affected(keys []uint32, record uint32) (out []advisory.Affected, err error) {
	for _, n := range keys {
		k, err := g.key(n)
		if err != nil {
			return nil, err
		}
		text, err := g.part(g.postingsAt()+int64(k.at), int64(k.size))
		if err != nil {
			return nil, err
		}
		number, _ := binary.Uvarint(text)
		if number >= uint64(len(g.ecosystems)) {
			return nil, fmt.Errorf("an entry is damaged: %w", fault.Invalid)
		}
		list, err := appendPosting(nil, string(text), g.ecosystems[number], 0)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if uint32(list[i].Record) == record {
				out = append(out, list[i].Affected)
			}
		}
	}
	return out, nil
}
