package notify

import (
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
)

// bucket is what one event brings to one group.
type bucket struct {
	rule     *rule
	target   Target
	event    string
	id       string // of the group
	gate     string // of the rule's and the target's group for what is beyond the burst
	key      string
	silenced string
	hold     time.Time // not before; zero for no such time
	notices  []Notice
	severity finding.Severity
	why      []string
}

// candidate is a notice that a rule matches, with what may keep it from being sent. That
// is decided by the store's clock.
type candidate struct {
	rule    *rule
	notice  *Notice
	event   []Notice // of which notice is one
	at      int      // of those
	key     string   // of the group
	windows []*maintenance
	silence []silence
}

// silence is an inhibition that a notice is the target of, and the inhibitor's id.
type silence struct {
	by *inhibition
	id string
}

// intake is what the events of one piece of work may lead to, before the store says what
// there is.
type intake struct {
	c          *compiled
	tenant     string
	events     []string
	candidates []candidate
	sources    []Inhibitor // with their length in Until, from the zero time on
	groups     map[string]bool
	inhibitors map[string]bool
	ids        map[groupName]string
	wanted     map[groupName]bool // for all targets of the rule
}

// groupName is what makes the id of a group.
type groupName struct {
	rule               *rule
	target             Target
	kind, key, variant string
}

// maxGroups bounds the groups that one event goes into before rules are taken to tell of
// everything in it together.
const maxGroups = 20_000

func newIntake(c *compiled, tenant string) *intake {
	return &intake{c: c, tenant: tenant, groups: map[string]bool{}, inhibitors: map[string]bool{}, ids: map[groupName]string{}, wanted: map[groupName]bool{}}
}

// add takes the notices of one event.
func (in *intake) add(id string, notices []Notice) {
	in.events = append(in.events, id)
	first := len(in.candidates)
	count, keys := 0, map[groupName]bool{}
	for i := range notices {
		n := &notices[i]
		var windows []*maintenance
		for w := range in.c.windows {
			if m := &in.c.windows[w]; m.match.matches(n) {
				windows = append(windows, m)
			}
		}
		var silences []silence
		for h := range in.c.inhibitions {
			inh := &in.c.inhibitions[h]
			id := name("inh", append([]string{inh.ID}, inh.values(n)...)...)
			if inh.source.matches(n) {
				in.sources = append(in.sources, Inhibitor{ID: id, Event: n.Event, Until: time.Time{}.Add(inh.length)})
				in.inhibitors[id] = true
			}
			if inh.target.matches(n) && !inh.source.matches(n) { // a source is never silenced by others of its kind
				silences = append(silences, silence{inh, id})
				in.inhibitors[id] = true
			}
		}
		in.c.hits(n, func(r *rule) {
			c := candidate{r, n, notices, i, r.key(n), windows, silences}
			in.candidates = append(in.candidates, c)
			if k := (groupName{rule: r, key: c.key}); !keys[k] {
				keys[k] = true
				count += len(r.To)
			}
		})
	}
	for i := first; i < len(in.candidates); i++ {
		c := &in.candidates[i]
		if count > maxGroups {
			c.key = ""
		}
		in.want(c)
	}
}

// values are what a notice has in the fields in which it must agree.
func (h *inhibition) values(n *Notice) []string {
	out := make([]string, len(h.Equal))
	for i, f := range h.Equal {
		out[i] = n.value(f)
	}
	return out
}

// want notes every group that a notice may go to.
func (in *intake) want(c *candidate) {
	in.wantAs(c, "", true)
	for _, w := range c.windows {
		in.wantAs(c, w.variant(), true)
	}
	for _, s := range c.silence {
		in.wantAs(c, s.by.variant(), false)
	}
}

func (in *intake) wantAs(c *candidate, variant string, gate bool) {
	n := groupName{rule: c.rule, key: c.key, variant: variant}
	if in.wanted[n] {
		return
	}
	in.wanted[n] = true
	for _, t := range c.rule.To {
		in.groups[in.group(c, t, variant)] = true
		if gate {
			in.groups[in.gate(c, t, variant)] = true
		}
	}
}

// group is the id of a notice's group, gate that of the one for what is beyond the burst.
func (in *intake) group(c *candidate, t Target, variant string) string {
	return in.id(groupName{c.rule, t, "group", c.key, variant})
}

func (in *intake) gate(c *candidate, t Target, variant string) string {
	return in.id(groupName{c.rule, t, "gate", "", variant})
}

func (in *intake) id(n groupName) string {
	id, known := in.ids[n]
	if !known {
		id = name("grp", n.rule.ID, n.target.Endpoint, n.target.To, n.kind, n.key, n.variant)
		in.ids[n] = id
	}
	return id
}

func (m *maintenance) variant() string { return "maintenance/" + m.ID }
func (h *inhibition) variant() string  { return "inhibition/" + h.ID }

