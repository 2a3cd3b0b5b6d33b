package csaf

import (
	"slices"
	"strings"
)

// optionalHead performs 6.2.10 to 6.2.12, 6.2.14 and 6.2.15.
func (v *validator) optionalHead() {
	head := &v.doc.Head
	if !slices.Contains([]string{"AMBER", "GREEN", "RED", "WHITE"}, v.doc.Label()) {
		v.fail("6.2.10", "/document/distribution/tlp/label", "it has no label")
	}
	if !slices.ContainsFunc(head.References, func(r Reference) bool {
		return r.Category == "self" && strings.HasPrefix(r.URL, "https://") && strings.HasSuffix(r.URL, Filename(head.Tracking.ID))
	}) {
		v.fail("6.2.11", "/document/references", "it has no canonical URL")
	}
	if head.Lang == "" {
		v.fail("6.2.12", "/document/lang", "it is missing")
	}
	for _, l := range v.languages() {
		if isPrivateLanguage(l.tag) {
			v.fail("6.2.14", l.pointer, "%.32q is for private use", l.tag)
		}
		if strings.EqualFold(l.tag, "i-default") {
			v.fail("6.2.15", l.pointer, "it is i-default")
		}
	}
}

// optionalTree performs 6.2.16 and 6.2.18.
func (v *validator) optionalTree() {
	v.tree.each(func(d definition) bool {
		if d.name.Helper == nil {
			v.fail("6.2.16", d.pointer(), "product %.200q has no product identification helper", d.name.ProductID)
		}
		return true
	})
	v.tree.eachBranch(func(path []branchAt) bool {
		b := path[len(path)-1]
		if b.Category == "product_version_range" && !versOK(b.Name) {
			v.fail("6.2.18", branchPointer(path)+"/name", "%.100q is no vers", b.Name)
		}
		return true
	})
}

var versOK = matches(`^vers:[a-z.\-+][a-z0-9.\-+]*/` + line)
