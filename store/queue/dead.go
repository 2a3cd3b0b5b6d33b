package queue

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// MaxDead bounds the body of a dead letter, in bytes: that of a message of
// MaxBody in base64, and what is said about it. Drivers carry bodies up to this.
const MaxDead = MaxBody/3*4 + 256<<10

// The bounds of a chain of causes.
const (
	maxCauses = 16
	maxCause  = 2 << 10 // bytes
)

// DeadLetter is what a group could not handle, as it lies on event.Dead(Topic).
type DeadLetter struct {
	ID       string   // of the message
	Topic    string   // where the message was published
	Group    string   // which could not handle it
	Attempts int      // deliveries that counted
	Causes   []string // why they ended, oldest first; long chains lose their middle
	Body     []byte   // of the message; nil when it is empty
}

// letter is the form in which a dead letter travels. Text stays readable.
type letter struct {
	ID       string   `json:"id"`
	Topic    string   `json:"topic"`
	Group    string   `json:"group"`
	Attempts int      `json:"attempts"`
	Causes   []string `json:"causes"`
	Body     *string  `json:"body,omitempty"`        // a body that is text
	Base64   *string  `json:"body_base64,omitempty"` // any other
}

// NewDeadLetter says that group could not handle d, finally because of cause.
// Drivers publish its message when they bury a delivery.
func NewDeadLetter(topic, group string, d Delivery, cause string) *DeadLetter {
	return &DeadLetter{ID: d.ID, Topic: topic, Group: group, Attempts: d.Attempt, Causes: AppendCause(d.Causes, cause), Body: d.Body}
}

// AppendCause returns a chain with cause added, without changing causes. It
// keeps the first and the latest causes within fixed bounds, as UTF-8 without
// NUL, so that every backend can store them. An empty cause adds nothing.
func AppendCause(causes []string, cause string) []string {
	out := append([]string(nil), causes...)
	if cause == "" {
		return out
	}
	if len(cause) > maxCause {
		cause = cause[:maxCause-3] + "..."
	}
	cause = strings.ReplaceAll(strings.ToValidUTF8(cause, "\uFFFD"), "\x00", "\uFFFD")
	if len(out) >= maxCauses {
		out = append(out[:1], out[len(out)-maxCauses+2:]...)
	}
	return append(out, cause)
}

// Message returns the message that carries the letter. Burying the same
// delivery again gives the same ID.
func (l *DeadLetter) Message() Message {
	w := letter{ID: l.ID, Topic: l.Topic, Group: l.Group, Attempts: l.Attempts, Causes: l.Causes}
	text, coded := string(l.Body), base64.StdEncoding.EncodeToString(l.Body)
	if quoted, err := jsontext.AppendQuote(nil, l.Body); utf8.Valid(l.Body) && err == nil && len(quoted) <= len(coded)+2 {
		w.Body = &text
	} else {
		w.Base64 = &coded
	}
	// Text that is not UTF-8 is replaced; nothing else can fail.
	body, _ := json.Marshal(w, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	return Message{ID: l.Group + "/" + l.ID, Body: body}
}

// DecodeDead reads the body of a dead letter. An error wraps ErrInvalid.
func DecodeDead(body []byte) (*DeadLetter, error) {
	if len(body) > MaxDead {
		return nil, &fault.LimitError{What: "bytes of a dead letter", Where: "dead letter", Max: MaxDead, Seen: int64(len(body))}
	}
	var w letter
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("dead letter: %v: %w", err, fault.Invalid)
	}
	l := &DeadLetter{ID: w.ID, Topic: w.Topic, Group: w.Group, Attempts: w.Attempts, Causes: w.Causes}
	switch {
	case l.ID == "" || l.Topic == "":
		return nil, fmt.Errorf("dead letter: id and topic are required: %w", fault.Invalid)
	case w.Base64 != nil:
		b, err := base64.StdEncoding.DecodeString(*w.Base64)
		if err != nil {
			return nil, fmt.Errorf("dead letter %s: body_base64: %v: %w", l.ID, err, fault.Invalid)
		}
		l.Body = b
	case w.Body != nil:
		l.Body = []byte(*w.Body)
	}
	return l, nil
}

