package ingest

import (
	"context"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
)

// linkAll returns the linksets of a whole snapshot. Of several records of one
// source with one id it has the one that counts, as matching does.
func linkAll(s *snapshot.Snapshot) ([]*advisory.Linkset, error) {
	var all merged
	for _, segment := range s.Manifest().Segments {
		for r, err := range s.Records(segment.Part()) {
			if err != nil {
				return nil, err
			}
			r.Details = "" // it takes no part
			all.part(r)
		}
	}
	return advisory.Link(all.list), nil
}

// recordKey tells records apart.
type recordKey struct{ source, id, digest string }

// merged is records, each once. The zero value is empty.
type merged struct {
	at   map[recordKey]int
	list []*advisory.Record
}

func (m *merged) find(r *advisory.Record) (i int, known bool) {
	if m.at == nil {
		m.at = map[recordKey]int{}
	}
	key := recordKey{r.Source, r.ID, r.Digest}
	if i, known = m.at[key]; !known {
		i = len(m.list)
		m.at[key] = i
	}
	return i, known
}

// part adds what a record says of one ecosystem.
func (m *merged) part(r *advisory.Record) {
	i, known := m.find(r)
	if !known {
		m.list = append(m.list, r)
		return
	}
	m.list[i].Affected = append(m.list[i].Affected, r.Affected...)
}

// relink returns the linksets that differ between two snapshots.
func relink(ctx context.Context, old, now *snapshot.Snapshot) ([]*advisory.Linkset, error) {
	changed := map[string]bool{}
	var before, current merged
	for c, err := range snapshot.Changes(old, now) {
		if err != nil {
			return nil, err
		}
		if changed[c.ID] {
			continue
		}
		changed[c.ID] = true
		if err := versions(ctx, old, c.ID, &before); err != nil {
			return nil, err
		}
		if err := versions(ctx, now, c.ID, &current); err != nil {
			return nil, err
		}
	}
	return advisory.LinkChanged(before.list, current.list, func(id string) ([]*advisory.Record, error) { return named(ctx, now, id) })
}

// versions adds the records that have an id.
func versions(ctx context.Context, s *snapshot.Snapshot, id string, into *merged) error {
	list, err := named(ctx, s, id)
	for _, r := range list {
		if r.ID == id {
			into.part(r)
		}
	}
	return err
}

// named returns the records of a snapshot that name an id, each once with all that
// it affects.
func named(ctx context.Context, s *snapshot.Snapshot, id string) ([]*advisory.Record, error) {
	refs, err := s.Named(ctx, id)
	if err != nil {
		return nil, err
	}
	var out merged
	for _, ref := range refs {
		r, err := s.Record(ctx, ref)
		if err != nil {
			return nil, err
		}
		t, err := s.Text(ctx, ref)
		if err != nil {
			return nil, err
		}
		r.References, r.CWEs, r.Affected = t.References, t.CWEs, t.Affected
		out.part(r)
	}
	return out.list, nil
}
