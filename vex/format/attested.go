package format

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
)

// subjects are what an attestation is about.
type subjects struct {
	list       []intoto.Subject
	digests    []string // of all
	repository string
}

func newSubjects(s *intoto.Statement, repository string) *subjects {
	return &subjects{list: s.Subjects, digests: s.Digests(), repository: strings.Trim(repository, "/")}
}

// products are the subjects as statements name products: what statements are about
// that name none (OpenVEX, "Attesting OpenVEX Documents").
func (s *subjects) products() []vex.Product {
	var out []vex.Product
	for i := range s.list {
		p := vex.Product{Digests: s.list[i].Secure(), Name: s.list[i].Name}
		if strings.HasPrefix(p.Name, "pkg:") {
			p.PURL, p.Name = p.Name, ""
		}
		if len(p.Digests) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Attested binds what a statement says to the subjects of the attestation that it is
// from: a product that is one of the subjects, by a digest or its name, has the
// subject's digests; an image without a digest has those of all; a package is one
// within the subjects, and no longer one anywhere. A product that has a digest of
// something else cannot be bound, and neither can parts of a package, of a statement
// that lowers risk: then it is an error, which wraps ErrInvalid or ErrUnsupported.
// The statement is prepared anew.
func Attested(s *vex.Statement, in *intoto.Statement, repository string) error {
	return newSubjects(in, repository).bind(s)
}

func (s *subjects) bind(st *vex.Statement) error {
	if len(s.digests) == 0 {
		return fmt.Errorf("no subject of the attestation has a digest that can be relied on: %w", fault.Unsupported)
	}
	products := slices.Clone(st.Products)
	for i := range products {
		bound, err := s.product(products[i], st.Safe())
		if err != nil {
			return fmt.Errorf("product %d: %w", i, err)
		}
		products[i] = bound
	}
	st.Products = products
	return st.Prepare()
}

// product binds one product.
func (s *subjects) product(p vex.Product, safe bool) (vex.Product, error) {
	u, err := purl.Parse(p.PURL)
	has := p.PURL != "" && err == nil
	image := has && (u.Type == "oci" || u.Type == "docker")
	if own := s.named(&p, u, image); own != nil {
		p.Digests = own
		return s.place(p, u, image, has), nil
	}
	switch {
	case len(p.Digests) > 0, image && strings.Contains(u.Version, ":"):
		return p, fmt.Errorf("%s is no subject of the attestation: %w", nameOf(&p), fault.Invalid)
	case image:
		p.Digests = s.digests
		return s.place(p, u, image, has), nil
	case has || p.CPE != "":
		if len(p.Subcomponents) > 0 && safe {
			return p, fmt.Errorf("%s is a package with parts: which of the subject's it is cannot be said: %w", nameOf(&p), fault.Unsupported)
		}
		parts := p.Subcomponents
		if len(parts) == 0 {
			parts = []vex.Product{p}
		}
		return s.place(vex.Product{Digests: s.digests, Subcomponents: parts}, purl.PackageURL{}, false, false), nil
	}
	return p, nil // it identifies nothing
}

func nameOf(p *vex.Product) string {
	for _, name := range append([]string{p.PURL, p.CPE}, p.Digests...) {
		if name != "" {
			return fmt.Sprintf("%.200q", name)
		}
	}
	return fmt.Sprintf("%.200q", p.Name)
}

// named returns the digests of the subject that a product is, nil for none.
func (s *subjects) named(p *vex.Product, u purl.PackageURL, image bool) []string {
	for i := range s.list {
		digests := s.list[i].Secure()
		has := func(d string) bool { return slices.Contains(digests, strings.ToLower(d)) }
		if len(p.Digests) > 0 {
			if slices.ContainsFunc(p.Digests, has) {
				return digests
			}
			continue
		}
		if image && has(u.Version) || p.PURL != "" && p.PURL == s.list[i].Name && len(digests) > 0 {
			return digests
		}
	}
	return nil
}

// place says where a subject is, if nothing does yet.
func (s *subjects) place(p vex.Product, u purl.PackageURL, image, has bool) vex.Product {
	if s.repository == "" {
		return p
	}
	switch {
	case image && u.Type == "oci" && u.Qualifier("repository_url") == "":
		p.PURL = u.With("repository_url", s.repository).String()
	case !has && p.CPE == "":
		p.PURL = (purl.PackageURL{Type: "oci", Name: path.Base(s.repository)}).With("repository_url", s.repository).String()
	}
	return p
}
