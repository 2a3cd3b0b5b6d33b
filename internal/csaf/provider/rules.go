package provider

import (
	"fmt"
	"net/url"
	"path"
	"strconv"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
)

// CheckCanonical holds metadata against the URL they were fetched from. An
// error wraps [ErrMismatch]: what is found there is a copy, or moved.
func (m *Metadata) CheckCanonical(from string) error {
	if m.CanonicalURL != from {
		return &fault.MismatchError{What: "canonical_url of provider metadata", Want: m.CanonicalURL, Got: from}
	}
	return nil
}

// CheckPublisher holds a document against the publisher of the metadata by
// namespace and name (section 7.1.7). An error wraps [ErrMismatch]. Metadata
// should name the publisher of all documents; a mirror's metadata do.
func (m *Metadata) CheckPublisher(doc *csaf.Document) error {
	p := doc.Head.Publisher
	if p.Namespace != m.Publisher.Namespace {
		return &fault.MismatchError{What: "publisher's namespace", Want: m.Publisher.Namespace, Got: p.Namespace}
	}
	if p.Name != m.Publisher.Name {
		return &fault.MismatchError{What: "publisher's name", Want: m.Publisher.Name, Got: p.Name}
	}
	return nil
}

// Unlabeled is the label of feeds whose documents have none.
const Unlabeled = "UNLABELED"

// ranks order labels by how few may read what has them. WHITE and CLEAR are
// the same, of the protocol's versions 1 and 2.
var ranks = map[string]int{Unlabeled: 0, "": 0, "WHITE": 0, "CLEAR": 0, "GREEN": 1, "AMBER": 2, "AMBER+STRICT": 3, "RED": 4}

// CheckLabel holds a document's label against where it was found: in a feed
// with a label of its own, or in a folder, whose label is "" if it is not
// known; public means that no credentials were needed. An error wraps
// [ErrForbidden] for a document that must be access protected and is not, or
// stands among documents for more readers; [ErrMismatch] for one in the feed of
// another label; [ErrInvalid] for a label that does not exist.
//
// Source: CSAF 2.0, sections 7.1.4, 7.1.5 and 7.1.15.
func CheckLabel(document, place string, public bool) error {
	rank, ok := ranks[document]
	around, known := ranks[place]
	switch {
	case !ok:
		return fmt.Errorf("check label: %.32q is no TLP label: %w", document, ErrInvalid)
	case !known:
		return fmt.Errorf("check label: %.32q is no label of a feed: %w", place, ErrInvalid)
	case public && rank >= ranks["AMBER"]:
		return fmt.Errorf("check label: the document is TLP:%s and can be read by everybody: %w", document, ErrForbidden)
	case place == "":
		return nil
	case rank > around:
		return fmt.Errorf("check label: the document is TLP:%s in a feed of TLP:%s: %w", document, place, ErrForbidden)
	case rank < around || (document == "") != (place == Unlabeled):
		return &fault.MismatchError{What: "TLP label of a document", Want: place, Got: document}
	}
	return nil
}

// CheckName holds the name of a document's file, the last element of its URL or
// path, against its id (section 5.1). An error wraps [ErrMismatch].
func CheckName(at string, doc *csaf.Document) error {
	name, err := base(at)
	if err != nil {
		return err
	}
	if want := csaf.Filename(doc.Head.Tracking.ID); name != want {
		return &fault.MismatchError{What: "file name of " + strconv.Quote(doc.Head.Tracking.ID), Want: want, Got: name}
	}
	return nil
}

// CheckFolder holds the folder of a document in a directory against the year of
// its first release (section 7.1.11). An error wraps [ErrMismatch].
func CheckFolder(at string, doc *csaf.Document) error {
	u, err := url.Parse(at)
	if err != nil {
		return fmt.Errorf("check folder: %.200q is no URL: %w", at, ErrInvalid)
	}
	when, ok := csaf.Time(doc.Head.Tracking.InitialReleaseDate)
	if !ok {
		return fmt.Errorf("check folder: the document has no initial_release_date: %w", ErrInvalid)
	}
	if want, got := strconv.Itoa(when.Year()), path.Base(path.Dir(u.Path)); want != got {
		return &fault.MismatchError{What: "folder of the year", Want: want, Got: got}
	}
	return nil
}

func base(at string) (string, error) {
	u, err := url.Parse(at)
	if err != nil || u.Path == "" {
		return "", fmt.Errorf("check file name: %.200q is no URL: %w", at, ErrInvalid)
	}
	return path.Base(u.Path), nil
}
