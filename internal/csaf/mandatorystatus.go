package csaf

// testStatus performs 6.1.6 and 6.1.7.
func (v *validator) testStatus() {
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		v.contradictions(i, u)
		v.scoresTwice(i, u)
	}
}

// contradictions performs 6.1.6: no product is in lists of two groups.
func (v *validator) contradictions(i int, u *Vulnerability) {
	seen := map[string]StatusGroup{}
	for _, l := range u.ProductStatus.Lists() {
		if l.Group == NoGroup {
			continue
		}
		for j, id := range l.IDs {
			if group, ok := seen[id]; ok && group != l.Group {
				v.fail("6.1.6", at("vulnerabilities", i, "product_status", l.Name, j), "product %.200q is both %s and %s", id, group, l.Group)
				continue
			}
			seen[id] = l.Group
		}
	}
}

// scoresTwice performs 6.1.7: no product has two vectors of one version.
func (v *validator) scoresTwice(i int, u *Vulnerability) {
	type key struct{ product, version string }
	seen := map[key]int{}
	for j, s := range u.Scores {
		for _, c := range s.objects() {
			for k, id := range s.Products {
				first, ok := seen[key{id, c.Version}]
				if ok && first != j {
					v.fail("6.1.7", at("vulnerabilities", i, "scores", j, "products", k), "product %.200q already has a score of CVSS %s at %s", id, c.Version, at("vulnerabilities", i, "scores", first))
					continue
				}
				seen[key{id, c.Version}] = j
			}
		}
	}
}

// named is a CVSS object and the member that it is.
type named struct {
	name string
	*CVSS
}

func (s *Score) objects() (out []named) {
	if s.CVSSv2 != nil {
		out = append(out, named{"cvss_v2", s.CVSSv2})
	}
	if s.CVSSv3 != nil {
		out = append(out, named{"cvss_v3", s.CVSSv3})
	}
	return out
}
