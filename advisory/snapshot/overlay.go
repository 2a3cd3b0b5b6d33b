package snapshot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// An overlay has the signals of one source, sorted by vulnerability. It is
// apart from the segments because scores change every day and records do not.
// Head: sign, number of signals, bytes of their texts, digests of the blocks of
// the body. Body: 8 bytes for each vulnerability, 4 for the end of each text,
// texts.
const (
	overlaySign = "overlay\x01"
	overlayHead = 16
	maxSignals  = 4 << 20
)

type overlay struct {
	blocks
	object  []byte // all of it
	source  string
	signals uint32
	texts   uint32
}

// cveKey orders CVE ids by year and number; ok is false for what is none.
func cveKey(id string) (key uint64, ok bool) {
	rest, isCVE := strings.CutPrefix(id, "CVE-")
	year, number, cut := strings.Cut(rest, "-")
	if !isCVE || !cut || len(year) != 4 || len(number) < 4 || len(number) > 14 {
		return 0, false
	}
	y, err := strconv.ParseUint(year, 10, 14)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(number, 10, 50)
	if err != nil || len(number) > 4 && number[0] == '0' {
		return 0, false
	}
	return y<<50 | n, true
}

func cveID(key uint64) string { return fmt.Sprintf("CVE-%04d-%04d", key>>50, key&(1<<50-1)) }

// EncodeOverlay writes the signals of one source as an overlay. Of several about
// one vulnerability the greatest text counts, so that their order does not
// matter.
func EncodeOverlay(source string, signals iter.Seq2[*advisory.Signal, error]) (*Overlay, []byte, error) {
	var rows []signalRow
	for s, err := range signals {
		if err != nil {
			return nil, nil, err
		}
		key, ok := cveKey(s.Vulnerability)
		if !ok {
			return nil, nil, fmt.Errorf("overlay %s: %.40q is not a CVE id: %w", source, s.Vulnerability, fault.Invalid)
		}
		rows = append(rows, signalRow{key, string(appendSignal(nil, s))})
		if len(rows) > maxSignals {
			return nil, nil, &fault.LimitError{What: "signals", Where: "overlay " + source, Max: maxSignals}
		}
	}
	out, digest := encodeSignals(rows)
	if out == nil {
		return nil, nil, &fault.LimitError{What: "bytes of signals", Where: "overlay " + source, Max: maxPart}
	}
	n := int(binary.LittleEndian.Uint32(out[8:]))
	return &Overlay{Source: source, Digest: digest, Size: int64(len(out)), Signals: n}, out, nil
}

// encodeSignals writes an overlay of rows, which it sorts; nil where their texts
// are too long.
func encodeSignals(rows []signalRow) (out []byte, digest string) {
	slices.SortFunc(rows, func(a, b signalRow) int { return cmp.Or(cmp.Compare(a.key, b.key), strings.Compare(b.text, a.text)) })
	rows = slices.CompactFunc(rows, func(a, b signalRow) bool { return a.key == b.key })
	var keys, ends, texts []byte
	for _, r := range rows {
		texts = append(texts, r.text...)
		keys = binary.LittleEndian.AppendUint64(keys, r.key)
		ends = binary.LittleEndian.AppendUint32(ends, uint32(len(texts)))
	}
	if len(texts) > maxPart {
		return nil, ""
	}
	body := append(append(keys, ends...), texts...)
	out = append(out, overlaySign...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(rows)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(texts)))
	out = appendSums(out, body)
	digest = digestName(sha256.Sum256(out))
	return append(out, body...), digest
}

// appendSignal writes a signal without its vulnerability and source.
func appendSignal(b []byte, s *advisory.Signal) []byte {
	for _, t := range []string{s.Exploited, s.Due, s.Ransomware, s.EPSS, s.Percentile, s.Day} {
		b = appendDecimal(b, t)
	}
	return b
}

// appendDecimal writes a text; a decimal fraction such as "0.00043" takes fewer
// bytes. The first byte is 0 for other texts, else one more than the number of
// digits after the point.
func appendDecimal(b []byte, t string) []byte {
	digits, isFraction := strings.CutPrefix(t, "0.")
	if n, err := strconv.ParseUint(digits, 10, 63); isFraction && err == nil && len(digits) < 19 && digits[0] != '+' {
		return binary.AppendUvarint(append(b, byte(1+len(digits))), n)
	}
	return appendText(append(b, 0), t)
}

