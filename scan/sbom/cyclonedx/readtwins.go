package cyclonedx

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/stella-ops/stella/scan/sbom"
)

// joinTwins settles bom-refs that several components have, which the specification
// forbids ("Every bom-ref must be unique within the BOM") and producers that put
// documents together do. A component that is the same as the first of its bom-ref is
// that one. Any other stays a package of its own, under the bom-ref with a number
// behind it: references mean the first. Either is noted.
func (r *reader) joinTwins() {
	if len(r.twins) == 0 {
		return
	}
	first := map[string]*component{}
	parents := map[*component]bool{}
	for _, c := range r.components {
		if c.ID != "" {
			first[c.ID] = c
		}
		parents[c.parent] = true
	}
	texts := map[string]string{} // of what the first has beyond the model, by bom-ref
	number := map[string]int{}
	same := map[*component]bool{}
	for _, c := range r.twins {
		ref, f := c.twinOf, first[c.twinOf]
		if _, known := texts[ref]; !known {
			texts[ref], number[ref] = canonicalText(&f.foreign), 2
		}
		if !parents[c] && !parents[f] && sameComponent(c, f) && canonicalText(&c.foreign) == texts[ref] {
			c.ID, same[c] = ref, true
			r.note(c.twinAt, "the component with the bom-ref "+quote(ref)+" is listed again")
			continue
		}
		for c.ID == "" || r.refs[c.ID] {
			c.ID = ref + "-" + strconv.Itoa(number[ref])
			number[ref]++
		}
		r.refs[c.ID] = true
		r.note(c.twinAt, "bom-ref "+quote(ref)+" is already that of another component, which references are taken to mean")
	}
	r.components = slices.DeleteFunc(r.components, func(c *component) bool { return same[c] })
}

// sameComponent compares what the model has of two components, but for the bom-ref.
func sameComponent(a, b *component) bool {
	list := [2]sbom.Package{a.Package, b.Package}
	list[0].ID, list[1].ID = "", ""
	return a.parent == b.parent && reflect.DeepEqual(list[0], list[1])
}
