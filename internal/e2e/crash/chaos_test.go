package crash

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/crashpoint"
)

// chaos makes the faults of one round.
type chaos struct {
	t *testing.T
	*fleet
	pair    *pair
	passing map[string][]crashpoint.Point // the crash points that each slot passes

	stopped, taken       int
	lost, crashed        int // how often the queue, and a server
	slowLoss, slowServer time.Duration
}

func (c *chaos) phase(what string, f func()) {
	began := time.Now()
	f()
	c.t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
}

// settle wants all that has begun to be done within a time.
func (c *chaos) settle(limit time.Duration) time.Duration {
	c.t.Helper()
	began := time.Now()
	took, err := c.pair.drained(c.t.Context(), limit)
	if err != nil {
		c.t.Errorf("not drained: %v", err)
		c.waiting(began.UnixMicro())
	}
	return took
}

// waiting logs what began before a time and is not done, for who has to find out
// why.
func (c *chaos) waiting(before int64) {
	log := func(r *sql.Rows) error {
		var id, status, more string
		var n, m, at int64
		err := r.Scan(&id, &status, &n, &m, &at, &more)
		c.t.Logf("%s: %s, %d, %d, at %d (%v ago): %s", id, status, n, m, at, time.Since(time.UnixMicro(at)).Round(time.Millisecond), more)
		return err
	}
	look := func(role, tenant, query string, args ...any) {
		if err := c.pair.rows(c.t.Context(), role, tenant, log, query, args...); err != nil {
			c.t.Log(err)
		}
	}
	for _, tenant := range tenants {
		look("stella_app", tenant, `SELECT job_id, status, lease_epoch, eval_epoch, updated_us, lease_holder || ' ' || reason FROM scanner.scan_jobs WHERE tenant_id = $1 AND created_us <= $2
			AND status IN ('pending', 'running', 'evaluating') ORDER BY created_us LIMIT 5`, tenant, before)
		look("stella_app", tenant, `SELECT o.event_id, o.topic, o.state, o.publishes, o.published_us, coalesce((SELECT max(i.group_name) FROM transport.inbox i WHERE i.tenant_id = o.tenant_id AND i.event_id = o.event_id), 'not consumed')
			FROM transport.outbox o JOIN scanner.scan_jobs j ON j.tenant_id = o.tenant_id AND o.event_id LIKE j.job_id || '/%' WHERE o.tenant_id = $1 AND j.created_us <= $2
			AND j.status IN ('pending', 'running', 'evaluating') ORDER BY o.seq LIMIT 20`, tenant, before)
	}
	look("stella_relay", "", `SELECT o.event_id, o.topic, o.state, o.publishes, o.published_us, o.type FROM transport.outbox o WHERE o.topic = 'scanner:events' AND o.created_us <= $1
		AND NOT EXISTS (SELECT 1 FROM scanner.crash_effects e WHERE e.tenant_id = o.tenant_id AND e.event_id = o.event_id) LIMIT 10`, before)
	for _, s := range c.slots {
		if s.proc != nil {
			c.t.Logf("%s: last report: %v", s.name, s.proc.last.Load())
		}
	}
}

// stopSlot is the worker that is stopped and not killed.
const stopSlot = "worker-3"

// kills ends random processes at random times.
func (c *chaos) kills(n int) {
	var victims []*slot
	for _, s := range c.slots {
		if s.name != stopSlot {
			victims = append(victims, s)
		}
	}
	for range n {
		s := victims[c.intn(len(victims))]
		c.isReady(s)
		time.Sleep(time.Duration(c.intn(300_000)) * time.Microsecond)
		pause := time.Duration(0)
		if c.intn(4) == 0 {
			pause = time.Duration(c.intn(500)) * time.Millisecond
		}
		c.kill(s, pause, plan{})
	}
}

func (c *chaos) isReady(s *slot) {
	s.mu.Lock()
	proc := s.proc
	s.mu.Unlock()
	select {
	case <-proc.ready:
	case <-time.After(30 * time.Second):
		c.t.Errorf("%s does not come up: %v", s.name, proc.last.Load())
	}
}

// stopSites are where the worker is stopped: between a claim and its results,
// right before it writes, and while it holds a lock in the store.
var stopSites = []crashpoint.Point{
	beforeComplete, afterClaim, crashpoint.WorkerNamed, crashpoint.CompletePackages, beforeComplete, beforeResolve,
	crashpoint.WorkerScanned, crashpoint.WorkerFragment, beforeComplete, crashpoint.CompleteEvent, crashpoint.WorkerSBOM,
}

// inside says whether the stopped worker holds a lock.
func inside(p crashpoint.Point) bool {
	return p == crashpoint.CompletePackages || p == crashpoint.CompleteEvent
}

