package cyclonedx

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// An edge is a relationship as the document states it, by bom-ref.
type edge struct {
	from, to string
	kind     sbom.RelationshipKind
	where    string
}

// A dependency is one entry of the dependency graph.
type dependency struct {
	ref  string
	on   []string
	has  bool // there is a dependsOn
	rest node // the other members
}

// edgeProperty reads the properties that stand for relationships. They need a
// bom-ref at the component that carries them.
func (r *reader) edgeProperty(p sbom.Property, id string) bool {
	var e edge
	switch {
	case id == "" || p.Value == "":
		return false
	case p.Name == ownContainedBy:
		e.from, e.kind, e.to = p.Value, sbom.Contains, id
	case p.Name == ownOwnedBy:
		e.from, e.kind, e.to = id, sbom.OwnedBy, p.Value
	default:
		return false
	}
	e.where = r.pointer()
	r.edges = append(r.edges, e)
	return true
}

// dependencies reads the dependency graph. Which edges the model holds is
// known only when all components were read.
func (r *reader) dependencies() error {
	empty := true
	err := r.array(func() error {
		empty = false
		var d dependency
		err := r.object(func(name string) error { return r.dependencyMember(&d, name) })
		if d.ref == "" && err == nil {
			r.noteHere("a dependency without ref is kept but means nothing")
		}
		r.deps = append(r.deps, d)
		return err
	})
	if err == nil && empty {
		r.foreign.set("dependencies", node{kind: '['})
	}
	return err
}

func (r *reader) dependencyMember(d *dependency, name string) error {
	switch name {
	case "ref":
		err := r.textTo(&d.ref)
		if d.ref == "" {
			d.keep("ref", stringNode(""))
		}
		return err
	case "dependsOn":
		d.has = true
		return r.array(func() error {
			s, err := r.text()
			d.on = append(d.on, s)
			return err
		})
	}
	n, err := r.value()
	d.keep(name, n)
	return err
}

func (d *dependency) keep(name string, v node) {
	d.rest.kind = '{'
	d.rest.fields = append(d.rest.fields, field{name, v})
}

// graph turns edges between known elements into relationships; what is left of
// the dependency graph goes to the foreign members.
func (r *reader) graph(known map[string]bool) {
	left := r.foreign.get("dependencies")
	for i := range r.deps {
		d := &r.deps[i]
		rest := r.dependency(d, i, known)
		if rest.kind == 0 {
			continue
		}
		left.kind = '['
		left.items = append(left.items, rest)
	}
	if left.kind != 0 {
		r.foreign.set("dependencies", left)
	}
	for _, e := range r.edges {
		if !known[e.from] || !known[e.to] {
			r.note(e.where, "the relationship from "+quote(e.from)+" to "+quote(e.to)+" is left out: no such component")
			continue
		}
		r.relate(e.from, e.kind, e.to)
	}
}

func (r *reader) relate(from string, kind sbom.RelationshipKind, to string) {
	r.doc.Relationships = append(r.doc.Relationships, sbom.Relationship{From: from, Kind: kind, To: to})
}

// dependency relates the known ends of d and returns what the model does not
// hold of it, nothing where it holds all.
func (r *reader) dependency(d *dependency, index int, known map[string]bool) node {
	rest := node{kind: '['}
	from := known[d.ref]
	for _, to := range d.on {
		if from && known[to] {
			r.relate(d.ref, sbom.DependsOn, to)
			continue
		}
		r.checkRef(d.ref, index, known)
		r.checkRef(to, index, known)
		rest.items = append(rest.items, stringNode(to))
	}
	if len(d.on) == 0 {
		r.checkRef(d.ref, index, known)
	}
	if len(d.on) > 0 && len(rest.items) == 0 && d.rest.kind == 0 {
		return node{}
	}
	if d.ref != "" {
		d.keep("ref", stringNode(d.ref))
	}
	if d.has && (len(rest.items) > 0 || len(d.on) == 0) {
		d.keep("dependsOn", rest)
	}
	d.rest.kind = '{'
	return d.rest
}

// checkRef notes a reference to nothing.
func (r *reader) checkRef(ref string, index int, known map[string]bool) {
	if ref != "" && !known[ref] && !bomLink(ref) && !r.elsewhere()[ref] {
		r.note("/dependencies/"+strconv.Itoa(index), "no element has the bom-ref "+quote(ref))
	}
}

// bomLink reports whether ref names an element of another document.
func bomLink(ref string) bool { return len(ref) > 8 && ref[:8] == "urn:cdx:" }

// elsewhere returns the bom-refs of elements that are no packages: services,
// vulnerabilities, tools and whatever else the foreign members hold. They are
// looked for once, when a reference needs it.
func (r *reader) elsewhere() map[string]bool {
	if r.others != nil {
		return r.others
	}
	r.others = map[string]bool{}
	for _, n := range []*node{&r.foreign, &r.meta, &r.tools} {
		collectRefs(n, r.others)
	}
	for _, c := range r.components {
		collectRefs(&c.foreign, r.others)
	}
	return r.others
}

func collectRefs(n *node, refs map[string]bool) {
	if n.kind == rawKind {
		collectRawRefs(n.text, refs)
		return
	}
	for i := range n.fields {
		if f := &n.fields[i]; f.name == "bom-ref" && f.value.kind == '"' {
			refs[f.value.text] = true
		} else {
			collectRefs(&f.value, refs)
		}
	}
	for i := range n.items {
		collectRefs(&n.items[i], refs)
	}
}

func collectRawRefs(text string, refs map[string]bool) {
	d := jsontext.NewDecoder(bytes.NewBufferString(text))
	for {
		tok, err := d.ReadToken()
		if err != nil {
			return
		}
		kind, at := d.StackIndex(d.StackDepth())
		if tok.Kind() == '"' && kind == '{' && at%2 == 1 && tok.String() == "bom-ref" && d.PeekKind() == '"' {
			if v, err := d.ReadToken(); err == nil {
				refs[v.String()] = true
			}
		}
	}
}

// nameless gives components without a bom-ref the ID that their content calls
// for, told apart by their order in the document.
func (r *reader) nameless() {
	taken := map[string]int{}
	for _, p := range r.components {
		if p.ID != "" {
			continue
		}
		one := sbom.Document{Packages: []sbom.Package{p.Package}}
		one.Normalize()
		base := one.Packages[0].ID
		for {
			taken[base]++
			if p.ID = base; taken[base] > 1 {
				p.ID = base + "-" + strconv.Itoa(taken[base])
			}
			if _, ok := r.refs[p.ID]; !ok && taken[p.ID] <= 1 {
				break
			}
		}
		if p.ID != base {
			taken[p.ID]++
		}
	}
}

// containers relates nested components to what they are nested in.
func (r *reader) containers() {
	for _, c := range r.components {
		switch {
		case c.parent == nil:
		case c.parent.subject:
			r.relate(r.doc.Subject.ID, sbom.Contains, c.ID)
		default:
			r.relate(c.parent.ID, sbom.Contains, c.ID)
		}
	}
	if !r.all {
		return
	}
	contained := map[string]bool{}
	for _, rel := range r.doc.Relationships {
		contained[rel.To] = contained[rel.To] || rel.Kind == sbom.Contains
	}
	for _, c := range r.components {
		if !contained[c.ID] && !c.system {
			r.relate(r.doc.Subject.ID, sbom.Contains, c.ID)
		}
	}
}
