package crash

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

// naive does what looks right and is not: the submitter inserts a job, then adds
// it to the stream, and answers; a client that repeats its key gets the job that
// is there. The worker reads the stream in a group, completes the job, and
// acknowledges. It shows that the same kills lose jobs where nothing is made for
// them.
func (c *child) naive() error {
	db, err := sql.Open("pgx", c.Store)
	if err != nil {
		return err
	}
	defer db.Close()
	options, err := redis.ParseURL("redis" + c.Queue[len("valkey"):])
	if err != nil {
		return err
	}
	options.Protocol = 2
	stream := redis.NewClient(options)
	defer stream.Close()
	if err := db.Ping(); err != nil {
		return err
	}
	c.say("ready")
	switch c.Role {
	case "naive-worker":
		return c.naiveWork(db, stream)
	case "naive-sender", "naive-noter":
		return c.naiveDeliver(db, stream)
	}
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		ended.Store(true)
	}()
	for i := c.From; !ended.Load(); i++ {
		c.say("try", i)
		r, err := db.Exec(`INSERT INTO naive_jobs (key, status) VALUES ($1, 'pending') ON CONFLICT (key) DO NOTHING`, i)
		if err != nil {
			return err
		}
		if n, _ := r.RowsAffected(); n == 1 {
			if err := stream.XAdd(c.ctx, &redis.XAddArgs{Stream: "naive:jobs", Values: []any{"key", i}}).Err(); err != nil {
				return err
			}
		}
		c.say("ack", i, fmt.Sprint("job-", i), false)
	}
	return nil
}

func (c *child) naiveWork(db *sql.DB, stream *redis.Client) error {
	stream.XGroupCreateMkStream(c.ctx, "naive:jobs", "workers", "0")
	for {
		got, err := stream.XReadGroup(c.ctx, &redis.XReadGroupArgs{Group: "workers", Consumer: c.Name, Streams: []string{"naive:jobs", ">"}, Count: 10, Block: time.Second}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return err
		}
		for _, m := range got[0].Messages {
			if _, err := db.Exec(`UPDATE naive_jobs SET status = 'completed' WHERE key = $1::bigint`, m.Values["key"]); err != nil {
				return err
			}
			stream.XAck(c.ctx, "naive:jobs", "workers", m.ID)
		}
	}
}

// naiveKills bounds how long the control is crashed. One kill in ten is enough
// for it to lose something.
const naiveKills = 100

// TestNaiveLoses holds the harness itself: jobs without an outbox are lost under
// the kills that lose none of ours.
func TestNaiveLoses(t *testing.T) {
	big(t)
	for _, victim := range []string{"naive-submitter", "naive-worker"} {
		t.Run(victim, func(t *testing.T) { naiveLoses(t, victim) })
	}
}

func naiveLoses(t *testing.T, victim string) {
	broker, url := servers.StartValkey(t), servers.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE naive_jobs (key bigint PRIMARY KEY, status text NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, plan{Store: url, Queue: broker.URL}, *firstSeed, nil)
	for _, role := range []string{"naive-worker", "naive-submitter"} {
		s := &slot{role: role, name: role}
		f.slots = append(f.slots, s)
		f.start(s, plan{})
	}
	rng := rand.New(rand.NewPCG(*firstSeed, 2))
	c := &chaos{t: t, fleet: f}
	for kill := 1; kill <= naiveKills; kill++ {
		s := f.slot(victim)
		c.isReady(s)
		time.Sleep(time.Duration(20_000+rng.IntN(100_000)) * time.Microsecond)
		f.kill(s, 0, plan{})
		if kill%5 > 0 {
			continue
		}
		if lost, err := naiveLost(t.Context(), db, &f.journal); err != nil {
			t.Fatal(err)
		} else if lost > 0 {
			t.Logf("seed %d: %d acknowledged jobs lost after %d kills of the %s", *firstSeed, lost, kill, victim)
			return
		}
	}
	t.Errorf("the naive way lost nothing after %d kills of the %s: the harness would not see a loss", naiveKills, victim)
}

// naiveLost waits until nothing moves any more and counts jobs that were
// acknowledged and are not completed. The submitter is stopped meanwhile.
func naiveLost(ctx context.Context, db *sql.DB, j *journal) (int, error) {
	j.mu.Lock()
	top := j.tried
	j.mu.Unlock()
	before := -1
	for still := 0; still < 5; { // half a second without a change
		n := 0
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM naive_jobs WHERE status = 'pending' AND key <= $1`, top).Scan(&n); err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, nil
		}
		if still++; n != before {
			before, still = n, 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	rows, err := db.QueryContext(ctx, `SELECT key FROM naive_jobs WHERE status = 'pending' AND key <= $1`, top)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	lost := 0
	for rows.Next() {
		var key int
		if err := rows.Scan(&key); err != nil {
			return 0, err
		}
		j.mu.Lock()
		if j.acked[key] != "" {
			lost++
		}
		j.mu.Unlock()
	}
	return lost, rows.Err()
}
