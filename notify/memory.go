package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Memory keeps what one tenant's Router and Deliverer need, in memory: for tests, for
// tools that run once, and to measure by. It is Routes, Queue, Desk and Ledger, and safe
// for concurrent use. The zero value is not ready; see NewMemory.
type Memory struct {
	now   func() time.Time
	facts func(ids []string) map[string]ScanFacts

	mu         sync.Mutex
	revision   int64
	settings   map[SettingKind]map[string]*Setting
	current    *Settings // nil when it is to be read anew
	done       map[string]bool
	groups     map[string]*Group
	items      map[string][]*Item // by group, in the order in which they came
	itemKeys   map[string]bool
	inhibitors map[string]Inhibitor
	incidents  map[string]*Incident
	deliveries map[string]*memoryDelivery
	order      []string // of deliveries, as they were made
	endpoints  map[Target]*memoryEndpoint
}

type memoryDelivery struct {
	Delivery
	attempts []Attempt
	epoch    int64
	holder   string
	until    time.Time // of the lease
	slot     time.Time // reserved by the pace
}

type memoryEndpoint struct {
	failures int
	until    time.Time // it rests
	probe    string    // the delivery that tries whether it is back
	probing  time.Time // until when it does
	slot     time.Time // the next one that is free
	sent     time.Time // when the last one was let through
}

var (
	_ Routes = (*Memory)(nil)
	_ Queue  = (*Memory)(nil)
	_ Desk   = (*Memory)(nil)
	_ Ledger = (*Memory)(nil)
)

// NewMemory returns an empty store with a clock. facts tells what is known about scans; nil
// is nothing.
func NewMemory(now func() time.Time, facts func(ids []string) map[string]ScanFacts) *Memory {
	return &Memory{
		now: now, facts: facts, settings: map[SettingKind]map[string]*Setting{}, done: map[string]bool{}, groups: map[string]*Group{}, items: map[string][]*Item{}, itemKeys: map[string]bool{},
		inhibitors: map[string]Inhibitor{}, incidents: map[string]*Incident{}, deliveries: map[string]*memoryDelivery{}, endpoints: map[Target]*memoryEndpoint{},
	}
}

// clock is the store's: whole microseconds, as databases keep them.
func (m *Memory) clock() time.Time { return m.now().UTC().Truncate(time.Microsecond) }

// Settings returns those that stand.
func (m *Memory) Settings(context.Context) (*Settings, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil {
		return m.current, nil
	}
	s := &Settings{Revision: m.revision}
	for _, kind := range []SettingKind{SettingEndpoint, SettingRule, SettingPreference, SettingTemplate, SettingMaintenance, SettingInhibition} {
		for _, id := range keys(m.settings[kind]) {
			if v := m.settings[kind][id]; v.Body != nil {
				if err := s.Read(kind, v.Body); err != nil {
					return nil, err
				}
			}
		}
	}
	m.current = s
	return s, nil
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Scans returns what is known about scans.
func (m *Memory) Scans(_ context.Context, ids []string) (map[string]ScanFacts, error) {
	if m.facts == nil {
		return nil, nil
	}
	return m.facts(ids), nil
}

// Do carries out work.
func (m *Memory) Do(_ context.Context, w *Work) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.Revision != m.revision {
		return fmt.Errorf("revision %d of the settings stands, and the decision is by %d: %w", m.revision, w.Revision, fault.Conflict)
	}
	s := &State{Now: m.clock(), Done: map[string]bool{}, Groups: map[string]*Group{}, Inhibitors: map[string]Inhibitor{}, Incidents: map[string]*Incident{}, Items: map[string][]Item{}}
	for _, id := range w.Events {
		if m.done[id] {
			s.Done[id] = true
		}
	}
	for _, id := range w.Groups {
		g := m.groups[id]
		if g == nil {
			g = &Group{ID: id}
		}
		s.Groups[id] = g
		if w.Collected && g.open() {
			s.Items[id] = m.window(id, g.Window)
		}
	}
	for _, id := range w.Inhibitors {
		if i, ok := m.inhibitors[id]; ok {
			s.Inhibitors[id] = i
		}
	}
	for _, id := range w.Incidents {
		if i := m.incidents[id]; i != nil {
			s.Incidents[id] = i
		}
	}
	plan, err := w.Decide(s)
	if err != nil {
		return err
	}
	m.write(w, plan)
	return nil
}

// window returns the items of a window, as many as have MaxListed notices.
func (m *Memory) window(group string, window int64) []Item {
	var out []Item
	listed := 0
	for _, i := range m.items[group] {
		if i.Window == window && listed < MaxListed {
			out = append(out, *i)
			listed += len(i.Notices)
		}
	}
	return out
}

