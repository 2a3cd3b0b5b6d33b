package scan

import (
	"context"
	"time"
)

// Evaluations is what drives jobs of one tenant from evaluating to completed.
// Its leases are apart from those of workers. A store is one.
type Evaluations interface {
	// ClaimEvaluation takes a job that is evaluating. An error wraps ErrConflict
	// when there is nothing to do.
	ClaimEvaluation(ctx context.Context, c ClaimRequest) (*Evaluation, error)
	// FinishEvaluation stores the verdict, ends the job and announces it.
	FinishEvaluation(ctx context.Context, l Lease, c Conclusion) error
	// FailEvaluation gives the job back after a backoff; after the last attempt
	// the job is dead.
	FailEvaluation(ctx context.Context, l Lease, f Failure) error
}

// Evaluation is a job with stored results that somebody holds.
type Evaluation struct {
	Lease     Lease
	Job       *Job
	Documents []Stored
}

// Evaluator decides about the results of a scan.
type Evaluator interface {
	// Evaluate is a pure function of stored inputs and of at, so that a repeated
	// attempt gives the same verdict. A nil verdict means that nobody decides about
	// this scan.
	Evaluate(ctx context.Context, e *Evaluation, at time.Time) (*Verdict, error)
}

// Verdict is what was decided.
type Verdict struct {
	Digest  string // "sha256:…" of Body
	Outcome string // such as "pass", "block" or "not assessed"
	Body    []byte // canonical JSON, at most MaxInline bytes
}

// Signer makes evidence of a verdict.
type Signer interface {
	// Sign returns a signature over body, which is a verdict's. A signature is
	// kept once under the verdict and the key, and used again by every later
	// attempt.
	Sign(ctx context.Context, e *Evaluation, body []byte) (*Signature, error)
}

// Signature is evidence as a Signer returned it.
type Signature struct {
	KeyID    string
	Envelope []byte // at most MaxInline bytes
}

// Conclusion is how an evaluation ends.
type Conclusion struct {
	Verdict   *Verdict   // nil: nobody decides here
	Signature *Signature // nil: none
	Unsigned  bool       // a signature was due and its signer was away
}

// NotEvaluated is the outcome of a scan that nobody decided about.
const NotEvaluated = "not evaluated"