func (c *cursor) decimal() string {
	n := c.byte()
	if n == 0 {
		return c.text()
	}
	value := strconv.FormatUint(c.number(), 10)
	if len(value) > int(n-1) {
		c.fail()
		return ""
	}
	return "0." + strings.Repeat("0", int(n-1)-len(value)) + value
}

func (c *cursor) signal(s *advisory.Signal) {
	for _, to := range []*string{&s.Exploited, &s.Due, &s.Ransomware, &s.EPSS, &s.Percentile, &s.Day} {
		*to = c.decimal()
	}
}

// open reads the head of the overlay that data begins with and checks it. It
// returns what follows.
func (o *overlay) open(data []byte, info *Overlay) (rest []byte, err error) {
	if int64(len(data)) < max(info.Size, overlayHead) || info.Size < overlayHead || string(data[:len(overlaySign)]) != overlaySign {
		return nil, fmt.Errorf("it does not begin as one: %w", fault.Invalid)
	}
	o.source, o.signals, o.texts = info.Source, binary.LittleEndian.Uint32(data[8:]), binary.LittleEndian.Uint32(data[12:])
	body := 12*int64(o.signals) + int64(o.texts)
	head := overlayHead + (body+blockSize-1)/blockSize*sha256.Size
	if head+body != info.Size {
		return nil, fmt.Errorf("its parts do not add up to %d bytes: %w", info.Size, fault.Invalid)
	}
	if got := digestName(sha256.Sum256(data[:head])); got != info.Digest {
		return nil, &fault.MismatchError{What: "head", Want: info.Digest, Got: got}
	}
	o.object = data[:info.Size]
	o.blocks = newBlocks(info.Source, data[overlayHead:head], data[head:info.Size])
	return data[info.Size:], nil
}

// find returns the signal with a key; nil where there is none.
func (o *overlay) find(key uint64) (*advisory.Signal, error) {
	low, high := uint32(0), o.signals
	for low < high {
		middle := low + (high-low)/2
		b, err := o.part(int64(middle)*8, 8)
		if err != nil {
			return nil, err
		}
		if binary.LittleEndian.Uint64(b) < key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == o.signals {
		return nil, nil
	}
	b, err := o.part(int64(low)*8, 8)
	if err != nil || binary.LittleEndian.Uint64(b) != key {
		return nil, err
	}
	return o.signal(low, key)
}

func (o *overlay) signal(i uint32, key uint64) (*advisory.Signal, error) {
	var start uint32
	ends := int64(o.signals) * 8
	if i > 0 {
		b, err := o.part(ends+int64(i-1)*4, 4)
		if err != nil {
			return nil, err
		}
		start = binary.LittleEndian.Uint32(b)
	}
	b, err := o.part(ends+int64(i)*4, 4)
	if err != nil {
		return nil, err
	}
	end := binary.LittleEndian.Uint32(b)
	if start > end || end > o.texts {
		return nil, damaged("the signal of " + cveID(key))
	}
	text, err := o.part(ends+int64(o.signals)*4+int64(start), int64(end-start))
	if err != nil {
		return nil, err
	}
	s := &advisory.Signal{Vulnerability: cveID(key), Source: o.source}
	c := cursor{rest: string(text)}
	if c.signal(s); c.bad || c.rest != "" {
		return nil, damaged("the signal of " + s.Vulnerability)
	}
	return s, nil
}

// Signals implements [advisory.View].
func (s *Snapshot) Signals(_ context.Context, vulnerability string) ([]advisory.Signal, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("look up signals of %s: %w", vulnerability, fs.ErrClosed)
	}
	key, ok := cveKey(vulnerability)
	if !ok {
		return nil, nil
	}
	var out []advisory.Signal
	for i := range s.overlays {
		found, err := s.overlays[i].find(key)
		if err != nil {
			return nil, fmt.Errorf("look up signals of %s: overlay %s: %w", vulnerability, s.overlays[i].source, err)
		}
		if found != nil {
			out = append(out, *found)
		}
	}
	return out, nil
}

// all yields the signals of the overlay in order.
func (o *overlay) all() iter.Seq2[*advisory.Signal, error] {
	return func(yield func(*advisory.Signal, error) bool) {
		for i := range o.signals {
			b, err := o.part(int64(i)*8, 8)
			var s *advisory.Signal
			if err == nil {
				s, err = o.signal(i, binary.LittleEndian.Uint64(b))
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}
