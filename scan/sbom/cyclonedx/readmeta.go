package cyclonedx

import (
	"github.com/stella-ops/stella/scan/sbom"
)

// metadata reads who made the document, of what, and when.
func (r *reader) metadata() error {
	empty := true
	err := r.object(func(name string) error {
		empty = false
		return r.metadataMember(name)
	})
	if err == nil && empty {
		r.meta.kind = '{'
	}
	return err
}

func (r *reader) metadataMember(name string) error {
	switch name {
	case "timestamp":
		return r.timestamp()
	case "component":
		return r.subject()
	case "tools":
		n, err := r.value()
		r.tools = n
		return err
	case "properties":
		return r.metadataProperties()
	}
	return r.keep(&r.meta, name)
}

func (r *reader) timestamp() error {
	s, err := r.text()
	if err != nil {
		return err
	}
	created, ok := createdOf(s)
	if !ok {
		r.noteHere("timestamp " + quote(s) + " is not RFC 3339")
	}
	if r.doc.Created = created; created != s {
		r.meta.set("timestamp", stringNode(s))
	}
	return nil
}

// metadataProperties puts properties where the model has a place for them, and
// keeps the others.
func (r *reader) metadataProperties() error {
	rest := node{kind: '['}
	empty, err := r.properties(func(p sbom.Property, n *node) {
		switch {
		case n != nil:
			rest.items = append(rest.items, *n)
		case !r.ownMetadata(p):
			rest.items = append(rest.items, node{kind: '{', fields: []field{{"name", stringNode(p.Name)}, {"value", stringNode(p.Value)}}})
		}
	})
	if empty || len(rest.items) > 0 {
		r.meta.set("properties", rest)
	}
	return err
}

func (r *reader) ownMetadata(p sbom.Property) bool {
	switch p.Name {
	case ownName:
		r.doc.Name = p.Value
	case ownNamespace:
		r.doc.Namespace = p.Value
	case ownContains:
		r.all = p.Value == containsAll
		return r.all
	case ownGap:
		g, ok := readGap(p.Value)
		if ok {
			r.doc.Gaps = append(r.doc.Gaps, g)
		}
		return ok
	case ownSecret:
		s, ok := readSecret(p.Value)
		if ok {
			r.doc.Secrets = append(r.doc.Secrets, s)
		}
		return ok
	case ownRoot:
		r.composition().Root = p.Value
	default:
		return r.ownFragment(p) || r.ownSource(p)
	}
	return true
}

func (r *reader) composition() *sbom.Composition {
	if r.doc.Composition == nil {
		r.doc.Composition = &sbom.Composition{}
	}
	return r.doc.Composition
}
