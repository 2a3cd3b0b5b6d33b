package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
)

// name is a short digest of texts, of which no two lists give the same.
func name(prefix string, parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range append([]string{prefix}, parts...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return prefix + "-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// planner writes a plan on a state.
type planner struct {
	*State
	c      *compiled
	tenant string
	render func(*Delivery, *Message) // fills in the payload, or why there is none
	ack    func(incident string, at time.Time) string
	link   func(delivery string) string
	plan   Plan
	groups map[string]*Group // that changed
	bytes  int               // of payloads
}

func newPlanner(s *State, c *compiled, tenant string) *planner {
	return &planner{State: s, c: c, tenant: tenant, groups: map[string]*Group{}}
}

// group returns a group to be changed.
func (p *planner) group(id string) *Group {
	if g := p.groups[id]; g != nil {
		return g
	}
	g := &Group{ID: id}
	if old := p.Groups[id]; old != nil {
		*g = *old
	}
	p.groups[id] = g
	return g
}

// finish returns the plan.
func (p *planner) finish() *Plan {
	ids := make([]string, 0, len(p.groups))
	for id := range p.groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p.plan.Groups = append(p.plan.Groups, *p.groups[id])
	}
	return &p.plan
}

// open reports whether a window of a group is open.
func (g *Group) open() bool { return !g.Due.IsZero() }

// The bounds of what one decision writes at once. What is more goes out with the next tick,
// each in a decision of its own.
const (
	maxAtOnce      = 500
	maxBytesAtOnce = 16 << 20 // of payloads
)

func (p *planner) full() bool {
	return len(p.plan.Deliveries) >= maxAtOnce || p.bytes >= maxBytesAtOnce
}

// take puts a bucket where it belongs.
func (p *planner) take(b *bucket) {
	g := p.group(b.id)
	g.Rule, g.Target, g.Key, g.Silenced = b.rule.ID, b.target, b.key, b.silenced
	due := b.rule.due(p.Now, b.hold, b.silenced, b.severity)
	switch {
	case g.open():
		p.hurry(g, b)
	case b.silenced == "" && !p.first(b, due):
		delete(p.groups, b.id)
		g = p.group(b.gate) // too many at once: they come together
		p.hurry(g, b)
	case due.After(p.Now) || b.silenced != "" || b.rule.digest.every > 0 || p.full():
		*g = Group{ID: g.ID, Rule: g.Rule, Target: g.Target, Key: g.Key, Silenced: g.Silenced, Window: p.Now.UnixMicro(), Due: due, Incident: g.Incident}
	default:
		g.Window, g.Count, g.Severity = p.Now.UnixMicro(), 0, ""
		p.item(g, b)
		p.deliver(g, b.rule, KindAlert, b.notices, len(b.notices), b.why)
		p.follow(g, b.rule)
		return
	}
	g.Count += len(b.notices)
	if b.severity.Rank() > g.Severity.Rank() {
		g.Severity = b.severity
	}
	p.item(g, b)
}

// due is when something of a severity may go out at the earliest.
func (r *rule) due(now, hold time.Time, silenced string, severity finding.Severity) time.Time {
	if silenced != "" {
		return now.Add(r.throttle)
	}
	at := r.digest.next(now)
	if hold.After(at) {
		at = hold
	}
	if r.quiet.excepts(severity) {
		return at
	}
	return r.quiet.after(at)
}

// hurry moves the end of a window forward where what comes may be sent in quiet hours, and
// what was there may not.
func (p *planner) hurry(g *Group, b *bucket) {
	q := b.rule.quiet
	if q == nil || b.silenced != "" || !q.excepts(b.severity) || q.excepts(g.Severity) {
		return
	}
	end := b.rule.digest.next(p.Now)
	if at := time.UnixMicro(g.Window).Add(b.rule.throttle).UTC(); b.rule.digest.every == 0 && at.After(end) {
		end = at // it may follow a message
	}
	if b.hold.After(end) {
		end = b.hold
	}
	if end.Before(g.Due) {
		g.Due = end
	}
}

// first reports whether a group may have a message of its own, at once or when it is due,
// and counts it.
func (p *planner) first(b *bucket, due time.Time) bool {
	if b.rule.by == GroupRule || b.rule.by == GroupNone {
		return true // it is all together, or each by itself, as the rule wants it
	}
	g := p.group(b.gate)
	if !g.open() || !g.Due.After(p.Now) && g.Count == 0 {
		*g = Group{ID: b.gate, Rule: b.rule.ID, Target: b.target, Window: p.Now.UnixMicro() + 1, Due: due, Incident: g.Incident}
		if !due.After(p.Now) {
			g.Due = b.rule.quiet.after(p.Now.Add(b.rule.throttle))
		}
	}
	if g.Leaders >= b.rule.burst {
		return false
	}
	g.Leaders++
	return true
}

// follow opens the window of what comes after a message.
func (p *planner) follow(g *Group, r *rule) {
	if r.by == GroupNone { // nothing can come after it
		*g = Group{ID: g.ID, Rule: g.Rule, Target: g.Target, Key: g.Key, Silenced: g.Silenced}
		return
	}
	g.Window, g.Due = p.Now.UnixMicro()+1, p.Now.Add(r.throttle)
	g.Count, g.Severity, g.Leaders = 0, "", 0
	if after := r.quiet.after(g.Due); !r.quiet.excepts(g.Severity) {
		g.Due = after
	}
}

func (p *planner) item(g *Group, b *bucket) {
	p.plan.Items = append(p.plan.Items, Item{
		Key: name("item", b.event, b.id, g.ID), Group: g.ID, Window: g.Window, Event: b.event, Notices: b.notices, Why: b.why,
	})
}

// deliver writes the message of a window.
func (p *planner) deliver(g *Group, r *rule, kind Kind, notices []Notice, total int, why []string) {
	severity := worst(notices)
	if g.Severity.Rank() > severity.Rank() {
		severity = g.Severity // of what is not listed
	}
	m := &Message{
		ID: name("dlv", p.tenant, g.ID, time.UnixMicro(g.Window).UTC().Format(time.RFC3339Nano)), Tenant: p.tenant, Kind: kind, At: p.Now, Since: time.UnixMicro(g.Window).UTC(),
		Title: title(notices, total, severity), Severity: severity, Notices: notices[:min(len(notices), MaxListed)], Total: total,
		Rule: g.Rule, GroupKey: g.ID, To: g.Target.To,
	}
	d := Delivery{ID: m.ID, Status: Pending, Kind: kind, Rule: g.Rule, Endpoint: g.Target.Endpoint, To: g.Target.To, Group: g.ID, Window: g.Window,
		Title: m.Title, Severity: m.Severity, Total: total, Due: p.Now, Created: p.Now, Updated: p.Now}
	switch {
	case r == nil:
		d.Status, d.Reason = Suppressed, "the rule is not there any more"
	case g.Silenced != "":
		d.Status, d.Reason = Suppressed, g.Silenced
	}
	if r != nil {
		m.RuleName, m.Recipient, m.Locale, m.Template = r.Name, r.Owner, r.Locale, r.Template
		d.User = r.Owner
		m.Why = r.because(why)
		if p.link != nil {
			m.Link = p.link(m.ID)
		}
	}
	if d.Status == Suppressed {
		d.Due = time.Time{}
		p.plan.Deliveries = append(p.plan.Deliveries, d)
		return
	}
	if e := p.c.endpoints[d.Endpoint]; e != nil && !e.Takes(r.Rule, g.Target) {
		d.Status, d.Reason, d.Due = Suppressed, "the endpoint does not take this address from preferences", time.Time{}
		p.plan.Deliveries = append(p.plan.Deliveries, d)
		return
	}
	if len(r.steps) > 0 {
		p.incident(g, r, m)
		d.Incident = g.Incident
	}
	p.render(&d, m)
	if d.Payload != nil {
		p.bytes += len(d.Payload.Body)
	}
	p.plan.Deliveries = append(p.plan.Deliveries, d)
}

// because says why the reader of a rule's message got it.
func (r *rule) because(why []string) []string {
	var head string
	switch {
	case r.Owner != "" && r.Watch:
		head = "you asked to be told"
	case r.Owner != "":
		head = "you submitted the scan, and asked to be told"
	case r.Name != "":
		head = "the rule \"" + r.Name + "\" (" + r.ID + ") says so"
	default:
		head = "the rule " + r.ID + " says so"
	}
	return append([]string{head}, why...)
}

// incident opens one for a group that has none, and names it in the message.
func (p *planner) incident(g *Group, r *rule, m *Message) {
	if g.Incident == "" {
		g.Incident = m.ID
	}
	if p.ack != nil {
		m.AckLink = p.ack(g.Incident, p.Now)
	}
	if g.Incident == m.ID {
		p.plan.Incidents = append(p.plan.Incidents, Incident{ID: m.ID, Rule: r.ID, Group: g.ID, Revision: p.c.Revision, Due: p.Now.Add(r.steps[0]), Opened: p.Now, Message: *m})
	}
}

// inhibit notes what begins to silence others.
func (p *planner) inhibit(sources []Inhibitor) {
	best := map[string]Inhibitor{}
	for _, s := range sources {
		if p.Done[s.Event] {
			continue
		}
		s.Until = p.Now.Add(s.Until.Sub(time.Time{}))
		if s.Until.After(best[s.ID].Until) && s.Until.After(p.Inhibitors[s.ID].Until) {
			best[s.ID] = s
		}
	}
	for _, s := range best {
		p.plan.Inhibitors = append(p.plan.Inhibitors, s)
	}
	slices.SortFunc(p.plan.Inhibitors, func(a, b Inhibitor) int { return strings.Compare(a.ID, b.ID) })
}

// close ends a window whose time has come.
func (p *planner) close(id string) {
	if old := p.Groups[id]; old == nil || !old.open() || old.Due.After(p.Now) {
		return // somebody else did
	}
	g := p.group(id)
	if g.Count == 0 {
		*g = Group{ID: g.ID, Rule: g.Rule, Target: g.Target, Key: g.Key, Silenced: g.Silenced}
		return
	}
	r := p.c.byID[g.Rule]
	if r != nil && (r.Disabled || !slices.Contains(r.To, g.Target)) {
		r = nil
	}
	if r != nil && g.Silenced == "" && !r.quiet.excepts(g.Severity) {
		if g.Due = r.quiet.after(p.Now); g.Due.After(p.Now) {
			return // it is late, and people sleep
		}
	}
	var notices []Notice
	var why []string
	for _, i := range p.Items[id] {
		notices = append(notices, i.Notices...)
		for _, w := range i.Why {
			if !slices.Contains(why, w) && len(why) < 20 {
				why = append(why, w)
			}
		}
	}
	kind := KindDigest
	if g.Count == 1 {
		kind = KindAlert
	}
	p.deliver(g, r, kind, notices, g.Count, why)
	if r == nil || r.digest.every > 0 || g.Silenced != "" {
		*g = Group{ID: g.ID, Rule: g.Rule, Target: g.Target, Key: g.Key, Silenced: g.Silenced}
		return
	}
	p.follow(g, r)
}

// escalate takes the next step of an incident whose time has come.
func (p *planner) escalate(id string) {
	in := p.Incidents[id]
	if in == nil || !in.Acknowledged.IsZero() || in.Due.IsZero() || in.Due.After(p.Now) {
		return
	}
	out := *in
	out.Due = time.Time{}
	r := p.c.byID[in.Rule]
	if r != nil && !r.Disabled && in.Step < len(r.steps) {
		for _, t := range r.Escalation[in.Step].To {
			p.step(&out, r, t)
		}
		out.Step++
		if out.Step < len(r.steps) {
			out.Due = p.Now.Add(r.steps[out.Step])
		}
	}
	p.plan.Incidents = append(p.plan.Incidents, out)
}

// step tells one more target of an incident.
func (p *planner) step(in *Incident, r *rule, t Target) {
	m := in.Message
	m.ID = name("dlv", p.tenant, in.ID, strconv.Itoa(in.Step), t.Endpoint, t.To)
	m.Kind, m.At, m.To = KindEscalation, p.Now, t.To
	m.Title = "Nobody took note: " + in.Message.Title
	m.Why = append([]string{"nobody took note of it since " + in.Opened.UTC().Format(time.RFC3339)}, in.Message.Why...)
	if p.ack != nil {
		m.AckLink = p.ack(in.ID, p.Now)
	}
	d := Delivery{ID: m.ID, Status: Pending, Kind: m.Kind, Rule: in.Rule, Endpoint: t.Endpoint, To: t.To, User: r.Owner, Group: in.Group, Window: in.Message.Since.UnixMicro(),
		Title: m.Title, Severity: m.Severity, Total: m.Total, Incident: in.ID, Due: p.Now, Created: p.Now, Updated: p.Now}
	p.render(&d, &m)
	p.plan.Deliveries = append(p.plan.Deliveries, d)
}
