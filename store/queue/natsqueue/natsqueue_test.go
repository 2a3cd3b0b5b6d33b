package natsqueue_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/natsqueue"
	"github.com/stella-ops/stella/store/queue/queuetest"
)

// server returns the URL of a real server.
func server(tb testing.TB) string {
	tb.Helper()
	u := os.Getenv("STELLA_TEST_NATS")
	if u == "" {
		tb.Skip("STELLA_TEST_NATS is not set: want the URL of a NATS server with JetStream and max_payload 2MB, such as nats://127.0.0.1:4222")
	}
	return u
}

// place is a prefix on the server that nobody else uses.
type place struct {
	js     jetstream.JetStream
	prefix string
}

func newPlace(tb testing.TB) *place {
	tb.Helper()
	u, err := url.Parse(server(tb))
	if err != nil {
		tb.Fatal(err)
	}
	password, _ := u.User.Password()
	conn, err := nats.Connect("nats://"+u.Host, nats.UserInfo(u.User.Username(), password))
	if err != nil {
		tb.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		tb.Fatal(err)
	}
	p := &place{js, "t" + strings.ToLower(rand.Text())}
	tb.Cleanup(func() {
		p.lose(tb)
		conn.Close()
	})
	return p
}

func (p *place) open(tb testing.TB) queue.Driver {
	tb.Helper()
	d, err := natsqueue.Open(tb.Context(), server(tb), &natsqueue.Options{Prefix: p.prefix})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

// stream is the name that is given to a plain topic.
func (p *place) stream(topic string) string {
	return strings.ToUpper(p.prefix) + "_" + strings.ToUpper(strings.ReplaceAll(topic, ":", "_"))
}

// lose removes everything under the prefix.
func (p *place) lose(tb testing.TB) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	var names []string
	for name := range p.js.StreamNames(ctx).Name() {
		if strings.HasPrefix(name, strings.ToUpper(p.prefix)+"_") || strings.HasPrefix(name, "KV_"+p.prefix) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := p.js.DeleteStream(ctx, name); err != nil {
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
			s, err := at(d).js.Stream(t.Context(), at(d).stream(topic))
			if err != nil {
				t.Fatal(err)
			}
			return int(s.CachedInfo().State.Msgs)
		},
	})
}

// TestSecrets: an unreachable server and a bad URL do not make a password
// appear.
func TestSecrets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "hunter2/x"
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("INFO {\"server_id\":\"x\",\"version\":\"2.12.0\",\"max_payload\":1048576,\"headers\":true,\"auth_required\":true}\r\n"))
			conn.Write([]byte("-ERR 'Authorization Violation of " + secret + "'\r\n"))
			conn.Close()
		}
	}()
	u := url.URL{Scheme: "nats", User: url.UserPassword("app", secret), Host: l.Addr().String()}
	for _, state := range []string{"echoing", "away"} {
		_, err := queue.Open(t.Context(), u.String())
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), u.Host) {
			t.Errorf("%s server: %v", state, err)
		}
		_, err = queue.Open(t.Context(), "nats://hunter2token@"+u.Host)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s server and a token: %v", state, err)
		}
		_, err = natsqueue.Open(t.Context(), "nats://hunter2token@"+u.Host, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s server and a token: %v", state, err)
		}
		l.Close()
	}
	for _, bad := range []string{"?prefx=a", "?replicas=x", "?replicas=9", "?prefix=A", "/x", "#f"} {
		_, err := queue.Open(t.Context(), "nats://app:hunter2@127.0.0.1:1"+bad)
		if !errors.Is(err, queue.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