// stops freezes the worker for longer than its lease, has another take its job,
// and lets it go on.
func (c *chaos) stops(n int) {
	first := c.intn(len(stopSites))
	for i := range n {
		site := stopSites[(first+i)%len(stopSites)]
		s := c.slot(stopSlot)
		c.kill(s, 0, plan{Point: site, Nth: c.nth(site), Signal: syscall.SIGSTOP, Lease: time.Second})
		proc := s.proc
		var claimed []string
		hit := false
		for over := time.Now().Add(40 * time.Second); !hit && time.Now().Before(over); {
			line, ok := proc.wait("", time.Second)
			hit = ok && strings.HasPrefix(line, "hit ")
			if ok && strings.HasPrefix(line, "claimed ") {
				claimed = strings.Fields(line)
			}
		}
		if !hit || claimed == nil {
			c.t.Errorf("stop %d: %s was not reached: %v", i, site, proc.last.Load())
			continue
		}
		c.stopped++
		if inside(site) {
			c.whileLocked(site)
		} else if c.takenOver(claimed) {
			c.taken++
		}
		proc.cmd.Process.Signal(syscall.SIGCONT)
		proc.wait("fenced", time.Second)
	}
	c.kill(c.slot(stopSlot), 0, plan{})
}

// takenOver waits until another worker has the job.
func (c *chaos) takenOver(claimed []string) bool {
	epoch, _ := strconv.Atoi(claimed[2])
	for over := time.Now().Add(15 * time.Second); time.Now().Before(over); time.Sleep(50 * time.Millisecond) {
		for _, tenant := range tenants {
			n, err := c.pair.count(c.t.Context(), "stella_app", tenant, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id = $2 AND lease_epoch > $3`, tenant, claimed[1], epoch)
			if err == nil && n > 0 {
				return true
			}
		}
	}
	return false
}

// whileLocked wants others to go on while a worker is frozen with a lock on its
// job, as far as the store has more than one lock. Those that store the same
// document wait for its index, until the server ends the idle transaction after
// 15 seconds.
func (c *chaos) whileLocked(site crashpoint.Point) {
	if c.pair.postgres == nil {
		time.Sleep(1200 * time.Millisecond)
		return
	}
	time.Sleep(1500 * time.Millisecond) // its lease ends
	before := c.completed()
	for range 300 {
		time.Sleep(100 * time.Millisecond)
		if c.completed() > before+3 {
			return
		}
	}
	c.t.Errorf("a worker that is frozen at %s keeps everybody else from working", site)
}

func (c *chaos) completed() int {
	all := 0
	for _, tenant := range tenants {
		n, _ := c.pair.count(c.t.Context(), "stella_app", tenant, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = $1 AND status = 'completed'`, tenant)
		all += n
	}
	return all
}

// pointsOf are the crash points that each role passes.
var pointsOf = map[string][]crashpoint.Point{
	"submitter-1": {crashpoint.SubmitBegin, crashpoint.SubmitKey, crashpoint.SubmitJob, crashpoint.SubmitEvent, crashpoint.SubmitCommitted, crashpoint.CancelCommitted},
	"relay-1":     {crashpoint.SweepRequeued, crashpoint.RelayClaimed, crashpoint.RelayPublished, crashpoint.RelayMarked},
	"worker-1": {crashpoint.Received, crashpoint.ClaimBegin, crashpoint.ClaimUpdated, crashpoint.ClaimCommitted, crashpoint.WorkerScanned, crashpoint.WorkerFragment,
		crashpoint.WorkerSBOM, crashpoint.WorkerNamed, crashpoint.Settled},
	"worker-2": {crashpoint.FailCommitted, crashpoint.CompleteSBOM, crashpoint.CompletePackages, crashpoint.CompleteFindings, crashpoint.CompleteGate, crashpoint.CompleteEvent, crashpoint.CompleteDone,
		crashpoint.Handled, crashpoint.BlobWritten, crashpoint.BlobSynced, crashpoint.BlobNamed},
	"web-1": {crashpoint.Received, crashpoint.EvaluateClaimed, crashpoint.EvaluateVerdict, crashpoint.EvaluateSigned, crashpoint.EvaluateUpdated, crashpoint.EvaluateDone,
		crashpoint.Handled, crashpoint.Settled},
	"reader-1":    {crashpoint.Received, crashpoint.Handled, crashpoint.Settled},
	"collector-1": {crashpoint.CollectListed, crashpoint.CollectChecked},
}

// few are those of a short run.
var few = []crashpoint.Point{crashpoint.SubmitCommitted, crashpoint.RelayPublished, crashpoint.ClaimCommitted, crashpoint.CompleteDone, crashpoint.EvaluateUpdated, crashpoint.Handled}

// points kills a process at each crash point. Roles go at the same time.
func (c *chaos) points(all bool) {
	var wg sync.WaitGroup
	for name, points := range c.passing {
		wg.Go(func() {
			for _, p := range points {
				if all || slices.Contains(few, p) {
					c.dieAt(c.slot(name), p)
				}
			}
			c.kill(c.slot(name), 0, plan{})
		})
	}
	wg.Wait()
	if !all || c.pair.proof || c.pair.undone != nil {
		return
	}
	c.republished()
	c.wantHits("scan", "relay", "queue", "blob") // the others have tests of their own
}

// wantHits wants a process to have been killed at each point of flows.
func (c *chaos) wantHits(flows ...string) {
	for _, p := range crashpoint.All() {
		flow, _, _ := strings.Cut(string(p), ".")
		if c.journal.hits[p] == 0 && slices.Contains(flows, flow) {
			c.t.Errorf("no process was killed at %s", p)
		}
	}
}

// perJob is how often a point is passed for one job, or as good as; 0 is for what
// is rare. What comes back comes first, so a process that died at its first job
// would always kill the same one, which is given up after five times.
var perJob = map[crashpoint.Point]int{
	crashpoint.WorkerFragment: 2, crashpoint.BlobWritten: 6, crashpoint.BlobSynced: 6, crashpoint.BlobNamed: 6,
	crashpoint.SweepRequeued: 0, crashpoint.FailCommitted: 0, crashpoint.CancelCommitted: 0, crashpoint.CollectListed: 0, crashpoint.CollectChecked: 0,
	crashpoint.NotifySetWritten: 0, crashpoint.NotifySetDone: 0, crashpoint.NotifyReplayDone: 0, crashpoint.NotifyAckDone: 0, crashpoint.TimelinePruning: 0, crashpoint.TimelinePruned: 0,
}

// nth chooses when to die, which is not at the first job.
func (c *chaos) nth(p crashpoint.Point) int {
	each, special := perJob[p]
	switch {
	case special && each == 0:
		return 1
	case special:
		return each + 1 + c.intn(2*each)
	}
	return 2 + c.intn(2)
}

func (c *chaos) dieAt(s *slot, p crashpoint.Point) {
	c.kill(s, 0, plan{Point: p, Nth: c.nth(p), Signal: syscall.SIGKILL})
	select {
	case <-s.proc.done:
	case <-time.After(60 * time.Second):
		c.t.Errorf("%s did not reach %s: %v", s.name, p, s.proc.last.Load())
	}
}

// republished kills a relay that has just found that the queue lost something,
// while nobody reads events. Readers are ended, not stopped: one that is frozen
// may hold the only lock of SQLite.
func (c *chaos) republished() {
	for _, name := range []string{"relay-2", "reader-1", "reader-2"} {
		s := c.slot(name)
		s.mu.Lock()
		c.end(s)
		s.mu.Unlock()
		defer c.kill(s, 0, plan{})
	}
	relay := c.slot("relay-1")
	c.kill(relay, 0, plan{Point: crashpoint.RelayRepublished, Nth: 1, Signal: syscall.SIGKILL})
	c.isReady(relay)
	time.Sleep(2 * time.Second)
	if c.pair.lose != nil {
		if err := c.pair.lose(c.t.Context(), 0); err != nil {
			c.t.Errorf("lose the queue: %v", err)
		}
	}
	select {
	case <-relay.proc.done:
	case <-time.After(30 * time.Second):
		c.t.Errorf("%s did not reach %s: %v", relay.name, crashpoint.RelayRepublished, relay.proc.last.Load())
	}
	c.kill(relay, 0, plan{})
}

// losses makes the queue lose all or a part of what it has, over and over under
// load. All that was submitted until the last is to be done in time.
func (c *chaos) losses(n int) {
	if c.pair.lose == nil || n == 0 {
		return
	}
	for i := range n {
		time.Sleep(time.Duration(200+c.intn(1500)) * time.Millisecond)
		if err := c.pair.lose(c.t.Context(), i); err != nil {
			c.t.Errorf("lose the queue: %v", err)
		}
		c.lost++
	}
	c.slowLoss = c.settle(hung)
}

// servers kills them under load and starts them again.
func (c *chaos) servers(databases, brokers int) {
	var wg sync.WaitGroup
	took := make([]time.Duration, databases+brokers)
	for i := range took {
		s := c.pair.postgres
		if i >= databases {
			wg.Wait() // the drain of one crash is not to wait for the end of another
			s = c.pair.broker
		}
		if s == nil {
			continue
		}
		time.Sleep(time.Duration(500+c.intn(1500)) * time.Millisecond)
		s.Kill(c.t)
		time.Sleep(time.Duration(c.intn(1000)) * time.Millisecond)
		s.Restart(c.t)
		c.crashed++
		wg.Go(func() { took[i] = c.settle(hung) })
	}
	wg.Wait()
	c.slowServer = slices.Max(append(took, 0))
}
