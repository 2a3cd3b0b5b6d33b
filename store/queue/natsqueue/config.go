package natsqueue

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/queue"
)

var prefixes = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)

func open(ctx context.Context, u *url.URL, opts *Options) (queue.Driver, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	config, secrets, err := parse(ctx, u, &o)
	if err != nil {
		return nil, err
	}
	// The address has no userinfo: the client quotes addresses in errors.
	address := u.Scheme + "://" + net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "4222"))
	d := &driver{o: o, secrets: secrets, streams: map[string]uint64{}, groups: map[[2]string]jetstream.Consumer{},
		claims: map[string]*claim{}, closed: make(chan struct{})}
	if d.conn, err = nats.Connect(address, config...); err != nil {
		return nil, d.fault(ctx, err)
	}
	if d.js, err = jetstream.New(d.conn, jetstream.WithPublishAsyncMaxPending(1024)); err == nil {
		err = d.check(ctx)
	}
	if err != nil {
		d.conn.Close()
		return nil, d.fault(ctx, err)
	}
	return d, nil
}

// parse turns URL and options into the client's; it completes o.
func parse(ctx context.Context, u *url.URL, o *Options) (config []nats.Option, secrets []string, err error) {
	q, err := queue.Query(u, "prefix", "replicas", "credentials")
	if err != nil {
		return nil, nil, err
	}
	o.Prefix = cmp.Or(q.Get("prefix"), o.Prefix)
	if !prefixes.MatchString(o.Prefix) {
		return nil, nil, fmt.Errorf("prefix %q: want at most 32 lower case letters, digits or '-': %w", o.Prefix, fault.Invalid)
	}
	o.Replicas = cmp.Or(o.Replicas, 1)
	if s := q.Get("replicas"); s != "" {
		if o.Replicas, err = strconv.Atoi(s); err != nil {
			return nil, nil, fmt.Errorf("query key \"replicas\": %q is not a number: %w", s, fault.Invalid)
		}
	}
	if o.Replicas < 1 || o.Replicas > 5 {
		return nil, nil, fmt.Errorf("replicas %d: want 1 to 5: %w", o.Replicas, fault.Invalid)
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return nil, nil, fmt.Errorf("want %s://host:port: %w", u.Scheme, fault.Invalid)
	}
	config = []nats.Option{
		nats.Name("stella"), nats.Timeout(5 * time.Second), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		// What cannot be sent now is an error now.
		nats.ReconnectBufSize(-1),
		// The default prints; what matters comes back as an error of a call.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if file := q.Get("credentials"); file != "" {
		config = append(config, nats.UserCredentials(file))
	}
	password, hasPassword := u.User.Password()
	switch {
	case hasPassword:
		config, secrets = append(config, nats.UserInfo(u.User.Username(), password)), []string{password}
	case u.User.Username() != "":
		config, secrets = append(config, nats.Token(u.User.Username())), []string{u.User.Username()}
	}
	if o.DialContext != nil {
		config = append(config, nats.SetCustomDialer(dialer{context.WithoutCancel(ctx), o.DialContext}))
	}
	if u.Scheme == "tls" {
		secure := &tls.Config{MinVersion: tls.VersionTLS12}
		if o.TLS != nil {
			secure = o.TLS.Clone()
		}
		config = append(config, nats.Secure(secure))
	}
	return config, secrets, nil
}

// dialer bounds each dial of the client, which has no context.
type dialer struct {
	ctx  context.Context
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial makes a connection within five seconds.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, 5*time.Second)
	defer cancel()
	return d.dial(ctx, network, address)
}

// check refuses a server that cannot carry a queue, and collects what an
// operator should know.
func (d *driver) check(ctx context.Context) error {
	if _, err := d.js.AccountInfo(ctx); err != nil {
		return err
	}
	if most := d.conn.MaxPayload(); most < queue.MaxDead+1024 {
		d.warnings = append(d.warnings, fmt.Sprintf("nats: max_payload is %d: larger messages and dead letters are refused; set \"max_payload: 2MB\"", most))
	}
	v := d.conn.ConnectedServerVersion()
	if older(v, 2, 10, 23) {
		d.warnings = append(d.warnings, "nats: the server is version "+v+", which may lose streams when it is killed; use 2.10.23 or newer")
	}
	if d.o.Replicas == 1 {
		d.warnings = append(d.warnings, "nats: streams have one replica and are synced to disk every sync_interval, by default two minutes: a power cut loses messages, which are then published again from the store; set \"sync_interval: always\" in the server's jetstream block")
	}
	_, err := d.Incarnation(ctx)
	return err
}

// older compares version numbers; a part that is no number counts as high.
func older(version string, want ...int) bool {
	parts := strings.Split(version, ".")
	for i, w := range want {
		if i >= len(parts) {
			return true
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n > w {
			return false
		}
		if n < w {
			return true
		}
	}
	return false
}
