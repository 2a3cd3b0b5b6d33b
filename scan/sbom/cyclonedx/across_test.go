package cyclonedx

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// TestAcrossVersions encodes documents that are valid in their own version in
// all versions and both formats. The output must be valid, and what reads
// differently must have been told as a loss.
func TestAcrossVersions(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	docs := conformanceDocs(t, "valid-")
	maps.Copy(docs, realDocs(t))
	xmlOut := map[string]map[string][]byte{}
	for _, name := range testdata.Names(docs) {
		in := docs[name]
		own := specVersion(t, in)
		if len(in) > 64<<10 || strings.HasSuffix(name, "valid-attestation-1.6.xml") {
			continue // time; JSON wants a signature there that XML cannot give
		}
		if path.Ext(name) == ".json" && v.checkJSON(t, own, in) != nil {
			continue
		}
		d, err := Decode(bytes.NewReader(in), nil)
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := Encode(&plain, d, &EncodeOptions{Version: max(own, "1.4")}); err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"1.4", "1.5", "1.6", "1.7"} {
			for _, xml := range []bool{false, true} {
				id := fmt.Sprintf("%s to %s xml=%v", name, target, xml)
				var out bytes.Buffer
				losses, err := Encode(&out, d, &EncodeOptions{Version: target, XML: xml})
				if err != nil {
					t.Fatal(id, err)
				}
				if xml {
					if xmlOut[target] == nil {
						xmlOut[target] = map[string][]byte{}
					}
					xmlOut[target][name] = out.Bytes()
				} else if err := v.checkJSON(t, target, out.Bytes()); err != nil {
					t.Errorf("%s: output is invalid: %.1500v", id, err)
				}
				back, err := Decode(bytes.NewReader(out.Bytes()), nil)
				if err != nil {
					t.Fatal(id, err)
				}
				var again bytes.Buffer
				if _, err := Encode(&again, back, &EncodeOptions{Version: max(own, "1.4")}); err != nil {
					t.Fatal(id, err)
				}
				if diff := cmp.Diff(sparse(t, plain.Bytes(), xml), sparse(t, again.Bytes(), xml)); diff != "" && len(losses) == 0 {
					t.Errorf("%s: changed without a loss (-direct +by %s):\n%.2000s", id, target, diff)
				}
			}
		}
	}
	for version, docs := range xmlOut {
		for name, why := range v.checkXML(t, version, docs) {
			if !strings.HasSuffix(name, ".xml") || len(v.checkXML(t, specVersion(t, docs[name]), map[string][]byte{name: docs[name]})) == 0 {
				t.Errorf("%s as %s: output is invalid:\n%.1500s", name, version, why)
			}
		}
	}
}

// sparse is comparable without what XML says in one way only: an empty list
// that has no element around it, an empty text, and one item where a list or an object may
// stand.
func sparse(t testing.TB, doc []byte, xml bool) string {
	n, err := parseNode(doc)
	if err != nil {
		t.Fatal(err)
	}
	if xml {
		sparseNode(&n)
	}
	return comparable(t, n.append(nil))
}

func sparseNode(n *node) {
	kept := n.fields[:0]
	for _, f := range n.fields {
		if f.value.kind == '[' && len(f.value.items) == 0 || f.name == "value" && f.value.text == "" {
			continue
		}
		if f.name == "identity" && len(f.value.items) == 1 {
			f.value = f.value.items[0]
		}
		sparseNode(&f.value)
		kept = append(kept, f)
	}
	n.fields = kept
	for i := range n.items {
		sparseNode(&n.items[i])
	}
}
