package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// maxKnown bounds the tenants whose settings are held.
const maxKnown = 4096

// MaxBatch is how many events a Router decides about in one transaction, with no more than
// maxNotices notices where it is more than one.
const (
	MaxBatch   = 256
	maxNotices = 2000
)

// Router decides who is told of an event. It reads scanner:events, concelier:drift and
// policy:events in the group notify-workers; see Types. Stores and Open are required. It is
// safe for concurrent use, and must not be copied after first use.
//
// Calls of Handle that come at the same time, of one tenant, share a transaction: a
// consumer that handles many events at a time is served faster.
type Router struct {
	// Stores gives the store of a tenant.
	Stores func(tenant string) (Routes, error)
	// Open gives what opens a tenant's endpoints, to render messages.
	Open func(tenant string) Opener
	// Ack signs links by which one takes note; nil for messages without.
	Ack *AckKey
	// BaseURL is where people reach notifyhttp, such as "https://stella.example"; "" for
	// messages without links.
	BaseURL string
	// Deliver is told of deliveries that are due when they are stored, such as by an
	// Inline, to send them at once. Nil leaves them to messages. It must not wait.
	Deliver func(tenant string, ids []string)
	// Report is told of settings that cannot be followed any more. Nil means nobody.
	Report func(error)

	mu      sync.Mutex
	lanes   map[string]*lane
	tenants map[string]*known
}

// lane is what waits to be decided about for one tenant.
type lane struct{ waiting []*arrival }

// arrival is one event on its way through Handle.
type arrival struct {
	event   *event.Event
	notices []Notice
	done    chan error
}

// known are a tenant's settings, compiled, and its open endpoints.
type known struct {
	*compiled
	open     Opener
	mu       sync.Mutex
	channels map[string]opened
}

type opened struct {
	channel Channel
	err     error
}

// Handle decides about one event, once: a nil error means that all that follows is stored,
// or was before. Events of other types lead to nothing, and those of no tenant are left
// alone.
func (r *Router) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	if e.Tenant == "" {
		return nil
	}
	notices, err := Notices(e)
	if err != nil {
		return err
	}
	a := &arrival{event: e, notices: notices, done: make(chan error, 1)}
	r.mu.Lock()
	if r.lanes == nil {
		r.lanes = map[string]*lane{}
	}
	l, busy := r.lanes[e.Tenant]
	if !busy {
		l = &lane{}
		r.lanes[e.Tenant] = l
	}
	l.waiting = append(l.waiting, a)
	r.mu.Unlock()
	if !busy {
		r.drain(ctx, e.Tenant, l)
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return ctx.Err() // it may be decided all the same: the next time it is known
	}
}

// drain decides about what waits. Whoever came first does it for those that came
// meanwhile, with a context of their own where its is over. What comes after those is for
// somebody else: nobody is kept for as long as there is more.
func (r *Router) drain(ctx context.Context, tenant string, l *lane) {
	ctx = context.WithoutCancel(ctx) // others wait for it
	r.mu.Lock()
	batch := l.next()
	r.mu.Unlock()
	err := r.routed(ctx, tenant, batch)
	for _, a := range batch {
		if err != nil && len(batch) > 1 && !errors.Is(err, fault.Unavailable) { // one of them may be to blame
			a.done <- r.routed(ctx, tenant, []*arrival{a})
			continue
		}
		a.done <- err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(l.waiting) == 0 {
		delete(r.lanes, tenant)
		return
	}
	go r.drain(ctx, tenant, l)
}

// next takes what is decided about together.
func (l *lane) next() []*arrival {
	n, notices := 0, 0
	for n < min(len(l.waiting), MaxBatch) {
		notices += len(l.waiting[n].notices)
		if n > 0 && notices > maxNotices {
			break
		}
		n++
	}
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

// attempts is how often a decision is made again because settings changed meanwhile.
const attempts = 10

// routed is route, and contains a panic of somebody's code: others wait for the lane.
func (r *Router) routed(ctx context.Context, tenant string, batch []*arrival) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decide who of %s is told: panic: %v", tenant, p)
		}
	}()
	return r.route(ctx, tenant, batch)
}

// route decides about events of one tenant in one transaction.
func (r *Router) route(ctx context.Context, tenant string, batch []*arrival) error {
	return r.decide(ctx, tenant, func(s Routes, k *known) (*Work, error) {
		facts, err := scanFacts(ctx, s, k, batch)
		if err != nil {
			return nil, err
		}
		in := newIntake(k.compiled, tenant)
		seen := map[string]bool{}
		for _, a := range batch {
			if seen[a.event.ID] {
				continue // delivered twice at the same time
			}
			seen[a.event.ID] = true
			for i := range a.notices {
				if f, ok := facts[a.notices[i].ScanID]; ok {
					a.notices[i].learn(f)
				}
			}
			in.add(a.event.ID, a.notices)
		}
		w := in.work()
		w.Decide = func(s *State) (*Plan, error) {
			p := r.planner(s, k, tenant)
			for _, b := range in.sort(s) {
				p.take(b)
			}
			p.inhibit(in.sources)
			return p.finish(), nil
		}
		return w, nil
	})
}

