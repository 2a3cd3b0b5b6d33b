package loops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

const (
	loopScans  = 50
	loopImages = 20 // several scans have the same document
	loopHeads  = 8  // at least
)

var loopTenants = []string{"alpha", "beta"}

// TestAdvisoryLoop has scans of two tenants complete at random times while
// advisories change, on PostgreSQL and Valkey, with two processes' worth of every
// worker. In the end each scan was told, once for each vulnerability and head, of
// exactly what matching it in full with every head says, and was evaluated with
// exactly the heads that concern it: also those that were committed between its
// matching and its completion.
func TestAdvisoryLoop(t *testing.T) {
	d := servers.PostgresStore(t)
	l := &loop{T: t, url: d.App, queue: servers.Valkey(t) + "?prefix=loop-" + strings.ToLower(fmt.Sprintf("%x", time.Now().UnixNano())), dir: t.TempDir(), told: map[string]int{}}
	var err error
	if l.bucket, err = blob.Open(t.Context(), "mem:"); err != nil {
		t.Fatal(err)
	}
	defer l.bucket.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for i := range 2 {
		l.nodes = append(l.nodes, l.start(ctx, &running, fmt.Sprint("node-", i)))
	}
	l.publisher()
	l.scansBefore(5)
	l.race()
	l.settle()
	stop()
	running.Wait()
	l.compare(d.App)
}

// loop is the whole of the test.
type loop struct {
	*testing.T
	url, queue, dir string
	bucket          *blob.Bucket
	nodes           []*loopNode
	ingester        *ingest.Ingester
	heads           *ingest.Publisher
	source          loopSource
	scans           []loopScan
	faults          atomic.Int64

	mu   sync.Mutex
	told map[string]int // how often each line was announced
}

type loopScan struct{ tenant, id string }

// loopNode is what one process has.
type loopNode struct {
	root    *store.Root
	matcher *snapshot.Matcher
}

func (l *loop) report(err error) {
	if l.faults.Add(1) <= 10 {
		l.Logf("reported: %v", err)
	}
}

// start starts what one process runs: of every kind of worker several.
func (l *loop) start(ctx context.Context, running *sync.WaitGroup, name string) *loopNode {
	root, err := store.Open(ctx, l.url)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { root.Close() })
	messages, err := queue.Open(ctx, l.queue)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { messages.Close() })
	advisories := root.Advisories(l.bucket)
	n := &loopNode{root: root, matcher: &snapshot.Matcher{Heads: advisories, Cache: ingest.Cache(filepath.Join(l.dir, name), advisories)}}
	for _, r := range []struct {
		topic, group string
		types        []event.Type
	}{{event.ScannerEvents, event.GroupScannerWeb, []event.Type{event.SBOMCreated}}, {event.ConcelierDrift, event.GroupNotify, nil}} {
		if err := root.Register(ctx, r.topic, r.group, r.types...); err != nil { // the others are registered from the start
			l.Fatal(err)
		}
	}
	finder := &drift.Worker{Store: root.Drift(), Views: n.matcher.Cache.Views}
	scheduler := &schedule.Scheduler{Store: root.Schedule()}
	completer := &scan.Completer{Holder: name, Jobs: func(tenant string) (scan.Evaluations, error) { return world.Part(root, tenant, (*store.Tenant).Scans) }}
	for _, c := range []struct {
		topic, group string
		handle       func(context.Context, []byte) error
	}{
		{event.ScannerJobs, event.GroupScannerWorkers, l.worker(n, name).Handle}, {event.ScannerEvents, event.GroupScannerWeb, completer.Handle},
		{event.ConcelierDeltas, event.GroupConcelier, finder.Handle}, {event.ConcelierDeltas, event.GroupScheduler, scheduler.Handle},
		{event.ConcelierDrift, event.GroupScheduler, scheduler.Handle}, {event.ConcelierDrift, event.GroupNotify, func(ctx context.Context, body []byte) error { return l.notify(ctx, n, body) }},
		{event.SchedulerEvaluations, event.GroupPolicyWorkers, l.evaluator(n, name).Handle},
	} {
		g, err := messages.Group(ctx, c.topic, c.group)
		if err != nil {
			l.Fatal(err)
		}
		running.Go(func() {
			queue.Consume(ctx, g, c.handle, &queue.Options{Consumer: name, Parallel: 3, Report: l.report})
		})
	}
	running.Go(func() {
		root.Relay(messages, &store.RelayOptions{Poll: 50 * time.Millisecond, Report: l.report}).Run(ctx)
	})
	return n
}

// lingering lets time pass between matching and completing.
type lingering struct{ *snapshot.Matcher }

func (m lingering) Match(ctx context.Context, doc *sbom.Document) (*finding.Report, error) {
	r, err := m.Matcher.Match(ctx, doc)
	time.Sleep(rand.N(150 * time.Millisecond))
	return r, err
}

