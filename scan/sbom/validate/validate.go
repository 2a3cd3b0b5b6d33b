// Package validate says what is wrong with SBOM documents: by the JSON schemas that
// CycloneDX (1.2 to 1.7) and SPDX (2.2, 2.3, 3.0.1) publish, and by what schemas
// cannot say: identifiers that several elements have, references to nothing, packages
// that contain themselves, licences that are no SPDX expressions.
//
// It is a package of its own, which nothing of the scanner imports, because it brings
// the schemas and a library for them. XML, tag-value, YAML and other formats have no
// schema here: of those the reader and the rules of the model judge. Nothing is
// fetched.
package validate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// MaxProblems bounds the problems of a Report.
const MaxProblems = 1000

// Problem is one thing that is wrong.
type Problem struct {
	// Pointer is the JSON pointer of the value (RFC 6901), "" for the document; long
	// ones are cut and end in "…". Of formats that are not JSON, and of circles, it is
	// what the model calls the place.
	Pointer string `json:"pointer"`
	// Rule is what is broken: the keyword in the schema as a URL with a JSON pointer
	// behind '#', or one of the Rule constants.
	Rule string `json:"rule"`
	What string `json:"what"` // for people, one line
}

// The rules beyond the schemas.
const (
	RuleSyntax     = "syntax"     // the reader of the format refuses the document
	RuleIdentifier = "identifier" // an identifier that another element has
	RuleReference  = "reference"  // a reference to no element
	RuleCircle     = "circle"     // a package that is inside itself
	RuleLicense    = "license"    // no SPDX licence expression
	RuleModel      = "model"      // what sbom.Document.Check finds
)

// Report is what was found.
type Report struct {
	// Format is the name and version of the format, such as "spdx-json@2.3"; empty
	// where it cannot be told.
	Format string `json:"format"`
	// Schema is the address of the schema that the document was held against; empty
	// where there is none for its format.
	Schema string `json:"schema,omitempty"`
	// Problems are sorted by Pointer, Rule and What, at most MaxProblems; More counts
	// the others.
	Problems []Problem `json:"problems"`
	More     int       `json:"more,omitempty"`
	// Document is what was read; nil where the document cannot be.
	Document *sbom.Document `json:"-"`
}

// Valid reports whether nothing is wrong.
func (r *Report) Valid() bool { return len(r.Problems) == 0 }

// Validate judges one document. The caller bounds its size. The error is about this
// package's own schemas and never about the document. It is safe for concurrent use.
func Validate(data []byte) (*Report, error) {
	r := &Report{Problems: []Problem{}}
	var found []Problem
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	object, isObject := value.(map[string]any)
	if err == nil && isObject {
		if found, err = r.bySchema(object); err != nil {
			return nil, err
		}
		found = append(found, references(r.Format, object)...)
	}
	r.read(data, &found)
	r.keep(found)
	return r, nil
}

// read adds what the reader and the model say.
func (r *Report) read(data []byte, found *[]Problem) {
	d, name, err := format.Decode(bytes.NewReader(data))
	r.Format = cmp.Or(r.Format, name)
	switch {
	case err != nil && strings.HasPrefix(r.Format, format.SPDXJSON+"@3"):
		// which is written and not read: the schema and the references judge alone
	case err != nil:
		*found = append(*found, Problem{Rule: RuleSyntax, What: oneLine(err.Error())})
	default:
		r.Document = d
		*found = append(*found, ofModel(d, r.Schema == "")...)
	}
}

// keep sorts, and drops what is too much or said twice.
func (r *Report) keep(found []Problem) {
	slices.SortFunc(found, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Rule, b.Rule), strings.Compare(a.What, b.What))
	})
	found = slices.Compact(found)
	if r.More = max(0, len(found)-MaxProblems); r.More > 0 {
		found = found[:MaxProblems]
	}
	r.Problems = append(r.Problems, found...)
}

// ofModel says what is inconsistent in the model of a document. Licences are judged
// where they were not before, in the text of the document.
func ofModel(d *sbom.Document, licenses bool) []Problem {
	var out []Problem
	for _, p := range d.Check() {
		out = append(out, Problem{Pointer: p.Where, Rule: RuleModel, What: p.What})
	}
	for _, ids := range circles(d.Relationships) {
		out = append(out, Problem{Pointer: ids[0], Rule: RuleCircle, What: fmt.Sprintf("contains itself: %.300s", strings.Join(append(ids, ids[0]), " > "))})
	}
	if !licenses {
		return out
	}
	for i := range d.Packages {
		for _, l := range d.Packages[i].Licenses {
			if what := noExpression(l.Expression); what != "" {
				out = append(out, Problem{Pointer: d.Packages[i].ID, Rule: RuleLicense, What: what})
			}
		}
	}
	return out
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return s
}
