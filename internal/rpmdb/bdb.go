package rpmdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math/bits"

	"github.com/stella-ops/stella/internal/fault"
)

// Berkeley DB numbers, in the byte order of the machine that wrote the file.
const (
	bdbHashMagic = 0x061561
	bdbMetaSize  = 224 // of the part of the hash metadata page that is read
	bdbPageHead  = 26
	bdbSpares    = 96 // offset of the split points in the metadata page

	bdbPageUnsorted = 2 // hash page written before 4.6
	bdbPageOverflow = 7
	bdbPageMeta     = 8
	bdbPageHash     = 13

	bdbItemInline   = 1 // key or value on the page
	bdbItemOverflow = 3 // value on pages of its own
)

// bdb reads a Berkeley DB hash. Package headers are the values; the keys are
// package numbers, and key 0 keeps the highest of them.
type bdb struct {
	order     binary.ByteOrder
	pages     *pager
	size      int64
	maxBucket uint32
	spares    [32]uint32 // page of a bucket = bucket + spares[bits of bucket]
	keys      uint32     // as counted by the writer
}

func isBerkeleyHash(head []byte) bool {
	return len(head) >= 16 && (binary.LittleEndian.Uint32(head[12:]) == bdbHashMagic || binary.BigEndian.Uint32(head[12:]) == bdbHashMagic)
}

func openBerkeley(r io.ReaderAt, size int64) (*bdb, error) {
	var m [bdbMetaSize]byte
	if err := readFull(r, m[:], 0); err != nil {
		return nil, fmt.Errorf("bdb metadata page: %w", err)
	}
	d := &bdb{order: binary.LittleEndian, size: size}
	if d.order.Uint32(m[12:]) != bdbHashMagic {
		d.order = binary.BigEndian
	}
	if v := d.order.Uint32(m[16:]); v < 7 || v > 10 {
		return nil, fmt.Errorf("bdb hash version %d: %w", v, fault.Unsupported)
	}
	// Encrypted and checksummed pages have longer heads; rpm uses neither.
	if m[24] != 0 || m[26] != 0 {
		return nil, fmt.Errorf("bdb hash with encryption %d and metadata flags %#x: %w", m[24], m[26], fault.Unsupported)
	}
	page := int64(d.order.Uint32(m[20:]))
	if page < 512 || page > 64<<10 || page&(page-1) != 0 || m[25] != bdbPageMeta {
		return nil, fmt.Errorf("bdb metadata page of type %d with a page size of %d: %w", m[25], page, fault.Invalid)
	}
	d.pages = newPager(r, size, page, 0)
	d.maxBucket = d.order.Uint32(m[72:])
	d.keys = d.order.Uint32(m[88:])
	for i := range d.spares {
		d.spares[i] = d.order.Uint32(m[bdbSpares+4*i:])
	}
	if int64(d.maxBucket) >= d.pages.count {
		return nil, fmt.Errorf("bdb metadata page counts %d buckets in %d pages (cut short?): %w", int64(d.maxBucket)+1, d.pages.count, fault.Invalid)
	}
	return d, nil
}

// bdbWalk is the state of one walk over all buckets.
type bdbWalk struct {
	*bdb
	limits *Limits
	page   []byte // copy of the bucket page at hand
	value  []byte // buffer of overflow values
	keys   uint32 // pairs seen, broken ones too
	yield  func([]byte, error) bool
}

func (d *bdb) blobs(limits *Limits) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		d.pages.reset()
		w := &bdbWalk{bdb: d, limits: limits, yield: yield}
		for bucket := uint32(0); ; bucket++ {
			if !w.bucket(bucket) {
				return
			}
			if bucket == d.maxBucket {
				break
			}
		}
		if w.keys < d.keys {
			yield(nil, fmt.Errorf("%d of %d records are missing: %w", d.keys-w.keys, d.keys, fault.Invalid))
		}
	}
}

// bucket walks the pages of one bucket. It returns false when the caller stops.
func (w *bdbWalk) bucket(bucket uint32) bool {
	split := bits.Len32(bucket)
	if split >= len(w.spares) {
		return w.yield(nil, fmt.Errorf("bucket %d has no page: %w", bucket, fault.Invalid))
	}
	for n := bucket + w.spares[split]; n != 0; {
		page, err := w.take(n, bdbPageHash, bdbPageUnsorted)
		if err != nil {
			return w.yield(nil, fmt.Errorf("bucket %d: %w", bucket, err))
		}
		w.page = append(w.page[:0], page...)
		if !w.pairs(n) {
			return false
		}
		n = w.order.Uint32(w.page[16:])
	}
	return true
}

