package csaf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/csaf/shape"
)

// The names of the tests that have no number in the standard.
const (
	TestSchema   = "schema"   // the JSON schema
	TestFilename = "filename" // section 5.1
)

// maxProblems bounds the problems reported of one test.
const maxProblems = 100

// A Problem is a test that a document fails, and where.
type Problem struct {
	Test      string // the section, such as "6.1.27.9", or one of the Test constants
	Pointer   string // RFC 6901; empty for the whole document
	Message   string
	Mandatory bool // the document is invalid; else a warning (6.2) or an information (6.3)
}

// String gives test, place and message.
func (p Problem) String() string { return p.Test + " " + p.Pointer + ": " + p.Message }

// ValidateOptions say what [Validate] tests. The zero ValidateOptions stand for
// the mandatory tests, of which those on CVSS fail for want of a calculator.
type ValidateOptions struct {
	// CVSS returns ten times the score of all metrics of a vector of CVSS 2.0,
	// 3.0 or 3.1. If it is nil, documents with scores have a mandatory problem:
	// what was not tested does not pass.
	CVSS func(vector string) (tenths int, err error)
	// Optional adds the tests of section 6.2, Informative those of 6.3.
	Optional, Informative bool
}

// Validate returns the tests that doc fails, in the order of the standard, at
// most 100 places for each. A document without mandatory problems is valid.
// Filename is the last element of where the document was found, which must
// follow from its id; empty to skip that test. An error wraps [ErrUnsupported]
// for a document of CSAF 2.1, or [ErrInvalid] for one that Decode did not make.
//
// Source: CSAF 2.0, sections 5.1 and 6.
func Validate(doc *Document, filename string, opts *ValidateOptions) ([]Problem, error) {
	if doc.structure == nil {
		return nil, fmt.Errorf("validate CSAF document: it was not made by Decode: %w", ErrInvalid)
	}
	if doc.Head.CSAFVersion != Version20 {
		return nil, fmt.Errorf("validate CSAF document: the tests of version %s: %w", doc.Head.CSAFVersion, ErrUnsupported)
	}
	v := &validator{doc: doc, tree: doc.ProductTree, count: map[string]int{}}
	if opts != nil {
		v.opts = *opts
	}
	if v.tree == nil {
		v.tree = &ProductTree{}
	}
	v.schema()
	v.filename(filename)
	v.index()
	v.testProducts()
	v.testStatus()
	v.testCVSS()
	v.testTables()
	v.testHistory()
	v.testVulnerabilities()
	v.testProfile()
	if v.opts.Optional {
		v.optional()
	}
	if v.opts.Informative {
		v.informative()
	}
	slices.SortStableFunc(v.problems, func(a, b Problem) int { return compareTests(a.Test, b.Test) })
	return v.problems, nil
}

// Valid reports whether no problem is mandatory.
func Valid(problems []Problem) bool {
	return !slices.ContainsFunc(problems, func(p Problem) bool { return p.Mandatory })
}

// compareTests orders the schema and the file name first, then by section.
func compareTests(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) == 1 || len(bs) == 1 {
		return cmp.Or(cmp.Compare(min(len(as), 2), min(len(bs), 2)), -strings.Compare(a, b))
	}
	for i := range min(len(as), len(bs)) {
		if c := compareNumerals(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

type validator struct {
	doc      *Document
	tree     *ProductTree // empty if there is none
	opts     ValidateOptions
	problems []Problem
	count    map[string]int // problems by test

	defined map[string]int      // how often product ids are defined
	members map[string][]string // of product groups
}

// fail reports a failed test.
func (v *validator) fail(test, pointer, format string, args ...any) {
	v.count[test]++
	if v.count[test] > maxProblems {
		return
	}
	mandatory := !strings.HasPrefix(test, "6.2.") && !strings.HasPrefix(test, "6.3.")
	v.problems = append(v.problems, Problem{Test: test, Pointer: pointer, Message: fmt.Sprintf(format, args...), Mandatory: mandatory})
}

// at builds a JSON pointer of names and indexes. Names need no escapes.
func at(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		switch p := p.(type) {
		case int:
			b.WriteString(strconv.Itoa(p))
		case string:
			b.WriteString(p)
		}
	}
	return b.String()
}

// schema reports what breaks the JSON schema; what breaks it within a CVSS
// object is test 6.1.8.
func (v *validator) schema() {
	for _, p := range v.doc.structure.Problems {
		test := TestSchema
		if isCVSS(p) {
			test = "6.1.8"
		}
		v.fail(test, p.Pointer, "%s", p.Message)
	}
}

// isCVSS reports whether a place is /vulnerabilities/N/scores/N/cvss_v2 or
// cvss_v3, or within.
func isCVSS(p shape.Problem) bool {
	parts := strings.SplitN(p.Pointer, "/", 7)
	return len(parts) >= 6 && parts[1] == "vulnerabilities" && parts[3] == "scores" && (parts[5] == "cvss_v2" || parts[5] == "cvss_v3")
}

// filename holds the name of the file against the id.
func (v *validator) filename(name string) {
	if want := Filename(v.doc.Head.Tracking.ID); name != "" && name != want {
		v.fail(TestFilename, "/document/tracking/id", "the file is named %.200q; by its id it is %q", name, want)
	}
}

// index collects what is defined.
func (v *validator) index() {
	v.defined, v.members = map[string]int{}, map[string][]string{}
	v.tree.each(func(d definition) bool {
		v.defined[d.name.ProductID]++
		return true
	})
	for _, g := range v.tree.ProductGroups {
		v.members[g.GroupID] = append(v.members[g.GroupID], g.ProductIDs...)
	}
}

// cover is a set of products, named one by one or by groups. Each group is
// taken apart once, however often it is named.
type cover struct {
	ids    map[string]bool
	groups map[string]bool
}

func newCover() cover { return cover{map[string]bool{}, map[string]bool{}} }

// add puts products and the members of groups into c.
func (v *validator) add(c cover, ids, groups []string) {
	for _, id := range ids {
		c.ids[id] = true
	}
	for _, g := range groups {
		if c.groups[g] {
			continue
		}
		c.groups[g] = true
		for _, id := range v.members[g] {
			c.ids[id] = true
		}
	}
}
