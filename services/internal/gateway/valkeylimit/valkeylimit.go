// Package valkeylimit is a limit of rates that the gateways of an installation have in
// common, on Valkey, or Redis 6.2 and newer. It counts by the server's clock (GCRA, one
// script for each question).
//
// It protects others from too much, not us from somebody: who asks may go on when the server
// is away, and package gateway does.
package valkeylimit

import (
	"cmp"
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/valkey"
)

// Options say how Open connects. The zero value is ready.
type Options struct {
	// Prefix stands before each key. The URL's key "prefix" wins. Default "limit:".
	Prefix string
	// Connections bounds the connections to the server. The URL's key "connections" wins.
	// Default 16.
	Connections int
	// DialContext makes connections. Default: that of a net.Dialer that gives up after 5
	// seconds.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for valkeys:// and rediss://. Default: the system's roots and the URL's host
	// name.
	TLS *tls.Config
}

// Limit is a limit in common. Make it with Open. It is safe for concurrent use.
type Limit struct {
	client *redis.Client
	prefix string
	secret string
}

//go:embed gcra.lua
var scriptText string

var script = redis.NewScript(scriptText)

// The bounds of what is asked.
const (
	maxKey   = 512 // bytes
	maxBurst = 1_000_000
	maxSpan  = 24 * time.Hour // burst × every
)

// Open prepares a limit on the server that a URL names, such as
// valkey://user:password@host:6379/0?prefix=stella:&connections=16. It connects when it is
// asked first: a gateway starts while the server is away. The error wraps fault.Invalid.
func Open(rawURL string, opts *Options) (*Limit, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open limit: the URL cannot be parsed: want valkey://user:password@host:port/0: %w", fault.Invalid)
	}
	known := false
	for _, s := range valkey.Schemes {
		known = known || s == u.Scheme
	}
	if !known {
		return nil, fmt.Errorf("open limit %s: scheme %q: want one of %v: %w", u.Redacted(), u.Scheme, valkey.Schemes, fault.Invalid)
	}
	q := u.Query()
	for key, values := range q {
		if key != "prefix" && key != "connections" || len(values) > 1 {
			return nil, fmt.Errorf("open limit %s: query key %q: there are prefix and connections, each once: %w", u.Redacted(), key, fault.Invalid)
		}
	}
	config, err := valkey.Options(u, valkey.Config{Connections: cmp.Or(o.Connections, 16), Query: q.Get("connections"), DialContext: o.DialContext, TLS: o.TLS})
	if err != nil {
		return nil, fmt.Errorf("open limit %s: %w", u.Redacted(), err)
	}
	return &Limit{client: redis.NewClient(config), prefix: cmp.Or(q.Get("prefix"), o.Prefix, "limit:"), secret: config.Password}, nil
}

// Allow counts cost under a key, of which burst are allowed at once and one each every after
// that, and reports true; or reports false, counts nothing, and says when it would. The
// error wraps fault.Invalid, or fault.Unavailable where the server is away.
func (l *Limit) Allow(ctx context.Context, key string, cost int, every time.Duration, burst int) (ok bool, retry time.Duration, err error) {
	if key == "" || len(key) > maxKey || cost < 1 || cost > burst || burst > maxBurst || every < time.Microsecond || every > maxSpan/time.Duration(burst) {
		return false, 0, fmt.Errorf("limit of %.80q: cost %d, burst %d, every %v: want a key of at most %d bytes, a cost of at most the burst, and all of it within %v: %w", key, cost, burst, every, maxKey, maxSpan, fault.Invalid)
	}
	reply, err := script.Run(ctx, l.client, []string{l.prefix + key}, cost, int64(every), burst).Slice()
	if err != nil {
		return false, 0, fmt.Errorf("limit: %w", valkey.Fault(ctx, err, valkey.Remedies{Commands: "scripts, TIME, GET and SET", Memory: "allow smaller bursts"}, l.secret))
	}
	if len(reply) == 2 {
		allowed, isNumber := reply[0].(int64)
		text, _ := reply[1].(string)
		if micros, err := strconv.ParseInt(text, 10, 64); isNumber && err == nil && micros >= 0 {
			return allowed == 1, time.Duration(micros) * time.Microsecond, nil
		}
	}
	return false, 0, fmt.Errorf("limit: the server's answer %v is none: %w", reply, fault.Unavailable)
}

// Close frees connections.
func (l *Limit) Close() error { return l.client.Close() }