// take reads page n and checks that it is what its place says.
func (d *bdb) take(n uint32, kinds ...byte) ([]byte, error) {
	page, err := d.pages.take(n)
	if err != nil {
		return nil, err
	}
	if own := d.order.Uint32(page[8:]); own != n {
		return nil, fmt.Errorf("page %d calls itself %d: %w", n, own, fault.Invalid)
	}
	for _, k := range kinds {
		if page[25] == k {
			return page, nil
		}
	}
	return nil, fmt.Errorf("page %d has type %d, not %d: %w", n, page[25], kinds[0], fault.Invalid)
}

// pairs yields the values of the bucket page n. Items fill the page from its
// end: each ends where the one before begins, so that none overlap.
func (w *bdbWalk) pairs(n uint32) bool {
	count := int(w.order.Uint16(w.page[20:]))
	start := bdbPageHead + 2*count
	if start > len(w.page) || count%2 != 0 {
		return w.yield(nil, fmt.Errorf("page %d counts %d items: %w", n, count, fault.Invalid))
	}
	end := len(w.page)
	item := func(i int) ([]byte, error) {
		off := int(w.order.Uint16(w.page[bdbPageHead+2*i:]))
		if off < start || off >= end {
			return nil, fmt.Errorf("page %d: item %d at offset %d is not between %d and %d: %w", n, i, off, start, end, fault.Invalid)
		}
		b := w.page[off:end]
		end = off
		return b, nil
	}
	for i := 0; i < count; i += 2 {
		w.keys++
		key, err := item(i)
		var value []byte
		if err == nil {
			value, err = item(i + 1)
		}
		if err != nil { // the items behind it have no known ends
			return w.yield(nil, err)
		}
		if isCounter(key, value) {
			continue
		}
		if key[0] != bdbItemInline {
			err = fmt.Errorf("page %d: item %d is a key of type %d: %w", n, i, key[0], fault.Unsupported)
		} else {
			value, err = w.item(value, fmt.Sprintf("page %d: item %d", n, i+1))
		}
		if !w.yield(value, err) {
			return false
		}
	}
	return true
}

// isCounter reports whether a pair is the one of key 0, whose value is the
// highest package number and no header.
func isCounter(key, value []byte) bool {
	return string(key) == "\x01\x00\x00\x00\x00" && value[0] == bdbItemInline && len(value) == 5
}

// item returns the content of a value.
func (w *bdbWalk) item(b []byte, where string) ([]byte, error) {
	switch {
	case b[0] == bdbItemInline:
		return b[1:], nil
	case b[0] == bdbItemOverflow && len(b) == 12:
		v, err := w.overflow(w.order.Uint32(b[4:]), int64(w.order.Uint32(b[8:])), where)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		return v, nil
	}
	return nil, fmt.Errorf("%s: value of type %d with %d bytes: %w", where, b[0], len(b), fault.Unsupported)
}

// overflow joins the pages of a value of length bytes that begins on page n.
func (w *bdbWalk) overflow(n uint32, length int64, where string) ([]byte, error) {
	if err := headerLimit(where, length, w.limits.HeaderBytes); err != nil {
		return nil, err
	}
	if length > w.size {
		return nil, fmt.Errorf("value of %d bytes in a file of %d (cut short?): %w", length, w.size, fault.Invalid)
	}
	w.value = grow(w.value, length)[:0]
	for int64(len(w.value)) < length {
		page, err := w.take(n, bdbPageOverflow)
		if err != nil {
			return nil, err
		}
		used := int(w.order.Uint16(page[22:]))
		if used > len(page)-bdbPageHead || int64(len(w.value)+used) > length {
			return nil, fmt.Errorf("page %d holds %d bytes of a value that lacks %d: %w", n, used, length-int64(len(w.value)), fault.Invalid)
		}
		w.value = append(w.value, page[bdbPageHead:bdbPageHead+used]...)
		n = w.order.Uint32(page[16:])
	}
	return w.value, nil
}
