package event

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// The topics of proof. ExportJobs carries jobs: what is to be exported, and what is to
// be pushed. AttestorSubmissions carries attestations that want proofs.
const (
	ExportJobs          = "export:jobs"
	AttestorSubmissions = "attestor:submissions"
)

// The groups that work on them.
const (
	GroupExportWorkers   = "export-workers"
	GroupAttestorWorkers = "attestor-workers"
)

// The types of proof. None is announced to everybody: each is the message of a job. The
// data are ExportJob, PushJob and Submission.
const (
	ExportRequested Type = "export.requested"
	ExportPush      Type = "export.push"
	AttestationKept Type = "attestation.kept"
)

// ExportJob is the data of export.requested: a version of an export that is to be made.
type ExportJob struct {
	JobID   string `json:"job_id"` // the scan's
	Format  string `json:"format"`
	Key     string `json:"key"`     // of what it is made of
	Version int    `json:"version"` // under the key, from 1 on
}

// PushJob is the data of export.push: an object that is to be at a destination.
type PushJob struct {
	JobID       string `json:"job_id"` // the scan's
	Format      string `json:"format"`
	Destination string `json:"destination"` // its name
	Digest      string `json:"digest"`
}

// Submission is the data of attestation.kept: an attestation that wants proofs.
type Submission struct {
	Attestation string `json:"attestation"` // its id
}

// Encode returns the data as a JSON object.
func (d *ExportJob) Encode() ([]byte, error) { return encode(d) }

// Encode returns the data as a JSON object.
func (d *PushJob) Encode() ([]byte, error) { return encode(d) }

// Encode returns the data as a JSON object.
func (d *Submission) Encode() ([]byte, error) { return encode(d) }

// DecodeExportJob reads the data of an export.requested. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeExportJob(e *Event) (*ExportJob, error) {
	d := new(ExportJob)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.JobID == "" || d.Format == "" || d.Key == "" || d.Version < 1 {
		return nil, fmt.Errorf("event %s: version %d of scan %q as %q under the key %q is none: %w", e.ID, d.Version, d.JobID, d.Format, d.Key, fault.Invalid)
	}
	return d, nil
}

// DecodePushJob reads the data of an export.push. Unknown members are left alone. An
// error wraps ErrInvalid.
func DecodePushJob(e *Event) (*PushJob, error) {
	d := new(PushJob)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.JobID == "" || d.Format == "" || d.Destination == "" || d.Digest == "" {
		return nil, fmt.Errorf("event %s: %q of scan %q as %q to %q is none: %w", e.ID, d.Digest, d.JobID, d.Format, d.Destination, fault.Invalid)
	}
	return d, nil
}

// DecodeSubmission reads the data of an attestation.kept. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeSubmission(e *Event) (*Submission, error) {
	d := new(Submission)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.Attestation == "" {
		return nil, fmt.Errorf("event %s: no attestation: %w", e.ID, fault.Invalid)
	}
	return d, nil
}
