package valkeyqueue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/valkey"
)

// check refuses a server that would lose or refuse messages, and collects what
// an operator should know.
func (d *driver) check(ctx context.Context) error {
	text, err := d.client.Info(ctx).Result()
	if err != nil {
		return d.fault(ctx, err)
	}
	info := valkey.Info(text)
	problems := valkey.Unfit(info, "messages")
	if v := info["redis_version"]; older(v, 6, 2) {
		problems = append(problems, fmt.Errorf("the server speaks as version %s: use Valkey, or Redis 6.2 or newer: %w", v, fault.Unsupported))
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
	return d.seen + "/" + valkey.Info(text)["run_id"], nil
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

func (d *driver) fault(ctx context.Context, err error) error {
	return valkey.Fault(ctx, err, valkey.Remedies{Commands: "stream, sorted set, hash, string and script commands and INFO", Memory: "let consumers catch up"}, d.secrets...)
}
