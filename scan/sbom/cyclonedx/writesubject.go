package cyclonedx

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// hasSubject reports whether there is anything to say of the subject.
func (e *encoder) hasSubject() bool {
	s := e.doc.Subject
	s.ID, s.OS = "", nil
	return !reflect.DeepEqual(s, sbom.Subject{})
}

// subject writes metadata.component.
func (e *encoder) subject() {
	s := &e.doc.Subject
	e.where = "subject"
	var p sbom.Package
	if s.Package != nil {
		p = *s.Package
	}
	p.ID, p.Name, p.Version = s.ID, s.Name, s.Version
	implied := "application"
	if s.Kind == sbom.SubjectImage {
		implied = "container"
	}
	typ := cmp.Or(p.Type, implied)
	told, _ := imageFacts(p.Properties)
	config, hashed := strings.CutPrefix(s.ConfigDigest, "sha256:")
	hash := sbom.Hash{Algorithm: "sha256", Value: config}
	if hashed && hexDigits(config, 64) && s.ConfigDigest != told && !slices.Contains(p.Hashes, hash) {
		p.Hashes = append(slices.Clone(p.Hashes), hash)
	}
	p.Properties = append(slices.Clone(p.Properties), subjectProperties(s, p.Properties, typ)...)
	f := e.foreignNode(p.Foreign, "component")
	e.begin('{')
	e.componentMembers(&p, &f, typ)
	e.packageProperties(&p, &f)
	e.nestedIn(s.ID, &f)
	e.members(&f)
	e.end('}')
}

// subjectProperties returns what component members cannot say of a subject, and
// no other producer's properties say.
func subjectProperties(s *sbom.Subject, known []sbom.Property, typ string) (list []sbom.Property) {
	add := func(name, value string) { list = append(list, sbom.Property{Name: name, Value: value}) }
	fromType := sbom.SubjectOther
	if typ == "container" {
		fromType = sbom.SubjectImage
	}
	if s.Kind != fromType {
		add(ownSubject, string(s.Kind))
	}
	config, layers := imageFacts(known)
	if s.ConfigDigest != config {
		add(ownConfigDigest, s.ConfigDigest)
	}
	if s.Platform != "" {
		add(ownPlatform, s.Platform)
	}
	for _, l := range s.Labels {
		add(ownLabel+l.Name, l.Value)
	}
	for i, l := range s.Layers {
		name := ownLayer + ":" + strconv.Itoa(i)
		if i >= len(layers) || layers[i].DiffID != l.DiffID {
			add(name, l.DiffID)
		}
		if l.CreatedBy != "" {
			add(name+ownCreatedBy, l.CreatedBy)
		}
	}
	return list
}
