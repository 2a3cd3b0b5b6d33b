package cyclonedx

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// subject reads metadata.component.
func (r *reader) subject() error {
	c := &component{subject: true}
	if err := r.readComponent(c); err != nil {
		return err
	}
	s := &r.doc.Subject
	s.ID, s.Name, s.Version = c.ID, c.Name, c.Version
	implied := "application"
	if s.Kind = sbom.SubjectOther; c.Type == "container" {
		s.Kind, implied = sbom.SubjectImage, "container"
	}
	told, layers := imageFacts(c.Properties)
	s.ConfigDigest, s.Layers = told, layers
	c.Properties = slices.DeleteFunc(c.Properties, func(p sbom.Property) bool { return subjectProperty(s, p) })
	if s.ConfigDigest != told { // then Encode adds it to the hashes
		c.Hashes = slices.DeleteFunc(c.Hashes, func(h sbom.Hash) bool { return "sha256:"+h.Value == s.ConfigDigest })
	}
	if len(c.Hashes) == 0 {
		c.Hashes = nil
	}
	if len(c.Properties) == 0 {
		c.Properties = nil
	}
	rest := c.Package
	rest.ID, rest.Name, rest.Version, rest.Foreign = "", "", "", foreignOf(&c.foreign)
	rest.Type = cmp.Or(rest.Type, "library")
	if rest.Type == implied {
		rest.Type = ""
	}
	if !reflect.DeepEqual(rest, sbom.Package{}) {
		rest.Name, rest.Version = s.Name, s.Version
		sorted := sbom.Document{Packages: []sbom.Package{rest}}
		sorted.Normalize()
		sorted.Packages[0].ID = ""
		s.Package = &sorted.Packages[0]
	}
	return nil
}

// subjectProperty puts one property of metadata.component into the subject.
func subjectProperty(s *sbom.Subject, p sbom.Property) bool {
	switch p.Name {
	case ownSubject:
		s.Kind = sbom.SubjectKind(p.Value)
		return true
	case ownConfigDigest:
		s.ConfigDigest = p.Value
		return true
	case ownPlatform:
		s.Platform = p.Value
		return true
	}
	if name, ok := strings.CutPrefix(p.Name, ownLabel); ok {
		s.Labels = append(s.Labels, sbom.Property{Name: name, Value: p.Value})
		return true
	}
	name, created := strings.CutSuffix(p.Name, ownCreatedBy)
	n, ok := indexed(name, ownLayer+":")
	if !ok {
		return false
	}
	if created {
		if n < len(s.Layers) {
			s.Layers[n].CreatedBy = p.Value
		}
		return n < len(s.Layers)
	}
	if n < len(s.Layers) { // other properties told of it before
		s.Layers[n].DiffID = p.Value
		return true
	}
	s.Layers, ok = appendAt(s.Layers, n, sbom.Layer{DiffID: p.Value})
	return ok
}
