package crash

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// alarmCrew is who tells people of what happens. The last of those who deliver is there to
// be stopped.
var alarmCrew = map[string]int{"submitter": 1, "relay": 1, "notify": 3, "delivery": 3, "timeline": 2, "operator": 1}

// alarmPoints are the crash points that each of them passes.
var alarmPoints = map[string][]crashpoint.Point{
	"notify-1": {crashpoint.NotifyRouteEvents, crashpoint.NotifyRouteRead, crashpoint.NotifyRouteGroups, crashpoint.NotifyRouteWritten, crashpoint.NotifyRouted, crashpoint.Handled},
	inlineSlot: {crashpoint.NotifySent, crashpoint.NotifyClaimed, crashpoint.NotifySettled},
	"delivery-1": {crashpoint.NotifyClaimWritten, crashpoint.NotifyClaimed, crashpoint.NotifySent, crashpoint.NotifySettleWritten, crashpoint.NotifySettled,
		crashpoint.NotifySent, crashpoint.NotifyClaimed, crashpoint.Received, crashpoint.Handled},
	"timeline-1": {crashpoint.TimelineRows, crashpoint.TimelineHead, crashpoint.TimelineAppended, crashpoint.TimelineSigned, crashpoint.TimelineKept, crashpoint.TimelinePublished},
	"operator-1": {crashpoint.NotifySetWritten, crashpoint.NotifySetDone, crashpoint.NotifyAckDone, crashpoint.TimelinePruning, crashpoint.TimelinePruned, crashpoint.NotifyReplayDone},
	"relay-1":    {crashpoint.RelayClaimed, crashpoint.RelayPublished, crashpoint.RelayMarked},
}

// fewAlarmPoints are those that matter most.
var fewAlarmPoints = map[string][]crashpoint.Point{
	"notify-1": {crashpoint.NotifyRouteWritten, crashpoint.NotifyRouted}, "delivery-1": {crashpoint.NotifyClaimed, crashpoint.NotifySent, crashpoint.NotifySent, crashpoint.NotifySettled},
	"timeline-1": {crashpoint.TimelineHead, crashpoint.TimelineKept}, "operator-1": {crashpoint.NotifyReplayDone},
}

func TestNotifySQLite(t *testing.T) {
	t.Parallel()
	a := proofAmount{kills: 8, stops: 4, points: true}
	if testing.Short() {
		a = proofAmount{kills: 2, stops: 1}
	}
	each(t, func(t *testing.T, seed uint64) { runAlarm(t, sqlitePair(t), seed, full(a)) })
}

func TestNotifyPostgres(t *testing.T) {
	t.Parallel()
	big(t)
	if os.Getenv("STELLA_LONG") != "1" {
		t.Skip("without STELLA_LONG=1 PostgreSQL is crashed with Valkey and NATS")
	}
	each(t, func(t *testing.T, seed uint64) {
		runAlarm(t, postgresPair(t), seed, full(proofAmount{kills: 4, stops: 2, databases: 1, points: true}))
	})
}

func TestNotifyPostgresValkey(t *testing.T) {
	t.Parallel()
	big(t)
	each(t, func(t *testing.T, seed uint64) {
		p := valkeyPair(t)
		p.lose = func(ctx context.Context, nth int) error {
			command := []string{"FLUSHALL"}
			if nth%2 == 1 {
				command = []string{"DEL", event.NotifyDeliveries, event.ConcelierDrift}
			}
			_, err := respValkey(ctx, p.broker.URL, command...)
			return err
		}
		runAlarm(t, p, seed, full(proofAmount{kills: 4, stops: 2, losses: 2, databases: 1, points: os.Getenv("STELLA_LONG") == "1"}))
	})
}

func TestNotifyPostgresNATS(t *testing.T) {
	t.Parallel()
	big(t)
	if os.Getenv("STELLA_LONG") != "1" {
		t.Skip("without STELLA_LONG=1 queues are lost with Valkey alone")
	}
	each(t, func(t *testing.T, seed uint64) {
		p := natsPair(t)
		p.lose = p.losingNATS(t, "NOTIFY_DELIVERIES", "CONCELIER_DRIFT")
		runAlarm(t, p, seed, full(proofAmount{kills: 4, stops: 2, losses: 2, points: true}))
	})
}

