package cyclonedx

import (
	"github.com/stella-ops/stella/scan/sbom"
)

// structured reads a member that is an object or a list: what the model holds
// goes there, what says more stays in the foreign members as well.
func (r *reader) structured(c *component, name string) error {
	n, err := r.value()
	if err != nil {
		return err
	}
	want := byte('[')
	if name == "supplier" || name == "evidence" {
		want = '{'
	}
	if byte(n.kind) != want {
		return r.fail("%s where %s has another type", kindName(n.kind), name)
	}
	exact := false
	switch name {
	case "supplier":
		c.Supplier, exact = supplierOf(&n)
	case "authors":
		c.authors = n
	case "hashes":
		exact = r.hashes(c, &n)
	case "licenses":
		c.Licenses, exact = licensesOf(&n)
		r.checkLicenses(&n)
	case "externalReferences":
		exact = c.references(&n)
	case "evidence":
		exact = c.evidence(&n)
	}
	if !exact {
		c.keep(name, n)
	}
	return nil
}

// hashes takes what the model can hold out of n.
func (r *reader) hashes(c *component, n *node) (exact bool) {
	if len(n.items) == 0 {
		return false
	}
	rest := n.items[:0]
	for i := range n.items {
		h, good, exact := hashOf(&n.items[i])
		if good {
			c.Hashes = append(c.Hashes, h)
		} else {
			r.noteHere("hash " + quote(n.items[i].str("alg")) + " is unknown or malformed and not compared")
		}
		if !exact {
			rest = append(rest, n.items[i])
		}
	}
	n.items = rest
	return len(rest) == 0
}

// references takes the first website and the first distribution out of n. A
// reference that says more than its URL stays there too.
func (c *component) references(n *node) (exact bool) {
	if len(n.items) == 0 {
		return false
	}
	rest := n.items[:0]
	for i := range n.items {
		item := n.items[i]
		url, plain := item.str("url"), len(item.fields) == 2
		target := c.referenceTarget(item.str("type"))
		if target == nil || *target != "" || url == "" {
			rest = append(rest, item)
			continue
		}
		if *target = url; !plain || !fitURI(url) {
			rest = append(rest, item)
		}
	}
	n.items = rest
	return len(rest) == 0
}

func (c *component) referenceTarget(kind string) *string {
	switch kind {
	case "website":
		return &c.Homepage
	case "distribution":
		return &c.Download
	}
	return nil
}

// evidence takes the occurrences out of n, unless they say more than paths.
func (c *component) evidence(n *node) (exact bool) {
	occurrences := n.get("occurrences")
	if occurrences.kind != '[' || len(occurrences.items) == 0 {
		return false
	}
	exact = true
	for i := range occurrences.items {
		path, ok := locationOf(&occurrences.items[i])
		if path != "" {
			c.occurred = append(c.occurred, path)
		}
		exact = exact && ok
	}
	if exact {
		n.remove("occurrences")
	}
	return exact && len(n.fields) == 0
}

// properties calls take for each property of the list that comes next, with a
// node where it is more or less than a name and a value.
func (r *reader) properties(take func(p sbom.Property, n *node)) (empty bool, err error) {
	empty = true
	err = r.array(func() error {
		empty = false
		var p sbom.Property
		var rest node
		var has int
		err := r.object(func(name string) error {
			switch name {
			case "name":
				has |= 1
				return r.textTo(&p.Name)
			case "value":
				has |= 2
				return r.textTo(&p.Value)
			}
			return r.keep(&rest, name)
		})
		if err != nil {
			return err
		}
		if has == 3 && rest.kind == 0 {
			take(p, nil)
			return nil
		}
		if has&1 != 0 {
			rest.set("name", stringNode(p.Name))
		}
		if has&2 != 0 {
			rest.set("value", stringNode(p.Value))
		}
		if has&1 == 0 {
			r.noteHere("a property without a name says nothing")
		}
		rest.kind = '{'
		take(p, &rest)
		return nil
	})
	return empty, err
}
