package gateway

import (
	"hash/maphash"
	"sync"
	"time"
)

// believed remembers what credentials were valid a short while ago, by a keyed hash that
// nobody outside can aim at. It decides only who is checked at all, never who is let in.
// The zero value is ready for use.
type believed struct {
	once sync.Once
	seed maphash.Seed
	mu   sync.Mutex
	last map[uint64]int64 // unix nanoseconds
}

const (
	believedFor  = 10 * time.Minute // twice the life of a token
	believedKeys = 1 << 16
)

// credentials names what a request shows, 0 where that is nothing.
func (x *exchange) credentials() uint64 {
	b := &x.g.believed
	b.once.Do(func() { b.seed = maphash.MakeSeed() })
	var h maphash.Hash
	h.SetSeed(b.seed)
	n := 0
	for _, name := range [...]string{"Authorization", "X-Api-Key", "X-Scanneradapter-Api-Key"} {
		for _, v := range x.r.Header[name] {
			n += len(v)
			h.WriteString(v)
		}
		h.WriteByte(0)
	}
	if n == 0 {
		return 0
	}
	return h.Sum64()
}

func (b *believed) lately(key uint64, now time.Time) bool {
	if key == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.last[key]
	return ok && now.UnixNano()-at < int64(believedFor)
}

func (b *believed) note(key uint64, now time.Time) {
	if key == 0 {
		return
	}
	t := now.UnixNano()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		b.last = map[uint64]int64{}
	}
	if _, ok := b.last[key]; !ok && len(b.last) >= believedKeys {
		for k, at := range b.last {
			if t-at >= int64(believedFor) {
				delete(b.last, k)
			}
		}
		for k := range b.last { // whichever comes first
			if len(b.last) < believedKeys {
				break
			}
			delete(b.last, k)
		}
	}
	b.last[key] = t
}
