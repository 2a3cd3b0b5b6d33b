package kit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// Item is something to be put into a kit.
type Item struct {
	Kind string
	Name string // within the kind: elements of letters, digits and "-_.+", joined by slashes
	// Time is that of what the content says, in whole seconds. Zero means when this
	// content first was in the kit.
	Time time.Time
	// About is JSON to be said about it, or nil.
	About []byte
	// Open opens the content: once when it is signed and once each time that it is
	// written. It must be the same each time.
	Open func() (io.ReadCloser, error)
}

// Draft says what the next edition is.
type Draft struct {
	// Previous is what the publisher knows: the State of the edition before, or
	// role.Trust of the root for the first. It says which feed it is.
	Previous role.State
	// Roots are the files of the roots before Previous.Root, one version after the
	// other. With them, sites that know an older root follow.
	Roots [][]byte
	// At is now.
	At time.Time
	// Items are all that the release has, in any order. Nil means the targets of the
	// release before, of which only new times of expiry are signed.
	Items []Item
	// Expires and Signers are those of role.Draft: of timestamp, snapshot and
	// targets, and of timestamp alone where Items is nil.
	Expires map[role.Role]time.Time
	Signers map[role.Role][]dsse.Signer
}

// Edition is a release that was signed, to be written in one file or several.
type Edition struct {
	// State is to be kept, as the Previous of the next edition, before a file is
	// handed out.
	State   role.State
	Feed    string
	Version int64
	Expires time.Time
	Entries []Entry // sorted by name

	files []role.NamedFile
	open  map[string]func() (io.ReadCloser, error) // by digest
}

// Publish signs the next edition. Equal drafts give equal editions, if the signers
// are deterministic: a draft that was signed already and is not to be signed again
// is what State is kept for. What no site would take is an error, and then there is
// nothing to hand out.
func Publish(ctx context.Context, d *Draft) (*Edition, error) {
	e, err := publish(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("publish a kit: %w", err)
	}
	return e, nil
}

func publish(ctx context.Context, d *Draft) (*Edition, error) {
	before, err := targetsBefore(d.Previous)
	if err != nil {
		return nil, err
	}
	e := &Edition{open: map[string]func() (io.ReadCloser, error){}}
	draft := &role.Draft{At: d.At, Expires: d.Expires, Signers: d.Signers}
	if d.Items != nil {
		draft.Targets = make([]role.Target, 0, len(d.Items))
	}
	for _, item := range d.Items {
		entry, err := describe(ctx, item)
		if err != nil {
			return nil, err
		}
		before.date(&entry, d.At)
		t, err := entry.wire()
		if err != nil {
			return nil, err
		}
		draft.Targets = append(draft.Targets, t)
		e.open[entry.Digest] = item.Open
	}
	after, _, err := d.Previous.Publish(ctx, draft)
	if err != nil {
		return nil, err
	}
	release, err := after.Release(d.At)
	if err != nil {
		return nil, err
	}
	if e.Entries, err = entriesOf(release); err != nil {
		return nil, err
	}
	e.State, e.Feed, e.Version, e.Expires = after, release.Feed, release.Version, release.Expires
	if e.files, err = collect(d.Roots, after); err != nil {
		return nil, err
	}
	// What a site that begins with the first root of the file would say of it.
	first, err := role.Trust(e.files[0].Data)
	if err == nil {
		_, err = prove(ctx, e.files, first, d.At, false)
	}
	if err != nil {
		return nil, fmt.Errorf("a site would refuse it: %w", err)
	}
	return e, nil
}

// collect puts the metadata of a file together.
func collect(roots [][]byte, after role.State) (files []role.NamedFile, err error) {
	for _, text := range append(roots[:len(roots):len(roots)], after.Root) {
		r, err := role.DecodeRoot(text)
		if err != nil {
			return nil, err
		}
		files = append(files, role.NamedFile{Name: role.File(role.RoleRoot, r.Version), Data: text})
	}
	for _, x := range []struct {
		role role.Role
		file []byte
	}{{role.RoleTimestamp, after.Timestamp}, {role.RoleSnapshot, after.Snapshot}, {role.RoleTargets, after.Targets}} {
		var p struct {
			Version int64 `json:"version"`
		}
		if err := peek(x.file, &p); err != nil {
			return nil, err
		}
		files = append(files, role.NamedFile{Name: role.File(x.role, p.Version), Data: x.file})
	}
	return files, nil
}

// describe reads an item.
func describe(ctx context.Context, item Item) (Entry, error) {
	e := Entry{Kind: item.Kind, Name: item.Name, Time: item.Time, About: item.About}
	if !goodKind(e.Kind) {
		return e, fmt.Errorf("%q of %s: a kind has at most %d lower-case letters, digits and -: %w", e.Kind, e.Name, MaxKind, fault.Invalid)
	}
	if item.Open == nil {
		return e, fmt.Errorf("%s cannot be opened: %w", e.Target(), fault.Invalid)
	}
	r, err := item.Open()
	if err != nil {
		return e, fmt.Errorf("open %s: %w", e.Target(), err)
	}
	defer r.Close()
	h := sha256.New()
	if e.Length, err = io.CopyBuffer(h, &patient{ctx, r}, make([]byte, bufferSize)); err != nil {
		return e, fmt.Errorf("read %s: %w", e.Target(), err)
	}
	if e.Length > MaxTarget {
		return e, &fault.LimitError{What: "bytes", Where: e.Target(), Max: MaxTarget, Seen: e.Length}
	}
	e.Digest = digestOf(h)
	return e, nil
}

// patient is a reader that ends with its context.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// peek reads metadata without verifying them: those of the publisher's own state,
// whose keys may be others by now.
func peek(file []byte, into any) error {
	e, err := dsse.Decode(file)
	if err != nil {
		return fmt.Errorf("the state: %w", err)
	}
	if err := json.Unmarshal(e.Payload, into); err != nil {
		return fmt.Errorf("the state: %v: %w", err, fault.Invalid)
	}
	return nil
}

// history says since when contents were there.
type history struct {
	next  int64 // the version that is made
	since map[string]int64
	times map[string]string // of target and digest
}

func targetsBefore(s role.State) (*history, error) {
	h := &history{next: 1, since: map[string]int64{}, times: map[string]string{}}
	if s.Targets == nil {
		return h, nil
	}
	var p struct {
		Version int64 `json:"version"`
		Targets map[string]struct {
			Custom custom `json:"custom"`
			Digest string `json:"digest"`
		} `json:"targets"`
	}
	if err := peek(s.Targets, &p); err != nil {
		return nil, err
	}
	h.next = p.Version + 1
	for name, t := range p.Targets {
		h.since[t.Digest] = t.Custom.Since
		h.times[name+" "+t.Digest] = t.Custom.Time
	}
	return h, nil
}

// date sets since, and the time where the item has none.
func (h *history) date(e *Entry, at time.Time) {
	e.Since = h.next
	if since, ok := h.since[e.Digest]; ok {
		e.Since = since
	}
	if !e.Time.IsZero() {
		return
	}
	e.Time = at
	if t, err := time.Parse(timeFormat, h.times[e.Target()+" "+e.Digest]); err == nil {
		e.Time = t
	}
}
