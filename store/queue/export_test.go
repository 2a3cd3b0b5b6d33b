package queue

import "crypto/rand"

// NewMem returns the driver in memory.
func NewMem(messages, bytes int) Driver { return newMem(messages, bytes) }

// LoseMem makes it lose everything.
func LoseMem(d Driver) {
	m := d.(*mem)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.topics, m.messages, m.bytes, m.incarnation = map[string]*memTopic{}, 0, 0, rand.Text()
}

// RetainedMem counts what it holds of a topic.
func RetainedMem(d Driver, topic string) int {
	m := d.(*mem)
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.topic(topic).messages)
}

// DriverOf returns the driver of a queue.
func DriverOf(q *Queue) Driver { return q.driver }
