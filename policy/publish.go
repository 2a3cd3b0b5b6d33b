package policy

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
)

// Statements returns what an exception says as statements that can be published, one
// for each vulnerability, as made when the exception was, and valid as long. That can
// be said of an exception that suppresses with a justification, and that names
// vulnerabilities, and packages or images, without wildcards; images by their digests,
// or by their names with the registry. An error wraps ErrUnsupported and says what
// cannot be published.
func (e *Exception) Statements() ([]*vex.Statement, error) {
	cannot := func(format string, args ...any) ([]*vex.Statement, error) {
		return nil, fmt.Errorf("exception %.128q: %s: %w", e.ID, fmt.Sprintf(format, args...), fault.Unsupported)
	}
	s := &e.Scope
	switch {
	case e.Effect != Suppress:
		return cannot("%s is a decision about risk, and says nothing about the product", e.Effect)
	case e.Justification == "":
		return cannot("it does not say why the product is not affected (justification)")
	case len(s.Paths)+len(s.Environments) > 0:
		return cannot("paths and environments cannot be published")
	case len(s.Vulnerabilities) == 0:
		return cannot("it names no vulnerability")
	case !e.Revoked.IsZero():
		return cannot("it was revoked")
	}
	products, err := e.products()
	if err != nil {
		return cannot("%v", err)
	}
	var out []*vex.Statement
	for _, id := range s.Vulnerabilities {
		if strings.Contains(id, "*") {
			return cannot("%q stands for several vulnerabilities", id)
		}
		st := &vex.Statement{Vulnerability: id, Products: products, Status: vex.NotAffected, Justification: e.Justification, Impact: e.Reason, Time: e.Created, Until: e.Expires}
		if err := st.Prepare(); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// products are the packages, or the images with the packages as parts.
func (e *Exception) products() ([]vex.Product, error) {
	var packages, images []vex.Product
	for _, p := range e.Scope.Packages {
		u, err := purl.Parse(p)
		if err != nil || strings.Contains(p, "*") {
			return nil, fmt.Errorf("%q is not one package", p)
		}
		packages = append(packages, vex.Product{PURL: u.String()})
	}
	for _, name := range e.Scope.Images {
		product, err := imageProduct(name)
		if err != nil {
			return nil, err
		}
		product.Subcomponents = packages
		images = append(images, product)
	}
	switch {
	case len(images) > 0:
		return images, nil
	case len(packages) == 0:
		return nil, fmt.Errorf("it names no package and no image")
	}
	return packages, nil
}

// imageProduct is an image by its digest, or by its name with the registry.
func imageProduct(name string) (vex.Product, error) {
	if strings.HasPrefix(name, "sha256:") {
		return vex.Product{Digests: []string{name}}, nil
	}
	host, _, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(name, "*") || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return vex.Product{}, fmt.Errorf("%q is not one image, by its digest or its name with the registry", name)
	}
	tag := ""
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		name, tag = name[:at], name[at+1:]
	}
	u := purl.PackageURL{Type: "oci", Name: strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])}.With("repository_url", name).With("tag", tag)
	return vex.Product{PURL: u.String()}, nil
}
