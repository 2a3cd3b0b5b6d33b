package feed

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// State is what a source knows of the addresses that it asked. Its text is JSON
// with sorted members.
type State map[string]Seen

// Seen is what is known of one address.
type Seen struct {
	// ETag and Modified are of its answer.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Digest is of its content, "sha256:" and 64 hex digits.
	Digest string `json:"digest,omitempty"`
	// Name is of the document that it is.
	Name string `json:"name,omitempty"`
	// Cursor is the newest time of a list up to which everything was fetched,
	// and At the digest of the names of that very time.
	Cursor string `json:"cursor,omitempty"`
	At     string `json:"at,omitempty"`
}

// ReadState reads a state. What is none is an empty one: everything is then
// fetched again, which is never wrong.
func ReadState(text []byte) State {
	s := State{}
	if len(text) == 0 || len(text) > MaxState {
		return s
	}
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return State{}
	}
	return s
}

// Text writes the state. An error wraps ErrLimit.
func (s State) Text() ([]byte, error) {
	text, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write the state of a source: %v: %w", err, fault.Invalid)
	}
	if len(text) > MaxState {
		return nil, fmt.Errorf("write: %w", &fault.LimitError{What: "bytes", Where: "the state of a source", Max: MaxState, Seen: int64(len(text))})
	}
	return text, nil
}

// Ask returns the request for an address, with the condition that is known.
func (s State) Ask(address string) advisory.Request {
	return advisory.Request{URL: address, ETag: s[address].ETag, Modified: s[address].Modified}
}

// Note keeps what an answer says of itself. It reports whether the content is
// another than the one that was known.
func (s State) Note(address string, resp *advisory.Response, digest string) bool {
	old := s[address]
	changed := old.Digest != digest
	old.ETag, old.Modified, old.Digest = resp.ETag, resp.Modified, digest
	s[address] = old
	return changed
}

// fetched makes the outcome of a Fetch.
func (s State) fetched(complete, unchanged bool) (*advisory.Fetched, error) {
	text, err := s.Text()
	if err != nil {
		return nil, err
	}
	return &advisory.Fetched{State: text, Complete: complete && !unchanged, Unchanged: unchanged}, nil
}

// Digest returns the digest of a content, "sha256:" and 64 hex digits.
func Digest(content []byte) string { return sum.Of(content) }
