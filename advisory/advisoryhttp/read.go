package advisoryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// The bounds of an id or a package's name, and of a package URL, in bytes.
const (
	maxName = 1024
	maxURL  = 8192
)

// about answers what is known about a package.
func (h *Handler) about(c *call) error {
	ecosystem, name := c.query.Get("ecosystem"), c.query.Get("name")
	if !isText(ecosystem, maxName) || !isText(name, maxName) {
		return httpjson.BadRequest("query: ecosystem and name are required")
	}
	from, err := httpjson.After(c.query, 32)
	if err != nil {
		return err
	}
	v, done, err := h.view(c)
	if err != nil {
		return err
	}
	defer done()
	entries, err := v.Affected(c.r.Context(), ecosystem, advisory.CanonicalName(ecosystem, name))
	if err != nil {
		return httpjson.Kept(err)
	}
	var refs []advisory.Ref
	seen := map[advisory.Ref]bool{}
	for _, e := range entries {
		if !seen[e.Record] {
			seen[e.Record] = true
			refs = append(refs, e.Record)
		}
	}
	out := &Answer{Snapshot: v.Digest()}
	refs = refs[min(int(from), len(refs)):]
	if out.Records, err = known(c.r.Context(), v, refs); err != nil {
		return err
	}
	if len(out.Records) < len(refs) {
		out.Next = int(from) + len(out.Records)
	}
	return c.answer(out)
}

// named answers what is known under an id.
func (h *Handler) named(c *call) error {
	id := c.r.PathValue("id")
	if !isText(id, maxName) {
		return notThere("advisory", id)
	}
	v, done, err := h.view(c)
	if err != nil {
		return err
	}
	defer done()
	ctx := c.r.Context()
	refs, err := v.Named(ctx, id)
	if err != nil {
		return httpjson.Kept(err)
	}
	if len(refs) > MaxKnown {
		return &fault.LimitError{What: "records", Where: "answer about " + id, Max: MaxKnown, Seen: int64(len(refs))}
	}
	out := &Answer{Snapshot: v.Digest()}
	if out.Records, err = known(ctx, v, refs); err != nil {
		return err
	}
	if len(out.Records) < len(refs) {
		return &fault.LimitError{What: "affected packages", Where: "answer about " + id, Max: MaxEntries}
	}
	if out.Signals, err = v.Signals(ctx, id); err != nil {
		return httpjson.Kept(err)
	}
	if c.query.Get("snapshot") == "" { // linksets are of the newest head
		if out.Linksets, err = h.linksets(ctx, id, out.Records); err != nil {
			return err
		}
	}
	if len(out.Records)+len(out.Signals)+len(out.Linksets) == 0 {
		return notThere("advisory", id)
	}
	return c.answer(out)
}

// linksets returns those that the id or the records are in.
func (h *Handler) linksets(ctx context.Context, id string, records []Known) ([]*advisory.Linkset, error) {
	keys := []string{id}
	for _, k := range records {
		for _, list := range [][]string{{k.Record.ID}, k.Record.Aliases, k.Record.Upstream} {
			keys = append(keys, list...)
		}
	}
	slices.Sort(keys)
	var out []*advisory.Linkset
	for _, key := range slices.Compact(keys) {
		l, err := h.Advisories.Linkset(ctx, key)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// known reads records with their texts: the first MaxKnown, and fewer where those
// have MaxEntries affected packages.
func known(ctx context.Context, v advisory.View, refs []advisory.Ref) ([]Known, error) {
	out, entries := make([]Known, 0, min(len(refs), MaxKnown)), 0
	for _, ref := range refs {
		if len(out) == MaxKnown || entries >= MaxEntries {
			break
		}
		r, err := v.Record(ctx, ref)
		if err != nil {
			return nil, httpjson.Kept(err)
		}
		t, err := v.Text(ctx, ref)
		if err != nil {
			return nil, httpjson.Kept(err)
		}
		entries += len(t.Affected)
		out = append(out, Known{Ref: uint64(ref), Record: r, Text: t})
	}
	return out, nil
}

// linkset answers what is said about one vulnerability, side by side.
func (h *Handler) linkset(c *call) error {
	key := c.r.PathValue("key")
	if !isText(key, maxName) {
		return notThere("linkset", key)
	}
	l, err := h.Advisories.Linkset(c.r.Context(), key)
	if err != nil {
		return err
	}
	return c.answer(l)
}

func (h *Handler) head(c *call) error {
	number, err := headNumber(c.r.PathValue("number"))
	if err != nil {
		return err
	}
	head, err := h.Advisories.Head(c.r.Context(), number)
	if err != nil {
		return err
	}
	if httpjson.Unchanged(c.w, c.r, strconv.FormatInt(head.Number, 10)+"/"+head.Digest) {
		return nil
	}
	return c.answer(head)
}

// facts answers what changed with a head, in pages.
func (h *Handler) facts(c *call) error {
	number, err := headNumber(c.r.PathValue("number"))
	if err != nil {
		return err
	}
	from, err := httpjson.After(c.query, 32)
	if err != nil {
		return err
	}
	head, err := h.Advisories.Head(c.r.Context(), number)
	if err != nil {
		return err
	}
	page := &FactPage{Head: head.Number, Facts: []advisory.Fact{}}
	n := 0
	for f, err := range h.Advisories.Facts(c.r.Context(), head.Number) {
		if err != nil {
			return err
		}
		if n++; n <= int(from) {
			continue
		}
		if len(page.Facts) == MaxFacts {
			page.Next = n - 1
			break
		}
		page.Facts = append(page.Facts, f)
	}
	return c.answer(page)
}

func (h *Handler) sources(c *call) error {
	list, err := h.Advisories.Sources(c.r.Context())
	if err != nil {
		return err
	}
	return c.answer(sourceList{slices.Concat([]advisory.SourceState{}, list)})
}

// approve releases a run that is held.
func (h *Handler) approve(c *call) error {
	var body Approval
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	source := c.r.PathValue("source")
	if !isText(source, 64) {
		return notThere("source", source)
	}
	if err := h.Advisories.Approve(c.r.Context(), source, body.Run, c.who.Subject); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) sync(c *call) error {
	source := c.r.PathValue("source")
	if h.Sync == nil {
		return fmt.Errorf("this service reads no sources: %w", fault.Unsupported)
	}
	if !isText(source, 64) {
		return notThere("source", source)
	}
	if err := h.Sync(c.r.Context(), source); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// raw gives a document as its publisher wrote it. It is never shown as what it
// claims to be: it may be anything.
func (h *Handler) raw(c *call) error {
	digest := c.r.PathValue("digest")
	content, err := h.Advisories.Raw(c.r.Context(), digest)
	if err != nil {
		return httpjson.Kept(err)
	}
	if httpjson.Unchanged(c.w, c.r, digest) {
		return nil
	}
	c.w.Header().Set("Content-Disposition", "attachment")
	httpjson.WriteBytes(c.w, http.StatusOK, "application/octet-stream", content)
	return nil
}
