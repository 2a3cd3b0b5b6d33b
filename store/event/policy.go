package event

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// PolicyEvents carries what is decided about scans, and what changes decisions.
const PolicyEvents = "policy:events"

// The types of the Policy Gateway. All are of one tenant and travel on PolicyEvents,
// but for PolicyEvaluation: it is not announced to everybody, it is the message of a
// job on SchedulerEvaluations. The data are VerdictChange, Activation,
// ExceptionChange and PolicyJob.
const (
	VerdictChanged   Type = "policy.verdict.changed"
	PolicyActivated  Type = "policy.activated"
	ExceptionCreated Type = "policy.exception.created"
	ExceptionRevoked Type = "policy.exception.revoked"
	ExceptionExpired Type = "policy.exception.expired"
	PolicyEvaluation Type = "policy.evaluation"
)

// PolicyJob is the data of policy.evaluation: a scan that is decided about again.
type PolicyJob struct {
	JobID string `json:"job_id"` // the scan's
	// At is the evaluation time. Every attempt has the same.
	At time.Time `json:"at"`
	// Cause is why, such as "activation/3", "vex/7", "head/12" or "time".
	Cause string `json:"cause"`
}

// MaxBlocking bounds the findings that a VerdictChange names.
const MaxBlocking = 100

// VerdictChange is the data of policy.verdict.changed: the outcome for a scan in one
// environment, or the set of findings that block it, is another than before.
type VerdictChange struct {
	JobID       string `json:"job_id"`
	ImageRef    string `json:"image_ref"`
	Owner       string `json:"owner,omitempty"` // subject of the token that submitted it
	Environment string `json:"environment"`
	Outcome     string `json:"outcome"`
	Before      string `json:"before,omitempty"` // the outcome before; "" for none
	Because     string `json:"because,omitempty"`
	// Verdict is the verdict's digest and Key that of its inputs. Both are "" where
	// the outcome is "error": there is no verdict.
	Verdict string    `json:"verdict,omitempty"`
	Key     string    `json:"key,omitempty"`
	Policy  string    `json:"policy"` // its id
	Version int       `json:"policy_version"`
	At      time.Time `json:"at"`
	Cause   string    `json:"cause"`
	// Blocked is how many findings block, and Blocking the first of them, sorted.
	Blocked  int      `json:"blocked"`
	Blocking []string `json:"blocking,omitempty"`
}

// Activation is the data of policy.activated: another policy is in force, or none any
// more, with an empty Policy.
type Activation struct {
	Number      int64  `json:"number"` // of the activation, from 1 on
	Environment string `json:"environment"`
	Policy      string `json:"policy"`
	Version     int    `json:"policy_version"`
	Digest      string `json:"digest"`
	// Before and BeforeVersion are what was in force until then; "" and 0 for none.
	Before        string `json:"before,omitempty"`
	BeforeVersion int    `json:"before_version,omitzero"`
	Rollback      bool   `json:"rollback,omitzero"` // to an older version
	By            string `json:"by,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// ExceptionChange is the data of the events of exceptions.
type ExceptionChange struct {
	ID      string    `json:"exception_id"`
	Effect  string    `json:"effect"`
	Owner   string    `json:"owner"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// Encode returns the data as a JSON object.
func (d *PolicyJob) Encode() ([]byte, error) { return encode(d) }

// Encode returns the data as a JSON object. An error wraps ErrLimit.
func (d *VerdictChange) Encode() ([]byte, error) {
	if len(d.Blocking) > MaxBlocking {
		return nil, &fault.LimitError{What: "findings", Where: "verdict about " + d.JobID, Max: MaxBlocking, Seen: int64(len(d.Blocking))}
	}
	return encode(d)
}

// Encode returns the data as a JSON object.
func (d *Activation) Encode() ([]byte, error) { return encode(d) }

// Encode returns the data as a JSON object.
func (d *ExceptionChange) Encode() ([]byte, error) { return encode(d) }

// DecodePolicyJob reads the data of a policy.evaluation. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodePolicyJob(e *Event) (*PolicyJob, error) {
	d := new(PolicyJob)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.JobID == "" || d.At.IsZero() || d.Cause == "" {
		return nil, fmt.Errorf("event %s: scan %q as of %v for %q is none: %w", e.ID, d.JobID, d.At, d.Cause, fault.Invalid)
	}
	return d, nil
}

// DecodeVerdictChange reads the data of a policy.verdict.changed. Unknown members are
// left alone. An error wraps ErrInvalid.
func DecodeVerdictChange(e *Event) (*VerdictChange, error) {
	d := new(VerdictChange)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.JobID == "" || d.Outcome == "" {
		return nil, fmt.Errorf("event %s: job_id and outcome are required: %w", e.ID, fault.Invalid)
	}
	return d, nil
}

// DecodeActivation reads the data of a policy.activated. Unknown members are left alone.
// An error wraps ErrInvalid.
func DecodeActivation(e *Event) (*Activation, error) {
	d := new(Activation)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("data of event %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	return d, nil
}

// DecodeExceptionChange reads the data of an event of an exception. Unknown members are
// left alone. An error wraps ErrInvalid.
func DecodeExceptionChange(e *Event) (*ExceptionChange, error) {
	d := new(ExceptionChange)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("data of event %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	return d, nil
}
