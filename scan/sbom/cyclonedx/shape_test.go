package cyclonedx

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// TestTableAgainstJSONSchemas walks the JSON schemas beside the table of
// members: each property must be in the table with the version that brought
// it, and the other way round.
func TestTableAgainstJSONSchemas(t *testing.T) {
	files := testdata.Open(t, schemaPack)
	want, got := map[string]int{}, map[string]int{}
	for v := oldestOut; v <= newest; v++ {
		w := jsonWalk{t: t, docs: map[string]any{}, version: int(v), want: want, seen: map[string]bool{}}
		for name, b := range files {
			var doc any
			if strings.HasSuffix(name, ".json") && json.Unmarshal(b, &doc) == nil {
				w.docs[name[strings.LastIndex(name, "/")+1:]] = doc
			}
		}
		w.file = "bom-" + v.String() + ".schema.json"
		root := maps.Clone(w.docs[w.file].(map[string]any))
		w.object(root, "bom")
	}
	for _, s := range shapes().shapes {
		for _, m := range s.members {
			if since := m.since[inJSON]; since != never {
				got[s.name+"."+m.json] = since
			}
		}
	}
	relative(want, got)
	for _, head := range []string{"bom.$schema", "bom.bomFormat", "bom.specVersion"} {
		delete(want, head)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table differs (-schemas +table):\n%s", diff)
	}
}

// relative turns versions into the marks of the table: none for what an object
// has from its beginning.
func relative(want, got map[string]int) {
	first := map[string]int{}
	for key, v := range want {
		object, _, _ := strings.Cut(key, ".")
		if f, ok := first[object]; !ok || v < f {
			first[object] = v
		}
	}
	for _, marks := range []map[string]int{want, got} {
		for key, v := range marks {
			object, member, _ := strings.Cut(key, ".")
			if v <= first[object] {
				marks[key] = 0
			}
			if member == "" {
				delete(marks, key)
			}
		}
	}
}

// seen notes the first version that has an object.
func seen(want map[string]int, object string, version int) {
	if _, ok := want[object+"."]; !ok {
		want[object+"."] = version
	}
}

type jsonWalk struct {
	t       *testing.T
	docs    map[string]any
	file    string
	version int
	want    map[string]int
	seen    map[string]bool
}

// resolve follows a reference inside the file or into another.
func (w *jsonWalk) resolve(s map[string]any) (map[string]any, bool) {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s, true
	}
	file, pointer, _ := strings.Cut(ref, "#")
	if file != "" {
		return nil, false // signatures, licence lists: no members of CycloneDX
	}
	at := w.docs[w.file]
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		at = at.(map[string]any)[part]
	}
	return w.resolve(at.(map[string]any))
}

// object notes the properties of a schema as those of a shape.
func (w *jsonWalk) object(s map[string]any, name string) {
	sh := shapes().shapes[name]
	seen(w.want, name, w.version)
	for property, v := range properties(s) {
		key := name + "." + property
		if _, ok := w.want[key]; !ok {
			w.want[key] = w.version
		}
		at, ok := sh.json[property]
		if !ok {
			continue
		}
		m := &sh.members[at]
		kinds := m.kinds
		if m.other != nil {
			kinds = append(slices.Clone(kinds), *m.other)
		}
		w.value(v, kinds, key)
	}
}

// value walks the object schemas that a member may have.
func (w *jsonWalk) value(v map[string]any, kinds []kind, key string) {
	if w.seen[key] {
		return
	}
	w.seen[key] = true
	for _, s := range branches(w, v) {
		taken := false
		for i := range kinds {
			k := &kinds[i]
			if inner := properties(s)[k.wrap]; inner != nil {
				inner, _ = w.resolve(inner)
				w.object(inner, k.shape)
				s = without(s, k.wrap)
				taken = true
			}
			if k.shape != "" && k.wrap == "" && (len(kinds) == 1 || len(properties(s)) > 0 && within(s, k.shape)) {
				w.object(s, k.shape)
				taken = true
			}
		}
		if !taken && kinds[0].scalar != 'j' {
			w.t.Errorf("1.%d: %s may be an object that the table does not know", w.version, key)
		}
	}
}

// without returns a schema of an object that lacks one property.
func without(s map[string]any, property string) map[string]any {
	s = maps.Clone(s)
	props := maps.Clone(s["properties"].(map[string]any))
	delete(props, property)
	s["properties"] = props
	return s
}

// within reports whether a shape has all properties of a schema.
func within(s map[string]any, name string) bool {
	for p := range properties(s) {
		if _, ok := shapes().shapes[name].json[p]; !ok {
			return false
		}
	}
	return true
}

// properties returns what an object schema has.
func properties(s map[string]any) map[string]map[string]any {
	all := map[string]map[string]any{}
	if props, ok := s["properties"].(map[string]any); ok {
		for name, v := range props {
			if v, ok := v.(map[string]any); ok {
				all[name] = v
			}
		}
	}
	return all
}

