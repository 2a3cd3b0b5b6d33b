package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Options say how Consume works. The zero value is ready.
type Options struct {
	// Consumer names this consumer within its group. Default: a random name.
	Consumer string
	// Parallel is how many messages are handled at a time. Default: 1.
	Parallel int
	// Claim is how long a message is held without an extension; it is extended
	// every third of it while a handler runs. Default: 30 s. At least 100 ms.
	Claim time.Duration
	// Attempts is how often a message is tried before it is buried. Default: 5.
	Attempts int
	// Backoff and MaxBackoff bound the delay before the next attempt, which
	// doubles each time. Default: 5 s and 2 min.
	Backoff, MaxBackoff time.Duration
	// Grace is how long handlers may go on after ctx is done before their
	// context is cancelled. Default: 10 s.
	Grace time.Duration
	// Report is told what went wrong outside of handlers, such as a backend
	// that is away. Nil means nobody. It is called from several goroutines.
	Report func(error)
}

func (o *Options) orDefault() Options {
	var out Options
	if o != nil {
		out = *o
	}
	out.Consumer = cmp.Or(out.Consumer, "c-"+strings.ToLower(rand.Text()))
	out.Parallel = max(out.Parallel, 1)
	out.Claim = max(cmp.Or(out.Claim, 30*time.Second), 100*time.Millisecond)
	out.Attempts = max(cmp.Or(out.Attempts, 5), 1)
	out.Backoff = cmp.Or(out.Backoff, 5*time.Second)
	out.MaxBackoff = cmp.Or(out.MaxBackoff, 2*time.Minute)
	out.Grace = cmp.Or(out.Grace, 10*time.Second)
	if out.Report == nil {
		out.Report = func(error) {}
	}
	return out
}

// Consume delivers the messages of g to handle until ctx is done, and then
// returns nil after its handlers have ended. What handle returns decides:
//
//   - nil: the message is done.
//   - an error with a method RetryAfter() time.Duration, such as [LaterError]:
//     it comes back then, and the attempt does not count.
//   - an error that wraps an invalid, unsupported, forbidden or unauthenticated
//     kind, or that [Drop] made: it goes to the dead-letter topic at once.
//   - an error that wraps an unavailable kind: it comes back after Options.Backoff,
//     and the attempt does not count: what the handler needs is away, such as its
//     own database, which is not the message's fault.
//   - any other error: it comes back after a backoff, and goes to the
//     dead-letter topic after the last attempt.
//
// A message whose consumers vanish, attempt after attempt, is buried without
// calling handle. A handler that panics has failed. handle is called from
// Parallel goroutines; its context is cancelled when the claim could not be
// extended, since another consumer may have the message then.
func Consume(ctx context.Context, g *Group, handle func(ctx context.Context, body []byte) error, opts *Options) error {
	c := &consumer{g: g, handle: handle, opts: opts.orDefault()}
	// Handlers outlive ctx by the grace period.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	slots := make(chan struct{}, c.opts.Parallel)
	var running sync.WaitGroup
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		free := 1
		for free < c.opts.Parallel && len(slots) < cap(slots) {
			slots <- struct{}{}
			free++
		}
		deliveries := c.receive(ctx, free)
		for _, d := range deliveries {
			running.Go(func() {
				defer func() { <-slots }()
				c.deliver(work, d)
			})
		}
		for range free - len(deliveries) {
			<-slots
		}
	}
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(c.opts.Grace):
		stop()
		<-ended
	}
	return nil
}

type consumer struct {
	g      *Group
	handle func(context.Context, []byte) error
	opts   Options
}

// receive asks the backend, and waits a little where it does not answer.
func (c *consumer) receive(ctx context.Context, free int) []Delivery {
	ds, err := c.g.driver.Receive(ctx, Request{Topic: c.g.topic, Group: c.g.name, Consumer: c.opts.Consumer,
		Max: free, Claim: c.opts.Claim, Wait: time.Second})
	if err != nil && ctx.Err() == nil {
		c.opts.Report(fmt.Errorf("receive from %s for %s: %w", c.g.topic, c.g.name, err))
		sleep(ctx, 100*time.Millisecond)
	}
	return ds[:min(len(ds), free)]
}

