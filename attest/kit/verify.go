package kit

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/stella-ops/stella/attest/role"
)

// Kit is what a file proved to be.
type Kit struct {
	Digest  string    `json:"digest"` // of kit.json: it names the file
	Feed    string    `json:"feed"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
	// Base is 0, or for a delta the version that has what this kit lacks.
	Base    int64   `json:"base"`
	Size    int64   `json:"size"`    // bytes of the file
	Entries []Entry `json:"entries"` // of the release, sorted by kind and name
	// State is what is known of the feed after this kit.
	State role.State `json:"-"`

	own      role.State // the release's metadata
	older    bool
	contents []member
}

// Has reports whether the kit itself has an entry's content, which a delta may lack.
func (k *Kit) Has(e Entry) bool { return e.Since > k.Base }

// Verify reads a kit to its end and checks all of it: by the four roles that it is
// what follows a state at a time, and each byte of each content. Of a delta it
// checks what is in it; see [Kit.Has]. An error that refuses the kit is a role.Error
// with its reason; others are r's or the context's. Nothing is kept: the State in
// the result is for who wants to.
func Verify(ctx context.Context, r io.Reader, state role.State, at time.Time) (*Kit, error) {
	in := newReader(ctx, r)
	k, _, err := in.kit(state, at, false)
	for i := 0; err == nil && i < len(k.contents); i++ {
		in.rest = k.contents[i+1:]
		err = in.content(k.contents[i], nil)
	}
	if err == nil {
		err = in.end()
	}
	if err != nil {
		return nil, fmt.Errorf("verify the kit: %w", err)
	}
	return k, nil
}

// Progress is how much of a copy of a kit is right.
type Progress struct {
	Kit *Kit
	// Offset is where to go on: all before it is right, and what comes from there on
	// is to be cut off and copied again. It is the kit's size where nothing is missing.
	Offset int64
	// Err says why it does not go on there; nil where nothing is missing.
	Err error
}

// Resume verifies a copy of a kit as far as it goes. Metadata that are not whole, or
// that are refused, are an error: begin again.
func Resume(ctx context.Context, r io.Reader, state role.State, at time.Time) (*Progress, error) {
	in := newReader(ctx, r)
	k, _, err := in.kit(state, at, false)
	if err != nil {
		return nil, fmt.Errorf("resume the copy of a kit: %w", err)
	}
	p := &Progress{Kit: k, Offset: in.off}
	for i, m := range k.contents {
		in.rest = k.contents[i+1:]
		if p.Err = in.content(m, nil); p.Err != nil {
			break
		}
		p.Offset = in.off
	}
	if p.Err == nil {
		if p.Err = in.end(); p.Err == nil {
			p.Offset = k.Size
		}
	}
	if p.Err != nil && role.ReasonOf(p.Err) == "" {
		return nil, fmt.Errorf("resume the copy of a kit: %w", p.Err)
	}
	return p, nil
}

// kit reads the metadata and proves them to a state. The state that comes back is to
// be kept, also after an error.
func (r *reader) kit(state role.State, at time.Time, older bool) (*Kit, role.State, error) {
	h, digest, err := r.start()
	if err != nil {
		return nil, state, err
	}
	var m metadata
	for _, f := range h.Files {
		text, err := r.text(f.member())
		if err != nil {
			return nil, state, err
		}
		m = append(m, role.NamedFile{Name: f.Name, Data: text})
	}
	p, err := prove(r.ctx, m, state, at, older)
	if err != nil {
		return nil, p.after, err
	}
	k := &Kit{
		Digest: digest, Feed: p.release.Feed, Version: p.release.Version, Expires: p.release.Expires,
		Base: h.Base, State: p.after, own: p.own, older: p.older,
	}
	targets := m[len(m)-1].Name
	if k.Entries, err = entriesOf(p.release); err != nil {
		return nil, p.after, &role.Error{Reason: role.ReasonMalformed, File: targets, Err: err}
	}
	if h.Base != baseOf(k.Entries, h.Base) {
		return nil, p.after, refuse(role.ReasonMalformed, headName, "base %d is not where any content comes from", h.Base)
	}
	k.contents = contents(k.Entries, h.Base)
	k.Size = r.off + endBytes
	for _, m := range k.contents {
		k.Size += m.room()
	}
	return k, p.after, nil
}
