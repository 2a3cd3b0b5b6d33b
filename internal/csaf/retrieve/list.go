package retrieve

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// List is where documents are told of: a folder, or a ROLIE feed.
type List struct {
	// URL is the address of a folder's changes.csv, or of a feed.
	URL string
	// Folder is the address of the folder, with a slash at its end; "" for a feed.
	Folder string
	// Short says that names of documents are paths in the folder. Otherwise they are
	// the paths of their addresses.
	Short bool
	// Label is the one that the documents of a feed have.
	Label string
	// Deletions is the address of a list of what is gone, in the form of a changes.csv.
	// Archive is that of an archive of all documents, tar with zstd, gzip or bzip2, and
	// Latest that of a text with its name in the folder. All may be empty.
	Deletions, Archive, Latest string
	// Digests are the ends of files with digests in a folder, tried in order; Required
	// says that there must be one.
	Digests  []string
	Required bool
	// Signed says that a folder's documents have signatures.
	Signed bool
}

// Folder returns the list of a folder's changes.csv.
func Folder(address string, digests ...string) List {
	folder := strings.TrimSuffix(address, "/") + "/"
	return List{URL: folder + "changes.csv", Folder: folder, Digests: digests}
}

// list is a list during a Fetch.
type list struct {
	List
	entries []entry // each name once, sorted by time and name
	wanted  []entry // those that are asked for
	deleted deleted
	untimed bool // of a folder without a changes.csv
	same    bool // it is as it was: entries are not known
	first   bool // everything is wanted
	now     seen
}

// entry is one document of a list.
type entry struct {
	name, url string
	path      string // in the folder
	at        time.Time
	// digests and signatures are addresses.
	digests, signatures []string
	signed              bool
}

// load reads a list, unless it is as it was; always if again is set.
func (r *run) load(l *list, again bool) error {
	known := r.old[l.URL]
	q := r.old.ask(l.URL)
	again = again || len(l.deleted.fresh) > 0 // to see whether it still has them
	if again {
		q.ETag, q.Modified = "", ""
	}
	text, resp, err := r.read(q)
	if l.Folder != "" && l.Archive+l.Latest == "" && known.Cursor == "" && errors.Is(err, fault.NotFound) {
		return r.loadIndex(l, err)
	}
	if err != nil {
		return err
	}
	if resp.NotModified {
		if again || known.Cursor == "" {
			return fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", l.URL, fault.Invalid)
		}
		l.same, l.now = true, known
		return nil
	}
	l.now = known
	l.now.ETag, l.now.Modified, l.now.Digest = resp.ETag, resp.Modified, door.Digest(text)
	if l.same = !again && l.now.Digest == known.Digest && known.Cursor != ""; l.same {
		return nil
	}
	if l.Folder != "" {
		err = l.readChanges(text)
	} else {
		err = l.readFeed(text)
	}
	return r.loaded(l, err)
}

// loadIndex reads an index.txt where there is no changes.csv; it says nothing of times.
// none is why there is no changes.csv.
func (r *run) loadIndex(l *list, none error) error {
	text, _, err := r.read(door.Request{URL: l.Folder + "index.txt", Max: MaxList})
	if errors.Is(err, fault.NotFound) {
		return none
	}
	if err != nil {
		return err
	}
	l.untimed, l.same, l.now, l.entries = true, false, seen{Digest: door.Digest(text)}, nil
	names, err := provider.ParseIndex(text, nil)
	for _, name := range names {
		if err == nil {
			err = l.add(name, time.Time{})
		}
	}
	return r.loaded(l, err)
}

// loaded keeps the newest entry of each name, unless it was deleted since, and notes
// what is then known. err is why the list cannot be read.
func (r *run) loaded(l *list, err error) error {
	if err == nil && len(l.entries) == 0 {
		err = fmt.Errorf("it names nothing: %w", fault.Invalid)
	}
	if err != nil {
		return fmt.Errorf("read the list %s: %w", l.URL, err)
	}
	slices.SortStableFunc(l.entries, func(a, b entry) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return b.at.Compare(a.at)
	})
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.name == b.name })
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { at, ok := l.deleted.all[e.name]; return ok && at.After(e.at) })
	if len(l.entries) == 0 {
		return fmt.Errorf("read the list %s: all that it names was deleted: %w", l.URL, fault.Invalid)
	}
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.at.Compare(b.at) })
	l.now.note(l.entries, r.source.MaxNames)
	return nil
}

func (l *list) readChanges(text []byte) error {
	changes, err := provider.ParseChanges(text, nil)
	if err != nil {
		return err
	}
	l.entries = make([]entry, 0, len(changes))
	for _, c := range changes {
		if err := l.add(c.Path, c.Time); err != nil {
			return err
		}
	}
	return nil
}

// add adds a document of a folder.
func (l *list) add(at string, time time.Time) error {
	address, err := provider.Join(l.Folder, at)
	if err != nil {
		return err
	}
	e := entry{name: l.name(at, address), url: address, path: at, at: time, signed: l.Signed, signatures: []string{address + ".asc"}}
	for _, end := range l.Digests {
		e.digests = append(e.digests, address+end)
	}
	l.entries = append(l.entries, e)
	return nil
}

// name is the name of a document by its path in the folder and its address.
func (l *list) name(at, address string) string {
	if l.Short {
		return at
	}
	return pathOf(address)
}

func (l *list) readFeed(text []byte) error {
	f, err := provider.ParseFeed(text, nil)
	if err != nil {
		return err
	}
	l.entries = make([]entry, 0, len(f.Entries))
	for i := range f.Entries {
		e := &f.Entries[i]
		at, ok := csaf.Time(e.Updated)
		if !ok {
			return fmt.Errorf("the entry %.200q has the time %.80q: %w", e.ID, e.Updated, fault.Invalid)
		}
		name := pathOf(e.URL())
		if name == "" {
			return fmt.Errorf("the entry %.200q has the address %.200q, which is none of a document: %w", e.ID, e.URL(), fault.Invalid)
		}
		digests := e.Hashes()
		slices.SortStableFunc(digests, func(a, b string) int { return strings.Compare(path.Ext(b), path.Ext(a)) }) // the longer one first
		l.entries = append(l.entries, entry{name: name, url: e.URL(), at: at, digests: digests, signatures: e.Signatures(), signed: len(e.Signatures()) > 0})
	}
	return nil
}

// newer returns the entries that are newer than what is known, and those that were not
// there. told is false where others may be gone and it is not known which.
func (l *list) newer(old seen) (wanted []entry, told bool) {
	cursor := old.cursor()
	same := digestAt(l.entries, cursor) == old.At
	had := map[string]bool{}
	for _, name := range old.Names {
		had[name] = true
	}
	var settled []entry
	for _, e := range l.entries {
		if e.at.After(cursor) || e.at.Equal(cursor) && !same || old.Names != nil && !had[e.name] {
			wanted = append(wanted, e)
		} else {
			settled = append(settled, e)
		}
	}
	if old.Names != nil || l.Deletions != "" && !old.Marks.ok() {
		return wanted, true
	}
	if !old.Marks.ok() {
		return wanted, len(l.entries) >= old.Count
	}
	late, told, crowded := old.Marks.late(settled, wanted, l.deleted.fresh)
	told = told && (!crowded || len(l.entries) >= old.Count)
	return append(wanted, late...), told || l.Deletions != ""
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

// pathBase is the last part of the path of an address or name.
func pathBase(address string) string {
	if at := pathOf(address); at != "" {
		address = at
	}
	return path.Base(address)
}
