package csaf

import (
	"strconv"
	"strings"
)

// A definition is one place of the product tree where a product id is defined.
type definition struct {
	name     *FullProductName
	branches []branchAt // from the root; nil outside of branches
	link     *link      // set where the product is defined by others
	list     string     // the list it is in, outside of branches
	index    int
}

// branchAt is a branch and its index among its siblings.
type branchAt struct {
	*Branch
	index int
}

// link is how a product is put together: it begins with a component, which
// then stands in relations to further products.
type link struct {
	begin string
	steps []Subpath
}

func (d definition) depth() int { return len(d.branches) }

// pointer is the place of the full product name.
func (d definition) pointer() string {
	if d.branches == nil {
		at := "/product_tree/" + d.list + "/" + strconv.Itoa(d.index)
		if d.link != nil {
			at += "/full_product_name"
		}
		return at
	}
	return branchPointer(d.branches) + "/product"
}

func branchPointer(branches []branchAt) string {
	var b strings.Builder
	b.WriteString("/product_tree")
	for _, at := range branches {
		b.WriteString("/branches/" + strconv.Itoa(at.index))
	}
	return b.String()
}

// each calls fn for every definition of the tree, in the order of branches,
// full product names, relationships, product paths, until fn returns false.
// What fn is given of branches is valid during the call only. A nil tree has
// none.
func (t *ProductTree) each(fn func(definition) bool) {
	if t == nil {
		return
	}
	done := false
	t.eachBranch(func(path []branchAt) bool {
		if p := path[len(path)-1].Product; p != nil {
			done = !fn(definition{name: p, branches: path})
		}
		return !done
	})
	for i := range t.FullProductNames {
		if done || !fn(definition{name: &t.FullProductNames[i], list: "full_product_names", index: i}) {
			return
		}
	}
	for i := range t.Relationships {
		r := &t.Relationships[i]
		l := &link{begin: r.ProductReference, steps: []Subpath{{Category: r.Category, Next: r.RelatesToProductReference}}}
		if done || !fn(definition{name: &r.FullProductName, link: l, list: "relationships", index: i}) {
			return
		}
	}
	for i := range t.ProductPaths {
		p := &t.ProductPaths[i]
		if done || !fn(definition{name: &p.FullProductName, link: &link{p.Beginning, p.Subpaths}, list: "product_paths", index: i}) {
			return
		}
	}
}

// eachBranch calls fn for every branch with the branches above it, until fn
// returns false.
func (t *ProductTree) eachBranch(fn func(path []branchAt) bool) {
	if t != nil {
		descend(t.Branches, nil, fn)
	}
}

// descend recurses as deep as the document does, which Decode has bounded.
func descend(branches []Branch, path []branchAt, fn func([]branchAt) bool) bool {
	for i := range branches {
		at := append(path, branchAt{&branches[i], i})
		if !fn(at) || !descend(branches[i].Branches, at, fn) {
			return false
		}
	}
	return true
}
