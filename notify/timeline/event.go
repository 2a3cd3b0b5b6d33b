package timeline

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Event is what is appended to a chain. Read makes it of a message.
type Event struct {
	Tenant string
	Topic  string
	ID     string // unique within tenant and topic
	Type   event.Type
	Time   time.Time
	Body   []byte // canonical JSON
	Refs   []Ref  // what it is about, without doubles
}

// Digest returns the SHA-256 of the body.
func (e *Event) Digest() Hash { return sha256.Sum256(e.Body) }

// Read reads a message of a topic. Its Tenant is "" for what belongs to nobody. An error
// wraps ErrInvalid or ErrLimit.
func Read(topic string, body []byte) (*Event, error) {
	if topic == Topic {
		return nil, fmt.Errorf("index an event of %s: only the timeline itself speaks there: %w", topic, fault.Invalid)
	}
	e, err := event.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("index an event of %s: %w", topic, err)
	}
	out := &Event{Tenant: e.Tenant, Topic: topic, ID: e.ID, Type: e.Type, Time: e.Time}
	for _, c := range []struct {
		what, text string
		most       int
	}{{"topic", topic, MaxType}, {"id", e.ID, MaxID}, {"type", string(e.Type), MaxType}} {
		if err := checkText(c.what, c.text, c.most); err != nil {
			return nil, fmt.Errorf("index event %.80q of %s: %w", e.ID, topic, err)
		}
	}
	value := jsontext.Value(body).Clone()
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("index event %.80q of %s: %v: %w", e.ID, topic, err, fault.Invalid)
	}
	out.Body, out.Refs = value, refsOf(e)
	return out, nil
}

// checkText refuses what not every engine can keep.
func checkText(what, s string, most int) error {
	if s == "" || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s %.80q: want text without a zero byte: %w", what, s, fault.Invalid)
	}
	if len(s) > most {
		return &fault.LimitError{What: "bytes of " + what, Where: fmt.Sprintf("%.80q", s), Max: int64(most), Seen: int64(len(s))}
	}
	return nil
}

// Pruned is the type of the row that announces a deletion of bodies.
const Pruned event.Type = "timeline.pruned"

const prunedPrefix = "timeline/pruned/"

// Retention is the data of timeline.pruned.
type Retention struct {
	Last   int64  `json:"last"` // the last row whose body goes
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// Announce returns the event that says that bodies go.
func (r *Retention) Announce(tenant string, at time.Time) (*Event, error) {
	if strings.TrimSpace(r.By) == "" || r.Last < 1 {
		return nil, fmt.Errorf("delete bodies of tenant %s up to row %d: who says so is required: %w", tenant, r.Last, fault.Invalid)
	}
	data, err := json.Marshal(r, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, err
	}
	e := event.Event{ID: fmt.Sprint(prunedPrefix, r.Last), Type: Pruned, Source: "timeline", Tenant: tenant, Time: at.UTC().Truncate(time.Microsecond), Data: data}
	body, err := e.Encode()
	if err != nil {
		return nil, err
	}
	return &Event{Tenant: tenant, Topic: Topic, ID: e.ID, Type: Pruned, Time: e.Time, Body: body}, nil
}
