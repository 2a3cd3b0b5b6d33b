package sbom

import (
	"cmp"
	"slices"
	"strings"
)

// ChangeKind says how a package, or a secret, differs between two documents.
type ChangeKind string

// The kinds of change.
const (
	Added          ChangeKind = "added"
	Removed        ChangeKind = "removed"
	VersionChanged ChangeKind = "version"
	LicenseChanged ChangeKind = "license"
	LayerChanged   ChangeKind = "layer"          // the same package comes with another layer
	ContentChanged ChangeKind = "content"        // the same version, or file, has another digest
	UsageChanged   ChangeKind = "usage"          // what the image starts leads to it now, or no longer
	SecretAdded    ChangeKind = "secret-added"   // a secret that the first document does not have
	SecretRemoved  ChangeKind = "secret-removed" // one that the second does not have
)

// Change is one difference between two documents.
type Change struct {
	Kind   ChangeKind `json:"kind"`
	Name   string     `json:"name"`             // of the package; the path of a secret
	Before *Package   `json:"before,omitempty"` // nil for Added and secrets
	After  *Package   `json:"after,omitempty"`  // nil for Removed and secrets
	Secret *Secret    `json:"secret,omitempty"` // of SecretAdded and SecretRemoved
	// From and To are what differs, for people: versions, licences, layers, digests
	// or states of usage. Either is empty where there is nothing.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Cause is what in the image made the difference, as far as the documents tell.
	Cause Cause `json:"cause"`
}

// Diff says how the packages and secrets of b differ from those of a, sorted by
// name and kind. Files that no package accounts for are packages here.
//
// Packages are the same when their package URLs agree but for version and
// qualifiers, or, without one, their type and name. Where a name has several
// versions, equal ones are paired first; of what is left, a single pair is a
// changed version, of which other licences and usage are told as well, and anything
// else is removed and added. Usage is compared where both documents have any. Secrets are the same when their rule, path
// and masked text are: a line that moves is no other secret, and neither is one
// that a layer above hides.
func Diff(a, b *Document) []Change {
	before, after := byName(a), byName(b)
	names := map[string]bool{}
	for n := range before {
		names[n] = true
	}
	for n := range after {
		names[n] = true
	}
	d := &differ{usage: hasUsage(a) && hasUsage(b)}
	for n := range names {
		d.name(before[n], after[n])
	}
	d.secrets(a, b)
	c := newCauses(a, b)
	for i := range d.out {
		d.out[i].Cause = c.of(&d.out[i])
	}
	slices.SortFunc(d.out, compareChanges)
	return d.out
}

func compareChanges(x, y Change) int {
	return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(string(x.Kind), string(y.Kind)),
		strings.Compare(x.version(), y.version()), strings.Compare(x.id(), y.id()))
}

// version is that of the package, or the rule of the secret.
func (c *Change) version() string {
	switch {
	case c.Secret != nil:
		return c.Secret.Rule
	case c.After != nil:
		return c.After.Version
	}
	return c.Before.Version
}

func (c *Change) id() string {
	switch {
	case c.Secret != nil:
		return c.Secret.Masked
	case c.After != nil:
		return c.After.ID
	}
	return c.Before.ID
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

func hasUsage(d *Document) bool {
	return slices.ContainsFunc(d.Packages, func(p Package) bool { return p.Usage != nil })
}

// differ gathers changes.
type differ struct {
	usage bool // is compared
	out   []Change
}

func (d *differ) add(kind ChangeKind, before, after *Package, from, to string) {
	name := ""
	if after != nil {
		name = after.Name
	} else {
		name = before.Name
	}
	d.out = append(d.out, Change{Kind: kind, Name: name, Before: before, After: after, From: from, To: to})
}

// name compares the packages of one name.
func (d *differ) name(before, after []*Package) {
	var gone []*Package
	left := slices.Clone(after)
	for _, p := range before {
		at := closest(p, left)
		if at < 0 {
			gone = append(gone, p)
			continue
		}
		d.same(p, left[at])
		left = slices.Delete(left, at, at+1)
	}
	if len(gone) == 1 && len(left) == 1 {
		d.add(VersionChanged, gone[0], left[0], gone[0].Version, left[0].Version)
		d.said(gone[0], left[0])
		return
	}
	for _, p := range gone {
		d.add(Removed, p, nil, p.Version, "")
	}
	for _, p := range left {
		d.add(Added, nil, p, "", p.Version)
	}
}

// closest returns the index of the package of p's version, in the same places
// where there are several, or -1.
func closest(p *Package, list []*Package) int {
	at := slices.IndexFunc(list, func(q *Package) bool { return q.Version == p.Version && slices.Equal(q.Locations, p.Locations) })
	if at < 0 {
		at = slices.IndexFunc(list, func(q *Package) bool { return q.Version == p.Version })
	}
	return at
}

// same compares two packages of one version.
func (d *differ) same(p, q *Package) {
	d.said(p, q)
	if from, to := layersOf(p), layersOf(q); !slices.Equal(from, to) {
		d.add(LayerChanged, p, q, strings.Join(from, ", "), strings.Join(to, ", "))
	}
	if from, to, differ := otherContent(p.Hashes, q.Hashes); differ {
		d.add(ContentChanged, p, q, from, to)
	}
}

// said compares what is said of two packages of one name, whatever their version.
func (d *differ) said(p, q *Package) {
	if !slices.Equal(p.Licenses, q.Licenses) {
		d.add(LicenseChanged, p, q, licensesText(p), licensesText(q))
	}
	if from, to := usageText(p.Usage), usageText(q.Usage); d.usage && from != to {
		d.add(UsageChanged, p, q, from, to)
	}
}

func usageText(u *Usage) string {
	if u == nil {
		return ""
	}
	return string(u.State)
}

func licensesText(p *Package) string {
	var out []string
	for _, l := range p.Licenses {
		text := cmp.Or(l.Expression, l.Name, l.URL)
		if l.Kind != LicenseDeclared {
			text += " (" + string(l.Kind) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// otherContent reports whether the digests by an algorithm that both have differ,
// and the first that do, as "algorithm:value".
func otherContent(before, after []Hash) (from, to string, differ bool) {
	for _, h := range before {
		if slices.Contains(after, h) {
			continue
		}
		if at := slices.IndexFunc(after, func(q Hash) bool { return q.Algorithm == h.Algorithm }); at >= 0 {
			return h.Algorithm + ":" + h.Value, h.Algorithm + ":" + after[at].Value, true
		}
	}
	return "", "", false
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

// secrets compares the secrets of both documents.
func (d *differ) secrets(a, b *Document) {
	d.alone(SecretRemoved, a.Secrets, b.Secrets)
	d.alone(SecretAdded, b.Secrets, a.Secrets)
}

// alone adds a change for each of list that others has not.
func (d *differ) alone(kind ChangeKind, list, others []Secret) {
	type identity struct{ rule, path, masked string }
	seen := make(map[identity]bool, len(others))
	for _, s := range others {
		seen[identity{s.Rule, s.Path, s.Masked}] = true
	}
	for i := range list {
		s := &list[i]
		if id := (identity{s.Rule, s.Path, s.Masked}); !seen[id] {
			seen[id] = true
			d.out = append(d.out, Change{Kind: kind, Name: s.Path, Secret: s})
		}
	}
}
