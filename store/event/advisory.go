package event

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Delta is the data of advisory.delta: there is a new head of the advisories. It
// belongs to no tenant. What differs from the head before are rows of the store,
// Facts of them.
type Delta struct {
	Head   int64  `json:"head"`   // number of the head, from 1 on
	Digest string `json:"digest"` // of its snapshot
	// Base is the head before, 0 for none, and BaseDigest its snapshot.
	Base       int64  `json:"base,omitzero"`
	BaseDigest string `json:"base_digest,omitempty"`
	Facts      int    `json:"facts"`
	// Sources are those that changed, sorted; at most MaxSources.
	Sources []string `json:"sources,omitempty"`
}

// MaxSources bounds the sources that a Delta names.
const MaxSources = 256

// Drift is the data of advisory.drift: one vulnerability changed for scans of one
// tenant, all for one cause.
type Drift struct {
	Head          int64  `json:"head"` // number of the head that changed it
	Vulnerability string `json:"vulnerability"`
	// Cause is "new", "changed", "withdrawn", "fix_available" or "kev".
	Cause    string `json:"cause"`
	Severity string `json:"severity,omitempty"` // of the worst finding; "" where nobody says
	// Exploited says whether it is known to be exploited, Fixed whether a finding has a
	// fixed version: "yes", "no", or "" where nobody looked.
	Exploited string `json:"exploited,omitempty"`
	Fixed     string `json:"fixed,omitempty"`
	// Scans are whom it concerns, sorted by id; at most MaxScans. Further ones
	// are in further events.
	Scans []DriftScan `json:"scans"`
	// Summary is one line about the vulnerability.
	Summary string `json:"summary,omitempty"`
}

// DriftScan is a scan that a Drift concerns.
type DriftScan struct {
	ScanID   string `json:"scan_id"`
	ImageRef string `json:"image_ref"`
	Owner    string `json:"owner,omitempty"` // subject of the token that submitted it
}

// MaxScans bounds the scans of one Drift.
const MaxScans = 500

// Encode returns the data as a JSON object. An error wraps ErrLimit.
func (d *Delta) Encode() ([]byte, error) {
	if len(d.Sources) > MaxSources {
		return nil, &fault.LimitError{What: "sources", Where: fmt.Sprintf("delta of head %d", d.Head), Max: MaxSources, Seen: int64(len(d.Sources))}
	}
	return encode(d)
}

// DecodeDelta reads the data of an advisory.delta. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeDelta(e *Event) (*Delta, error) {
	d := new(Delta)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.Head < 1 || d.Base < 0 || d.Base >= d.Head || d.Digest == "" {
		return nil, fmt.Errorf("event %s: head %d (%q) after %d is none: %w", e.ID, d.Head, d.Digest, d.Base, fault.Invalid)
	}
	return d, nil
}

// Encode returns the data as a JSON object. An error wraps ErrLimit.
func (d *Drift) Encode() ([]byte, error) {
	if len(d.Scans) > MaxScans {
		return nil, &fault.LimitError{What: "scans", Where: "drift of " + d.Vulnerability, Max: MaxScans, Seen: int64(len(d.Scans))}
	}
	return encode(d)
}

// DecodeDrift reads the data of an advisory.drift. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeDrift(e *Event) (*Drift, error) {
	d := new(Drift)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.Head < 1 || d.Vulnerability == "" || d.Cause == "" || len(d.Scans) == 0 {
		return nil, fmt.Errorf("event %s: head, vulnerability, cause and scans are required: %w", e.ID, fault.Invalid)
	}
	return d, nil
}

// encode writes data; text that is not UTF-8 is replaced.
func encode(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// Answer is "yes" or "no".
func Answer(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
