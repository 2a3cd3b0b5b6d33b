package notify

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
)

// Group is what comes together in one message: a row that is locked while something is
// decided about it. One that is not open has no Due.
type Group struct {
	ID string
	// Rule and Target say for whom it is; Key is what its notices have in common, "" for
	// the one group of a rule that takes what is beyond the rule's burst.
	Rule   string
	Target Target
	Key    string
	// Window is when the window opened, in microseconds of the store's clock. It names
	// the window's notices, and with the ID the delivery.
	Window int64
	// Due is when the window closes; the zero time means that the group is not open.
	Due time.Time
	// Count is how many notices the window has collected, Severity the worst of them.
	Count    int
	Severity finding.Severity
	// Leaders counts the messages that other groups of the rule and the target began
	// with, in this window. Only the group without a Key counts them.
	Leaders int
	// Silenced says what keeps the group's notices from being sent, such as
	// "maintenance/ID": its windows end as suppressed deliveries. "" is nothing.
	Silenced string
	// Incident is the one that is open for the group, "" for none. Acknowledging it
	// clears this.
	Incident string
}

// Item is what one event brought into a window of a group, once: its key is made of the
// event, the rule and the target.
type Item struct {
	Key     string
	Group   string
	Window  int64
	Event   string
	Notices []Notice
	// Why are the conditions that matched.
	Why []string
}

// Inhibitor silences notices until a time.
type Inhibitor struct {
	ID    string
	Event string // that it began with
	Until time.Time
}

// Incident is a message that somebody is to take note of.
type Incident struct {
	ID       string `json:"incident"` // the delivery's that it began with
	Rule     string `json:"rule"`
	Group    string `json:"group"`
	Revision int64  `json:"revision"` // of the settings as of then
	// Step is how many steps of the escalation were taken; Due when the next one is,
	// zero where there is none.
	Step    int       `json:"step"`
	Due     time.Time `json:"due,omitzero"`
	Opened  time.Time `json:"opened"`
	Message Message   `json:"message"`
	// Acknowledged says when and by whom; zero while nobody did.
	Acknowledged   time.Time `json:"acknowledged,omitzero"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"`
	Note           string    `json:"note,omitempty"`
}

// Work is one decision of a Router, in one transaction.
type Work struct {
	// Events are consumed by the group notify-workers, those that were before are done.
	Events []string
	// Revision is of the settings that the decision follows from. Where others stand the
	// work is refused with ErrConflict, and nothing is done.
	Revision int64
	// Groups, Inhibitors and Incidents are ids of what is read for the decision: groups
	// and incidents are locked, in the order of their ids.
	Groups, Inhibitors, Incidents []string
	// Collected has the items of the open windows of Groups read as well, as many as have
	// MaxListed notices, in the order in which they came.
	Collected bool
	// Inline is how long messages that ask for deliveries which are due are held back,
	// because whoever has the work done sends them itself. Should it die, they come then.
	Inline time.Duration
	// Decide says what is to be written. It is pure, and may be called again.
	Decide func(*State) (*Plan, error)
}

// State is what a decision is made on, as of one moment.
type State struct {
	Now time.Time // by the store's clock
	// Done are events that had been consumed before.
	Done map[string]bool
	// Groups has every one that was asked for; those that never were are not open.
	Groups map[string]*Group
	// Inhibitors and Incidents are those that there are.
	Inhibitors map[string]Inhibitor
	Incidents  map[string]*Incident
	// Items are those of the windows, by group.
	Items map[string][]Item
}

// Plan is what a decision writes.
type Plan struct {
	// Groups replace those that were read.
	Groups []Group
	// Items are added, unless there is one with the key.
	Items []Item
	// Deliveries are added with their payloads, unless there is one with the id. Those
	// that are pending are queued for when they are due.
	Deliveries []Delivery
	// Inhibitors replace those with the same id that end earlier.
	Inhibitors []Inhibitor
	// Incidents are added, or replace those that were read. One that took a step is
	// announced.
	Incidents []Incident
}

// Routes keeps what a Router decides about for one tenant. It is safe for concurrent use.
// What a method returns without an error is durable.
type Routes interface {
	// Settings returns those that stand.
	Settings(ctx context.Context) (*Settings, error)
	// Scans returns what is known about scans, by id; those that are gone are missing.
	Scans(ctx context.Context, ids []string) (map[string]ScanFacts, error)
	// Do carries out work. An error wraps ErrConflict where other settings stand.
	Do(ctx context.Context, w *Work) error
}

// Due is something whose time has come: a group's window closes, or an incident is to be
// escalated. One of Group and Incident is set.
type Due struct {
	Tenant, Group, Incident string
}

// Claim asks for a delivery.
type Claim struct {
	ID      string
	Message string // id of the event that asks for it; "" for none
	Holder  string
	Length  time.Duration // of the lease
	// Pace is the least time between two messages to an endpoint that does not say; nil
	// is none.
	Pace func(*Endpoint) time.Duration
}

// PaceOf is the least time between two messages to an endpoint, by what the endpoint
// says, else by the claim.
func (c *Claim) PaceOf(e *Endpoint) time.Duration {
	if d, err := time.ParseDuration(e.Pace); err == nil && d >= 0 {
		return d
	}
	if c.Pace == nil {
		return 0
	}
	return c.Pace(e)
}

