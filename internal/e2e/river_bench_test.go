package e2e

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

// scanArgs and evaluateArgs are the two halves of a scan as River jobs.
type scanArgs struct{ ID int }
type evaluateArgs struct{ ID int }

func (scanArgs) Kind() string     { return "scan" }
func (evaluateArgs) Kind() string { return "evaluate" }

// scanWorker stores results, queues the evaluation and completes, in one
// transaction.
type scanWorker struct {
	river.WorkerDefaults[scanArgs]
	pool   *pgxpool.Pool
	client **river.Client[pgx.Tx]
}

func (w *scanWorker) Work(ctx context.Context, job *river.Job[scanArgs]) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO results (id, document) VALUES ($1, $2)`, job.Args.ID, "{}"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE jobs SET status = 'evaluating' WHERE id = $1`, job.Args.ID); err != nil {
			return err
		}
		if _, err := (*w.client).InsertTx(ctx, tx, evaluateArgs{job.Args.ID}, nil); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}

type evaluateWorker struct {
	river.WorkerDefaults[evaluateArgs]
	pool *pgxpool.Pool
	done func()
}

func (w *evaluateWorker) Work(ctx context.Context, job *river.Job[evaluateArgs]) error {
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE jobs SET status = 'completed' WHERE id = $1`, job.Args.ID); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err == nil {
		w.done()
	}
	return err
}

// BenchmarkRiver does with River what BenchmarkFlow does: a job row and its
// message in one transaction, results with the next message and the completion in
// one, the end with its completion in one. It has no leases with epochs, no events
// for other groups, no inbox, no manifest, no idempotency key.
func BenchmarkRiver(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	pool, err := pgxpool.New(ctx, servers.Postgres(b))
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	for _, s := range []string{"CREATE TABLE jobs (id bigint PRIMARY KEY, status text, image text)", "CREATE TABLE results (id bigint PRIMARY KEY, document text)"} {
		if _, err := pool.Exec(ctx, s); err != nil {
			b.Fatal(err)
		}
	}
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		b.Fatal(err)
	}
	var client *river.Client[pgx.Tx]
	var done atomic.Int64
	finished := make(chan struct{})
	workers := river.NewWorkers()
	river.AddWorker(workers, &scanWorker{pool: pool, client: &client})
	river.AddWorker(workers, &evaluateWorker{pool: pool, done: func() {
		if done.Add(1) == int64(b.N) {
			close(finished)
		}
	}})
	client, err = river.NewClient(driver, &river.Config{Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 16}}, Workers: workers,
		Logger: slog.New(slog.DiscardHandler), FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	if err := client.Start(ctx); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	began := time.Now()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < b.N; i += 4 {
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
					if _, err := tx.Exec(ctx, `INSERT INTO jobs VALUES ($1, 'pending', $2)`, i, strings.Repeat("x", 40)); err != nil {
						return err
					}
					_, err := client.InsertTx(ctx, tx, scanArgs{i}, nil)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	<-finished
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "jobs/s")
	b.ReportMetric(0, "ns/op")
	b.StopTimer()
	stop()
	<-client.Stopped()
}
