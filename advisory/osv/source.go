package osv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

// Fetcher fetches the documents of a source. The shapes of package feed are
// some.
type Fetcher interface {
	Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error)
}

// Source is a publisher of OSV records, each a document of its own that is named
// after the record's id. It is an [advisory.Source].
type Source struct {
	about   advisory.Description
	fetcher Fetcher
	opts    *Options
	parsers sync.Pool
}

// NewSource returns a source of OSV records: documents whose names end in
// .yaml or .yml are read as YAML, others as JSON. Options bound each record; nil
// means the defaults.
func NewSource(about advisory.Description, fetcher Fetcher, opts *Options) *Source {
	return &Source{about: about, fetcher: fetcher, opts: opts}
}

// Local returns a source of OSV records in a folder or archive of this machine:
// files that end in .json, .yaml or .yml.
func Local(name, path string) *Source {
	return NewSource(
		advisory.Description{Name: name, Title: "Advisories in " + path, License: "LicenseRef-local"},
		feed.Local{Source: name, Path: path, Keep: feed.Below("", ".json", ".yaml", ".yml")}, nil)
}

// Describe says what the source is; see [advisory.Source].
func (s *Source) Describe() advisory.Description { return s.about }

// Fetch passes on the documents; see [advisory.Source].
func (s *Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return s.fetcher.Fetch(ctx, door, state, emit)
}

// Parse yields the record of a document. An error concerns all of it, as there
// is nothing else in it; a record of another id than the document is named
// after is one, lest a document changes what another one says.
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		r, err := s.record(doc)
		if err != nil {
			yield(nil, err)
			return
		}
		yield(r, nil)
	}
}

func (s *Source) record(doc *advisory.Document) (*advisory.Record, error) {
	p, _ := s.parsers.Get().(*parser)
	if p == nil {
		p = newParser(s.opts)
	}
	defer s.parsers.Put(p)
	read := parse
	ext := path.Ext(doc.Name)
	if ext == ".yaml" || ext == ".yml" {
		read = parseYAML
	}
	r, err := read(p, doc.Content, "")
	if err == nil {
		if name := strings.TrimSuffix(path.Base(doc.Name), ext); name != r.ID {
			err = &advisory.RecordError{ID: r.ID, Pointer: "/id", Err: fmt.Errorf("its id is not what it is named after: %w", fault.Invalid)}
		}
	}
	if err != nil {
		return nil, whole(doc.Name, err)
	}
	return r, nil
}

// whole makes the error of a record that of its whole document.
func whole(name string, err error) error {
	var broken *advisory.RecordError
	if errors.As(err, &broken) {
		copied := *broken
		copied.File = name
		return &documentError{&copied}
	}
	return err
}

// documentError is a RecordError of a document with nothing else in it. It does
// not unwrap to that, which would mean that the rest is usable.
type documentError struct{ record *advisory.RecordError }

// Error names the place and the reason.
func (e *documentError) Error() string { return e.record.Error() }

// Unwrap returns the reason.
func (e *documentError) Unwrap() error { return e.record.Err }
