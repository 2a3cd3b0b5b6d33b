package event

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// EvaluationJob is not announced to everybody: it is the message of a job that
// matches a scan again. Its data is an Evaluation.
const EvaluationJob Type = "evaluation.job"

// Evaluation is the data of a job message on scheduler:evaluations.
type Evaluation struct {
	JobID string `json:"job_id"` // the scan's
	Head  int64  `json:"head"`   // number of the head to match it with
}

// Encode returns the data as a JSON object.
func (v *Evaluation) Encode() []byte {
	b, _ := encode(v) // of a text and a number: it cannot fail
	return b
}

// DecodeEvaluation reads the data of an evaluation's job message. Unknown members
// are left alone. An error wraps ErrInvalid.
func DecodeEvaluation(e *Event) (*Evaluation, error) {
	v := new(Evaluation)
	if err := json.Unmarshal(e.Data, v); err != nil {
		return nil, fmt.Errorf("event %s: %v: %w", e.ID, err, fault.Invalid)
	}
	if v.JobID == "" || v.Head < 1 {
		return nil, fmt.Errorf("event %s: job %q with head %d is none: %w", e.ID, v.JobID, v.Head, fault.Invalid)
	}
	return v, nil
}
