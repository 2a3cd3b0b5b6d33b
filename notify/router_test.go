package notify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

func expect(t *testing.T, w *world, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), w.titles()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// The text that the platform's documents print.
func TestFirstMessage(t *testing.T) {
	w := ruled(t, notify.Rule{Name: "critical ones", Match: notify.Match{Severity: finding.Critical}})
	w.handle(drift("CVE-2024-1234", "critical", "docker://alpine:latest"))
	w.handle(drift("CVE-2024-1235", "high", "alpine:latest"))
	expect(t, w, "New critical CVE-2024-1234 affects alpine:latest scan")
	m := w.message(w.deliveries()[0].ID)
	want := []string{`the rule "critical ones" (all) says so`, "the event is advisory.drift", "the severity is critical, the least is critical"}
	if diff := cmp.Diff(want, m.Why); diff != "" {
		t.Error(diff)
	}
	if m.Link != "https://stella.example/api/v1/notify/deliveries/"+m.ID+"/items" || m.Kind != notify.KindAlert || m.Total != 1 {
		t.Errorf("%+v", m)
	}
}

func TestOnce(t *testing.T) {
	w := ruled(t, notify.Rule{})
	e := drift("CVE-1", "high", "a", "b")
	e.ID = "once"
	for range 3 {
		w.handle(e)
	}
	w.pass(time.Hour)
	expect(t, w, "New high CVE-1 affects 2 scans")
}

// A mass CVE: 10,000 images by 20 events are two messages, and the second lists what the
// first did not.
func TestStorm(t *testing.T) {
	w := ruled(t, notify.Rule{})
	for e := range 20 {
		var images []string
		for i := range event.MaxScans {
			images = append(images, fmt.Sprintf("img-%d-%d", e, i))
		}
		w.handle(drift("CVE-9", "critical", images...))
	}
	expect(t, w, "New critical CVE-9 affects 500 scans")
	w.pass(6 * time.Minute)
	expect(t, w, "New critical CVE-9 affects 500 scans", "New critical CVE-9 affects 9500 scans")
	seen := map[string]bool{}
	for _, d := range w.deliveries() {
		items, err := w.store.Items(t.Context(), d.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			for _, n := range i.Notices {
				seen[n.Image] = true
			}
		}
		if m := w.message(d.ID); len(m.Notices) != notify.MaxListed || m.More() != d.Total-notify.MaxListed {
			t.Errorf("%d are listed, %d more", len(m.Notices), m.More())
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d images are listed", len(seen))
	}
	w.pass(time.Hour) // and then it is quiet
	if n := len(w.deliveries()); n != 2 {
		t.Errorf("%d deliveries", n)
	}
	w.handle(drift("CVE-9", "critical", "late"))
	if n := len(w.deliveries()); n != 3 {
		t.Error("the group did not begin again")
	}
}

// Many vulnerabilities at once: what is beyond the burst comes together.
func TestBurst(t *testing.T) {
	w := ruled(t, notify.Rule{Burst: 3})
	for i := range 50 {
		w.handle(drift(fmt.Sprint("CVE-", i), "high", "a", "b"))
	}
	w.pass(6 * time.Minute)
	expect(t, w, "New high CVE-0 affects 2 scans", "New high CVE-1 affects 2 scans", "New high CVE-2 affects 2 scans", "47 high vulnerabilities affect 94 scans")
}

func TestDigest(t *testing.T) {
	w := ruled(t, notify.Rule{Digest: "1h", Zone: "Asia/Kolkata"}) // half an hour off
	w.now = noon.Add(7 * time.Minute)
	w.handle(drift("CVE-1", "high", "a"))
	w.pass(20 * time.Minute)
	w.handle(drift("CVE-1", "high", "b"))
	expect(t, w)
	w.pass(4 * time.Minute)
	expect(t, w, "New high CVE-1 affects 2 scans")
	if d := w.deliveries()[0]; !d.Created.Equal(noon.Add(30*time.Minute)) || d.Kind != notify.KindDigest {
		t.Errorf("%s at %v", d.Kind, d.Created)
	}
}

// A digest is one message, whatever it tells of, unless the rule wants it otherwise.
func TestDigestIsOne(t *testing.T) {
	for by, want := range map[notify.Field]int{"": 1, notify.FieldVulnerability: 5} {
		w := ruled(t, notify.Rule{Digest: "15m", GroupBy: by})
		for i := range 5 {
			w.handle(drift(fmt.Sprint("CVE-", i), "high", "a", "b"))
		}
		w.pass(16 * time.Minute)
		if got := w.titles(); len(got) != want || want == 1 && got[0] != "5 high vulnerabilities affect 10 scans" {
			t.Errorf("by %q: %q", by, got)
		}
	}
}

func TestDailyDigest(t *testing.T) {
	w := ruled(t, notify.Rule{Digest: "1d", DigestAt: "02:30", Zone: "Europe/Berlin", GroupBy: notify.GroupRule})
	w.now = time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC) // the night has no 02:30
	w.handle(drift("CVE-1", "high", "a"))
	w.handle(verdict("b", "pass", "block"))
	w.pass(24 * time.Hour)
	expect(t, w, "2 notices about 2 images")
	if d := w.deliveries()[0]; !d.Created.Equal(time.Date(2027, 3, 28, 1, 30, 0, 0, time.UTC)) {
		t.Errorf("at %v", d.Created)
	}
}

