package notifyhttp_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// start is when all of the tests happen.
var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// clock is that of a store.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func missing(what, id string) error { return fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound) }

// delivery makes a delivery with its payload.
func delivery(id string, status notify.Status, user string, media, text string) notify.Delivery {
	return notify.Delivery{
		ID: id, Status: status, Kind: notify.KindAlert, Rule: "critical", Endpoint: "hook", User: user, Group: "group-" + id, Window: start.UnixMicro(), Title: "New critical CVE-2024-1234 affects alpine:latest scan",
		Severity: "critical", Total: 2, Digest: sum.Of([]byte(text)), Payload: &notify.Payload{MediaType: media, Body: []byte(text)}, Created: start, Updated: start,
	}
}

func notice(n int) notify.Notice {
	return notify.Notice{Event: fmt.Sprint("event-", n), Type: "advisory.drift", At: start, ScanID: fmt.Sprintf("scan-%d", n), Image: fmt.Sprintf("ghcr.io/acme/shop:%d", n), Vulnerability: "CVE-2024-1234", Severity: "critical", Exploited: notify.Yes, Cause: "kev"}
}

// plan is what a tenant has: deliveries in each state, also of preferences and a damaged
// one, and incidents.
func plan() *notify.Plan {
	dead := delivery("d-dead", notify.Pending, "", "application/json", `{"text":"CVE-2024-1234"}`)
	dead.Incident, dead.Due = "d-dead", start.Add(-time.Hour)
	sent := delivery("d-sent", notify.Delivered, "", "text/html; charset=utf-8", `<script>alert(1)</script>`)
	sent.Attempt, sent.Attempts = 1, 1
	anns, bobs := delivery("d-ann", notify.Pending, "ann", "message/rfc822", "Subject: x\r\n\r\n"), delivery("d-bob", notify.Pending, "bob", "message/rfc822", "Subject: y\r\n\r\n")
	anns.Rule, bobs.Rule, anns.To, bobs.To, anns.Due = "user/ann/hook", "user/bob/hook", "ann@acme.example", "bob@acme.example", start.Add(time.Minute)
	damaged, quiet := delivery("d-damaged", notify.Delivered, "", "application/json", "{}"), delivery("d-quiet", notify.Suppressed, "", "", "")
	damaged.Payload.Body = []byte("[]")
	quiet.Payload, quiet.Digest, quiet.Reason = nil, "", "maintenance night"
	unrendered := delivery("d-unrendered", notify.Dead, "", "", "")
	unrendered.Payload, unrendered.Reason = nil, "it could not be rendered"
	m := notify.Message{ID: "d-dead", Tenant: "acme", Kind: notify.KindAlert, At: start, Since: start, Title: "New critical CVE-2024-1234 affects <b>alpine:latest</b>\u202e scan", Notices: []notify.Notice{notice(1)}, Total: 1, Why: []string{"because"},
		Rule: "critical", GroupKey: "CVE-2024-1234", AckLink: "https://notify.example/api/v1/notify/ack?token=secret"}
	bob := m
	bob.Recipient = "bob"
	return &notify.Plan{
		Deliveries: []notify.Delivery{unrendered, quiet, damaged, bobs, anns, sent, dead},
		Items: []notify.Item{
			{Key: "i1", Group: dead.Group, Window: dead.Window, Event: "event-1", Why: []string{"severity is at least critical"}, Notices: []notify.Notice{notice(1)}},
			{Key: "i2", Group: dead.Group, Window: dead.Window, Event: "event-2", Notices: []notify.Notice{notice(2)}},
		},
		Incidents: []notify.Incident{
			{ID: "d-dead", Rule: "critical", Group: dead.Group, Revision: 3, Step: 1, Due: start.Add(time.Hour), Opened: start, Message: m},
			{ID: "d-link", Rule: "critical", Group: "group-2", Revision: 3, Opened: start, Message: m},
			{ID: "d-bob", Rule: "user/bob/hook", Group: "group-3", Revision: 3, Opened: start, Message: bob},
		},
	}
}

// fill puts in what a tenant may have, and has d-dead tried twice: by somebody who
// vanishes, and in vain.
func fill(t testing.TB, m *notify.Memory, c *clock) {
	t.Helper()
	ctx := context.Background()
	set(t, m, notify.SettingEndpoint, "hook", &notify.Endpoint{ID: "hook", Type: "webhook"})
	if err := m.Do(ctx, &notify.Work{Revision: 1, Decide: func(*notify.State) (*notify.Plan, error) { return plan(), nil }}); err != nil {
		t.Fatal(err)
	}
	for i, holder := range []string{"w1", "w2"} {
		c.now = start.Add(time.Duration(i-2) * time.Minute)
		task, err := m.Claim(ctx, &notify.Claim{ID: "d-dead", Holder: holder, Length: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		a := task.Attempt
		a.Outcome, a.Latency, a.Status, a.Answer, a.After, a.Reason = notify.OutcomeRefused, 1500*time.Microsecond, 500, sum.Of(nil), 30*time.Second, "the receiver answered 500"
		if err := m.Settle(ctx, task, &notify.Settlement{Attempt: a, Status: notify.Dead, Reason: a.Reason, Failed: true, Rest: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	c.now = start
}

// set keeps a new setting.
func set(t testing.TB, m *notify.Memory, kind notify.SettingKind, id string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		text, err = notify.Check(kind, text)
	}
	if err == nil {
		err = m.Set(context.Background(), &notify.Setting{Kind: kind, ID: id, Number: 1, Body: text, By: "ann"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// happen puts events on a timeline: event-1, drift of two scans, and an hour later event-2,
// a scan that completed.
func happen(t testing.TB, m *timeline.Memory, c *clock) {
	t.Helper()
	for i, text := range []string{driftText, scanText} {
		c.now = start.Add(time.Duration(i-1) * time.Hour)
		e, err := timeline.Read([]string{event.ConcelierDrift, event.ScannerEvents}[i], []byte(text))
		if err == nil {
			err = m.Append(context.Background(), []timeline.Event{*e})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const (
	driftText = `{"id":"event-1","type":"advisory.drift","source":"concelier","tenant":"acme","time":"2026-11-29T11:00:00.000000Z","vulnerability":"CVE-2024-1234","severity":"critical","head":7,"cause":"new","scans":[{"scan_id":"scan-1","image_ref":"ghcr.io/acme/shop:1","owner":"bob"},{"scan_id":"scan-2","image_ref":"ghcr.io/acme/shop:2"}]}`
	scanText  = `{"id":"event-2","type":"scan.completed","source":"scanner","tenant":"acme","time":"2026-11-29T11:30:00.000000Z","job_id":"scan-2","image_ref":"ghcr.io/acme/shop:2"}`
)
