package csaf

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// maxLinks bounds the products that one product is put together of. Modules of
// a platform make three.
const maxLinks = 64

// A Resolution takes a product apart: which component it is, and what that
// stands in relations to.
type Resolution struct {
	Product   *Product    // what was asked for
	Component *Product    // what it begins with; the product itself if it is not put together
	Within    []Container // from the component outwards: a module, then a platform
}

// A Container is a product that a component stands in a relation to.
type Container struct {
	// Category is the relation to what comes before: "default_component_of",
	// "optional_component_of", "external_component_of", "installed_on" or
	// "installed_with".
	Category string
	Product  *Product
}

// Platform returns the outermost product that contains the component or on
// which it is installed, or nil. A product that is merely installed with it is
// no platform.
func (r *Resolution) Platform() *Product {
	for i := len(r.Within) - 1; i >= 0; i-- {
		if r.Within[i].Category != "installed_with" {
			return r.Within[i].Product
		}
	}
	return nil
}

// PackageURLs returns the package URLs of the product itself or, if it has
// none, of its component, as written.
func (r *Resolution) PackageURLs() []string {
	if own := r.Product.Helper.PackageURLs(); own != nil {
		return own
	}
	return r.Component.Helper.PackageURLs()
}

// Resolve takes the product of an id apart. Relationships may refer to products
// that are themselves defined by relationships, on either side: the component
// of a module, which is a component of a platform, resolves to the component,
// within the module and the platform. An error wraps the kind not found for an
// id that is not defined, invalid for one that ends up in a circle, or limit.
func (p *Products) Resolve(id string) (*Resolution, error) {
	parts := resolver{products: p, open: map[string]bool{}}
	if err := parts.add("", id); err != nil {
		return nil, fmt.Errorf("resolve product %.200q: %w", id, err)
	}
	return &Resolution{Product: p.byID[id], Component: parts.list[0].Product, Within: parts.list[1:]}, nil
}

// resolver lists the parts of a product, the component first.
type resolver struct {
	products *Products
	open     map[string]bool // what is being taken apart
	list     []Container
}

// add appends the parts of a product, the first of which stands in a relation
// of category to what is already there. It recurses at most maxLinks deep: each
// level is another product.
func (r *resolver) add(category, id string) error {
	product := r.products.byID[id]
	switch {
	case product == nil:
		return fmt.Errorf("product %.200q is not defined: %w", id, fault.NotFound)
	case r.open[id]:
		return fmt.Errorf("product %.200q is a part of itself: %w", id, ErrInvalid)
	case len(r.open) >= maxLinks || len(r.list) >= maxLinks:
		return &fault.LimitError{What: "parts of a product", Where: product.Pointer, Max: maxLinks}
	case product.link == nil:
		r.list = append(r.list, Container{category, product})
		return nil
	}
	r.open[id] = true
	defer delete(r.open, id)
	if err := r.add(category, product.link.begin); err != nil {
		return err
	}
	for _, step := range product.link.steps {
		if err := r.add(step.Category, step.Next); err != nil {
			return err
		}
	}
	return nil
}
