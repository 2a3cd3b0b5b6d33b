package sbom

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Normalize gives every element an ID derived from content where it has none,
// sorts all lists and removes duplicates, so that equal content has equal
// bytes. IDs that are set are kept. It is idempotent.
func (d *Document) Normalize() {
	d.Identify()
	slices.SortFunc(d.Packages, func(a, b Package) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Relationships, compareRelationships)
	d.Relationships = slices.Compact(d.Relationships)
	slices.SortFunc(d.Secrets, compareSecrets)
	d.Secrets = slices.Compact(d.Secrets)
	slices.SortFunc(d.Gaps, compareGaps)
	d.Gaps = slices.Compact(d.Gaps)
}

// Identify does the first part of Normalize: it sorts the lists within packages
// and gives the subject and each package an ID, leaving packages where they are.
func (d *Document) Identify() {
	if d.Subject.ID == "" {
		d.Subject.ID = d.Subject.deriveID()
	}
	slices.SortFunc(d.Subject.Labels, compareProperties)
	d.Subject.Labels = slices.Compact(d.Subject.Labels)
	for i := range d.Packages {
		d.Packages[i].normalize()
	}
	nameAll(d.Packages)
}

func compareRelationships(a, b Relationship) int {
	return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.To, b.To))
}

func compareGaps(a, b Gap) int {
	return cmp.Or(strings.Compare(a.Where, b.Where), strings.Compare(string(a.Code), string(b.Code)),
		strings.Compare(a.Layer, b.Layer), strings.Compare(a.What, b.What))
}

func compareProperties(a, b Property) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

func (p *Package) normalize() {
	slices.SortFunc(p.Locations, func(a, b Location) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Layer, b.Layer))
	})
	p.Locations = slices.Compact(p.Locations)
	slices.SortFunc(p.Hashes, func(a, b Hash) int {
		return cmp.Or(strings.Compare(a.Algorithm, b.Algorithm), strings.Compare(a.Value, b.Value))
	})
	p.Hashes = slices.Compact(p.Hashes)
	slices.SortFunc(p.Licenses, func(a, b License) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Expression, b.Expression),
			strings.Compare(a.Name, b.Name), strings.Compare(a.URL, b.URL))
	})
	p.Licenses = slices.Compact(p.Licenses)
	slices.SortFunc(p.Properties, compareProperties)
	p.Properties = slices.Compact(p.Properties)
	slices.Sort(p.CPEs)
	p.CPEs = slices.Compact(p.CPEs)
}

// nameAll gives packages without an ID one that is made of their identity.
// Packages of one identity are told apart by their order in full content.
func nameAll(packages []Package) {
	type twin struct {
		index int
		text  string
	}
	byID := map[string][]twin{}
	for i := range packages {
		if packages[i].ID == "" {
			id := packages[i].deriveID()
			byID[id] = append(byID[id], twin{index: i})
		}
	}
	for id, twins := range byID {
		if len(twins) == 1 {
			packages[twins[0].index].ID = id
			continue
		}
		for i := range twins {
			b, _ := json.Marshal(packages[twins[i].index]) // plain data: cannot fail
			twins[i].text = string(b)
		}
		slices.SortStableFunc(twins, func(a, b twin) int { return strings.Compare(a.text, b.text) })
		for n, t := range twins {
			packages[t.index].ID = id + "-" + strconv.Itoa(n+1)
		}
	}
}

// deriveID returns "<type>-<name>-<16 hex>", with the letters that both SPDX
// and CycloneDX allow in identifiers.
func (p *Package) deriveID() string {
	h := sha256.New()
	field := func(s string) { h.Write([]byte(s)); h.Write([]byte{0}) }
	field(p.PURL.String())
	field(p.Type)
	field(p.Name)
	field(p.Version)
	field(p.Arch)
	field(string(p.State))
	for _, l := range p.Locations {
		field(l.Path)
		field(l.Layer)
	}
	kind := p.PURL.Type
	if kind == "" {
		kind = cmp.Or(p.Type, "package")
	}
	var sum [sha256.Size]byte
	return safeID(kind) + "-" + safeID(p.Name) + "-" + hex.EncodeToString(h.Sum(sum[:0])[:8])
}

func (s *Subject) deriveID() string {
	sum := sha256.Sum256([]byte(string(s.Kind) + "\x00" + s.Name + "\x00" + s.Version + "\x00" + s.ConfigDigest))
	return "subject-" + hex.EncodeToString(sum[:8])
}

// safeID keeps the letters, digits, '.' and '-' of the first 48 bytes of s.
func safeID(s string) string {
	s = s[:min(len(s), 48)]
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, s)
}

// PackageByID returns the package with that ID, or nil. The document must be
// normalised.
func (d *Document) PackageByID(id string) *Package {
	i, ok := slices.BinarySearchFunc(d.Packages, id, func(p Package, id string) int { return strings.Compare(p.ID, id) })
	if !ok {
		return nil
	}
	return &d.Packages[i]
}

// Blocked reports whether a gap is blocking: then the absence of a package or
// a finding means nothing.
func (d *Document) Blocked() bool {
	return slices.ContainsFunc(d.Gaps, func(g Gap) bool { return g.Blocking })
}
