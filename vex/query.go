package vex

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/scan/purl"
)

// Query asks about one vulnerability of one package in one image. What it leaves
// empty is unknown: an unknown never makes a claim apply that lowers risk.
type Query struct {
	// Vulnerabilities are the id and its aliases.
	Vulnerabilities []string `json:"vulnerabilities"`
	// Package is the package as the SBOM has it.
	Package Part `json:"package"`
	// Upstream is the package URL of the source package that it was built from,
	// with the version of that; empty where it is the package itself.
	Upstream string `json:"upstream,omitempty"`
	// Owners are package URLs of what contains the package: the application that
	// the SBOM is of, or the module that a binary was built from.
	Owners []string `json:"owners,omitempty"`
	// Image is the image that contains it all.
	Image Image `json:"image,omitzero"`
}

// Part is a package by what identifies it.
type Part struct {
	PURL    string   `json:"purl,omitempty"` // with a version
	CPEs    []string `json:"cpes,omitempty"`
	Digests []string `json:"digests,omitempty"` // of its file, "sha256:…"
}

// Image is an image by what identifies it.
type Image struct {
	// Digests are those of its index, manifest and configuration, as far as they
	// are known.
	Digests []string `json:"digests,omitempty"`
	// Names are where it was found, with the registry, and with the tag where
	// there is one: "docker.io/library/alpine:3.20".
	Names []string `json:"names,omitempty"`
	// CPEs name the products that it is, such as the label "cpe" of Red Hat's images.
	CPEs []string `json:"cpes,omitempty"`
}

// Claim is a statement that applies to what a query asks about, by one of its
// products.
type Claim struct {
	Statement *Statement
	// Product is the index of the product, Part that of the subcomponent, -1 where
	// the product itself was meant.
	Product, Part int
	// Versioned says that the claim names the version that is there.
	Versioned bool
}

// Reason says why a statement applies, or does not.
type Reason string

// The reasons of [Query.Select].
const (
	Applies            Reason = "applies"
	OtherVulnerability Reason = "other_vulnerability"
	OtherPackage       Reason = "other_package"
	OtherVersion       Reason = "other_version"
	OtherQualifiers    Reason = "other_qualifiers"       // another architecture, release, repository …
	OtherImage         Reason = "other_image"            // another image, or application
	Disagreeing        Reason = "identifiers_disagree"   // one identifier names this, another something else
	Uncertain          Reason = "identity_uncertain"     // what it names cannot be compared with what is there
	Unidentified       Reason = "product_not_identified" // it has no identifier that can be read
)

// Other is a statement about the vulnerability that does not apply.
type Other struct {
	Statement *Statement
	Reason    Reason // the one that came closest
}

// Selection is what [Query.Select] finds.
type Selection struct {
	// Claims are sorted by the statements' IDs and products.
	Claims []Claim
	// Others are sorted by the statements' IDs. Statements about other
	// vulnerabilities are not among them.
	Others []Other
}

// Select finds the claims among statements, which must be prepared. It is pure, and
// the order of the statements does not matter.
//
// A statement applies by a product that is the package itself or its source
// package, or that is the image or an owner, where it has no subcomponents or one
// of them is the package. All of a product's identifiers that can be compared must
// be of the same thing. Where it cannot be told whether they are, a claim that
// raises risk applies and one that lowers it does not. Package URLs are compared as
// docs/modules/excititor.md says.
func (q *Query) Select(statements []*Statement) Selection {
	return q.Prepare().Select(q.Vulnerabilities, statements)
}

// Prepared is what a query says about the package and the image, read once. It is
// immutable, and safe for concurrent use.
type Prepared struct{ asked }

// Prepare reads the identifiers of a query, to ask about several vulnerabilities.
func (q *Query) Prepare() *Prepared { return &Prepared{*q.asked()} }

// Select is [Query.Select] for the given ids of a vulnerability.
func (a *Prepared) Select(ids []string, statements []*Statement) Selection {
	var out Selection
	for _, s := range statements {
		if !s.Names(ids) {
			continue
		}
		found, closest := len(out.Claims), OtherPackage
		for i := range s.Products {
			part, m := a.product(&s.Products[i])
			if m.is == yes || m.is == unknown && !s.Safe() {
				out.Claims = append(out.Claims, Claim{Statement: s, Product: i, Part: part, Versioned: m.versioned})
			} else if m.why.rank() > closest.rank() {
				closest = m.why
			}
		}
		if len(out.Claims) == found {
			out.Others = append(out.Others, Other{s, closest})
		}
	}
	slices.SortStableFunc(out.Claims, func(x, y Claim) int { return strings.Compare(x.Statement.ID, y.Statement.ID) })
	slices.SortFunc(out.Others, func(x, y Other) int { return strings.Compare(x.Statement.ID, y.Statement.ID) })
	return out
}

// rank says how close to applying a reason is.
func (r Reason) rank() int {
	return slices.Index([]Reason{OtherPackage, Unidentified, OtherImage, OtherQualifiers, OtherVersion, Disagreeing, Uncertain}, r)
}

