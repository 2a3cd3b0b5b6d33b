package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// model is a slow account of who must be told of what. It knows nothing of groups and
// windows: only of notices, of the rules that stood when they came, and of the clock.
type model struct {
	*world
	t      *rapid.T
	rules  map[string]notify.Rule
	holds  []notify.Maintenance
	bodies [][]byte
	// said are the notices by event and image.
	said  map[string]*statement
	acked map[string]time.Time
	gone  map[string]bool // rules that were switched off some time
	slack time.Duration
}

// statement is one notice, and the rules that have to tell of it, by target.
type statement struct {
	at       time.Time
	image    string
	severity string
	hold     time.Time
	silent   bool
	rules    map[notify.Target][]notify.Rule
}

var (
	modelSeverities = []string{"low", "medium", "high", "critical"}
	modelImages     = []string{"shop/web:1", "shop/db:1", "lab/x:2", "alpine"}
	modelTargets    = []notify.Target{{Endpoint: "chat"}, {Endpoint: "chat", To: "@a"}, {Endpoint: "pager"}}
)

func drawRule(t *rapid.T, id string) notify.Rule {
	pick := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, id+name) }
	r := notify.Rule{
		ID: id, GroupBy: notify.Field(pick("group", "", "", "none", "rule", "image", "namespace")), Digest: pick("digest", "", "", "", "15m", "1h", "1d"), DigestAt: pick("at", "", "02:30", "23:59"),
		Throttle: pick("throttle", "", "1s", "1h", "24h"), Burst: rapid.SampledFrom([]int{0, 1, 2}).Draw(t, id+"burst"), Zone: pick("zone", "", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu"),
	}
	r.Match.Severity = finding.Severity(pick("severity", "", "", "high"))
	if p := pick("images", "", "", "shop/*", "!lab*", "*db*1"); p != "" {
		r.Match.Images = []string{p}
	}
	if rapid.IntRange(0, 2).Draw(t, id+"quiet") == 0 {
		r.Quiet = &notify.Quiet{From: pick("from", "22:00", "11:00", "00:00"), To: pick("to", "07:00", "13:00", "23:59"), Except: finding.Severity(pick("except", "", "critical"))}
	}
	for _, to := range modelTargets {
		if rapid.Bool().Draw(t, id+"to"+to.Endpoint+to.To) {
			r.To = append(r.To, to)
		}
	}
	if r.To == nil {
		r.To = modelTargets[:1]
	}
	if strings.HasPrefix(id, "user") {
		r.Owner, r.To, r.Watch = "ann", r.To[:1], rapid.Bool().Draw(t, id+"watch")
		r.ID = notify.PreferenceID(r.Owner, r.To[0].Endpoint)
	} else if rapid.IntRange(0, 2).Draw(t, id+"escalates") == 0 {
		r.Escalation = []notify.Step{{After: "10m", To: []notify.Target{{Endpoint: "boss"}}}, {After: "1h", To: []notify.Target{{Endpoint: "boss", To: "b"}, {Endpoint: "chat"}}}}
	}
	return r
}

func newModel(rt *rapid.T, t *testing.T) *model {
	m := &model{world: newWorld(t), t: rt, rules: map[string]notify.Rule{}, said: map[string]*statement{}, acked: map[string]time.Time{}, gone: map[string]bool{}}
	m.router.Stores = func(string) (notify.Routes, error) { return &twice{m.store, rt}, nil }
	m.now = noon.Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(rt, "begin")) * time.Minute)
	for _, id := range []string{"chat", "pager", "boss"} {
		m.endpoint(id)
	}
	for i := range rapid.IntRange(1, 4).Draw(rt, "rules") {
		m.put(drawRule(rt, fmt.Sprint("r", i)))
	}
	if rapid.Bool().Draw(rt, "preference") {
		m.put(drawRule(rt, "user"))
	}
	for i := range rapid.IntRange(0, 2).Draw(rt, "holds") {
		from := m.now.Add(time.Duration(rapid.IntRange(-60, 120).Draw(rt, "hold")) * time.Minute)
		h := notify.Maintenance{ID: fmt.Sprint("m", i), From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 180).Draw(rt, "long")) * time.Minute), Match: notify.Match{Images: []string{"shop/*"}}, Suppress: rapid.IntRange(0, 2).Draw(rt, "suppress") == 0}
		m.set(notify.SettingMaintenance, h.ID, h)
		m.holds = append(m.holds, h)
	}
	return m
}

