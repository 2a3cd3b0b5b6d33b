package ingest

import (
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
)

// addClaims adds a statement to the groups of the products that it names. A product
// without an identifier is nobody's.
func addClaims(groups map[string][]vex.Claim, s *vex.Statement) {
	for i := range s.Products {
		p := &s.Products[i]
		whole := ProductName(p)
		if whole == "" {
			continue
		}
		if len(p.Subcomponents) == 0 {
			groups[whole] = append(groups[whole], vex.Claim{Statement: s, Product: i, Part: -1, Versioned: namesVersion(p)})
			continue
		}
		for j := range p.Subcomponents {
			part := ProductName(&p.Subcomponents[j])
			if part == "" {
				continue
			}
			key := whole + "#" + part
			groups[key] = append(groups[key], vex.Claim{Statement: s, Product: i, Part: j, Versioned: namesVersion(&p.Subcomponents[j]) || isImage(p) && namesVersion(p)})
		}
	}
}

// ProductName is what decisions call a product: its first identifier, a package URL
// in its canonical form, and its range of versions after a space. It is "" for one
// without identifiers. A part of a product is called by the names of both, with "#"
// between.
func ProductName(p *vex.Product) string {
	name := ""
	switch {
	case p.PURL != "":
		name = p.PURL
		if u, err := purl.Parse(p.PURL); err == nil {
			name = u.String()
		}
	case p.CPE != "":
		name = p.CPE
	case len(p.Digests) > 0:
		name = p.Digests[0]
	}
	if name != "" && p.Versions != "" {
		name += " " + p.Versions
	}
	return strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", "\ufffd"), "\ufffd")
}

// isImage reports whether a product is an image, whose version is that of what it
// contains.
func isImage(p *vex.Product) bool {
	return strings.HasPrefix(p.PURL, "pkg:oci/") || strings.HasPrefix(p.PURL, "pkg:docker/") || len(p.Digests) > 0
}

// namesVersion reports whether a product is of certain versions.
func namesVersion(p *vex.Product) bool {
	if p.Versions != "" || len(p.Digests) > 0 {
		return true
	}
	if u, err := purl.Parse(p.PURL); p.PURL != "" && err == nil {
		return u.Version != "" && u.Version != "*"
	}
	if n, err := cpe.Parse(p.CPE); p.CPE != "" && err == nil {
		v := n.FullVersion()
		return v != "" && !cpe.HasWildcard(v)
	}
	return false
}
