package ubuntu

import (
	"fmt"
	"iter"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/fault"
)

// Name is the source's name.
const Name = "ubuntu"

// Source is Canonical's repository of notices.
type Source struct{ feed.Archive }

// New returns the source.
func New() Source {
	return Source{feed.GitHub(Name, "canonical/ubuntu-security-notices", "main", keep)}
}

// keep says which files of the repository are documents: those of CVEs in both
// forms, and notices in OSV.
func keep(name string) bool {
	return feed.Below("osv", ".json")(name) || feed.Below("vex/cve", ".json")(name)
}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "Ubuntu security notices", Home: "https://github.com/canonical/ubuntu-security-notices",
		License: "CC-BY-SA-4.0", Attribution: "Ubuntu security notices, Canonical Ltd., CC BY-SA 4.0", Redistribute: true, Hosts: []string{"codeload.github.com"},
	}
}

// Parse yields the records of a document; see [advisory.Source].
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		switch {
		case len(doc.Content) > maxDocument:
			yield(nil, fmt.Errorf("read %s: %w", doc.Name, &fault.LimitError{What: "bytes", Where: "the document", Max: maxDocument, Seen: int64(len(doc.Content))}))
		case strings.HasPrefix(doc.Name, "vex/"):
			vex(doc.Name, doc.Content, yield)
		case strings.HasPrefix(doc.Name, "osv/"):
			out := feedtext.Out{File: doc.Name, Yield: yield}
			if r, err := osv.Parse(doc.Content, nil); err != nil {
				out.Broken("", "", err)
			} else {
				out.Record(r)
			}
		default:
			yield(nil, fmt.Errorf("read %s: it is neither below osv/ nor vex/: %w", doc.Name, fault.Unsupported))
		}
	}
}
