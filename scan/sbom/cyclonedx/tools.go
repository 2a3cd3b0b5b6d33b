package cyclonedx

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// tools writes the list that versions before 1.5 know, and components since.
func (e *encoder) tools(tools []sbom.Tool) {
	if len(tools) == 0 {
		return
	}
	e.key("tools")
	if e.version >= 5 {
		e.begin('{')
		e.key("components")
	}
	e.begin('[')
	for _, t := range tools {
		e.begin('{')
		if e.version < 5 {
			e.text("vendor", t.Vendor)
		} else {
			e.text("type", "application")
			if t.Vendor != "" {
				e.key("supplier")
				e.begin('{')
				e.text("name", t.Vendor)
				e.end('}')
			}
		}
		e.key("name")
		e.quote(t.Name)
		e.text("version", t.Version)
		e.end('}')
	}
	e.end(']')
	if e.version >= 5 {
		e.end('}')
	}
}

// readTools reads metadata.tools, and keeps it as it is unless Encode would
// write the same.
func (r *reader) readTools(v version) {
	if r.tools.kind == 0 {
		return
	}
	r.doc.Tools = toolsOf(&r.tools)
	e := encoder{version: v}
	e.b = append(e.b, '{')
	e.tools(r.doc.Tools)
	e.b = append(e.b, '}')
	if !sameMember(e.b, "tools", &r.tools) {
		r.meta.set("tools", r.tools)
	}
}

// toolsOf reads both forms: the list until 1.4, and components and services.
func toolsOf(n *node) (tools []sbom.Tool) {
	for i := range n.items {
		t := &n.items[i]
		tools = append(tools, sbom.Tool{Vendor: t.str("vendor"), Name: t.str("name"), Version: t.str("version")})
	}
	components, services := n.get("components"), n.get("services")
	for i := range components.items {
		c := &components.items[i]
		tools = append(tools, sbom.Tool{Vendor: vendorOf(c), Name: c.str("name"), Version: c.str("version")})
	}
	for i := range services.items {
		s := &services.items[i]
		provider := s.get("provider")
		tools = append(tools, sbom.Tool{Vendor: provider.str("name"), Name: s.str("name"), Version: s.str("version")})
	}
	return slices.DeleteFunc(tools, func(t sbom.Tool) bool { return t == sbom.Tool{} })
}

// vendorOf finds who made the component of a tool.
func vendorOf(c *node) string {
	for _, name := range []string{"manufacturer", "supplier"} {
		n := c.get(name)
		if s := n.str("name"); s != "" {
			return s
		}
	}
	for _, name := range []string{"publisher", "author", "group"} {
		if s := c.str(name); s != "" {
			return s
		}
	}
	return ""
}
