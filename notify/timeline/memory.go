package timeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Memory is the timeline of one tenant in memory, for tests and for trying things out. It
// knows no outbox, so it finds no gaps. Make it by NewMemory. It is safe for concurrent
// use.
type Memory struct {
	tenant string
	now    func() time.Time

	mu      sync.Mutex
	head    Head
	entries []Entry
	refs    [][]Ref
	rows    map[[2]string]Hash // digest by topic and event
	pruned  int64
	kept    []*Kept
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty timeline of a tenant. now is its clock.
func NewMemory(tenant string, now func() time.Time) *Memory {
	return &Memory{tenant: tenant, now: now, head: Head{Hash: Genesis(tenant)}, rows: map[[2]string]Hash{}}
}

// Append adds the events that have no row yet.
func (m *Memory) Append(_ context.Context, events []Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var fresh []Event
	added := map[[2]string]Hash{}
	for i := range events {
		e := &events[i]
		if e.Tenant != m.tenant {
			return fmt.Errorf("append event %.80q of tenant %.80q to the timeline of %s: %w", e.ID, e.Tenant, m.tenant, fault.Invalid)
		}
		name, digest := [2]string{e.Topic, e.ID}, e.Digest()
		there, ok := m.rows[name]
		if !ok {
			there, ok = added[name]
		}
		if ok && there != digest {
			return fmt.Errorf("event %.80q of %s is on the timeline with another body: %w", e.ID, e.Topic, fault.Conflict)
		}
		if !ok {
			added[name] = digest
			fresh = append(fresh, *e)
		}
	}
	m.extend(fresh)
	return nil
}

func (m *Memory) extend(events []Event) {
	entries, head := Extend(m.head, m.now(), events)
	m.head, m.entries = head, append(m.entries, entries...)
	for i := range events {
		m.refs = append(m.refs, events[i].Refs)
		m.rows[[2]string{events[i].Topic, events[i].ID}] = entries[i].Digest
	}
}

// Head returns the end of the chain.
func (m *Memory) Head(context.Context) (Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.head
	h.Now = m.now()
	return h, nil
}

// Rows returns rows without their bodies.
func (m *Memory) Rows(_ context.Context, after int64, limit int) ([]Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Row
	for i := max(after, 0); i < int64(len(m.entries)) && len(out) < min(max(limit, 1), MaxRows); i++ {
		out = append(out, m.entries[i].Row)
	}
	return out, nil
}

// Find returns a page of the entries that a query selects.
func (m *Memory) Find(_ context.Context, q Query) (*Page, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	page, size := new(Page), 0
	at, step := q.After, int64(1)
	if q.Backward {
		if at, step = q.After-2, -1; q.After == 0 {
			at = int64(len(m.entries)) - 1
		}
	}
	for ; at >= 0 && at < int64(len(m.entries)); at += step {
		e := m.entries[at]
		if !q.selects(&e, m.refs[at]) {
			continue
		}
		if n := len(page.Entries); n == q.Limit || n > 0 && size+len(e.Body) > MaxPageBytes {
			page.Next = page.Entries[n-1].Seq
			break
		}
		size += len(e.Body)
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

func (q *Query) selects(e *Entry, refs []Ref) bool {
	for _, want := range q.Refs {
		if !slices.ContainsFunc(refs, func(r Ref) bool { return r.Kind == want.Kind && r.Key() == want.Key() }) {
			return false
		}
	}
	return (len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) && (q.Topic == "" || q.Topic == e.Topic) && (q.Event == "" || q.Event == e.Event) &&
		(q.From.IsZero() || !e.Time.Before(q.From)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// Checkpoint returns a checkpoint by its number, the newest for 0.
func (m *Memory) Checkpoint(_ context.Context, number int64) (*Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number == 0 {
		number = int64(len(m.kept))
	}
	if number < 1 || number > int64(len(m.kept)) {
		return nil, fmt.Errorf("checkpoint %d of the timeline of tenant %s: %w", number, m.tenant, fault.NotFound)
	}
	return m.kept[number-1], nil
}

// Keep keeps a checkpoint unless there is one of its number, and returns that.
func (m *Memory) Keep(_ context.Context, c *Kept) (*Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := int64(len(m.kept))
	switch {
	case c.Number < 1 || len(c.Envelope) == 0 || len(c.Envelope) > MaxCheckpoint:
		return nil, fmt.Errorf("keep checkpoint %d of %d bytes: %w", c.Number, len(c.Envelope), fault.Invalid)
	case c.Number <= n:
		return m.kept[c.Number-1], nil
	case c.Number > n+1:
		return nil, fmt.Errorf("keep checkpoint %d after checkpoint %d: %w", c.Number, n, fault.Conflict)
	}
	m.kept = append(m.kept, &Kept{c.Number, slices.Clone(c.Envelope)})
	return m.kept[n], nil
}

// Prune deletes the bodies of old rows, after a row that says so.
func (m *Memory) Prune(_ context.Context, o *Order) (*Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.Before.IsZero() {
		return nil, fmt.Errorf("delete old bodies of the timeline of tenant %s: a time is required: %w", m.tenant, fault.Invalid)
	}
	last := m.pruned
	for last < m.head.Seq && m.entries[last].Indexed.Before(o.Before) {
		last++
	}
	out := &Result{Last: last}
	if last == m.pruned {
		return out, nil
	}
	e, err := (&Retention{Last: last, By: o.By, Reason: o.Reason}).Announce(m.tenant, m.now())
	if err != nil {
		return nil, err
	}
	m.extend([]Event{*e})
	for ; m.pruned < last; m.pruned++ {
		m.entries[m.pruned].Body, m.refs[m.pruned] = nil, nil
		out.Bodies++
	}
	return out, nil
}

// Gaps finds none: there is no outbox to compare with.
func (m *Memory) Gaps(context.Context, time.Duration) ([]Gap, error) { return nil, nil }
