package cyclonedx

import (
	"cmp"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// pkg writes one package as a component, with those nested in it.
func (e *encoder) pkg(p *sbom.Package) {
	e.where = "package " + p.ID
	f := e.foreignNode(p.Foreign, "component")
	e.begin('{')
	e.componentMembers(p, &f, p.Type)
	e.packageProperties(p, &f)
	e.nestedIn(p.ID, &f)
	e.members(&f)
	e.end('}')
}

// nestedIn writes the packages that were nested in an element.
func (e *encoder) nestedIn(id string, f *node) {
	children := e.graph.nested[id]
	if len(children) == 0 {
		return
	}
	f.remove("components")
	e.key("components")
	e.begin('[')
	where := e.where
	for _, c := range children {
		e.pkg(c)
	}
	e.where = where
	e.end(']')
}

// componentMembers writes what the model has fields for. The members of f that
// say the same in more words are written in their place, and leave f.
func (e *encoder) componentMembers(p *sbom.Package, f *node, typ string) {
	e.known = infer(p)
	e.componentHead(p, f, typ)
	e.supplier(p, f)
	e.originator(p, f)
	e.name(p, f)
	e.textOr(f, "version", fitOr(p.Version, fitVersion), func(s string) bool { return packageVersion(s, p.PURL) == p.Version })
	e.textOr(f, "description", p.Description, func(s string) bool { return s == p.Description })
	e.textOr(f, "scope", scopeText(p.Scope), func(s string) bool { scope, _ := scopeOf(s); return scope == p.Scope })
	e.hashes(p, f)
	e.memberOr(f, "licenses", func(v *node) bool {
		l, _ := licensesOf(v)
		return sameLicenses(l, stated(p.Licenses))
	}, func() { e.licenses(p.Licenses) })
	e.textOr(f, "copyright", p.Copyright, func(s string) bool { return s == p.Copyright })
	first := firstCPE(p.CPEs, e.known.cpes)
	e.textOr(f, "cpe", first, func(s string) bool { return first == "" || contains(p.CPEs, s) })
	e.textOr(f, "purl", p.PURL.String(), func(s string) bool { return samePURL(s, p.PURL) })
	e.references(p, f)
	e.evidence(p, f)
}

func (e *encoder) componentHead(p *sbom.Package, f *node, typ string) {
	typ = cmp.Or(typ, "library")
	if !knownType(typ, e.version) {
		e.lose("type", "component type "+quote(typ)+" is not in this version, written as library")
		typ = "library"
	}
	if !f.absent("type") {
		e.textOr(f, "type", typ, func(string) bool { return typ == "library" })
	} else {
		e.text("type", typ)
	}
	said := f.has("bom-ref") // that there is none, or another one
	shared := f.str("bom-ref")
	f.remove("bom-ref")
	switch {
	case !said || e.names(p.ID):
		e.text("bom-ref", p.ID)
	case shared == "" || e.doc.PackageByID(shared) == nil:
	case e.xml:
		e.lose("bom-ref", "also that of a component, which XML does not allow")
	default: // the subject is listed again
		e.text("bom-ref", shared)
	}
}

func (e *encoder) supplier(p *sbom.Package, f *node) {
	e.memberOr(f, "supplier", func(v *node) bool { s, _ := supplierOf(v); return s == p.Supplier }, func() {
		if p.Supplier == "" {
			return
		}
		name, mail := cutSupplier(p.Supplier)
		e.key("supplier")
		e.begin('{')
		e.text("name", name)
		if mail != "" {
			e.key("contact")
			e.begin('[')
			e.begin('{')
			e.text("email", mail)
			e.end('}')
			e.end(']')
		}
		e.end('}')
	})
}

// originator writes author, which is one text in all versions. It is
// deprecated since 1.6 for a list of names and addresses that the model does
// not tell apart.
func (e *encoder) originator(p *sbom.Package, f *node) {
	authors, author := f.get("authors"), f.get("author")
	switch {
	case authors.kind == '[' && author.kind == 0 && originatorOf(&authors) == p.Originator:
		return // written with the foreign members
	case authors.kind == '[' && author.kind == 0 && p.Originator != "":
		f.remove("authors")
		e.lose("authors", superseded)
	}
	e.textOr(f, "author", p.Originator, func(s string) bool { return s == p.Originator })
}

func (e *encoder) name(p *sbom.Package, f *node) {
	group, name := f.str("group"), f.str("name")
	raw := f.has("name") && packageName(group, name, p.PURL) == p.Name
	empty := f.has("group") && group == ""
	f.remove("group")
	f.remove("name")
	if !raw {
		group, name = groupName(p.Name, p.PURL)
	}
	if empty && group == "" {
		e.key("group")
		e.quote("")
	}
	e.text("group", group)
	e.key("name")
	e.quote(name)
}

// fitOr returns s if it fits a member and nothing otherwise.
func fitOr(s string, fit func(string) bool) string {
	if fit(s) {
		return s
	}
	return ""
}

func samePURL(s string, p purl.PackageURL) bool {
	if s == "" {
		return p.IsZero()
	}
	q, err := purl.Parse(s)
	return err != nil && p.IsZero() || err == nil && q.String() == p.String()
}
