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

// metadata writes who made the document, of what, and when. It is left out
// where it would be empty, unless a decoded document had it so.
func (e *encoder) metadata(f node, source *sbom.Source) {
	f.fields = slices.Clone(f.fields)
	mark := len(e.b)
	e.where = "document"
	e.key("metadata")
	e.begin('{')
	empty := len(e.b)
	e.timestamp(&f)
	tools := f.get("tools")
	if tools.kind != 0 && slices.Equal(toolsOf(&tools), e.doc.Tools) {
		e.key("tools")
		e.b = tools.append(e.b)
	} else {
		e.tools(e.doc.Tools)
	}
	f.remove("tools")
	if e.hasSubject() {
		e.key("component")
		e.subject()
	}
	e.where = "document"
	e.documentProperties(&f, source)
	had := f.kind == '{'
	e.members(&f)
	if len(e.b) == empty && !had {
		e.b = e.b[:mark]
		return
	}
	e.b = append(e.b, '}')
}

func (e *encoder) timestamp(f *node) {
	created := e.doc.Created
	if s, ok := createdOf(created); created != "" && (!ok || s != created) {
		e.lose("created", "the time "+quote(created)+" is not RFC 3339 in UTC with seconds")
		created = ""
	}
	e.textOr(f, "timestamp", created, func(s string) bool { c, _ := createdOf(s); return c == created })
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
	if digest, ok := strings.CutPrefix(s.ConfigDigest, "sha256:"); ok && !slices.ContainsFunc(p.Hashes, func(h sbom.Hash) bool { return h.Value == digest }) {
		if hashed, _ := imageFacts(p.Properties); hashed != s.ConfigDigest {
			p.Hashes = append(slices.Clone(p.Hashes), sbom.Hash{Algorithm: "sha256", Value: digest})
		}
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

// documentProperties writes what the model knows of the document and CycloneDX
// has no member for. The source comes last and can be cut off.
func (e *encoder) documentProperties(f *node, source *sbom.Source) {
	d := e.doc
	rest := f.get("properties")
	f.remove("properties")
	if rest.kind == '[' {
		e.key("properties")
		e.begin('[')
		e.listed = true
	}
	for i := range rest.items {
		e.node(&rest.items[i])
	}
	e.propertyIf(ownName, d.Name)
	if d.Namespace != "" && !fitSerial(d.Namespace) && !e.serialFits {
		e.property(ownNamespace, d.Namespace)
	}
	if e.graph.containAll {
		e.property(ownContains, containsAll)
	}
	for _, g := range d.Gaps {
		if g.Code != sbom.GapOddity || !strings.HasPrefix(g.Where, noteWhere) {
			e.property(ownGap, gapText(g))
		}
	}
	if c := d.Composition; c != nil {
		e.property(ownRoot, c.Root)
		for i, fragment := range c.Fragments {
			e.property(ownFragment+strconv.Itoa(i), fragment.DiffID+" "+fragment.Digest)
		}
	}
	if source != nil {
		e.sourceProperties(source)
	}
	e.endProperties()
}

func (e *encoder) sourceProperties(s *sbom.Source) {
	e.propertyIf(ownSourceReference, s.Reference)
	e.propertyIf(ownSourceIndex, s.Index)
	e.propertyIf(ownSourceManifest, s.Manifest)
	e.propertyIf(ownSourceMediaType, s.MediaType)
	for _, t := range s.Tags {
		e.property(ownSourceTag, t)
	}
	for i, l := range s.Layers {
		e.property(ownSourceLayer+strconv.Itoa(i), descriptorText(l))
	}
	e.propertyIf(ownSourceChoice, s.PlatformChoice)
}
