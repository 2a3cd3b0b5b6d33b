package timeline

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Topic is the topic of what the timeline says about itself. It is not a queue's.
const Topic = "timeline"

// Topics returns the topics whose events are indexed.
func Topics() []string {
	return []string{event.ScannerEvents, event.ConcelierDrift, event.PolicyEvents, event.NotifyEvents}
}

// The bounds of what is indexed, in bytes.
const (
	MaxID   = 2000 // of an event's id
	MaxType = 256  // of its type
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

func (h Hash) String() string { return "sha256:" + hex.EncodeToString(h[:]) }

// Row is one link of a tenant's chain. See the package's comment.
type Row struct {
	Seq     int64 // from 1 on, without holes
	Topic   string
	Event   string // its id
	Type    event.Type
	Time    time.Time // when it happened
	Indexed time.Time // when it was appended, by the store's clock
	Digest  Hash      // of the body
	Hash    Hash
}

// Entry is a row with its body.
type Entry struct {
	Row
	// Body is the event as canonical JSON; nil where retention deleted it.
	Body []byte
}

// Check returns an error that wraps ErrMismatch where the body is not what the row says.
func (e *Entry) Check() error {
	if got := Hash(sha256.Sum256(e.Body)); e.Body != nil && got != e.Digest {
		return &fault.MismatchError{What: "body of event " + e.Event, Want: e.Digest.String(), Got: got.String()}
	}
	return nil
}

// Head is the end of a chain.
type Head struct {
	Seq  int64 // of the last row, 0 for none
	Hash Hash  // of the last row, or what the first one follows
	// Indexed is when the last row was appended; the zero time for none.
	Indexed time.Time
	// Now is the store's clock when it was asked.
	Now time.Time
}

const (
	chainDomain = "stella.timeline.chain.v1"
	rowDomain   = "stella.timeline.row.v1"
)

// Genesis returns what the first row of a tenant's chain follows.
func Genesis(tenant string) Hash {
	return sha256.Sum256(field(field(nil, chainDomain), tenant))
}

// After returns the hash of the row where it follows a hash.
func (r *Row) After(before Hash) Hash {
	b := make([]byte, 0, 512)
	b = field(field(b, rowDomain), string(before[:]))
	b = number(b, r.Seq)
	b = field(field(field(b, r.Topic), r.Event), string(r.Type))
	b = number(number(b, r.Time.UnixMicro()), r.Indexed.UnixMicro())
	return sha256.Sum256(field(b, string(r.Digest[:])))
}

func field(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func number(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(n))
}

// Extend returns the entries that append events to a chain at a time of the store's
// clock, and the new head. It is what stores have in common: they lock the head, leave
// out events that have a row, and write what Extend returns.
func Extend(head Head, now time.Time, events []Event) ([]Entry, Head) {
	now = now.UTC().Truncate(time.Microsecond)
	if now.Before(head.Indexed) {
		now = head.Indexed
	}
	out := make([]Entry, len(events))
	for i := range events {
		v, e := &events[i], &out[i]
		at := v.Time.UTC().Truncate(time.Microsecond)
		if v.Time.IsZero() {
			at = now
		}
		*e = Entry{Row: Row{Seq: head.Seq + 1, Topic: v.Topic, Event: v.ID, Type: v.Type, Time: at, Indexed: now, Digest: sha256.Sum256(v.Body)}, Body: v.Body}
		e.Hash = e.After(head.Hash)
		head = Head{Seq: e.Seq, Hash: e.Hash, Indexed: now, Now: head.Now}
	}
	return out, head
}
