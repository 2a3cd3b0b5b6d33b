package event

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Scan is the data of scan events and of job messages.
type Scan struct {
	JobID    string `json:"job_id"`
	Status   string `json:"status"`
	ImageRef string `json:"image_ref,omitempty"`
	Digest   string `json:"image_digest,omitempty"` // of the image's configuration
	Owner    string `json:"owner,omitempty"`        // subject of the token that submitted it
	SBOM     string `json:"sbom_digest,omitempty"`
	Packages int    `json:"packages,omitzero"`
	Findings int    `json:"findings,omitzero"`
	Snapshot string `json:"advisory_snapshot,omitempty"` // "" means not assessed
	Verdict  string `json:"verdict,omitempty"`           // digest
	Outcome  string `json:"outcome,omitempty"`           // what the verdict says
	Unsigned bool   `json:"unsigned,omitzero"`
	Reason   string `json:"reason,omitempty"`
}

// Encode returns the data as a JSON object.
func (s *Scan) Encode() []byte {
	// Text that is not UTF-8 is replaced; nothing else can fail.
	b, _ := json.Marshal(s, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	return b
}

// DecodeScan reads the data of a scan event or job message. Unknown members are
// left alone. An error wraps ErrInvalid.
func DecodeScan(e *Event) (*Scan, error) {
	s := new(Scan)
	if err := json.Unmarshal(e.Data, s); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if s.JobID == "" {
		return nil, fmt.Errorf("event %s: no job_id: %w", e.ID, fault.Invalid)
	}
	return s, nil
}
