package crash

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/notify/notifytest"
)

// naiveDeliver does what looks right and is not: it reads the stream in a group, posts the
// message, inserts a receipt, and acknowledges. When it starts, it begins with what it did
// not acknowledge. The other order is to insert the receipt first and to post only what
// has none.
func (c *child) naiveDeliver(db *sql.DB, stream *redis.Client) error {
	stream.XGroupCreateMkStream(c.ctx, "naive:messages", "senders", "0")
	client := &http.Client{Timeout: time.Second}
	for from := "0"; ; {
		got, err := stream.XReadGroup(c.ctx, &redis.XReadGroupArgs{Group: "senders", Consumer: "sender", Streams: []string{"naive:messages", from}, Count: 10, Block: time.Second}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return err
		}
		if len(got[0].Messages) == 0 {
			from = ">"
		}
		for _, m := range got[0].Messages {
			key := fmt.Sprint(m.Values["key"])
			fresh := true
			insert := func() error {
				r, err := db.Exec(`INSERT INTO naive_receipts (key) VALUES ($1) ON CONFLICT (key) DO NOTHING`, key)
				if err == nil {
					n, _ := r.RowsAffected()
					fresh = n == 1
				}
				return err
			}
			if c.Role == "naive-noter" {
				if err := insert(); err != nil {
					return err
				}
			}
			if fresh {
				req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.Bucket, bytes.NewReader([]byte(key)))
				if err != nil {
					return err
				}
				req.Header.Set("webhook-id", key)
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				resp.Body.Close()
			}
			if c.Role == "naive-sender" {
				if err := insert(); err != nil {
					return err
				}
			}
			stream.XAck(c.ctx, "naive:messages", "senders", m.ID)
		}
	}
}

// TestNaiveSenderDoubles holds the harness itself: who posts and then notes sends messages
// twice without a flag under the kills under which ours are flagged, and who notes and then
// posts loses them.
func TestNaiveSenderDoubles(t *testing.T) {
	big(t)
	for _, role := range []string{"naive-sender", "naive-noter"} {
		t.Run(role, func(t *testing.T) { naiveSends(t, role) })
	}
}

func naiveSends(t *testing.T, role string) {
	broker, url := servers.StartValkey(t), servers.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE naive_receipts (key text PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	receiver := notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true})
	f := newFleet(t, plan{Store: url, Queue: broker.URL, Bucket: receiver.URL()}, *firstSeed, nil)
	s := &slot{role: role, name: role}
	f.slots = append(f.slots, s)
	f.start(s, plan{})
	c := &chaos{t: t, fleet: f}
	sent := 0
	for kill := 1; kill <= naiveKills; kill++ {
		c.isReady(s)
		for range 200 {
			sent++
			if _, err := respValkey(t.Context(), broker.URL, "XADD", "naive:messages", "*", "key", fmt.Sprint(sent)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(c.intn(50_000)) * time.Microsecond)
		f.kill(s, 0, plan{})
		bad := receiver.Unflagged()
		if role == "naive-noter" {
			if bad, err = naiveUnsent(t, db, receiver); err != nil {
				t.Fatal(err)
			}
		}
		if len(bad) > 0 {
			t.Logf("seed %d: after %d kills of the %s, %d of %d messages are wrong: %v", *firstSeed, kill, role, len(bad), sent, bad)
			return
		}
	}
	t.Errorf("the %s did nothing wrong in %d kills: the harness would not see it", role, naiveKills)
}

// naiveUnsent waits until each message has a receipt, and returns those that the receiver
// does not have.
func naiveUnsent(t *testing.T, db *sql.DB, receiver *notifytest.Receiver) (out []string, err error) {
	for before, still := -1, 0; still < 5; still++ { // until nothing moves
		if n := len(receiver.Requests()); n != before {
			before, still = n, 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	taken := receiver.Taken()
	rows, err := db.QueryContext(t.Context(), `SELECT key FROM naive_receipts`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		if taken[key] == 0 {
			out = append(out, key)
		}
	}
	return out, rows.Err()
}
