package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// testNoticeTenants: a tenant sees and changes nothing of another one, whatever it names.
func testNoticeTenants(w *noticeWorld) {
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	w.ok(do(w.ctx, w.acme, notify.Work{Events: []string{"e"}, Groups: []string{"g"}}, func(s *notify.State) notify.Plan {
		return notify.Plan{
			Groups: []notify.Group{{ID: "g", Window: 1, Due: s.Now.Add(time.Hour), Count: 1}}, Items: []notify.Item{{Key: "k", Group: "g", Window: 1, Event: "e", Notices: []notify.Notice{{ScanID: "s"}}}},
			Deliveries: []notify.Delivery{sent("d", "a", time.Time{})}, Inhibitors: []notify.Inhibitor{{ID: "x", Event: "e", Until: s.Now.Add(time.Hour)}}, Incidents: []notify.Incident{{ID: "i", Group: "g", Opened: s.Now, Due: s.Now.Add(time.Hour)}},
		}
	}))
	n := w.other.Notify()
	w.ok(do(w.ctx, w.other, notify.Work{Events: []string{"e"}, Groups: []string{"g"}, Incidents: []string{"i"}, Inhibitors: []string{"x"}, Collected: true}, func(s *notify.State) notify.Plan {
		if s.Done["e"] || s.Groups["g"].Count != 0 || len(s.Incidents)+len(s.Inhibitors)+len(s.Items) != 0 {
			w.Errorf("%+v", s)
		}
		return notify.Plan{}
	}))
	_, _, err := n.Delivery(w.ctx, "d")
	w.wantErr("a delivery", err, store.ErrNotFound)
	_, err = claimDelivery(w.ctx, w.other, "d", "d/send/1")
	w.wantErr("claim", err, store.ErrNotFound)
	task := must[*notify.Task](w)(claimDelivery(w.ctx, w.acme, "d", ""))
	w.wantErr("settle", n.Settle(w.ctx, task, outcome(task, notify.Delivered)), store.ErrNotFound)
	w.ok(w.acme.Notify().Settle(w.ctx, task, outcome(task, notify.Dead)))
	_, err = n.Replay(w.ctx, "d", "eve")
	w.wantErr("replay", err, store.ErrNotFound)
	_, err = n.Items(w.ctx, "d", "", 0)
	w.wantErr("items", err, store.ErrNotFound)
	_, err = n.Acknowledge(w.ctx, "i", "eve", "")
	w.wantErr("acknowledge", err, store.ErrNotFound)
	_, err = n.Incident(w.ctx, "i")
	w.wantErr("an incident", err, store.ErrNotFound)
	_, err = n.Setting(w.ctx, notify.SettingEndpoint, "a")
	w.wantErr("a setting", err, store.ErrNotFound)
	if s := must[*notify.Settings](w)(n.Settings(w.ctx)); s.Revision != 0 || len(s.Endpoints) != 0 {
		w.Errorf("%+v", s)
	}
	if got := w.status(w.other); got != "" {
		w.Error(got)
	}
	if list := must[[]notify.EndpointState](w)(n.States(w.ctx)); len(list) != 0 {
		w.Errorf("%+v", list)
	}
	if list := must[[]notify.Setting](w)(n.ListSettings(w.ctx, notify.SettingEndpoint, "", "", 0)); len(list) != 0 {
		w.Errorf("%+v", list)
	}
	facts := must[map[string]notify.ScanFacts](w)(n.Scans(w.ctx, []string{submit(w, w.acme.Scans(), "image").ID}))
	if len(facts) != 0 {
		w.Errorf("%+v", facts)
	}
}

