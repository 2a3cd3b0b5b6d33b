package csaf

// testProducts performs 6.1.1 to 6.1.5: what is referred to is defined, once,
// and not by itself.
func (v *validator) testProducts() {
	v.eachProductReference(func(pointer, id string) {
		if v.defined[id] == 0 {
			v.fail("6.1.1", pointer, "product %.200q is not defined", id)
		}
	})
	seen := map[string]string{}
	v.tree.each(func(d definition) bool {
		id := d.name.ProductID
		if v.defined[id] < 2 {
			return true
		}
		pointer := d.pointer()
		if first, twice := seen[id]; twice {
			v.fail("6.1.2", pointer+"/product_id", "product %.200q is already defined at %s", id, first)
		} else {
			seen[id] = pointer
		}
		return true
	})
	v.circles()
	v.eachGroupReference(func(pointer, id string) {
		if _, ok := v.members[id]; !ok {
			v.fail("6.1.4", pointer, "product group %.200q is not defined", id)
		}
	})
	groups := map[string]int{}
	for i, g := range v.tree.ProductGroups {
		if first, twice := groups[g.GroupID]; twice {
			v.fail("6.1.5", at("product_tree", "product_groups", i, "group_id"), "product group %.200q is already defined at %s", g.GroupID, at("product_tree", "product_groups", first))
		} else {
			groups[g.GroupID] = i
		}
	}
}

// eachProductReference calls fn for each product id outside of a full product
// name.
func (v *validator) eachProductReference(fn func(pointer, id string)) {
	list := func(pointer string, ids []string) {
		for i, id := range ids {
			fn(pointer+at(i), id)
		}
	}
	for i, g := range v.tree.ProductGroups {
		list(at("product_tree", "product_groups", i, "product_ids"), g.ProductIDs)
	}
	for i, r := range v.tree.Relationships {
		fn(at("product_tree", "relationships", i, "product_reference"), r.ProductReference)
		fn(at("product_tree", "relationships", i, "relates_to_product_reference"), r.RelatesToProductReference)
	}
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		for _, l := range u.ProductStatus.Lists() {
			list(at("vulnerabilities", i, "product_status", l.Name), l.IDs)
		}
		for j, x := range u.Scores {
			list(at("vulnerabilities", i, "scores", j, "products"), x.Products)
		}
		for j, x := range u.Flags {
			list(at("vulnerabilities", i, "flags", j, "product_ids"), x.ProductIDs)
		}
		for j, x := range u.Remediations {
			list(at("vulnerabilities", i, "remediations", j, "product_ids"), x.ProductIDs)
		}
		for j, x := range u.Threats {
			list(at("vulnerabilities", i, "threats", j, "product_ids"), x.ProductIDs)
		}
	}
}

// eachGroupReference calls fn for each product group id outside of a product
// group.
func (v *validator) eachGroupReference(fn func(pointer, id string)) {
	list := func(pointer string, ids []string) {
		for i, id := range ids {
			fn(pointer+at(i), id)
		}
	}
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		for j, x := range u.Flags {
			list(at("vulnerabilities", i, "flags", j, "group_ids"), x.GroupIDs)
		}
		for j, x := range u.Remediations {
			list(at("vulnerabilities", i, "remediations", j, "group_ids"), x.GroupIDs)
		}
		for j, x := range u.Threats {
			list(at("vulnerabilities", i, "threats", j, "group_ids"), x.GroupIDs)
		}
	}
}

// circles performs 6.1.3: it removes relationships that lead to none that is
// left, until none can be removed; what is left leads into a circle.
func (v *validator) circles() {
	relationships := v.tree.Relationships
	by := map[string]int{}                  // how many relationships left define a product
	waiting := map[string][]int{}           // the relationships that refer to a product
	open := make([]int, len(relationships)) // how many of its references are left, by relationship
	for _, r := range relationships {
		by[r.FullProductName.ProductID]++
	}
	var ready []int
	for i, r := range relationships {
		for _, id := range []string{r.ProductReference, r.RelatesToProductReference} {
			if by[id] > 0 {
				open[i]++
				waiting[id] = append(waiting[id], i)
			}
		}
		if open[i] == 0 {
			ready = append(ready, i)
		}
	}
	removed := make([]bool, len(relationships))
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready, removed[i] = ready[:len(ready)-1], true
		id := relationships[i].FullProductName.ProductID
		if by[id]--; by[id] > 0 {
			continue
		}
		for _, j := range waiting[id] {
			if open[j]--; open[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	for i, r := range relationships {
		if !removed[i] {
			v.fail("6.1.3", at("product_tree", "relationships", i, "full_product_name", "product_id"), "product %.200q ends up in a circle", r.FullProductName.ProductID)
		}
	}
}
