package cyclonedx

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestTwins: of components that share a bom-ref, equal ones are one, and others stay
// packages of their own, with a number behind it.
func TestTwins(t *testing.T) {
	x := func(rest string) string { return `{"type":"library","bom-ref":"x","name":` + rest + `}` }
	for name, c := range map[string]struct {
		components string
		want       []string
		note       string
	}{
		"equal":             {x(`"a","version":"1","x-more":{"b":1,"a":2}`) + "," + x(`"a","version":"1","x-more":{"a":2,"b":1}`), []string{"x a1"}, "/components/1/bom-ref: the component with the bom-ref \"x\" is listed again"},
		"other version":     {x(`"a","version":"1"`) + "," + x(`"a","version":"2"`), []string{"x a1", "x-2 a2"}, "/components/1/bom-ref: bom-ref \"x\" is already that of another component"},
		"other extension":   {x(`"a","x-more":1`) + "," + x(`"a","x-more":2`), []string{"x a", "x-2 a"}, "another component"},
		"nested in another": {`{"type":"library","name":"p","bom-ref":"p","components":[` + x(`"a"`) + `]},` + x(`"a"`), []string{"p p", "x a", "x-2 a"}, "another component"},
		"with parts":        {x(`"a","components":[{"type":"library","bom-ref":"b","name":"b"}]`) + "," + x(`"a"`), []string{"b b", "x a", "x-2 a"}, "another component"},
	} {
		d := mustDecode(t, head+`"components":[`+c.components+`],"dependencies":[{"ref":"x","dependsOn":["x"]}]}`)
		var got []string
		for _, p := range d.Packages {
			got = append(got, p.ID+" "+p.Name+p.Version)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: packages %q, want %q", name, got, c.want)
		}
		if len(d.Gaps) != 1 || d.Gaps[0].Code != sbom.GapOddity || d.Gaps[0].Blocking || !strings.Contains(strings.TrimPrefix(d.Gaps[0].Where, noteWhere)+": "+d.Gaps[0].What, c.note) {
			t.Errorf("%s: gaps %v, want %q", name, d.Gaps, c.note)
		}
		if !slices.Contains(d.Relationships, sbom.Relationship{From: "x", Kind: sbom.DependsOn, To: "x"}) {
			t.Errorf("%s: the reference does not mean the first: %v", name, d.Relationships)
		}
		for _, xml := range []bool{false, true} {
			out, _ := mustEncode(t, d, &EncodeOptions{XML: xml})
			back := mustDecode(t, out)
			if len(back.Packages) != len(d.Packages) || len(back.Gaps) > 0 {
				t.Errorf("%s: written again and read: %d packages, %v", name, len(back.Packages), back.Gaps)
			}
		}
	}
}

// TestTwinsOfSyft reads a document in which osv-scanner put two components twice.
func TestTwinsOfSyft(t *testing.T) {
	in := testdata.Open(t, "lockfiles/osv-scanner.tar.gz")["cmd/osv-scanner/scan/source/testdata/sbom-insecure/with-duplicates.cdx.xml"]
	d, err := Decode(bytes.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	listed := bytes.Count(in, []byte("<component ")) - 1 // the subject
	again := 0
	for _, g := range d.Gaps {
		if strings.Contains(g.What, "is listed again") {
			again++
		}
	}
	if again == 0 || len(d.Packages) != listed-again {
		t.Errorf("%d components, %d packages, %d of them again: %v", listed, len(d.Packages), again, d.Gaps)
	}
}

// TestManyTwins: their number costs no more than it must.
func TestManyTwins(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + `"components":[{"type":"library","bom-ref":"x","name":"a","x-more":[` + strings.Repeat("1,", 1<<20) + `1]}`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `,{"type":"library","bom-ref":"x","name":"a","x-more":[%d]}`, i)
	}
	b.WriteString("]}")
	if d := mustDecode(t, b.String()); len(d.Packages) != 20_001 {
		t.Errorf("%d packages", len(d.Packages))
	}
}

// TestOddUsage: properties of usage that do not fit together stay properties.
func TestOddUsage(t *testing.T) {
	property := func(name string) string { return `{"name":"stella:` + name + `","value":"v"}` }
	d := mustDecode(t, head+`"components":[{"type":"library","bom-ref":"x","name":"a","properties":[`+strings.Join([]string{property("usage:chain:0"), property("usage"), property("usage:chain:1"), property("usage:chain:0"),
		property("usage:chain:x")}, ",")+`]}],"metadata":{"properties":[`+property("secret")+`]}}`)
	p := d.Packages[0]
	if p.Usage == nil || !slices.Equal(p.Usage.Chain, []string{"v"}) || len(p.Properties) != 3 || len(d.Secrets) > 0 {
		t.Errorf("usage %+v, properties %v, secrets %v", p.Usage, p.Properties, d.Secrets)
	}
}