func (m *Memory) write(w *Work, p *Plan) {
	for _, id := range w.Events {
		m.done[id] = true
	}
	for i := range p.Groups {
		m.groups[p.Groups[i].ID] = &p.Groups[i]
	}
	for i := range p.Items {
		if item := &p.Items[i]; !m.itemKeys[item.Key] {
			m.itemKeys[item.Key] = true
			m.items[item.Group] = append(m.items[item.Group], item)
		}
	}
	for i := range p.Deliveries {
		if d := &p.Deliveries[i]; m.deliveries[d.ID] == nil {
			m.deliveries[d.ID] = &memoryDelivery{Delivery: *d}
			m.order = append(m.order, d.ID)
		}
	}
	for _, i := range p.Inhibitors {
		if i.Until.After(m.inhibitors[i.ID].Until) {
			m.inhibitors[i.ID] = i
		}
	}
	for i := range p.Incidents {
		m.incidents[p.Incidents[i].ID] = &p.Incidents[i]
	}
}

// Due returns what is due, at most limit things, for the tenant of that name.
func (m *Memory) Due(tenant string, limit int) []Due {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	var out []Due
	for _, id := range keys(m.groups) {
		if g := m.groups[id]; g.open() && !g.Due.After(now) && len(out) < limit {
			out = append(out, Due{Tenant: tenant, Group: id})
		}
	}
	for _, id := range keys(m.incidents) {
		if i := m.incidents[id]; i.Acknowledged.IsZero() && !i.Due.IsZero() && !i.Due.After(now) && len(out) < limit {
			out = append(out, Due{Tenant: tenant, Incident: id})
		}
	}
	return out
}

// Waiting returns the ids of deliveries that are due, or whose lease is over, at most
// limit.
func (m *Memory) Waiting(limit int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	var out []string
	for _, id := range m.order {
		d := m.deliveries[id]
		if len(out) < limit && (d.Status == Pending && !d.Due.After(now) || d.Status == Sending && !d.until.After(now)) {
			out = append(out, id)
		}
	}
	return out
}

// Setting returns one as it stands.
func (m *Memory) Setting(_ context.Context, kind SettingKind, id string) (*Setting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.settings[kind][id]
	if s == nil || s.Body == nil {
		return nil, fmt.Errorf("%s %.80q: %w", kind, id, fault.NotFound)
	}
	out := *s
	return &out, nil
}

// ListSettings lists those of a kind by id.
func (m *Memory) ListSettings(_ context.Context, kind SettingKind, user, after string, limit int) ([]Setting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Setting
	for _, id := range keys(m.settings[kind]) {
		s := m.settings[kind][id]
		if id > after && s.Body != nil && (user == "" || s.User == user) && (limit <= 0 || len(out) < limit) {
			out = append(out, *s)
		}
	}
	return out, nil
}

// Set keeps a setting.
func (m *Memory) Set(_ context.Context, s *Setting) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var number int64
	if old := m.settings[s.Kind][s.ID]; old != nil {
		number = old.Number
	}
	if s.Number != number+1 {
		return fmt.Errorf("%s %.80q: number %d stands, and this is %d: %w", s.Kind, s.ID, number, s.Number, fault.Conflict)
	}
	if s.Body == nil && s.Kind == SettingEndpoint {
		if by := m.namedBy(s.ID); by != "" {
			return fmt.Errorf("endpoint %.80q: %s tells it: %w", s.ID, by, fault.Conflict)
		}
	}
	if m.settings[s.Kind] == nil {
		m.settings[s.Kind] = map[string]*Setting{}
	}
	s.At = m.clock()
	kept := *s
	m.settings[s.Kind][s.ID] = &kept
	m.revision++
	m.current = nil
	m.enabled(&kept)
	return nil
}

// namedBy returns a rule that tells an endpoint.
func (m *Memory) namedBy(endpoint string) string {
	for _, kind := range []SettingKind{SettingRule, SettingPreference} {
		for _, id := range keys(m.settings[kind]) {
			if v := m.settings[kind][id]; v.Body != nil {
				var s Settings
				if s.Read(kind, v.Body) == nil && len(s.Rules) == 1 && s.Rules[0].tells(endpoint) {
					return string(kind) + " " + id
				}
			}
		}
	}
	return ""
}

// tells reports whether a rule, or a step of its escalation, names an endpoint.
func (r *Rule) tells(endpoint string) bool {
	at := func(t Target) bool { return t.Endpoint == endpoint }
	if slices.ContainsFunc(r.To, at) {
		return true
	}
	return slices.ContainsFunc(r.Escalation, func(s Step) bool { return slices.ContainsFunc(s.To, at) })
}

// enabled queues what was parked because an endpoint was disabled.
func (m *Memory) enabled(s *Setting) {
	var list Settings
	if s.Kind != SettingEndpoint || s.Body == nil || list.Read(s.Kind, s.Body) != nil || list.Endpoints[0].Disabled {
		return
	}
	for _, d := range m.deliveries {
		if d.Endpoint == s.ID && d.Status == Parked && strings.HasPrefix(d.Reason, disabledReason) {
			d.Status, d.Reason, d.Attempt, d.Due = Pending, "", 0, m.clock()
		}
	}
}

// disabledReason begins the reason of what is parked because its endpoint is disabled.
const disabledReason = "the endpoint is disabled"
