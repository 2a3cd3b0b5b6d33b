package cyclonedx

import (
	"slices"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// finishOwn fills what the package's other members and then its stella
// properties tell. Properties that are not understood stay properties.
func (r *reader) finishOwn(c *component) {
	f := infer(&c.Package)
	c.Arch, c.Upstream, c.FoundBy = f.arch, f.upstream, f.foundBy
	var o ownProperties
	for _, p := range c.own {
		if !o.take(c, p) && !r.edgeProperty(p, c) {
			c.Properties = append(c.Properties, p)
		}
	}
	c.finishCPEs(f.cpes)
	switch {
	case o.upstream && o.name == "":
		c.Upstream = nil
	case o.upstream:
		c.Upstream = &sbom.Upstream{Name: o.name, Version: o.version}
	}
	c.Locations = o.locations(c.occurred)
	if len(c.Locations) == 0 {
		c.Locations = f.locations
	}
}

// finishVersion takes the version that a stella property says, or else makes it
// of the member and the package URL.
func (c *component) finishVersion() {
	for _, p := range c.own {
		if p.Name == ownVersion {
			c.Version = p.Value
			return
		}
	}
	if c.Version = packageVersion(c.version, c.PURL); c.Version != c.version {
		c.keep("version", stringNode(c.version))
	}
}

// finishCPEs adds the member cpe and what other properties tell.
func (c *component) finishCPEs(told []string) {
	c.CPEs = append(c.CPEs, told...)
	if fitCPE(c.cpe) {
		c.CPEs = append(c.CPEs, c.cpe)
	}
	slices.Sort(c.CPEs)
	if c.CPEs = slices.Compact(c.CPEs); c.cpe != "" && firstCPE(c.CPEs, told) != c.cpe {
		c.keep("cpe", stringNode(c.cpe))
	}
}

// finish puts the package together when all members were read.
func (r *reader) finish(c *component) {
	if c.ID == "" && c.twinOf == "" && !c.foreign.has("bom-ref") {
		c.keep("bom-ref", node{kind: 'n'})
	}
	if c.purl != "" {
		p, err := purl.Parse(c.purl)
		if err != nil {
			r.note(r.pointer()+"/purl", "package URL "+quote(c.purl)+" cannot be parsed")
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
	c.finishVersion()
	if c.Originator = c.author; c.author == "" && len(c.authors.items) > 0 {
		c.Originator = originatorOf(&c.authors)
	} else if len(c.authors.items) > 0 {
		c.keep("author", stringNode(c.author)) // beside authors, which say it in another way
	}
	r.finishOwn(c)
}
