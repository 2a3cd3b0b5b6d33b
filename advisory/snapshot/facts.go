package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
)

// Change is a record that differs between two snapshots.
type Change struct {
	Part advisory.Part
	ID   string
	// Old and Now are the record before and after, cut to the part's ecosystem;
	// nil where it is not there.
	Old, Now *advisory.Record
}

// Changes yields the records that differ, sorted by part and id. Parts that both
// snapshots share are not read.
func Changes(from, to *Snapshot) iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		for _, p := range parts(from, to) {
			if err := from.changes(to, p, yield); err != nil {
				if err != errStop {
					yield(nil, fmt.Errorf("compare snapshots %s and %s: %v: %w", from.digest, to.digest, p, err))
				}
				return
			}
		}
	}
}

// errStop ends an iteration whose consumer has had enough.
var errStop = fmt.Errorf("stop")

// parts returns the parts that differ.
func parts(from, to *Snapshot) (out []advisory.Part) {
	have := map[advisory.Part]string{}
	for i := range from.manifest.Segments {
		have[from.manifest.Segments[i].Part()] = from.manifest.Segments[i].Digest
	}
	var list []Segment
	for _, s := range to.manifest.Segments {
		if have[s.Part()] != s.Digest {
			list = append(list, s)
		}
		delete(have, s.Part())
	}
	for _, s := range from.manifest.Segments {
		if _, gone := have[s.Part()]; gone {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, compareSegments)
	for i := range list {
		out = append(out, list[i].Part())
	}
	return out
}

// changes yields the differences of one part.
func (s *Snapshot) changes(to *Snapshot, p advisory.Part, yield func(*Change, error) bool) error {
	old, err := s.partRows(p)
	if err != nil {
		return err
	}
	now, err := to.partRows(p)
	if err != nil {
		return err
	}
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		c := &Change{Part: p}
		order := compareRows(old, i, now, j)
		same := order == 0 && old[i].equal(&now[j])
		if order <= 0 && !same {
			c.ID = old[i].id
			if c.Old, err = s.wholeOf(p, i); err != nil {
				return err
			}
		}
		if order >= 0 && !same {
			c.ID = now[j].id
			if c.Now, err = to.wholeOf(p, j); err != nil {
				return err
			}
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
		if !same && !yield(c, nil) {
			return errStop
		}
	}
	return nil
}

// partRows takes the segment of a part apart; nil where there is none.
func (s *Snapshot) partRows(p advisory.Part) ([]stored, error) {
	g := s.segmentOf(&Segment{Source: p.Source, Database: p.Database, Ecosystem: p.Ecosystem})
	if g == nil {
		return nil, nil
	}
	return g.rows(&s.decoder)
}

func (s *Snapshot) wholeOf(p advisory.Part, n int) (*advisory.Record, error) {
	for i := range s.segments {
		if s.manifest.Segments[i].Part() == p {
			return s.whole(i, uint32(n))
		}
	}
	return nil, damaged("the part")
}

// Facts returns what differs between two snapshots for packages: what records
// say of them, what other records say that lead those to another vulnerability or
// tell how bad it is, and what has become, or is no longer, known to be exploited.
// Whatever package matching finds something else for is among them. The facts are
// sorted and distinct.
func Facts(ctx context.Context, from, to *Snapshot) ([]advisory.Fact, error) {
	changed := follower{snap: to, cause: advisory.CauseChanged}
	for c, err := range Changes(from, to) {
		if err != nil {
			return nil, err
		}
		changed.out = append(changed.out, advisory.FactsOf(c.Old, c.Now)...)
		if !advisory.Linked(c.Old, c.Now) {
			continue
		}
		ids := []string{c.ID}
		for _, r := range []*advisory.Record{c.Old, c.Now} {
			if r != nil {
				more, _ := r.Hangs()
				ids = append(ids, more...)
			}
		}
		if err := changed.follow(ctx, ids, c); err != nil {
			return nil, fmt.Errorf("records that hang together with %s: %w", c.ID, err)
		}
	}
	exploited, err := exploits(from, to)
	if err != nil {
		return nil, err
	}
	kev := follower{snap: to, cause: advisory.CauseKEV}
	for _, cve := range slices.Sorted(maps.Keys(exploited)) {
		f := &changed
		if exploited[cve] == advisory.CauseKEV {
			f = &kev
		}
		if err := f.follow(ctx, []string{cve}, nil); err != nil {
			return nil, fmt.Errorf("packages with %s, of which it is told otherwise whether it is exploited: %w", cve, err)
		}
	}
	out := append(changed.out, kev.out...)
	advisory.SortFacts(out)
	return slices.Compact(out), nil
}

// follower collects the packages that are concerned by what is said elsewhere. It
// follows each id once.
type follower struct {
	snap  *Snapshot
	cause advisory.Cause
	seen  map[string]bool
	out   []advisory.Fact
}

// follow adds the packages of the records that are about what ids lead to: those
// that name a CVE id of them, and those without a CVE id of their own that hang
// together with these or with another id, as matching follows them. The record that
// changed has facts of its own; nil for none.
func (f *follower) follow(ctx context.Context, ids []string, changed *Change) error {
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		if ids = ids[:len(ids)-1]; f.seen[id] {
			continue
		}
		f.seen[id] = true
		isCVE := strings.HasPrefix(id, "CVE-")
		refs, err := f.snap.Named(ctx, id)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			r, err := f.snap.Record(ctx, ref)
			if err != nil {
				return err
			}
			links, follows := r.Hangs()
			if !isCVE && !(follows && slices.Contains(links, id)) {
				continue
			}
			ids = append(ids, links...)
			if changed != nil && r.ID == changed.ID && r.Source == changed.Part.Source {
				continue
			}
			if err := f.add(ctx, ref, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds the packages of a record.
func (f *follower) add(ctx context.Context, ref advisory.Ref, r *advisory.Record) error {
	t, err := f.snap.Text(ctx, ref)
	if err != nil {
		return err
	}
	r.Affected = t.Affected
	for _, fact := range advisory.FactsOf(nil, r) {
		fact.Cause = f.cause
		f.out = append(f.out, fact)
	}
	return nil
}

// exploits returns the CVE ids of which some source tells otherwise in to than in
// from since when they are exploited: CauseKEV for what it lists and did not, else
// CauseChanged. A source without signals has no overlay.
func exploits(from, to *Snapshot) (map[string]advisory.Cause, error) {
	out := map[string]advisory.Cause{}
	for i := range to.overlays {
		if err := exploitsOf(out, from.overlayOf(to.overlays[i].source), &to.overlays[i]); err != nil {
			return nil, err
		}
	}
	for i := range from.overlays {
		if to.overlayOf(from.overlays[i].source) == nil {
			if err := exploitsOf(out, &from.overlays[i], nil); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (s *Snapshot) overlayOf(source string) *overlay {
	for i := range s.overlays {
		if s.overlays[i].source == source {
			return &s.overlays[i]
		}
	}
	return nil
}

// exploitsOf adds what one source tells otherwise. Either may be nil.
func exploitsOf(out map[string]advisory.Cause, from, to *overlay) error {
	if from != nil && to != nil && bytes.Equal(from.sums, to.sums) {
		return nil
	}
	old, err := from.exploited()
	if err != nil {
		return err
	}
	now, err := to.exploited()
	if err != nil {
		return err
	}
	for cve, since := range now {
		if before := old[cve]; before == "" {
			out[cve] = advisory.CauseKEV
		} else if before != since && out[cve] == "" {
			out[cve] = advisory.CauseChanged
		}
	}
	for cve := range old {
		if now[cve] == "" && out[cve] == "" {
			out[cve] = advisory.CauseChanged
		}
	}
	return nil
}

// exploited returns since when what the source lists is exploited; nil for nil.
func (o *overlay) exploited() (map[string]string, error) {
	if o == nil {
		return nil, nil
	}
	out := map[string]string{}
	for s, err := range o.all() {
		if err != nil {
			return nil, err
		}
		if s.Exploited != "" {
			out[s.Vulnerability] = s.Exploited
		}
	}
	return out, nil
}
