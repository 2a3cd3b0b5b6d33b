// Package queue carries messages on topics. A topic is a stream; a group reads
// all of it, each message once among the group's consumers. A job queue is a
// topic with one group, an event stream a topic with many.
//
// Delivery is at least once, in no promised order: a consumer's effect and the
// message's ID belong into one transaction. A queue is disposable: what it
// carries is written down elsewhere first, so it may lose everything at any time
// (store.Relay publishes again what was lost).
//
// Backends are drivers: package queue itself has one in memory, sub-packages
// speak to servers, and a relational store carries a durable one. Package
// queuetest proves a driver.
package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrUnavailable error = fault.Unavailable // the backend is away; try again
	ErrLimit       error = fault.Limit
	// ErrUnauthenticated and ErrForbidden are the backend's answer to the URL's user.
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
)

// MaxBody bounds the body of a message, in bytes.
const MaxBody = 1 << 20

// MaxID bounds the ID of a message, in bytes.
const MaxID = 512

// Message is what a topic carries.
type Message struct {
	// ID is the message's idempotency key: publishing it twice may deliver it
	// twice. It is 1 to MaxID bytes of UTF-8 without control characters.
	ID string
	// Body is at most MaxBody bytes.
	Body []byte
}

// Delivery is a message that a consumer of a group holds. Another consumer gets
// it when the claim ends without a settlement.
type Delivery struct {
	Message
	// Attempt counts from 1. Deliveries that were postponed do not count; those
	// whose consumer vanished do.
	Attempt int
	// Causes say why earlier attempts ended, oldest first, as far as is known.
	Causes []string
	// Receipt is how the driver knows this delivery.
	Receipt string
}

// Action is what becomes of a delivery.
type Action int

// The actions.
const (
	Ack      Action = iota // it is done
	Retry                  // it comes back after Delay, with Cause added to Causes
	Postpone               // it comes back after Delay, and the attempt does not count
	Bury                   // it goes to the dead-letter topic, with Cause added to Causes
	Extend                 // the claim lasts Delay from now
)

// Settlement says what becomes of a delivery.
type Settlement struct {
	Action Action
	Delay  time.Duration
	Cause  string
}

// Request says what a consumer takes.
type Request struct {
	Topic, Group string
	Consumer     string        // unique among the group's consumers
	Max          int           // deliveries at most
	Claim        time.Duration // how long they are held
	Wait         time.Duration // how long to wait for the first
}

// Driver is a backend. Methods are safe for concurrent use; errors wrap the
// kinds of this package, ErrUnavailable for what may pass.
type Driver interface {
	// Publish appends messages to a topic, in order. It returns nil only when
	// the backend has them; after an error any of them may be there.
	Publish(ctx context.Context, topic string, messages []Message) error
	// Subscribe makes sure that a group exists. A new group reads the topic from
	// its beginning, as far as the backend still has it.
	Subscribe(ctx context.Context, topic, group string) error
	// Receive returns deliveries, or none when there is nothing within Wait.
	// Messages whose claim ended come before new ones. A group that the backend
	// lost is made again.
	Receive(ctx context.Context, r Request) ([]Delivery, error)
	// Settle ends or extends a delivery. Settling one whose claim has ended is
	// no error: the message may be delivered again.
	Settle(ctx context.Context, topic, group string, d Delivery, s Settlement) error
	// Incarnation returns a value that changes when the backend may have lost
	// messages: it was flushed, replaced or set back. It makes one where there
	// is none.
	Incarnation(ctx context.Context) (string, error)
	// Close frees what the driver holds.
	Close() error
}

// Queue publishes to topics and opens groups, on one driver. Make it with New
// or Open. It is safe for concurrent use.
type Queue struct{ driver Driver }

// New returns a queue on d.
func New(d Driver) *Queue { return &Queue{d} }

// Publish appends messages to a topic. It returns nil only when the backend has
// all of them; after an error any may be there, so a caller publishes again.
func (q *Queue) Publish(ctx context.Context, topic string, messages ...Message) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	for _, m := range messages {
		if m.ID == "" || len(m.ID) > MaxID || !utf8.ValidString(m.ID) || strings.ContainsFunc(m.ID, unicode.IsControl) {
			return fmt.Errorf("publish to %s: message ID %.80q: want 1 to %d bytes of UTF-8 without control characters: %w", topic, m.ID, MaxID, fault.Invalid)
		}
		if len(m.Body) > MaxBody {
			return &fault.LimitError{What: "bytes of a message", Where: "publish " + m.ID + " to " + topic, Max: MaxBody, Seen: int64(len(m.Body))}
		}
	}
	if len(messages) == 0 {
		return nil
	}
	if err := q.driver.Publish(ctx, topic, messages); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Group opens a group of a topic and makes it where it does not exist yet.
func (q *Queue) Group(ctx context.Context, topic, group string) (*Group, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	if err := q.driver.Subscribe(ctx, topic, group); err != nil {
		return nil, fmt.Errorf("subscribe %s to %s: %w", group, topic, err)
	}
	return &Group{driver: q.driver, topic: topic, name: group}, nil
}

// Incarnation returns a value that changes when the backend may have lost
// messages.
func (q *Queue) Incarnation(ctx context.Context) (string, error) {
	s, err := q.driver.Incarnation(ctx)
	if err != nil {
		return "", fmt.Errorf("incarnation of the queue: %w", err)
	}
	return s, nil
}

// Close frees what the backend holds.
func (q *Queue) Close() error { return q.driver.Close() }

// Group is one reader of a topic, with any number of consumers.
type Group struct {
	driver      Driver
	topic, name string
}

// checkName accepts what every backend can name: letters, digits and -_:.
func checkName(what, name string) error {
	ok := name != "" && len(name) <= 100
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == ':' || r == '.')
	}
	if !ok {
		return fmt.Errorf("%s name %q: want 1 to 100 letters, digits, '-', '_', ':' or '.': %w", what, name, fault.Invalid)
	}
	return nil
}
