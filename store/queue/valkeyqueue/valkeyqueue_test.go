package valkeyqueue_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/queuetest"
	"github.com/stella-ops/stella/store/queue/valkeyqueue"
)

// server returns the URL of a real server.
func server(tb testing.TB) string {
	tb.Helper()
	u := os.Getenv("STELLA_TEST_VALKEY")
	if u == "" {
		tb.Skip("STELLA_TEST_VALKEY is not set: want the URL of a Valkey or Redis server, such as valkey://127.0.0.1:6379/0")
	}
	return u
}

// client speaks to the server without the driver.
func client(tb testing.TB, rawURL string) *redis.Client {
	tb.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		tb.Fatal(err)
	}
	password, _ := u.User.Password()
	c := redis.NewClient(&redis.Options{Addr: u.Host, Username: u.User.Username(), Password: password, Protocol: 2})
	tb.Cleanup(func() { c.Close() })
	return c
}

// place is a prefix on the server that nobody else uses.
type place struct {
	direct *redis.Client
	prefix string
}

func newPlace(tb testing.TB) *place {
	p := &place{client(tb, server(tb)), "test-" + strings.ToLower(rand.Text()) + ":"}
	tb.Cleanup(func() { p.lose(tb) })
	return p
}

func (p *place) open(tb testing.TB) queue.Driver {
	tb.Helper()
	d, err := valkeyqueue.Open(tb.Context(), server(tb), &valkeyqueue.Options{Prefix: p.prefix})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

// lose removes everything under the prefix.
func (p *place) lose(tb testing.TB) {
	ctx := context.WithoutCancel(tb.Context())
	for _, pattern := range []string{p.prefix + "*", "{" + p.prefix + "*"} {
		keys, err := p.direct.Keys(ctx, pattern).Result()
		if err == nil && len(keys) > 0 {
			err = p.direct.Del(ctx, keys...).Err()
		}
		if err != nil {
			tb.Error(err)
		}
	}
}

func TestDriver(t *testing.T) {
	server(t)
	var places sync.Map
	at := func(d queue.Driver) *place {
		p, _ := places.Load(d)
		return p.(*place)
	}
	open := func(t *testing.T, p *place) queue.Driver {
		d := p.open(t)
		places.Store(d, p)
		return d
	}
	queuetest.TestDriver(t, queuetest.Config{
		Open:  func(t *testing.T) queue.Driver { return open(t, newPlace(t)) },
		Again: func(t *testing.T, d queue.Driver) queue.Driver { return open(t, at(d)) },
		Lose:  func(t *testing.T, d queue.Driver) { at(d).lose(t) },
		Retained: func(t *testing.T, d queue.Driver, topic string) int {
			n, err := at(d).direct.XLen(t.Context(), at(d).prefix+topic).Result()
			if err != nil {
				t.Error(err)
			}
			return int(n)
		},
	})
}

// TestSetBack: keys that are older than what was seen mean a loss.
func TestSetBack(t *testing.T) {
	p := newPlace(t)
	d := p.open(t)
	for range 5 {
		if _, err := d.Incarnation(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := d.Incarnation(t.Context())
	if err := p.direct.Set(t.Context(), p.prefix+"{queue}ticks", 3, 0).Err(); err != nil {
		t.Fatal(err)
	}
	after, err := d.Incarnation(t.Context())
	if err != nil || after == before {
		t.Errorf("the server went back and the incarnation is still %q, %v", after, err)
	}
	if again, _ := d.Incarnation(t.Context()); again != after {
		t.Errorf("incarnation %q changed to %q without a loss", after, again)
	}
}

// TestStreamDeleted: the loss of one stream is a loss, noticed by who reads it,
// once.
func TestStreamDeleted(t *testing.T) {
	p := newPlace(t)
	d, other := p.open(t), p.open(t)
	for _, g := range []string{"a", "b"} {
		if err := d.Subscribe(t.Context(), "t", g); err != nil {
			t.Fatal(err)
		}
		if err := other.Subscribe(t.Context(), "t", g); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := d.Incarnation(t.Context())
	if err := p.direct.Del(t.Context(), p.prefix+"t").Err(); err != nil {
		t.Fatal(err)
	}
	incarnations := map[string]bool{}
	for _, reader := range []queue.Driver{d, other, d} {
		for _, g := range []string{"a", "b", "new"} {
			if _, err := reader.Receive(t.Context(), queue.Request{Topic: "t", Group: g, Consumer: "c", Max: 1, Claim: time.Minute}); err != nil {
				t.Fatal(err)
			}
			s, _ := reader.Incarnation(t.Context())
			incarnations[s] = true
		}
	}
	if len(incarnations) != 1 || incarnations[before] {
		t.Errorf("incarnation %q became %d others, want one", before, len(incarnations))
	}
}

// TestForeignHands: what other programs do to a stream loses nothing.
func TestForeignHands(t *testing.T) {
	p := newPlace(t)
	d := p.open(t)
	r := queue.Request{Topic: "t", Group: "g", Consumer: "c", Max: 10, Claim: 10 * time.Millisecond, Wait: time.Second}
	if err := d.Subscribe(t.Context(), "t", "g"); err != nil {
		t.Fatal(err)
	}
	id, err := p.direct.XAdd(t.Context(), &redis.XAddArgs{Stream: p.prefix + "t", Values: []any{"type", "scan.job"}}).Result()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := d.Receive(t.Context(), r)
	if err != nil || len(ds) != 1 || ds[0].ID != id || len(ds[0].Body) != 0 {
		t.Fatalf("an entry without our fields: got %v, %v", ds, err)
	}
	// Deleted while it is claimed: it is gone, and does not disturb.
	if err := p.direct.XDel(t.Context(), p.prefix+"t", id).Err(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	r.Wait = 100 * time.Millisecond
	if ds, err := d.Receive(t.Context(), r); err != nil || len(ds) != 0 {
		t.Errorf("a deleted entry: got %v, %v", ds, err)
	}
	if n, _ := p.direct.Exists(t.Context(), "{"+p.prefix+"t}g/due").Result(); n != 0 {
		t.Error("a deleted entry keeps its due time")
	}
	// A key of another kind is named as such.
	if err := p.direct.Set(t.Context(), p.prefix+"text", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := d.Subscribe(t.Context(), "text", "g"); !errors.Is(err, queue.ErrInvalid) || !strings.Contains(err.Error(), "prefix") {
		t.Errorf("a key that is no stream: %v", err)
	}
}

// TestSecrets: neither a server that repeats what it was told nor one that is
// away makes a password appear.
func TestSecrets(t *testing.T) {
	const secret = "hunter2/x"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					fmt.Fprintf(conn, "-ERR unknown command, with args beginning with: '%s'\r\n", secret)
				}
			}()
		}
	}()
	u := url.URL{Scheme: "valkey", User: url.UserPassword("app", secret), Host: l.Addr().String(), Path: "/0"}
	for _, state := range []string{"echoing", "away"} {
		_, err := queue.Open(t.Context(), u.String())
		if err == nil || !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%s server: %v", state, err)
		} else if s := err.Error(); strings.Contains(s, "hunter2") || !strings.Contains(s, u.Host) {
			t.Errorf("%s server: %v", state, err)
		}
		l.Close()
	}
	for _, bad := range []string{"?prefx=a", "?connections=x", "?connections=0", "?prefix=a b", "x", "#f"} {
		_, err := queue.Open(t.Context(), "valkey://app:hunter2@127.0.0.1:1/"+bad)
		if !errors.Is(err, queue.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// BenchmarkMessage measures a message's way, published, received and
// acknowledged, against the three bare commands in the same run.
func BenchmarkMessage(b *testing.B) {
	p := newPlace(b)
	d := p.open(b)
	body := make([]byte, 300)
	r := queue.Request{Topic: "t", Group: "g", Consumer: "c", Max: 1, Claim: time.Minute, Wait: time.Second}
	if err := d.Subscribe(b.Context(), "t", "g"); err != nil {
		b.Fatal(err)
	}
	m := []queue.Message{{ID: "scan-1f/queued", Body: body}}
	ours := func() {
		if err := d.Publish(b.Context(), "t", m); err != nil {
			b.Fatal(err)
		}
		ds, err := d.Receive(b.Context(), r)
		if err != nil || len(ds) != 1 {
			b.Fatal(len(ds), err)
		}
		if err := d.Settle(b.Context(), "t", "g", ds[0], queue.Settlement{}); err != nil {
			b.Fatal(err)
		}
	}
	stream := p.prefix + "raw"
	if err := p.direct.XGroupCreateMkStream(b.Context(), stream, "g", "0").Err(); err != nil {
		b.Fatal(err)
	}
	raw := func() {
		if err := p.direct.XAdd(b.Context(), &redis.XAddArgs{Stream: stream, MaxLen: 1000, Approx: true, Values: []any{"id", m[0].ID, "body", body}}).Err(); err != nil {
			b.Fatal(err)
		}
		got, err := p.direct.XReadGroup(b.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{stream, ">"}, Count: 1, Block: time.Second}).Result()
		if err != nil {
			b.Fatal(err)
		}
		if err := p.direct.XAck(b.Context(), stream, "g", got[0].Messages[0].ID).Err(); err != nil {
			b.Fatal(err)
		}
	}
	var took, bare time.Duration
	for b.Loop() {
		start := time.Now()
		raw()
		middle := time.Now()
		ours()
		took, bare = took+time.Since(middle), bare+middle.Sub(start)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ours-ns/op")
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "raw-ns/op")
	b.ReportMetric(float64(took)/float64(bare), "ours/raw")
}
