package sbom

import (
	"cmp"
	"slices"
	"strings"
)

// ChangeKind says how a package differs between two documents.
type ChangeKind string

// The kinds of change.
const (
	Added          ChangeKind = "added"
	Removed        ChangeKind = "removed"
	VersionChanged ChangeKind = "version"
	LicenseChanged ChangeKind = "license"
	LayerChanged   ChangeKind = "layer" // the same package comes with another layer
)

// Change is one difference between two documents.
type Change struct {
	Kind   ChangeKind `json:"kind"`
	Name   string     `json:"name"`
	Before *Package   `json:"before,omitempty"` // nil for Added
	After  *Package   `json:"after,omitempty"`  // nil for Removed
}

// Diff says how the packages of b differ from those of a, sorted by name and
// kind. Packages are the same when their package URLs agree but for version
// and qualifiers, or, without one, their type and name. Where a name has
// several versions, equal ones are paired first; of what is left, a single pair
// is a changed version and anything else is removed and added.
func Diff(a, b *Document) []Change {
	before, after := byName(a), byName(b)
	names := map[string]bool{}
	for n := range before {
		names[n] = true
	}
	for n := range after {
		names[n] = true
	}
	var out []Change
	for n := range names {
		out = append(out, diffName(before[n], after[n])...)
	}
	slices.SortFunc(out, func(x, y Change) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(string(x.Kind), string(y.Kind)),
			strings.Compare(x.version(), y.version()))
	})
	return out
}

func (c *Change) version() string {
	if c.After != nil {
		return c.After.Version
	}
	return c.Before.Version
}

// byName groups packages by what names them across versions, each group sorted
// by version and ID.
func byName(d *Document) map[string][]*Package {
	out := map[string][]*Package{}
	for i := range d.Packages {
		p := &d.Packages[i]
		key := p.Type + "\x00" + p.Name
		if !p.PURL.IsZero() {
			key = p.PURL.Type + "\x00" + p.PURL.Namespace + "\x00" + p.PURL.Name + "\x00" + p.PURL.Subpath
		}
		key += "\x00" + p.Arch + "\x00" + string(p.State)
		out[key] = append(out[key], p)
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(x, y *Package) int {
			return cmp.Or(strings.Compare(x.Version, y.Version), strings.Compare(x.ID, y.ID))
		})
	}
	return out
}

func diffName(before, after []*Package) []Change {
	var out []Change
	var gone []*Package
	left := slices.Clone(after)
	for _, p := range before {
		at := slices.IndexFunc(left, func(q *Package) bool { return q.Version == p.Version })
		if at < 0 {
			gone = append(gone, p)
			continue
		}
		out = append(out, diffSame(p, left[at])...)
		left = slices.Delete(left, at, at+1)
	}
	if len(gone) == 1 && len(left) == 1 {
		return append(out, Change{Kind: VersionChanged, Name: left[0].Name, Before: gone[0], After: left[0]})
	}
	for _, p := range gone {
		out = append(out, Change{Kind: Removed, Name: p.Name, Before: p})
	}
	for _, p := range left {
		out = append(out, Change{Kind: Added, Name: p.Name, After: p})
	}
	return out
}

func diffSame(p, q *Package) []Change {
	var out []Change
	if !slices.Equal(p.Licenses, q.Licenses) {
		out = append(out, Change{Kind: LicenseChanged, Name: q.Name, Before: p, After: q})
	}
	if !slices.Equal(layersOf(p), layersOf(q)) {
		out = append(out, Change{Kind: LayerChanged, Name: q.Name, Before: p, After: q})
	}
	return out
}

func layersOf(p *Package) []string {
	var out []string
	for _, l := range p.Locations {
		if l.Layer != "" {
			out = append(out, l.Layer)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