func (l *loop) worker(n *loopNode, name string) *scan.Worker {
	w := world.Worker(n.root, l.bucket, name)
	w.Matcher, w.Index, w.Report = lingering{n.matcher}, advisory.Keys, l.report
	return w
}

func (l *loop) evaluator(n *loopNode, name string) *schedule.Evaluator {
	return &schedule.Evaluator{
		Jobs: func(tenant string) (schedule.Evaluations, error) {
			return world.Part(n.root, tenant, (*store.Tenant).Evaluations)
		},
		Objects: func(tenant string) (schedule.Objects, error) { return l.bucket.Sub(tenant) },
		Decode:  world.Decode,
		Match:   n.matcher.MatchAt,
		Holder:  name,
	}
}

// notify writes down what is announced, once for each event.
func (l *loop) notify(ctx context.Context, n *loopNode, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	d, err := event.DecodeDrift(e)
	if err != nil {
		return err
	}
	t, err := n.root.Tenant(e.Tenant)
	if err != nil {
		return err
	}
	first, err := t.Once(ctx, event.GroupNotify, e.ID, func(*store.Tx) error { return nil })
	if !first || err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range d.Scans {
		l.told[line(e.Tenant, s.ScanID, d.Head, d.Vulnerability, d.Cause)]++
	}
	return nil
}

func line(tenant, id string, head int64, vulnerability, cause string) string {
	return fmt.Sprintf("%s %s head %d: %s %s", tenant, id, head, vulnerability, cause)
}

// loopSource publishes one document of records, and of what is exploited.
type loopSource struct {
	random  *rand.Rand
	step    int // of what is published
	last    int // number of a record
	records []*loopRecord
	text    []byte
}

type loopRecord struct {
	number, modified, fixed int // fixed in that version, 0 for nowhere
	ecosystem, name         string
	severity                string
	withdrawn, exploited    bool
	alias                   string // of another record, which leads to a CVE id; "" for a CVE id of its own
}

// change has something happen that a publisher does, up to three times.
func (s *loopSource) change() {
	s.step++
	for range 1 + s.random.IntN(3) {
		if len(s.records) < 6 || s.random.IntN(3) == 0 {
			s.last++
			alias := ""
			if len(s.records) > 0 && s.random.IntN(4) == 0 {
				alias = fmt.Sprint("LOOP-", s.records[s.random.IntN(len(s.records))].number)
			}
			s.records = append(s.records, &loopRecord{alias: alias, number: s.last, modified: s.step, fixed: s.random.IntN(5), severity: "LOW",
				ecosystem: []string{"Alpine:v3.20", "PyPI"}[s.random.IntN(2)], name: world.Names[s.random.IntN(len(world.Names))]})
			continue
		}
		i := s.random.IntN(len(s.records))
		r := s.records[i]
		r.modified = s.step
		switch s.random.IntN(6) {
		case 0, 1:
			r.fixed = s.random.IntN(5)
		case 2:
			r.severity = []string{"LOW", "HIGH", "CRITICAL"}[s.random.IntN(3)]
		case 3:
			r.withdrawn = !r.withdrawn
		case 4:
			r.exploited = !r.exploited
		case 5: // its number comes never again
			s.records = slices.Delete(s.records, i, i+1)
		}
	}
	s.text = s.encode()
}

func (s *loopSource) encode() []byte {
	at := func(step int) string {
		return time.Date(2026, 1, 1, 0, step, 0, 0, time.UTC).Format(time.RFC3339)
	}
	var out loopDocument
	for _, r := range s.records {
		cve := fmt.Sprint("CVE-2026-", 10000+r.number)
		events := []map[string]string{{"introduced": "0"}}
		if r.fixed > 0 {
			events = append(events, map[string]string{"fixed": fmt.Sprint(r.fixed, ".0") + map[string]string{"Alpine:v3.20": "-r0"}[r.ecosystem]})
		}
		record := map[string]any{"id": fmt.Sprint("LOOP-", r.number), "modified": at(r.modified), "aliases": []string{cmp.Or(r.alias, cve)}, "summary": "Hole", "database_specific": map[string]any{"severity": r.severity},
			"affected": []any{map[string]any{"package": map[string]string{"ecosystem": r.ecosystem, "name": r.name}, "ranges": []any{map[string]any{"type": "ECOSYSTEM", "events": events}}}}}
		if r.withdrawn {
			record["withdrawn"] = at(r.modified)
		}
		text, _ := json.Marshal(record) // of texts alone
		out.Records = append(out.Records, text)
		if r.exploited {
			out.Exploited = append(out.Exploited, cve)
		}
	}
	text, _ := json.Marshal(out)
	return text
}

type loopDocument struct {
	Records   []json.RawMessage
	Exploited []string
}

func (s *loopSource) Describe() advisory.Description { return advisory.Description{Name: "loop"} }