// testNoticeRetention: what ended goes after its time with all that hangs on it, and
// nothing does that is open.
func testNoticeRetention(w *noticeWorld) {
	n := w.acme.Notify()
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	window := func(group string, window int64, due time.Time, ids ...string) {
		w.Helper()
		w.ok(do(w.ctx, w.acme, notify.Work{Groups: []string{group}, Incidents: []string{}}, func(s *notify.State) notify.Plan {
			p := notify.Plan{Groups: []notify.Group{{ID: group, Window: window, Due: due}}, Inhibitors: []notify.Inhibitor{{ID: group, Event: "e", Until: s.Now}}}
			p.Items = []notify.Item{{Key: group + "/item", Group: group, Window: window, Event: "e", Notices: []notify.Notice{{ScanID: "scan of " + group}}}}
			for _, id := range ids {
				d := sent(id, "a", time.Time{})
				d.Group, d.Window = group, window
				if strings.HasPrefix(id, "incident") {
					d.Incident = id
					p.Incidents = append(p.Incidents, notify.Incident{ID: id, Group: group, Opened: s.Now, Due: s.Now.Add(time.Hour)})
				}
				p.Deliveries = append(p.Deliveries, d)
			}
			return p
		}))
	}
	window("g1", 1, time.Time{}, "delivered", "dead")
	window("g2", 2, time.Time{}, "parked", "pending")
	window("g3", 3, time.Now().Add(time.Hour)) // open, nobody was told
	window("g4", 4, time.Time{}, "incident-open", "incident-taken")
	for id, s := range map[string]notify.Status{"delivered": notify.Delivered, "dead": notify.Dead, "parked": notify.Parked, "incident-open": notify.Delivered, "incident-taken": notify.Delivered} {
		w.attempt(id, "", s, nil)
	}
	must[*notify.Incident](w)(n.Acknowledge(w.ctx, "incident-taken", "ann", ""))
	if done := must[store.Removed](w)(w.root.Collect(w.ctx, nil)); done != (store.Removed{}) {
		w.Errorf("before its time: %+v", done)
	}
	time.Sleep(3 * time.Millisecond)
	collect := func(notices time.Duration, want int64) {
		w.Helper()
		done := must[store.Removed](w)(w.root.Collect(w.ctx, &store.Retention{Scans: -1, Keys: -1, Events: -1, Notices: notices, Batch: 2}))
		if done.Deliveries != want {
			w.Errorf("%d deliveries were deleted, want %d", done.Deliveries, want)
		}
	}
	collect(-1, 0)
	collect(time.Millisecond, 3)
	w.wantStatus("what is open", "incident-open:delivered:1/1 parked:parked:1/1 pending:pending:0/0")
	_, err := n.Incident(w.ctx, "incident-taken")
	w.wantErr("an incident that somebody took", err, store.ErrNotFound)
	must[*notify.Incident](w)(n.Incident(w.ctx, "incident-open"))
	for id, want := range map[string]int{"parked": 1, "incident-open": 1} {
		if items := must[[]notify.Item](w)(n.Items(w.ctx, id, "", 0)); len(items) != want {
			w.Errorf("%s tells of %d items", id, len(items))
		}
	}
	w.ok(do(w.ctx, w.acme, notify.Work{Groups: []string{"g1", "g3"}, Inhibitors: []string{"g1"}, Collected: true}, func(s *notify.State) notify.Plan {
		if s.Groups["g1"].Window != 0 || s.Groups["g3"].Window != 3 || len(s.Items["g3"]) != 1 || len(s.Inhibitors) != 0 {
			w.Errorf("%+v", s)
		}
		return notify.Plan{}
	}))
	// What waited goes when it has ended.
	must[*notify.Incident](w)(n.Acknowledge(w.ctx, "incident-open", "ann", ""))
	must[*notify.Delivery](w)(n.Replay(w.ctx, "parked", "ann"))
	w.attempt("parked", "", notify.Delivered, nil)
	w.attempt("pending", "", notify.Dead, nil)
	time.Sleep(3 * time.Millisecond)
	collect(time.Millisecond, 3)
	w.wantStatus("everything", "")
	if s := must[*notify.Settings](w)(n.Settings(w.ctx)); len(s.Endpoints) != 1 {
		w.Errorf("settings were deleted: %+v", s)
	}
}

