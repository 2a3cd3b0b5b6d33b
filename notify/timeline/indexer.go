package timeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxBatch is how many events Handle puts into one transaction.
const MaxBatch = 500

// Indexer puts events on the timelines of their tenants. A chain has one writer at a
// time, so events of a tenant that come while one is written are written together
// afterwards. It is safe for concurrent use, and must not be copied.
type Indexer struct {
	// Logs gives the chain of a tenant.
	Logs func(tenant string) (Log, error)

	mu sync.Mutex
	// busy has the tenants whose chain is written, with what waits for that.
	busy map[string][]*call
}

// call is an event that Handle was called with.
type call struct {
	event *Event
	err   error
	done  chan struct{} // closed when err is set
}

// Handle indexes a message of a topic. What belongs to no tenant is left alone. Without
// an error it may be acknowledged. An error wraps ErrInvalid for what is no event, and
// ErrConflict for an event that is there with another body.
func (x *Indexer) Handle(ctx context.Context, topic string, body []byte) error {
	e, err := Read(topic, body)
	if err != nil || e.Tenant == "" {
		return err
	}
	c := &call{event: e, err: fmt.Errorf("index event %.80q: it was not tried: %w", e.ID, fault.Unavailable), done: make(chan struct{})}
	if x.enqueue(c) {
		select {
		case <-c.done:
			return c.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer x.next(context.WithoutCancel(ctx), e.Tenant)
	x.run(ctx, []*call{c})
	return c.err
}

// enqueue has a call wait where the tenant's chain is being written, and otherwise makes
// it the one that is.
func (x *Indexer) enqueue(c *call) (waits bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	waiting, waits := x.busy[c.event.Tenant]
	if waits {
		waiting = append(waiting, c)
	}
	if x.busy == nil {
		x.busy = map[string][]*call{}
	}
	x.busy[c.event.Tenant] = waiting
	return waits
}

// next writes what waited. Whoever wrote before does not wait for that.
func (x *Indexer) next(ctx context.Context, tenant string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	waiting := x.busy[tenant]
	if len(waiting) == 0 {
		delete(x.busy, tenant)
		return
	}
	n := min(len(waiting), MaxBatch)
	x.busy[tenant] = waiting[n:]
	go func() {
		defer x.next(ctx, tenant)
		x.run(ctx, waiting[:n])
	}()
}

func (x *Indexer) run(ctx context.Context, calls []*call) {
	defer func() {
		for _, c := range calls {
			close(c.done)
		}
	}()
	events, at, out := make([]*Event, len(calls)), make([]int, len(calls)), make([]error, len(calls))
	for i, c := range calls {
		events[i], at[i] = c.event, i
	}
	x.append(ctx, events[0].Tenant, events, at, out)
	for i, c := range calls {
		c.err = out[i]
	}
}

// Handler returns what handles the messages of a topic, as queue.Consume takes it.
func (x *Indexer) Handler(topic string) func(ctx context.Context, body []byte) error {
	return func(ctx context.Context, body []byte) error { return x.Handle(ctx, topic, body) }
}

// HandleAll indexes many messages of a topic, those of a tenant in one transaction, and
// returns an error or nil for each.
func (x *Indexer) HandleAll(ctx context.Context, topic string, bodies [][]byte) []error {
	out := make([]error, len(bodies))
	events := make([]*Event, len(bodies))
	at := map[string][]int{}
	var tenants []string
	for i, b := range bodies {
		e, err := Read(topic, b)
		if err != nil || e.Tenant == "" {
			out[i] = err
			continue
		}
		if at[e.Tenant] == nil {
			tenants = append(tenants, e.Tenant)
		}
		events[i], at[e.Tenant] = e, append(at[e.Tenant], i)
	}
	for _, tenant := range tenants {
		x.append(ctx, tenant, events, at[tenant], out)
	}
	return out
}

// append indexes the events of one tenant, which stand at some places.
func (x *Indexer) append(ctx context.Context, tenant string, events []*Event, at []int, out []error) {
	log, err := x.Logs(tenant)
	if err == nil {
		list := make([]Event, len(at))
		for n, i := range at {
			list[n] = *events[i]
		}
		err = log.Append(ctx, list)
	}
	if err != nil && len(at) > 1 && (errors.Is(err, fault.Conflict) || errors.Is(err, fault.Invalid)) {
		for _, i := range at { // one of them is wrong: the others are not held up
			x.append(ctx, tenant, events, []int{i}, out)
		}
		return
	}
	if err != nil {
		err = fmt.Errorf("index %d events of tenant %s, from %.80q on: %w", len(at), tenant, events[at[0]].ID, err)
	}
	for _, i := range at {
		out[i] = err
	}
}