func (m *model) put(r notify.Rule) {
	m.rules[r.ID] = r
	m.rule(r)
}

// twice has every decision made twice, and wants the same.
type twice struct {
	*notify.Memory
	t *rapid.T
}

func (w *twice) Do(ctx context.Context, work *notify.Work) error {
	again := *work
	again.Decide = func(s *notify.State) (*notify.Plan, error) {
		a, err := work.Decide(s)
		if err != nil {
			return nil, err
		}
		first, err1 := json.Marshal(a)
		b, err := work.Decide(s)
		second, err2 := json.Marshal(b)
		if err != nil || err1 != nil || err2 != nil || string(first) != string(second) {
			w.t.Fatalf("a decision that is made again is another one: %v %v %v\n%s\n%s", err, err1, err2, first, second)
		}
		for _, g := range b.Groups {
			if g.Count > 0 && g.Due.IsZero() {
				w.t.Fatalf("a group collects for ever: %+v", g)
			}
		}
		return b, nil
	}
	return w.Memory.Do(ctx, &again)
}

// applies is what a rule's match says, in other words.
func applies(r notify.Rule, image, severity string) bool {
	if r.Match.Severity != "" && slices.Index(modelSeverities, severity) < slices.Index(modelSeverities, string(r.Match.Severity)) {
		return false
	}
	for _, p := range r.Match.Images {
		switch p {
		case "shop/*":
			return strings.HasPrefix(image, "shop/")
		case "!lab*":
			return !strings.HasPrefix(image, "lab")
		case "*db*1":
			return strings.Contains(image, "db") && strings.HasSuffix(image, "1")
		}
	}
	return true
}

func (m *model) event() {
	severity := rapid.SampledFrom(modelSeverities).Draw(m.t, "severity")
	images := rapid.SliceOfNDistinct(rapid.SampledFrom(modelImages), 1, 4, rapid.ID[string]).Draw(m.t, "images")
	d := event.Drift{Head: 7, Vulnerability: fmt.Sprint("CVE-", rapid.IntRange(0, 5).Draw(m.t, "cve")), Cause: "new", Severity: severity, Exploited: "no", Fixed: "yes"}
	owner := rapid.SampledFrom([]string{"ann", "bob"}).Draw(m.t, "owner")
	m.n++
	id := fmt.Sprint("event-", m.n)
	for _, image := range images {
		d.Scans = append(d.Scans, event.DriftScan{ScanID: "scan-" + image, ImageRef: image, Owner: owner})
		s := &statement{at: m.now, image: image, severity: severity, rules: map[notify.Target][]notify.Rule{}}
		for _, h := range m.holds {
			if strings.HasPrefix(image, "shop/") && !m.now.Before(h.From) && m.now.Before(h.Until) {
				s.silent = s.silent || h.Suppress
				if h.Until.After(s.hold) {
					s.hold = h.Until
				}
			}
		}
		for _, r := range m.rules {
			if !r.Disabled && applies(r, image, severity) && (r.Owner == "" || r.Watch || r.Owner == owner) {
				for _, to := range r.To {
					s.rules[to] = append(s.rules[to], r)
				}
			}
		}
		m.said[id+" "+image] = s
	}
	data, err := d.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	e := event.Event{ID: id, Type: event.AdvisoryDrift, Source: "test", Tenant: "acme", Data: data}
	body, err := e.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	m.bodies = append(m.bodies, body)
	m.give(body)
}

func (m *model) give(body []byte) {
	if err := m.router.Handle(m.Context(), body); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) wait(d, tick time.Duration) {
	m.slack = max(m.slack, tick)
	for end := m.now.Add(d); m.now.Before(end); {
		m.now = m.now.Add(tick)
		if _, err := m.router.Tick(m.Context(), m.store.Due("acme", 10_000)); err != nil {
			m.t.Fatal(err)
		}
	}
}