func (s *loopSource) Fetch(_ context.Context, _ advisory.Door, _ []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return &advisory.Fetched{Complete: true}, emit(&advisory.Document{Source: "loop", Name: "all.json", URL: "https://loop.test/all.json", Content: s.text, Signature: advisory.Unsigned})
}

func (s *loopSource) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		var d loopDocument
		if err := json.Unmarshal(doc.Content, &d); err != nil {
			yield(nil, err)
			return
		}
		for _, text := range d.Records {
			if r, err := osv.Parse(text, nil); !yield(r, err) {
				return
			}
		}
		for _, cve := range d.Exploited {
			if !yield(&advisory.Signal{Vulnerability: cve, Exploited: "2026-01-01"}, nil) {
				return
			}
		}
	}
}

// publisher sets up who makes heads.
func (l *loop) publisher() {
	advisories := l.nodes[0].root.Advisories(l.bucket)
	seed := rand.Uint64()
	l.Logf("what is published is drawn with seed %d", seed)
	l.source.random = rand.New(rand.NewPCG(seed, 1))
	l.ingester = &ingest.Ingester{Store: advisories, Holder: "node-0"}
	l.heads = &ingest.Publisher{Heads: advisories, Objects: advisories, Cache: l.nodes[0].matcher.Cache}
}

// publish makes another head, if what changed is one.
func (l *loop) publish() {
	l.source.change()
	out, err := l.ingester.Run(l.Context(), &l.source)
	if err == nil && (out.Held != "" || out.Problems+out.Quarantined > 0) {
		err = fmt.Errorf("%+v", out)
	}
	if err == nil {
		_, err = l.heads.Publish(l.Context())
	}
	if err != nil {
		l.Fatal(err)
	}
}

func (l *loop) submit(i int) {
	tenant := loopTenants[rand.IntN(2)]
	scans, err := world.Part(l.nodes[i%2].root, tenant, (*store.Tenant).Scans)
	if err != nil {
		l.Error(err)
		return
	}
	job, _, err := scans.Submit(l.Context(), scan.Request{Image: fmt.Sprint("registry.test/image:", i%loopImages)}, "")
	if err != nil {
		l.Error(err)
		return
	}
	l.scans = append(l.scans, loopScan{tenant, job.ID})
}

// completed reports whether all scans are.
func (l *loop) completed() bool {
	for _, s := range l.scans {
		scans, err := world.Part(l.nodes[0].root, s.tenant, (*store.Tenant).Scans)
		if err != nil {
			l.Fatal(err)
		}
		job, err := scans.Job(l.Context(), s.id)
		if err != nil {
			l.Fatal(err)
		}
		if !job.State.Terminal() {
			return false
		}
		if job.State != scan.Completed {
			l.Fatalf("%s is %s: %s", s.id, job.State, job.Reason)
		}
	}
	return true
}

func (l *loop) await(what string, limit time.Duration, done func() bool) {
	l.Helper()
	for over := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(over) {
			l.Errorf("%s: not after %v", what, limit)
			return
		}
	}
}

// scansBefore completes scans before there is any head.
func (l *loop) scansBefore(n int) {
	for i := range n {
		l.submit(i)
	}
	l.await("scans before the first head", 10*time.Second, l.completed)
}

// race completes scans while heads are committed.
func (l *loop) race() {
	var submitting sync.WaitGroup
	var ended atomic.Bool
	submitting.Go(func() {
		defer ended.Store(true)
		for i := len(l.scans); i < loopScans; i++ {
			l.submit(i)
			time.Sleep(rand.N(50 * time.Millisecond))
		}
	})
	for n := 0; n < loopHeads || !ended.Load(); n++ {
		l.publish()
		time.Sleep(rand.N(100 * time.Millisecond))
	}
	submitting.Wait()
	l.await("all scans", 10*time.Second, l.completed)
	l.publish() // one that concerns completed scans alone
}

// settle waits until nobody has anything left to do.
func (l *loop) settle() {
	db := servers.Connect(l, l.url)
	idle := func() bool {
		waiting := 0
		err := asRole(l.Context(), db, "stella_relay", `SELECT count(*) FROM scheduler.evaluations WHERE state IN ('pending', 'running')`, func(row func(...any) error) error { return row(&waiting) })
		if err != nil {
			l.Fatal(err)
		}
		// What every group has consumed is settled by collecting, which is safe at any time.
		if _, err := l.nodes[1].root.Collect(l.Context(), nil); err != nil {
			l.Fatal(err)
		}
		for _, topic := range []string{event.ScannerJobs, event.ScannerEvents, event.ConcelierDeltas, event.ConcelierDrift, event.SchedulerEvaluations} {
			b, err := l.nodes[1].root.Backlog(l.Context(), topic)
			if err != nil {
				l.Fatal(err)
			}
			waiting += b.Pending + b.Published
		}
		return waiting == 0
	}
	l.await("everything is handled", 15*time.Second, func() bool {
		once := idle() // what is on its way is in none of the places
		return once && idle()
	})
}
