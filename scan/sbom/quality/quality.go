// Package quality says what an SBOM lacks of what published guides ask of one: the minimum
// elements of NTIA, the technical guideline TR-03183-2 of BSI, and OpenChain's Telco SBOM
// Guide. It counts; it makes no score, since an element that is missing is not made up for by
// another one.
//
// A document is judged by what it says, not by whether that is true. Files that no
// package accounts for have no version, supplier, licence or package URL that anybody
// could give: of them the guides are taken to ask for the name, the file name, the
// digest and the relationship. Where a package was found is its file name only where
// that is the package itself: not a package database, a lock file or a manifest.
package quality

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/scan/sbom"
)

// ErrInvalid is the kind of the error for a guide that is not known, for errors.Is.
var ErrInvalid error = fault.Invalid

// Guide names a published set of requirements.
type Guide string

// The guides.
const (
	NTIA      Guide = "ntia"      // The Minimum Elements For a Software Bill of Materials, 2021
	BSI       Guide = "bsi"       // TR-03183-2 2.0, 2024
	OpenChain Guide = "openchain" // Telco SBOM Guide 1.1, 2025
)

// Guides are all of them, in the order of reports.
func Guides() []Guide { return []Guide{NTIA, BSI, OpenChain} }

// Level says how much a guide insists.
type Level string

// The levels.
const (
	Required    Level = "required"
	Recommended Level = "recommended" // or required only where it exists
)

// MaxMissing bounds the examples of an Element.
const MaxMissing = 10

// Element is one thing that a guide asks for.
type Element struct {
	Name   string `json:"name"`
	Clause string `json:"clause"` // of the guide
	Level  Level  `json:"level"`
	// Of counts what should have it: 1 for the document, else its packages. Have counts
	// what does.
	Have int `json:"have"`
	Of   int `json:"of"`
	// Missing names what has it not, as "name@version" or the path of a file, in the order of the document, at
	// most MaxMissing.
	Missing []string `json:"missing,omitempty"`
}

// Met reports whether nothing lacks the element.
func (e *Element) Met() bool { return e.Have == e.Of }

// Report is what a document has of one guide.
type Report struct {
	Guide    Guide     `json:"guide"`
	Title    string    `json:"title"`
	Elements []Element `json:"elements"`
}

// Met reports whether all that the guide requires is there.
func (r *Report) Met() bool {
	return !slices.ContainsFunc(r.Elements, func(e Element) bool { return e.Level == Required && !e.Met() })
}

// element is what a guide asks for, and how it is found: in the document, or in a package.
type element struct {
	name, clause string
	level        Level
	document     func(*facts) bool
	each         func(*facts, *sbom.Package) bool
	files        bool // each is asked of files that no package accounts for, too
}

type guide struct {
	title    string
	elements []element
}

// Assess says what a document has of each guide; none named means all. The document is only
// read. An error wraps ErrInvalid and names a guide that is not known. It is safe for
// concurrent use.
func Assess(doc *sbom.Document, guides ...Guide) ([]Report, error) {
	if len(guides) == 0 {
		guides = Guides()
	}
	f := newFacts(doc)
	var out []Report
	for _, name := range guides {
		g, ok := table[name]
		if !ok {
			var known []string
			for _, k := range Guides() {
				known = append(known, string(k))
			}
			return nil, fmt.Errorf("guide %q: want %s%s: %w", name, strings.Join(known, ", "), suggest.Phrase(string(name), known), fault.Invalid)
		}
		r := Report{Guide: name, Title: g.title}
		for i := range g.elements {
			r.Elements = append(r.Elements, f.count(&g.elements[i]))
		}
		out = append(out, r)
	}
	return out, nil
}

// facts are a document and what is found out about it once.
type facts struct {
	doc    *sbom.Document
	linked map[string]bool // IDs of packages with a relationship
	// authors are people and organisations that made the document, with their addresses.
	authors []string
}

func newFacts(doc *sbom.Document) *facts {
	f := &facts{doc: doc, linked: map[string]bool{}, authors: authorsOf(doc)}
	for _, r := range doc.Relationships {
		f.linked[r.From], f.linked[r.To] = true, true
	}
	return f
}

func (f *facts) count(e *element) Element {
	out := Element{Name: e.name, Clause: e.clause, Level: e.level, Of: 1}
	if e.document != nil {
		if e.document(f) {
			out.Have = 1
		}
		return out
	}
	out.Of = 0
	for i := range f.doc.Packages {
		p := &f.doc.Packages[i]
		if p.Type == sbom.TypeFile && !e.files {
			continue
		}
		out.Of++
		switch {
		case e.each(f, p):
			out.Have++
		case len(out.Missing) < MaxMissing:
			out.Missing = append(out.Missing, nameOf(p))
		}
	}
	return out
}

func nameOf(p *sbom.Package) string {
	if p.Type == sbom.TypeFile {
		return p.Name
	}
	return p.Name + "@" + p.Version
}
