package crash

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// flood is very many messages to a receiver that answers anything, while those who deliver
// are killed.
type flood struct {
	endpoints int           // of each tenant
	events    int           // of each tenant: each is one message for each endpoint
	healthy   int           // of 100 requests
	kills     int           // at least
	pause     time.Duration // between kills, about
	patience  time.Duration // until all is delivered, once the receiver is well
}

func (f *flood) messages() int { return len(tenants) * f.endpoints * f.events }

// ordinaryFlood is 2,040 messages, the long one 100,200. With STELLA_LONG=1 the receiver
// fails so often that endpoints rest again and again.
func ordinaryFlood() *flood {
	if os.Getenv("STELLA_LONG") == "1" {
		return &flood{endpoints: 100, events: 334, healthy: 70, kills: 300, pause: 2 * time.Second, patience: 15 * time.Minute}
	}
	return &flood{endpoints: 40, events: 17, healthy: 85, kills: 10, pause: 300 * time.Millisecond, patience: hung}
}

func TestNotifyFloodSQLite(t *testing.T) {
	f := ordinaryFlood()
	if testing.Short() {
		f.events, f.kills = 3, 2
	}
	each(t, func(t *testing.T, seed uint64) { runFlood(t, sqlitePair(t), seed, f) })
}

func TestNotifyFloodPostgresValkey(t *testing.T) {
	big(t)
	f := ordinaryFlood()
	if os.Getenv("STELLA_LONG") != "1" {
		f.events = 5
	}
	each(t, func(t *testing.T, seed uint64) { runFlood(t, valkeyPair(t), seed, f) })
}