// sort puts the candidates of fresh events into buckets, by the store's clock.
func (in *intake) sort(s *State) []*bucket {
	type place struct {
		rule                *rule
		event, key, variant string
	}
	places := map[place][]*bucket{} // by the rule's targets
	var out []*bucket
	// What begins with these events silences as well, but for the notice itself.
	began := map[string]string{}
	for _, src := range in.sources {
		if !s.Done[src.Event] {
			began[src.ID] = src.Event
		}
	}
	type told struct {
		notice *Notice
		target Target
	}
	choices := map[told]*choice{}
	fates := make([]*fate, len(in.candidates))
	for i := range in.candidates {
		c := &in.candidates[i]
		if s.Done[c.notice.Event] {
			continue
		}
		fates[i] = c.fate(s, began)
		for _, t := range c.rule.To {
			if in.c.shared[t] {
				k := told{c.notice, t}
				if choices[k] == nil {
					choices[k] = new(choice)
				}
				choices[k].add(fates[i])
			}
		}
	}
	for i, f := range fates {
		if f == nil {
			continue
		}
		c := &in.candidates[i]
		k := place{c.rule, c.notice.Event, c.key, f.variant}
		list := places[k]
		if list == nil {
			list = make([]*bucket, len(c.rule.To))
			places[k] = list
		}
		for j, t := range c.rule.To {
			if in.c.shared[t] && !choices[told{c.notice, t}].tells(f) {
				continue
			}
			if list[j] == nil {
				list[j] = in.bucket(f, t)
				out = append(out, list[j])
			}
			list[j].add(c)
		}
	}
	return out
}

// fate is when and how a rule tells of a notice.
type fate struct {
	*candidate
	variant  string
	hold     time.Time
	silenced string
	due      time.Time
}

// choice is who tells one receiver of a notice where several rules would: the one that
// does so first, and of those the first one. But escalation is no less than asked for, and
// what users want for themselves takes nothing from what the tenant wants.
type choice struct{ rule, escalates, user *fate }

func (c *choice) add(f *fate) {
	sooner := func(at **fate) {
		if *at == nil || f.before(*at) {
			*at = f
		}
	}
	if f.rule.Owner != "" {
		sooner(&c.user)
		return
	}
	sooner(&c.rule)
	if len(f.rule.steps) > 0 {
		sooner(&c.escalates)
	}
}

func (c *choice) tells(f *fate) bool {
	switch f {
	case c.escalates:
		return true
	case c.rule:
		return c.escalates == nil || f.before(c.escalates)
	case c.user:
		return c.rule == nil || f.before(c.rule)
	}
	return false
}

func (c *candidate) fate(s *State, began map[string]string) *fate {
	f := &fate{candidate: c}
	f.variant, f.hold, f.silenced = c.disposition(s, began)
	f.due = c.rule.due(s.Now, f.hold, f.silenced, c.notice.Severity)
	return f
}

// before reports whether f tells sooner.
func (f *fate) before(g *fate) bool {
	if (f.silenced == "") != (g.silenced == "") {
		return f.silenced == ""
	}
	return f.due.Before(g.due)
}

func (in *intake) bucket(f *fate, t Target) *bucket {
	b := &bucket{rule: f.rule, target: t, event: f.notice.Event, id: in.group(f.candidate, t, f.variant), gate: in.gate(f.candidate, t, f.variant), key: f.key, silenced: f.silenced, hold: f.hold}
	b.why, _ = f.rule.match.why(f.notice)
	return b
}

// add takes one more notice. Those that follow each other in the event are not copied:
// an event of many goes to many.
func (b *bucket) add(c *candidate) {
	n := len(b.notices)
	switch {
	case n == 0:
		b.notices = c.event[c.at : c.at+1 : c.at+1]
	case c.at >= n && &b.notices[0] == &c.event[c.at-n]:
		b.notices = c.event[c.at-n : c.at+1 : c.at+1]
	default:
		b.notices = append(b.notices, *c.notice)
	}
	if c.notice.Severity.Rank() > b.severity.Rank() {
		b.severity = c.notice.Severity
	}
}

// disposition says what keeps a notice from being sent now: until when it is held, or what
// silences it.
func (c *candidate) disposition(s *State, began map[string]string) (variant string, hold time.Time, silenced string) {
	for _, x := range c.silence {
		i, known := s.Inhibitors[x.id]
		if from := began[x.id]; from != "" && from != c.notice.Event || known && i.Until.After(s.Now) && i.Event != c.notice.Event {
			return x.by.variant(), hold, x.by.variant()
		}
	}
	for _, w := range c.windows {
		if s.Now.Before(w.From) || !s.Now.Before(w.Until) {
			continue
		}
		if w.Suppress {
			return w.variant(), time.Time{}, w.variant()
		}
		if w.Until.After(hold) {
			variant, hold = w.variant(), w.Until
		}
	}
	return variant, hold, ""
}

// work is what a store is asked to do with the events.
func (in *intake) work() *Work {
	w := &Work{Events: in.events, Revision: in.c.Revision}
	for id := range in.groups {
		w.Groups = append(w.Groups, id)
	}
	for id := range in.inhibitors {
		w.Inhibitors = append(w.Inhibitors, id)
	}
	slices.Sort(w.Groups)
	slices.Sort(w.Inhibitors)
	return w
}
