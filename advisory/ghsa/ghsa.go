// Package ghsa reads the GitHub Advisory Database: the OSV records of its
// repository, and what GitHub's GraphQL and REST interfaces answer.
//
// [New] is the source "ghsa". It fetches the repository github/advisory-database, all
// of it the first time and what changed since then. By default these are the advisories
// that GitHub reviewed; [Options.Unreviewed] adds the others, which repeat NVD and name
// hardly any package.
//
// [ParseAPI] reads answers of the two interfaces, for mirrors and files that others made
// of them. Both forms give the same [advisory.Record] as an OSV record of the same
// advisory, as far as they say the same.
//
// The data are licensed CC BY 4.0, which the source's description says, and may be
// passed on in mirrors and kits.
package ghsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // neither an OSV record nor an answer of the interfaces
	ErrLimit   error = fault.Limit   // over a limit
)

// MaxAdvisories bounds the advisories of one answer of the interfaces.
const MaxAdvisories = 10_000

// Options choose what is fetched; nil means the defaults.
type Options struct {
	// Unreviewed fetches advisories that nobody at GitHub looked at as well. They
	// are NVD's, and most name no package.
	Unreviewed bool
}

// Source is the database as a source named "ghsa". It is an [advisory.Source].
// Documents are OSV records, or answers of the interfaces that were put into a
// mirror or a bundle.
type Source struct{ osv *osv.Source }

// New returns the source.
func New(opts *Options) *Source {
	folder := "advisories/github-reviewed"
	if opts != nil && opts.Unreviewed {
		folder = "advisories"
	}
	return &Source{osv.NewSource(advisory.Description{
		Name: "ghsa", Title: "GitHub Advisory Database", Home: "https://github.com/advisories",
		License: "CC-BY-4.0", Attribution: "Data of the GitHub Advisory Database, CC BY 4.0",
		Redistribute: true, Hosts: []string{feed.GitHubHost},
	}, feed.GitHub("ghsa", "github/advisory-database", "", feed.Below(folder, ".json")), nil)}
}

// Describe says what the source is; see [advisory.Source].
func (s *Source) Describe() advisory.Description { return s.osv.Describe() }

// Fetch passes on the documents; see [advisory.Source].
func (s *Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return s.osv.Fetch(ctx, door, state, emit)
}

// Parse yields what a document says; see [advisory.Source].
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		if !isAnswer(doc.Content) {
			s.osv.Parse(doc)(yield)
			return
		}
		for r, err := range ParseAPI(doc.Content) {
			if err != nil {
				var broken *advisory.RecordError
				if errors.As(err, &broken) {
					broken.File = doc.Name
				}
				if !yield(nil, err) {
					return
				}
			} else if !yield(r, nil) {
				return
			}
		}
	}
}

// isAnswer tells an answer of the interfaces from an OSV record by its members.
func isAnswer(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("[")) || bytes.Contains(text, []byte(`"ghsaId"`)) || bytes.Contains(text, []byte(`"ghsa_id"`))
}

// ParseAPI yields the advisories that an answer of GitHub's GraphQL or REST
// interface holds: one object, or an array of them. An advisory that cannot be
// used, and a package of an ecosystem that is none, is an
// [*advisory.RecordError], after which it goes on; any other error is the last.
//
// Source: https://docs.github.com/en/graphql/reference/objects#securityadvisory
// and https://docs.github.com/en/rest/security-advisories/global-advisories.
func ParseAPI(text []byte) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		parts, err := split(text)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, part := range parts {
			r, gaps, err := convert(part)
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if !yield(r, nil) {
				return
			}
			for _, gap := range gaps {
				if !yield(nil, gap) {
					return
				}
			}
		}
	}
}

// split returns the objects of an answer.
func split(text []byte) ([]jsontext.Value, error) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("[")) {
		return []jsontext.Value{text}, nil
	}
	var parts []jsontext.Value
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, fmt.Errorf("read advisories of GitHub: %v: %w", err, fault.Invalid)
	}
	switch {
	case len(parts) == 0:
		return nil, fmt.Errorf("read advisories of GitHub: there is none: %w", fault.Invalid)
	case len(parts) > MaxAdvisories:
		return nil, fmt.Errorf("read: %w", &fault.LimitError{What: "advisories", Where: "an answer of GitHub", Max: MaxAdvisories, Seen: int64(len(parts))})
	}
	return parts, nil
}
