package sbom

import (
	"cmp"
	"slices"
	"strconv"
)

// Merge puts the packages, relationships, secrets and gaps of several documents
// into one about subject. Packages of one identity (package URL or name, version, architecture
// and state) become one. What each document's own subject contained, the new
// subject contains; a subject that is a package itself, with a package URL,
// becomes one that the new subject contains. Identifiers that documents use for
// different packages are told apart by a number. What cannot be kept, because
// each document has its own, is returned as losses. The inputs are not changed;
// they must be normalised.
func Merge(subject Subject, docs ...*Document) (*Document, []Loss) {
	m := merger{out: &Document{Subject: subject}, index: map[string]int{}, used: map[string]bool{}}
	out := m.out
	if out.Subject.ID == "" {
		out.Subject.ID = out.Subject.deriveID()
	}
	m.used[out.Subject.ID] = true
	var losses []Loss
	for _, d := range docs {
		ids := map[string]string{d.Subject.ID: out.Subject.ID}
		for i := range d.Packages {
			ids[d.Packages[i].ID] = m.add(&d.Packages[i])
		}
		if p := d.Subject.Package; p != nil && !p.PURL.IsZero() {
			whole := *p
			whole.ID, whole.Name, whole.Version = d.Subject.ID, cmp.Or(p.Name, d.Subject.Name), cmp.Or(p.Version, d.Subject.Version)
			ids[d.Subject.ID] = m.add(&whole)
			out.Relationships = append(out.Relationships, Relationship{From: out.Subject.ID, Kind: Contains, To: ids[d.Subject.ID]})
		}
		for _, r := range d.Relationships {
			from, to := cmp.Or(ids[r.From], r.From), cmp.Or(ids[r.To], r.To)
			if r.From == d.Subject.ID && r.Kind == Contains {
				from = out.Subject.ID
			}
			out.Relationships = append(out.Relationships, Relationship{From: from, Kind: r.Kind, To: to})
		}
		out.Secrets = append(out.Secrets, d.Secrets...)
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

// merger gathers packages.
type merger struct {
	out   *Document
	index map[string]int  // of packages, by identity
	used  map[string]bool // identifiers
}

// add adds a package, or what it knows to the one of its identity, and returns
// the identifier that it has now.
func (m *merger) add(q *Package) string {
	p := q.clone()
	key := mergeIdentity(&p)
	if at, known := m.index[key]; known {
		m.out.Packages[at].absorb(&p)
		return m.out.Packages[at].ID
	}
	for n := 2; m.used[p.ID]; n++ {
		p.ID = q.ID + "-" + strconv.Itoa(n)
	}
	m.used[p.ID] = true
	m.index[key] = len(m.out.Packages)
	m.out.Packages = append(m.out.Packages, p)
	return p.ID
}

// ownParts names what belongs to one document and is not merged.
func ownParts(d *Document) []Loss {
	name := cmp.Or(d.Name, d.Subject.Name, d.Subject.ID)
	var losses []Loss
	if d.Composition != nil {
		losses = append(losses, Loss{Where: name, What: "composition recipe"})
	}
	if os := d.Subject.OS; os != nil {
		losses = append(losses, Loss{Where: name, What: "distribution " + cmp.Or(os.PrettyName, os.ID+" "+os.VersionID)})
	}
	if n := len(d.Subject.Layers); n > 0 {
		losses = append(losses, Loss{Where: name, What: "list of " + strconv.Itoa(n) + " layers"})
	}
	return append(losses, d.Foreign.Losses(name, "")...)
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
	p.Usage = bothUsed(p.Usage, q.Usage)
	if q.Scope == ScopeRuntime {
		p.Scope = ScopeRuntime // needed by one is needed
	}
}

// bothUsed is the usage of a package of two documents: reached by one is reached,
// and unreached is only what both say is.
func bothUsed(u, v *Usage) *Usage {
	switch {
	case u != nil && u.State == Reached:
		return u
	case v != nil && v.State == Reached:
		return v
	case u != nil && v != nil:
		return u
	}
	return nil
}
