package cyclonedx

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// productsOf returns what a reference, in a version if there is one, stands for.
func productsOf(ref string, nodes []node, v *affectedVersion, safe bool) (out []vex.Product) {
	if len(nodes) == 0 || len(nodes) > 1 && safe {
		return []vex.Product{{Name: vexdoc.Cut(ref)}}
	}
	for _, n := range nodes {
		part := n.component.product(v)
		if n.root == nil || n.root == n.component {
			out = append(out, part)
			continue
		}
		whole := n.root.product(nil)
		whole.Subcomponents = []vex.Product{part}
		out = append(out, whole)
	}
	return out
}

// lookup finds the components of a reference: a bom-ref, or a BOM-Link.
func (r *reader) lookup(ref string) []node {
	if nodes := r.bom.nodes[ref]; len(nodes) > 0 {
		return nodes
	}
	rest, ok := strings.CutPrefix(ref, "urn:cdx:")
	link, fragment, found := strings.Cut(rest, "#")
	serial, number, _ := strings.Cut(link, "/")
	version, err := strconv.Atoi(number)
	if !ok || !found || err != nil {
		return nil
	}
	serial = strings.ToLower(serial)
	bom := r.bom
	if serial != bom.serial || version != bom.version {
		if bom = r.limits.BOM(serial, version); bom == nil {
			return nil
		}
	}
	if nodes := bom.nodes[fragment]; len(nodes) > 0 {
		return nodes
	}
	if plain, err := url.PathUnescape(fragment); err == nil {
		return bom.nodes[plain]
	}
	return nil
}

// product is the component as a product, in a version of affects if there is one.
func (c *component) product(v *affectedVersion) vex.Product {
	p := vex.Product{PURL: c.PURL, CPE: c.CPE, Name: vexdoc.Cut(c.Name)}
	if c.Version != "" {
		p.Name = vexdoc.Cut(c.Name + " " + c.Version)
	}
	for _, h := range c.Hashes {
		p.Digests = append(p.Digests, vexdoc.Hash(h.Algorithm, h.Content))
	}
	switch {
	case v == nil || v.Version != "" && v.Version == c.version():
		if versionOf(p.PURL, p.CPE) == "" && c.Version != "" {
			setVersion(&p, c.Version)
		} else if versionOf(p.PURL, p.CPE) == "" {
			p.Versions = c.VersionRange
		}
	case v.Version != "":
		setVersion(&p, v.Version)
		p.Digests, p.Name = nil, vexdoc.Cut(c.Name+" "+v.Version) // those are of another version
	default:
		setVersion(&p, "")
		p.Digests, p.Versions, p.Name = nil, v.Range, vexdoc.Cut(c.Name+" "+v.Range)
	}
	return p
}

// version is the component's version, of its package URL where it does not say so
// itself.
func (c *component) version() string {
	if c.Version != "" {
		return c.Version
	}
	return versionOf(c.PURL, c.CPE)
}

// versionOf is the version of a package URL, or else of a CPE name.
func versionOf(packageURL, name string) string {
	if u, ok := vexdoc.PURL(packageURL); ok {
		return u.Version
	}
	if n, ok := vexdoc.CPE(name); ok {
		return n.FullVersion()
	}
	return ""
}

// setVersion makes identifiers those of a version, or of none.
func setVersion(p *vex.Product, version string) {
	if u, ok := vexdoc.PURL(p.PURL); ok {
		u.Version = version
		p.PURL = u.With("vers", "").String()
	}
	if n, ok := vexdoc.CPE(p.CPE); ok {
		n.Version, n.Update = attribute(version), ""
		p.CPE = n.String()
	}
}

// attribute writes a text as an attribute of a CPE name.
func attribute(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c-'0' >= 10 && c|0x20-'a' >= 26 && c != '_' && c != '.' && c != '-' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return strings.ToLower(b.String())
}
