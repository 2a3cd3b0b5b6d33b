package csaf

import (
	"context"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/csaf/retrieve"
)

// fetchLists passes on what lists have as newer.
func (s *Source) fetchLists(ctx context.Context, door advisory.Door, old []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	src := retrieve.Source{
		Name: s.description.Name, Hosts: s.description.Hosts, Metadata: s.metadata, Lists: s.lists,
		Namespace: s.publisher.namespace, MaxRefused: MaxRefused, MaxNames: MaxNames,
	}
	out, err := src.Fetch(ctx, door, old, s.passTo(emit))
	if err != nil {
		return nil, err
	}
	return &advisory.Fetched{State: out.State, Complete: out.Complete, Unchanged: out.Unchanged}, nil
}

// fetchArchive passes on the members of the source's archive, those with another
// digest apart.
func (s *Source) fetchArchive(ctx context.Context, door advisory.Door, old []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	refused := retrieve.Refused{Where: s.description.Name, Max: MaxRefused}
	members := retrieve.Pairs{Pass: s.passTo(emit), Refuse: func(_ *retrieve.Document, err error) error { return refused.Add(err) }}
	out, err := s.archive.Fetch(ctx, door, old, func(doc *advisory.Document) error {
		return members.Add(&retrieve.Document{Name: doc.Name, URL: doc.URL, Content: doc.Content})
	})
	if err == nil {
		err = members.Flush()
	}
	if err == nil {
		err = refused.Err()
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// passTo passes documents on to emit.
func (s *Source) passTo(emit func(*advisory.Document) error) func(*retrieve.Document) error {
	return func(d *retrieve.Document) error {
		doc := &advisory.Document{Source: s.description.Name, Name: d.Name, URL: d.URL, Content: d.Content, Gone: d.Gone}
		switch {
		case d.Gone:
		case d.Signed:
			doc.Signature = advisory.Unchecked
		default:
			doc.Signature = advisory.Unsigned
		}
		if err := doc.Validate(); err != nil {
			return err
		}
		return emit(doc)
	}
}

// folder returns the list of a folder, whose documents are signed.
func folder(address string) retrieve.List {
	l := retrieve.Folder(address, ".sha256", ".sha512")
	l.Short, l.Signed = true, true
	return l
}

// isDocument reports whether a name is that of a document or of a file beside one.
func isDocument(name string) bool {
	document, _ := retrieve.Beside(name)
	return strings.HasSuffix(document, ".json")
}
