package notifytest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/notify"
)

func testEvents(k *kept) {
	if s := k.state(notify.Work{Events: []string{"a", "b"}}); len(s.Done) != 0 || s.Now.IsZero() || s.Now.Location() != time.UTC {
		k.Errorf("%+v", s)
	}
	if s := k.state(notify.Work{Events: []string{"c", "b", "a", "d"}}); !s.Done["a"] || !s.Done["b"] || s.Done["c"] || s.Done["d"] {
		k.Errorf("%+v", s.Done)
	}
	// What cannot be decided is not done.
	broken := errors.New("broken")
	err := k.Do(k.Context(), &notify.Work{Events: []string{"e"}, Groups: []string{"g"}, Revision: k.revision(), Decide: func(*notify.State) (*notify.Plan, error) { return nil, broken }})
	k.wants("a decision that fails", err, broken)
	if s := k.state(notify.Work{Events: []string{"e"}}); s.Done["e"] {
		k.Error("an event is done that nobody decided about")
	}
}

// group is an open one.
func group(id string, at time.Time) notify.Group {
	return notify.Group{ID: id, Rule: "r", Target: notify.Target{Endpoint: "a", To: "#ops"}, Key: "CVE-1", Window: at.UnixMicro(), Due: at.Add(time.Hour), Count: 3, Severity: "high", Leaders: 2, Silenced: "maintenance/m", Incident: "i"}
}

func testGroups(k *kept) {
	s := k.state(notify.Work{Groups: []string{"g2", "g1", "g3"}})
	for _, id := range []string{"g1", "g2", "g3"} {
		if g := s.Groups[id]; g == nil || g.ID != id || !g.Due.IsZero() || g.Count != 0 {
			k.Errorf("a group that never was: %+v", g)
		}
	}
	var want notify.Group
	k.do(notify.Work{Groups: []string{"g1", "g2"}}, func(s *notify.State) notify.Plan {
		want = group("g1", s.Now)
		return notify.Plan{Groups: []notify.Group{want}}
	})
	s = k.state(notify.Work{Groups: []string{"g1", "g2"}})
	if diff := cmp.Diff(&want, s.Groups["g1"]); diff != "" {
		k.Error(diff)
	}
	if !s.Groups["g2"].Due.IsZero() || len(s.Groups) != 2 {
		k.Errorf("%+v", s.Groups)
	}
	k.do(notify.Work{Groups: []string{"g1"}}, func(s *notify.State) notify.Plan { return notify.Plan{Groups: []notify.Group{{ID: "g1", Rule: "r"}}} })
	if g := k.state(notify.Work{Groups: []string{"g1"}}).Groups["g1"]; !cmp.Equal(g, &notify.Group{ID: "g1", Rule: "r"}) {
		k.Errorf("%+v", g)
	}
}

// testRefusals: deliveries that are there stay as they are, whatever is planned.
func testRefusals(k *kept) {
	k.deliveries("a", "d1")
	k.do(notify.Work{}, func(s *notify.State) notify.Plan {
		again, other := delivery("d1", "b", s.Now), delivery("d2", "a", s.Now.Add(time.Hour))
		again.Title, other.Created = "another title", s.Now
		quiet := delivery("d3", "a", time.Time{})
		quiet.Status, quiet.Reason = notify.Suppressed, "maintenance"
		return notify.Plan{Deliveries: []notify.Delivery{again, other, quiet}}
	})
	d, attempts, err := k.Delivery(k.Context(), "d1")
	k.ok(err)
	if d.Endpoint != "a" || d.Title != "title of d1" || len(attempts) != 0 {
		k.Errorf("%+v", d)
	}
	want := delivery("d1", "a", d.Created)
	if diff := cmp.Diff(&want, d, cmpopts.IgnoreFields(notify.Delivery{}, "Due", "Updated")); diff != "" {
		k.Error(diff)
	}
	if d, _, err := k.Delivery(k.Context(), "d2"); err != nil || d.Due.Sub(d.Created) != time.Hour {
		k.Errorf("%+v, %v", d, err)
	}
	if d, _, err := k.Delivery(k.Context(), "d3"); err != nil || d.Status != notify.Suppressed || d.Reason != "maintenance" || !d.Due.IsZero() {
		k.Errorf("%+v, %v", d, err)
	}
	_, _, err = k.Delivery(k.Context(), "none")
	k.wants("a delivery that there is not", err, notify.ErrNotFound)
}

// item brings notices about scans.
func item(key, group string, window int64, scans ...string) notify.Item {
	i := notify.Item{Key: key, Group: group, Window: window, Event: "event of " + key, Why: []string{"because"}}
	for _, s := range scans {
		i.Notices = append(i.Notices, notify.Notice{Event: i.Event, Type: "advisory.drift", ScanID: s, Image: "img\u0000\u202e<b>" + s, Vulnerability: "CVE-1", Severity: "high", Exploited: notify.Yes, Labels: map[string]string{"team": "a"}})
	}
	return i
}

