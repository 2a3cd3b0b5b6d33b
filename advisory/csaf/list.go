package csaf

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
)

// list is where documents are told of: a changes.csv, or a ROLIE feed.
type list struct {
	url string
	// base is the folder of a changes.csv; "" for a feed. Names of documents are
	// paths below it, or with below set the paths of their addresses.
	base  string
	below bool
	label string // that the documents of a feed have
	// deletions is the address of a list of what is gone, latest that of the name
	// of the newest archive in base, bulk that of an archive; "" for none.
	deletions, latest, bulk string
	// digests are the ends of files with digests, tried in order; required says
	// that there must be one.
	digests  []string
	required bool
	signed   bool
}

// entry is one document of a list.
type entry struct {
	name, url string
	at        time.Time
	digests   []string // addresses of files with digests
	signed    bool
}

// read reads a list: the newest entry of each name, sorted by time and name.
func (l *list) read(content []byte) ([]entry, error) {
	all, err := l.entries(content)
	if err != nil {
		return nil, fmt.Errorf("read the list %s: %w", l.url, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read the list %s: it names nothing: %w", l.url, fault.Invalid)
	}
	newest := map[string]entry{}
	for _, e := range all {
		if have, ok := newest[e.name]; !ok || e.at.After(have.at) {
			newest[e.name] = e
		}
	}
	out := make([]entry, 0, len(newest))
	for _, e := range newest {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out, nil
}

func (l *list) entries(content []byte) (out []entry, err error) {
	if l.base == "" {
		return l.feedEntries(content)
	}
	changes, err := provider.ParseChanges(content, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		at, err := provider.Join(l.base, c.Path)
		if err != nil {
			return nil, err
		}
		e := entry{name: c.Path, url: at, at: c.Time, signed: l.signed}
		if l.below {
			e.name = pathOf(at)
		}
		for _, end := range l.digests {
			e.digests = append(e.digests, at+end)
		}
		out = append(out, e)
	}
	return out, nil
}

func (l *list) feedEntries(content []byte) (out []entry, err error) {
	f, err := provider.ParseFeed(content, nil)
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
		out = append(out, entry{name: name, url: e.URL(), at: at, digests: e.Hashes(), signed: len(e.Signatures()) > 0})
	}
	return out, nil
}

// pathOf is the path of an address without the slash before it; "" for one that
// is none.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

// discover reads what provider metadata say: the feeds that everybody may read,
// or the folders.
func (s *Source) discover(ctx context.Context, door advisory.Door) ([]list, error) {
	text, _, err := feed.Read(ctx, door, advisory.Request{URL: s.metadata, Max: provider.DefaultBytes})
	if err != nil {
		return nil, err
	}
	m, err := provider.ParseMetadata(text, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.metadata, err)
	}
	if err := m.CheckCanonical(s.metadata); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.metadata, err)
	}
	if got := strings.TrimSuffix(m.Publisher.Namespace, "/"); got != s.publisher.namespace || got == "" {
		return nil, fmt.Errorf("read %s: %w", s.metadata, &fault.MismatchError{What: "publisher's namespace", Want: s.publisher.namespace, Got: got})
	}
	var out []list
	for _, f := range m.Feeds() {
		if provider.CheckLabel(labelOf(f.Label), "", true) == nil {
			out = append(out, list{url: f.URL, label: f.Label, required: m.Trusted()})
		}
	}
	for _, d := range m.Directories() {
		if len(m.Feeds()) > 0 {
			break // the same documents
		}
		base := strings.TrimSuffix(d, "/") + "/"
		out = append(out, list{url: base + "changes.csv", base: base, below: true, digests: []string{".sha512", ".sha256"}, required: m.Trusted(), signed: m.Trusted()})
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("read %s: it names neither a folder nor a feed that everybody may read: %w", s.metadata, fault.Invalid)
	case len(out) > MaxLists:
		return nil, fmt.Errorf("read: %w", &fault.LimitError{What: "feeds and folders", Where: s.metadata, Max: MaxLists, Seen: int64(len(out))})
	}
	return out, nil
}

// labelOf is a feed's label as a document has it.
func labelOf(feed string) string {
	if feed == provider.Unlabeled {
		return ""
	}
	return feed
}
