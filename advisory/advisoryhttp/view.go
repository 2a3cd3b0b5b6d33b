package advisoryhttp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/fault"
)

// View is a snapshot that a service has: an [advisory.View] whose every answer is
// asked for there, and believed. It remembers what it was told, up to
// MaxRemembered answers. Where the answers must be checked, or are many, a
// snapshot.Cache over a Client fetches the snapshot itself.
type View struct {
	client     *Client
	digest     string
	ecosystems []advisory.Ecosystem

	mu       sync.Mutex
	affected map[advisory.Lookup][]advisory.Entry
	records  map[advisory.Ref]*advisory.Record
}

var (
	_ advisory.View       = (*View)(nil)
	_ advisory.Prefetcher = (*View)(nil)
)

// MaxRemembered bounds the answers that a View remembers, of each kind.
const MaxRemembered = 100_000

// View returns the view of a snapshot, or of the newest one for "". Its manifest
// is read and checked.
func (c *Client) View(ctx context.Context, digest string) (*View, error) {
	if digest == "" {
		head, err := c.Head(ctx, 0)
		if err != nil {
			return nil, err
		}
		digest = head.Digest
	}
	text, err := c.Manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	m, err := snapshot.DecodeManifest(text)
	if err != nil {
		return nil, err
	}
	if _, got, err := m.Encode(); err != nil || got != digest {
		return nil, &fault.MismatchError{What: "manifest", Want: digest, Got: got}
	}
	return &View{client: c, digest: digest, ecosystems: m.Ecosystems(), affected: map[advisory.Lookup][]advisory.Entry{}, records: map[advisory.Ref]*advisory.Record{}}, nil
}

// Digest implements [advisory.View].
func (v *View) Digest() string { return v.digest }

// Ecosystems implements [advisory.View].
func (v *View) Ecosystems() []advisory.Ecosystem { return v.ecosystems }

func (v *View) query(ctx context.Context, q lookups) (*results, error) {
	out := new(results)
	err := v.client.post(ctx, "query snapshot "+v.digest, "/snapshots/"+v.digest+"/query", nil, q, into(out, func(r *results) bool {
		none := slices.Contains(r.Texts, nil) || slices.ContainsFunc(r.Records, func(k Known) bool { return k.Record == nil })
		return !none && len(r.Affected) == len(q.Affected) && len(r.Texts) == len(q.Texts) && len(r.Named) == len(q.Named) && len(r.Signals) == len(q.Signals)
	}))
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.records) > MaxRemembered || len(v.affected) > MaxRemembered {
		clear(v.records)
		clear(v.affected)
	}
	for _, k := range out.Records {
		v.records[advisory.Ref(k.Ref)] = k.Record
	}
	for i, l := range q.Affected {
		list := make([]advisory.Entry, len(out.Affected[i]))
		for j, e := range out.Affected[i] {
			list[j] = advisory.Entry{Affected: e.Affected, Record: advisory.Ref(e.Record), Withdrawn: e.Withdrawn}
		}
		if len(list) == 0 {
			list = nil
		}
		v.affected[l] = list
	}
	return out, nil
}

// Prefetch asks many questions at once, and fewer at once where a request or an
// answer would reach a limit.
func (v *View) Prefetch(ctx context.Context, list []advisory.Lookup) error {
	for len(list) > 0 {
		n := min(MaxLookups/2, len(list))
		_, err := v.query(ctx, lookups{Affected: list[:n]})
		for ; errors.Is(err, fault.Limit) && n > 1; _, err = v.query(ctx, lookups{Affected: list[:n]}) {
			n = (n + 1) / 2
		}
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// Affected implements [advisory.View].
func (v *View) Affected(ctx context.Context, ecosystem, name string) ([]advisory.Entry, error) {
	l := advisory.Lookup{Ecosystem: ecosystem, Name: name}
	v.mu.Lock()
	list, ok := v.affected[l]
	v.mu.Unlock()
	if ok {
		return list, nil
	}
	if _, err := v.query(ctx, lookups{Affected: []advisory.Lookup{l}}); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.affected[l], nil
}

// Record implements [advisory.View].
func (v *View) Record(ctx context.Context, ref advisory.Ref) (*advisory.Record, error) {
	v.mu.Lock()
	r := v.records[ref]
	v.mu.Unlock()
	if r != nil {
		return r, nil
	}
	out, err := v.query(ctx, lookups{Records: []wireRef{{ref}}})
	if err != nil {
		return nil, err
	}
	if len(out.Records) != 1 || out.Records[0].Record == nil {
		return nil, fmt.Errorf("record %d of snapshot %s: %w", ref, v.digest, fault.NotFound)
	}
	return out.Records[0].Record, nil
}

// Text implements [advisory.View].
func (v *View) Text(ctx context.Context, ref advisory.Ref) (*advisory.Text, error) {
	out, err := v.query(ctx, lookups{Texts: []wireRef{{ref}}})
	if err != nil {
		return nil, err
	}
	return out.Texts[0], nil
}

// Named implements [advisory.View].
func (v *View) Named(ctx context.Context, id string) ([]advisory.Ref, error) {
	out, err := v.query(ctx, lookups{Named: []string{id}})
	if err != nil {
		return nil, err
	}
	var refs []advisory.Ref
	for _, r := range out.Named[0] {
		refs = append(refs, r.Ref)
	}
	return refs, nil
}

// Signals implements [advisory.View].
func (v *View) Signals(ctx context.Context, vulnerability string) ([]advisory.Signal, error) {
	out, err := v.query(ctx, lookups{Signals: []string{vulnerability}})
	if err != nil || len(out.Signals[0]) == 0 {
		return nil, err
	}
	return out.Signals[0], nil
}
