package storebackend

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
)

// Scans is everything that a store does for the scans of one tenant.
type Scans interface {
	scan.Store
	scan.Jobs
	scan.Evaluations
}

// Call is one call that was observed.
type Call struct {
	Name string // of the method, such as "Submit"
	Took time.Duration
	Err  error
}

// Observed is a store of scans that tells of each call when it has returned. It changes
// neither arguments nor answers, and is safe for concurrent use if both fields are.
type Observed struct {
	Scans Scans
	// Told is called on the goroutine of the call: it must be quick.
	Told func(Call)
}

// observe makes one call with a result, and tells of it.
func observe[T any](o *Observed, name string, call func() (T, error)) (T, error) {
	begun := time.Now()
	out, err := call()
	o.Told(Call{Name: name, Took: time.Since(begun), Err: err})
	return out, err
}

// observeError is observe of a call that has an error alone.
func observeError(o *Observed, name string, call func() error) error {
	_, err := observe(o, name, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// Submit implements scan.Store.
func (o *Observed) Submit(ctx context.Context, r scan.Request, key string) (job *scan.Job, repeated bool, err error) {
	job, err = observe(o, "Submit", func() (*scan.Job, error) {
		var err error
		job, repeated, err = o.Scans.Submit(ctx, r, key)
		return job, err
	})
	return job, repeated, err
}

// Job implements scan.Store.
func (o *Observed) Job(ctx context.Context, id string) (*scan.Job, error) {
	return observe(o, "Job", func() (*scan.Job, error) { return o.Scans.Job(ctx, id) })
}

// List implements scan.Store.
func (o *Observed) List(ctx context.Context, q scan.Query) (*scan.Page, error) {
	return observe(o, "List", func() (*scan.Page, error) { return o.Scans.List(ctx, q) })
}

// Manifest implements scan.Store.
func (o *Observed) Manifest(ctx context.Context, id string) ([]byte, error) {
	return observe(o, "Manifest", func() ([]byte, error) { return o.Scans.Manifest(ctx, id) })
}

// Cancel implements scan.Store.
func (o *Observed) Cancel(ctx context.Context, id, reason string) (*scan.Job, error) {
	return observe(o, "Cancel", func() (*scan.Job, error) { return o.Scans.Cancel(ctx, id, reason) })
}

// Documents implements scan.Store.
func (o *Observed) Documents(ctx context.Context, id string) ([]scan.Stored, error) {
	return observe(o, "Documents", func() ([]scan.Stored, error) { return o.Scans.Documents(ctx, id) })
}

// Findings implements scan.Store.
func (o *Observed) Findings(ctx context.Context, id string) (*finding.Report, error) {
	return observe(o, "Findings", func() (*finding.Report, error) { return o.Scans.Findings(ctx, id) })
}

// Claim implements scan.Jobs.
func (o *Observed) Claim(ctx context.Context, c scan.ClaimRequest) (*scan.Lease, error) {
	return observe(o, "Claim", func() (*scan.Lease, error) { return o.Scans.Claim(ctx, c) })
}

// Heartbeat implements scan.Jobs.
func (o *Observed) Heartbeat(ctx context.Context, l scan.Lease) (*scan.Lease, error) {
	return observe(o, "Heartbeat", func() (*scan.Lease, error) { return o.Scans.Heartbeat(ctx, l) })
}

// Resolve implements scan.Jobs.
func (o *Observed) Resolve(ctx context.Context, l scan.Lease, digest string) (string, error) {
	return observe(o, "Resolve", func() (string, error) { return o.Scans.Resolve(ctx, l, digest) })
}

// Complete implements scan.Jobs.
func (o *Observed) Complete(ctx context.Context, l scan.Lease, r scan.Results) error {
	return observeError(o, "Complete", func() error { return o.Scans.Complete(ctx, l, r) })
}

// Fail implements scan.Jobs.
func (o *Observed) Fail(ctx context.Context, l scan.Lease, f scan.Failure) error {
	return observeError(o, "Fail", func() error { return o.Scans.Fail(ctx, l, f) })
}

// ClaimEvaluation implements scan.Evaluations.
func (o *Observed) ClaimEvaluation(ctx context.Context, c scan.ClaimRequest) (*scan.Evaluation, error) {
	return observe(o, "ClaimEvaluation", func() (*scan.Evaluation, error) { return o.Scans.ClaimEvaluation(ctx, c) })
}

// FinishEvaluation implements scan.Evaluations.
func (o *Observed) FinishEvaluation(ctx context.Context, l scan.Lease, c scan.Conclusion) error {
	return observeError(o, "FinishEvaluation", func() error { return o.Scans.FinishEvaluation(ctx, l, c) })
}

// FailEvaluation implements scan.Evaluations.
func (o *Observed) FailEvaluation(ctx context.Context, l scan.Lease, f scan.Failure) error {
	return observeError(o, "FailEvaluation", func() error { return o.Scans.FailEvaluation(ctx, l, f) })
}