func (c *consumer) deliver(ctx context.Context, d Delivery) {
	crashpoint.Hit(crashpoint.Received)
	s := Settlement{Action: Bury, Cause: fmt.Sprintf("delivered %d times without an answer", d.Attempt-1)}
	if d.Attempt <= c.opts.Attempts {
		err, lost := c.attempt(ctx, d)
		if lost {
			return
		}
		s = c.settlement(d, err)
		if err != nil && ctx.Err() != nil {
			// The shutdown ended it, which is not the message's fault.
			s = Settlement{Action: Postpone}
		}
	}
	crashpoint.Hit(crashpoint.Handled)
	// A settlement that fails is repeated a few times; then the message comes
	// back by itself.
	for range 3 {
		err := c.g.driver.Settle(context.WithoutCancel(ctx), c.g.topic, c.g.name, d, s)
		if err == nil {
			break
		}
		c.opts.Report(fmt.Errorf("settle %s of %s for %s: %w", d.ID, c.g.topic, c.g.name, err))
		sleep(ctx, 50*time.Millisecond)
	}
	crashpoint.Hit(crashpoint.Settled)
}

// attempt calls the handler and extends the claim meanwhile. lost means that
// the claim could not be extended in time.
func (c *consumer) attempt(ctx context.Context, d Delivery) (err error, lost bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.call(ctx, d.Body) }()
	tick := time.NewTicker(c.opts.Claim / 3)
	defer tick.Stop()
	held := time.Now()
	for {
		select {
		case err := <-done:
			return err, lost
		case <-tick.C:
			if lost {
				continue
			}
			// A process that was stopped may ask too late; the answer would
			// not tell.
			asked := time.Now()
			lost = asked.Sub(held) > c.opts.Claim
			if !lost {
				err := c.extend(ctx, d)
				if err == nil {
					held = asked
				} else {
					c.opts.Report(fmt.Errorf("extend %s of %s for %s: %w", d.ID, c.g.topic, c.g.name, err))
					lost = time.Since(held) > c.opts.Claim
				}
			}
			if lost {
				cancel()
			}
		}
	}
}

// extend waits no longer for a backend than until the next extension.
func (c *consumer) extend(ctx context.Context, d Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Claim/3)
	defer cancel()
	return c.g.driver.Settle(ctx, c.g.topic, c.g.name, d, Settlement{Action: Extend, Delay: c.opts.Claim})
}

func (c *consumer) call(ctx context.Context, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	return c.handle(ctx, body)
}

// settlement turns a handler's answer into what becomes of the message.
func (c *consumer) settlement(d Delivery, err error) Settlement {
	var later interface{ RetryAfter() time.Duration }
	var dropped *dropError
	switch {
	case err == nil:
		return Settlement{Action: Ack}
	case errors.As(err, &later):
		return Settlement{Action: Postpone, Delay: max(later.RetryAfter(), 0)}
	case errors.As(err, &dropped), permanent(err):
		return Settlement{Action: Bury, Cause: err.Error()}
	case errors.Is(err, fault.Unavailable):
		return Settlement{Action: Postpone, Delay: c.opts.Backoff, Cause: err.Error()}
	case d.Attempt >= c.opts.Attempts:
		return Settlement{Action: Bury, Cause: err.Error()}
	}
	return Settlement{Action: Retry, Delay: backoff(d.Attempt, c.opts.Backoff, c.opts.MaxBackoff), Cause: err.Error()}
}

func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Forbidden, fault.Unauthenticated:
		return true
	}
	return false
}

// backoff doubles with each attempt. It has no jitter: the same history gives
// the same time.
func backoff(attempt int, first, most time.Duration) time.Duration {
	d := first
	for range attempt - 1 {
		if d *= 2; d >= most {
			return most
		}
	}
	return min(d, most)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
