package cyclonedx

import (
	"path"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
)

// TestMutatedDocuments changes the structure of valid documents, which random
// bytes seldom do, and checks what the fuzz targets check.
func TestMutatedDocuments(t *testing.T) {
	all := conformanceDocs(t, "valid-")
	var docs []node
	for _, name := range testdata.Names(all) {
		if b := all[name]; path.Ext(name) == ".json" && len(b) < 20<<10 {
			n, err := parseNode(b)
			if err != nil {
				t.Fatal(name, err)
			}
			docs = append(docs, n)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		doc := cloneNode(docs[rapid.IntRange(0, len(docs)-1).Draw(rt, "document")])
		other := docs[rapid.IntRange(0, len(docs)-1).Draw(rt, "other")]
		for range rapid.IntRange(1, 6).Draw(rt, "mutations") {
			mutate(rt, &doc, &other)
		}
		in := doc.append(nil)
		rt.Logf("%s", in)
		check(t, in)
		if t.Failed() {
			rt.Fatalf("%s", in)
		}
	})
}

// inner lists the values inside of n.
func inner(n *node) (list []*node) {
	for i := range n.fields {
		list = append(append(list, &n.fields[i].value), inner(&n.fields[i].value)...)
	}
	for i := range n.items {
		list = append(append(list, &n.items[i]), inner(&n.items[i])...)
	}
	return list
}

func mutate(t *rapid.T, doc, other *node) {
	values := inner(doc)
	if len(values) == 0 {
		return
	}
	v := values[rapid.IntRange(0, len(values)-1).Draw(t, "value")]
	switch rapid.IntRange(0, 5).Draw(t, "mutation") {
	case 0: // another value of any type
		*v = rapid.SampledFrom([]node{{kind: 'n'}, {kind: 't'}, {kind: '0', text: "-1.50"}, stringNode(""), stringNode("x y"), {kind: '['}, {kind: '{'},
			{kind: '[', items: []node{{kind: '{'}, stringNode("a")}}}).Draw(t, "new")
	case 1: // without a member or an item
		if n := len(v.fields); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "member")
			v.fields = slices.Delete(v.fields, i, i+1)
		} else if n := len(v.items); n > 0 {
			v.items = v.items[:n-1]
		}
	case 2: // an item twice
		if n := len(v.items); n > 0 {
			v.items = append(v.items, cloneNode(v.items[rapid.IntRange(0, n-1).Draw(t, "item")]))
		}
	case 3: // an extension, or a member in the wrong place
		if v.kind == '{' {
			v.set(rapid.SampledFrom([]string{"x-ext", "name", "bom-ref", "components", "#xml", "#nested", "type", "licenses", "properties", "evidence"}).Draw(t, "name"),
				rapid.SampledFrom([]node{{kind: 't'}, stringNode("a"), {kind: '['}, {kind: '{'}}).Draw(t, "member value"))
		}
	default: // a value from another document
		if values := inner(other); len(values) > 0 {
			*v = cloneNode(*values[rapid.IntRange(0, len(values)-1).Draw(t, "foreign value")])
		}
	}
}

func cloneNode(n node) node {
	c := node{kind: n.kind, text: n.text}
	for _, f := range n.fields {
		c.fields = append(c.fields, field{f.name, cloneNode(f.value)})
	}
	for _, i := range n.items {
		c.items = append(c.items, cloneNode(i))
	}
	return c
}
