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
	now := seen{Digest: door.Digest(text)}
	cursor := known.cursor()
	newest := cursor
	l.deleted.all = map[string]time.Time{}
	for _, c := range changes {
		var address string
		if address, err = provider.Join(l.Folder, c.Path); err != nil {
			break
		}
		name := l.name(c.Path, address)
		if ok && now.Digest != known.Digest && !c.Time.Before(cursor) {
			l.deleted.fresh = append(l.deleted.fresh, name)
		}
		if c.Time.After(newest) {
			newest = c.Time
		}
		if c.Time.After(l.deleted.all[name]) {
			l.deleted.all[name] = c.Time
		}
	}
	if err != nil {
		return fmt.Errorf("read the list %s: %w", l.Deletions, err)
	}
	now.Cursor = stamp(newest)
	r.next[l.Deletions] = now
	return nil
}