func TestQuiet(t *testing.T) {
	w := ruled(t, notify.Rule{Zone: "Europe/Berlin", Quiet: &notify.Quiet{From: "22:00", To: "07:00", Except: finding.Critical}})
	w.now = time.Date(2026, 11, 30, 22, 0, 0, 0, time.UTC) // 23:00 there
	w.handle(drift("CVE-1", "high", "a"))
	w.handle(drift("CVE-2", "critical", "a"))
	expect(t, w, "New critical CVE-2 affects a scan")
	w.pass(time.Hour)
	w.handle(drift("CVE-1", "critical", "b")) // it turned out worse
	w.pass(time.Minute)
	expect(t, w, "New critical CVE-2 affects a scan", "New high CVE-1 affects 2 scans")
	w.handle(drift("CVE-3", "low", "a"))
	w.pass(9 * time.Hour)
	d := w.deliveries()
	if last := d[len(d)-1]; last.Title != "New low CVE-3 affects a scan" || !last.Created.Equal(time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("%s at %v", last.Title, last.Created)
	}
}

func TestQuietDays(t *testing.T) {
	w := ruled(t, notify.Rule{Quiet: &notify.Quiet{From: "00:00", To: "23:59", Days: []string{"sat", "sun"}}})
	w.now = time.Date(2026, 12, 5, 10, 0, 0, 0, time.UTC) // a Saturday
	w.handle(drift("CVE-1", "high", "a"))
	expect(t, w)
	w.pass(14 * time.Hour)
	if d := w.deliveries(); len(d) != 1 || !d[0].Created.Equal(time.Date(2026, 12, 5, 23, 59, 0, 0, time.UTC)) {
		t.Errorf("%+v", d)
	}
}

func TestMaintenance(t *testing.T) {
	w := ruled(t, notify.Rule{})
	w.set(notify.SettingMaintenance, "move", notify.Maintenance{ID: "move", From: noon.Add(-time.Hour), Until: noon.Add(time.Hour), Match: notify.Match{Images: []string{"shop/*"}}})
	w.set(notify.SettingMaintenance, "end", notify.Maintenance{ID: "end", From: noon, Until: noon.Add(2 * time.Hour), Match: notify.Match{Images: []string{"old/*"}}, Suppress: true})
	w.handle(drift("CVE-1", "high", "shop/web:1", "old/web:1", "new/web:1"))
	expect(t, w, "New high CVE-1 affects new/web:1 scan")
	w.pass(61 * time.Minute)
	expect(t, w, "New high CVE-1 affects new/web:1 scan", "New high CVE-1 affects old/web:1 scan [suppressed: maintenance/end]", "New high CVE-1 affects shop/web:1 scan")
	if d := w.deliveries()[2]; !d.Created.Equal(noon.Add(time.Hour)) {
		t.Errorf("at %v", d.Created)
	}
}

func TestInhibition(t *testing.T) {
	w := ruled(t, notify.Rule{})
	w.set(notify.SettingInhibition, "blocked", notify.Inhibition{ID: "blocked", For: "1h", Equal: []notify.Field{notify.FieldImage},
		Source: notify.Match{Types: []event.Type{event.VerdictChanged}, Outcomes: []string{"block"}}, Target: notify.Match{Types: []event.Type{event.AdvisoryDrift}}})
	w.handle(verdict("a", "pass", "block"))
	w.handle(drift("CVE-1", "high", "a", "b"))
	w.pass(6 * time.Minute)
	expect(t, w, "Verdict on a is block in production, was pass", "New high CVE-1 affects b scan", "New high CVE-1 affects a scan [suppressed: inhibition/blocked]")
	w.pass(time.Hour)
	w.handle(drift("CVE-2", "high", "a"))
	if got := w.titles(); got[len(got)-1] != "New high CVE-2 affects a scan" {
		t.Errorf("an inhibition lasts for ever: %q", got)
	}
}

