package notify

import (
	"time"

	"github.com/stella-ops/stella/advisory/finding"
)

// MaxListed is how many notices a message lists. Total says how many there are.
const MaxListed = 200

// Kind says what sort of message it is.
type Kind string

// The kinds of message.
const (
	KindAlert      Kind = "alert"      // at once
	KindDigest     Kind = "digest"     // what a window collected
	KindEscalation Kind = "escalation" // nobody took note of one
	KindTest       Kind = "test"       // to see whether an endpoint works
)

// Message is what a channel renders: everything that a template may show. Texts are as
// they came and may hold anything; a channel escapes them. It must not be changed.
type Message struct {
	// ID is the delivery's, and stays the same however often it is sent.
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	Kind   Kind   `json:"kind"`
	// At is when it was made, by the store's clock; Since is when the window opened that
	// it tells of.
	At    time.Time `json:"at"`
	Since time.Time `json:"since"`
	// Title is one line that says it all, such as
	// "New critical CVE-2024-1234 affects alpine:latest scan".
	Title    string           `json:"title"`
	Severity finding.Severity `json:"severity,omitempty"` // the worst
	// Notices are the first of Total, in the order in which they came.
	Notices []Notice `json:"notices"`
	Total   int      `json:"total"`
	// Why says why its reader got it, a sentence each.
	Why []string `json:"why"`
	// Rule is the rule's id, RuleName its name, GroupKey what brought the notices
	// together: equal for messages about the same thing.
	Rule     string `json:"rule"`
	RuleName string `json:"rule_name,omitempty"`
	GroupKey string `json:"group_key"`
	// Recipient is the user whose preference it is; "" for a tenant's rule.
	Recipient string `json:"recipient,omitempty"`
	// To is the address that the rule names, "" for the endpoint's own.
	To string `json:"to,omitempty"`
	// Link leads to the whole list, AckLink to where one says that one takes care. Both
	// may be "".
	Link    string `json:"link,omitempty"`
	AckLink string `json:"ack_link,omitempty"`
	// Locale and Template are the rule's wish; "" is the default.
	Locale   string `json:"locale,omitempty"`
	Template string `json:"template,omitempty"`
}

// More is how many notices are not listed.
func (m *Message) More() int { return max(m.Total-len(m.Notices), 0) }