// window opens one, and puts items into it.
func (k *kept) window(group string, window int64, items ...notify.Item) {
	k.Helper()
	k.do(notify.Work{Groups: []string{group}}, func(s *notify.State) notify.Plan {
		return notify.Plan{Groups: []notify.Group{{ID: group, Rule: "r", Window: window, Due: s.Now.Add(time.Hour)}}, Items: items}
	})
}

func testItems(k *kept) {
	first, second := item("i2", "g", 7, "s1"), item("i1", "g", 7, "s2", "s3")
	k.window("g", 7, first)
	k.window("g", 7, second, item("i2", "g", 7, "other"))
	k.window("g2", 9, item("i3", "g2", 9, "s4"))
	s := k.state(notify.Work{Groups: []string{"g", "g2", "g3"}, Collected: true})
	if diff := cmp.Diff([]notify.Item{first, second}, s.Items["g"]); diff != "" {
		k.Error(diff)
	}
	if len(s.Items["g2"]) != 1 || len(s.Items["g3"]) != 0 {
		k.Errorf("%+v", s.Items)
	}
	if s := k.state(notify.Work{Groups: []string{"g"}}); len(s.Items) != 0 {
		k.Error("items that nobody asked for")
	}
	// Of another window, or of one that is closed, there are none.
	k.window("g", 8)
	if s := k.state(notify.Work{Groups: []string{"g"}, Collected: true}); len(s.Items["g"]) != 0 {
		k.Errorf("%+v", s.Items)
	}
}

func testCollected(k *kept) {
	var all []notify.Item
	for n := range 60 {
		var scans []string
		for m := range 1 + n%7 {
			scans = append(scans, fmt.Sprint("s", n, "-", m))
		}
		all = append(all, item(fmt.Sprintf("k%03d", 59-n), "g", 7, scans...))
		if n%9 == 8 || n == 59 {
			k.window("g", 7, all[n/9*9:]...)
		}
	}
	flat := func(items []notify.Item) (out []string) {
		for _, i := range items {
			for _, n := range i.Notices {
				out = append(out, n.ScanID)
			}
		}
		return out
	}
	want, got := flat(all), flat(k.state(notify.Work{Groups: []string{"g"}, Collected: true}).Items["g"])
	if len(got) < notify.MaxListed || len(got) > notify.MaxListed+7 || !slices.Equal(want[:notify.MaxListed], got[:notify.MaxListed]) {
		k.Errorf("%d notices: %v", len(got), got)
	}
}

func testInhibitors(k *kept) {
	at := time.Unix(1_700_000_000, 0).UTC()
	keep := func(list ...notify.Inhibitor) {
		k.Helper()
		k.do(notify.Work{}, func(*notify.State) notify.Plan { return notify.Plan{Inhibitors: list} })
	}
	keep(notify.Inhibitor{ID: "a", Event: "e1", Until: at}, notify.Inhibitor{ID: "b", Event: "e2", Until: at})
	keep(notify.Inhibitor{ID: "a", Event: "e3", Until: at.Add(-time.Second)}, notify.Inhibitor{ID: "b", Event: "e4", Until: at.Add(time.Second)})
	s := k.state(notify.Work{Inhibitors: []string{"a", "b", "c"}})
	want := map[string]notify.Inhibitor{"a": {ID: "a", Event: "e1", Until: at}, "b": {ID: "b", Event: "e4", Until: at.Add(time.Second)}}
	if diff := cmp.Diff(want, s.Inhibitors); diff != "" {
		k.Error(diff)
	}
}

func incident(id string, at time.Time) notify.Incident {
	return notify.Incident{ID: id, Rule: "r", Group: "g", Revision: 1, Due: at.Add(time.Hour), Opened: at, Message: notify.Message{ID: id, Tenant: "t", Kind: notify.KindAlert, Title: "title", Severity: "high", Total: 1, Why: []string{"w"}}}
}