func TestPreference(t *testing.T) {
	w := newWorld(t)
	w.endpoint("chat")
	w.rule(notify.Rule{Owner: "ann", To: []notify.Target{{Endpoint: "chat", To: "@ann"}}})
	w.rule(notify.Rule{Owner: "bob", To: []notify.Target{{Endpoint: "chat", To: "@bob"}}})
	w.handle(drift("CVE-1", "high", "a"))
	d := w.deliveries()
	if len(d) != 1 || d[0].User != "ann" || d[0].To != "@ann" || d[0].Rule != "user/ann/chat" {
		t.Fatalf("%+v", d)
	}
	w.rule(notify.Rule{Owner: "eve", Watch: true, To: []notify.Target{{Endpoint: "chat", To: "#board"}}}) // not hers to say
	w.handle(drift("CVE-2", "high", "a"))
	if got := w.titles(); len(got) != 3 || !slices.Contains(got, "New high CVE-2 affects a scan [suppressed: the endpoint does not take this address from preferences]") {
		t.Errorf("%q", got)
	}
	if why := w.message(d[0].ID).Why[0]; why != "you submitted the scan, and asked to be told" {
		t.Error(why)
	}
}

// Several rules tell one receiver once, the soonest of them.
func TestOneReceiver(t *testing.T) {
	w := newWorld(t)
	w.endpoint("chat")
	w.rule(notify.Rule{ID: "digest", Digest: "1h"})
	w.rule(notify.Rule{ID: "now", Match: notify.Match{Severity: finding.High}})
	w.rule(notify.Rule{ID: "too"})
	w.rule(notify.Rule{ID: "other", To: []notify.Target{{Endpoint: "chat", To: "#other"}}})
	w.rule(notify.Rule{Owner: "ann", Match: notify.Match{Severity: finding.Critical}})
	w.handle(drift("CVE-1", "critical", "a"))
	w.handle(drift("CVE-2", "high", "a"))
	w.handle(drift("CVE-3", "low", "a"))
	w.pass(2 * time.Hour)
	var got []string
	for _, d := range w.deliveries() {
		got = append(got, d.Rule+" "+d.To+" "+d.Title)
	}
	want := []string{
		"now  New critical CVE-1 affects a scan", "other #other New critical CVE-1 affects a scan", "now  New high CVE-2 affects a scan",
		"other #other New high CVE-2 affects a scan", "other #other New low CVE-3 affects a scan", "too  New low CVE-3 affects a scan",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEscalation(t *testing.T) {
	w := newWorld(t)
	key, err := notify.NewAckKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.router.Ack = key
	w.endpoint("chat")
	w.endpoint("pager")
	w.rule(notify.Rule{ID: "all", Escalation: []notify.Step{{After: "15m", To: []notify.Target{{Endpoint: "pager"}}}, {After: "1h", To: []notify.Target{{Endpoint: "pager", To: "boss"}}}}})
	w.handle(drift("CVE-1", "high", "a"))
	w.pass(20 * time.Minute)
	expect(t, w, "New high CVE-1 affects a scan", "Nobody took note: New high CVE-1 affects a scan")
	first, second := w.deliveries()[0], w.deliveries()[1]
	if second.Endpoint != "pager" || second.Kind != notify.KindEscalation || second.Incident != first.ID || first.Incident != first.ID {
		t.Errorf("%+v", second)
	}
	_, token, _ := strings.Cut(w.message(second.ID).AckLink, "?token=")
	tenant, incident, err := key.Open(token, w.now)
	if err != nil || tenant != "acme" || incident != first.ID {
		t.Fatal(tenant, incident, err)
	}
	if in, err := w.store.Acknowledge(t.Context(), incident, "ann", "on it"); err != nil || in.AcknowledgedBy != "ann" {
		t.Fatal(in, err)
	}
	if in, err := w.store.Acknowledge(t.Context(), incident, "bob", "me too"); err != nil || in.AcknowledgedBy != "ann" {
		t.Error("who was first did not stay")
	}
	w.pass(3 * time.Hour)
	if n := len(w.deliveries()); n != 2 {
		t.Errorf("%d deliveries after somebody took note", n)
	}
}

func TestAckKey(t *testing.T) {
	old, err := notify.NewAckKey([]byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	both, err := notify.NewAckKey([]byte(strings.Repeat("n", 32)), []byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	token := old.Sign("acme", "dlv-1", noon)
	if _, _, err := both.Open(token, noon); err != nil {
		t.Error(err)
	}
	if _, _, err := both.Open(token, noon.Add(time.Second)); !errors.Is(err, notify.ErrForbidden) {
		t.Error("it is good for ever", err)
	}
	if old.Sign("acme", "dlv-1", noon) != token || old.Sign("acm", "edlv-1", noon) == token {
		t.Error("tokens are not what they are about")
	}
	for i := range token {
		for _, c := range "Aa0-_." {
			changed := token[:i] + string(c) + token[i+1:]
			if changed == token {
				continue
			}
			if _, _, err := both.Open(changed, noon); err == nil {
				t.Fatalf("opened with byte %d changed", i)
			}
		}
		if _, _, err := both.Open(token[:i], noon); err == nil {
			t.Fatalf("opened %d bytes of it", i)
		}
	}
	if _, err := notify.NewAckKey([]byte("short")); !errors.Is(err, notify.ErrInvalid) {
		t.Error(err)
	}
}

func TestSettingsChange(t *testing.T) {
	w := ruled(t, notify.Rule{Match: notify.Match{Severity: finding.Critical}})
	w.handle(drift("CVE-1", "high", "a"))
	w.rule(notify.Rule{ID: "all"}) // the router has old settings
	w.handle(drift("CVE-2", "high", "a"))
	expect(t, w, "New high CVE-2 affects a scan")
	w.handle(drift("CVE-2", "high", "b"))
	w.rule(notify.Rule{ID: "all", Disabled: true}) // what was collected is noted
	w.pass(6 * time.Minute)
	expect(t, w, "New high CVE-2 affects a scan", "New high CVE-2 affects b scan [suppressed: the rule is not there any more]")
}

func TestConcurrent(t *testing.T) {
	w := ruled(t, notify.Rule{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			e := drift("CVE-1", "high", fmt.Sprint("img-", i/2))
			e.ID, e.Source, e.Tenant = fmt.Sprint("e-", i/2), "test", "acme" // each twice
			body, err := e.Encode()
			if err == nil {
				err = w.router.Handle(t.Context(), body)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.pass(6 * time.Minute)
	sum := 0
	for _, d := range w.deliveries() {
		sum += d.Total
	}
	if sum != 100 || len(w.deliveries()) > 2 {
		t.Errorf("%d notices in %d deliveries", sum, len(w.deliveries()))
	}
}

func TestScanFacts(t *testing.T) {
	w := ruled(t, notify.Rule{Match: notify.Match{Labels: map[string]string{"team": "sh*"}, When: `high >= 2 && labels["team"] == "shop"`}})
	w.handle(scanned("scan-1"))
	expect(t, w, "Scan of alpine:latest completed: 2 high, 1 unknown")
}

func TestPreview(t *testing.T) {
	w := ruled(t, notify.Rule{Match: notify.Match{Severity: finding.Critical}})
	w.rule(notify.Rule{Owner: "bob", To: []notify.Target{{Endpoint: "chat", To: "@bob"}}})
	e := drift("CVE-1", "high", "a", "b")
	e.ID, e.Source, e.Tenant = "e", "test", "acme"
	extra := &notify.Rule{ID: "new", To: []notify.Target{{Endpoint: "chat"}, {Endpoint: "gone"}}, Digest: "1h"}
	got, err := w.router.Preview(t.Context(), "acme", &e, extra, noon)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range got {
		line := fmt.Sprintf("%s %s %v %d/%d %s", p.Rule, p.Target.Endpoint, p.Matches, p.Matched, p.Of, p.Against+p.Problem)
		if p.Message != nil {
			line += p.Message.Title + " " + p.Due.Format("15:04")
		}
		lines = append(lines, line)
	}
	want := []string{
		"all  false 0/2 the severity is high, the least is critical",
		"new chat true 2/2 New high CVE-1 affects 2 scans 13:00",
		`new gone true 2/2 it could not be rendered: endpoint "gone": not foundNew high CVE-1 affects 2 scans 13:00`,
		"user/bob/chat  false 0/2 it is about scans that bob submitted",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	expect(t, w)
}

// TestRouterTestsWhatIsNew: an endpoint that was set a moment ago is there for its test.
func TestRouterTestsWhatIsNew(t *testing.T) {
	w := newWorld(t)
	w.set(notify.SettingEndpoint, "old", notify.Endpoint{ID: "old", Type: "webhook"})
	if _, err := w.router.Test(t.Context(), "acme", "old", "", "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.router.Test(t.Context(), "acme", "new", "", "ann"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a test of nothing: %v", err)
	}
	w.set(notify.SettingEndpoint, "new", notify.Endpoint{ID: "new", Type: "webhook"})
	if d, err := w.router.Test(t.Context(), "acme", "new", "", "ann"); err != nil || d.Endpoint != "new" {
		t.Errorf("%+v, %v", d, err)
	}
}
