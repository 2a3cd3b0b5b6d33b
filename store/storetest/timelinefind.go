package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// timelineFind compares answers with a look at every event.
func timelineFind(t *testing.T, tenant string, s timeline.Store) {
	events := fill(t, tenant, s, 0, 60)
	long := readHappening(t, tenant, event.ScanCompleted, 100)
	long.Refs = append(long.Refs, timeline.Ref{Kind: timeline.RefVulnerability, Value: strings.Repeat("x", 3000)}, timeline.Ref{Kind: timeline.RefEnvironment, Value: "a\x00b"})
	appendAll(t, s, long)
	events = append(events, long)
	type refs = []timeline.Ref
	for i, q := range []timeline.Query{
		{}, {Refs: refs{{Kind: timeline.RefImage, Value: "image-1"}}}, {Refs: refs{{Kind: timeline.RefScan, Value: "scan-7"}}}, {Refs: refs{{Kind: timeline.RefOwner, Value: "ann"}, {Kind: timeline.RefImage, Value: "image-2"}}},
		{Refs: refs{{Kind: timeline.RefOwner, Value: "scan-7"}}}, {Refs: long.Refs}, {Types: []event.Type{event.ScanFailed}}, {Types: []event.Type{event.ScanFailed, event.ScanCompleted}},
		{Topic: event.ScannerEvents, Refs: refs{{Kind: timeline.RefImage, Value: "image-0"}}}, {Topic: event.NotifyEvents}, {Event: "scan-8/scan.queued"},
		{From: proofAt.Add(20 * time.Second)}, {Until: proofAt.Add(20 * time.Second)}, {From: proofAt.Add(10 * time.Second), Until: proofAt.Add(30*time.Second + 1), Types: []event.Type{event.ScanQueued}},
		{From: proofAt.Add(10*time.Second + 1), Refs: refs{{Kind: timeline.RefImage, Value: "image-1"}}, Until: proofAt.Add(40 * time.Second)},
	} {
		var want []int64
		for n := range events {
			if e := &events[n]; selected(&q, e) {
				want = append(want, int64(n+1))
			}
		}
		for _, backward := range []bool{false, true} {
			if q.Backward = backward; backward {
				slices.Reverse(want)
			}
			for _, limit := range []int{1, 7, timeline.MaxPage} {
				q.Limit, q.After = limit, 0
				if diff := gocmp.Diff(want, allPages(t, s, q)); diff != "" {
					t.Errorf("query %d, backward %t, limit %d (-want +got):\n%s", i, backward, limit, diff)
				}
			}
		}
	}
	for _, q := range []timeline.Query{{Limit: -1}, {Limit: timeline.MaxPage + 1}, {After: -1}, {Refs: make(refs, timeline.MaxRefs+1)}, {Types: make([]event.Type, timeline.MaxTypes+1)}} {
		if _, err := s.Find(t.Context(), q); !errors.Is(err, timeline.ErrInvalid) && !errors.Is(err, timeline.ErrLimit) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func selected(q *timeline.Query, e *timeline.Event) bool {
	for _, r := range q.Refs {
		if !slices.Contains(e.Refs, r) {
			return false
		}
	}
	return (q.Types == nil || slices.Contains(q.Types, e.Type)) && (q.Topic == "" || q.Topic == e.Topic) && (q.Event == "" || q.Event == e.ID) &&
		(q.From.IsZero() || !e.Time.Before(q.From)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// allPages follows a query to its end.
func allPages(t testing.TB, s timeline.Chain, q timeline.Query) (out []int64) {
	t.Helper()
	for range 1000 {
		page := must[*timeline.Page](t)(s.Find(t.Context(), q))
		if len(page.Entries) > q.Limit {
			t.Errorf("%d entries on a page of %d", len(page.Entries), q.Limit)
		}
		for _, e := range page.Entries {
			out = append(out, e.Seq)
		}
		if page.Next == 0 {
			return out
		}
		q.After = page.Next
	}
	t.Fatal("the pages do not end")
	return nil
}

// timelinePages: a page ends early where bodies are large, and what is appended meanwhile
// comes on later pages.
func timelinePages(t *testing.T, tenant string, s timeline.Store) {
	text := strings.Repeat("y", 200<<10)
	for n := range 45 {
		e := event.Event{ID: fmt.Sprint("large-", n), Type: "test.large", Source: "test", Tenant: tenant, Time: proofAt, Data: []byte(fmt.Sprintf(`{"text":%q}`, text))}
		appendAll(t, s, *must[*timeline.Event](t)(timeline.Read(event.ScannerEvents, must[[]byte](t)(e.Encode()))))
	}
	page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{Limit: 1000}))
	if n := len(page.Entries); n < 30 || n >= 45 || page.Next != int64(n) {
		t.Errorf("%d entries, then after %d", n, page.Next)
	}
	fill(t, tenant, s, 0, 3)
	got := allPages(t, s, timeline.Query{Limit: 1000, After: page.Next})
	if want := 48 - len(page.Entries); len(got) != want || got[len(got)-1] != 48 {
		t.Errorf("%d more, want %d: %v", len(got), want, got)
	}
	if r := proveTimeline(t, tenant, s, nil); r.Last != 48 || r.Bodies != 48 {
		t.Errorf("%+v", r)
	}
}
