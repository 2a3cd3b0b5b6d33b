package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

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
// say of them, what other records say that those name, and what has become known
// to be exploited. The facts are sorted and distinct.
func Facts(ctx context.Context, from, to *Snapshot) ([]advisory.Fact, error) {
	var out []advisory.Fact
	for c, err := range Changes(from, to) {
		if err != nil {
			return nil, err
		}
		out = append(out, advisory.FactsOf(c.Old, c.Now)...)
		if advisory.Linked(c.Old, c.Now) {
			if out, err = to.factsAbout(ctx, out, c.ID, c.ID, advisory.CauseChanged); err != nil {
				return nil, fmt.Errorf("records that name %s: %w", c.ID, err)
			}
		}
	}
	exploited, err := exploited(from, to)
	if err != nil {
		return nil, err
	}
	for _, cve := range exploited {
		if out, err = to.factsAbout(ctx, out, cve, "", advisory.CauseKEV); err != nil {
			return nil, fmt.Errorf("packages with %s, which is exploited: %w", cve, err)
		}
	}
	advisory.SortFacts(out)
	return slices.Compact(out), nil
}

// exploited returns the CVE ids that are listed as exploited in to, and were not
// in from.
func exploited(from, to *Snapshot) (out []string, err error) {
	for i := range to.overlays {
		o := &to.overlays[i]
		before := map[uint64]bool{}
		shared := false
		for j := range from.overlays {
			if f := &from.overlays[j]; f.source == o.source {
				if shared = bytes.Equal(f.sums, o.sums); shared {
					break
				}
				for s, err := range f.all() {
					if err != nil {
						return nil, err
					}
					if key, ok := cveKey(s.Vulnerability); ok && s.Exploited != "" {
						before[key] = true
					}
				}
			}
		}
		if shared {
			continue
		}
		for s, err := range o.all() {
			if err != nil {
				return nil, err
			}
			if key, ok := cveKey(s.Vulnerability); ok && s.Exploited != "" && !before[key] {
				out = append(out, s.Vulnerability)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// factsAbout adds the packages of records that name an id, but for the record
// that has it.
func (s *Snapshot) factsAbout(ctx context.Context, out []advisory.Fact, id, except string, cause advisory.Cause) ([]advisory.Fact, error) {
	refs, err := s.Named(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		r, err := s.Record(ctx, ref)
		if err != nil {
			return nil, err
		}
		if r.ID == except {
			continue
		}
		t, err := s.Text(ctx, ref)
		if err != nil {
			return nil, err
		}
		r.Affected = t.Affected
		for _, f := range advisory.FactsOf(nil, r) {
			f.Cause = cause
			out = append(out, f)
		}
	}
	return out, nil
}
