package schedule

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Objects gives documents back. A blob.Bucket is one.
type Objects interface {
	// Open reads an object whose bytes are checked before they are given out.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}

// DefaultLease is how long an evaluation is held.
const DefaultLease = 60 * time.Second

// MaxDocument bounds the neutral document that is matched, in bytes.
const MaxDocument = 256 << 20

// Evaluator runs evaluations. It reads scheduler:evaluations in the group
// policy-workers. All but Lease is required. It is safe for concurrent use.
type Evaluator struct {
	// Jobs gives the evaluations of a tenant.
	Jobs func(tenant string) (Evaluations, error)
	// Objects gives the documents of a tenant.
	Objects func(tenant string) (Objects, error)
	// Decode reads the neutral document.
	Decode func(r io.Reader) (*sbom.Document, error)
	// Match matches a document with a snapshot, as of the time of the evaluation.
	// The MatchAt of a snapshot.Matcher does.
	Match func(ctx context.Context, snapshot string, at time.Time, d *sbom.Document) (*finding.Report, error)
	// Holder names this process in leases. It must be unique.
	Holder string
	// Lease is how long an evaluation is held: it must end by then. Default:
	// DefaultLease.
	Lease time.Duration
}

// Handle runs the evaluation that a message tells of. A nil error means that the
// message is done, whatever became of the evaluation: that stands in the store.
func (v *Evaluator) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil || e.Type != event.EvaluationJob {
		return err
	}
	d, err := event.DecodeEvaluation(e)
	if err != nil {
		return err
	}
	jobs, err := v.Jobs(e.Tenant)
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", d.JobID, err)
	}
	length := cmp.Or(v.Lease, DefaultLease)
	work, err := jobs.Claim(ctx, ClaimRequest{ScanID: d.JobID, Head: d.Head, Holder: v.Holder, Message: e.ID, Length: length})
	switch {
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return fmt.Errorf("evaluate %s with head %d: claim: %w", d.JobID, d.Head, err)
	}
	crashpoint.Hit(crashpoint.RematchClaimed)
	held, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	report, err := v.match(held, e.Tenant, work)
	if err == nil {
		crashpoint.Hit(crashpoint.RematchMatched)
		if err = jobs.Finish(held, work.Lease, report); errors.Is(err, fault.Fenced) {
			return nil // somebody else has it
		}
	}
	if err == nil {
		return nil
	}
	failure := scan.Failure{Cause: err.Error(), Permanent: permanent(err)}
	if err = jobs.Fail(context.WithoutCancel(ctx), work.Lease, failure); errors.Is(err, fault.Fenced) {
		return nil
	}
	return err
}

// permanent reports whether another attempt would fail the same way. An object or
// a snapshot that is missing or damaged may be put right.
func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Limit:
		return true
	}
	return false
}

func (v *Evaluator) match(ctx context.Context, tenant string, w *Work) (*finding.Report, error) {
	doc, err := v.document(ctx, tenant, &w.Document)
	if err != nil {
		return nil, fmt.Errorf("read the document of %s: %w", w.ScanID, err)
	}
	report, err := v.Match(ctx, w.Snapshot, w.At, doc)
	if err != nil {
		return nil, fmt.Errorf("match %s with head %d: %w", w.ScanID, w.Head, err)
	}
	if report.Snapshot != w.Snapshot {
		return nil, fmt.Errorf("match %s with head %d: the report is of %q, want %q: %w", w.ScanID, w.Head, report.Snapshot, w.Snapshot, fault.Mismatch)
	}
	return report, nil
}

// document reads the neutral document, from the row where it is small.
func (v *Evaluator) document(ctx context.Context, tenant string, d *scan.Stored) (*sbom.Document, error) {
	if d.Ref.Size > MaxDocument {
		return nil, &fault.LimitError{What: "bytes of a document", Where: d.Name, Max: MaxDocument, Seen: d.Ref.Size}
	}
	if d.Content != nil && d.Ref.Digest == sum.Of(d.Content) {
		return v.Decode(bytes.NewReader(d.Content))
	}
	objects, err := v.Objects(tenant)
	if err != nil {
		return nil, err
	}
	r, err := objects.Open(ctx, d.Ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return v.Decode(io.LimitReader(r, MaxDocument))
}
