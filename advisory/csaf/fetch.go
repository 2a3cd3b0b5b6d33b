package csaf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
)

// fetchLists passes on what lists have as newer.
func (s *Source) fetchLists(ctx context.Context, door advisory.Door, old []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	lists := s.lists
	if s.metadata != "" {
		var err error
		if lists, err = s.discover(ctx, door); err != nil {
			return nil, err
		}
	}
	p := &pass{ctx: ctx, door: door, emit: emit, source: s.description.Name, hosts: s.description.Hosts, old: readState(old), next: state{}, passed: map[string]bool{}}
	complete := true
	for i := range lists {
		whole, err := p.list(&lists[i])
		if err != nil {
			return nil, err
		}
		complete = complete && whole
	}
	if len(p.refused) > 0 {
		return nil, errors.Join(p.refused...)
	}
	if err := p.dropped(); err != nil {
		return nil, err
	}
	text, err := p.next.text()
	if err != nil {
		return nil, err
	}
	unchanged := len(p.passed) == 0 && !complete
	return &advisory.Fetched{State: text, Complete: complete, Unchanged: unchanged}, nil
}

// pass is one Fetch.
type pass struct {
	ctx       context.Context
	door      advisory.Door
	emit      func(*advisory.Document) error
	source    string
	hosts     []string
	old, next state
	passed    map[string]bool // documents
	refused   []error
}

// read asks for an address of one of the source's hosts: what providers name is
// theirs to choose, and not where this goes.
func (p *pass) read(r advisory.Request) ([]byte, *advisory.Response, error) {
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" || !slices.Contains(p.hosts, strings.ToLower(u.Hostname())) {
		return nil, nil, fmt.Errorf("fetch %.300s: it is not https at a host of the source: %w", r.URL, fault.Forbidden)
	}
	return feed.Read(p.ctx, p.door, r)
}

// list passes on what one list has as newer. It reports whether that was all.
func (p *pass) list(l *list) (whole bool, err error) {
	known := p.old[l.url]
	d, err := p.deletions(l)
	if err != nil {
		return false, err
	}
	r := p.old.ask(l.url)
	if len(d.fresh) > 0 {
		r.ETag, r.Modified = "", "" // to see whether it still has them
	}
	content, resp, err := p.read(r)
	if err != nil {
		return false, err
	}
	if resp.NotModified {
		if known.Cursor == "" {
			return false, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", l.url, fault.Invalid)
		}
		p.next[l.url] = known
		return false, nil
	}
	now := known
	now.ETag, now.Modified, now.Digest = resp.ETag, resp.Modified, feed.Digest(content)
	if now.Digest == known.Digest && known.Cursor != "" && len(d.fresh) == 0 {
		p.next[l.url] = now
		return false, nil
	}
	entries, err := l.read(content)
	if err != nil {
		return false, err
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { at, ok := d.all[e.name]; return ok && at.After(e.at) })
	if len(entries) == 0 {
		return false, fmt.Errorf("read the list %s: all that it names was deleted: %w", l.url, fault.Invalid)
	}
	whole, err = p.entries(l, known, entries)
	if err != nil {
		return false, err
	}
	now.note(entries)
	p.next[l.url] = now
	if whole {
		return true, nil
	}
	return false, p.gone(append(d.fresh, missing(known, entries)...), entries)
}

// entries passes on what is newer than what is known, or everything: at first,
// and where documents are missing of which the names are not known.
func (p *pass) entries(l *list, known seen, entries []entry) (whole bool, err error) {
	cursor, ok := known.cursor()
	whole = !ok || len(entries) < known.Count && known.Names == nil && l.deletions == ""
	fresh := entries
	if !whole {
		same := digestAt(entries, cursor) == known.At
		fresh = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool {
			isNew := known.Names != nil && !slices.Contains(known.Names, e.name)
			return !isNew && !e.at.After(cursor) && (same || !e.at.Equal(cursor))
		})
	} else if l.bulk+l.latest != "" {
		if fresh, err = p.bulk(l, entries); err != nil {
			return false, err
		}
	}
	for _, e := range fresh {
		if err := p.single(l, e); err != nil {
			return false, err
		}
	}
	return whole, nil
}

