package retrieve

import (
	"context"
	"maps"
	"slices"

	"github.com/stella-ops/stella/internal/door"
)

// run is one Fetch.
type run struct {
	ctx       context.Context
	source    *Source
	reader    door.Reader
	emit      func(*Document) error
	old, next state
	passed    map[string]bool // documents, by name
	refused   Refused
}

func (r *run) read(q door.Request) ([]byte, *door.Response, error) {
	return r.reader.Read(r.ctx, q)
}

// loadAll reads the lists. It reports whether all documents must be fetched: at first,
// and where it cannot be told which are gone.
func (r *run) loadAll(lists []*list) (all bool, err error) {
	fresh, listed := 0, map[string]bool{}
	for _, l := range lists {
		if err := r.loadDeletions(l); err != nil {
			return false, err
		}
		if err := r.load(l, false); err != nil {
			return false, err
		}
		listed[l.URL] = true
		old := r.old[l.URL]
		switch {
		case l.same:
		case old.Cursor == "" || l.untimed:
			fresh++
			l.wanted = l.entries
			all = all || old.unnamed()
		default:
			var told bool
			l.wanted, told = l.newer(old)
			all = all || !told
		}
		l.first = !l.same && (old.Cursor == "" || l.untimed)
	}
	for address, old := range r.old {
		all = all || !listed[address] && old.unnamed()
	}
	if all = all || fresh == len(lists); !all {
		return false, nil
	}
	for _, l := range lists {
		if l.same {
			if err := r.load(l, true); err != nil {
				return false, err
			}
		}
		l.wanted, l.first = l.entries, true
	}
	return true, nil
}

// list passes on what is wanted of a list.
func (r *run) list(l *list) (err error) {
	wanted := l.wanted
	if l.first && l.Archive+l.Latest != "" {
		if wanted, err = r.archive(l); err != nil {
			return err
		}
	}
	for i := range wanted {
		if err := r.single(l, &wanted[i]); err != nil {
			return err
		}
	}
	return nil
}

// gone says of documents that a list had, or that were deleted, that no list has them
// any longer.
func (r *run) gone(lists []*list) error {
	has, had := map[string]bool{}, map[string]bool{}
	for _, l := range lists {
		for _, name := range l.now.Names {
			has[name] = true
		}
		for i := range l.entries {
			has[l.entries[i].name] = true
		}
		for _, name := range l.deleted.fresh {
			had[name] = true
		}
	}
	for _, old := range r.old {
		for _, name := range old.Names {
			had[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		if !has[name] {
			if err := r.pass(&Document{Name: name, Gone: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// pass passes a document on, once.
func (r *run) pass(doc *Document) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.passed[doc.Name] {
		return nil
	}
	r.passed[doc.Name] = true
	return r.emit(doc)
}
