package csaf

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// refusing are the mandatory tests that refuse a document: see the package comment.
// Test 2 and 27.7 depend.
var refusing = []string{
	csaf.TestSchema, "6.1.1", "6.1.2", "6.1.3", "6.1.4", "6.1.5", "6.1.6", "6.1.17", "6.1.23", "6.1.27.4", "6.1.27.6", "6.1.27.7", "6.1.27.8", "6.1.27.11",
}

// Decode yields what a document says, in its order: statements that are prepared,
// with Origin as far as the document tells, and a [*vex.StatementError] for each
// part that cannot be used. Any other error is the last: the document as a whole
// cannot be used. It wraps ErrInvalid, ErrLimit, or ErrUnsupported for another
// version. name is the document's, for errors; text is not kept.
func Decode(name string, text []byte, opts *Options) iter.Seq2[*vex.Statement, error] {
	limits := opts.limits()
	return func(yield func(*vex.Statement, error) bool) {
		r := reader{limits: limits, out: vexdoc.Out{
			Name: name, Yield: yield, Origin: vex.Origin{Format: "csaf"},
			MaxStatements: limits.MaxStatements, MaxProducts: limits.MaxProducts,
		}}
		if err := r.read(text); err != nil {
			r.out.Refuse(err)
		}
	}
}

// reader reads one document.
type reader struct {
	limits   Options
	out      vexdoc.Out
	products *csaf.Products
	resolved map[string]*resolved
	expanded int // products that flags, threats and remediations name
}

func (r *reader) read(text []byte) error {
	doc, err := csaf.Decode(text, &csaf.Options{MaxBytes: r.limits.MaxBytes, MaxProducts: r.limits.MaxProducts, MaxBranchDepth: r.limits.MaxDepth})
	if err != nil {
		return err
	}
	if err := judge(doc); err != nil {
		return err
	}
	t := &doc.Head.Tracking
	at, ok := csaf.Time(t.CurrentReleaseDate)
	if !ok || at.UTC().Year() < 1 || at.UTC().Year() > 9999 || at.IsZero() {
		return fmt.Errorf("/document/tracking/current_release_date: %.64q is no time: %w", t.CurrentReleaseDate, fault.Invalid)
	}
	r.out.Origin = vex.Origin{Document: vexdoc.Digest(text), ID: t.ID, Version: t.Version, Format: "csaf", Author: doc.Head.Publisher.Name}
	r.products, r.resolved = csaf.NewProducts(doc.ProductTree), map[string]*resolved{}
	for i := range doc.Vulnerabilities {
		g := &grouper{reader: r, v: &doc.Vulnerabilities[i], pointer: "/vulnerabilities/" + strconv.Itoa(i), at: at.UTC()}
		goOn, err := g.statements()
		if err != nil {
			return fmt.Errorf("%s: %w", g.pointer, err)
		}
		if !goOn {
			return nil
		}
	}
	return nil
}

// judge says why a document must not be used.
func judge(doc *csaf.Document) error {
	if doc.Head.Tracking.Status == "draft" {
		return fmt.Errorf("/document/tracking/status: it is a draft: %w", fault.Invalid)
	}
	if doc.Head.CSAFVersion == csaf.Version21 {
		return nil
	}
	problems, err := csaf.Validate(doc, "", nil)
	if err != nil {
		return err
	}
	for _, p := range problems {
		switch {
		case !slices.Contains(refusing, p.Test):
		case p.Test == "6.1.2" && sameDefinitions(doc.ProductTree), p.Test == "6.1.27.7" && haveStatus(doc):
		default:
			return fmt.Errorf("%s: test %s fails: %s: %w", p.Pointer, p.Test, p.Message, fault.Invalid)
		}
	}
	return nil
}

// haveStatus reports whether every vulnerability says how some product stands.
func haveStatus(d *csaf.Document) bool {
	return !slices.ContainsFunc(d.Vulnerabilities, func(v csaf.Vulnerability) bool { return len(v.ProductStatus.Lists()) == 0 })
}

// sameDefinitions reports whether products that are defined more than once are so in
// the same words.
func sameDefinitions(tree *csaf.ProductTree) bool {
	seen, same := map[string]csaf.FullProductName{}, true
	add := func(p csaf.FullProductName) {
		if have, ok := seen[p.ProductID]; ok && !reflect.DeepEqual(have, p) {
			same = false
		}
		seen[p.ProductID] = p
	}
	// A branch says which version a product is, so that two branches are two
	// definitions: they are the same only with the same names above.
	paths := map[string]string{}
	var walk func(list []csaf.Branch, path string)
	walk = func(list []csaf.Branch, path string) { // as deep as Decode allows
		for i := range list {
			b := &list[i]
			at := path + "\x00" + b.Category + "\x00" + b.Name
			if b.Product != nil {
				if have, ok := paths[b.Product.ProductID]; ok && have != at {
					same = false
				}
				paths[b.Product.ProductID] = at
				add(*b.Product)
			}
			walk(b.Branches, at)
		}
	}
	walk(tree.Branches, "")
	for _, p := range tree.FullProductNames {
		add(p)
	}
	relations := map[string]csaf.Relationship{}
	for _, rel := range tree.Relationships {
		add(rel.FullProductName)
		if have, ok := relations[rel.FullProductName.ProductID]; ok && !reflect.DeepEqual(have, rel) {
			same = false
		}
		relations[rel.FullProductName.ProductID] = rel
	}
	return same
}

// nameOf returns the names of a vulnerability, its CVE id first.
func nameOf(v *csaf.Vulnerability) (name string, aliases []string) {
	if v.CVE != "" {
		name = v.CVE
	}
	for _, id := range v.IDs {
		text := strings.TrimSpace(id.Text)
		switch {
		case text == "" || text == name:
		case name == "":
			name = text
		case strings.Trim(text, "0123456789") != "":
			aliases = append(aliases, text)
		}
	}
	return name, aliases
}
