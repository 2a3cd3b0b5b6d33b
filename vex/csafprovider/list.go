package csafprovider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// list is where documents are told of: a folder, or a ROLIE feed.
type list struct {
	url    string // of the changes.csv or the feed
	folder *Folder
	label  string // that the documents of a feed have
	// required says that each document must have a digest.
	required bool

	entries []entry // sorted by time and name
	untimed bool    // of a folder without a changes.csv
	same    bool    // it is as it was
	now     known
}

// entry is one document of a list.
type entry struct {
	name, url           string
	at                  time.Time
	digests, signatures []string // addresses
}

// known is what is known of one list.
type known struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	Digest   string `json:"digest,omitempty"`
	// Cursor is the newest time up to which everything was fetched.
	Cursor time.Time `json:"cursor,omitzero"`
	// Count is how many documents it has, Names which, where they are few.
	Count int      `json:"count,omitempty"`
	Names []string `json:"names,omitempty"`
}

// discover returns the lists of the provider.
func (r *run) discover() ([]*list, error) {
	c := &r.source.config
	var out []*list
	for i := range c.Folders {
		out = append(out, &list{url: strings.TrimSuffix(c.Folders[i].URL, "/") + "/changes.csv", folder: &c.Folders[i]})
	}
	if c.Metadata == "" {
		return out, nil
	}
	text, _, err := r.read(vex.Request{URL: c.Metadata, Max: provider.DefaultBytes})
	if err != nil {
		return nil, err
	}
	m, err := provider.ParseMetadata(text, nil)
	if err == nil {
		err = m.CheckCanonical(c.Metadata)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.Metadata, err)
	}
	if got := strings.TrimSuffix(m.Publisher.Namespace, "/"); got != c.Namespace {
		return nil, fmt.Errorf("read %s: %w", c.Metadata, &fault.MismatchError{What: "publisher's namespace", Want: c.Namespace, Got: got})
	}
	for _, f := range m.Feeds() {
		if provider.CheckLabel(strings.TrimPrefix(f.Label, provider.Unlabeled), "", true) == nil {
			out = append(out, &list{url: f.URL, label: f.Label, required: m.Trusted()})
		}
	}
	if len(m.Feeds()) == 0 { // else they have the same documents
		for _, d := range m.Directories() {
			out = append(out, &list{url: strings.TrimSuffix(d, "/") + "/changes.csv", folder: &Folder{URL: d}, required: m.Trusted()})
		}
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("read %s: it names neither a folder nor a feed that everybody may read: %w", c.Metadata, fault.Invalid)
	case len(out) > MaxLists:
		return nil, &fault.LimitError{What: "feeds and folders", Where: c.Metadata, Max: MaxLists, Seen: int64(len(out))}
	}
	return out, nil
}

// load reads a list, unless it is as it was; always where all is set.
func (r *run) load(l *list, all bool) error {
	old, ok := r.old[l.url]
	q := vex.Request{URL: l.url, Max: fetch.MaxList}
	if ok && !all {
		q.ETag, q.Modified = old.ETag, old.Modified
	}
	text, resp, err := r.read(q)
	if l.folder != nil && errors.Is(err, fault.NotFound) {
		return r.loadIndex(l, err)
	}
	if err != nil {
		return err
	}
	if resp.NotModified {
		l.same, l.now = true, old
		return nil
	}
	l.now = known{ETag: resp.ETag, Modified: resp.Modified, Digest: fetch.Digest(text)}
	if ok && !all && l.now.Digest == old.Digest {
		l.same, l.now.Cursor, l.now.Count, l.now.Names = true, old.Cursor, old.Count, old.Names
		return nil
	}
	l.same = false
	if l.folder != nil {
		l.entries, err = l.readChanges(text)
	} else {
		l.entries, err = l.readFeed(text)
	}
	return l.finish(err)
}

// loadIndex reads an index.txt where there is no changes.csv, which says nothing of
// times. none is why there is no changes.csv.
func (r *run) loadIndex(l *list, none error) error {
	text, _, err := r.read(vex.Request{URL: strings.TrimSuffix(l.url, "changes.csv") + "index.txt", Max: fetch.MaxList})
	if errors.Is(err, fault.NotFound) {
		return none
	}
	if err != nil {
		return err
	}
	names, err := provider.ParseIndex(text, nil)
	l.untimed, l.same, l.now, l.entries = true, false, known{Digest: fetch.Digest(text)}, nil
	for _, name := range names {
		if err == nil {
			err = l.add(name, time.Time{})
		}
	}
	return l.finish(err)
}

func (l *list) readChanges(text []byte) ([]entry, error) {
	changes, err := provider.ParseChanges(text, nil)
	if err != nil {
		return nil, err
	}
	l.entries = nil
	for _, c := range changes {
		if err := l.add(c.Path, c.Time); err != nil {
			return nil, err
		}
	}
	return l.entries, nil
}

// add adds a document of a folder.
func (l *list) add(name string, at time.Time) error {
	address, err := provider.Join(l.folder.URL, name)
	if err != nil {
		return err
	}
	l.entries = append(l.entries, entry{
		name: pathOf(address), url: address, at: at,
		digests: []string{address + ".sha512", address + ".sha256"}, signatures: []string{address + ".asc"},
	})
	return nil
}

func (l *list) readFeed(text []byte) (out []entry, err error) {
	f, err := provider.ParseFeed(text, nil)
	if err != nil {
		return nil, err
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		at, ok := csaf.Time(e.Updated)
		if !ok {
			return nil, fmt.Errorf("the entry %.200q has the time %.80q: %w", e.ID, e.Updated, fault.Invalid)
		}
		name := pathOf(e.URL())
		if name == "" {
			return nil, fmt.Errorf("the entry %.200q has the address %.200q, which is none of a document: %w", e.ID, e.URL(), fault.Invalid)
		}
		digests := e.Hashes()
		slices.SortStableFunc(digests, func(a, b string) int { // the longer digest first
			return strings.Compare(b[max(0, len(b)-3):], a[max(0, len(a)-3):])
		})
		out = append(out, entry{name: name, url: e.URL(), at: at, digests: digests, signatures: e.Signatures()})
	}
	return out, nil
}

// finish keeps the newest entry of each name, sorted, and notes what is then known.
func (l *list) finish(err error) error {
	if err != nil {
		return fmt.Errorf("read the list %s: %w", l.url, err)
	}
	if len(l.entries) == 0 {
		return fmt.Errorf("read the list %s: it names nothing: %w", l.url, fault.Invalid)
	}
	slices.SortStableFunc(l.entries, func(a, b entry) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return b.at.Compare(a.at)
	})
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.name == b.name })
	size := 0
	for i := range l.entries {
		size += len(l.entries[i].name)
		l.now.Names = append(l.now.Names, l.entries[i].name)
	}
	if l.now.Count = len(l.entries); size > MaxNames {
		l.now.Names = nil
	}
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.at.Compare(b.at) })
	l.now.Cursor = l.entries[len(l.entries)-1].at.UTC()
	return nil
}

// pathOf is the path of an address without the slash before it; "" for one that is
// none.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}
