// Package valkeycache is the driver of package cache for Valkey, and for Redis
// 6.2 and newer: one server, or the primary of a group. Importing it makes the
// schemes valkey, valkeys, redis and rediss known to cache.Open.
//
// A key expires by the server's clock; a clock that is set forward lets keys
// expire early. A server that is asked for a key and does not answer is an error,
// and nothing is asked twice: an Add whose answer was lost would report false.
package valkeycache

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/valkey"
	"github.com/stella-ops/stella/store/cache"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported // the server would drop keys
	ErrNotFound        error = fault.NotFound
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrUnavailable     error = fault.Unavailable // the server is away, or full: refuse
)

func init() {
	for _, scheme := range []string{"valkey", "valkeys", "redis", "rediss"} {
		cache.Register(scheme, func(ctx context.Context, u *url.URL) (cache.Driver, error) { return open(ctx, u, nil) })
	}
}

// Options say how Open connects. The zero value is ready.
type Options struct {
	// Prefix stands before each key. The URL's key "prefix" wins. Default
	// "cache:".
	Prefix string
	// Connections bounds the connections to the server. The URL's key
	// "connections" wins. Default 16.
	Connections int
	// DialContext makes connections. Default: that of a net.Dialer that gives up
	// after 5 seconds.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for valkeys:// and rediss://. Default: the system's roots and the
	// URL's host name.
	TLS *tls.Config
}

// Open connects to the server that a URL names, such as
// valkey://user:password@host:6379/0?prefix=stella:&connections=16. valkeys and
// rediss mean TLS. It refuses, naming all reasons at once, a server that drops
// keys when memory is short, is a replica, or is part of a cluster.
func Open(ctx context.Context, rawURL string, opts *Options) (cache.Driver, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open cache: the URL cannot be parsed: want valkey://user:password@host:port/0: %w", fault.Invalid)
	}
	d, err := open(ctx, u, opts)
	if err != nil {
		return nil, fmt.Errorf("open cache %s: %w", u.Redacted(), err)
	}
	return d, nil
}

func open(ctx context.Context, u *url.URL, opts *Options) (cache.Driver, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	q, err := cache.Query(u, "prefix", "connections")
	if err != nil {
		return nil, err
	}
	o.Prefix = cmp.Or(q.Get("prefix"), o.Prefix, "cache:")
	if len(o.Prefix) > maxPrefix {
		return nil, fmt.Errorf("prefix of %d bytes: want at most %d: %w", len(o.Prefix), maxPrefix, fault.Invalid)
	}
	config, err := valkey.Options(u, valkey.Config{Connections: cmp.Or(o.Connections, 16), Query: q.Get("connections"), DialContext: o.DialContext, TLS: o.TLS})
	if err != nil {
		return nil, err
	}
	d := &driver{client: redis.NewClient(config), prefix: o.Prefix, secret: config.Password}
	if err := d.check(ctx); err != nil {
		d.client.Close()
		return nil, err
	}
	return d, nil
}

const maxPrefix = 100 // bytes

type driver struct {
	client *redis.Client
	prefix string
	secret string
	tick   atomic.Int64 // of the last look at the epoch
}

// entries keep the cache's keys apart from the epoch's.
func (d *driver) entry(key string) string { return d.prefix + "k:" + key }

func (d *driver) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if value == nil {
		value = []byte{}
	}
	err := d.client.SetArgs(ctx, d.entry(key), value, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, d.fault(ctx, err)
}

func (d *driver) Get(ctx context.Context, key string) ([]byte, error) {
	b, err := d.client.Get(ctx, d.entry(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("no such key: %w", fault.NotFound)
	}
	return b, d.fault(ctx, err)
}

func (d *driver) Delete(ctx context.Context, key string) error {
	return d.fault(ctx, d.client.Del(ctx, d.entry(key)).Err())
}

//go:embed epoch.lua
var epochText string

var epochScript = redis.NewScript(epochText)

// Epoch changes when the server's keys are gone, when they are older than this
// process remembers, with each start of the server, and when it drops keys to
// save memory.
func (d *driver) Epoch(ctx context.Context) (string, error) {
	reply, err := epochScript.Run(ctx, d.client, []string{d.prefix + "epoch", d.prefix + "tick"}, rand.Text(), d.tick.Load()).Slice()
	if err != nil {
		return "", d.fault(ctx, err)
	}
	word, _ := reply[0].(string)
	tick, _ := reply[1].(int64)
	if len(reply) != 2 || word == "" || tick == 0 {
		return "", fmt.Errorf("the server's answer is no epoch: %v: %w", reply, fault.Unavailable)
	}
	for last := d.tick.Load(); last < tick && !d.tick.CompareAndSwap(last, tick); last = d.tick.Load() {
	}
	info, err := d.info(ctx, "server", "stats")
	if err != nil {
		return "", err
	}
	return word + "/" + info["run_id"] + "/" + info["evicted_keys"], nil
}

func (d *driver) Close() error {
	if err := d.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return d.fault(context.Background(), err)
	}
	return nil
}

// info asks for sections of what the server says of itself, in one trip.
func (d *driver) info(ctx context.Context, sections ...string) (map[string]string, error) {
	replies, err := d.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, s := range sections {
			p.Info(ctx, s)
		}
		return nil
	})
	if err != nil {
		return nil, d.fault(ctx, err)
	}
	out := map[string]string{}
	for _, r := range replies {
		text, _ := r.(*redis.StringCmd)
		maps.Copy(out, valkey.Info(text.Val()))
	}
	return out, nil
}

// check refuses a server that would lose keys.
func (d *driver) check(ctx context.Context) error {
	info, err := d.info(ctx, "server", "memory", "replication", "cluster")
	if err != nil {
		return err
	}
	problems := valkey.Unfit(info, "keys before their time")
	if info["run_id"] == "" {
		problems = append(problems, fmt.Errorf("the server does not tell its run_id, so that a restart that loses keys would go unnoticed: allow the user INFO: %w", fault.Unsupported))
	}
	return errors.Join(problems...)
}

func (d *driver) fault(ctx context.Context, err error) error {
	return valkey.Fault(ctx, err, valkey.Remedies{Commands: "SET, GET, DEL, scripts and INFO", Memory: "keep keys for a shorter time"}, d.secret)
}