// missing are the documents that a list had and has no longer.
func missing(known seen, entries []entry) (out []string) {
	has := map[string]bool{}
	for _, e := range entries {
		has[e.name] = true
	}
	for _, name := range known.Names {
		if !has[name] {
			out = append(out, name)
		}
	}
	return out
}

// gone says that documents are there no longer, if the list does not have them.
func (p *pass) gone(names []string, entries []entry) error {
	has := map[string]bool{}
	for _, e := range entries {
		has[e.name] = true
	}
	for _, name := range names {
		if has[name] || p.passed[name] {
			continue
		}
		if err := p.pass(&advisory.Document{Source: p.source, Name: name, Gone: true}); err != nil {
			return err
		}
	}
	return nil
}

// dropped says that the documents of lists that there are no longer are gone.
func (p *pass) dropped() error {
	for _, address := range slices.Sorted(maps.Keys(p.old)) {
		if _, ok := p.next[address]; ok {
			continue
		}
		if err := p.gone(p.old[address].Names, nil); err != nil {
			return err
		}
	}
	return nil
}

// deleted is what a list of deletions says.
type deleted struct {
	all   map[string]time.Time // when documents were deleted last
	fresh []string             // those that are newer than what is known; none at first
}

func (p *pass) deletions(l *list) (out deleted, err error) {
	if l.deletions == "" {
		return out, nil
	}
	known := p.old[l.deletions]
	content, _, err := p.read(advisory.Request{URL: l.deletions, Max: feed.MaxList})
	switch {
	case errors.Is(err, fault.NotFound):
		if known.Cursor != "" {
			p.next[l.deletions] = known
		}
		return out, nil
	case err != nil:
		return out, err
	}
	changes, err := provider.ParseChanges(content, nil)
	if err != nil {
		return out, fmt.Errorf("read the list %s: %w", l.deletions, err)
	}
	now := seen{Digest: feed.Digest(content)}
	cursor, ok := known.cursor()
	newest := cursor
	out.all = map[string]time.Time{}
	for _, c := range changes {
		if ok && now.Digest != known.Digest && !c.Time.Before(cursor) {
			out.fresh = append(out.fresh, c.Path)
		}
		if c.Time.After(newest) {
			newest = c.Time
		}
		if c.Time.After(out.all[c.Path]) {
			out.all[c.Path] = c.Time
		}
	}
	now.Cursor = newest.UTC().Format(time.RFC3339Nano)
	p.next[l.deletions] = now
	return out, nil
}

// pass passes a document on, once.
func (p *pass) pass(doc *advisory.Document) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.passed[doc.Name] {
		return nil
	}
	if err := doc.Validate(); err != nil {
		return err
	}
	p.passed[doc.Name] = true
	return p.emit(doc)
}

// refuse notes why a document is not passed on.
func (p *pass) refuse(err error) error {
	p.refused = append(p.refused, err)
	if len(p.refused) > MaxRefused {
		return errors.Join(append(p.refused, &fault.LimitError{What: "refused documents", Where: p.source, Max: MaxRefused})...)
	}
	return nil
}

// single asks for one document, once more if its digest is another, as where
// the publisher is about to change it.
func (p *pass) single(l *list, e entry) error {
	if p.passed[e.name] {
		return nil
	}
	var content []byte
	var resp *advisory.Response
	for try := 1; ; try++ {
		var err error
		if content, resp, err = p.read(advisory.Request{URL: e.url, Max: MaxDocument}); err != nil {
			return err
		}
		err = p.verify(l, e, content)
		if err == nil {
			break
		}
		if !errors.Is(err, fault.Mismatch) && !errors.Is(err, errNoDigest) {
			return err
		}
		if try == 2 {
			return p.refuse(err)
		}
	}
	if err := checkLabel(l, e, content); err != nil {
		return p.refuse(err)
	}
	doc := &advisory.Document{Source: p.source, Name: e.name, URL: resp.URL, Content: content, Signature: advisory.Unsigned}
	if e.signed {
		doc.Signature = advisory.Unchecked
	}
	return p.pass(doc)
}
