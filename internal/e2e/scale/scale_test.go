// Package scale says by simulation how throughput grows with the number of workers.
// docs/scale.md explains the model and shows what it gives.
package scale

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// model is an installation with a backlog that never ends. Times are in seconds.
type model struct {
	workers, slots int     // processes, and scans at a time in each
	fetch          float64 // of the registry, for each scan: waiting, not work
	cores, compute float64 // of a worker's machine, and of them what a scan takes
	claim, finish  float64 // work of the database before a scan and after it, by one core
	database       int     // cores of the database
}

// event is something that happens at a time.
type event struct {
	at float64
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// station serves so many at a time, in the order in which they come.
type station struct {
	free    int
	waiting []func()
	busy    float64 // server-seconds
}

// world is one simulation.
type world struct {
	model
	now    float64
	events events
	random *rand.Rand
	db     station
	cpu    []station
	done   int
}

func (w *world) after(d float64, do func()) { heap.Push(&w.events, event{w.now + d, do}) }

// vary is a time with that mean, which is never below a half of it.
func (w *world) vary(mean float64) float64 { return mean/2 + w.random.ExpFloat64()*mean/2 }

// serve has a station work for somebody, and calls next afterwards.
func (w *world) serve(s *station, mean float64, next func()) {
	begin := func() {
		d := w.vary(mean)
		s.busy += d
		w.after(d, func() {
			if len(s.waiting) > 0 {
				first := s.waiting[0]
				s.waiting = s.waiting[1:]
				first()
			} else {
				s.free++
			}
			next()
		})
	}
	if s.free > 0 {
		s.free--
		begin()
		return
	}
	s.waiting = append(s.waiting, begin)
}

// run returns scans a second, and how busy the database is.
func (m model) run(seed uint64, seconds float64) (throughput, busy float64) {
	w := &world{model: m, random: rand.New(rand.NewPCG(seed, 1)), db: station{free: m.database}, cpu: make([]station, m.workers)}
	for i := range w.cpu {
		w.cpu[i].free = int(m.cores)
		for range m.slots {
			var scan func()
			scan = func() {
				w.serve(&w.db, m.claim, func() {
					w.after(w.vary(m.fetch), func() {
						w.serve(&w.cpu[i], m.compute, func() {
							w.done++
							scan()
							w.serve(&w.db, m.finish, func() {})
						})
					})
				})
			}
			w.after(w.random.Float64()*m.fetch, scan)
		}
	}
	warm := seconds / 5
	counted, before := 0, 0.0
	for w.now < seconds && len(w.events) > 0 {
		e := heap.Pop(&w.events).(event)
		if w.now < warm && e.at >= warm {
			counted, before = w.done, w.db.busy
		}
		w.now = e.at
		e.do()
	}
	span := w.now - warm
	return float64(w.done-counted) / span, (w.db.busy - before) / span / float64(m.database)
}

// The database's work for one scan: measured 182 scans/s on two cores that it shares with
// everybody who asks it (docs/benchmarks.md, "Jobs"), so at most 11 ms of a core.
const work = 0.011

// cold is an image that has to be fetched, cached one whose layers are known.
var (
	cold   = model{slots: 2, fetch: 2, cores: 2, compute: 1, claim: work / 5, finish: work * 4 / 5, database: 8}
	cached = model{slots: 2, fetch: 0.02, cores: 2, compute: 0.03, claim: work / 5, finish: work * 4 / 5, database: 8}
)

// TestScale: images that have to be fetched scale to 100 workers, since workers wait and the
// database does not; with images that are known the database is what ends it.
func TestScale(t *testing.T) {
	var table strings.Builder
	last := map[string]float64{}
	for _, n := range []int{1, 2, 5, 10, 20, 50, 100} {
		for name, m := range map[string]model{"cold": cold, "cached": cached} {
			m.workers = n
			x, busy := m.run(7, 120)
			last[fmt.Sprint(name, n)] = x
			fmt.Fprintf(&table, "%-6s %3d workers: %7.1f scans/s, database %3.0f %% busy\n", name, n, x, busy*100)
		}
	}
	t.Log("\n" + table.String())
	if got := last["cold100"] / last["cold1"]; got < 90 {
		t.Errorf("100 workers do %.1f times what one does, with images that have to be fetched", got)
	}
	if bound := float64(cached.database) / work; last["cached100"] > bound*1.02 || last["cached100"] < bound*0.9 {
		t.Errorf("100 workers do %.0f scans/s of known images; the database bounds that at %.0f", last["cached100"], bound)
	}
	if got := last["cached2"] / last["cached1"]; got < 1.8 {
		t.Errorf("two workers do %.2f times what one does, with known images", got)
	}
}
