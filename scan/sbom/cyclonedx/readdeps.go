package cyclonedx

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// A dependency is one entry of the dependency graph.
type dependency struct {
	ref  string
	on   []string
	has  bool // there is a dependsOn
	rest node // the other members
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
