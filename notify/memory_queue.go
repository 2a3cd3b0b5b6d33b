package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Claim takes a delivery for a while.
func (m *Memory) Claim(_ context.Context, c *Claim) (*Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deliveries[c.ID]
	if d == nil {
		return nil, fmt.Errorf("delivery %.80q: %w", c.ID, fault.NotFound)
	}
	now := m.clock()
	if d.Status == Sending {
		if d.until.After(now) {
			return nil, &LaterError{c.ID, d.until, "another one has it"}
		}
		m.lose(d, now)
	}
	if d.Status != Pending {
		return nil, fmt.Errorf("delivery %s is %s: %w", c.ID, d.Status, fault.Conflict)
	}
	if d.Due.After(now) {
		return nil, &LaterError{c.ID, d.Due, "it is not due"}
	}
	e := m.endpoint(d.Endpoint)
	if e == nil || e.Disabled {
		d.Status, d.Reason, d.Due, d.Updated = Parked, disabledReason, time.Time{}, now
		return nil, fmt.Errorf("delivery %s: %s: %w", c.ID, disabledReason, fault.Conflict)
	}
	failures, err := m.admit(d, e, c, now)
	if err != nil {
		return nil, err
	}
	d.epoch++
	d.Status, d.holder, d.until, d.Updated = Sending, c.Holder, now.Add(c.Length), now
	d.Attempt++
	d.Attempts++
	a := Attempt{Number: d.Attempts, Holder: c.Holder, Outcome: OutcomeOpen, Started: now}
	a.Duplicate = slices.ContainsFunc(d.attempts, func(b Attempt) bool { return b.Outcome == OutcomeUnknown })
	d.Duplicate = d.Duplicate || a.Duplicate
	d.attempts = append(d.attempts, a)
	return &Task{Delivery: d.Delivery, Endpoint: *e, Attempt: a, Epoch: d.epoch, Holder: c.Holder, Until: d.until, Failures: failures}, nil
}

// lose notes that whoever had a delivery vanished.
func (m *Memory) lose(d *memoryDelivery, now time.Time) {
	a := &d.attempts[len(d.attempts)-1]
	a.Outcome, a.Ended, a.Reason = OutcomeUnknown, now, "its holder vanished"
	d.Status = Pending
}

func (m *Memory) endpoint(id string) *Endpoint {
	s := m.settings[SettingEndpoint][id]
	var list Settings
	if s == nil || s.Body == nil || list.Read(SettingEndpoint, s.Body) != nil {
		return nil
	}
	return &list.Endpoints[0]
}

// admit puts a delivery off while its endpoint rests or is paced, and returns how many
// attempts at it failed in a row.
func (m *Memory) admit(d *memoryDelivery, e *Endpoint, c *Claim, now time.Time) (int, error) {
	state := m.endpoints[Target{d.Endpoint, d.To}]
	if state == nil {
		state = &memoryEndpoint{}
		m.endpoints[Target{d.Endpoint, d.To}] = state
	}
	if state.until.After(now) {
		d.Due = state.until
		return 0, &LaterError{c.ID, d.Due, "the endpoint rests"}
	}
	if state.failures >= CircuitAfter && state.probing.After(now) && state.probe != d.ID {
		d.Due = state.probing
		return 0, &LaterError{c.ID, d.Due, "another delivery tries whether the endpoint is back"}
	}
	if at := state.turn(d, c.PaceOf(e), now); at.After(now) {
		d.Due = at
		return 0, &LaterError{c.ID, at, "the endpoint is paced"}
	}
	if state.failures >= CircuitAfter { // one goes first
		state.probe, state.probing = d.ID, now.Add(c.Length)
	}
	return state.failures, nil
}