// testNoticeScans: what is known about scans is of their newest reports, and what nobody
// counted is not said to be nothing.
func testNoticeScans(w *noticeWorld) {
	s := w.acme.Scans()
	matched := func(image string, labels map[string]string, report *finding.Report) string {
		w.Helper()
		j, _, err := s.Submit(w.ctx, scan.Request{Image: image, Labels: labels, Owner: "ann"}, "")
		w.ok(err)
		r := results(image)
		r.Report = report
		w.ok(s.Complete(w.ctx, *claim(w, s, j), r))
		return j.ID
	}
	labels := map[string]string{"team": "payments", "ß": "ü \"quoted\""}
	bad := matched("bad", labels, &finding.Report{Snapshot: "sha256:snap", Findings: []finding.Finding{
		{Vulnerability: "CVE-1", Severity: finding.High}, {Vulnerability: "CVE-2", Severity: finding.Critical, Exploited: "2024-01-01", Fixed: []string{"2"}}, {Vulnerability: "CVE-3", Severity: finding.High},
		{Vulnerability: "CVE-4", Summary: `"exploited":"2024-01-01","fixed":["1"]`},
	}})
	fair := matched("fair", nil, &finding.Report{Snapshot: "sha256:snap", Findings: []finding.Finding{{Vulnerability: "CVE-4", Summary: `"exploited":"2024-01-01","fixed":["1"]`}}})
	clean := matched("clean", nil, &finding.Report{Snapshot: "sha256:snap"})
	blind := matched("blind", nil, &finding.Report{})
	unmatched := matched("unmatched", nil, nil)
	queued := submit(w, s, "queued").ID
	want := map[string]notify.ScanFacts{
		bad: {Image: "bad", Digest: "sha256:bad", Owner: "ann", Labels: labels, Severity: finding.Critical, Exploited: notify.Yes, Fixed: notify.Yes,
			Findings: map[finding.Severity]int{finding.Critical: 1, finding.High: 2, finding.Unknown: 1}},
		fair:      {Image: "fair", Digest: "sha256:fair", Owner: "ann", Exploited: notify.No, Fixed: notify.No, Findings: map[finding.Severity]int{finding.Unknown: 1}},
		clean:     {Image: "clean", Digest: "sha256:clean", Owner: "ann", Exploited: notify.No, Fixed: notify.No, Findings: map[finding.Severity]int{}},
		blind:     {Image: "blind", Digest: "sha256:blind", Owner: "ann"},
		unmatched: {Image: "unmatched", Digest: "sha256:unmatched", Owner: "ann"},
		queued:    {Image: "queued"},
	}
	got := must[map[string]notify.ScanFacts](w)(w.acme.Notify().Scans(w.ctx, []string{bad, fair, clean, blind, unmatched, queued, "scan-none", "a\x00b"}))
	if diff := cmp.Diff(want, got); diff != "" {
		w.Error(diff)
	}
	// Rows of earlier releases do not say what counts: the findings are read. Reports are
	// never changed, so each goes and comes back without.
	must[bool](w)(w.acme.Once(w.ctx, "test", "without facts", func(tx *store.Tx) error {
		for _, s := range []string{
			`INSERT INTO scanner.reports (tenant_id, scan_id, evaluated_us, snapshot, gaps) SELECT tenant_id, scan_id, -evaluated_us, snapshot, gaps FROM scanner.reports WHERE tenant_id = $1`,
			`DELETE FROM scanner.reports WHERE tenant_id = $1 AND evaluated_us > 0`,
			`INSERT INTO scanner.reports (tenant_id, scan_id, evaluated_us, snapshot, gaps) SELECT tenant_id, scan_id, -evaluated_us, snapshot, gaps FROM scanner.reports WHERE tenant_id = $1`,
			`DELETE FROM scanner.reports WHERE tenant_id = $1 AND evaluated_us < 0`,
		} {
			if n, err := tx.Exec(s, "acme"); err != nil || n == 0 {
				return fmt.Errorf("%d rows of %s: %w", n, s, err)
			}
		}
		return nil
	}))
	if diff := cmp.Diff(want, must[map[string]notify.ScanFacts](w)(w.acme.Notify().Scans(w.ctx, []string{bad, fair, clean, blind, unmatched, queued}))); diff != "" {
		w.Errorf("of an earlier release: %s", diff)
	}
	if none := must[map[string]notify.ScanFacts](w)(w.acme.Notify().Scans(w.ctx, nil)); len(none) != 0 {
		w.Errorf("%+v", none)
	}
	for what, l := range map[string]map[string]string{
		"an empty key": {"": "v"}, "a key with a space": {"a b": "v"}, "a long key": {strings.Repeat("k", scan.MaxLabelKey+1): "v"}, "a long value": {"k": strings.Repeat("v", scan.MaxLabelValue+1)},
		"a line break": {"k": "a\nb"}, "a NUL": {"k": "a\x00b"}, "no text": {"k": "\xff"},
	} {
		_, _, err := s.Submit(w.ctx, scan.Request{Image: "i", Labels: l}, "")
		w.wantErr(what, err, scan.ErrInvalid)
	}
	many := map[string]string{}
	for i := range scan.MaxLabels + 1 {
		many[fmt.Sprint("k", i)] = ""
	}
	_, _, err := s.Submit(w.ctx, scan.Request{Image: "i", Labels: many}, "")
	w.wantErr("too many labels", err, scan.ErrInvalid)
	delete(many, "k0")
	many["k1"] = strings.Repeat("v", scan.MaxLabelValue)
	if _, _, err := s.Submit(w.ctx, scan.Request{Image: "i", Labels: many}, "key"); err != nil {
		w.Error(err)
	}
	if _, _, err := s.Submit(w.ctx, scan.Request{Image: "i", Labels: labels}, "key"); !errors.Is(err, scan.ErrConflict) {
		w.Errorf("other labels under the same key: %v", err)
	}
}

