package scanhttp

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
)

// maxName bounds names of workers, messages and digests, in bytes.
const maxName = 255

// take reads the body of a worker's request and opens its tenant's jobs.
func take[T any](h *Handler, c *call, limit int64, body *T) (scan.Jobs, error) {
	if err := httpjson.Read(c.r, limit, body); err != nil {
		return nil, err
	}
	return h.jobs(c)
}

func checkNames(names map[string]string) error {
	for what, s := range names {
		if !isText(s, maxName) {
			return fmt.Errorf("%s %.80q: want at most %d printable ASCII characters: %w", what, s, maxName, fault.Invalid)
		}
	}
	return nil
}

func (h *Handler) claim(c *call) error {
	var body claim
	jobs, err := take(h, c, MaxBody, &body)
	if err != nil {
		return err
	}
	if err := checkNames(map[string]string{"holder": body.Holder, "message": body.Message}); err != nil {
		return err
	}
	l, err := jobs.Claim(c.r.Context(), scan.ClaimRequest{JobID: c.id, Holder: body.Holder, Message: body.Message, Length: time.Duration(body.Length)})
	if err != nil {
		return err
	}
	out := leaseOf(*l)
	out.Manifest, out.Sealed = l.Manifest, l.Sealed
	return c.answer(out)
}

func (h *Handler) heartbeat(c *call) error {
	var body heartbeat
	jobs, err := take(h, c, MaxBody, &body)
	if err != nil {
		return err
	}
	l, err := jobs.Heartbeat(c.r.Context(), body.Lease.held(c.id))
	if err != nil {
		return err
	}
	return c.answer(leaseOf(*l))
}

func (h *Handler) resolve(c *call) error {
	var body resolution
	jobs, err := take(h, c, MaxBody, &body)
	if err != nil {
		return err
	}
	if err := checkNames(map[string]string{"digest": body.Digest}); err != nil {
		return err
	}
	digest, err := jobs.Resolve(c.r.Context(), body.Lease.held(c.id), body.Digest)
	if err != nil {
		return err
	}
	return c.answer(resolved{digest})
}

func (h *Handler) complete(c *call) error {
	var body completion
	jobs, err := take(h, c, MaxResults, &body)
	if err != nil {
		return err
	}
	if err := jobs.Complete(c.r.Context(), body.Lease.held(c.id), body.Results.found()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) fail(c *call) error {
	var body failure
	jobs, err := take(h, c, MaxBody, &body)
	if err != nil {
		return err
	}
	if err := jobs.Fail(c.r.Context(), body.Lease.held(c.id), scan.Failure{Cause: body.Cause, Permanent: body.Permanent}); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
