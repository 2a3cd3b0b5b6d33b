// Package event is the envelope of everything that is announced, and the names
// of what is. An event is written in the transaction that it announces and
// travels afterwards. Its ID is made of what happened, so a redo writes the
// same event, and a consumer that has seen an ID has seen the event.
//
// Field names are the context attributes of CloudEvents 1.0.2. The body that
// travels is flat, as the platform's streams print it: the members of the data
// stand beside type and id.
package event

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid error = fault.Invalid
	ErrLimit   error = fault.Limit
)

// MaxBody bounds an encoded event, in bytes. What is larger belongs into the
// blob store, and its digest into the event.
const MaxBody = 256 << 10

// Event is one thing that happened. The zero value is not valid: ID, Type and
// Source are required.
type Event struct {
	// ID is unique within the tenant and made of what happened, such as
	// "scan-1f/completed". It is every consumer's idempotency key.
	ID string
	// Type is one of the Type constants.
	Type Type
	// Source is the system that speaks, such as "scanner".
	Source string
	// Tenant is whose it is; "" for what belongs to nobody, such as public
	// advisories.
	Tenant string
	// Time is when it happened, by the store's clock, in microseconds UTC. A
	// store sets it where it is zero.
	Time time.Time
	// Data is a JSON object; its members become members of the body. Nil means
	// none. It must not have a member named like an attribute.
	Data []byte
}

// attributes are the body's members that are not data, in their order.
type attributes struct {
	ID     string `json:"id"`
	Type   Type   `json:"type"`
	Source string `json:"source"`
	Tenant string `json:"tenant,omitempty"`
	Time   string `json:"time,omitempty"`
	//lint:ignore SA5008 an option of encoding/json/v2
	Data jsontext.Value `json:",embed"`
}

const timeFormat = "2006-01-02T15:04:05.000000Z"

// Encode returns the body that travels, as canonical JSON (RFC 8785): equal
// events give equal bytes. An error wraps ErrInvalid.
func (e *Event) Encode() ([]byte, error) {
	if e.ID == "" || e.Type == "" || e.Source == "" {
		return nil, fmt.Errorf("event %q of type %q from %q: ID, type and source are required: %w", e.ID, e.Type, e.Source, fault.Invalid)
	}
	a := attributes{ID: e.ID, Type: e.Type, Source: e.Source, Tenant: e.Tenant, Data: jsontext.Value(e.Data)}
	if !e.Time.IsZero() {
		a.Time = e.Time.UTC().Format(timeFormat)
	}
	body, err := json.Marshal(a, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&body).Canonicalize()
	}
	if err != nil {
		return nil, fmt.Errorf("event %s: data is not an object of its own names: %v: %w", e.ID, err, fault.Invalid)
	}
	if len(body) > MaxBody {
		return nil, &fault.LimitError{What: "bytes of an event", Where: "event " + e.ID, Max: MaxBody, Seen: int64(len(body))}
	}
	return body, nil
}

// Decode reads a body. Members that are not attributes become Data. An error
// wraps ErrInvalid and says where the body breaks.
func Decode(body []byte) (*Event, error) {
	if len(body) > MaxBody {
		return nil, &fault.LimitError{What: "bytes of an event", Where: "event", Max: MaxBody, Seen: int64(len(body))}
	}
	var a attributes
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("event: %v: %w", err, fault.Invalid)
	}
	e := &Event{ID: a.ID, Type: a.Type, Source: a.Source, Tenant: a.Tenant, Data: a.Data}
	if e.ID == "" || e.Type == "" {
		return nil, fmt.Errorf("event: id and type are required: %w", fault.Invalid)
	}
	if a.Time != "" {
		t, err := time.Parse(timeFormat, a.Time)
		if err != nil {
			return nil, fmt.Errorf("event %s: time %q: want RFC 3339 UTC with microseconds: %w", e.ID, a.Time, fault.Invalid)
		}
		e.Time = t
	}
	return e, nil
}
