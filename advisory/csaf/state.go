package csaf

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

// state is what is known of lists, by address.
type state map[string]seen

// seen is what is known of one list.
type seen struct {
	// ETag, Modified and Digest are of its answer.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	Digest   string `json:"digest,omitempty"`
	// Cursor is the newest time up to which everything was fetched, and At the
	// digest of the names of that very time.
	Cursor string `json:"cursor,omitempty"`
	At     string `json:"at,omitempty"`
	// Count is how many documents it has, Names which, where they are few.
	Count int      `json:"count,omitempty"`
	Names []string `json:"names,omitempty"`
}

// readState reads a state. What is none is an empty one: everything is then
// fetched again.
func readState(text []byte) state {
	s := state{}
	if len(text) == 0 || len(text) > feed.MaxState {
		return s
	}
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return state{}
	}
	return s
}

// text writes the state, without names where it gets too large with them.
func (s state) text() ([]byte, error) {
	text, err := json.Marshal(s, json.Deterministic(true))
	if err == nil && len(text) > feed.MaxState {
		for at, v := range s {
			v.Names = nil
			s[at] = v
		}
		text, err = json.Marshal(s, json.Deterministic(true))
	}
	if err != nil {
		return nil, fmt.Errorf("write the state of a source: %v: %w", err, fault.Invalid)
	}
	if len(text) > feed.MaxState {
		return nil, fmt.Errorf("write: %w", &fault.LimitError{What: "bytes", Where: "the state of a source", Max: feed.MaxState, Seen: int64(len(text))})
	}
	return text, nil
}

func (s state) ask(address string) advisory.Request {
	return advisory.Request{URL: address, ETag: s[address].ETag, Modified: s[address].Modified, Max: feed.MaxList}
}

func (v seen) cursor() (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, v.Cursor)
	return at, err == nil
}

// digestAt is the digest of the names that a list has at a time.
func digestAt(entries []entry, at time.Time) string {
	var names strings.Builder
	for _, e := range entries {
		if e.at.Equal(at) {
			names.WriteString(e.name + "\n")
		}
	}
	return feed.Digest([]byte(names.String()))
}

// note keeps what was fetched of a list.
func (v *seen) note(entries []entry) {
	newest := entries[len(entries)-1].at
	v.Cursor, v.At, v.Count, v.Names = newest.UTC().Format(time.RFC3339Nano), digestAt(entries, newest), len(entries), nil
	size := 0
	for _, e := range entries {
		size += len(e.name)
	}
	if len(entries) > MaxNames || size > 128<<10 {
		return
	}
	for _, e := range entries {
		v.Names = append(v.Names, e.name)
	}
}
