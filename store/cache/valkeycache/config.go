package valkeycache

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/cache"
)

const maxPrefix = 100

// parse turns URL and options into the client's; it completes o.
func parse(u *url.URL, o *Options) (*redis.Options, error) {
	q, err := cache.Query(u, "prefix", "connections")
	if err != nil {
		return nil, err
	}
	o.Prefix = cmp.Or(q.Get("prefix"), o.Prefix, "cache:")
	if len(o.Prefix) > maxPrefix {
		return nil, fmt.Errorf("prefix of %d bytes: want at most %d: %w", len(o.Prefix), maxPrefix, fault.Invalid)
	}
	o.Connections = cmp.Or(o.Connections, 16)
	if s := q.Get("connections"); s != "" {
		if o.Connections, err = strconv.Atoi(s); err != nil {
			return nil, fmt.Errorf("connections=%q: want a number: %w", s, fault.Invalid)
		}
	}
	if o.Connections < 1 || o.Connections > 10_000 {
		return nil, fmt.Errorf("connections=%d: want 1 to 10000: %w", o.Connections, fault.Invalid)
	}
	db := 0
	if path := strings.Trim(u.Path, "/"); path != "" {
		if db, err = strconv.Atoi(path); err != nil || db < 0 {
			return nil, fmt.Errorf("path %q: want the number of a database, such as /0: %w", u.Path, fault.Invalid)
		}
	}
	if u.Hostname() == "" || u.Fragment != "" {
		return nil, fmt.Errorf("no host: want %s://user:password@host:port/0: %w", u.Scheme, fault.Invalid)
	}
	password, _ := u.User.Password()
	return &redis.Options{
		Addr: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379")), Username: u.User.Username(), Password: password, DB: db,
		Protocol: 2, PoolSize: o.Connections, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1,
		// Valkey does not know these.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer:                   dialer(u, o),
	}, nil
}

// dialer adds TLS where the scheme asks for it.
func dialer(u *url.URL, o *Options) func(ctx context.Context, network, address string) (net.Conn, error) {
	dial := o.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: time.Minute}).DialContext
	}
	if u.Scheme != "valkeys" && u.Scheme != "rediss" {
		return dial
	}
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.ServerName = cmp.Or(config.ServerName, u.Hostname())
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}
