package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/natsqueue"
	"github.com/stella-ops/stella/store/queue/queuetest"
	"github.com/stella-ops/stella/store/queue/valkeyqueue"
)

// queueKind is one kind of server that carries queues.
type queueKind struct {
	start    func(testing.TB) string          // a shared server
	hurt     func(testing.TB) *servers.Server // one that may be hurt
	open     func(ctx context.Context, rawURL, prefix string) (queue.Driver, error)
	lose     func(t *testing.T, rawURL, prefix string)
	retained func(t *testing.T, rawURL, prefix, topic string) int
	takeover time.Duration // how long a dead process keeps a message at most
}

var queueKinds = map[string]queueKind{
	"valkey": {
		start: servers.Valkey, hurt: servers.StartValkey, lose: loseValkey, takeover: time.Second,
		open: func(ctx context.Context, rawURL, prefix string) (queue.Driver, error) {
			return valkeyqueue.Open(ctx, rawURL, &valkeyqueue.Options{Prefix: prefix})
		},
		retained: func(t *testing.T, rawURL, prefix, topic string) int {
			n, err := servers.ValkeyClient(t, rawURL).XLen(t.Context(), prefix+topic).Result()
			if err != nil {
				t.Error(err)
			}
			return int(n)
		},
	},
	"nats": {
		start: servers.NATS, hurt: servers.StartNATS, lose: loseNATS, takeover: 10 * time.Second,
		open: func(ctx context.Context, rawURL, prefix string) (queue.Driver, error) {
			return natsqueue.Open(ctx, rawURL, &natsqueue.Options{Prefix: prefix})
		},
		retained: func(t *testing.T, rawURL, prefix, topic string) int {
			s, err := natsClient(t, rawURL).Stream(t.Context(), strings.ToUpper(prefix+"_"+topic))
			if err != nil {
				t.Fatal(err)
			}
			return int(s.CachedInfo().State.Msgs)
		},
	},
}

