package drift

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/event"
)

// Worker announces drift. It reads concelier:deltas in the group
// concelier-workers. Store and Views are required. It is safe for concurrent use.
type Worker struct {
	Store Store
	// Views opens a snapshot by its digest until done is called, as the Views of a
	// snapshot.Cache do.
	Views func(ctx context.Context, digest string) (v advisory.View, done func(), err error)
	// Options are those of the matcher that made the findings that are stored.
	Options advisory.Options
}

// Handle works on the head that an event tells of. Events of other types are left
// alone. It may be called again for the same event, also while another call is at
// it: nothing is announced twice, and what was announced is not looked for again.
func (w *Worker) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil || e.Type != event.AdvisoryDelta {
		return err
	}
	d, err := event.DecodeDelta(e)
	if err != nil {
		return err
	}
	if d.Base > 0 { // with the first head everything would be new
		turned, err := w.find(ctx, d)
		if err != nil {
			return fmt.Errorf("find whom head %d concerns: %w", d.Head, err)
		}
		if err := w.announce(ctx, d.Head, turned); err != nil {
			return fmt.Errorf("announce head %d: %w", d.Head, err)
		}
	}
	return w.Store.Consume(ctx, e.ID)
}

// turned is what turned for one tenant, by vulnerability.
type turned map[string]*vulnerability

type vulnerability struct {
	finding.Difference // of all packages together
	packages           map[int64]finding.Turn
}

// find matches the packages that a head's facts name, before and after.
func (w *Worker) find(ctx context.Context, d *event.Delta) (map[string]turned, error) {
	keys, err := w.keys(ctx, d.Head)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	c := &comparer{ctx: ctx, tenants: map[string]turned{}}
	for _, side := range []struct {
		m      *advisory.Matcher
		digest string
	}{{&c.before, d.BaseDigest}, {&c.after, d.Digest}} {
		view, done, err := w.Views(ctx, side.digest)
		if err != nil {
			return nil, err
		}
		defer done()
		*side.m = advisory.Matcher{View: view, Options: w.Options}
	}
	for some := range slices.Chunk(keys, MaxKeys) {
		for candidate, err := range w.Store.Candidates(ctx, some) {
			if err == nil {
				err = c.add(candidate)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return c.tenants, c.flush()
}

// keys returns what the facts of a head name, sorted and without repetition.
func (w *Worker) keys(ctx context.Context, head int64) ([]finding.Key, error) {
	seen := map[finding.Key]bool{}
	var keys []finding.Key
	for f, err := range w.Store.Facts(ctx, head) {
		if err != nil {
			return nil, err
		}
		k := finding.Key{Ecosystem: advisory.BaseEcosystem(f.Ecosystem), Name: f.Name}
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b finding.Key) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	return keys, nil
}

// announce tells every tenant what turned, from where it stands.
func (w *Worker) announce(ctx context.Context, head int64, tenants map[string]turned) error {
	for _, tenant := range sorted(tenants) {
		at, err := w.Store.Progress(ctx, tenant, head)
		if err != nil {
			return err
		}
		if at.Done {
			continue
		}
		for _, id := range sorted(tenants[tenant]) {
			if id < at.Vulnerability {
				continue
			}
			if at, err = w.announceOne(ctx, tenant, head, tenants[tenant][id], at); err != nil {
				return fmt.Errorf("%s to %s: %w", id, tenant, err)
			}
		}
		if err := w.Store.Finish(ctx, tenant, head); err != nil {
			return err
		}
	}
	return nil
}

// announceOne tells a tenant of one vulnerability.
func (w *Worker) announceOne(ctx context.Context, tenant string, head int64, v *vulnerability, at Progress) (Progress, error) {
	documents, err := w.documents(ctx, tenant, v)
	if err != nil {
		return at, err
	}
	a := &Announcement{Head: head, Vulnerability: v.Vulnerability, Severity: v.Severity, Summary: cut(v.Summary), Exploited: v.Exploited, Fixed: v.Fixed}
	for some := range slices.Chunk(documents, MaxDocuments) {
		if at.Vulnerability == v.Vulnerability && some[len(some)-1].Number < at.Document {
			continue
		}
		a.Documents = some
		for at.Through = false; !at.Through; {
			if at, err = w.Store.Announce(ctx, tenant, a); err != nil {
				return at, err
			}
		}
	}
	return at, nil
}

// documents unites the turns of the packages of each document.
func (w *Worker) documents(ctx context.Context, tenant string, v *vulnerability) ([]Document, error) {
	var all []Document
	for p, err := range w.Store.Postings(ctx, tenant, sorted(v.packages)) {
		if err != nil {
			return nil, err
		}
		all = append(all, Document{p.Document, v.packages[p.Package]})
	}
	slices.SortFunc(all, func(a, b Document) int { return cmp.Compare(a.Number, b.Number) })
	out := all[:0]
	for _, d := range all {
		if n := len(out); n > 0 && out[n-1].Number == d.Number {
			out[n-1].Turn |= d.Turn
		} else {
			out = append(out, d)
		}
	}
	return out, nil
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func cut(s string) string {
	if len(s) > MaxSummary {
		s = strings.ToValidUTF8(s[:MaxSummary-3], "") + "…"
	}
	return s
}
