package sbom

import (
	"cmp"
	"slices"
)

// Merge puts the packages and relationships of several documents into one about
// subject. Packages of one identity (package URL or name, version, architecture
// and state) become one; what each document's own subject contained, the new
// subject contains. What cannot be kept, because each document has its own, is
// returned as losses. The inputs are not changed; they must be normalised.
func Merge(subject Subject, docs ...*Document) (*Document, []Loss) {
	out := &Document{Subject: subject}
	if out.Subject.ID == "" {
		out.Subject.ID = out.Subject.deriveID()
	}
	var losses []Loss
	index := map[string]int{}
	for _, d := range docs {
		ids := map[string]string{d.Subject.ID: out.Subject.ID}
		for i := range d.Packages {
			p := d.Packages[i].clone()
			key := mergeIdentity(&p)
			at, known := index[key]
			if !known {
				at = len(out.Packages)
				index[key] = at
				out.Packages = append(out.Packages, p)
			} else {
				out.Packages[at].absorb(&p)
			}
			ids[d.Packages[i].ID] = out.Packages[at].ID
		}
		for _, r := range d.Relationships {
			out.Relationships = append(out.Relationships, Relationship{From: cmp.Or(ids[r.From], r.From), Kind: r.Kind, To: cmp.Or(ids[r.To], r.To)})
		}
		out.Gaps = append(out.Gaps, d.Gaps...)
		for _, t := range d.Tools {
			if !slices.Contains(out.Tools, t) {
				out.Tools = append(out.Tools, t)
			}
		}
		losses = append(losses, ownParts(d)...)
	}
	out.Normalize()
	return out, losses
}

// ownParts names what belongs to one document and is not merged.
func ownParts(d *Document) []Loss {
	name := cmp.Or(d.Name, d.Subject.Name, d.Subject.ID)
	var losses []Loss
	if d.Composition != nil {
		losses = append(losses, Loss{Where: name, What: "composition recipe"})
	}
	for _, family := range slices.Sorted(keys(d.Foreign)) {
		losses = append(losses, Loss{Where: name, What: "members of " + family + " outside the model"})
	}
	return losses
}

func mergeIdentity(p *Package) string {
	if !p.PURL.IsZero() {
		return p.PURL.String() + "\x00" + string(p.State)
	}
	return p.Type + "\x00" + p.Name + "\x00" + p.Version + "\x00" + p.Arch + "\x00" + string(p.State)
}

func (p *Package) clone() Package {
	q := *p
	q.Locations, q.Licenses, q.Hashes = slices.Clone(p.Locations), slices.Clone(p.Licenses), slices.Clone(p.Hashes)
	q.CPEs, q.Properties = slices.Clone(p.CPEs), slices.Clone(p.Properties)
	return q
}

// absorb adds what q knows to p, which speaks of the same package.
func (p *Package) absorb(q *Package) {
	p.Locations = append(p.Locations, q.Locations...)
	p.Licenses = append(p.Licenses, q.Licenses...)
	p.Hashes = append(p.Hashes, q.Hashes...)
	p.CPEs = append(p.CPEs, q.CPEs...)
	p.Properties = append(p.Properties, q.Properties...)
	p.Description, p.Supplier = cmp.Or(p.Description, q.Description), cmp.Or(p.Supplier, q.Supplier)
	p.Originator, p.Homepage = cmp.Or(p.Originator, q.Originator), cmp.Or(p.Homepage, q.Homepage)
	p.Download, p.Copyright = cmp.Or(p.Download, q.Download), cmp.Or(p.Copyright, q.Copyright)
	if p.Upstream == nil {
		p.Upstream = q.Upstream
	}
	if q.Scope == ScopeRuntime {
		p.Scope = ScopeRuntime // needed by one is needed
	}
}
