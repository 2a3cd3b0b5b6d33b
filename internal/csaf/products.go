package csaf

import "strings"

// Products are the products and groups of one product tree by id. They are
// immutable and may be shared between goroutines.
type Products struct {
	byID   map[string]*Product
	groups map[string][]string
	order  []string
}

// A Product is one definition of a product id. It points into the document it
// comes from, which must not change.
type Product struct {
	ID      string
	Name    string  // for people
	Pointer string  // where in the document it is defined
	Helper  *Helper // nil if there is none
	Path    []Level // the branches from the root; nil outside of branches
	link    *link   // nil if it is not put together of others
}

// A Level is one branch on the way to a product.
type Level struct {
	Category string
	Name     string
}

// NewProducts indexes a product tree; nil is an empty one. If an id is defined
// more than once the first definition counts: where both say the same, as
// happens, nothing is lost, and a validator reports it (6.1.2).
func NewProducts(tree *ProductTree) *Products {
	p := &Products{byID: map[string]*Product{}, groups: map[string][]string{}}
	tree.each(func(d definition) bool {
		id := d.name.ProductID
		if p.byID[id] != nil {
			return true
		}
		product := &Product{ID: id, Name: d.name.Name, Pointer: d.pointer(), Helper: d.name.Helper, link: d.link}
		for _, b := range d.branches {
			product.Path = append(product.Path, Level{b.Category, b.Name})
		}
		p.byID[id] = product
		p.order = append(p.order, id)
		return true
	})
	if tree != nil {
		for _, g := range tree.ProductGroups {
			if _, ok := p.groups[g.GroupID]; !ok {
				p.groups[g.GroupID] = g.ProductIDs
			}
		}
	}
	return p
}

// IDs lists the product ids in the order of their definition.
func (p *Products) IDs() []string { return append([]string(nil), p.order...) }

// Product returns the product of an id, or nil.
func (p *Products) Product(id string) *Product { return p.byID[id] }

// Group returns the product ids of a group, and whether it is defined.
func (p *Products) Group(id string) ([]string, bool) {
	ids, ok := p.groups[id]
	return append([]string(nil), ids...), ok
}

// Expand returns the products that ids and groups name together, each once, in
// the order they are named. Groups that are not defined name none. A group may
// have all products of the document, and many lists may name it: who expands
// one after another bounds what they give in all.
func (p *Products) Expand(ids, groups []string) []string {
	var out []string
	seen := map[string]bool{}
	add := func(ids []string) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	add(ids)
	expanded := map[string]bool{}
	for _, g := range groups {
		if !expanded[g] {
			expanded[g] = true
			add(p.groups[g])
		}
	}
	return out
}

// Composed reports whether the product is put together of others by a
// relationship.
func (p *Product) Composed() bool { return p.link != nil }

// Branch returns the name of the lowest branch of a category above the product,
// such as "vendor", or "".
func (p *Product) Branch(category string) string {
	for i := len(p.Path) - 1; i >= 0; i-- {
		if p.Path[i].Category == category {
			return p.Path[i].Name
		}
	}
	return ""
}

// PathString gives the names of the branches, separated by slashes, for people.
func (p *Product) PathString() string {
	names := make([]string, len(p.Path))
	for i, l := range p.Path {
		names[i] = l.Name
	}
	return strings.Join(names, "/")
}
