package crash

import (
	"context"
	"errors"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
)

// The sites where a worker has a lease and has not begun to write.
const (
	afterClaim     crashpoint.Point = "jobs.claimed"
	beforeResolve  crashpoint.Point = "jobs.resolve"
	beforeComplete crashpoint.Point = "jobs.complete"
	beforeFail     crashpoint.Point = "jobs.fail"
)

// zombie is a worker's access to jobs that does not heed that its lease was
// lost: it writes nevertheless, so that only the store can refuse. What the
// store accepted is told to the parent.
type zombie struct {
	*store.Scans
	child *child
}

func (z *zombie) Claim(ctx context.Context, r scan.ClaimRequest) (*scan.Lease, error) {
	l, err := z.Scans.Claim(ctx, r)
	if err == nil {
		z.child.say("claimed", l.JobID, l.Epoch)
		z.child.pass(afterClaim)
	}
	return l, err
}

func (z *zombie) Resolve(ctx context.Context, l scan.Lease, digest string) (string, error) {
	z.child.pass(beforeResolve)
	s, err := z.Scans.Resolve(context.WithoutCancel(ctx), l, digest)
	return s, z.wrote("resolve", l, err)
}

func (z *zombie) Complete(ctx context.Context, l scan.Lease, r scan.Results) error {
	z.child.pass(beforeComplete)
	return z.wrote("complete", l, z.Scans.Complete(context.WithoutCancel(ctx), l, r))
}

func (z *zombie) Fail(ctx context.Context, l scan.Lease, f scan.Failure) error {
	z.child.pass(beforeFail)
	return z.wrote("fail", l, z.Scans.Fail(context.WithoutCancel(ctx), l, f))
}

func (z *zombie) wrote(what string, l scan.Lease, err error) error {
	switch {
	case err == nil:
		z.child.say("accepted", what, l.JobID, l.Epoch)
	case errors.Is(err, fault.Fenced):
		z.child.say("fenced", what, l.JobID, l.Epoch)
	}
	return err
}
