package blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

const defaultMemory = 256 << 20

// mem keeps objects in memory.
type mem struct {
	limit int64

	mu      sync.RWMutex
	bytes   int64
	objects map[string]memObject
}

// NewMem returns a driver that keeps objects in memory, limit bytes of them at
// most; 0 means 256 MiB. More is refused with ErrLimit.
func NewMem(limit int64) Driver {
	if limit <= 0 {
		limit = defaultMemory
	}
	return &mem{limit: limit, objects: map[string]memObject{}}
}

type memObject struct {
	data     []byte // never changed
	modified time.Time
}

func (m *mem) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	data, err := io.ReadAll(&contextReader{ctx, io.LimitReader(r, m.limit+1)})
	if err != nil {
		return err
	}
	if int64(len(data)) > m.limit {
		return &fault.LimitError{What: "bytes of a bucket in memory", Where: key, Max: m.limit, Seen: int64(len(data))}
	}
	if size >= 0 && int64(len(data)) != size {
		return &fault.MismatchError{What: "size of " + key, Want: fmt.Sprint(size), Got: fmt.Sprint(len(data))}
	}
	return m.set(key, data)
}

func (m *mem) set(key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := m.bytes - int64(len(m.objects[key].data)) + int64(len(data))
	if total > m.limit {
		return &fault.LimitError{What: "bytes of a bucket in memory", Where: key, Max: m.limit, Seen: total}
	}
	m.bytes = total
	m.objects[key] = memObject{data, time.Now()}
	return nil
}

func (m *mem) get(ctx context.Context, key string) (memObject, error) {
	if err := ctx.Err(); err != nil {
		return memObject{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[key]
	if !ok {
		return o, fmt.Errorf("%s: %w", key, fault.NotFound)
	}
	return o, nil
}

func (m *mem) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	o, err := m.get(ctx, key)
	if err != nil {
		return nil, err
	}
	data := o.data[min(offset, int64(len(o.data))):]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	return io.NopCloser(&contextReader{ctx, bytes.NewReader(data)}), nil
}

func (m *mem) Stat(ctx context.Context, key string) (Info, error) {
	o, err := m.get(ctx, key)
	if err != nil {
		return Info{}, err
	}
	return Info{Key: key, Size: int64(len(o.data)), Modified: o.modified}, nil
}

func (m *mem) Copy(ctx context.Context, from, to string) error {
	o, err := m.get(ctx, from)
	if err != nil {
		return err
	}
	return m.set(to, o.data)
}

func (m *mem) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		m.mu.RLock()
		objects := maps.Clone(m.objects)
		m.mu.RUnlock()
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(Info{}, err)
				return
			}
			o := objects[key]
			if !yield(Info{Key: key, Size: int64(len(o.data)), Modified: o.modified}, nil) {
				return
			}
		}
	}
}

func (m *mem) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes -= int64(len(m.objects[key].data))
	delete(m.objects, key)
	return ctx.Err()
}

func (m *mem) Close() error { return nil }
