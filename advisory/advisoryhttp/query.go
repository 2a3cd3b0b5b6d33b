package advisoryhttp

import (
	"context"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

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
	if len(q.Texts) > MaxTexts {
		return &fault.LimitError{What: "texts", Where: "query", Max: MaxTexts, Seen: int64(len(q.Texts))}
	}
	v, done, err := h.View(c.r.Context(), c.r.PathValue("digest"))
	if err != nil {
		return httpjson.Kept(err)
	}
	defer done()
	out, err := answer(c.r.Context(), v, &q)
	if err != nil {
		return httpjson.Kept(err)
	}
	return c.answer(out)
}

func tooMany(n int) error {
	return &fault.LimitError{What: "affected packages and refs", Where: "answer to a query: ask less at once", Max: MaxEntries, Seen: int64(n)}
}

func answer(ctx context.Context, v advisory.View, q *lookups) (*results, error) {
	out, n := new(results), 0
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
		if n += len(list); n > MaxEntries {
			return nil, tooMany(n)
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
		if n += len(refs); n > MaxEntries {
			return nil, tooMany(n)
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
