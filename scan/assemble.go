package scan

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// assemble turns what was found into packages and relationships. Findings of
// one identity become one package with several locations. What a lockfile
// declares and the image has installed is the installed package. It returns the package of
// each finding, by index.
func (c *composition) assemble(doc *sbom.Document, all []found) []int {
	byIdentity, installed := map[string]int{}, map[string]int{}
	place := make([]int, len(all)) // found → package
	parents := parentsOf(all)
	put := func(i int, id string) {
		at, known := byIdentity[id]
		if !known {
			at = len(doc.Packages)
			byIdentity[id] = at
			doc.Packages = append(doc.Packages, c.newPackage(&all[i]))
		} else {
			c.mergeInto(&doc.Packages[at], &all[i])
		}
		place[i] = at
	}
	for i := range all {
		f := &all[i]
		if f.Package.State != sbom.Declared {
			put(i, c.mergeKey(f, all, parents[i]))
			if u := f.Package.PURL.String(); u != "" {
				if _, known := installed[u]; !known {
					installed[u] = place[i]
				}
			}
		}
	}
	for i := range all {
		f := &all[i]
		if f.Package.State == sbom.Declared {
			if at, known := installed[f.Package.PURL.String()]; known {
				c.mergeInto(&doc.Packages[at], f)
				place[i] = at
				continue
			}
			put(i, c.mergeKey(f, all, parents[i]))
		}
	}
	doc.Identify() // relationships need the IDs
	c.relate(doc, all, place, parents)
	return place
}

// mergeKey says which findings are one package.
func (c *composition) mergeKey(f *found, all []found, parent int) string {
	p := f.Package
	if p.PURL.IsZero() {
		return "at\x00" + f.by + "\x00" + f.Path + "\x00" + f.Inner + "\x00" + f.Key + "\x00" + identity(p, "")
	}
	owner := ""
	if f.owner >= 0 {
		owner = all[f.owner].Key
	} else if parent >= 0 && all[parent].owner >= 0 {
		owner = all[all[parent].owner].Key // inside an archive that is owned
	}
	return p.PURL.String() + "\x00" + p.Name + "\x00" + p.Version + "\x00" + string(p.State) + "\x00" + owner
}

func (c *composition) newPackage(f *found) sbom.Package {
	p := *f.Package
	p.FoundBy = f.by
	p.Licenses, p.Hashes, p.CPEs = c.licenses(p.Licenses), slices.Clone(p.Hashes), slices.Clone(p.CPEs)
	p.Properties = slices.Clone(p.Properties)
	p.Locations = []sbom.Location{c.location(f)}
	return p
}

func (c *composition) mergeInto(p *sbom.Package, f *found) {
	p.Locations = append(p.Locations, c.location(f))
	p.Licenses = append(p.Licenses, c.licenses(f.Package.Licenses)...)
	p.Hashes = append(p.Hashes, f.Package.Hashes...)
	p.CPEs = append(p.CPEs, f.Package.CPEs...)
	p.Properties = append(p.Properties, f.Package.Properties...)
	if f.Package.Scope == sbom.ScopeRuntime {
		p.Scope = sbom.ScopeRuntime // needed by one is needed
	}
}

// licenses turns the words that each ecosystem uses into SPDX expressions, where
// they mean exactly one. The others stay as they were found.
func (c *composition) licenses(in []sbom.License) []sbom.License {
	out := slices.Clone(in)
	for i, l := range out {
		if l.Expression != "" || l.Name == "" {
			continue
		}
		expr, known := c.spdx[l.Name]
		if !known {
			if e, ok := license.Normalize(l.Name); ok {
				expr = e
			}
			c.spdx[l.Name] = expr
		}
		if expr != "" {
			out[i].Expression, out[i].Name = expr, ""
		}
	}
	return out
}

func (c *composition) location(f *found) sbom.Location {
	l := sbom.Location{Path: f.Path}
	if f.Inner != "" {
		l.Path += "!/" + f.Inner
	}
	if c.image.Tree == nil {
		l.Layer = c.fragments[f.since].DiffID
	}
	return l
}

// parentsOf returns, for each finding, the finding that contains it, or -1.
func parentsOf(all []found) []int {
	keys := keyIndex(all)
	out := make([]int, len(all))
	for i, f := range all {
		out[i] = -1
		if f.Parent != "" {
			if at, ok := keys[f.scopeID+"\x00"+f.Parent]; ok && at != i {
				out[i] = at
			}
		}
	}
	return out
}

// keyIndex finds findings by the name space and name of their key. The first
// one of a name counts.
func keyIndex(all []found) map[string]int {
	keys := make(map[string]int, len(all))
	for i, f := range all {
		if f.Key == "" {
			continue
		}
		name := f.scopeID + "\x00" + f.Key
		if _, taken := keys[name]; !taken {
			keys[name] = i
		}
	}
	return keys
}

// relate adds the relationships: the subject contains what nothing else does.
func (c *composition) relate(doc *sbom.Document, all []found, place, parents []int) {
	keys := keyIndex(all)
	add := func(from string, kind sbom.RelationshipKind, to string) {
		if from != to {
			doc.Relationships = append(doc.Relationships, sbom.Relationship{From: from, Kind: kind, To: to})
		}
	}
	for i, f := range all {
		id := doc.Packages[place[i]].ID
		if parents[i] >= 0 {
			add(doc.Packages[place[parents[i]]].ID, sbom.Contains, id)
		} else {
			add(doc.Subject.ID, sbom.Contains, id)
		}
		if f.owner >= 0 {
			add(id, sbom.OwnedBy, doc.Packages[place[f.owner]].ID)
		}
		for _, key := range f.DependsOn {
			if to, ok := keys[f.scopeID+"\x00"+key]; ok {
				add(id, sbom.DependsOn, doc.Packages[place[to]].ID)
			}
		}
	}
}
