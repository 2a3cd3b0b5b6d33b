package event

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// ConsensusDelta is the data of vex.delta: with a head of the VEX of its tenant, or
// of what is public, something else is decided about vulnerabilities. One head has
// as many events as it takes, which differ in Part and Vulnerabilities.
type ConsensusDelta struct {
	Head   int64  `json:"head"`   // number of the head, from 1 on
	Digest string `json:"digest"` // of its set of statements
	// Base is the head before, 0 for none, and BaseDigest its set.
	Base       int64  `json:"base,omitzero"`
	BaseDigest string `json:"base_digest,omitempty"`
	// At is the time as of which it is decided.
	At time.Time `json:"at"`
	// Trust is the digest of the trust that the decisions follow from, and BaseTrust
	// that of the head before. Where they differ anything may be decided otherwise by
	// who decides by it.
	Trust     string `json:"trust"`
	BaseTrust string `json:"base_trust,omitempty"`
	// Part numbers the events of a head from 1 on, of Parts.
	Part  int `json:"part"`
	Parts int `json:"parts"`
	// Vulnerabilities are those about which something else is decided, in upper case
	// and sorted; at most MaxVulnerabilities.
	Vulnerabilities []string `json:"vulnerabilities"`
	// Said are those about which something else is said, and the same decided: by
	// another trust, or beside other statements, something else may be.
	Said []string `json:"said,omitempty"`
}

// MaxVulnerabilities bounds the vulnerabilities of one ConsensusDelta. One of long
// names has fewer, so that it fits into MaxBody.
const MaxVulnerabilities = 10_000

// Encode returns the data as a JSON object. An error wraps ErrLimit.
func (d *ConsensusDelta) Encode() ([]byte, error) {
	if n := len(d.Vulnerabilities) + len(d.Said); n > MaxVulnerabilities {
		return nil, &fault.LimitError{What: "vulnerabilities", Where: fmt.Sprintf("delta of VEX head %d", d.Head), Max: MaxVulnerabilities, Seen: int64(n)}
	}
	return encode(d)
}

// DecodeConsensusDelta reads the data of a vex.delta. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeConsensusDelta(e *Event) (*ConsensusDelta, error) {
	d := new(ConsensusDelta)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.Head < 1 || d.Base < 0 || d.Base >= d.Head || d.Digest == "" || d.Part < 1 || d.Parts < d.Part || d.At.IsZero() {
		return nil, fmt.Errorf("event %s: head %d (%q) after %d, part %d of %d, is none: %w", e.ID, d.Head, d.Digest, d.Base, d.Part, d.Parts, fault.Invalid)
	}
	return d, nil
}