// runAlarm crashes those who tell people, while the receiver behaves badly. Then the
// receiver gets well, and the oracle looks who was told what, how often.
func runAlarm(t *testing.T, p *pair, seed uint64, a proofAmount) {
	began := time.Now()
	receiver := notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true, Now: time.Now, Random: &notifytest.Random{Seed: seed, Healthy: 88, Slow: true}})
	setAlarm(t, p, receiver.URL())
	p.undone = []undone{{"events to be decided", p.undecided}, {"events to be indexed", p.unindexed}}
	base := plan{Store: p.store, Queue: p.queue, Bucket: "mem:", Seed: seed, Alarm: &alarm{Dir: checkpoints(t.TempDir()), Attempts: 2},
		Pace: 30 * time.Millisecond, Lease: 4 * time.Second, Claim: 2 * time.Second}
	if p.lose == nil {
		base.Stale = 5 * time.Second
	}
	f := newFleet(t, base, seed, alarmCrew)
	c := &chaos{t: t, fleet: f, pair: p, passing: maps.Clone(fewAlarmPoints)}
	if a.points {
		c.passing = maps.Clone(alarmPoints)
	}
	if p.queue != "" {
		delete(c.passing, inlineSlot)
	}
	c.phase("the start", func() { c.settle(hung) })
	c.phase("crash points, and stops meanwhile", func() {
		var wg sync.WaitGroup
		wg.Go(func() { c.alarmStops(a.stops) })
		c.points(true)
		wg.Wait()
	})
	c.phase("kills", func() { c.kills(a.kills) })
	c.phase("losses", func() { c.losses(a.losses) })
	c.phase("servers", func() { c.servers(a.databases, 0) })
	c.phase("the end", func() {
		f.finish(f.slot("submitter-1"))
		receiver.Heal()
		p.undone = append(p.undone, undone{"windows to be closed", p.unclosed}, undone{"messages to be delivered", p.undelivered}, undone{"outcomes to be indexed", p.unindexed})
		c.settle(hung)
	})
	if t.Failed() && os.Getenv("STELLA_CRASH_WAIT") == "1" {
		time.Sleep(time.Hour) // to look at what is left
	}
	c.endAll()
	receiver.Wait()
	o := &alarmOracle{oracle: &oracle{t: t, pair: p}, alarm: base.Alarm, receiver: receiver}
	seen := o.check(&f.journal)
	if a.points {
		c.wantHits("notify", "timeline")
	}
	o.lostByKills(&f.journal, 1+c.crashed)
	t.Logf("seed %d: %d events; kills %v; %d crash points reached; %d stops, %d taken over, %d settlements refused as stale; %d replayed; %d losses, %d server crashes; %s; %v in all",
		seed, len(f.journal.acked), f.journal.kills, len(f.journal.hits), c.stopped, c.taken, len(f.journal.fenced), f.journal.replayed, c.lost, c.crashed, seen, time.Since(began).Round(time.Second))
	if a.stops > 0 && (c.taken == 0 || len(f.journal.fenced) == 0) {
		t.Errorf("%d stops, %d takeovers, %d stale settlements: nothing was proven", c.stopped, c.taken, len(f.journal.fenced))
	}
}

func (c *chaos) endAll() {
	for _, s := range c.slots {
		s.mu.Lock()
		c.end(s)
		s.mu.Unlock()
	}
}

// alarmSites are where somebody is stopped: who delivers with a claim, and with the answer
// of the receiver; who publishes with a checkpoint that is signed; and all of them inside of
// their transactions.
var alarmSites = []struct {
	slot string
	at   crashpoint.Point
}{
	{"delivery-3", crashpoint.NotifySent}, {"notify-2", crashpoint.NotifyRouteWritten}, {"delivery-3", crashpoint.NotifyClaimed}, {"timeline-2", crashpoint.TimelineSigned},
	{"delivery-3", crashpoint.NotifySettleWritten}, {"timeline-2", crashpoint.TimelineHead}, {"delivery-3", crashpoint.NotifyClaimWritten}, {"notify-2", crashpoint.NotifyRouted},
}

