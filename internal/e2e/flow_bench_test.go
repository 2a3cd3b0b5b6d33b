package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/natsqueue"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
	"github.com/stella-ops/stella/store/sqlite"
)

// commits is how many transactions a job takes by itself: submit, claim, complete,
// claim of the evaluation, finish. Those of relay and queue come on top.
const commits = 5

// BenchmarkFlow takes jobs from submission to completion, with outbox, relay,
// queue, two consumers and their inbox. In the same run it measures single-row
// inserts, each committed; the store's own statements without transport (direct);
// and for Valkey XADD, XREADGROUP and XACK of one message at a time.
func BenchmarkFlow(b *testing.B) {
	b.Run("embedded", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "stella.db")
		root, err := sqlite.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		defer root.Close()
		raw := rawInserts(b, "sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate", 1)
		benchmarkFlow(b, root, queue.New(root.QueueDriver()), map[string]float64{"inserts/s": raw})
	})
	for name, open := range map[string]func(b *testing.B, root *store.Root) (*queue.Queue, error){
		"postgres": func(_ *testing.B, root *store.Root) (*queue.Queue, error) { return queue.New(root.QueueDriver()), nil },
		"postgres+valkey": func(b *testing.B, _ *store.Root) (*queue.Queue, error) {
			return queue.Open(b.Context(), servers.Valkey(b))
		},
		"postgres+nats": func(b *testing.B, _ *store.Root) (*queue.Queue, error) {
			return queue.Open(b.Context(), servers.NATS(b))
		},
	} {
		b.Run(name, func(b *testing.B) {
			d := servers.PostgresStore(b)
			root, err := store.Open(b.Context(), d.App)
			if err != nil {
				b.Fatal(err)
			}
			defer root.Close()
			q, err := open(b, root)
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			raw := map[string]float64{"inserts/s": rawInserts(b, "pgx", d.Owner, 8)}
			if strings.HasSuffix(name, "valkey") {
				raw["streams/s"] = rawStreams(b, servers.Valkey(b))
			}
			benchmarkFlow(b, root, q, raw)
		})
	}
}