// branches lists the object schemas that a value may have.
func branches(w *jsonWalk, s map[string]any) []map[string]any {
	s, ok := w.resolve(s)
	if !ok {
		return nil
	}
	list := []map[string]any{}
	if _, ok := s["properties"]; ok {
		list = append(list, s)
	}
	if items, ok := s["items"].(map[string]any); ok {
		list = append(list, branches(w, items)...)
	}
	for _, choice := range []string{"oneOf", "anyOf", "allOf", "items"} {
		options, _ := s[choice].([]any)
		for _, o := range options {
			if o, ok := o.(map[string]any); ok {
				list = append(list, branches(w, o)...)
			}
		}
	}
	return list
}

// An xsd is one node of an XML schema.
type xsd struct {
	XMLName  xml.Name
	Name     string `xml:"name,attr"`
	Type     string `xml:"type,attr"`
	Base     string `xml:"base,attr"`
	Ref      string `xml:"ref,attr"`
	Max      string `xml:"maxOccurs,attr"`
	Children []xsd  `xml:",any"`
}

// TestTableAgainstXMLSchemas does the same with the XML schemas, and checks
// the order of the elements.
func TestTableAgainstXMLSchemas(t *testing.T) {
	files := testdata.Open(t, schemaPack)
	want, got := map[string]int{}, map[string]int{}
	for v := oldestOut; v <= newest; v++ {
		var root xsd
		if err := xml.Unmarshal(files["schema/bom-"+v.String()+".xsd"], &root); err != nil {
			t.Fatal(err)
		}
		w := xmlWalk{t: t, version: int(v), want: want, types: map[string]*xsd{}, groups: map[string]*xsd{}, seen: map[string]bool{}}
		for i := range root.Children {
			switch c := &root.Children[i]; c.XMLName.Local {
			case "complexType":
				w.types[c.Name] = c
			case "attributeGroup":
				w.groups[c.Name] = c
			case "element":
				w.root = c
			}
		}
		w.object(w.root, "bom")
	}
	for _, s := range shapes().shapes {
		for _, m := range s.members {
			if since := m.since[inXML]; since != never && m.form != formText && m.form != formChildAttr && m.kinds[0].scalar != 'j' {
				got[s.name+"."+m.key()] = since
			}
		}
	}
	relative(want, got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table differs (-schemas +table):\n%s", diff)
	}
}

func (m *member) key() string {
	if m.form == formAttribute {
		return "@" + m.xml
	}
	return m.xml
}

type xmlWalk struct {
	t       *testing.T
	root    *xsd
	version int
	want    map[string]int
	types   map[string]*xsd
	groups  map[string]*xsd
	seen    map[string]bool
}

func (w *xmlWalk) body(e *xsd) *xsd {
	if t, ok := w.types[strings.TrimPrefix(e.Type, "bom:")]; ok {
		return t
	}
	return e
}

// parts lists the elements and attributes of a type, choices and extensions
// flattened.
func (w *xmlWalk) parts(e *xsd) (list []*xsd) {
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "element", "attribute":
			list = append(list, c)
		case "attributeGroup":
			list = append(list, w.parts(w.groups[strings.TrimPrefix(c.Ref, "bom:")])...)
		case "sequence", "choice", "all", "complexType", "simpleContent", "complexContent", "extension":
			if t, ok := w.types[strings.TrimPrefix(c.Base, "bom:")]; ok {
				list = append(list, w.parts(t)...)
			}
			list = append(list, w.parts(c)...)
		}
	}
	return list
}

func (w *xmlWalk) object(e *xsd, name string) {
	e = w.body(e)
	if at := fmt.Sprintf("%s %p", name, e); w.seen[at] {
		return
	} else {
		w.seen[at] = true
	}
	sh := shapes().shapes[name]
	seen(w.want, name, w.version)
	order := -1
	for _, p := range w.parts(e) {
		key := p.Name
		index := sh.element
		if p.XMLName.Local == "attribute" {
			key, index = "@"+p.Name, sh.attr
		}
		if _, ok := w.want[name+"."+key]; !ok {
			w.want[name+"."+key] = w.version
		}
		at, ok := index[p.Name]
		if !ok {
			continue
		}
		if key[0] != '@' {
			if at < order && name != "certificateState" { // two choices share an element
				w.t.Errorf("1.%d: %s stands too late in %s", w.version, p.Name, name)
			}
			order = max(order, at)
		}
		w.member(p, &sh.members[at], name+"."+key)
	}
}

func (w *xmlWalk) member(p *xsd, m *member, key string) {
	kinds := slices.Clone(m.kinds)
	if m.form != formList && !m.choice {
		if k := kinds[0]; k.shape != "" && (m.other == nil || len(w.parts(w.body(p))) > 0) {
			w.object(p, k.shape)
		}
		return
	}
	for _, item := range w.parts(w.body(p)) {
		known := false
		for _, k := range kinds {
			if k.element == item.Name {
				known = true
				if k.shape != "" {
					w.object(item, k.shape)
				}
			}
		}
		if m.other != nil {
			if o := shapes().shapes[m.other.shape]; o != nil {
				if at, ok := o.element[item.Name]; ok {
					known = true
					w.member(item, &o.members[at], key)
					w.want[fmt.Sprintf("%s.%s", o.name, item.Name)] = int(oldestOut)
				}
			}
		}
		if !known {
			w.want[key+"/"+item.Name] = w.version
		}
	}
}