// runFlood wants each message to reach the receiver, once it is well; none to be taken
// twice unless an attempt ended without an answer; and no more than one to be taken again
// for each kill.
func runFlood(t *testing.T, p *pair, seed uint64, w *flood) {
	began := time.Now()
	receiver := notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true, Lean: true, Now: time.Now, Random: &notifytest.Random{Seed: seed, Healthy: w.healthy, Slow: true, Final: true}})
	w.set(t, p, receiver.URL())
	p.undone = []undone{{"messages to be delivered", p.undelivered}}
	base := plan{Store: p.store, Queue: p.queue, Bucket: "mem:", Seed: seed, Alarm: &alarm{Dir: checkpoints(t.TempDir()), Flood: w.endpoints, Parallel: 48},
		Lease: 4 * time.Second, Claim: 2 * time.Second, Stale: 10 * time.Second}
	f := newFleet(t, base, seed, map[string]int{"relay": 1, "notify": 1, "delivery": 2, "bystander": 1, "operator": 1})
	c := &chaos{t: t, fleet: f, pair: p}
	kills := 0
	c.phase("misbehaviour and kills", func() { kills = w.crash(c) })
	receiver.Heal()
	c.phase("all is well", func() {
		until := time.Now().Add(w.patience)
		for n, err := w.missing(c); n != 0; n, err = w.missing(c) {
			if time.Now().After(until) {
				t.Errorf("%d messages are not delivered after %v: %v", n, w.patience, err)
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
	c.endAll()
	receiver.Wait()
	o := &alarmOracle{oracle: &oracle{t: t, pair: p}, alarm: base.Alarm, receiver: receiver}
	o.read()
	o.noted()
	o.repeated()
	o.schedule()
	o.lostByKills(&f.journal, 1)
	w.reached(o)
	if n := total(o.lost) - o.late; n > f.journal.kills["delivery"] || o.againLost > n+o.late || n == 0 && kills >= 10 {
		t.Errorf("%d attempts were lost in %d kills, and %d messages taken again for them", n, f.journal.kills["delivery"], o.againLost)
	}
	t.Logf("seed %d: %d messages in %d attempts, answered %s; %d kills at %d places, of which %v; %d attempts lost and %d noted too late, %d messages taken again for them, %d for answers that were lost, all flagged; %d replayed; %d retries and %d pauses kept; %v in all",
		seed, len(o.deliveries), o.attempts(), w.answers(receiver), kills, len(f.journal.hits), f.journal.kills, total(o.lost)-o.late, o.late, o.againLost, o.again-o.againLost, f.journal.replayed, o.retries, o.pauses, time.Since(began).Round(time.Second))
}

// set gives each tenant endpoints, rules that tell all of them of each event by itself, and
// the events.
func (w *flood) set(t *testing.T, p *pair, url string) {
	t.Helper()
	root := p.openStore(t)
	if err := registerAlarm(t.Context(), root, true); err != nil {
		t.Fatal(err)
	}
	for _, name := range tenants {
		tenant, err := root.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		var rule *notify.Rule
		for i := range w.endpoints {
			id := fmt.Sprintf("hook-%d", i)
			if err := setting(t.Context(), tenant.Notify(), notify.SettingEndpoint, id, hook(id, url+"/"+name+"/"+id)); err != nil {
				t.Fatal(err)
			}
			if rule == nil {
				rule = &notify.Rule{ID: fmt.Sprintf("rule-%d", i), GroupBy: notify.GroupNone}
			}
			if rule.To = append(rule.To, notify.Target{Endpoint: id}); len(rule.To) == notify.MaxTargets || i == w.endpoints-1 {
				if err := setting(t.Context(), tenant.Notify(), notify.SettingRule, rule.ID, rule); err != nil {
					t.Fatal(err)
				}
				rule = nil
			}
		}
		for i := range w.events {
			h := happened{event: event.Event{Source: "test", ID: fmt.Sprintf("drift/%d", i), Type: event.AdvisoryDrift}}
			d := event.Drift{Head: 1, Vulnerability: fmt.Sprintf("CVE-2026-%d", i), Cause: "new", Severity: "high", Scans: []event.DriftScan{{ScanID: fmt.Sprint("scan-", i), ImageRef: "alpine:3"}}}
			if h.event.Data, err = d.Encode(); err != nil {
				t.Fatal(err)
			}
			if _, err := tenant.Once(t.Context(), "test", h.event.ID, func(tx *store.Tx) error { return tx.Announce(event.ConcelierDrift, h.event) }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// missing counts messages that were not delivered, with those that nobody decided to send.
func (w *flood) missing(c *chaos) (int, error) {
	done, err := c.pair.ofTenants(c.t.Context(), `SELECT count(*) FROM notify.notification_deliveries WHERE tenant_id = $1 AND status = 'delivered'`)
	if err != nil {
		return -1, err
	}
	return w.messages() - done, nil
}

// crash kills those who deliver, half of the time right after the receiver's answer, until
// most is delivered. Others are killed now and then.
func (w *flood) crash(c *chaos) (kills int) {
	for over := time.Now().Add(2 * time.Hour); time.Now().Before(over); kills++ {
		left, err := w.missing(c)
		if err == nil && (left < w.messages()/5 && kills >= w.kills || left == 0) {
			break
		}
		s := c.slot([]string{"delivery-1", "delivery-2"}[kills%2])
		if kills%9 == 8 {
			s = c.slot([]string{"notify-1", "relay-1", "operator-1"}[c.intn(3)])
		}
		c.isReady(s)
		var arm plan
		if s.role == "delivery" && kills%4 < 2 {
			arm = plan{Point: crashpoint.NotifySent, Nth: 1 + c.intn(4), Signal: syscall.SIGKILL}
		}
		if proc := s.proc; proc.armed { // it dies by itself
			select {
			case <-proc.done:
			case <-time.After(5 * time.Second):
			}
		} else {
			time.Sleep(w.pause/2 + time.Duration(c.intn(int(w.pause))))
		}
		c.kill(s, 0, arm)
	}
	return kills
}

// reached wants each endpoint to have taken as many messages as there were events.
func (w *flood) reached(o *alarmOracle) {
	if len(o.deliveries) != w.messages() {
		o.t.Errorf("%d messages, want %d", len(o.deliveries), w.messages())
	}
	digests, taken := map[string]string{}, map[string]map[string]bool{}
	for _, r := range o.receiver.Requests() {
		if d := o.deliveries[r.ID]; d == nil || d.digest != r.Digest || r.Path != "/"+d.tenant+"/"+d.endpoint {
			o.t.Errorf("message %s came to %s with digest %s; it is %+v", r.ID, r.Path, r.Digest, d)
		}
		if before, ok := digests[r.ID]; ok && before != r.Digest {
			o.t.Errorf("message %s was sent with other bytes than before", r.ID)
		}
		digests[r.ID] = r.Digest
		if r.Taken {
			if taken[r.Path] == nil {
				taken[r.Path] = map[string]bool{}
			}
			taken[r.Path][r.ID] = true
		}
	}
	for _, tenant := range tenants {
		for i := range w.endpoints {
			if path := fmt.Sprintf("/%s/hook-%d", tenant, i); len(taken[path]) != w.events {
				o.t.Errorf("%s took %d messages, want %d", path, len(taken[path]), w.events)
			}
		}
	}
}

// answers counts how requests were answered.
func (w *flood) answers(r *notifytest.Receiver) string {
	count := map[string]int{}
	for _, q := range r.Requests() {
		what := string(q.Action)
		if q.Action == notifytest.Answer {
			what = fmt.Sprintf("%dxx", q.Status/100)
		}
		count[what]++
	}
	var out []string
	for what, n := range count {
		out = append(out, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