// quiet keeps the client from printing each dial that fails.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func loseValkey(t *testing.T, rawURL, prefix string) {
	c := servers.ValkeyClient(t, rawURL)
	for _, pattern := range []string{prefix + "*", "{" + prefix + "*"} {
		keys, err := c.Keys(t.Context(), pattern).Result()
		if err == nil && len(keys) > 0 {
			err = c.Del(t.Context(), keys...).Err()
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func natsClient(t *testing.T, rawURL string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(rawURL)
	if err != nil {
		t.Fatal("connect to NATS")
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func loseNATS(t *testing.T, rawURL, prefix string) {
	js := natsClient(t, rawURL)
	var names []string
	for name := range js.StreamNames(t.Context()).Name() {
		if strings.HasPrefix(name, strings.ToUpper(prefix)+"_") || strings.HasPrefix(name, "KV_"+prefix) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}

func (k queueKind) driver(t *testing.T, rawURL, prefix string) queue.Driver {
	t.Helper()
	d, err := k.open(t.Context(), rawURL, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestQueues holds the drivers against the suite, on real servers.
func TestQueues(t *testing.T) {
	for name, k := range queueKinds {
		t.Run(name, func(t *testing.T) {
			rawURL := k.start(t)
			var prefixes sync.Map
			open := func(t *testing.T, prefix string) queue.Driver {
				d := k.driver(t, rawURL, prefix)
				prefixes.Store(d, prefix)
				return d
			}
			at := func(d queue.Driver) string {
				prefix, _ := prefixes.Load(d)
				return prefix.(string)
			}
			queuetest.TestDriver(t, queuetest.Config{
				Open:  func(t *testing.T) queue.Driver { return open(t, "t"+strings.ToLower(rand.Text())) },
				Again: func(t *testing.T, d queue.Driver) queue.Driver { return open(t, at(d)) },
				Lose:  func(t *testing.T, d queue.Driver) { k.lose(t, rawURL, at(d)) },
				Retained: func(t *testing.T, d queue.Driver, topic string) int {
					return k.retained(t, rawURL, at(d), topic)
				},
			})
		})
	}
}

// TestQueueServerDies kills and restarts the server under load. What was written
// down and not handled is published again on another incarnation, as a relay
// does; every message is handled in the end.
func TestQueueServerDies(t *testing.T) {
	const messages, kills = 300, 3
	for name, k := range queueKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis.SetLogger(quiet{})
			s := k.hurt(t)
			q := queue.New(k.driver(t, s.URL, ""))
			g, err := q.Group(t.Context(), "t", "g")
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			open := map[string]bool{} // written down and not handled
			faults, handled, incarnations := 0, 0, map[string]bool{}
			fault := func(error) { mu.Lock(); faults++; mu.Unlock() }

			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() {
				queue.Consume(ctx, g, func(_ context.Context, body []byte) error {
					mu.Lock()
					defer mu.Unlock()
					delete(open, string(body))
					handled++
					return nil
				}, &queue.Options{Parallel: 4, Claim: time.Second, Grace: time.Second, Report: fault})
			})
			publish := func(ids ...string) {
				for _, id := range ids {
					for ctx.Err() == nil {
						err := q.Publish(ctx, "t", queue.Message{ID: id, Body: []byte(id)})
						if err == nil {
							break
						}
						fault(err)
						time.Sleep(20 * time.Millisecond)
					}
				}
			}
			running.Go(func() { // the relay's eye
				last, _ := q.Incarnation(ctx)
				for ctx.Err() == nil {
					now, err := q.Incarnation(ctx)
					if err == nil && now != last {
						last = now
						mu.Lock()
						incarnations[now] = true
						again := slices.Sorted(maps.Keys(open))
						mu.Unlock()
						if _, err := q.Group(ctx, "t", "g"); err != nil {
							last = ""
						}
						publish(again...)
					}
					time.Sleep(50 * time.Millisecond)
				}
			})
			for i := range messages {
				id := fmt.Sprintf("m%04d", i)
				mu.Lock()
				open[id] = true
				mu.Unlock()
				publish(id)
				if i%(messages/kills) == messages/kills/2 {
					s.Kill(t)
					time.Sleep(300 * time.Millisecond) // the others run into it
					s.Restart(t)
					for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
						mu.Lock()
						seen := len(incarnations)
						mu.Unlock()
						if seen > i/(messages/kills) {
							break
						}
					}
				}
			}
			left := messages
			for end := time.Now().Add(60 * time.Second); left > 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				mu.Lock()
				left = len(open)
				mu.Unlock()
			}
			stop()
			running.Wait()
			if left > 0 {
				t.Errorf("%d of %d messages were never handled", left, messages)
			}
			if faults == 0 || len(incarnations) < kills {
				t.Errorf("%d faults and %d incarnations after %d kills: the test did not hurt", faults, len(incarnations), kills)
			}
			t.Logf("%d messages, %d kills, %d faults, %d incarnations, handled %d times", messages, kills, faults, len(incarnations), handled)
		})
	}
}

// TestQueueServerFreezes: a server that does not answer is an error in time.
func TestQueueServerFreezes(t *testing.T) {
	for name, k := range queueKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := k.hurt(t)
			d := k.driver(t, s.URL, "")
			r := queue.Request{Topic: "t", Group: "g", Consumer: "c", Max: 1, Claim: time.Minute, Wait: time.Second}
			if err := d.Publish(t.Context(), "t", []queue.Message{{ID: "a"}, {ID: "b"}}); err != nil {
				t.Fatal(err)
			}
			held, err := d.Receive(t.Context(), r)
			if err != nil || len(held) != 1 {
				t.Fatal(held, err)
			}
			s.Stop(t)
			time.Sleep(200 * time.Millisecond) // it stops soon, not at once
			for what, call := range map[string]func(context.Context) error{
				"publish":     func(ctx context.Context) error { return d.Publish(ctx, "t", []queue.Message{{ID: "c"}}) },
				"settle":      func(ctx context.Context) error { return d.Settle(ctx, "t", "g", held[0], queue.Settlement{}) },
				"incarnation": func(ctx context.Context) error { _, err := d.Incarnation(ctx); return err },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				start := time.Now()
				err := call(ctx)
				cancel()
				if err == nil || time.Since(start) > 8*time.Second {
					t.Errorf("%s on a frozen server: %v after %v", what, err, time.Since(start))
				}
				if !errors.Is(err, queue.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s on a frozen server: kind of %v", what, err)
				}
			}
			s.Cont(t)
			for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				if err = d.Settle(t.Context(), "t", "g", held[0], queue.Settlement{}); err == nil || time.Now().After(end) {
					break
				}
			}
			if err != nil {
				t.Errorf("after the frost: %v", err)
			}
		})
	}
}

