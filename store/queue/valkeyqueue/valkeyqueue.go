// Package valkeyqueue is the driver of package queue for Valkey 7.2 and newer
// and for Redis 6.2 and newer: one server, or the primary of a group.
//
// A topic is a stream of its name. Beside it, {topic}group/due holds until when
// each message that was delivered is claimed, by the server's clock, and
// {topic}group/state what is known of those that came back. A stream is trimmed
// to what a group that is registered in it has not acknowledged, so a server
// that lost its groups must hear of all of them before messages are published
// again. No key expires.
//
// A server that acknowledges before it writes may lose what it acknowledged,
// also with an append-only file (appendfsync everysec). Incarnation therefore
// changes with each start of the server, when its keys are gone, and when they
// are older than this process remembers.
package valkeyqueue

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/valkey"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/internal/pace"
)

// Options say how Open connects. The zero value is ready.
type Options struct {
	// Prefix stands before each key. The URL's key "prefix" wins.
	Prefix string
	// Connections bounds the connections to the server; each waiting consumer
	// has one. The URL's key "connections" wins. Default: 64.
	Connections int
	// DialContext makes connections. Default: that of a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for valkeys:// and rediss://. Default: the system's roots and the
	// URL's host name.
	TLS *tls.Config
}

func init() {
	for _, scheme := range valkey.Schemes {
		queue.Register(scheme, func(ctx context.Context, u *url.URL) (queue.Driver, error) { return open(ctx, u, nil) })
	}
}

// Open connects to the server that a URL names, such as
// valkey://user:password@host:6379/0?prefix=stella:&connections=64. valkeys and
// rediss mean TLS. It refuses, naming all reasons at once, a server that may
// drop messages, cannot be written to, or is too old. The driver's method
// Warnings says what else an operator should know.
func Open(ctx context.Context, rawURL string, opts *Options) (queue.Driver, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open valkey queue: the URL cannot be parsed: %w", fault.Invalid)
	}
	d, err := open(ctx, u, opts)
	if err != nil {
		return nil, fmt.Errorf("open valkey queue %s: %w", u.Host, err)
	}
	return d, nil
}

func open(ctx context.Context, u *url.URL, opts *Options) (queue.Driver, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	q, err := queue.Query(u, "prefix", "connections")
	if err != nil {
		return nil, err
	}
	o.Prefix = cmp.Or(q.Get("prefix"), o.Prefix)
	if !prefixes.MatchString(o.Prefix) {
		return nil, fmt.Errorf("prefix %q: want at most 100 letters, digits, '-', '_', ':' or '.': %w", o.Prefix, fault.Invalid)
	}
	config, err := valkey.Options(u, valkey.Config{Connections: cmp.Or(o.Connections, 64), Query: q.Get("connections"), DialContext: o.DialContext, TLS: o.TLS})
	if err != nil {
		return nil, err
	}
	d := &driver{client: redis.NewClient(config), prefix: o.Prefix, secrets: []string{config.Password},
		groups: map[[2]string]string{}, closed: make(chan struct{})}
	if err := d.check(ctx); err != nil {
		d.client.Close()
		return nil, err
	}
	return d, nil
}

var prefixes = regexp.MustCompile(`^[A-Za-z0-9_:.-]{0,100}$`)

type driver struct {
	client   *redis.Client
	prefix   string
	secrets  []string
	warnings []string

	mu     sync.Mutex
	groups map[[2]string]string // by topic and group: the incarnation when it was there

	look sync.Mutex
	seen string // the key of the incarnation at the last look
	tick int64  // and the number of that look

	trims   pace.Trims
	closing sync.Once
	closed  chan struct{}
}

// key returns the stream of a topic.
func (d *driver) key(topic string) string { return d.prefix + topic }

// keys returns a group's keys, in the order of the scripts.
func (d *driver) keys(topic, group string) []string {
	stream := d.key(topic)
	return []string{stream, "{" + stream + "}" + group + "/due", "{" + stream + "}" + group + "/state"}
}

func (d *driver) Publish(ctx context.Context, topic string, messages []queue.Message) error {
	// A pipeline is bounded in what it makes the client hold.
	const most, bytes = 256, 8 << 20
	for len(messages) > 0 {
		if err := d.ready(ctx); err != nil {
			return err
		}
		n, size := 0, 0
		_, err := d.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for ; n < min(len(messages), most) && (n == 0 || size < bytes); n++ {
				m := messages[n]
				size += len(m.Body)
				p.XAdd(ctx, &redis.XAddArgs{Stream: d.key(topic), Values: []any{"id", m.ID, "body", m.Body}})
			}
			return nil
		})
		if err != nil {
			return d.fault(ctx, err)
		}
		messages = messages[n:]
	}
	return nil
}

func (d *driver) Subscribe(ctx context.Context, topic, group string) error {
	return d.subscribe(ctx, topic, group, "")
}

// again makes a group that a command did not find. If it was there, and nobody
// has noticed a loss since, there is a new incarnation.
func (d *driver) again(ctx context.Context, topic, group string) error {
	d.mu.Lock()
	expect := d.groups[[2]string{topic, group}]
	d.mu.Unlock()
	return d.subscribe(ctx, topic, group, expect)
}

// subscribe makes a group, and a new incarnation where it is still expect.
func (d *driver) subscribe(ctx context.Context, topic, group, expect string) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	keys := append(d.keys(topic, group), d.incarnationKeys()[0])
	incarnation, err := subscribeScript.Run(ctx, d.client, keys, group, expect, rand.Text()).Text()
	if err != nil {
		return d.fault(ctx, err)
	}
	d.mu.Lock()
	d.groups[[2]string{topic, group}] = incarnation
	d.mu.Unlock()
	return nil
}

// Warnings says what an operator should know about the server.
func (d *driver) Warnings() []string { return d.warnings }

func (d *driver) Close() error {
	var err error
	d.closing.Do(func() {
		close(d.closed)
		err = d.client.Close()
	})
	return err
}
