package notify

import (
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/event"
)

// Rule says who hears of what, and how. A preference of a user is a rule with an Owner.
type Rule struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Disabled bool   `json:"disabled,omitzero"`
	// Owner is the user whose preference it is, "" for a rule of the tenant. A preference
	// is about the scans that its owner submitted, unless Watch is set.
	Owner string `json:"owner,omitempty"`
	Watch bool   `json:"watch,omitzero"`

	Match Match `json:"match,omitzero"`
	// To are the targets, at most MaxTargets. A preference has one.
	To []Target `json:"to"`

	// GroupBy says what comes together in one message. "" is FieldVulnerability where
	// there is one, else the image, and for a digest "rule". "none" tells of each event by
	// itself, "rule" of everything together.
	GroupBy Field `json:"group_by,omitempty"`
	// Digest is "instant" (also ""), "5m", "15m", "1h" or "1d". What is not instant is
	// collected until the end of the interval, which is aligned to the clock of Zone.
	Digest string `json:"digest,omitempty"`
	// DigestAt is when a digest of a day goes out, "08:00" in Zone; also "".
	DigestAt string `json:"digest_at,omitempty"`
	// Throttle is how long the window of an instant group stays open after a message:
	// what comes in it is one message at its end. Of form "5m", which is also "".
	Throttle string `json:"throttle,omitempty"`
	// Burst is how many groups of the rule and a target may have a message of their own
	// in one window or at one end of an interval, of quiet hours or of maintenance; what
	// is beyond comes together in one. 0 is DefaultBurst.
	Burst int `json:"burst,omitzero"`

	// Zone is the IANA name of the time zone of Quiet and digests; "" is UTC.
	Zone string `json:"zone,omitempty"`
	// Quiet are the hours in which nothing is sent; nil for none.
	Quiet *Quiet `json:"quiet,omitempty"`
	// Escalation says who is told when nobody takes note.
	Escalation []Step `json:"escalation,omitempty"`

	Template string `json:"template,omitempty"` // name of one; "" is the default
	Locale   string `json:"locale,omitempty"`
}

// GroupBy values that are no fields of a notice.
const (
	GroupNone Field = "none"
	GroupRule Field = "rule"
)

// Defaults and bounds of rules.
const (
	DefaultBurst    = 10
	DefaultThrottle = "5m"
	DefaultDigestAt = "08:00"
)

// Target is an endpoint, and the receiver there where that is not the endpoint's own.
type Target struct {
	Endpoint string `json:"endpoint"`
	To       string `json:"to,omitempty"`
}

// Quiet are hours of a day, from a time to another, which may be of the next day:
// "22:00" to "07:00" in the rule's zone.
type Quiet struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Days are those on which the hours begin: "mon" to "sun". Empty means all.
	Days []string `json:"days,omitempty"`
	// Except is the severity from which on it is sent all the same; "" for none.
	Except finding.Severity `json:"except,omitempty"`
}

// Step tells others where nobody took note after a while, of form "15m", counted from the
// message or from the step before.
type Step struct {
	After string   `json:"after"`
	To    []Target `json:"to"`
}

// Match says which notices. All that is set must hold; the zero Match is everything that
// people are told by default. What is not known about a notice does not speak against it:
// rather told once too much.
type Match struct {
	// Types are of events; empty means scan.completed, scan.failed, advisory.drift and
	// policy.verdict.changed.
	Types []event.Type `json:"types,omitempty"`
	// Severity is the least one. A notice without a severity matches where its event has
	// none to say.
	Severity finding.Severity `json:"severity,omitempty"`
	// Images, Namespaces and Vulnerabilities are patterns: "*" stands for any characters,
	// "!" in front excludes. Images match the reference as it was given, and its
	// repository. A namespace is the path of the repository without its last element.
	Images          []string `json:"images,omitempty"`
	Namespaces      []string `json:"namespaces,omitempty"`
	Vulnerabilities []string `json:"vulnerabilities,omitempty"`
	// Labels are patterns for the values of labels of a scan, by name.
	Labels map[string]string `json:"labels,omitempty"`
	// Exploited and Fixed: only what is exploited, or has a fix.
	Exploited bool `json:"exploited,omitzero"`
	Fixed     bool `json:"fixed,omitzero"`
	// Causes are of drift ("new", "changed", "withdrawn", "fix_available", "kev") or of
	// verdicts; those may be patterns.
	Causes []string `json:"causes,omitempty"`
	// Environments and Outcomes are of verdicts.
	Environments []string `json:"environments,omitempty"`
	Outcomes     []string `json:"outcomes,omitempty"`
	// Verdict is "worse", "better" or "changed", compared with the outcome before.
	Verdict string `json:"verdict,omitempty"`
	// When is an expression of the Common Expression Language over the fields of a
	// notice; see [Fields].
	When string `json:"when,omitempty"`
}
