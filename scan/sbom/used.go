package sbom

import "slices"

// Used returns the usage view of a document: d without the packages that are Unreached.
// What nobody could tell stays, so that a view of a document without any usage is the
// document. What an unreached package contained, and may be used, is contained by what
// contained that package. d must be normalised and is not changed; the result shares its
// parts and is normalised.
func (d *Document) Used() *Document {
	out := *d
	out.Namespace = "" // another document
	gone := map[string]bool{}
	out.Packages = nil
	for i := range d.Packages {
		if u := d.Packages[i].Usage; u != nil && u.State == Unreached {
			gone[d.Packages[i].ID] = true
		} else {
			out.Packages = append(out.Packages, d.Packages[i])
		}
	}
	if len(gone) == 0 {
		out.Packages = slices.Clone(d.Packages)
		out.Relationships = slices.Clone(d.Relationships)
		return &out
	}
	holders := map[string]string{} // contained, its container
	for _, r := range d.Relationships {
		if r.Kind == Contains {
			holders[r.To] = r.From
		}
	}
	out.Relationships = nil
	for _, r := range d.Relationships {
		if r.Kind == Contains {
			for n := 0; gone[r.From] && n <= len(gone); n++ {
				r.From = holders[r.From]
			}
		}
		if r.From != "" && !gone[r.From] && !gone[r.To] {
			out.Relationships = append(out.Relationships, r)
		}
	}
	out.Normalize()
	return &out
}
