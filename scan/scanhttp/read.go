package scanhttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/internal/edge"
	"github.com/stella-ops/stella/scan/sbom/format"
)

func (h *Handler) submit(c *call) error {
	key, err := httpjson.IdempotencyKey(c.r, KeyHeader, scan.MaxKey)
	if err != nil {
		return err
	}
	var s submission
	limit := int64(MaxBody)
	if h.Uploads != nil {
		limit = MaxSBOM
	}
	if err := httpjson.Read(c.r, limit, &s); err != nil {
		return err
	}
	q := scan.Request{Image: s.Image, Platform: s.Platform, Formats: s.Formats, Priority: s.Priority, StoreLayers: s.StoreLayers, Labels: s.Labels, Owner: c.who.Subject}
	if s.SBOM != nil {
		if err := s.SBOM.check(h.Uploads != nil); err != nil {
			return err
		}
		q.SBOM = s.SBOM.object()
	}
	if err := q.Normalize(); err != nil {
		return err
	}
	if q.SBOM == nil {
		if _, err := image.ParseRemote(q.Image); err != nil {
			return err
		}
	}
	encodes := h.Encodes
	if encodes == nil {
		encodes = format.CanEncode
	}
	for _, f := range q.Formats {
		if !encodes(f) {
			return fmt.Errorf("scan request: formats: %.80q is not written here; there are %s, some with @version: %w", f, strings.Join(format.Writable(), ", "), fault.Invalid)
		}
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	job, repeated, err := h.keep(c, store, q, s.SBOM, key)
	if err != nil {
		return edge.Limited(c.w.Header(), err)
	}
	header := c.w.Header()
	header.Set("Location", root+"/"+job.ID)
	header.Set("Cache-Control", "no-store")
	if repeated {
		header.Set(ReplayedHeader, "true")
	}
	if c.r.Header.Get("Prefer") == wholeJob {
		header.Set("Preference-Applied", wholeJob)
		return httpjson.Write(c.w, http.StatusAccepted, job)
	}
	return httpjson.Write(c.w, http.StatusAccepted, accepted{job.ID, scan.Queued})
}

// wholeJob is the preference (RFC 7240) of who wants more than the job's ID.
const wholeJob = "return=representation"

func (h *Handler) list(c *call) error {
	q := scan.Query{
		State: scan.State(c.query.Get("state")), Image: c.query.Get("image_ref"), Text: c.query.Get("text"), Outcome: c.query.Get("outcome"),
		Latest: c.query.Get("latest") == "true", After: c.query.Get("after"),
	}
	if c.query.Has("latest") && c.query.Get("latest") != "true" && c.query.Get("latest") != "false" {
		return httpjson.BadRequest("query: latest %.20q: want true or false", c.query.Get("latest"))
	}
	if c.query.Has("limit") {
		var err error
		if q.Limit, err = strconv.Atoi(c.query.Get("limit")); err != nil || q.Limit < 1 {
			return httpjson.BadRequest("query: limit %.20q: want 1 to 1000", c.query.Get("limit"))
		}
	}
	if q.State != "" && !q.State.Known() {
		return &httpjson.Error{Status: http.StatusBadRequest, Extra: map[string]any{"states": scan.States()},
			Err: fmt.Errorf("query: no state is called %.40q; there are: %v: %w", q.State, scan.States(), fault.Invalid)}
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	page, err := store.List(c.r.Context(), q)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	return c.answer(page)
}

// states counts the scans by their state.
func (h *Handler) states(c *call) error {
	store, err := h.store(c)
	if err != nil {
		return err
	}
	counts, ok := store.(States)
	if !ok {
		return fmt.Errorf("scans are not counted here: %w", fault.Unsupported)
	}
	n, err := counts.States(c.r.Context())
	if err != nil {
		return err
	}
	return c.answer(n)
}

// answer gives what may change at any time.
func (c *call) answer(v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, http.StatusOK, v)
}

// tagged gives what changes now and then, with a tag: who has it already is spared it.
func (c *call) tagged(v any) error {
	b, err := httpjson.Encode(v)
	if err != nil {
		return err
	}
	if c.known(sum.Of(b)) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, "application/json", append(b, '\n'))
	return nil
}

func (h *Handler) job(c *call) error {
	store, err := h.store(c)
	if err != nil {
		return err
	}
	job, err := store.Job(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	return c.tagged(job)
}

func (h *Handler) cancel(c *call) error {
	var body cancellation
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	job, err := store.Cancel(c.r.Context(), c.id, body.Reason)
	if err != nil {
		return err
	}
	return c.answer(job)
}

func (h *Handler) findings(c *call) error {
	store, err := h.store(c)
	if err != nil {
		return err
	}
	report, err := store.Findings(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	return c.tagged(report)
}

func (h *Handler) manifest(c *call) error {
	store, err := h.store(c)
	if err != nil {
		return err
	}
	b, err := store.Manifest(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	if c.known(sum.Of(b)) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, "application/json", b)
	return nil
}

// known tags an answer with the digest of its bytes, and is enough of an answer
// where the client has them.
func (c *call) known(digest string) bool {
	c.w.Header().Set("Cache-Control", "private, no-cache") // asked for again each time
	return httpjson.Unchanged(c.w, c.r, digest)
}
