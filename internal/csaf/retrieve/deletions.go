package retrieve

import (
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// deleted is what a list of deletions says.
type deleted struct {
	all   map[string]time.Time // when documents were deleted last, by name
	fresh []string             // the names of those that are newer than what is known; none at first
}

// loadDeletions reads a list's list of deletions, if it has one.
func (r *run) loadDeletions(l *list) error {
	if l.Deletions == "" {
		return nil
	}
	known, ok := r.old[l.Deletions]
	text, _, err := r.read(door.Request{URL: l.Deletions, Max: MaxList})
	switch {
	case errors.Is(err, fault.NotFound):
		if ok {
			r.next[l.Deletions] = known
		}
		return nil
	case err != nil:
		return err
	}
	changes, err := provider.ParseChanges(text, nil)
	listed := make([]entry, 0, len(changes))
	for _, c := range changes {
		var address string
		if address, err = provider.Join(l.Folder, c.Path); err != nil {
			break
		}
		listed = append(listed, entry{name: l.name(c.Path, address), at: c.Time})
	}
	if err != nil {
		return fmt.Errorf("read the list %s: %w", l.Deletions, err)
	}
	now := seen{Digest: door.Digest(text)}
	cursor, newest := known.cursor(), known.cursor()
	l.deleted.all = map[string]time.Time{}
	for _, e := range listed {
		if ok && now.Digest != known.Digest && !e.at.Before(cursor) { // again what is just as old: it does no harm
			l.deleted.fresh = append(l.deleted.fresh, e.name)
		}
		if e.at.After(newest) {
			newest = e.at
		}
		if e.at.After(l.deleted.all[e.name]) {
			l.deleted.all[e.name] = e.at
		}
	}
	now.Cursor = stamp(newest)
	r.next[l.Deletions] = now
	return nil
}