// turn is when a delivery may be sent by the endpoint's pace: it has a slot of its own, once,
// and who comes late in his keeps his distance from the one before.
func (s *memoryEndpoint) turn(d *memoryDelivery, pace time.Duration, now time.Time) time.Time {
	if pace <= 0 {
		return now
	}
	if d.slot.IsZero() {
		d.slot = latest(s.slot, now)
		s.slot = d.slot.Add(pace)
	}
	at := latest(d.slot, s.sent.Add(pace))
	if !at.After(now) {
		s.sent = now
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Settle notes the outcome and what follows.
func (m *Memory) Settle(_ context.Context, t *Task, s *Settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deliveries[t.Delivery.ID]
	if d == nil || d.epoch != t.Epoch || d.Status != Sending {
		return fmt.Errorf("delivery %s: epoch %d of %s is over: %w", t.Delivery.ID, t.Epoch, t.Holder, fault.Fenced)
	}
	now := m.clock()
	a := &d.attempts[len(d.attempts)-1]
	number, started, duplicate := a.Number, a.Started, a.Duplicate
	*a = s.Attempt
	a.Number, a.Holder, a.Started, a.Duplicate, a.Ended = number, t.Holder, started, duplicate, now
	d.Status, d.Reason, d.Updated, d.Due, d.slot = s.Status, s.Reason, now, time.Time{}, time.Time{}
	if s.Status == Pending {
		d.Due = now.Add(s.Retry)
	}
	state := m.endpoints[Target{d.Endpoint, d.To}]
	switch {
	case s.Failed:
		state.failures++
	case s.Status == Delivered:
		state.failures = 0
	}
	if state.probe == d.ID {
		state.probe, state.probing = "", time.Time{}
	}
	if s.Rest > 0 { // what another one was asked for stays
		state.until = latest(state.until, now.Add(s.Rest))
	}
	if s.Gone {
		d.Reason = disabledReason + ": " + s.Reason
		m.disable(d.Endpoint, s.Reason, now)
	}
	return nil
}

// disable disables an endpoint, and parks what waits for it.
func (m *Memory) disable(id, reason string, now time.Time) {
	e := m.endpoint(id)
	if e == nil || e.Disabled {
		return
	}
	e.Disabled = true
	body, err := encodeSetting(e)
	if err != nil {
		return
	}
	old := m.settings[SettingEndpoint][id]
	m.settings[SettingEndpoint][id] = &Setting{Kind: SettingEndpoint, ID: id, Number: old.Number + 1, Body: body, By: "notify", At: now}
	m.revision++
	m.current = nil
	for _, d := range m.deliveries {
		if d.Endpoint == id && d.Status == Pending {
			d.Status, d.Reason, d.Due, d.Updated = Parked, disabledReason+": "+reason, time.Time{}, now
		}
	}
}

// Delivery returns one with its payload and its attempts.
func (m *Memory) Delivery(_ context.Context, id string) (*Delivery, []Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deliveries[id]
	if d == nil {
		return nil, nil, fmt.Errorf("delivery %.80q: %w", id, fault.NotFound)
	}
	out := d.Delivery
	return &out, slices.Clone(d.attempts), nil
}

// Deliveries lists deliveries, the newest first.
func (m *Memory) Deliveries(_ context.Context, q Query) (*Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	p := &Page{}
	after := q.After == ""
	for _, id := range slices.Backward(m.order) {
		if !after {
			after = id == q.After
			continue
		}
		d := m.deliveries[id]
		if q.Status != "" && d.Status != q.Status || q.Rule != "" && d.Rule != q.Rule || q.Endpoint != "" && d.Endpoint != q.Endpoint || q.User != "" && d.User != q.User || q.ScanID != "" && !m.tells(d, q.ScanID) {
			continue
		}
		if len(p.Deliveries) == limit {
			p.Next = p.Deliveries[limit-1].ID
			break
		}
		out := d.Delivery
		out.Payload = nil
		p.Deliveries = append(p.Deliveries, out)
	}
	return p, nil
}

// tells reports whether a delivery tells of a scan.
func (m *Memory) tells(d *memoryDelivery, scan string) bool {
	return slices.ContainsFunc(m.items[d.Group], func(i *Item) bool {
		return i.Window == d.Window && slices.ContainsFunc(i.Notices, func(n Notice) bool { return n.ScanID == scan })
	})
}

// Items lists what a delivery tells of.
func (m *Memory) Items(_ context.Context, delivery, after string, limit int) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deliveries[delivery]
	if d == nil {
		return nil, fmt.Errorf("delivery %.80q: %w", delivery, fault.NotFound)
	}
	var out []Item
	begun := after == ""
	for _, i := range m.items[d.Group] {
		switch {
		case i.Window != d.Window:
		case !begun:
			begun = i.Key == after
		case limit <= 0 || len(out) < limit:
			out = append(out, *i)
		}
	}
	return out, nil
}

// Replay has a delivery that is dead or parked sent again.
func (m *Memory) Replay(_ context.Context, id, _ string) (*Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.deliveries[id]
	if d == nil {
		return nil, fmt.Errorf("delivery %.80q: %w", id, fault.NotFound)
	}
	if d.Status != Dead && d.Status != Parked || d.Payload == nil || len(d.Payload.Body) == 0 {
		return nil, fmt.Errorf("delivery %s is %s, or has nothing to be sent: %w", id, d.Status, fault.Conflict)
	}
	now := m.clock()
	d.Status, d.Reason, d.Attempt, d.Due, d.Updated = Pending, "", 0, now, now
	out := d.Delivery
	return &out, nil
}

// Acknowledge notes that somebody takes care of an incident.
func (m *Memory) Acknowledge(_ context.Context, id, by, note string) (*Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.incidents[id]
	if old == nil {
		return nil, fmt.Errorf("incident %.80q: %w", id, fault.NotFound)
	}
	in := *old
	if in.Acknowledged.IsZero() {
		in.Acknowledged, in.AcknowledgedBy, in.Note, in.Due = m.clock(), by, note, time.Time{}
		m.incidents[id] = &in
		for gid, g := range m.groups {
			if g.Incident == id {
				changed := *g
				changed.Incident = ""
				m.groups[gid] = &changed
			}
		}
	}
	out := in
	return &out, nil
}

// Incident returns one.
func (m *Memory) Incident(_ context.Context, id string) (*Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.incidents[id]
	if in == nil {
		return nil, fmt.Errorf("incident %.80q: %w", id, fault.NotFound)
	}
	out := *in
	return &out, nil
}

// States tells how endpoints do, sorted.
func (m *Memory) States(context.Context) ([]EndpointState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	byTarget := map[Target]*EndpointState{}
	at := func(t Target) *EndpointState {
		if byTarget[t] == nil {
			byTarget[t] = &EndpointState{Endpoint: t.Endpoint, To: t.To}
		}
		return byTarget[t]
	}
	for t, e := range m.endpoints {
		at(t).Failures, at(t).Until = e.failures, e.until
	}
	for _, d := range m.deliveries {
		switch s := at(Target{d.Endpoint, d.To}); d.Status {
		case Pending, Sending:
			s.Waiting++
		case Parked:
			s.Parked++
		case Dead:
			s.Dead++
		}
	}
	var out []EndpointState
	for _, s := range byTarget {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b EndpointState) int {
		return cmp.Or(strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(a.To, b.To))
	})
	return out, nil
}
