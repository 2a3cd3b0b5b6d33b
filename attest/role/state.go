package role

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// State is what a client knows of a feed: the newest file of each role that it
// verified, as it was read, or nil. It is a value; nothing here changes the
// bytes of one. The zero State trusts nobody: make one by [Trust]. Whoever can
// write where it is kept can replace it, and the trust with it.
type State struct {
	Root, Timestamp, Snapshot, Targets []byte
}

// Trust begins with a root that came on a way that is trusted: with the
// program, or with a digest that somebody compared. It must vouch for itself;
// it may have expired, if its successors are where updates are read.
func Trust(root []byte) (State, error) {
	if _, err := readRoot("root", root); err != nil {
		return State{}, err
	}
	return State{Root: root}, nil
}

// Rotate takes the next root. It must have been signed by enough keys of the
// root that stands, and of its own. Updates do so for every root that they find.
func (s State) Rotate(root []byte) (State, error) {
	u := &update{state: s}
	if err := u.start(); err != nil {
		return s, err
	}
	if err := u.rotate(File(RoleRoot, u.root.Version+1), root); err != nil {
		return s, err
	}
	return u.state, nil
}

// wireState is the JSON of a state, its members in canonical order.
type wireState struct {
	Format    int64  `json:"format"`
	Root      []byte `json:"root"`
	Snapshot  []byte `json:"snapshot,omitzero"`
	Targets   []byte `json:"targets,omitzero"`
	Timestamp []byte `json:"timestamp,omitzero"`
}

// Encode returns the state as canonical JSON (RFC 8785), to be stored as a whole
// in place of the one before. Equal states give equal bytes.
func (s State) Encode() ([]byte, error) {
	text, err := json.Marshal(wireState{Format: formatNow, Root: s.Root, Snapshot: s.Snapshot, Targets: s.Targets, Timestamp: s.Timestamp})
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return nil, fmt.Errorf("write a state: %v: %w", err, fault.Invalid)
	}
	if len(text) > MaxState {
		return nil, &fault.LimitError{What: "bytes of a state", Where: "state", Max: MaxState, Seen: int64(len(text))}
	}
	return text, nil
}

// DecodeState reads what [State.Encode] wrote. A file in it that cannot be read
// is an error: to begin without it would forget what was seen.
func DecodeState(text []byte) (State, error) {
	const name = "state"
	if len(text) > MaxState {
		return State{}, &fault.LimitError{What: "bytes of a state", Where: name, Max: MaxState, Seen: int64(len(text))}
	}
	var f struct {
		Format *int64 `json:"format"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return State{}, &Error{Reason: ReasonMalformed, File: name, Err: err}
	}
	if f.Format == nil || *f.Format != formatNow {
		return State{}, &Error{Reason: ReasonFormat, File: name, Detail: fmt.Sprintf("this program knows %d", formatNow)}
	}
	var w wireState
	if err := json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return State{}, &Error{Reason: ReasonMalformed, File: name, Err: err}
	}
	if _, err := readRoot(name, w.Root); err != nil {
		return State{}, err
	}
	for _, x := range []struct {
		role Role
		file []byte
		p    payload
	}{{RoleTimestamp, w.Timestamp, new(timestamp)}, {RoleSnapshot, w.Snapshot, new(snapshot)}, {RoleTargets, w.Targets, new(targets)}} {
		if x.file == nil {
			continue
		}
		if _, err := peek(x.role, name, x.file, x.p); err != nil {
			return State{}, err
		}
	}
	return State{Root: w.Root, Timestamp: w.Timestamp, Snapshot: w.Snapshot, Targets: w.Targets}, nil
}
