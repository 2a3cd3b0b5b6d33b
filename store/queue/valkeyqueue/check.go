package valkeyqueue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

// check refuses a server that would lose or refuse messages, and collects what
// an operator should know.
func (d *driver) check(ctx context.Context) error {
	text, err := d.client.Info(ctx).Result()
	if err != nil {
		return d.fault(ctx, err)
	}
	info := parseInfo(text)
	var problems []error
	refuse := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format+": %w", append(args, fault.Unsupported)...))
	}
	if p := info["maxmemory_policy"]; p != "" && p != "noeviction" {
		refuse("maxmemory-policy is %s, which drops messages when memory is short: set \"maxmemory-policy noeviction\"", p)
	}
	if info["cluster_enabled"] == "1" {
		refuse("the server is part of a cluster, over which a topic and its dead letters cannot be one transaction: use a server with \"cluster-enabled no\"")
	}
	if info["role"] == "slave" {
		refuse("the server is a replica of %s:%s: name the primary in the URL", info["master_host"], info["master_port"])
	}
	if v := info["redis_version"]; older(v, 6, 2) {
		refuse("the server speaks as version %s: use Valkey, or Redis 6.2 or newer", v)
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	if info["aof_enabled"] == "0" {
		d.warnings = append(d.warnings, "valkey: appendonly is off: a restart loses messages, which are then published again from the store; set \"appendonly yes\"")
	}
	if info["maxmemory"] == "0" {
		d.warnings = append(d.warnings, "valkey: maxmemory is not set: a backlog may use all memory of the machine; set \"maxmemory\"")
	}
	if info["run_id"] == "" {
		d.warnings = append(d.warnings, "valkey: the server does not tell its run_id: that it restarted and lost messages may go unnoticed")
	}
	// The first look is what later losses are held against.
	_, err = d.Incarnation(ctx)
	return err
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info
}

// older compares the first two numbers of a version; one it cannot read is not
// older.
func older(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a < major || a == major && b < minor)
}

// incarnationKeys cannot be names of topics.
func (d *driver) incarnationKeys() []string {
	return []string{d.prefix + "{queue}incarnation", d.prefix + "{queue}ticks"}
}

func (d *driver) Incarnation(ctx context.Context) (string, error) {
	if err := d.ready(ctx); err != nil {
		return "", err
	}
	d.look.Lock()
	defer d.look.Unlock() // of two looks at a time, one number would seem to go back
	reply, err := incarnationScript.Run(ctx, d.client, d.incarnationKeys(), rand.Text(), d.tick, d.seen).Slice()
	if err != nil {
		return "", d.fault(ctx, err)
	}
	text, err := d.client.Info(ctx, "server").Result()
	if err != nil {
		return "", d.fault(ctx, err)
	}
	d.seen, _ = reply[0].(string)
	d.tick, _ = reply[1].(int64)
	return d.seen + "/" + parseInfo(text)["run_id"], nil
}

// ready says why no command should be sent.
func (d *driver) ready(ctx context.Context) error {
	select {
	case <-d.closed:
		return fmt.Errorf("the queue is closed: %w", fault.Unavailable)
	default:
		return ctx.Err()
	}
}

func noGroup(err error) bool { return redis.HasErrorPrefix(err, "NOGROUP") }

// fault gives an error its kind and takes what is secret out of it. What the
// client returned cannot be reached through it.
func (d *driver) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	text := redact.Text(err.Error(), d.secrets...)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%s: %w", text, ctxErr)
	}
	var reply redis.Error
	var network net.Error
	code, _, _ := strings.Cut(text, " ")
	kind := fault.Unavailable
	if errors.As(err, &reply) && !errors.As(err, &network) {
		switch code {
		case "NOAUTH", "WRONGPASS":
			kind, text = fault.Unauthenticated, text+": give user and password in the URL"
		case "NOPERM":
			kind, text = fault.Forbidden, text+": allow the user stream, sorted set, hash, string and script commands and INFO"
		case "WRONGTYPE":
			kind, text = fault.Invalid, text+": another program uses the key; set a prefix"
		case "MOVED", "CROSSSLOT":
			kind = fault.Unsupported
		case "OOM":
			text += ": raise maxmemory, or let consumers catch up"
		}
	}
	return fmt.Errorf("%s: %w", text, kind)
}