// FillNotify fills a store with something of the tenant acme in every table of
// notifications: a delivery that is open, one that ended, and an attempt that has not.
func FillNotify(t *testing.T, root *store.Root) {
	t.Helper()
	w := newNoticeWorld(t, root)
	w.endpoint(w.acme, notify.Endpoint{ID: "a", Pace: "1ms"}) // what is paced is noted
	s := &notify.Setting{Kind: notify.SettingPreference, ID: "user/ann/a", User: "ann", Endpoint: "a", Number: 1, Body: []byte(`{"id":"user/ann/a","owner":"ann","to":[{"endpoint":"a"}]}`), By: "ann"}
	w.ok(w.acme.Notify().Set(w.ctx, s))
	w.ok(do(w.ctx, w.acme, notify.Work{Groups: []string{"g"}}, func(s *notify.State) notify.Plan {
		return notify.Plan{
			Groups: []notify.Group{{ID: "g", Window: 1, Due: s.Now.Add(time.Hour)}}, Items: []notify.Item{{Key: "k", Group: "g", Window: 1, Event: "e", Notices: []notify.Notice{{ScanID: "s"}}}},
			Deliveries: []notify.Delivery{sent("done", "a", time.Time{}), sent("open", "a", time.Time{})}, Inhibitors: []notify.Inhibitor{{ID: "x", Event: "e", Until: s.Now}},
			Incidents: []notify.Incident{{ID: "i", Group: "g", Opened: s.Now, Due: s.Now.Add(time.Hour)}, {ID: "j", Group: "g", Opened: s.Now, Due: s.Now.Add(time.Hour)}},
		}
	}))
	w.attempt("done", "", notify.Delivered, nil)
	for {
		_, err := claimDelivery(w.ctx, w.acme, "open", "")
		if later := (*notify.LaterError)(nil); !errors.As(err, &later) {
			w.ok(err)
			break
		}
	}
	must[*notify.Incident](t)(w.acme.Notify().Acknowledge(w.ctx, "i", "ann", "mine"))
	w.told(event.NotifyDeliveries)
}

// NotifyTables are the tables that FillNotify fills.
func NotifyTables() []string {
	return []string{"revisions", "settings", "user_notification_preferences", "groups", "items", "item_scans", "inhibitors", "incidents", "notification_deliveries", "attempts", "endpoint_states"}
}

// NotifyTampers lists statements that must be refused, whoever tries them.
func NotifyTampers() (out []string) {
	for table, columns := range map[string]string{
		"settings":                      "tenant_id kind id number revision body by_whom at_us",
		"user_notification_preferences": "tenant_id user_id channel number id revision body by_whom at_us",
		"items":                         "tenant_id key group_id window_us n event_id notices body at_us",
		"item_scans":                    "tenant_id scan_id group_id window_us",
		"notification_deliveries":       "tenant_id id kind rule_id endpoint recipient user_id group_id window_us title severity total incident notes media_type digest created_us payload",
		"attempts":                      "tenant_id delivery_id number holder duplicate started_us",
		"incidents":                     "tenant_id id rule_id group_id revision message opened_us",
	} {
		for _, c := range strings.Fields(columns) {
			out = append(out, "UPDATE notify."+table+" SET "+c+" = "+c)
		}
		out = append(out, "DELETE FROM notify."+table, "TRUNCATE notify."+table+" CASCADE")
	}
	return append(out, "DELETE FROM notify.revisions", "TRUNCATE notify.revisions", "UPDATE notify.revisions SET number = number - 1",
		"UPDATE notify.notification_deliveries SET status = 'pending' WHERE id = 'done'", "DELETE FROM notify.notification_deliveries WHERE id = 'open'",
		"UPDATE notify.attempts SET outcome = 'unknown' WHERE delivery_id = 'done'", "UPDATE notify.attempts SET reason = 'another' WHERE delivery_id = 'done'", "UPDATE notify.attempts SET outcome = 'mine'",
		"UPDATE notify.notification_deliveries SET status = 'lost' WHERE id = 'open'", "UPDATE notify.incidents SET acknowledged_by = 'eve' WHERE id = 'i'", "UPDATE notify.incidents SET due_us = 1 WHERE id = 'i'",
		"UPDATE notify.incidents SET acknowledged_us = 0 WHERE id = 'i'", "DELETE FROM notify.incidents WHERE id = 'j'", "DELETE FROM notify.attempts WHERE delivery_id = 'done'")
}
