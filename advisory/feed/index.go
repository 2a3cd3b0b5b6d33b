package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Index is the shape of a source with a list of documents and of when each was
// modified last. Once all were fetched, only those that the list has as newer
// are.
type Index struct {
	// Source is the source's name.
	Source string
	// URL is the list's address.
	URL string
	// Entries reads the list, in any order. An entry's time is of RFC 3339.
	Entries func(list []byte) ([]Entry, error)
	// Bulk is an archive of all documents, by the same names; nil for none. It
	// is fetched first, and, if it is another than before, when more than
	// MaxSingles documents are newer or one that is listed cannot be had.
	Bulk *Archive
	// BulkLag is how much older than its time of modification the documents of
	// Bulk may be; 0 means three hours.
	BulkLag time.Duration
	// MaxSingles bounds the documents that are fetched one by one where there is
	// a Bulk; 0 means the limit of this package.
	MaxSingles int
	// MaxDocument bounds one document; 0 means the limit of this package.
	MaxDocument int64
}

// Entry is one document of a list.
type Entry struct {
	Name     string // of the document
	URL      string // where it is
	Modified string // RFC 3339
	Gone     bool   // the publisher took it away then
}

// Fetch passes on the documents that are newer than those of before; see
// [advisory.Source].
func (x Index) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	s := ReadState(state)
	r := s.Ask(x.URL)
	r.Max = MaxList
	list, resp, err := Read(ctx, door, r)
	if err != nil {
		return nil, err
	}
	if resp.NotModified {
		if s[x.URL].Cursor == "" {
			return nil, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", shown(x.URL), fault.Invalid)
		}
		return s.fetched(false, true)
	}
	digest := Digest(list)
	if s[x.URL].Digest == digest && s[x.URL].Cursor != "" {
		s.Note(x.URL, resp, digest)
		return s.fetched(false, true)
	}
	entries, err := x.read(list)
	if err != nil {
		return nil, err
	}
	p := &pass{Index: x, ctx: ctx, door: door, emit: emit, state: s, entries: entries, passed: map[string]bool{}}
	complete, err := p.run()
	if err != nil {
		return nil, err
	}
	if !p.behind {
		s.Note(x.URL, resp, digest)
	}
	return s.fetched(complete, len(p.passed) == 0 && !p.bulked && len(state) > 0)
}

// read reads the list and sorts it by time and name.
func (x Index) read(list []byte) ([]entry, error) {
	read, err := x.Entries(list)
	if err != nil {
		return nil, fmt.Errorf("read the list %s: %w", shown(x.URL), err)
	}
	switch {
	case len(read) == 0:
		return nil, fmt.Errorf("read the list %s: it names nothing: %w", shown(x.URL), fault.Invalid)
	case len(read) > MaxEntries:
		return nil, fmt.Errorf("read the list: %w", &fault.LimitError{What: "entries", Where: shown(x.URL), Max: MaxEntries, Seen: int64(len(read))})
	}
	out := make([]entry, len(read))
	for i, e := range read {
		at, err := time.Parse(time.RFC3339, e.Modified)
		if err != nil {
			return nil, fmt.Errorf("read the list %s: the time %.80q of %.200q is not of RFC 3339: %w", shown(x.URL), e.Modified, e.Name, fault.Invalid)
		}
		out[i] = entry{e, at}
	}
	slices.SortFunc(out, func(a, b entry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

type entry struct {
	Entry
	at time.Time
}

// pass is one Fetch.
type pass struct {
	Index
	ctx     context.Context
	door    advisory.Door
	emit    func(*advisory.Document) error
	state   State
	entries []entry
	passed  map[string]bool // documents, one by one
	bulked  bool
	behind  bool // what was fetched may be older than the list says
	refused bool // by emit
}

func (p *pass) run() (complete bool, err error) {
	cursor, known := p.cursor()
	newer := p.newer(cursor)
	most := p.MaxSingles
	if most <= 0 {
		most = MaxSingles
	}
	if !known && p.Bulk != nil {
		delete(p.state, p.Bulk.URL)
	}
	if p.Bulk != nil && (!known || len(newer) > most) {
		if changed, err := p.bulk(); changed || err != nil {
			return changed, err
		}
	}
	for _, e := range newer {
		err := p.single(e)
		if errors.Is(err, fault.NotFound) && p.Bulk != nil && !p.refused {
			if changed, berr := p.bulk(); changed || berr != nil {
				return changed, berr
			}
		}
		if err != nil {
			return false, err
		}
	}
	p.reached(p.entries[len(p.entries)-1].at)
	return !known, nil
}

// cursor returns the time up to which everything is known.
func (p *pass) cursor() (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, p.state[p.URL].Cursor)
	return at, err == nil
}

// newer returns the entries from the cursor on, those of the very time only if
// they are others than before; the newest of each name.
func (p *pass) newer(cursor time.Time) (out []entry) {
	same := p.digestAt(cursor) == p.state[p.URL].At
	last := map[string]int{}
	for i, e := range p.entries {
		if e.at.After(cursor) || e.at.Equal(cursor) && !same || p.state[p.URL].Cursor == "" {
			last[e.Name] = i
		}
	}
	for i, e := range p.entries {
		if at, ok := last[e.Name]; ok && at == i {
			out = append(out, e)
		}
	}
	return out
}

// digestAt is the digest of the names that the list has at a time.
func (p *pass) digestAt(at time.Time) string {
	var names strings.Builder
	for _, e := range p.entries {
		if e.at.Equal(at) {
			names.WriteString(e.Name + "\n")
		}
	}
	return Digest([]byte(names.String()))
}

// reached notes that everything up to a time is known.
func (p *pass) reached(at time.Time) {
	seen := p.state[p.URL]
	seen.Cursor, seen.At = at.UTC().Format(time.RFC3339Nano), p.digestAt(at)
	p.state[p.URL] = seen
}

// single passes one document on.
func (p *pass) single(e entry) error {
	doc := &advisory.Document{Source: p.Source, Name: e.Name, URL: e.URL, Gone: true}
	if !e.Gone {
		content, resp, err := Read(p.ctx, p.door, advisory.Request{URL: e.URL, Max: p.MaxDocument})
		if err != nil {
			return err
		}
		doc = &advisory.Document{Source: p.Source, Name: e.Name, URL: resp.URL, Content: content, Signature: advisory.Unsigned}
	}
	if err := doc.Validate(); err != nil {
		return fmt.Errorf("read the list %s: %w", shown(p.URL), err)
	}
	p.passed[doc.Name] = true
	err := p.emit(doc)
	p.refused = err != nil
	return err
}

// bulk passes all documents on, if the archive is another than the one that
// was. It can be older than the list: the cursor is then its age.
func (p *pass) bulk() (changed bool, err error) {
	changed, err = p.Bulk.fetch(p.ctx, p.door, p.state, func(doc *advisory.Document) error {
		if p.passed[doc.Name] {
			return nil // newer than in the archive
		}
		return p.emit(doc)
	})
	if err != nil || !changed {
		return false, err
	}
	p.bulked = true
	newest := p.entries[len(p.entries)-1].at
	lag := p.BulkLag
	if lag <= 0 {
		lag = 3 * time.Hour
	}
	at := newest.Add(-24 * time.Hour)
	if m, err := http.ParseTime(p.state[p.Bulk.URL].Modified); err == nil {
		at = m.Add(-lag)
	}
	if at.Before(newest) {
		p.behind = true // the list is to be read again, though it be the same
		newest = at
	}
	p.reached(newest)
	return true, nil
}