// redo hands in what was there before: nothing changes.
func (m *model) redo() {
	if len(m.bodies) == 0 {
		return
	}
	before, due := len(m.deliveries()), len(m.store.Due("acme", 10_000))
	m.give(rapid.SampledFrom(m.bodies).Draw(m.t, "again"))
	if len(m.deliveries()) != before || len(m.store.Due("acme", 10_000)) != due {
		m.t.Fatal("an event that comes twice is told twice")
	}
}

func (m *model) acknowledge() {
	for _, d := range m.deliveries() {
		if d.Incident == d.ID && m.acked[d.ID].IsZero() && rapid.Bool().Draw(m.t, "ack") {
			if _, err := m.store.Acknowledge(m.Context(), d.ID, "ann", ""); err != nil {
				m.t.Fatal(err)
			}
			m.acked[d.ID] = m.now
		}
	}
}

func (m *model) toggle() {
	ids := make([]string, 0, len(m.rules))
	for id := range m.rules {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	r := m.rules[rapid.SampledFrom(ids).Draw(m.t, "toggled")]
	r.Disabled = !r.Disabled
	m.gone[r.ID] = true
	m.put(r)
}

// asleep reads a rule's quiet hours from the clock on the wall.
func asleep(r notify.Rule, at time.Time) bool {
	if r.Quiet == nil {
		return false
	}
	l, err := time.LoadLocation(r.Zone)
	if err != nil {
		panic(err)
	}
	now := at.In(l).Format("15:04")
	if r.Quiet.From < r.Quiet.To {
		return r.Quiet.From <= now && now < r.Quiet.To
	}
	return now >= r.Quiet.From || now < r.Quiet.To
}

func awake(r notify.Rule, at time.Time) time.Time {
	for asleep(r, at) {
		at = at.Truncate(time.Minute).Add(time.Minute)
	}
	return at
}

// interval is the end of a digest's interval, minute by minute.
func interval(r notify.Rule, at time.Time) time.Time {
	l, err := time.LoadLocation(r.Zone)
	if err != nil {
		panic(err)
	}
	for ; ; at = at.Truncate(time.Minute) {
		at = at.Add(time.Minute)
		local := at.Truncate(time.Minute).In(l)
		switch r.Digest {
		case "15m":
			if local.Minute()%15 == 0 {
				return local
			}
		case "1h":
			if local.Minute() == 0 {
				return local
			}
		case "1d":
			want := r.DigestAt
			if want == "" {
				want = notify.DefaultDigestAt
			}
			if local.Format("15:04") == want {
				return local
			}
		default:
			return at.Add(-time.Minute)
		}
	}
}

// bounds are when a rule tells of a statement at the earliest and at the latest, were it
// alone; worst is the severity of what it is told with.
func (s *statement) bounds(r notify.Rule, worst finding.Severity) (from, until time.Time) {
	throttle, err := time.ParseDuration(r.Throttle)
	if err != nil {
		throttle = 5 * time.Minute
	}
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	from = later(interval(r, s.at), s.hold)
	until = from
	if !s.hold.IsZero() {
		from = s.hold // it may join what waits for the end of it
	}
	if r.Digest == "" {
		until = later(from, s.at.Add(throttle))
		if !s.hold.IsZero() {
			until = later(until, s.hold.Add(throttle)) // behind what went out when it ended
		}
	}
	if r.Quiet == nil {
		return from, until
	}
	if except := string(r.Quiet.Except); except == "" || worst.Rank() < finding.Severity(except).Rank() {
		from = awake(r, from)
	}
	if at := awake(r, later(s.at, s.hold)); asleep(r, s.at) && at.Before(from) {
		from = at // it may join what waits for the morning
	}
	if except := string(r.Quiet.Except); except == "" || finding.Severity(s.severity).Rank() < finding.Severity(except).Rank() {
		until = awake(r, until)
	}
	return from, until
}

// check compares all that was told with all that had to be.
func (m *model) check() {
	times := map[string]int{} // by event, image and target
	windows := map[string]bool{}
	for _, d := range m.deliveries() {
		if d.Kind == notify.KindEscalation {
			if at := m.acked[d.Incident]; !at.IsZero() && d.Created.After(at) {
				m.t.Fatalf("%q at %v, acknowledged at %v", d.Title, d.Created, at)
			}
			continue
		}
		key := fmt.Sprint(d.Group, d.Window)
		if windows[key] {
			m.t.Fatalf("two messages of one window: %q", d.Title)
		}
		windows[key] = true
		items, err := m.store.Items(m.Context(), d.ID, "", 0)
		if err != nil {
			m.t.Fatal(err)
		}
		r, n := m.rules[d.Rule], 0
		for _, i := range items {
			for _, notice := range i.Notices {
				n++
				s := m.said[notice.Event+" "+notice.Image]
				to := notify.Target{Endpoint: d.Endpoint, To: d.To}
				times[fmt.Sprint(notice.Event, " ", notice.Image, " ", to)]++
				if !slices.ContainsFunc(s.rules[to], func(x notify.Rule) bool { return x.ID == r.ID }) {
					m.t.Fatalf("rule %s tells %v of %s %s %s, and should not", r.ID, to, notice.Event, notice.Image, notice.Severity)
				}
				m.timely(&d, r, s)
			}
		}
		if n != d.Total {
			m.t.Fatalf("%q tells of %d and lists %d", d.Title, d.Total, n)
		}
	}
	for key, s := range m.said {
		for to, rules := range s.rules {
			n, most := times[fmt.Sprint(key, " ", to)], 1
			if slices.ContainsFunc(rules, func(r notify.Rule) bool { return r.Owner != "" }) {
				most++
			}
			if slices.ContainsFunc(rules, func(r notify.Rule) bool { return r.Escalation != nil }) {
				most++
			}
			if n < 1 || n > min(most, len(rules)) {
				m.t.Fatalf("%v is told %d times of %s by %d rules", to, n, key, len(rules))
			}
		}
	}
}

// timely wants a delivery neither too early nor too late for what it tells of.
func (m *model) timely(d *notify.Delivery, r notify.Rule, s *statement) {
	if s.silent != strings.HasPrefix(d.Reason, "maintenance/") && !m.gone[r.ID] {
		m.t.Fatalf("%q is %s (%s), silent: %v", d.Title, d.Status, d.Reason, s.silent)
	}
	if s.silent || m.gone[r.ID] {
		return
	}
	from, until := s.bounds(r, d.Severity)
	until = until.Add(m.slack)
	if r.Quiet != nil && (r.Quiet.Except == "" || finding.Severity(s.severity).Rank() < r.Quiet.Except.Rank()) {
		until = awake(r, until).Add(m.slack) // a tick that is late finds people asleep
	}
	if d.Status != notify.Pending || d.Created.Before(from) || d.Created.After(until) {
		m.t.Fatalf("%q (%s, %s) of %v at %v, want %v to %v; rule %+v %+v", d.Title, d.Status, d.Reason, s.at, d.Created, from.UTC(), until.UTC(), r, r.Quiet)
	}
}

// escalated wants the steps of each incident in their order, once each.
func (m *model) escalated() {
	steps := map[string][]string{}
	for _, d := range m.deliveries() {
		if d.Kind == notify.KindEscalation {
			steps[d.Incident] = append(steps[d.Incident], d.Endpoint+d.To)
		}
	}
	for _, d := range m.deliveries() {
		if d.Incident != d.ID || m.gone[d.Rule] {
			continue
		}
		got, all := strings.Join(steps[d.ID], " "), "boss bossb chat"
		if got != all && (m.acked[d.ID].IsZero() || !strings.HasPrefix(all, got)) {
			m.t.Fatalf("%q is escalated to %q", d.Title, got)
		}
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, t)
		step := func(f func()) func(*rapid.T) { return func(t *rapid.T) { m.t = t; f() } }
		rt.Repeat(map[string]func(*rapid.T){
			"event": step(m.event), "event again": step(m.event), "more events": step(func() {
				for range rapid.IntRange(1, 8).Draw(m.t, "n") {
					m.event()
				}
			}),
			"soon":  step(func() { m.wait(time.Duration(rapid.IntRange(1, 20).Draw(m.t, "minutes"))*time.Minute, 30*time.Second) }),
			"later": step(func() { m.wait(time.Duration(rapid.IntRange(1, 12).Draw(m.t, "hours"))*time.Hour, time.Minute) }),
			"redo":  step(m.redo), "acknowledge": step(m.acknowledge), "toggle": step(m.toggle),
		})
		m.t = rt
		m.wait(60*time.Hour, time.Minute)
		m.check()
		m.escalated()
	})
}
