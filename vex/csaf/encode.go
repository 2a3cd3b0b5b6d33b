package csaf

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Document is a document that is to be written.
type Document struct {
	// ID is the publisher's name for it; Filename follows from it. Both it and Title
	// are required.
	ID, Title string
	// Publisher is the name of who says so, Namespace a URI that is its own, such as
	// its web site. Both are required. Category is "vendor" where it is empty.
	Publisher, Namespace, Category string
	// Timestamp is when it is released. It is required, and the time of all
	// statements.
	Timestamp time.Time
	// History are the times of its earlier releases, in order. Its version is one
	// more than they are.
	History []time.Time
	// Statements are written in their order, those about one vulnerability together.
	Statements []*vex.Statement
}

// Filename returns the name that the file of a document must have, such as
// "example-2024-1.json".
func Filename(id string) string { return csaf.Filename(id) }

// Encode writes a document of CSAF 2.0, profile VEX, that passes all mandatory tests:
// the same bytes for the same document.
//
// An error wraps ErrInvalid for a document that would not pass, such as one in which
// a product is affected and not affected, or affected without an action. It wraps
// ErrUnsupported for an end of validity, which CSAF cannot say. These are not read
// back: the statements' own times, notes, names beside identifiers, and which of
// several statements about a vulnerability and a product had which aliases, impact
// statement or action: they are put together.
func Encode(w io.Writer, doc *Document) error {
	text, err := doc.text()
	if err != nil {
		return fmt.Errorf("write CSAF: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write CSAF: %w", err)
	}
	return nil
}

func (doc *Document) text() ([]byte, error) {
	out := &csaf.Document{Head: doc.head(), ProductTree: &csaf.ProductTree{}}
	b := builder{out: out, ids: map[string]string{}, at: map[string]int{}, listed: map[listed]bool{}}
	for i, s := range doc.Statements {
		if err := b.statement(s); err != nil {
			return nil, fmt.Errorf("statement %d about %.64q: %w", i, s.Vulnerability, err)
		}
	}
	var buffer bytes.Buffer
	if err := json.MarshalWrite(&buffer, out, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	text := append(buffer.Bytes(), '\n')
	// What is written is held against the standard as anybody else's document is.
	read, err := csaf.Decode(text, nil)
	if err != nil {
		return nil, err
	}
	problems, err := csaf.Validate(read, "", nil)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		if p.Mandatory {
			return nil, fmt.Errorf("%s: test %s fails: %s: %w", p.Pointer, p.Test, p.Message, fault.Invalid)
		}
	}
	return text, nil
}

func (doc *Document) head() csaf.Head {
	category := doc.Category
	if category == "" {
		category = "vendor"
	}
	released := doc.Timestamp.UTC().Format(time.RFC3339Nano)
	h := csaf.Head{
		Category: csaf.CategoryVEX, CSAFVersion: csaf.Version20, Title: doc.Title,
		Publisher: csaf.Publisher{Category: category, Name: doc.Publisher, Namespace: doc.Namespace},
		Tracking:  csaf.Tracking{ID: doc.ID, Status: "final", CurrentReleaseDate: released, Version: strconv.Itoa(len(doc.History) + 1)},
	}
	for i, at := range append(doc.History[:len(doc.History):len(doc.History)], doc.Timestamp) {
		summary := "Update"
		if i == 0 {
			summary = "Initial release"
		}
		date := at.UTC().Format(time.RFC3339Nano)
		if i == 0 {
			h.Tracking.InitialReleaseDate = date
		}
		h.Tracking.RevisionHistory = append(h.Tracking.RevisionHistory, csaf.Revision{Date: date, Number: strconv.Itoa(i + 1), Summary: summary})
	}
	return h
}

// categories are those of remediations, which actions of statements that were read
// begin with.
var categories = []string{"vendor_fix", "mitigation", "workaround", "no_fix_planned", "none_available"}

// remediation makes a remediation of an action.
func remediation(action string) csaf.Remediation {
	for _, c := range categories {
		if rest, ok := strings.CutPrefix(action, c+": "); ok && strings.TrimSpace(rest) != "" {
			return csaf.Remediation{Category: c, Details: rest}
		}
	}
	return csaf.Remediation{Category: "mitigation", Details: action}
}