// TestQueueConsumerDies: SIGKILL takes a consumer with its message; another gets
// it when the claim ends.
func TestQueueConsumerDies(t *testing.T) {
	const claim = 2 * time.Second
	for name, k := range queueKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rawURL, prefix := k.start(t), "t"+strings.ToLower(rand.Text())
			d := k.driver(t, rawURL, prefix)
			if err := d.Publish(t.Context(), "t", []queue.Message{{ID: "a"}}); err != nil {
				t.Fatal(err)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, "-test.run=^TestQueueVictim$", "-test.count=1")
			cmd.Env = append(os.Environ(), "STELLA_E2E_VICTIM="+name+" "+prefix+" "+claim.String()+" "+rawURL)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, 4)
			if _, err := out.Read(line); err != nil || string(line) != "held" {
				t.Errorf("the victim says %q, %v", line, err)
			}
			start := time.Now()
			cmd.Process.Kill()
			cmd.Wait()
			r := queue.Request{Topic: "t", Group: "g", Consumer: "heir", Max: 1, Claim: time.Minute, Wait: 30 * time.Second}
			ds, err := d.Receive(t.Context(), r)
			took := time.Since(start)
			if err != nil || len(ds) != 1 || ds[0].Attempt != 2 {
				t.Fatalf("got %+v, %v", ds, err)
			}
			if took > max(claim, k.takeover)+3*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("a message of a dead consumer came after %v of a claim of %v", took, claim)
		})
	}
}

// TestQueueVictim is the consumer that is killed.
func TestQueueVictim(t *testing.T) {
	words := strings.SplitN(os.Getenv("STELLA_E2E_VICTIM"), " ", 4)
	if len(words) < 4 {
		t.Skip("STELLA_E2E_VICTIM is set by TestQueueConsumerDies only")
	}
	claim, err := time.ParseDuration(words[2])
	if err != nil {
		t.Fatal(err)
	}
	d := queueKinds[words[0]].driver(t, words[3], words[1])
	ds, err := d.Receive(t.Context(), queue.Request{Topic: "t", Group: "g", Consumer: "victim", Max: 1, Claim: claim, Wait: 10 * time.Second})
	if err != nil || len(ds) != 1 {
		t.Fatal(ds, err)
	}
	fmt.Print("held")
	time.Sleep(time.Minute)
}

// TestValkeyRefused: a server that would lose messages is refused, with all
// reasons at once and without the password.
func TestValkeyRefused(t *testing.T) {
	s, other := servers.StartValkey(t), servers.StartValkey(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	c := servers.ValkeyClient(t, s.URL)
	q, err := queue.Open(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if w := strings.Join(q.Warnings(), "\n"); !strings.Contains(w, `set "appendonly yes"`) {
		t.Errorf("warnings of a server without AOF: %q", w)
	}
	if err := c.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(other.Addr, ":")
	if err := c.Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	_, err = queue.Open(t.Context(), s.URL)
	for _, want := range []string{"maxmemory-policy is allkeys-lru", "maxmemory-policy noeviction", "replica of " + other.Addr, "name the primary"} {
		if err == nil || !errors.Is(err, queue.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	// A queue that was open says so when the server became a replica.
	if err := q.Publish(t.Context(), "t", queue.Message{ID: "a"}); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("publish to a replica: %v", err)
	}
	u.User = url.UserPassword(u.User.Username(), password+"x")
	_, err = queue.Open(t.Context(), u.String())
	if !errors.Is(err, queue.ErrUnauthenticated) || strings.Contains(err.Error(), password) {
		t.Errorf("wrong password: %v", strings.ReplaceAll(err.Error(), password, "PASSWORD"))
	}
}

// TestQueueFlushed: FLUSHALL between publishing and receiving.
func TestQueueFlushed(t *testing.T) {
	s := servers.StartValkey(t)
	k := queueKinds["valkey"]
	d, other := k.driver(t, s.URL, ""), k.driver(t, s.URL, "")
	if err := d.Subscribe(t.Context(), "t", "g"); err != nil {
		t.Fatal(err)
	}
	before, _ := d.Incarnation(t.Context())
	for i := range 5 {
		id := fmt.Sprint("m", i)
		if err := d.Publish(t.Context(), "t", []queue.Message{{ID: id}}); err != nil {
			t.Fatal(err)
		}
		if err := servers.ValkeyClient(t, s.URL).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		after, err := other.Incarnation(t.Context())
		if err != nil || after == before {
			t.Errorf("incarnation %q after a flush, before %q, %v", after, before, err)
		}
		before = after
		if same, _ := d.Incarnation(t.Context()); same != after {
			t.Errorf("two drivers see %q and %q", same, after)
		}
		if err := d.Publish(t.Context(), "t", []queue.Message{{ID: id}}); err != nil {
			t.Fatal(err)
		}
		ds, err := d.Receive(t.Context(), queue.Request{Topic: "t", Group: "g", Consumer: "c", Max: 10, Claim: time.Minute, Wait: 5 * time.Second})
		if err != nil || len(ds) != 1 || ds[0].ID != id {
			t.Errorf("got %+v, %v; want %s", ds, err, id)
		}
		// Making the group again is part of the same loss.
		if same, _ := d.Incarnation(t.Context()); same != after {
			t.Errorf("the flush was counted twice: %q and %q", after, same)
		}
	}
}
