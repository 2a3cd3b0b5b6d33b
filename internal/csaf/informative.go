package csaf

import (
	"slices"
	"strings"
)

// informative performs the tests of section 6.3 that need neither network nor
// dictionary.
func (v *validator) informative() {
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		v.oldScores(i, u)
		if u.CVE == "" {
			v.fail("6.3.3", at("vulnerabilities", i, "cve"), "it is missing")
		}
		if u.CWE == nil {
			v.fail("6.3.4", at("vulnerabilities", i, "cwe"), "it is missing")
		}
	}
	v.eachHashes(func(pointer string, h FileHashes) {
		for i, f := range h.FileHashes {
			if len(f.Value) < 64 {
				v.fail("6.3.5", pointer+at("file_hashes", i, "value"), "it has %d digits, fewer than 64", len(f.Value))
			}
		}
	})
	v.tree.eachBranch(func(path []branchAt) bool {
		b := path[len(path)-1]
		if b.Product != nil && !hasCategories(path, "vendor", "product_name", "product_version") {
			v.fail("6.3.9", branchPointer(path)+"/product", "product %.200q is not below vendor, product_name and product_version in this order", b.Product.ProductID)
		}
		if b.Category == "product_version_range" {
			v.fail("6.3.10", branchPointer(path)+"/category", "it is product_version_range")
		}
		if b.Category == "product_version" && versionPrefix(b.Name) {
			v.fail("6.3.11", branchPointer(path)+"/name", "%.100q begins with a v", b.Name)
		}
		return true
	})
}

var versionPrefix = matches(`^[vV][0-9]`)

// hasCategories reports whether the path has branches of these categories, in
// this order.
func hasCategories(path []branchAt, categories ...string) bool {
	for _, b := range path {
		if len(categories) > 0 && b.Category == categories[0] {
			categories = categories[1:]
		}
	}
	return len(categories) == 0
}

// oldScores performs 6.3.1 and 6.3.2.
func (v *validator) oldScores(i int, u *Vulnerability) {
	newer := newCover()
	for _, s := range u.Scores {
		if s.CVSSv3 != nil {
			v.add(newer, s.Products, nil)
		}
	}
	for j, s := range u.Scores {
		pointer := at("vulnerabilities", i, "scores", j)
		if s.CVSSv2 != nil && slices.ContainsFunc(s.Products, func(id string) bool { return !newer.ids[id] }) {
			v.fail("6.3.1", pointer, "a product has a score of CVSS 2.0 only")
		}
		if c := s.CVSSv3; c != nil && (c.Version == "3.0" || strings.HasPrefix(c.Vector, "CVSS:3.0/")) {
			v.fail("6.3.2", pointer+"/cvss_v3/version", "it is of CVSS 3.0")
		}
	}
}