func deadTopic(topic string) string { return event.Dead(topic) }

// operators is the group that reads dead letters: a letter lies there until it
// is replayed or discarded.
const operators = "operators"

// How long letters are held while they are looked at, and how many at a time.
const (
	deadClaim = time.Minute
	deadBatch = 100
)

// Dead returns at most max dead letters of a topic, in no promised order. A
// letter stays until it is replayed or discarded, or the backend is lost. Dead
// holds letters for the moment that it reads them: of two callers at the same
// time each may see a part. Letters that cannot be read have only ID and Body.
func (q *Queue) Dead(ctx context.Context, topic string, max int) ([]DeadLetter, error) {
	var out []DeadLetter
	_, err := q.letters(ctx, topic, max, func(l *DeadLetter) (Action, error) {
		out = append(out, *l)
		return Postpone, nil
	})
	return out, err
}

// Replay publishes the messages of those dead letters that pick accepts on
// their topic again, with a new count of attempts, and removes the letters; nil
// accepts all. It returns how many. Every group of the topic gets the message
// again: the one that failed handles it, the others know its ID. A crash in
// between leaves message and letter.
func (q *Queue) Replay(ctx context.Context, topic string, pick func(*DeadLetter) bool) (int, error) {
	return q.letters(ctx, topic, 0, func(l *DeadLetter) (Action, error) {
		if l.Topic == "" || pick != nil && !pick(l) {
			return Postpone, nil
		}
		return Ack, q.Publish(ctx, l.Topic, Message{ID: l.ID, Body: l.Body})
	})
}

// Discard removes the dead letters that pick accepts for good; nil accepts all.
// It returns how many.
func (q *Queue) Discard(ctx context.Context, topic string, pick func(*DeadLetter) bool) (int, error) {
	return q.letters(ctx, topic, 0, func(l *DeadLetter) (Action, error) {
		if pick != nil && !pick(l) {
			return Postpone, nil
		}
		return Ack, nil
	})
}

// letters shows each dead letter once, at most max where max is positive, and
// counts those that were removed. What stays is held until the end, so that it
// is not shown twice.
func (q *Queue) letters(ctx context.Context, topic string, max int, each func(*DeadLetter) (Action, error)) (removed int, err error) {
	dead := deadTopic(topic)
	g, err := q.Group(ctx, dead, operators)
	if err != nil {
		return 0, err
	}
	var kept []Delivery
	// What takes longer than the claim is seen again.
	known := map[string]Action{}
	defer func() {
		for _, d := range kept {
			e := q.driver.Settle(context.WithoutCancel(ctx), dead, g.name, d, Settlement{Action: Postpone})
			if e != nil && err == nil {
				err = fmt.Errorf("put %s back on %s: %w", d.ID, dead, e)
			}
		}
	}()
	for seen := 0; max <= 0 || seen < max; {
		n := deadBatch
		if max > 0 {
			n = min(n, max-seen)
		}
		ds, err := q.driver.Receive(ctx, Request{Topic: dead, Group: g.name, Consumer: operators, Max: n, Claim: deadClaim, Wait: 50 * time.Millisecond})
		if err != nil {
			return removed, fmt.Errorf("read %s: %w", dead, err)
		}
		if len(ds) == 0 {
			return removed, nil
		}
		seen += len(ds)
		before := len(known)
		for i, d := range ds {
			var err error
			action, again := known[d.ID]
			if !again {
				l, e := DecodeDead(d.Body)
				if e != nil {
					l = &DeadLetter{ID: d.ID, Body: d.Body}
				}
				action, err = each(l)
				known[d.ID] = action
			}
			d.Body = nil
			if err == nil && action == Ack {
				if err = q.driver.Settle(ctx, dead, g.name, d, Settlement{Action: Ack}); err == nil {
					removed++
					continue
				}
				err = fmt.Errorf("remove %s from %s: %w", d.ID, dead, err)
			}
			kept = append(kept, d)
			if err != nil {
				kept = append(kept, ds[i+1:]...)
				return removed, err
			}
		}
		if len(known) == before {
			return removed, nil
		}
	}
	return removed, nil
}
