// Package natsqueue is the driver of package queue for NATS JetStream, 2.10.23
// and newer.
//
// A topic is a stream in files with one subject: scanner:jobs is SCANNER_JOBS
// with the subject scanner.jobs. Topics that are not lower case words joined by
// colons have names made of their bytes in hex. A group is a durable pull
// consumer. What is known of a message beside its deliveries, postponements and
// causes, lies in the key-value bucket stella-queue-state for a week, the
// incarnation in stella-queue.
//
// A claim is kept by its driver, which tells the server every few seconds that
// it is still at work and hands the message back when the claim ends. When the
// process dies, is stopped or is cut off, its messages go to others after ten
// seconds, also where the claim was longer or shorter.
//
// JetStream acknowledges a message before it is on the disk (sync_interval is
// two minutes by default), so a power cut may take what was acknowledged;
// Incarnation changes with each start of a single server, when the bucket is
// gone, and when it is older than this process remembers.
//
// Nats-Msg-Id is not used: the server would refuse a message that is published
// again because the first one was lost or buried.
package natsqueue

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/internal/pace"
)

// Options say how Open connects. The zero value is ready.
type Options struct {
	// Prefix stands before the names of streams, subjects and buckets: at most
	// 32 lower case letters, digits and '-'. The URL's key "prefix" wins.
	Prefix string
	// Replicas is how many servers of a cluster keep each stream that is made,
	// 1 to 5. The URL's key "replicas" wins. Default: 1.
	Replicas int
	// DialContext makes connections. Default: that of a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for tls://. Default: the system's roots and the URL's host name.
	TLS *tls.Config
}

func init() {
	for _, scheme := range []string{"nats", "tls"} {
		queue.Register(scheme, func(ctx context.Context, u *url.URL) (queue.Driver, error) { return open(ctx, u, nil) })
	}
}

// Open connects to the server that a URL names, such as
// nats://user:password@host:4222?prefix=stella&replicas=3. A user without a
// password is a token; "credentials" names a file with a JWT and its seed; tls
// instead of nats means TLS. Other servers of the cluster are learned from the
// first. It refuses a server without JetStream. The driver's method Warnings
// says what else an operator should know.
func Open(ctx context.Context, rawURL string, opts *Options) (queue.Driver, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open nats queue: the URL cannot be parsed: %w", fault.Invalid)
	}
	d, err := open(ctx, u, opts)
	if err != nil {
		return nil, fmt.Errorf("open nats queue %s: %w", u.Host, err)
	}
	return d, nil
}

type driver struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	o        Options
	secrets  []string
	warnings []string

	mu      sync.Mutex
	streams map[string]uint64                // by topic: revision of the incarnation when it was there
	groups  map[[2]string]jetstream.Consumer // by topic and group
	claims  map[string]*claim                // by receipt
	trims   pace.Trims

	look sync.Mutex
	seen string // the key of the incarnation at the last look
	tick uint64 // and the revision of that look

	closing sync.Once
	closed  chan struct{}
}

func (d *driver) Publish(ctx context.Context, topic string, messages []queue.Message) error {
	// What is on its way is bounded.
	const most, bytes = 256, 8 << 20
	for len(messages) > 0 {
		n, size := 0, 0
		for ; n < min(len(messages), most) && (n == 0 || size < bytes); n++ {
			size += len(messages[n].Body)
		}
		err := d.publish(ctx, topic, messages[:n])
		if lost(err) {
			if err = d.again(ctx, topic, ""); err == nil {
				err = d.publish(ctx, topic, messages[:n])
			}
		}
		if err != nil {
			return d.fault(ctx, err)
		}
		messages = messages[n:]
	}
	return nil
}

// publish sends messages together and waits for every answer.
func (d *driver) publish(ctx context.Context, topic string, messages []queue.Message) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	if err := d.stream(ctx, topic); err != nil {
		return err
	}
	message := func(m queue.Message) *nats.Msg {
		return &nats.Msg{Subject: d.subject(topic), Data: m.Body, Header: nats.Header{headerID: {escape(m.ID)}}}
	}
	for _, m := range messages {
		if most := d.conn.MaxPayload(); int64(len(m.Body)+len(m.ID)*3+100) > most {
			return &fault.LimitError{What: "bytes of a message", Where: "NATS server, raise its max_payload: publish " + m.ID + " to " + topic, Max: most, Seen: int64(len(m.Body))}
		}
	}
	if len(messages) == 1 {
		_, err := d.js.PublishMsg(ctx, message(messages[0]))
		return err
	}
	var futures []jetstream.PubAckFuture
	var firstErr error
	for _, m := range messages {
		f, err := d.js.PublishMsgAsync(message(m))
		if err != nil {
			firstErr = err
			break
		}
		futures = append(futures, f)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			if firstErr == nil {
				firstErr = err
			}
		case <-ctx.Done():
			return fmt.Errorf("no answer to what was published: %w", ctx.Err())
		case <-d.closed:
			return d.ready(ctx)
		}
	}
	return firstErr
}

// Warnings says what an operator should know about the server.
func (d *driver) Warnings() []string { return d.warnings }

func (d *driver) Close() error {
	d.closing.Do(func() {
		close(d.closed)
		d.mu.Lock()
		for _, c := range d.claims {
			c.timer.Stop()
		}
		clear(d.claims)
		d.mu.Unlock()
		d.conn.Close()
	})
	return nil
}