func testIncidents(k *kept) {
	ctx := k.Context()
	_, err := k.Incident(ctx, "none")
	k.wants("an incident that there is not", err, notify.ErrNotFound)
	_, err = k.Acknowledge(ctx, "none", "ann", "")
	k.wants("acknowledge what there is not", err, notify.ErrNotFound)
	var want notify.Incident
	k.do(notify.Work{Groups: []string{"g"}, Incidents: []string{"i"}}, func(s *notify.State) notify.Plan {
		if len(s.Incidents) != 0 {
			k.Errorf("%+v", s.Incidents)
		}
		want = incident("i", s.Now)
		return notify.Plan{Groups: []notify.Group{{ID: "g", Incident: "i"}}, Incidents: []notify.Incident{want}}
	})
	k.do(notify.Work{Incidents: []string{"i", "j"}}, func(s *notify.State) notify.Plan {
		if diff := cmp.Diff(map[string]*notify.Incident{"i": &want}, s.Incidents, cmpopts.EquateEmpty()); diff != "" {
			k.Error(diff)
		}
		next := *s.Incidents["i"]
		next.Step, next.Due = 1, s.Now.Add(2*time.Hour)
		want = next
		return notify.Plan{Incidents: []notify.Incident{next}}
	})
	got, err := k.Incident(ctx, "i")
	k.ok(err)
	if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); diff != "" {
		k.Error(diff)
	}
	first, err := k.Acknowledge(ctx, "i", "ann", "mine")
	k.ok(err)
	if first.AcknowledgedBy != "ann" || first.Note != "mine" || first.Acknowledged.IsZero() || !first.Due.IsZero() {
		k.Errorf("%+v", first)
	}
	second, err := k.Acknowledge(ctx, "i", "bob", "no, mine")
	k.ok(err)
	if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
		k.Error(diff)
	}
	if s := k.state(notify.Work{Groups: []string{"g"}, Incidents: []string{"i"}}); s.Groups["g"].Incident != "" || s.Incidents["i"].AcknowledgedBy != "ann" {
		k.Errorf("%+v, %+v", s.Groups["g"], s.Incidents["i"])
	}
}

func testDue(k *kept) {
	k.do(notify.Work{Groups: []string{"early", "late", "closed"}}, func(s *notify.State) notify.Plan {
		i, j := incident("now", s.Now), incident("then", s.Now)
		i.Due = s.Now.Add(-time.Minute)
		return notify.Plan{Groups: []notify.Group{{ID: "early", Window: 1, Due: s.Now.Add(-time.Second)}, {ID: "late", Window: 1, Due: s.Now.Add(time.Hour)}, {ID: "closed"}}, Incidents: []notify.Incident{i, j}}
	})
	list, err := k.Due(k.Context(), 10)
	k.ok(err)
	var got []string
	for _, d := range list {
		if d.Tenant == "" || (d.Group == "") == (d.Incident == "") {
			k.Errorf("%+v", d)
		}
		got = append(got, d.Group+d.Incident)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"early", "now"}) {
		k.Errorf("due: %v", got)
	}
	if one, err := k.Due(k.Context(), 1); err != nil || len(one) != 1 {
		k.Errorf("%v, %v", one, err)
	}
	if _, err := k.Acknowledge(k.Context(), "now", "ann", ""); err != nil {
		k.Error(err)
	}
	if list, err := k.Due(k.Context(), 10); err != nil || len(list) != 1 || list[0].Group != "early" {
		k.Errorf("due: %+v, %v", list, err)
	}
}

// testRace has many decide about one group at once: each sees what those before wrote.
func testRace(k *kept) {
	const routers, rounds = 4, 8
	revision := k.revision()
	var wg sync.WaitGroup
	for r := range routers {
		wg.Go(func() {
			for n := range rounds {
				id := fmt.Sprint("e", r, "-", n)
				w := &notify.Work{Events: []string{id, "shared-" + fmt.Sprint(n)}, Groups: []string{"x", "g", "y"}, Revision: revision, Collected: true, Decide: func(s *notify.State) (*notify.Plan, error) {
					g := *s.Groups["g"]
					p := &notify.Plan{}
					if g.Due.IsZero() {
						g = notify.Group{ID: "g", Window: 7, Due: s.Now.Add(time.Hour)}
						p.Deliveries = []notify.Delivery{delivery("leader "+id, "a", s.Now)}
					}
					if len(s.Items["g"]) != g.Count {
						return nil, fmt.Errorf("%d items, %d are counted", len(s.Items["g"]), g.Count)
					}
					g.Count++
					p.Items = []notify.Item{item(id, "g", 7, "s")}
					if !s.Done["shared-"+fmt.Sprint(n)] {
						g.Leaders++
					}
					p.Groups = []notify.Group{g}
					return p, nil
				}}
				err := k.Do(k.Context(), w)
				for errors.Is(err, notify.ErrUnavailable) {
					err = k.Do(k.Context(), w)
				}
				if err != nil {
					k.Error(err)
				}
			}
		})
	}
	wg.Wait()
	g := k.state(notify.Work{Groups: []string{"g"}}).Groups["g"]
	if g.Count != routers*rounds || g.Leaders != rounds {
		k.Errorf("%+v", g)
	}
	if p, err := k.Deliveries(k.Context(), notify.Query{}); err != nil || len(p.Deliveries) != 1 {
		k.Errorf("%+v, %v", p, err)
	}
}
