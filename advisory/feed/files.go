package feed

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Files is the shape of a source whose documents are at fixed addresses.
type Files struct {
	// Source is the source's name.
	Source string
	// List are the addresses.
	List []File
	// Max bounds one answer's bytes; 0 means MaxDocument.
	Max int64
}

// File is one address with one document.
type File struct {
	URL string
	// Name is the document's name; "" means the last part of the address. The
	// content of addresses that end in .gz or .bz2 is decompressed, and the end
	// not part of that name.
	Name string
	// Packed says that the document is what is at the address, compressed or not:
	// Parse decompresses it, which may be more than MaxDocument.
	Packed bool
	// Optional says that the publisher may not have it.
	Optional bool
	// Accept is the media type to ask for; "" for any.
	Accept string
}

// name is the document's name.
func (f File) name() string {
	if f.Name != "" {
		return f.Name
	}
	address, _, _ := strings.Cut(f.URL, "?")
	if f.Packed {
		return path.Base(address)
	}
	return plainName(path.Base(address))
}

// Fetch passes on the documents whose content is another than before; see
// [advisory.Source].
func (fs Files) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	old, next := ReadState(state), State{}
	passed, changed := 0, false
	for _, f := range fs.List {
		doc, err := fs.file(ctx, door, f, old, next)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		changed = true
		if !doc.Gone {
			passed++
		}
		if err := emit(doc); err != nil {
			return nil, err
		}
	}
	for _, address := range fs.dropped(old) {
		changed = true
		if err := emit(&advisory.Document{Source: fs.Source, Name: old[address].Name, URL: address, Gone: true}); err != nil {
			return nil, err
		}
	}
	return next.fetched(passed == len(next), !changed && len(old) > 0)
}

// dropped lists addresses whose documents are in the list no longer.
func (fs Files) dropped(old State) (out []string) {
	for address, seen := range old {
		listed := slices.ContainsFunc(fs.List, func(f File) bool { return f.URL == address || f.name() == seen.Name })
		if !listed && seen.Name != "" {
			out = append(out, address)
		}
	}
	slices.Sort(out)
	return out
}

// file reads one file; nil where it is as before.
func (fs Files) file(ctx context.Context, door advisory.Door, f File, old, next State) (*advisory.Document, error) {
	r := old.Ask(f.URL)
	r.Accept, r.Max = f.Accept, fs.Max
	seen, known := old[f.URL]
	content, resp, err := Read(ctx, door, r)
	switch {
	case errors.Is(err, fault.NotFound) && f.Optional:
		if !known {
			return nil, nil
		}
		return &advisory.Document{Source: fs.Source, Name: f.name(), URL: f.URL, Gone: true}, nil
	case err != nil:
		return nil, err
	case resp.NotModified && !known:
		return nil, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", shown(f.URL), fault.Invalid)
	case resp.NotModified:
		next[f.URL] = seen
		return nil, nil
	}
	if !f.Packed {
		if content, err = Expand(f.URL, content); err != nil {
			return nil, fmt.Errorf("fetch %s: %w", shown(f.URL), err)
		}
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("fetch %s: it is empty: %w", shown(f.URL), fault.Invalid)
	}
	digest := Digest(content)
	next[f.URL] = Seen{ETag: resp.ETag, Modified: resp.Modified, Digest: digest, Name: f.name()}
	if known && seen.Digest == digest && seen.Name == f.name() {
		return nil, nil
	}
	return &advisory.Document{Source: fs.Source, Name: f.name(), URL: resp.URL, Content: content, Signature: advisory.Unsigned}, nil
}

// Hosts returns the hosts that the list names, sorted.
func (fs Files) Hosts() []string {
	var out []string
	for _, f := range fs.List {
		out = append(out, hostOf(f.URL))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
