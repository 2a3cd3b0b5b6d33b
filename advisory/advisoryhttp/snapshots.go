package advisoryhttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// manifested is a view that has the manifest of a snapshot.
type manifested interface{ Manifest() *snapshot.Manifest }

// snapshot gives the manifest of a snapshot, whose digest it has.
func (h *Handler) snapshot(c *call) error {
	digest := c.r.PathValue("digest")
	v, done, err := h.View(c.r.Context(), digest)
	if err != nil {
		return err
	}
	defer done()
	m, ok := v.(manifested)
	if !ok {
		return fmt.Errorf("snapshot %s: it has no manifest here: %w", digest, fault.Unsupported)
	}
	text, _, err := m.Manifest().Encode()
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", etag(digest))
	if has(c.r, etag(digest)) {
		c.w.WriteHeader(http.StatusNotModified)
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
		return err
	}
	httpjson.WriteBytes(c.w, http.StatusOK, "application/octet-stream", object)
	return nil
}

// options are those of a request about matching.
func (h *Handler) options(c *call) (o advisory.Options, err error) {
	o.At = h.now()
	for key, to := range map[string]*bool{"match_owned": &o.MatchOwned, "cpe": &o.CPE} {
		switch c.query.Get(key) {
		case "", "false":
		case "true":
			*to = true
		default:
			return o, &httpjson.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("query: %s is true or false: %w", key, fault.Invalid)}
		}
	}
	return o, nil
}

// match matches an SBOM in any format that is known.
func (h *Handler) match(c *call) error {
	opts, err := h.options(c)
	if err != nil {
		return err
	}
	doc, err := h.readSBOM(c.r)
	if err != nil {
		return err
	}
	v, done, err := h.view(c)
	if err != nil {
		return err
	}
	defer done()
	report, err := advisory.Matcher{View: v, Options: opts}.Match(c.r.Context(), doc)
	if err != nil {
		return err
	}
	return write(c, report, "")
}

func (h *Handler) readSBOM(r *http.Request) (*sbom.Document, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxDocument+1))
	if err != nil {
		return nil, &httpjson.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("read the SBOM: it ended early: %w", fault.Invalid)}
	}
	if len(text) > MaxDocument {
		return nil, &fault.LimitError{What: "bytes of an SBOM", Where: "request", Max: MaxDocument}
	}
	if h.Decode != nil {
		return h.Decode(text)
	}
	doc, _, err := format.Decode(bytes.NewReader(text))
	return doc, err
}

// lookups are the questions of a view: see [advisory.View].
type lookups struct {
	Affected []advisory.Lookup `json:"affected,omitempty"`
	Records  []wireRef         `json:"records,omitempty"`
	Texts    []wireRef         `json:"texts,omitempty"`
	Named    []string          `json:"named,omitempty"`
	Signals  []string          `json:"signals,omitempty"`
}

// wireRef is a ref in JSON, where numbers are not that large.
type wireRef struct {
	Ref advisory.Ref `json:"ref,string"`
}

// entry is an advisory.Entry.
type entry struct {
	advisory.Affected
	Record    uint64 `json:"record,string"`
	Withdrawn bool   `json:"withdrawn,omitzero"`
}

// results are the answers, each list in the order of its questions. Records has,
// after those that were asked for, those of all entries.
type results struct {
	Affected [][]entry           `json:"affected,omitempty"`
	Records  []Known             `json:"records,omitempty"`
	Texts    []*advisory.Text    `json:"texts,omitempty"`
	Named    [][]wireRef         `json:"named,omitempty"`
	Signals  [][]advisory.Signal `json:"signals,omitempty"`
}

// queryView answers the questions of a view, many at a time.
func (h *Handler) queryView(c *call) error {
	var q lookups
	if err := httpjson.Read(c.r, MaxBody, &q); err != nil {
		return err
	}
	if n := len(q.Affected) + len(q.Records) + len(q.Texts) + len(q.Named) + len(q.Signals); n > MaxLookups {
		return &fault.LimitError{What: "questions", Where: "query", Max: MaxLookups, Seen: int64(n)}
	}
	v, done, err := h.View(c.r.Context(), c.r.PathValue("digest"))
	if err != nil {
		return err
	}
	defer done()
	out, err := answer(c.r.Context(), v, &q)
	if err != nil {
		return err
	}
	return write(c, out, "")
}

func answer(ctx context.Context, v advisory.View, q *lookups) (*results, error) {
	out := new(results)
	seen := map[advisory.Ref]bool{}
	record := func(ref advisory.Ref) error {
		r, err := v.Record(ctx, ref)
		if err == nil && !seen[ref] {
			seen[ref] = true
			out.Records = append(out.Records, Known{Ref: uint64(ref), Record: r})
		}
		return err
	}
	for _, ref := range q.Records {
		if err := record(ref.Ref); err != nil {
			return nil, err
		}
	}
	for _, l := range q.Affected {
		list, err := v.Affected(ctx, l.Ecosystem, l.Name)
		if err != nil {
			return nil, err
		}
		entries := make([]entry, len(list))
		for i, e := range list {
			entries[i] = entry{e.Affected, uint64(e.Record), e.Withdrawn}
			if err := record(e.Record); err != nil {
				return nil, err
			}
		}
		out.Affected = append(out.Affected, entries)
	}
	for _, ref := range q.Texts {
		t, err := v.Text(ctx, ref.Ref)
		if err != nil {
			return nil, err
		}
		out.Texts = append(out.Texts, t)
	}
	for _, id := range q.Named {
		refs, err := v.Named(ctx, id)
		if err != nil {
			return nil, err
		}
		list := make([]wireRef, len(refs))
		for i, ref := range refs {
			list[i].Ref = ref
		}
		out.Named = append(out.Named, list)
	}
	for _, id := range q.Signals {
		signals, err := v.Signals(ctx, id)
		if err != nil {
			return nil, err
		}
		out.Signals = append(out.Signals, append([]advisory.Signal{}, signals...))
	}
	return out, nil
}