// scanFacts asks the store about scans where the events do not say what rules may ask, or
// messages show.
func scanFacts(ctx context.Context, s Routes, k *known, batch []*arrival) (map[string]ScanFacts, error) {
	var ids []string
	for _, a := range batch {
		for i := range a.notices {
			if n := &a.notices[i]; n.ScanID != "" && (k.labels || n.Type == event.ScanCompleted) {
				ids = append(ids, n.ScanID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return s.Scans(ctx, ids)
}

// decide has work done, again where the settings changed meanwhile.
func (r *Router) decide(ctx context.Context, tenant string, work func(Routes, *known) (*Work, error)) error {
	s, err := r.Stores(tenant)
	if err != nil {
		return err
	}
	anew := false
	for range attempts {
		var k *known
		if k, err = r.settings(ctx, tenant, s, anew); err != nil {
			return err
		}
		var w *Work
		w, err = work(s, k)
		if errors.Is(err, fault.NotFound) && !anew {
			anew = true // what was read earlier may lack what somebody has just set
			continue
		}
		if err != nil {
			return err
		}
		due := r.inline(w)
		if err = s.Do(ctx, w); err == nil && due != nil {
			if ids := due(); len(ids) > 0 {
				r.Deliver(tenant, ids)
			}
		}
		if !errors.Is(err, fault.Conflict) {
			break
		}
		anew = true
	}
	if err == nil {
		crashpoint.Hit(crashpoint.NotifyRouted)
		return nil
	}
	if errors.Is(err, fault.Conflict) {
		return fmt.Errorf("decide who of %s is told: %v: %w", tenant, err, fault.Unavailable)
	}
	return err
}

// inline has work told of the deliveries that are due once they are stored; nil where
// nobody sends them here.
func (r *Router) inline(w *Work) (due func() []string) {
	if r.Deliver == nil {
		return nil
	}
	var ids []string
	decide := w.Decide
	w.Inline = InlineGrace
	w.Decide = func(s *State) (*Plan, error) {
		ids = nil
		p, err := decide(s)
		if err != nil {
			return nil, err
		}
		for i := range p.Deliveries {
			if d := &p.Deliveries[i]; d.Status == Pending && !d.Due.After(s.Now) {
				ids = append(ids, d.ID)
			}
		}
		return p, nil
	}
	return func() []string { return ids }
}

// settings returns those of a tenant as they were read last; Do refuses what follows from
// old ones.
func (r *Router) settings(ctx context.Context, tenant string, s Routes, anew bool) (*known, error) {
	r.mu.Lock()
	k := r.tenants[tenant]
	r.mu.Unlock()
	if k != nil && !anew {
		return k, nil
	}
	list, err := s.Settings(ctx)
	if err != nil {
		return nil, err
	}
	c, errs := compile(list)
	for _, err := range errs {
		if r.Report != nil {
			r.Report(fmt.Errorf("settings of %s: %w", tenant, err))
		}
	}
	k = &known{compiled: c, open: r.Open(tenant), channels: map[string]opened{}}
	r.mu.Lock()
	if r.tenants == nil || len(r.tenants) >= maxKnown {
		r.tenants = map[string]*known{} // they are read again
	}
	r.tenants[tenant] = k
	r.mu.Unlock()
	return k, nil
}

// channel opens an endpoint, once for each revision of the settings.
func (k *known) channel(id string) (Channel, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if o, ok := k.channels[id]; ok {
		return o.channel, o.err
	}
	var o opened
	if e := k.endpoints[id]; e == nil {
		o.err = fmt.Errorf("endpoint %.80q: %w", id, fault.NotFound)
	} else {
		o.channel, o.err = k.open(e, k.Templates)
	}
	k.channels[id] = o
	return o.channel, o.err
}

func (r *Router) planner(s *State, k *known, tenant string) *planner {
	p := newPlanner(s, k.compiled, tenant)
	p.render = k.render
	p.ack, p.link = r.links(tenant)
	return p
}

// rendered contains a panic of a channel: one of an embedder may be anything.
func rendered(c Channel, m *Message) (p *Payload, err error) {
	defer func() {
		if x := recover(); x != nil {
			p, err = nil, fmt.Errorf("the channel panics: %v: %w", x, fault.Invalid)
		}
	}()
	return c.Render(m)
}

// render fills in what is sent. What cannot be rendered is dead, and says why.
func (k *known) render(d *Delivery, m *Message) {
	channel, err := k.channel(d.Endpoint)
	var body *Payload
	if err == nil {
		body, err = rendered(channel, m)
	}
	if err == nil && len(body.Body) > MaxPayload {
		err = &fault.LimitError{What: "bytes of a payload", Where: "endpoint " + d.Endpoint, Max: MaxPayload, Seen: int64(len(body.Body))}
	}
	if err != nil {
		d.Status, d.Reason, d.Due = Dead, "it could not be rendered: "+err.Error(), time.Time{}
		body = &Payload{}
	}
	d.Payload, d.Digest, d.Notes = body, sum.Of(body.Body), body.Notes
}
