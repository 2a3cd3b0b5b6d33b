package kit

import (
	"fmt"
	"time"
)

// Status says what a store has.
type Status struct {
	Active  Activation   `json:"active"`
	Expired bool         `json:"expired"`          // it says what was, not what is
	Kinds   []KindStatus `json:"kinds"`            // sorted by kind
	Before  []Activation `json:"before,omitempty"` // what was active before, the newest first
	// Known is the newest version of the feed that was loaded, or 0 where its keys were
	// replaced since. It is above the active one where an older one was allowed.
	Known int64 `json:"known,omitzero"`
}

// KindStatus says what the active release has of a kind.
type KindStatus struct {
	Kind    string    `json:"kind"`
	Entries int       `json:"entries"`
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest"` // of the entries' times
	Newest  time.Time `json:"newest"`
}

// Status says what is active at a time. No content is read. Errors are those of
// [Store.Active].
func (s Store) Status(at time.Time) (*Status, error) {
	a, err := s.Active()
	if err != nil {
		return nil, err
	}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.release()
	c, err := f.current()
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", s.Dir, err)
	}
	out := &Status{Active: a.Activation, Expired: !at.Before(a.Expires), Before: c.Before, Kinds: kindsOf(a.Entries)}
	state, err := f.state()
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", s.Dir, err)
	}
	if r, err := state.Release(time.Unix(0, 0)); err == nil { // what was seen of a newer one may be less than whole
		out.Known = r.Version
	}
	return out, nil
}

// kindsOf adds up sorted entries.
func kindsOf(entries []Entry) (out []KindStatus) {
	for _, e := range entries {
		if len(out) == 0 || out[len(out)-1].Kind != e.Kind {
			out = append(out, KindStatus{Kind: e.Kind, Oldest: e.Time, Newest: e.Time})
		}
		k := &out[len(out)-1]
		k.Entries++
		k.Bytes += e.Length
		if e.Time.Before(k.Oldest) {
			k.Oldest = e.Time
		}
		if e.Time.After(k.Newest) {
			k.Newest = e.Time
		}
	}
	return out
}
