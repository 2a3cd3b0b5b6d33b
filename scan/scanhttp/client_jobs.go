package scanhttp

import (
	"context"
	"net/http"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
)

// post sends what a worker has to say about a job.
func (c *Client) post(ctx context.Context, id string, q httpjson.Call, read func(*http.Response) error) error {
	if err := noScan(q.What, id); err != nil {
		return err
	}
	q.Method, q.Path, q.What = http.MethodPost, scansAt+"/"+id+q.Path, q.What+" "+id
	return c.do(ctx, q, read)
}

// Claim takes a job for a while. It is tried once: whether it succeeded where the
// answer is lost, the next message about the job will tell.
func (c *Client) Claim(ctx context.Context, r scan.ClaimRequest) (*scan.Lease, error) {
	var l lease
	err := c.post(ctx, r.JobID, httpjson.Call{What: "claim scan job", Path: "/claim", Want: http.StatusOK, Body: claim{r.Holder, r.Message, int64(r.Length)}},
		into(&l, func(l *lease) bool { return l.Epoch > 0 && l.Length > 0 && l.Holder == r.Holder && l.Manifest != nil }))
	if err != nil {
		return nil, err
	}
	out := l.held(r.JobID)
	return &out, nil
}

// Heartbeat extends a lease.
func (c *Client) Heartbeat(ctx context.Context, l scan.Lease) (*scan.Lease, error) {
	var got lease
	said := leaseOf(l)
	said.Progress = l.Progress
	err := c.post(ctx, l.JobID, httpjson.Call{What: "heartbeat of scan job", Path: "/heartbeat", Want: http.StatusOK, Again: true, Body: heartbeat{said}},
		into(&got, func(got *lease) bool { return got.Epoch == l.Epoch && got.Length > 0 }))
	if err != nil {
		return nil, err
	}
	out := got.held(l.JobID)
	out.Manifest, out.Sealed = l.Manifest, l.Sealed
	return &out, nil
}

// Resolve notes what digest the reference stands for.
func (c *Client) Resolve(ctx context.Context, l scan.Lease, digest string) (string, error) {
	var got resolved
	err := c.post(ctx, l.JobID, httpjson.Call{What: "resolve scan job", Path: "/resolve", Want: http.StatusOK, Again: true, Body: resolution{leaseOf(l), digest}},
		into(&got, func(got *resolved) bool { return got.Digest != "" || digest == "" }))
	return got.Digest, err
}

// Complete stores the results, of at most MaxResults bytes as JSON.
func (c *Client) Complete(ctx context.Context, l scan.Lease, r scan.Results) error {
	return c.post(ctx, l.JobID, httpjson.Call{What: "complete scan job", Path: "/complete", Want: http.StatusNoContent, Again: true, Limit: MaxResults, Body: completion{leaseOf(l), resultsOf(r)}}, nil)
}

// Fail ends an attempt. It is tried once: where the answer is lost, the lease
// runs out.
func (c *Client) Fail(ctx context.Context, l scan.Lease, f scan.Failure) error {
	return c.post(ctx, l.JobID, httpjson.Call{What: "fail scan job", Path: "/fail", Want: http.StatusNoContent, Body: failure{leaseOf(l), f.Cause, f.Permanent}}, nil)
}
