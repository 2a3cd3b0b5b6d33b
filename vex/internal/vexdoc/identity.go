package vexdoc

import (
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
)

// Names are the identifiers that a document gives one product. A vex.Product has
// one of each kind: see Products.
type Names struct {
	PURLs, CPEs []string // "" is none
	Digests     []string
	Versions    string
	Name        string
}

// Products returns the product that has the names. Names that say the same, or of
// which one says more than the other, are one; the one that says most counts. Where
// they are of different things it cannot be told which is meant: a claim that raises
// risk is then of each, and one that lowers it of what has no identifier.
func (n *Names) Products(safe bool) []vex.Product {
	purls, cpes := narrowest(n.PURLs, narrowerPURL), narrowest(n.CPEs, narrowerCPE)
	base := vex.Product{Digests: n.Digests, Versions: n.Versions, Name: Cut(n.Name)}
	if len(purls) <= 1 && len(cpes) <= 1 {
		base.PURL, base.CPE = first(purls), first(cpes)
		return []vex.Product{base}
	}
	if safe {
		name := base.Name
		if name == "" {
			name = strings.Join(append(purls, cpes...), " and ")
		}
		return []vex.Product{{Name: Cut(name)}}
	}
	var out []vex.Product
	for _, u := range purls {
		p := base
		p.PURL = u
		out = append(out, p)
	}
	for _, c := range cpes {
		p := base
		p.CPE = c
		out = append(out, p)
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// narrowest leaves out names that say no more than another one.
func narrowest(list []string, narrower func(a, b string) bool) (out []string) {
next:
	for _, s := range list {
		if s == "" {
			continue
		}
		for i, have := range out {
			switch {
			case have == s || narrower(have, s):
				continue next
			case narrower(s, have):
				out[i] = s
				continue next
			}
		}
		out = append(out, s)
	}
	return out
}

// narrowerPURL reports whether a says all that b says.
func narrowerPURL(a, b string) bool {
	x, okX := PURL(a)
	y, okY := PURL(b)
	if !okX || !okY || x.Type != y.Type || x.Namespace != y.Namespace || x.Name != y.Name {
		return false
	}
	for _, q := range y.Qualifiers {
		if x.Qualifier(q.Key) != q.Value {
			return false
		}
	}
	return (y.Version == "" || x.Version == y.Version) && (y.Subpath == "" || x.Subpath == y.Subpath)
}

func narrowerCPE(a, b string) bool {
	x, okX := CPE(a)
	y, okY := CPE(b)
	return okX && okY && x.Key() == y.Key() && cpe.Match(y, x)
}

// Hash returns a digest by the name that a format has for the algorithm: "sha-256"
// and "SHA-256" are sha256. A value that is none is kept: it matches nothing, and
// without it the product would be more than it is.
func Hash(algorithm, value string) string {
	return HashName(algorithm) + ":" + strings.ToLower(value)
}

// HashName makes "sha256" of "SHA-256", and leaves "sha3-256" and "blake2b-256".
func HashName(algorithm string) string {
	name := strings.ToLower(algorithm)
	if rest, ok := strings.CutPrefix(name, "sha-"); ok {
		return "sha" + rest
	}
	return name
}

// PURL reads a package URL, and reports whether there is one that can be read.
func PURL(s string) (purl.PackageURL, bool) {
	if s == "" {
		return purl.PackageURL{}, false
	}
	u, err := purl.Parse(s)
	return u, err == nil
}

// CPE reads a CPE name, and reports whether there is one that can be read.
func CPE(s string) (cpe.Name, bool) {
	if s == "" {
		return cpe.Name{}, false
	}
	n, err := cpe.Parse(s)
	return n, err == nil
}
