package openvex

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// statement is one statement as it is written.
type statement struct {
	Vulnerability vulnerability     `json:"vulnerability"`
	Timestamp     string            `json:"timestamp"`
	LastUpdated   string            `json:"last_updated"`
	Products      []component       `json:"products"`
	Subcomponents []component       `json:"subcomponents"` // 0.0.1: of each product
	Status        vex.Status        `json:"status"`
	Notes         string            `json:"status_notes"`
	Justification vex.Justification `json:"justification"`
	Impact        string            `json:"impact_statement"`
	Action        string            `json:"action_statement"`
}

// vulnerability is an object, or of 0.0.1 a text.
type vulnerability struct {
	ID      string   `json:"@id"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
}

// UnmarshalJSONFrom reads either form.
func (v *vulnerability) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	type object vulnerability
	if d.PeekKind() == '"' {
		return json.UnmarshalDecode(d, &v.Name)
	}
	return json.UnmarshalDecode(d, (*object)(v))
}

// component is an object, or of 0.0.1 a text.
type component struct {
	ID            string            `json:"@id"`
	Identifiers   identifiers       `json:"identifiers"`
	Hashes        map[string]string `json:"hashes"`
	Subcomponents []component       `json:"subcomponents"`
}

type identifiers struct {
	PURL  string `json:"purl"`
	CPE22 string `json:"cpe22"`
	CPE23 string `json:"cpe23"`
}

// UnmarshalJSONFrom reads either form.
func (c *component) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	type object component
	if d.PeekKind() == '"' {
		return json.UnmarshalDecode(d, &c.ID)
	}
	return json.UnmarshalDecode(d, (*object)(c))
}

// statement reads one statement and passes it on. It reports whether to go on.
func (r *reader) statement(pointer string, raw jsontext.Value) bool {
	var in statement
	// The document was checked as a whole: no name is in it twice.
	if err := json.Unmarshal(raw, &in, jsontext.AllowDuplicateNames(true)); err != nil {
		return r.out.Broken(pointer, vexdoc.Invalid(err))
	}
	s := &vex.Statement{
		Vulnerability: in.Vulnerability.id(), Aliases: slices.DeleteFunc(in.Vulnerability.Aliases, func(a string) bool { return a == "" }),
		Status: in.Status, Justification: in.Justification, Impact: in.Impact, Action: in.Action, Notes: in.Notes,
	}
	if s.Status == vex.Affected || s.Status == vex.UnderInvestigation {
		s.Justification = ""
	}
	var err error
	if s.Time, err = r.statementTime(&in); err == nil {
		err = r.checkSize(&in)
	}
	if err != nil {
		return r.out.Broken(pointer, err)
	}
	for i := range in.Products {
		s.Products = append(s.Products, in.Products[i].products(in.Subcomponents, vexdoc.Safe(s.Status))...)
	}
	if len(in.Products) == 0 {
		s.Products = inherited(r.limits.Products, in.Subcomponents, vexdoc.Safe(s.Status))
	}
	return r.out.Statement(pointer, s)
}

// checkSize bounds the subcomponents before they are multiplied by the products.
func (r *reader) checkSize(in *statement) error {
	products, subs := int64(len(in.Products)), int64(0)
	if products == 0 {
		products = int64(len(r.limits.Products))
	}
	for i := range in.Products {
		subs += int64(len(in.Products[i].Subcomponents))
	}
	if subs += products * int64(len(in.Subcomponents)); subs > vex.MaxSubcomponents {
		return &fault.LimitError{What: "subcomponents", Where: "statement", Max: vex.MaxSubcomponents, Seen: subs}
	}
	return nil
}

// inherited are the products of a statement that names none. The statement owns
// what it returns.
func inherited(products []vex.Product, subcomponents []component, safe bool) []vex.Product {
	out := slices.Clone(products)
	for i := range out {
		out[i].Subcomponents = slices.Clone(out[i].Subcomponents)
		for j := range subcomponents {
			out[i].Subcomponents = append(out[i].Subcomponents, subcomponents[j].names().Products(safe)...)
		}
	}
	return out
}

func (r *reader) statementTime(in *statement) (time.Time, error) {
	safe := vexdoc.Safe(in.Status)
	switch {
	case in.LastUpdated != "" || in.Timestamp != "":
		return vexdoc.NewerTime(in.LastUpdated, in.Timestamp, safe)
	case r.time == "":
		return time.Time{}, fmt.Errorf("neither it nor the document has a timestamp: %w", fault.Invalid)
	}
	return vexdoc.NewerTime(r.time, r.rival, safe)
}

// id is the name, or else the end of the IRI.
func (v *vulnerability) id() string {
	if v.Name != "" || v.ID == "" {
		return v.Name
	}
	if strings.Contains(v.ID, "://") {
		iri := strings.TrimRight(v.ID, "/")
		return iri[strings.LastIndexByte(iri, '/')+1:]
	}
	return v.ID
}

// products makes products of one: more than one where its names are of different
// things.
func (c *component) products(more []component, safe bool) []vex.Product {
	out := c.names().Products(safe)
	var parts []vex.Product
	for _, list := range [][]component{c.Subcomponents, more} {
		for i := range list {
			sub := list[i].names().Products(safe)
			if len(list[i].Subcomponents) > 0 && safe {
				sub = []vex.Product{{Name: sub[0].Name}} // less than the whole of it is meant
			}
			parts = append(parts, sub...)
		}
	}
	for i := range out {
		out[i].Subcomponents = slices.Clone(parts)
	}
	return out
}

// names are the identifiers of a component.
func (c *component) names() *vexdoc.Names {
	n := &vexdoc.Names{PURLs: []string{"", c.Identifiers.PURL}, CPEs: []string{"", c.Identifiers.CPE23, c.Identifiers.CPE22}}
	switch {
	case strings.HasPrefix(c.ID, "pkg:"):
		n.PURLs[0] = c.ID
	case strings.HasPrefix(c.ID, "cpe:"):
		n.CPEs[0] = c.ID
	case isDigest(c.ID):
		n.Digests = append(n.Digests, c.ID)
	default:
		n.Name = c.ID
	}
	for algorithm, value := range c.Hashes {
		if d := vexdoc.Hash(algorithm, value); !slices.Contains(n.Digests, d) {
			n.Digests = append(n.Digests, d)
		}
	}
	slices.Sort(n.Digests)
	return n
}

// isDigest reports whether an "@id" is a digest, as Encode writes one for a
// product that has nothing else.
func isDigest(id string) bool {
	algorithm, value, _ := strings.Cut(id, ":")
	return algorithm == "sha256" && len(value) == 64 || algorithm == "sha512" && len(value) == 128
}