// Task is a delivery that is claimed, with an attempt that is noted.
type Task struct {
	Delivery Delivery // with its payload
	Endpoint Endpoint // as it is set now
	Attempt  Attempt
	Epoch    int64 // of the lease
	Holder   string
	Until    time.Time // of the lease, by the store's clock
	// Failures is how many attempts at the endpoint failed in a row before this one.
	Failures int
}

// Settlement is what came of an attempt, and what follows.
type Settlement struct {
	Attempt Attempt // with its outcome
	// Status is what the delivery is from now on: Delivered, Pending with Retry, Parked
	// or Dead with Reason.
	Status Status
	Reason string
	// Retry is how long after the settlement the next attempt is due.
	Retry time.Duration
	// Rest is how long nothing is sent to the endpoint and receiver, whoever asks: what
	// the receiver asked for, or the circuit's pause.
	Rest time.Duration
	// Failed counts as a failure of the endpoint, Gone disables it: what waits for it is
	// parked.
	Failed, Gone bool
}

// Queue is what a Deliverer works on, of one tenant. It is safe for concurrent use.
type Queue interface {
	// Claim takes a delivery for a while and notes an attempt. An attempt that was open
	// is noted as unknown: its holder vanished, and the receiver may have the message.
	// The message is consumed with it. An error wraps ErrNotFound, or ErrConflict for one
	// that is not to be sent. It is a [*LaterError] where it is not due or another one has
	// it, and another message will come: an endpoint that rests or is paced has it put off.
	Claim(ctx context.Context, c *Claim) (*Task, error)
	// Settle notes the outcome and what follows. An error wraps ErrFenced where the lease
	// is over and somebody else has the delivery.
	Settle(ctx context.Context, t *Task, s *Settlement) error
}

// SettingKind is what a setting is.
type SettingKind string

// The kinds of settings.
const (
	SettingEndpoint    SettingKind = "endpoint"
	SettingRule        SettingKind = "rule"
	SettingPreference  SettingKind = "preference"
	SettingTemplate    SettingKind = "template"
	SettingMaintenance SettingKind = "maintenance"
	SettingInhibition  SettingKind = "inhibition"
)

// Setting is one of the settings as it is kept.
type Setting struct {
	Kind SettingKind
	// ID is unique within the kind. A preference is named by User and Endpoint, and its
	// ID is "user/USER/ENDPOINT".
	ID             string
	User, Endpoint string
	// Number counts the changes of this one, from 1 on.
	Number int64
	// Body is the setting as canonical JSON; nil for one that was deleted.
	Body []byte
	By   string
	At   time.Time
}

// Desk is what people see and change of one tenant. It is safe for concurrent use.
type Desk interface {
	// Setting returns one as it stands. An error wraps ErrNotFound.
	Setting(ctx context.Context, kind SettingKind, id string) (*Setting, error)
	// ListSettings lists those of a kind by id, from after the last of the page before; of
	// one user where user is not "".
	ListSettings(ctx context.Context, kind SettingKind, user, after string, limit int) ([]Setting, error)
	// Set keeps a setting whose Number is one more than that of the one before, also where
	// that was deleted, and 1 for a new one; nil Body deletes. It sets At. An error wraps ErrConflict for another
	// Number, and for an endpoint that is deleted while rules name it. What is set passed
	// Check.
	Set(ctx context.Context, s *Setting) error
}

// Query selects deliveries. The zero value selects all.
type Query struct {
	Status   Status
	Rule     string
	Endpoint string
	User     string
	ScanID   string // deliveries that tell of a scan
	After    string // the Next of the page before
	Limit    int    // 1 to 1000; 0 means 100
}

// Page is a part of a list of deliveries, the newest first.
type Page struct {
	Deliveries []Delivery
	Next       string // "" after the last page
}

// EndpointState is how an endpoint does, for one receiver of it.
type EndpointState struct {
	Endpoint string `json:"endpoint"`
	To       string `json:"to,omitempty"`
	// Failures is how many attempts failed in a row; it rests until Until.
	Failures int       `json:"failures"`
	Until    time.Time `json:"until,omitzero"`
	Waiting  int       `json:"waiting"` // deliveries that are pending
	Parked   int       `json:"parked"`
	Dead     int       `json:"dead"`
}

// Ledger is what there is of deliveries of one tenant. It is safe for concurrent use.
type Ledger interface {
	// Delivery returns one with its payload and its attempts.
	Delivery(ctx context.Context, id string) (*Delivery, []Attempt, error)
	Deliveries(ctx context.Context, q Query) (*Page, error)
	// Items lists what a delivery tells of, in the order in which it came, from after the
	// key of the last of the page before.
	Items(ctx context.Context, delivery, after string, limit int) ([]Item, error)
	// Replay has a delivery that is dead or parked sent again under the same id. An error
	// wraps ErrConflict for another one.
	Replay(ctx context.Context, id, by string) (*Delivery, error)
	// Acknowledge notes that somebody takes care of an incident: no further step is taken.
	// Who was first stays, and groups have no open incident any more. An error wraps
	// ErrNotFound.
	Acknowledge(ctx context.Context, incident, by, note string) (*Incident, error)
	Incident(ctx context.Context, id string) (*Incident, error)
	// States tells how endpoints do.
	States(ctx context.Context) ([]EndpointState, error)
}
