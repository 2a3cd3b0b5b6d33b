package csaf

import (
	"strings"

	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// resolved is a product of the document, taken apart once.
type resolved struct {
	res *csaf.Resolution
	err error
}

// productsOf returns what an id stands for, as far as a status may say it.
func (r *reader) productsOf(id string, status vex.Status) ([]vex.Product, error) {
	have := r.resolved[id]
	if have == nil {
		have = &resolved{}
		have.res, have.err = r.products.Resolve(id)
		r.resolved[id] = have
	}
	if have.err != nil {
		return nil, have.err
	}
	return composed(have.res, status), nil
}

// composed returns the products that a resolution stands for.
func composed(res *csaf.Resolution, status vex.Status) []vex.Product {
	safe := vexdoc.Safe(status)
	component := identify(res.Component, res.Product, safe)
	if len(res.Within) == 0 {
		return component
	}
	var platforms []*csaf.Product
	lost, beside, stream := false, false, ""
	for _, c := range res.Within {
		if s := moduleStream(c.Product.Helper.PackageURLs()); s != "" && stream == "" {
			stream = s
			continue
		}
		beside = beside || c.Category == "installed_with"
		platforms = append(platforms, c.Product)
	}
	if stream != "" {
		lost = !inModule(component, stream)
	}
	if !beside && len(component) == 1 && isImage(component[0].PURL) {
		return component
	}
	if safe && (lost || beside || len(platforms) > 1) {
		return []vex.Product{{Name: vexdoc.Cut(res.Product.Name)}}
	}
	platform := res.Platform()
	if platform == nil || len(platforms) == 0 {
		return component
	}
	if out := builds(component, platform, status); out != nil {
		return out
	}
	out := identify(platform, platform, safe)
	for i := range out {
		out[i].Subcomponents = component
	}
	return out
}

// identify returns the products with the identifiers of p, or of whole, the product
// that it was taken from, which may have some of its own.
func identify(p, whole *csaf.Product, safe bool) (out []vex.Product) {
	helper := whole.Helper
	if helper == nil || len(helper.PackageURLs()) == 0 && helper.CPE == "" && len(helper.Hashes) == 0 {
		helper = p.Helper
	}
	name := vexdoc.Cut(whole.Name)
	if helper == nil {
		return []vex.Product{{Name: name}}
	}
	n := vexdoc.Names{CPEs: []string{helper.CPE}, Name: name}
	for _, file := range helper.Hashes {
		for _, h := range file.FileHashes {
			n.Digests = append(n.Digests, vexdoc.Hash(h.Algorithm, h.Value))
		}
	}
	urls := helper.PackageURLs()
	if len(urls) > 1 && differInQualifiers(urls) { // CSAF 2.1: it is each of them
		for _, u := range urls {
			one := n
			one.PURLs = []string{u}
			out = append(out, one.Products(safe)...)
		}
	} else {
		n.PURLs = urls
		out = n.Products(safe)
	}
	for i := range out {
		if !narrow(&out[i], p) && safe {
			out[i] = vex.Product{Name: name}
		}
	}
	return out
}

// differInQualifiers reports whether package URLs are variants of one package.
func differInQualifiers(urls []string) bool {
	var first purl.PackageURL
	for i, text := range urls {
		u, ok := vexdoc.PURL(text)
		if !ok {
			return false
		}
		u.Qualifiers = nil
		if i == 0 {
			first = u
		} else if purl.Compare(first, u) != 0 {
			return false
		}
	}
	return true
}

// narrow adds the version that a branch says to identifiers that have none. It
// reports whether the product is no more than what the document says.
func narrow(p *vex.Product, at *csaf.Product) bool {
	u, hasPURL := vexdoc.PURL(p.PURL)
	n, hasCPE := vexdoc.CPE(p.CPE)
	switch { // a package URL goes before a CPE name: few packages can be compared by one
	case hasPURL && (u.Version != "" || u.Qualifier("vers") != ""):
		return true
	case !hasPURL && (!hasCPE || n.FullVersion() != ""):
		return true
	}
	if text := at.Branch("product_version_range"); text != "" {
		p.Versions = text
		_, err := version.ParseVERS(text)
		return err == nil
	}
	text := at.Branch("product_version")
	if text == "" || text == u.Name || text == at.ID || text == at.Name {
		return true // the version's branch has the product's name: it says none
	}
	typ := u.Type
	if !hasPURL {
		typ = "generic"
	}
	p.Versions = "vers:" + typ + "/" + escapeVERS(text)
	_, err := version.ParseVERS(p.Versions)
	return err == nil
}

// escapeVERS writes a version as VERS does.
func escapeVERS(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' < 10, c|0x20-'a' < 26, strings.IndexByte(".-_~:", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}

// isImage reports whether a package URL names an image by its digest, or with the
// registry.
func isImage(text string) bool {
	u, ok := vexdoc.PURL(text)
	return ok && (u.Type == "oci" || u.Type == "docker") && (strings.Contains(u.Version, ":") || u.Qualifier("repository_url") != "")
}
