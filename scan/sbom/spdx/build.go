package spdx

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// builder turns the model into wire elements.
type builder struct {
	d    *sbom.Document
	had  bool         // kept holds what was read
	kept keptDocument // zero where nothing was kept
	self bool         // the subject is the document itself

	elements []keptPackage     // one per package, then the subject's
	ids      map[string]string // SPDXIDs by model ID
	used     map[string]bool   // SPDXIDs that are taken
	names    map[string]string // of the extracted licences that were kept
	declared map[string]bool   // references that were kept, or were without an entry
	wanted   map[string]string // names of further extracted licences, by reference
	losses   []sbom.Loss
}

// keptPackage is what was kept of a package.
type keptPackage struct {
	had     bool
	element packageElement
}

// build returns d as a document of the version it was read from, else of 2.3,
// without our annotations, and what was kept but no longer fits. All features of
// 2.3 are used in any case, see conform. Packages are in the order of d, followed by that of the
// subject and that of the distribution.
func build(d *sbom.Document) (*document, []sbom.Loss, error) {
	b := &builder{d: d, self: d.Subject.ID == selfID, ids: map[string]string{}, used: map[string]bool{}, wanted: map[string]string{}}
	var err error
	if b.had, err = parseKept(d.Foreign, &b.kept, "the document"); err != nil {
		return nil, nil, err
	}
	b.names, b.declared = licenseNames(&b.kept.Document), map[string]bool{}
	for _, l := range b.kept.Document.Licenses {
		b.declared[l.ID] = true
	}
	for _, ref := range b.kept.Dangling {
		b.declared[ref] = true
	}
	if err := b.identify(); err != nil {
		return nil, nil, err
	}
	w := b.head()
	for i := range d.Packages {
		w.Packages = append(w.Packages, b.pkg(&d.Packages[i], &b.elements[i]))
	}
	if !b.self {
		w.Packages = append(w.Packages, b.subject())
	}
	os := b.distribution(w)
	w.Relationships, w.Describes = b.relationships(w, os)
	w.Licenses = b.extracted()
	return w, b.losses, nil
}

// identify gives each element its SPDXID: the one it was read with, or its ID
// after "SPDXRef-", or something safe made of its ID.
func (b *builder) identify() error {
	b.elements = make([]keptPackage, len(b.d.Packages)+1)
	b.used[b.documentID()] = true
	for _, f := range b.kept.Document.Files {
		b.used[f.SPDXID] = true
	}
	for _, s := range b.kept.Document.Snippets {
		b.used[s.SPDXID] = true
	}
	if b.self {
		b.ids[selfID] = b.documentID()
	}
	var unsafe []string
	one := func(i int, id string, f sbom.Foreign) error {
		k := &b.elements[i]
		var err error
		if k.had, err = parseKept(f, &k.element, "package "+id); err != nil {
			return err
		}
		switch _, twice := b.ids[id]; {
		case id == "":
			return fmt.Errorf("encode SPDX: package %d has no ID, the document is not normalised: %w", i, fault.Invalid)
		case twice:
			return fmt.Errorf("encode SPDX: two packages have the ID %q: %w", id, fault.Invalid)
		}
		spdxID := "SPDXRef-" + id
		if k.had && k.element.SPDXID != "" {
			spdxID = k.element.SPDXID // what was kept elsewhere refers to it
		} else if !isIDString(id) {
			spdxID = ""
		}
		if spdxID == "" || b.used[spdxID] {
			unsafe = append(unsafe, id)
		}
		b.ids[id] = spdxID
		b.used[spdxID] = true
		return nil
	}
	for i := range b.d.Packages {
		if err := one(i, b.d.Packages[i].ID, b.d.Packages[i].Foreign); err != nil {
			return err
		}
	}
	if !b.self {
		var f sbom.Foreign
		if b.d.Subject.Package != nil {
			f = b.d.Subject.Package.Foreign
		}
		if err := one(len(b.d.Packages), b.d.Subject.ID, f); err != nil {
			return err
		}
	}
	for _, id := range unsafe {
		b.ids[id] = b.unique("SPDXRef-" + idString(id) + "-" + shortHash(id))
	}
	return nil
}

func (b *builder) documentID() string { return cmp.Or(text(b.kept.Document.SPDXID), documentID) }

// unique takes an SPDXID, with "-x" behind it where it is taken.
func (b *builder) unique(id string) string {
	for b.used[id] {
		id += "-x"
	}
	b.used[id] = true
	return id
}

// isIDString reports whether s can follow "SPDXRef-".
func isIDString(s string) bool { return s != "" && idString(s) == s }

// idString replaces what cannot be in an identifier.
func idString(s string) string {
	s = s[:min(len(s), 128)]
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, s)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// head returns the document without elements, starting from what was kept.
func (b *builder) head() *document {
	w := &document{}
	if b.had {
		*w = b.kept.Document
	} else {
		w.DataLicense = new("CC0-1.0")
		w.SPDXID = new(documentID)
	}
	if w.version() != Version22 {
		w.SPDXVersion = new("SPDX-" + Version23)
	}
	w.Name = keep(b.had, w.Name, b.readName, b.d.Name, func(s string) *string {
		return new(cmp.Or(s, b.d.Subject.Name, noAssertion))
	})
	w.Namespace = keep(b.had, w.Namespace, readNamespace, b.d.Namespace, optional)
	if !b.had || w.CreationInfo != nil || b.d.Created != "" || len(b.d.Tools) > 0 {
		w.CreationInfo = b.creation(w.CreationInfo)
	}
	return w
}

// readName returns the name of the document, "" where it is that of the subject.
func (b *builder) readName(p *string) string {
	if s := text(p); s != b.d.Subject.Name {
		return s
	}
	return ""
}

func readNamespace(p *string) string {
	if s := text(p); !strings.HasPrefix(s, namespacePrefix) {
		return s
	}
	return ""
}

// creation returns creationInfo. A date that is missing is filled in later.
func (b *builder) creation(kept *creationInfo) *creationInfo {
	c := creationInfo{LicenseListVersion: new(listVersion())}
	if kept != nil {
		c = *kept
	}
	c.Created = keep(kept != nil, c.Created, (&interpreter{}).time, b.d.Created, optional)
	if kept != nil && slices.Equal(tools(c.Creators), b.d.Tools) {
		return &c
	}
	creators := slices.DeleteFunc(slices.Clone(c.Creators), func(s string) bool { return strings.HasPrefix(s, toolPrefix) })
	for _, t := range b.d.Tools {
		creators = append(creators, toolText(t))
	}
	if len(creators) == 0 {
		creators = []string{toolPrefix + " stella"} // there must be one
	}
	c.Creators = creators
	return &c
}

// listVersion is the version of the licence list in the form that SPDX wants.
func listVersion() string {
	major, rest, _ := strings.Cut(license.ListVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// keep returns the member as it was read while it still reads as the model says,
// else what write makes of the model.
func keep[T comparable](had bool, was *string, read func(*string) T, now T, write func(T) *string) *string {
	if had && read(was) == now {
		return was
	}
	return write(now)
}

// optional writes a member only where there is something to say.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// required writes a member in any case.
func required(s string) *string { return new(cmp.Or(s, noAssertion)) }
