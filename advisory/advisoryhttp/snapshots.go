package advisoryhttp

import (
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// manifested is a view that has the manifest of a snapshot.
type manifested interface{ Manifest() *snapshot.Manifest }

// snapshot gives the manifest of a snapshot, whose digest it has.
func (h *Handler) snapshot(c *call) error {
	digest := c.r.PathValue("digest")
	v, done, err := h.View(c.r.Context(), digest)
	if err != nil {
		return httpjson.Kept(err)
	}
	defer done()
	m, ok := v.(manifested)
	if !ok {
		return fmt.Errorf("snapshot %s: it has no manifest here: %w", digest, fault.Unsupported)
	}
	text, _, err := m.Manifest().Encode()
	if err != nil {
		return httpjson.Kept(err)
	}
	if httpjson.Unchanged(c.w, c.r, digest) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, "application/json", text)
	return nil
}

// object gives a part of a snapshot.
func (h *Handler) object(c *call) error {
	digest := c.r.PathValue("digest")
	object, err := h.Object(c.r.Context(), digest)
	if err != nil {
		return httpjson.Kept(err)
	}
	if httpjson.Unchanged(c.w, c.r, digest) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, "application/octet-stream", object)
	return nil
}
