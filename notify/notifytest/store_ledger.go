package notifytest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/notify"
)

func testReplay(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.deliveries("a", "dead", "parked", "pending")
	k.settles(k.takes("dead"), notify.OutcomeUnknown, notify.Dead, nil)
	k.settles(k.takes("parked"), notify.OutcomeRefused, notify.Parked, nil)
	for _, id := range []string{"dead", "parked"} {
		before, _, err := k.Delivery(k.Context(), id)
		k.ok(err)
		d, err := k.Replay(k.Context(), id, "ann")
		k.ok(err)
		if d.ID != id || d.Status != notify.Pending || d.Attempt != 0 || d.Attempts != 1 || d.Reason != "" || d.Due.IsZero() {
			k.Errorf("%+v", d)
		}
		_, err = k.Replay(k.Context(), id, "ann")
		k.wants("replay what is pending", err, notify.ErrConflict)
		t := k.takes(id)
		if t.Attempt.Number != 2 || t.Delivery.Attempt != 1 || t.Attempt.Duplicate != (id == "dead") || t.Delivery.Digest != before.Digest {
			k.Errorf("%+v", t)
		}
		_, err = k.Replay(k.Context(), id, "ann")
		k.wants("replay what is sent", err, notify.ErrConflict)
		k.settles(t, notify.OutcomeDelivered, notify.Delivered, nil)
		_, err = k.Replay(k.Context(), id, "ann")
		k.wants("replay what is delivered", err, notify.ErrConflict)
	}
	_, err := k.Replay(k.Context(), "none", "ann")
	k.wants("replay what there is not", err, notify.ErrNotFound)
}

func testPages(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.endpoint(notify.Endpoint{ID: "b"})
	k.window("g", 7, item("i1", "g", 7, "scan-1", "scan-2"))
	k.window("g2", 8, item("i2", "g2", 8, "scan-2"))
	var newest []string
	for n := range 11 {
		id := fmt.Sprintf("d%02d", n)
		k.do(notify.Work{}, func(s *notify.State) notify.Plan {
			d := delivery(id, []string{"a", "b"}[n%2], s.Now)
			d.Rule, d.User = fmt.Sprint("r", n%3), []string{"", "ann"}[n%2]
			if n == 4 {
				d.Group, d.Window = "g", 7
			}
			if n == 5 {
				d.Group, d.Window = "g2", 8
			}
			if n == 6 {
				d.Group, d.Window = "g2", 7 // of another window
			}
			return notify.Plan{Deliveries: []notify.Delivery{d}}
		})
		newest = append([]string{id}, newest...)
	}
	k.settles(k.takes("d03"), notify.OutcomeDelivered, notify.Delivered, nil)
	list := func(q notify.Query) (out []string) {
		k.Helper()
		for range 20 {
			p, err := k.Deliveries(k.Context(), q)
			k.ok(err)
			for _, d := range p.Deliveries {
				if d.Payload != nil || d.Digest == "" {
					k.Errorf("%+v", d)
				}
				out = append(out, d.ID)
			}
			if q.After = p.Next; p.Next == "" {
				return out
			}
			if len(p.Deliveries) != q.Limit {
				k.Errorf("%d on a page of %d", len(p.Deliveries), q.Limit)
			}
		}
		k.Error("pages without end")
		return out
	}
	for _, limit := range []int{0, 1, 3, 11, 12} {
		if got := list(notify.Query{Limit: limit}); !slices.Equal(got, newest) {
			k.Errorf("by %d: %v", limit, got)
		}
	}
	for _, c := range []struct {
		q    notify.Query
		want string
	}{
		{notify.Query{Status: notify.Delivered}, "d03"},
		{notify.Query{Rule: "r0", Limit: 2}, "d09 d06 d03 d00"},
		{notify.Query{Endpoint: "b", Limit: 2}, "d09 d07 d05 d03 d01"},
		{notify.Query{User: "ann", Rule: "r0"}, "d09 d03"},
		{notify.Query{ScanID: "scan-1"}, "d04"},
		{notify.Query{ScanID: "scan-2", Limit: 1}, "d05 d04"},
		{notify.Query{ScanID: "scan-3"}, ""},
		{notify.Query{Status: notify.Pending, Endpoint: "b", Rule: "r0"}, "d09"},
	} {
		if got := strings.Join(list(c.q), " "); got != c.want {
			k.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func testItemPages(k *kept) {
	var items []notify.Item
	for n := range 7 {
		items = append(items, item(fmt.Sprint("k", 9-n), "g", 1, fmt.Sprint("s", n)))
	}
	k.window("g", 1, items...)
	k.window("g", 2, item("other", "g", 2, "s"))
	k.deliveries("a", "d") // of the window 1 of g
	var got []notify.Item
	for after := ""; ; {
		page, err := k.Items(k.Context(), "d", after, 3)
		k.ok(err)
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1].Key
	}
	if diff := cmp.Diff(items, got); diff != "" {
		k.Error(diff)
	}
	_, err := k.Items(k.Context(), "none", "", 3)
	k.wants("items of what there is not", err, notify.ErrNotFound)
}

func testStates(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.endpoint(notify.Endpoint{ID: "b"})
	k.do(notify.Work{}, func(s *notify.State) notify.Plan {
		d := delivery("there", "a", s.Now)
		d.To = "#other"
		return notify.Plan{Deliveries: []notify.Delivery{delivery("d1", "a", s.Now), delivery("d2", "a", s.Now), delivery("d3", "a", s.Now), delivery("d4", "b", s.Now), d}}
	})
	k.settles(k.takes("d1"), notify.OutcomeRefused, notify.Dead, func(s *notify.Settlement) { s.Failed = true })
	k.settles(k.takes("d2"), notify.OutcomeRefused, notify.Parked, func(s *notify.Settlement) { s.Failed = true })
	got, err := k.States(k.Context())
	k.ok(err)
	want := []notify.EndpointState{{Endpoint: "a", Failures: 2, Waiting: 1, Parked: 1, Dead: 1}, {Endpoint: "a", To: "#other", Waiting: 1}, {Endpoint: "b", Waiting: 1}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(notify.EndpointState{}, "Until")); diff != "" {
		k.Error(diff)
	}
}
