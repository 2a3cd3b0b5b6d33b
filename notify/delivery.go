package notify

import (
	"time"

	"github.com/stella-ops/stella/advisory/finding"
)

// Status says how a delivery stands.
type Status string

// The states of a delivery. Delivered and suppressed ones stay so; dead and parked ones
// begin again by [Desk].Replay.
const (
	Pending    Status = "pending"    // to be sent, when it is due
	Sending    Status = "sending"    // an attempt is under way
	Delivered  Status = "delivered"  // the receiver took it
	Parked     Status = "parked"     // waits for somebody: the endpoint is disabled, or asked to be left alone for too long
	Dead       Status = "dead"       // no attempt is left, or none would help
	Suppressed Status = "suppressed" // noted, and not to be sent
)

// Delivery is one message to one receiver: the receipt of it. Its payload never changes.
type Delivery struct {
	ID     string `json:"delivery_id"`
	Status Status `json:"status"`
	Kind   Kind   `json:"kind"`
	// Rule, Endpoint and To say by which rule and to whom, User whose preference it was.
	Rule     string `json:"rule"`
	Endpoint string `json:"endpoint"`
	To       string `json:"to,omitempty"`
	User     string `json:"user,omitempty"`
	// Group is the group's id and Window when its window opened, in microseconds: they
	// name the notices that it tells of.
	Group    string           `json:"group"`
	Window   int64            `json:"window"`
	Title    string           `json:"title"`
	Severity finding.Severity `json:"severity,omitempty"`
	Total    int              `json:"total"`
	// Incident is the one that it belongs to, "" for none.
	Incident string `json:"incident,omitempty"`
	// Attempt counts attempts since it was queued or replayed last, Attempts all.
	Attempt  int `json:"attempt"`
	Attempts int `json:"attempts"`
	// Duplicate says that the receiver may have got it more than once.
	Duplicate bool   `json:"possible_duplicate,omitzero"`
	Reason    string `json:"reason,omitempty"`
	// Digest is of the payload, "sha256:…"; Payload itself is only read for one delivery
	// at a time.
	Digest  string   `json:"digest"`
	Notes   []string `json:"notes,omitempty"`
	Payload *Payload `json:"-"`
	// Due is when the next attempt is, zero where there is none.
	Due     time.Time `json:"due,omitzero"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Outcome is what came of an attempt.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeOpen      Outcome = "open"      // not known yet
	OutcomeDelivered Outcome = "delivered" // taken
	OutcomeNotSent   Outcome = "not_sent"  // the receiver never saw it
	OutcomeRefused   Outcome = "refused"   // the receiver answered that it does not take it
	OutcomeUnknown   Outcome = "unknown"   // the receiver may have it
)

// Attempt is one try, noted before it was made.
type Attempt struct {
	Number    int           `json:"number"` // of all of the delivery, from 1 on
	Holder    string        `json:"holder"`
	Outcome   Outcome       `json:"outcome"`
	Duplicate bool          `json:"possible_duplicate,omitzero"` // it was sent although the receiver might have had it
	Started   time.Time     `json:"started"`
	Ended     time.Time     `json:"ended,omitzero"`
	Latency   time.Duration `json:"-"` // by the sender's clock
	Status    int           `json:"status,omitzero"`
	Answer    string        `json:"answer,omitempty"` // digest
	Reference string        `json:"reference,omitempty"`
	// After is how long the receiver asked to be left alone.
	After  time.Duration `json:"-"`
	Reason string        `json:"reason,omitempty"`
}
