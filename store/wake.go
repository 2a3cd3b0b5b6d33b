package store

import "sync"

// wakeups tells goroutines of this process that something was written, so that
// they need not wait for their next look. It is a hint and no more.
type wakeups struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

// on returns a channel that is closed by the next wake of a topic.
func (w *wakeups) on(topic string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string]chan struct{}{}
	}
	if w.waiting[topic] == nil {
		w.waiting[topic] = make(chan struct{})
	}
	return w.waiting[topic]
}

func (w *wakeups) wake(topic string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.waiting[topic]; c != nil {
		close(c)
		delete(w.waiting, topic)
	}
}
