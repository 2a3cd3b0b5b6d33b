package crash

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// amount is how many faults of each kind one round has.
type amount struct {
	kills, stops, losses, databases, brokers int
	points                                   bool // each crash point, else a few
}

// ordinary is one round; ten of them are the long run.
var ordinary = amount{kills: 20, stops: 10, losses: 5, databases: 2, brokers: 1, points: true}

// crew is how many processes of each role there are. The last worker is the one
// that is stopped.
var crew = map[string]int{"submitter": 1, "relay": 2, "worker": 3, "web": 2, "reader": 2, "collector": 1}

func TestSQLite(t *testing.T) {
	t.Parallel()
	a := ordinary
	if testing.Short() {
		a = amount{kills: 4, stops: 2}
	}
	each(t, func(t *testing.T, seed uint64) { run(t, sqlitePair(t), seed, a) })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	big(t)
	each(t, func(t *testing.T, seed uint64) {
		run(t, postgresPair(t), seed, amount{kills: 10, stops: 4, databases: 1})
	})
}

func TestPostgresValkey(t *testing.T) {
	t.Parallel()
	big(t)
	each(t, func(t *testing.T, seed uint64) { run(t, valkeyPair(t), seed, ordinary) })
}

func TestPostgresNATS(t *testing.T) {
	t.Parallel()
	big(t)
	each(t, func(t *testing.T, seed uint64) { run(t, natsPair(t), seed, ordinary) })
}

func big(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("with -short only SQLite is crashed")
	}
}

// each runs a test with each of the seeds.
func each(t *testing.T, test func(*testing.T, uint64)) {
	for i := range rounds() {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					name, _, _ := strings.Cut(t.Name(), "/")
					t.Logf("again: go test ./internal/e2e/crash -run '^%s$' -seed %d -rounds 1", name, seed)
				}
			})
			test(t, seed)
		})
	}
}

// hung is when a drain is given up. How long one takes is reported, not asserted:
// machines are noisy.
const hung = 2 * time.Minute

// run crashes a pair under load, lets it drain, and asks the oracle.
func run(t *testing.T, p *pair, seed uint64, a amount) {
	began := time.Now()
	bucket := t.TempDir()
	base := plan{Store: p.store, Queue: p.queue, Bucket: "file:" + bucket, Images: makeImages(t), Seed: seed,
		Pace: 40 * time.Millisecond, Lease: 4 * time.Second, Claim: 2 * time.Second}
	if p.lose == nil {
		base.Stale = 5 * time.Second // the only way to have something published again
	}
	f := newFleet(t, base, seed, crew)
	c := &chaos{t: t, fleet: f, pair: p, passing: pointsOf}
	c.phase("the start", func() { c.settle(hung) })
	var wg sync.WaitGroup
	wg.Go(func() { c.phase("stops, meanwhile", func() { c.stops(a.stops) }) })
	c.phase("kills", func() { c.kills(a.kills) })
	c.phase("crash points", func() { c.points(a.points) })
	c.phase("losses", func() { c.losses(a.losses) })
	wg.Wait()
	c.phase("servers", func() { c.servers(a.databases, a.brokers) })
	c.phase("the end", func() {
		f.finish(f.slot("submitter-1"))
		c.settle(60 * time.Second)
	})
	if t.Failed() && os.Getenv("STELLA_CRASH_WAIT") == "1" {
		time.Sleep(time.Hour) // to look at what is left
	}
	for _, s := range f.slots {
		s.mu.Lock()
		f.end(s)
		s.mu.Unlock()
	}
	o := &oracle{t: t, pair: p, bucket: bucket}
	completed, cancelled := o.check(t.Context(), &f.journal)
	j := &f.journal
	if len(j.acked) == 0 || completed < len(j.acked)/2 {
		t.Errorf("%d submissions, %d completed: the load was too little to prove anything", len(j.acked), completed)
	}
	t.Logf("seed %d: %d acknowledged, %d completed, %d cancelled; kills %v; %d crash points reached; %d stops, %d taken over, %d writes refused as stale; %d losses, drained %v after the last; %d server crashes, slowest drain %v; %v in all",
		seed, len(j.acked), completed, cancelled, j.kills, len(j.hits), c.stopped, c.taken, len(j.fenced), c.lost, c.slowLoss.Round(time.Millisecond), c.crashed, c.slowServer.Round(time.Millisecond), time.Since(began).Round(time.Second))
	if a.stops > 0 && (c.taken == 0 || len(j.fenced) == 0) {
		t.Errorf("%d stops, %d takeovers, %d stale writes tried: nothing was proven", c.stopped, c.taken, len(j.fenced))
	}
}
