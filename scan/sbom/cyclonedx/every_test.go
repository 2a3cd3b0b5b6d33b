package cyclonedx

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// TestEveryMember puts every member of the table into one document, whatever
// the conformance documents have of it, and takes it through XML and back.
func TestEveryMember(t *testing.T) {
	f := filler{seen: map[string]bool{}}
	doc := f.object("bom", 0)
	doc.remove("serialNumber")
	doc.remove("version")
	for name, s := range shapes().shapes {
		for _, m := range s.members {
			if m.since[inJSON] != never && m.since[inXML] != never && m.kinds[0].scalar != 'j' && !f.seen[name+"."+m.json] {
				t.Errorf("%s.%s is not in the document", name, m.json)
			}
		}
	}
	in := append([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.7","version":1,`), doc.append(nil)[1:]...)
	d := mustDecode(t, string(in))
	direct, losses := mustEncode(t, d, &EncodeOptions{Version: "1.7"})
	if diff := cmp.Diff(comparable(t, in), comparable(t, []byte(direct))); diff != "" || len(losses) > 0 {
		t.Errorf("JSON (-in +out):\n%s%v", diff, losses)
	}
	xml, losses := mustEncode(t, d, &EncodeOptions{Version: "1.7", XML: true, Indent: true})
	if len(losses) > 0 {
		t.Errorf("losses: %v", losses)
	}
	back, losses := mustEncode(t, mustDecode(t, xml), &EncodeOptions{Version: "1.7"})
	if diff := cmp.Diff(sparse(t, in, true), sparse(t, []byte(back), true)); diff != "" || len(losses) > 0 {
		t.Errorf("by XML (-in +out):\n%.5000s%v", diff, losses)
	}
	for v := oldestOut; v < newest; v++ {
		for _, xml := range []bool{false, true} {
			old, losses := mustEncode(t, d, &EncodeOptions{Version: v.String(), XML: xml})
			if len(losses) == 0 {
				t.Errorf("%v carries all of 1.7", v)
			}
			mustDecode(t, old)
		}
	}
}

// A filler makes objects with all members that both formats have.
type filler struct {
	n    int
	seen map[string]bool
}

func (f *filler) object(name string, depth int) node {
	n := node{kind: '{'}
	for _, m := range shapes().shapes[name].members {
		if m.since[inJSON] == never || m.since[inXML] == never || m.kinds[0].scalar == 'j' {
			continue
		}
		if depth > 3 && f.seen[name+"."+m.json] && m.form != formAttribute && m.form != formText && (name != "component" && name != "ikev2Transform" || m.json != "name") {
			continue
		}
		if v, ok := f.member(&m, depth+1); ok {
			f.seen[name+"."+m.json] = true
			n.set(m.json, v)
		}
	}
	return n
}

func (f *filler) member(m *member, depth int) (node, bool) {
	if depth > 14 {
		return node{}, false
	}
	if m.form != formList && m.form != formRepeat {
		return f.value(&m.kinds[0], depth), true
	}
	if m.other != nil && m.other.shape != "" && f.seen["tool.name"] {
		return f.value(m.other, depth), true
	}
	list := node{kind: '['}
	for range 2 {
		for i := range m.kinds {
			v := f.value(&m.kinds[i], depth)
			if len(m.kinds) > 1 && v.kind == '{' && m.pick(&v) != &m.kinds[i] {
				continue // needs more members to be told from its sisters
			}
			list.items = append(list.items, v)
		}
	}
	return list, true
}

func (f *filler) value(k *kind, depth int) node {
	f.n++
	switch {
	case k.shape != "" && k.wrap != "":
		return node{kind: '{', fields: []field{{k.wrap, f.object(k.shape, depth)}}}
	case k.shape != "":
		n := f.object(k.shape, depth)
		if len(k.when) > 0 && !n.has(k.when[0]) { // the depth ended: the least that tells its kind
			s := shapes().shapes[k.shape]
			v, _ := f.member(&s.members[s.json[k.when[0]]], 0)
			n.set(k.when[0], v)
		}
		return n
	case k.scalar == 'b':
		return node{kind: jsontext.Kind("tf"[f.n%2])}
	case k.scalar == 'i':
		return node{kind: '0', text: fmt.Sprint(f.n)}
	case k.scalar == 'n':
		return node{kind: '0', text: fmt.Sprintf("%d.50", f.n)}
	}
	return stringNode(fmt.Sprint("t", f.n))
}
