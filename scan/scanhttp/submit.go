package scanhttp

import (
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/internal/edge"
)

// check says whether an SBOM is taken and comes in one of its two forms.
func (s *subject) check(taken bool) error {
	switch {
	case !taken:
		return fmt.Errorf("scan request: sbom: none are taken here: %w", fault.Unsupported)
	case (len(s.Content) > 0) == (s.Digest != ""), len(s.Content) > 0 && (s.Size != 0 || s.Chunks != nil):
		return fmt.Errorf("scan request: sbom: want content, or else digest, size and chunks of an object: %w", fault.Invalid)
	case len(s.Content) > scan.MaxUpload:
		return &fault.LimitError{What: "bytes of an SBOM", Where: "request", Max: scan.MaxUpload, Seen: int64(len(s.Content))}
	}
	return nil
}

// object is what the bytes will be kept as, as far as that has to be known before.
func (s *subject) object() *scan.Object {
	if len(s.Content) > 0 {
		return &scan.Object{Digest: sum.Of(s.Content), Size: int64(len(s.Content))}
	}
	return &scan.Object{Digest: s.Digest, Size: s.Size, Chunks: s.Chunks}
}

// keep submits a request, with its SBOM where it has one.
func (h *Handler) keep(c *call, store scan.Store, q scan.Request, s *subject, key string) (*scan.Job, bool, error) {
	ctx := c.r.Context()
	if s == nil {
		return store.Submit(ctx, q, key)
	}
	objects, err := h.Uploads(c.who.Tenant)
	if err != nil {
		return nil, false, httpjson.Opened(c.who.Tenant, err)
	}
	if len(s.Content) > 0 {
		return edge.SubmitSBOM(ctx, store, objects, q, s.Content, key)
	}
	if _, err := objects.Stat(ctx, q.SBOM.Ref()); err != nil {
		if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Mismatch) || errors.Is(err, fault.Invalid) {
			err = fmt.Errorf("scan request: sbom: no object of %d bytes is kept as %.80q: %w", q.SBOM.Size, q.SBOM.Digest, fault.Invalid)
		}
		return nil, false, err
	}
	return store.Submit(ctx, q, key)
}
