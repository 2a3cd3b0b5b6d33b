package cyclonedx

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// A component is one component as it is being read: what the model has fields
// for, what must be put together from several members, and the rest.
type component struct {
	sbom.Package
	group, name, version, purl, cpe string
	author                          string
	authors                         node
	occurred                        []string // locations of occurrences
	own                             []sbom.Property
	foreign                         node
	hasName, hasType                bool
}

// component reads one component, and those nested in it, as packages.
func (r *reader) component(parent int) error {
	if len(r.packages) >= r.limits.MaxComponents {
		return &fault.LimitError{What: "components", Where: "CycloneDX document", Max: int64(r.limits.MaxComponents)}
	}
	index := len(r.packages)
	r.packages = append(r.packages, sbom.Package{})
	r.parents = append(r.parents, parent)
	r.kept = append(r.kept, node{})
	c, err := r.readComponent(index)
	if err != nil {
		return err
	}
	if parent != top {
		c.keep(markNested, node{kind: 't'})
	}
	if err := r.finish(&c, c.ID); err != nil {
		return err
	}
	r.packages[index], r.kept[index] = c.Package, c.foreign
	return nil
}

// markNested in the foreign members of a package says that it was a component
// inside of its container.
const markNested = "#nested"

func (c *component) keep(name string, v node) {
	c.foreign.kind = '{'
	c.foreign.fields = append(c.foreign.fields, field{name, v})
}

// readComponent reads the members of a component; index is what components
// nested in it get as their parent.
func (r *reader) readComponent(index int) (component, error) {
	var c component
	at := r.pointer()
	err := r.object(func(name string) error { return r.componentMember(&c, name, index) })
	if err != nil {
		return c, err
	}
	if !c.hasName {
		return c, fmt.Errorf("%s: the component has no name: %w", at, fault.Invalid)
	}
	if !c.hasType {
		r.note(at, "the component has no type, taken for a library")
		c.keep("type", node{kind: 'n'})
	}
	return c, nil
}

func (r *reader) componentMember(c *component, name string, index int) error {
	switch name {
	case "type":
		return r.componentType(c)
	case "bom-ref":
		return r.bomRef(c)
	case "name":
		c.hasName = true
		return r.textTo(&c.name)
	case "group":
		return r.textTo(&c.group)
	case "version":
		return r.textTo(&c.version)
	case "purl":
		return r.textTo(&c.purl)
	case "cpe":
		return r.textTo(&c.cpe)
	case "description":
		return r.textTo(&c.Description)
	case "copyright":
		return r.textTo(&c.Copyright)
	case "author":
		return r.textTo(&c.author)
	case "scope":
		return r.scope(c)
	case "properties":
		return r.componentProperties(c)
	case "components":
		return r.nested(c, index)
	case "supplier", "authors", "hashes", "licenses", "externalReferences", "evidence":
		return r.structured(c, name)
	}
	return r.keep(&c.foreign, name)
}

func (r *reader) componentType(c *component) error {
	c.hasType = true
	t, err := r.text()
	switch {
	case err != nil:
		return err
	case t == "library":
	case knownType(t, newest):
		c.Type = t
	default:
		r.noteHere("unknown component type " + quote(t) + ", taken for a library")
		c.keep("type", stringNode(t))
	}
	return nil
}

func (r *reader) bomRef(c *component) error {
	ref, err := r.text()
	if err != nil {
		return err
	}
	if ref == "" {
		r.noteHere("an empty bom-ref names nothing")
		c.keep("bom-ref", stringNode(""))
		return nil
	}
	if first, ok := r.refs[ref]; ok {
		return r.fail("bom-ref %s is already that of %s", quote(ref), first)
	}
	if r.refs == nil {
		r.refs = map[string]string{}
	}
	r.refs[ref] = r.pointer()
	c.ID = ref
	return nil
}

func (r *reader) scope(c *component) error {
	s, err := r.text()
	if err != nil {
		return err
	}
	scope, known := scopeOf(s)
	if !known {
		r.noteHere("unknown scope " + quote(s))
	}
	if c.Scope = scope; scopeText(scope) != s {
		c.keep("scope", stringNode(s))
	}
	return nil
}

func (r *reader) componentProperties(c *component) error {
	return r.properties(func(p sbom.Property, n *node) {
		switch {
		case n != nil:
			c.keepItem("properties", *n)
		case strings.HasPrefix(p.Name, ownPrefix):
			c.own = append(c.own, p)
		default:
			c.Properties = append(c.Properties, p)
		}
	}, func() { c.keep("properties", node{kind: '['}) })
}

// keepItem adds an item to a list in the foreign members.
func (c *component) keepItem(list string, item node) {
	held := c.foreign.get(list)
	held.kind = '['
	held.items = append(held.items, item)
	c.foreign.set(list, held)
}

// nested reads the components inside a component.
func (r *reader) nested(c *component, index int) error {
	before := len(r.packages)
	if err := r.array(func() error { return r.component(index) }); err != nil {
		return err
	}
	if len(r.packages) == before {
		c.keep("components", node{kind: '['})
	}
	return nil
}

// finish puts the package together when all members were read.
func (r *reader) finish(c *component, id string) error {
	if id == "" && !c.foreign.has("bom-ref") {
		c.keep("bom-ref", node{kind: 'n'})
	}
	if c.purl != "" {
		p, err := purl.Parse(c.purl)
		if err != nil {
			r.noteHere("package URL " + quote(c.purl) + " cannot be parsed")
		}
		if c.PURL = p; p.String() != c.purl {
			c.keep("purl", stringNode(c.purl))
		}
	}
	c.Name = packageName(c.group, c.name, c.PURL)
	if g, n := groupName(c.Name, c.PURL); g != c.group || n != c.name {
		c.keep("name", stringNode(c.name))
		if c.group != "" {
			c.keep("group", stringNode(c.group))
		}
	}
	if c.Version = packageVersion(c.version, c.PURL); c.Version != c.version {
		c.keep("version", stringNode(c.version))
	}
	if fitCPE(c.cpe) {
		c.CPEs = append(c.CPEs, c.cpe)
	} else if c.cpe != "" {
		c.keep("cpe", stringNode(c.cpe))
	}
	if c.Originator = c.author; c.author == "" && len(c.authors.items) > 0 {
		c.Originator = originatorOf(&c.authors)
	}
	return r.finishOwn(c, id)
}
