package cyclonedx

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

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
			e.property(ownGap, objectText(g))
		}
	}
	for _, s := range d.Secrets {
		e.property(ownSecret, objectText(s))
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
