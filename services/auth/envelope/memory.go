package envelope

import (
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Memory remembers which envelopes were used, in this process. The zero value is ready. It
// is safe for concurrent use and must not be copied.
type Memory struct {
	// Most bounds how many are remembered; 0 means 1,000,000. Where they are too many the
	// request is refused: a memory that forgets is none.
	Most int

	mu    sync.Mutex
	until map[string]int64 // milliseconds
	swept int64
}

// Once reports whether an envelope is new, and remembers it until a time. The error wraps
// ErrUnavailable.
func (m *Memory) Once(id string, now, until time.Time) (bool, error) {
	most := m.Most
	if most == 0 {
		most = 1_000_000
	}
	ms := now.UnixMilli()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = map[string]int64{}
	}
	if ms-m.swept > 10_000 || ms < m.swept {
		for k, end := range m.until {
			if end <= ms {
				delete(m.until, k)
			}
		}
		m.swept = ms
	}
	if end, ok := m.until[id]; ok && end > ms {
		return false, nil
	}
	if len(m.until) >= most {
		return false, fmt.Errorf("%d envelopes are remembered already: %w", most, fault.Unavailable)
	}
	m.until[id] = until.UnixMilli()
	return true, nil
}
