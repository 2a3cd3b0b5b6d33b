package csaf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	p := &pass{ctx: ctx, door: door, emit: emit, source: s.description.Name, old: readState(old), next: state{}, passed: map[string]bool{}}
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
	old, next state
	passed    map[string]bool // documents
	refused   []error
}

// list passes on what one list has as newer. It reports whether that was all.
func (p *pass) list(l *list) (whole bool, err error) {
	known := p.old[l.url]
	content, resp, err := feed.Read(p.ctx, p.door, p.old.ask(l.url))
	if err != nil {
		return false, err
	}
	if resp.NotModified && known.Cursor == "" {
		return false, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", l.url, fault.Invalid)
	}
	now := known
	if !resp.NotModified {
		now.ETag, now.Modified, now.Digest = resp.ETag, resp.Modified, feed.Digest(content)
	}
	deleted, err := p.deletions(l)
	if err != nil {
		return false, err
	}
	if resp.NotModified || now.Digest == known.Digest && known.Cursor != "" {
		p.next[l.url] = now
		return false, p.gone(deleted, nil)
	}
	entries, err := l.read(content)
	if err != nil {
		return false, err
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
	return false, p.gone(append(deleted, missing(known, entries)...), entries)
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

// deletions are the documents that a list of deletions has newer than what is
// known; none at first.
func (p *pass) deletions(l *list) (out []string, err error) {
	if l.deletions == "" {
		return nil, nil
	}
	known := p.old[l.deletions]
	content, resp, err := feed.Read(p.ctx, p.door, p.old.ask(l.deletions))
	switch {
	case errors.Is(err, fault.NotFound):
		if known.Cursor != "" {
			p.next[l.deletions] = known
		}
		return nil, nil
	case err != nil:
		return nil, err
	case resp.NotModified:
		p.next[l.deletions] = known
		return nil, nil
	}
	changes, err := provider.ParseChanges(content, nil)
	if err != nil {
		return nil, fmt.Errorf("read the list %s: %w", l.deletions, err)
	}
	cursor, ok := known.cursor()
	newest := cursor
	for _, c := range changes {
		if ok && !c.Time.Before(cursor) {
			out = append(out, c.Path)
		}
		if c.Time.After(newest) {
			newest = c.Time
		}
	}
	p.next[l.deletions] = seen{ETag: resp.ETag, Modified: resp.Modified, Digest: feed.Digest(content), Cursor: newest.UTC().Format(time.RFC3339Nano)}
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
		if content, resp, err = feed.Read(p.ctx, p.door, advisory.Request{URL: e.url, Max: MaxDocument}); err != nil {
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