// alarmStops stops somebody for longer than his lease, or until another one has his
// delivery, and lets him go on.
func (c *chaos) alarmStops(n int) {
	for i := range n {
		site := alarmSites[i%len(alarmSites)]
		s := c.slot(site.slot)
		c.kill(s, 0, plan{Point: site.at, Nth: c.nth(site.at), Signal: syscall.SIGSTOP, Lease: time.Second})
		proc := s.proc
		var delivery string
		var epoch int64
		hit := false
		for over := time.Now().Add(40 * time.Second); !hit && time.Now().Before(over); {
			line, _ := proc.wait("", time.Second)
			fmt.Sscanf(line, "claimed %s %d", &delivery, &epoch)
			hit = line == "hit "+string(site.at)
		}
		if !hit {
			c.t.Errorf("stop %d: %s did not reach %s: %v", i, site.slot, site.at, proc.last.Load())
			continue
		}
		c.stopped++
		if site.at == crashpoint.NotifySent || site.at == crashpoint.NotifyClaimed {
			if c.deliveredByOther(delivery, epoch) {
				c.taken++
			}
		} else {
			time.Sleep(1500 * time.Millisecond) // most hold locks
		}
		proc.cmd.Process.Signal(syscall.SIGCONT)
		proc.wait("fenced", time.Second)
		c.kill(s, 0, plan{})
	}
}

// deliveredByOther waits until somebody else has a delivery.
func (c *chaos) deliveredByOther(delivery string, epoch int64) bool {
	for over := time.Now().Add(10 * time.Second); time.Now().Before(over); time.Sleep(50 * time.Millisecond) {
		for _, tenant := range tenants {
			n, err := c.pair.count(c.t.Context(), "stella_app", tenant, `SELECT count(*) FROM notify.notification_deliveries WHERE tenant_id = $1 AND id = $2 AND epoch > $3`, tenant, delivery, epoch)
			if err == nil && n > 0 {
				return true
			}
		}
	}
	return false
}

// undecided counts events that nobody decided about.
func (p *pair) undecided(ctx context.Context, before int64) (int, error) {
	return p.count(ctx, "stella_relay", "", `SELECT count(*) FROM transport.outbox o WHERE o.topic IN ('scanner:events', 'concelier:drift', 'policy:events') AND o.created_us <= $1
		AND NOT EXISTS (SELECT 1 FROM transport.inbox i WHERE i.tenant_id = o.tenant_id AND i.group_name = 'notify-workers' AND i.event_id = o.event_id)`, before)
}

// unindexed counts events that are not on a timeline.
func (p *pair) unindexed(ctx context.Context, before int64) (int, error) {
	return p.count(ctx, "stella_relay", "", `SELECT count(*) FROM transport.outbox o WHERE o.topic IN ('scanner:events', 'concelier:drift', 'policy:events', 'notify:events') AND o.created_us <= $1
		AND NOT EXISTS (SELECT 1 FROM transport.inbox i WHERE i.tenant_id = o.tenant_id AND i.group_name = 'timeline' AND i.event_id = o.event_id)`, before)
}

// ofTenants adds what a query counts for each tenant.
func (p *pair) ofTenants(ctx context.Context, query string, args ...any) (n int, err error) {
	for _, tenant := range tenants {
		some, err := p.count(ctx, "stella_app", tenant, query, append([]any{tenant}, args...)...)
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// unclosed counts windows that have something to tell, and incidents that nobody takes
// care of.
func (p *pair) unclosed(ctx context.Context, _ int64) (int, error) {
	return p.ofTenants(ctx, `SELECT (SELECT count(*) FROM notify.groups g WHERE g.tenant_id = $1 AND g.due_us > 0 AND g.notices > 0)
		+ (SELECT count(*) FROM notify.incidents i WHERE i.tenant_id = $1 AND i.due_us > 0)`)
}

// undelivered counts messages that did not reach their receivers.
func (p *pair) undelivered(ctx context.Context, before int64) (int, error) {
	return p.ofTenants(ctx, `SELECT count(*) FROM notify.notification_deliveries WHERE tenant_id = $1 AND created_us <= $2 AND status NOT IN ('delivered', 'suppressed')`, before)
}

// openStore opens the store of a pair for an oracle.
func (p *pair) openStore(t *testing.T) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}
