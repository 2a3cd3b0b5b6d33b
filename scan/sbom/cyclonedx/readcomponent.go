package cyclonedx

import (
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// A component is one component as it is being read: what the model has fields
// for, what must be put together from several members, and the rest.
type component struct {
	sbom.Package
	parent                          *component // that it is nested in, or nil
	group, name, version, purl, cpe string
	author                          string
	authors                         node
	occurred                        []string // locations of occurrences
	own                             []sbom.Property
	foreign                         node
	hasName, hasType                bool
	twinOf, twinAt                  string // a bom-ref that a component before has, and where
	subject                         bool   // it is metadata.component
	system                          bool   // it is the subject's OS and nothing else
}

// component reads one component of a list, and those nested in it.
func (r *reader) component(parent *component) error {
	if len(r.components) >= r.limits.MaxComponents {
		return &fault.LimitError{What: "components", Where: "CycloneDX document at " + r.pointer(), Max: int64(r.limits.MaxComponents), Seen: int64(r.limits.MaxComponents) + 1}
	}
	c := &component{parent: parent}
	r.components = append(r.components, c)
	if err := r.readComponent(c); err != nil {
		return err
	}
	if parent != nil {
		c.keep(markNested, node{kind: 't'})
	}
	return nil
}

// markNested in the foreign members of a package says that it was a component
// inside of its container.
const markNested = "#nested"

func (c *component) keep(name string, v node) {
	c.foreign.kind = '{'
	c.foreign.fields = append(c.foreign.fields, field{name, v})
}

// readComponent reads the members of a component.
func (r *reader) readComponent(c *component) error {
	err := r.object(func(name string) error { return r.componentMember(c, name) })
	if err != nil {
		return err
	}
	if !c.hasName {
		return r.fail("the component has no name")
	}
	if !c.hasType {
		r.noteHere("the component has no type, taken for a library")
		c.keep("type", node{kind: 'n'})
	}
	r.finish(c)
	return nil
}

func (r *reader) componentMember(c *component, name string) error {
	switch name {
	case "type":
		return r.componentType(c)
	case "bom-ref":
		return r.bomRef(c)
	case "name":
		c.hasName = true
		return r.textTo(&c.name)
	case "group":
		return r.textMember(c, name, &c.group)
	case "version":
		return r.textMember(c, name, &c.version)
	case "purl":
		return r.textMember(c, name, &c.purl)
	case "cpe":
		return r.textMember(c, name, &c.cpe)
	case "description":
		return r.textMember(c, name, &c.Description)
	case "copyright":
		return r.textMember(c, name, &c.Copyright)
	case "author":
		return r.textMember(c, name, &c.author)
	case "scope":
		return r.scope(c)
	case "properties":
		return r.componentProperties(c)
	case "components":
		return r.nested(c)
	case "supplier", "authors", "hashes", "licenses", "externalReferences", "evidence":
		return r.structured(c, name)
	}
	return r.keep(&c.foreign, name)
}

func (r *reader) componentProperties(c *component) error {
	odd := node{kind: '['}
	empty, err := r.properties(func(p sbom.Property, n *node) {
		switch {
		case n != nil:
			odd.items = append(odd.items, *n)
		case strings.HasPrefix(p.Name, ownPrefix):
			c.own = append(c.own, p)
		default:
			c.Properties = append(c.Properties, p)
		}
	})
	if empty || len(odd.items) > 0 {
		c.keep("properties", odd)
	}
	return err
}

// nested reads the components inside a component.
func (r *reader) nested(c *component) error {
	before := len(r.components)
	if err := r.array(func() error { return r.component(c) }); err != nil {
		return err
	}
	if len(r.components) == before {
		c.keep("components", node{kind: '['})
	}
	return nil
}
