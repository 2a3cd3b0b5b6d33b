// Package valkey is what the drivers that speak to a Valkey or Redis server share:
// the client that a URL asks for, what the server says of itself, and errors with
// a kind and without a password.
package valkey

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

// Schemes are those of the URLs; those that end with s mean TLS.
var Schemes = []string{"valkey", "valkeys", "redis", "rediss"}

// Config is what a driver's options and its URL's query ask for.
type Config struct {
	Connections int    // bounds those to the server
	Query       string // the URL's "connections", which wins; "" for none
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	TLS         *tls.Config
}

// Options turns a URL into the client's options. Commands are never repeated by
// the client: who asked knows what a lost answer means.
func Options(u *url.URL, c Config) (*redis.Options, error) {
	var err error
	if c.Query != "" {
		if c.Connections, err = strconv.Atoi(c.Query); err != nil {
			return nil, fmt.Errorf("connections=%q: want a number: %w", c.Query, fault.Invalid)
		}
	}
	if c.Connections < 1 || c.Connections > 10_000 {
		return nil, fmt.Errorf("connections=%d: want 1 to 10000: %w", c.Connections, fault.Invalid)
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
		Protocol: 2, PoolSize: c.Connections, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1,
		// Valkey does not know these.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer:                   dialer(u, c),
	}, nil
}

// dialer adds TLS where the scheme asks for it.
func dialer(u *url.URL, c Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	dial := c.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: time.Minute}).DialContext
	}
	if u.Scheme != "valkeys" && u.Scheme != "rediss" {
		return dial
	}
	config := &tls.Config{}
	if c.TLS != nil {
		config = c.TLS.Clone()
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

// Info reads what INFO answers.
func Info(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info
}

// Unfit says why a server must not be used, all reasons at once: it drops what
// (such as "keys") when memory is short, is part of a cluster, or is a replica.
func Unfit(info map[string]string, what string) []error {
	var problems []error
	refuse := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format+": %w", append(args, fault.Unsupported)...))
	}
	if p := info["maxmemory_policy"]; p != "" && p != "noeviction" {
		refuse("maxmemory-policy is %s, which drops %s when memory is short: set \"maxmemory-policy noeviction\"", p, what)
	}
	if info["cluster_enabled"] == "1" {
		refuse("the server is part of a cluster, over which several keys cannot be one transaction: use a server with \"cluster-enabled no\"")
	}
	if info["role"] == "slave" {
		refuse("the server is a replica of %s:%s: name the primary in the URL", info["master_host"], info["master_port"])
	}
	return problems
}

// Remedies end the texts of errors.
type Remedies struct {
	Commands string // what the user must be allowed to do
	Memory   string // what helps beside more of it
}

// Fault gives an error of the client its kind and takes secrets out of it. What
// the client returned cannot be reached through it.
func Fault(ctx context.Context, err error, r Remedies, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := redact.Text(err.Error(), secrets...)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%s: %w", text, ctxErr)
	}
	kind := fault.Unavailable
	var reply redis.Error
	var network net.Error
	if errors.As(err, &reply) && !errors.As(err, &network) {
		switch code, _, _ := strings.Cut(text, " "); code {
		case "NOAUTH", "WRONGPASS":
			kind, text = fault.Unauthenticated, text+": give user and password in the URL"
		case "NOPERM":
			kind, text = fault.Forbidden, text+": allow the user "+r.Commands
		case "WRONGTYPE":
			kind, text = fault.Invalid, text+": another program uses the key; set a prefix"
		case "MOVED", "CROSSSLOT":
			kind = fault.Unsupported
		case "OOM":
			text += ": raise maxmemory, or " + r.Memory
		}
	}
	return fmt.Errorf("%s: %w", text, kind)
}
