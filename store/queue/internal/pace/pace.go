// Package pace says when it is worth while to drop what nobody needs any more.
package pace

import (
	"sync"
	"time"
)

const (
	every = 256
	after = 10 * time.Second
)

// Trims counts acknowledgements by topic. The zero value is ready; it is safe for
// concurrent use.
type Trims struct {
	mu     sync.Mutex
	topics map[string]*since
}

// since is what happened since a topic was trimmed.
type since struct {
	acks int
	at   time.Time
}

// Due counts an acknowledgement, and reports whether the topic is to be trimmed
// now: after many of them, or some time.
func (t *Trims) Due(topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.topics[topic]
	if s == nil {
		if t.topics == nil {
			t.topics = map[string]*since{}
		}
		s = &since{at: time.Now()}
		t.topics[topic] = s
	}
	s.acks++
	if s.acks < every && time.Since(s.at) <= after {
		return false
	}
	*s = since{at: time.Now()}
	return true
}