// rawInserts returns how many single-row inserts the engine commits in a second.
func rawInserts(b *testing.B, driver, url string, clients int) float64 {
	b.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)
	if _, err := db.Exec(`CREATE TABLE raw (a text, b text, c integer)`); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(began) < 2*time.Second {
				if _, err := db.Exec(`INSERT INTO raw VALUES ($1, $2, $3)`, "job", strings.Repeat("x", 200), 1); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// rawStreams returns how many messages one client passes through a stream in a
// second, one at a time.
func rawStreams(b *testing.B, url string) float64 {
	b.Helper()
	opts, err := redis.ParseURL(strings.Replace(url, "valkey://", "redis://", 1))
	if err != nil {
		b.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	ctx := b.Context()
	if err := c.XGroupCreateMkStream(ctx, "raw", "g", "0").Err(); err != nil {
		b.Fatal(err)
	}
	n, began := 0, time.Now()
	for ; time.Since(began) < 2*time.Second; n++ {
		if err := c.XAdd(ctx, &redis.XAddArgs{Stream: "raw", Values: []string{"body", "x"}}).Err(); err != nil {
			b.Fatal(err)
		}
		got, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"raw", ">"}, Count: 1}).Result()
		if err != nil {
			b.Fatal(err)
		}
		if err := c.XAck(ctx, "raw", "g", got[0].Messages[0].ID).Err(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

// direct returns how many jobs a second go through the store's own statements,
// when nothing has to be carried anywhere.
func direct(b *testing.B, root *store.Root) float64 {
	b.Helper()
	t, err := root.Tenant("direct")
	if err != nil {
		b.Fatal(err)
	}
	scans, ctx := t.Scans(), b.Context()
	one := func() error {
		j, _, err := scans.Submit(ctx, scan.Request{Image: "image"}, "")
		if err != nil {
			return err
		}
		l, err := scans.Claim(ctx, scan.ClaimRequest{JobID: j.ID, Holder: "w", Message: j.ID + "/job/1", Length: time.Minute})
		if err != nil {
			return err
		}
		if err := scans.Complete(ctx, *l, smallResults()); err != nil {
			return err
		}
		e, err := scans.ClaimEvaluation(ctx, scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: time.Minute})
		if err != nil {
			return err
		}
		return scans.FinishEvaluation(ctx, e.Lease, scan.Conclusion{})
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range 8 {
		wg.Go(func() {
			for time.Since(began) < 2*time.Second {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

func benchmarkFlow(b *testing.B, root *store.Root, q *queue.Queue, raw map[string]float64) {
	raw["direct-jobs/s"] = direct(b, root)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	acme, err := root.Tenant("acme")
	if err != nil {
		b.Fatal(err)
	}
	scans := acme.Scans()
	for topic, group := range map[string]string{event.ScannerJobs: event.GroupScannerWorkers, event.ScannerEvents: event.GroupScannerWeb} {
		var types []event.Type
		if topic == event.ScannerEvents {
			types = []event.Type{event.SBOMCreated}
		}
		if err := root.Register(ctx, topic, group, types...); err != nil {
			b.Fatal(err)
		}
	}
	var done atomic.Int64
	finished := make(chan struct{})
	work := func(ctx context.Context, body []byte) error {
		e, err := event.Decode(body)
		if err != nil {
			return err
		}
		s, err := event.DecodeScan(e)
		if err != nil {
			return err
		}
		l, err := scans.Claim(ctx, scan.ClaimRequest{JobID: s.JobID, Holder: "w", Message: e.ID, Length: time.Minute})
		if err != nil {
			return err
		}
		return scans.Complete(ctx, *l, smallResults())
	}
	completer := &scan.Completer{Holder: "web", Jobs: func(string) (scan.Evaluations, error) { return scans, nil }}
	complete := func(ctx context.Context, body []byte) error {
		e, err := event.Decode(body)
		if err != nil || e.Type != event.SBOMCreated {
			return err
		}
		if err := completer.Handle(ctx, body); err != nil {
			return err
		}
		if done.Add(1) == int64(b.N) {
			close(finished)
		}
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		root.Relay(q, &store.RelayOptions{Window: 256, Report: func(err error) { b.Log(err) }}).Run(ctx)
	})
	for topic, c := range map[string]struct {
		group  string
		handle func(context.Context, []byte) error
	}{event.ScannerJobs: {event.GroupScannerWorkers, work}, event.ScannerEvents: {event.GroupScannerWeb, complete}} {
		g, err := q.Group(ctx, topic, c.group)
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			queue.Consume(ctx, g, c.handle, &queue.Options{Parallel: 8, Report: func(err error) { b.Log(err) }})
		})
	}
	b.ResetTimer()
	began := time.Now()
	for client := range 4 {
		wg.Go(func() {
			for i := client; i < b.N; i += 4 {
				if _, _, err := scans.Submit(ctx, scan.Request{Image: fmt.Sprint("image-", i)}, ""); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	<-finished
	took := time.Since(began).Seconds()
	b.StopTimer()
	stop()
	wg.Wait()
	jobs := float64(b.N) / took
	b.ReportMetric(jobs, "jobs/s")
	for name, n := range raw {
		b.ReportMetric(n, name)
	}
	b.ReportMetric(commits*jobs/raw["inserts/s"], "commits/insert")
	b.ReportMetric(jobs/raw["direct-jobs/s"], "flow/direct")
	b.ReportMetric(0, "ns/op")
}

func smallResults() scan.Results {
	ref := blob.Ref{Digest: "sha256:" + strings.Repeat("a", 64), Size: 2}
	return scan.Results{ImageDigest: "sha256:c", SBOMDigest: ref.Digest, Documents: []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: ref, Content: []byte("{}")}},
		Packages: []scan.PackageFact{{ID: "p", Name: "musl", Version: "1.2.5-r0", PURL: "pkg:apk/alpine/musl@1.2.5-r0"}}}
}
