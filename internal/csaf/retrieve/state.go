package retrieve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/door"
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
	// Count is how many documents it has; Names which, where they are few; and Marks
	// something of them, where they are many.
	Count int      `json:"count,omitempty"`
	Names []string `json:"names,omitempty"`
	Marks marks    `json:"marks,omitempty"`
}

// readState reads a state. What is none is an empty one: everything is then fetched
// again.
func readState(text []byte) state {
	s := state{}
	if len(text) == 0 || len(text) > MaxState {
		return s
	}
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return state{}
	}
	return s
}

// text writes the state, without names and then without marks where it gets too large
// with them.
func (s state) text() ([]byte, error) {
	text, err := json.Marshal(s, json.Deterministic(true))
	for _, shrink := range []func(*seen){(*seen).forget, func(v *seen) { v.Marks = nil }} {
		if err != nil || len(text) <= MaxState {
			break
		}
		for at, v := range s {
			shrink(&v)
			s[at] = v
		}
		text, err = json.Marshal(s, json.Deterministic(true))
	}
	if err != nil {
		return nil, fmt.Errorf("write the state of a source: %v: %w", err, fault.Invalid)
	}
	if len(text) > MaxState {
		return nil, fmt.Errorf("write: %w", &fault.LimitError{What: "bytes", Where: "the state of a source", Max: MaxState, Seen: int64(len(text))})
	}
	return text, nil
}

// ask is the request for a list that may be known.
func (s state) ask(address string) door.Request {
	return door.Request{URL: address, ETag: s[address].ETag, Modified: s[address].Modified, Max: MaxList}
}

func (v *seen) cursor() time.Time {
	at, _ := time.Parse(time.RFC3339, v.Cursor)
	return at
}

// unnamed reports whether it is of a list of which it is not known what it names.
func (v *seen) unnamed() bool { return v.Count > 0 && v.Names == nil }

// forget keeps marks in place of names.
func (v *seen) forget() {
	if v.Names != nil {
		v.Marks, v.Names = markNames(slices.Values(v.Names), len(v.Names)), nil
	}
}

// note keeps what a list has. Entries are sorted by time.
func (v *seen) note(entries []entry, most int) {
	newest := entries[len(entries)-1].at
	v.Cursor, v.At = stamp(newest), digestAt(entries, newest)
	v.Count, v.Names, v.Marks = len(entries), nil, nil
	size := 0
	for i := range entries {
		size += len(entries[i].name)
		v.Names = append(v.Names, entries[i].name)
	}
	if size > MaxNameBytes || most > 0 && len(entries) > most {
		v.forget()
	}
}

// stamp writes a time; "" for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// digestAt is the digest of the names that a list has at a time.
func digestAt(entries []entry, at time.Time) string {
	var names strings.Builder
	for i := range entries {
		if entries[i].at.Equal(at) {
			names.WriteString(entries[i].name + "\n")
		}
	}
	return door.Digest([]byte(names.String()))
}
