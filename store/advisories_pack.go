package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
)

// packSize is how much text a pack holds before it is closed, in bytes: enough to
// compress well, little enough to read one text of it.
const packSize = 128 << 10

// The coders of packs. They are safe for concurrent use and need no closing when
// they are used whole.
var (
	packWriter = sync.OnceValue(func() *zstd.Encoder {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false)) // options that are valid
		return w
	})
	packReader = sync.OnceValue(func() *zstd.Decoder {
		r, _ := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*MaxInlineRaw), zstd.WithDecoderConcurrency(0))
		return r
	})
)

// place is where a text lies: in which pack, from which byte on, and how long it
// is. While packs are made, pack is an index.
type place struct{ pack, at, size int64 }

// packed is a pack that is not stored yet.
type packed struct {
	size int64
	body []byte
}

// packer puts texts into packs.
type packer struct {
	done  []packed
	open  []byte
	texts int // in the open one
}

func (p *packer) add(text []byte) place {
	if len(p.open) > 0 && len(p.open)+len(text) > packSize {
		p.shut()
	}
	at := place{int64(len(p.done)), int64(len(p.open)), int64(len(text))}
	p.open, p.texts = append(p.open, text...), p.texts+1
	return at
}

func (p *packer) shut() {
	if p.texts == 0 {
		return
	}
	p.done = append(p.done, packed{int64(len(p.open)), packWriter().EncodeAll(p.open, make([]byte, 0, len(p.open)/4+64))})
	p.open, p.texts = p.open[:0], 0
}

// keepPacks stores packs and returns their numbers.
func (t *tx) keepPacks(p *packer) ([]int64, error) {
	p.shut()
	out := make([]int64, len(p.done))
	for i := range p.done {
		if err := t.get(`INSERT INTO vuln.packs (size, body) VALUES ($1, $2) RETURNING seq`, []any{p.done[i].size, p.done[i].body}, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cachedPacks bounds the packs that are held in memory.
const cachedPacks = 64

// packCache holds packs that were read last. They never change.
type packCache struct {
	mu    sync.Mutex
	texts map[int64][]byte
	order []int64
}

func (c *packCache) get(seq int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts[seq]
}

func (c *packCache) put(seq int64, text []byte) {
	if len(text) > 4*packSize {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.texts == nil {
		c.texts = map[int64][]byte{}
	}
	if c.texts[seq] != nil {
		return
	}
	if len(c.order) == cachedPacks {
		delete(c.texts, c.order[0])
		c.order = c.order[1:]
	}
	c.texts[seq] = text
	c.order = append(c.order, seq)
}

// stored is a text that is kept, with its digest.
type stored struct {
	place
	digest []byte
}

// texts calls f with each text, in order, after it was verified. What it is given
// lasts until f returns.
func (a *Advisories) texts(ctx context.Context, list []stored, f func(i int, text []byte) error) error {
	var pack []byte
	var seq int64
	for i, s := range list {
		if s.pack != seq || pack == nil {
			var err error
			if pack, err = a.pack(ctx, s.pack); err != nil {
				return err
			}
			seq = s.pack
		}
		if s.at < 0 || s.size < 0 || s.at+s.size > int64(len(pack)) {
			return fmt.Errorf("pack %d has %d bytes, not %d from %d on: %w", s.pack, len(pack), s.size, s.at, fault.Mismatch)
		}
		text := pack[s.at : s.at+s.size]
		if sum := sha256.Sum256(text); string(sum[:]) != string(s.digest) {
			return &fault.MismatchError{What: fmt.Sprintf("digest of a text in pack %d", s.pack), Want: hexDigest(s.digest), Got: hexDigest(sum[:])}
		}
		if err := f(i, text); err != nil {
			return err
		}
	}
	return nil
}

// pack reads a pack.
func (a *Advisories) pack(ctx context.Context, seq int64) ([]byte, error) {
	if text := a.packs.get(seq); text != nil {
		return text, nil
	}
	var size int64
	var body []byte
	err := a.read(ctx, "read a pack", func(tx *tx) error {
		err := tx.get(`SELECT size, body FROM vuln.packs WHERE seq = $1`, []any{seq}, &size, &body)
		if isNoRows(err) {
			err = fmt.Errorf("pack %d: %w", seq, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if size < 0 || size > MaxInlineRaw {
		return nil, fmt.Errorf("pack %d says it has %d bytes: %w", seq, size, fault.Mismatch)
	}
	text, err := packReader().DecodeAll(body, make([]byte, 0, size))
	if err != nil || int64(len(text)) != size {
		return nil, fmt.Errorf("pack %d: %d bytes instead of %d, %v: %w", seq, len(text), size, err, fault.Mismatch)
	}
	a.packs.put(seq, text)
	return text, nil
}
