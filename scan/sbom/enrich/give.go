package enrich

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// giver is a rule, or all packages of a document.
type giver struct {
	name string
	rule *Rule
	by   map[string]*Facts // of a document: by what a package is; nil where that is not one thing
}

// of returns what is said of p, or nil.
func (g *giver) of(p *sbom.Package) *Facts {
	if g.rule != nil {
		if g.rule.Match.fits(p) {
			return &g.rule.Set
		}
		return nil
	}
	for _, key := range keys(p) {
		f, known := g.by[key]
		if !known || f != nil && strings.HasPrefix(key, nameKey) && !p.PURL.IsZero() && !f.PURL.IsZero() {
			continue
		}
		return f
	}
	return nil
}

func giversOf(s Source) ([]giver, error) {
	var list []giver
	if s.Document != nil {
		g := giver{name: s.Name, by: map[string]*Facts{}}
		for i := range s.Document.Packages {
			p := &s.Document.Packages[i]
			f := factsOf(p)
			for _, key := range keys(p) {
				if _, twice := g.by[key]; twice {
					g.by[key] = nil
				} else {
					g.by[key] = f
				}
			}
		}
		list = append(list, g)
	}
	for i := range s.Rules {
		name := s.Name + "#" + strconv.Itoa(i+1)
		if err := s.Rules[i].check(); err != nil {
			return nil, fmt.Errorf("enrich: rule %s: %w", name, err)
		}
		list = append(list, giver{name: name, rule: &s.Rules[i]})
	}
	if s.Document == nil && s.Rules == nil {
		return nil, fmt.Errorf("enrich: source %.100q has no document and no rules: %w", s.Name, fault.Invalid)
	}
	return list, nil
}

// keys are what a package is known by in two documents, from the most to the least
// telling: its package URL, that without qualifiers, and its name. A key that several
// packages of a source have tells nothing. Packages that both have package URLs are
// not known by their names, which differ between ecosystems.
func keys(p *sbom.Package) []string {
	if p.PURL.IsZero() {
		return []string{byNameOf(p)}
	}
	plain := p.PURL
	plain.Qualifiers = nil
	if plain.String() == p.PURL.String() {
		return []string{"purl\x00" + p.PURL.String(), byNameOf(p)}
	}
	return []string{"purl\x00" + p.PURL.String(), "purl\x00" + plain.String(), byNameOf(p)}
}

const nameKey = "name\x00"

func byNameOf(p *sbom.Package) string {
	typ := p.Type
	if typ == "" {
		typ = "library"
	}
	return nameKey + typ + "\x00" + p.Name + "\x00" + p.Version
}

// factsOf are what a document says of a package. Properties are not among them: many
// are about the document that has them.
func factsOf(p *sbom.Package) *Facts {
	return &Facts{Licenses: p.Licenses, CPEs: p.CPEs, PURL: p.PURL, Hashes: p.Hashes, Supplier: p.Supplier, Originator: p.Originator,
		Homepage: p.Homepage, Download: p.Download, Copyright: p.Copyright, Description: p.Description}
}
