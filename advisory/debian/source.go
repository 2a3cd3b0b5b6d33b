package debian

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

// Name is the source's name.
const Name = "debian"

// The documents by name. A list is of the kind that its folder names.
const (
	trackerName = "tracker.json"
	listName    = "/list"
)

// Source is Debian's security tracker.
type Source struct{ feed.Files }

// New returns the source.
func New() Source {
	const lists = "https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data/"
	return Source{feed.Files{Source: Name, Max: maxDocument, List: []feed.File{
		{URL: "https://security-tracker.debian.org/tracker/data/json", Name: trackerName},
		{URL: lists + "DSA/list", Name: "DSA" + listName},
		{URL: lists + "DLA/list", Name: "DLA" + listName},
		{URL: lists + "DTSA/list", Name: "DTSA" + listName, Optional: true},
	}}}
}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "Debian security tracker", Home: "https://security-tracker.debian.org/",
		License: "LicenseRef-Debian-Security-Tracker", Attribution: "Debian security team, https://security-tracker.debian.org", Hosts: s.Files.Hosts(),
	}
}

// Parse yields the records of a document; see [advisory.Source].
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		content, err := unpack(doc)
		switch {
		case err != nil:
			yield(nil, fmt.Errorf("read Debian's %s: %w", doc.Name, err))
		case strings.HasSuffix(doc.Name, listName):
			list(doc.Name, content)(yield)
		case strings.HasSuffix(doc.Name, ".json"):
			tracker(doc.Name, content)(yield)
		default:
			yield(nil, fmt.Errorf("read Debian's %s: it is neither %s nor a list: %w", doc.Name, trackerName, fault.Unsupported))
		}
	}
}

func unpack(doc *advisory.Document) ([]byte, error) {
	in, err := feedtext.Unpack(doc.Name, doc.Content, maxDocument)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}