// identity is what a product's identifiers say, read once.
type identity struct {
	purl    purl.PackageURL
	cpe     cpe.Name
	hasPURL bool
	hasCPE  bool
	isImage bool // the package URL is of an image
	rng     *versionRange
}

// Prepare reads the product's identifiers. [Statement.Prepare] does so for those of a
// statement.
func (p *Product) Prepare() {
	p.id = identity{}
	if u := parsed(p.PURL); !u.IsZero() {
		p.id.purl, p.id.hasPURL = u, true
		p.id.isImage = u.Type == "oci" || u.Type == "docker"
	}
	if p.CPE != "" {
		if n, err := cpe.Parse(p.CPE); err == nil && n.HasProduct() {
			p.id.cpe, p.id.hasCPE = n, true
		}
	}
	text := p.Versions
	if text == "" {
		text = p.id.purl.Qualifier("vers")
	}
	if text != "" {
		p.id.rng = parseRange(text)
	}
	for i := range p.Subcomponents {
		p.Subcomponents[i].Prepare()
	}
}

// Identified reports whether the product has an identifier that can be read. The
// statement must be prepared.
func (p *Product) Identified() bool { return p.id.hasPURL || p.id.hasCPE || len(p.Digests) > 0 }

// asked is a query, read once.
type asked struct {
	pkg, upstream purl.PackageURL
	cpes          []cpe.Name
	digests       []string
	owners        []purl.PackageURL
	image         Image
	imageCPEs     []cpe.Name
}

func (q *Query) asked() *asked {
	a := &asked{pkg: parsed(q.Package.PURL), upstream: parsed(q.Upstream), digests: q.Package.Digests, image: q.Image}
	for _, c := range q.Package.CPEs {
		if n, err := cpe.Parse(c); err == nil {
			a.cpes = append(a.cpes, n)
		}
	}
	for _, c := range q.Image.CPEs {
		if n, err := cpe.Parse(c); err == nil {
			a.imageCPEs = append(a.imageCPEs, n)
		}
	}
	for _, o := range q.Owners {
		if u := parsed(o); !u.IsZero() {
			a.owners = append(a.owners, u)
		}
	}
	return a
}

func parsed(s string) purl.PackageURL {
	if s == "" {
		return purl.PackageURL{}
	}
	u, err := purl.Parse(s)
	if err != nil {
		return purl.PackageURL{}
	}
	return fold(u)
}

// product compares a product with what is asked about. part is the subcomponent by
// which it applies.
func (a *asked) product(p *Product) (part int, m match) {
	if len(p.Subcomponents) == 0 {
		return -1, either(a.part(p), a.container(p))
	}
	whole := a.container(p)
	if whole.is == no {
		return -1, whole
	}
	best := match{is: no, why: OtherPackage}
	for i := range p.Subcomponents {
		if m := a.part(&p.Subcomponents[i]); better(m, best) {
			best, part = m, i
		}
	}
	if best.is == no {
		return -1, best
	}
	return part, both(whole, best)
}

// part compares a product with the package and its source package.
func (a *asked) part(p *Product) match {
	var all evidence
	if p.id.hasPURL && !p.id.isImage {
		m := comparePURL(&p.id, a.pkg)
		if m.is != yes && !a.upstream.IsZero() {
			m = either(m, comparePURL(&p.id, a.upstream))
		}
		all.name(m)
	} else if p.id.isImage {
		return match{is: no, why: OtherPackage}
	}
	if p.id.hasCPE && p.id.hasPURL {
		all.add(compareCPE(&p.id, a.cpes))
	} else if p.id.hasCPE {
		all.name(compareCPE(&p.id, a.cpes))
	}
	if len(p.Digests) > 0 {
		all.add(compareDigests(p.Digests, a.digests, OtherPackage))
	}
	return all.conclude()
}

// container compares a product with the image and with the owners.
func (a *asked) container(p *Product) match {
	var all evidence
	switch {
	case p.id.isImage:
		all.name(compareImage(p.id.purl, &a.image))
	case p.id.hasPURL:
		best := match{is: no, why: OtherPackage}
		for _, o := range a.owners {
			if m := comparePURL(&p.id, o); better(m, best) {
				best = m
			}
		}
		all.name(best)
	case p.id.hasCPE && len(a.imageCPEs) > 0:
		all.name(compareCPE(&p.id, a.imageCPEs))
	case p.id.hasCPE && len(p.Digests) > 0: // nothing says which CPE names an image or an owner has
		all.name(match{is: unknown, why: Uncertain})
	}
	if len(p.Digests) > 0 {
		m := compareDigests(p.Digests, a.image.Digests, OtherImage)
		if p.id.hasPURL && !p.id.isImage {
			all.add(m)
		} else {
			all.name(m) // a name is of many images, and a digest of one
		}
	}
	m := all.conclude()
	m.versioned = m.versioned && p.id.isImage || len(p.Digests) > 0 && m.is == yes
	return m
}
