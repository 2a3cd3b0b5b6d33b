package oval_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/oval"
)

// document makes a document of Azure Linux with one definition.
func document(criteria, tests, states string) string {
	return `<oval_definitions><definitions><definition class="vulnerability" id="d"><metadata>
		<title>CVE-2024-10001 affecting bolt</title><reference ref_id="CVE-2024-10001" source="CVE"/><advisory_id>1</advisory_id></metadata>` +
		criteria + `</definition></definitions><tests>` + tests + `</tests><objects><rpminfo_object id="o"><name>bolt</name></rpminfo_object></objects><states>` +
		states + `</states></oval_definitions>`
}

const (
	bolt   = `<rpminfo_test id="t" check="at least one"><object object_ref="o"/><state state_ref="s"/></rpminfo_test>`
	before = `<rpminfo_state id="s"><evr operation="less than">0:1.2-3</evr></rpminfo_state>`
)

// TestCriteria: what cannot be resolved is told, and never read in part.
func TestCriteria(t *testing.T) {
	or := func(n int, s string) string { return `<criteria operator="OR">` + strings.Repeat(s, n) + `</criteria>` }
	leaf := `<criterion test_ref="t" comment="bolt is old"/>`
	for _, tt := range []struct {
		name, document, want string
		err                  error
	}{
		{"plain", document(`<criteria>`+leaf+`</criteria>`, bolt, before), "< 0:1.2-3", nil},
		{"twice the same", document(or(2, leaf), bolt, before), "< 0:1.2-3", nil},
		{"from", document(`<criteria>`+leaf+`</criteria>`, bolt, `<rpminfo_state id="s"><evr operation="greater than or equal">0:1.2-3</evr></rpminfo_state>`), "> 0:1.2-3", nil},
		{"no criteria", document(``, bolt, before), "", oval.ErrInvalid},
		{"negated", document(`<criteria negate="true">`+leaf+`</criteria>`, bolt, before), "", oval.ErrUnsupported},
		{"a negated test", document(`<criteria><criterion test_ref="t" comment="x" negate="true"/></criteria>`, bolt, before), "", oval.ErrUnsupported},
		{"another definition", document(`<criteria><extend_definition definition_ref="x"/>`+leaf+`</criteria>`, bolt, before), "", oval.ErrUnsupported},
		{"exclusive or", document(`<criteria operator="XOR">`+leaf+`</criteria>`, bolt, before), "", oval.ErrUnsupported},
		{"no test", document(`<criteria>`+leaf+`</criteria>`, ``, before), "", oval.ErrInvalid},
		{"no state", document(`<criteria>`+leaf+`</criteria>`, bolt, ``), "", oval.ErrInvalid},
		{"unequal", document(`<criteria>`+leaf+`</criteria>`, bolt, `<rpminfo_state id="s"><evr operation="not equal">1</evr></rpminfo_state>`), "", oval.ErrUnsupported},
		{"an empty bound", document(`<criteria>`+leaf+`</criteria>`, bolt, `<rpminfo_state id="s"><evr operation="less than"></evr></rpminfo_state>`), "", oval.ErrInvalid},
		{"too deep", document(strings.Repeat(`<criteria>`, 100)+leaf+strings.Repeat(`</criteria>`, 100), bolt, before), "", oval.ErrLimit},
		{"too many ways", document(`<criteria>`+strings.Repeat(or(10, leaf), 6)+`</criteria>`, bolt, before), "", oval.ErrLimit},
	} {
		records, errs := 0, []error(nil)
		for st, err := range oval.Azure().Parse(&advisory.Document{Name: "azurelinux-3.0-oval.xml", Content: []byte(tt.document)}) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			records++
			if got := bounds(&st.(*advisory.Record).Affected[0]); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
		switch {
		case tt.err == nil && (records != 1 || errs != nil):
			t.Errorf("%s: %d records, %v", tt.name, records, errs)
		case tt.err != nil && (records != 0 || len(errs) != 1 || !errors.Is(errs[0], tt.err)):
			t.Errorf("%s: %d records, %v, want %v", tt.name, records, errs, tt.err)
		}
	}
}

// TestDamage: a document that breaks off says so, after what it said until then.
func TestDamage(t *testing.T) {
	whole := document(`<criteria><criterion test_ref="t" comment="x"/></criteria>`, bolt, before)
	for name, text := range map[string]string{
		"nothing": "", "html": "<html></html>", "cut": whole[:len(whole)-20], "two roots": whole + whole, "text": "x",
		"doctype bomb": `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><oval_definitions><definitions><definition>&b;</definition></definitions></oval_definitions>`,
		"encoding":     `<?xml version="1.0" encoding="utf-7"?><oval_definitions/>`,
	} {
		_, _, err := read(oval.Azure(), "azurelinux-3.0-oval.xml", []byte(text))
		if !errors.Is(err, oval.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := whole[strings.Index(whole, "<definition "):strings.Index(whole, "</definitions>")]
	twice := strings.Replace(whole, one, one+one, 1)
	if records, broken, err := read(oval.Azure(), "azurelinux-3.0-oval.xml", []byte(twice)); err != nil || broken != nil || len(records) != 1 {
		t.Errorf("a definition twice: %d records, %v, %v", len(records), broken, err)
	}
	other := strings.Replace(whole, one, one+strings.Replace(one, "affecting bolt", "affecting nut", 1), 1)
	if records, broken, err := read(oval.Azure(), "azurelinux-3.0-oval.xml", []byte(other)); err != nil || len(broken) != 1 || len(records) != 1 {
		t.Errorf("two definitions of an id: %d records, %v, %v", len(records), broken, err)
	}
	if _, broken, err := read(oval.Azure(), "other.xml", []byte(whole)); err != nil || len(broken) != 1 {
		t.Errorf("a document of no release: %v, %v", broken, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(document(`<criteria operator="OR"><criterion test_ref="t" comment="Module a:1 is enabled"/><criteria operator="AND"><criterion test_ref="t" comment="x"/></criteria></criteria>`, bolt, before)))
	f.Add([]byte(document(`<criteria><criterion test_ref="u" comment="bolt is earlier than 1-2"/></criteria>`, bolt, before)))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, s := range []*oval.Source{oval.Azure(), oval.RedHat(), oval.SUSE()} {
			for st, err := range s.Parse(&advisory.Document{Name: "azurelinux-3.0-oval.xml", Content: content}) {
				if err != nil {
					continue
				}
				if err := st.(*advisory.Record).Validate(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// A definition becomes a record: its tests are resolved to packages and ranges.
func Example() {
	const text = `<oval_definitions>
		<definitions><definition class="patch" id="oval:com.oracle.elsa:def:20240001">
			<metadata>
				<title>ELSA-2024-0001: bolt security update (IMPORTANT)</title>
				<reference source="CVE" ref_id="CVE-2024-10001" ref_url="https://linux.oracle.com/cve/CVE-2024-10001.html"/>
			</metadata>
			<criteria operator="AND">
				<criterion test_ref="t:1" comment="Oracle Linux 8 is installed"/>
				<criterion test_ref="t:2" comment="bolt is earlier than 1:1.2-3.el8"/>
			</criteria>
		</definition></definitions>
	</oval_definitions>`
	for s, err := range oval.Oracle().Parse(&advisory.Document{Name: "com.oracle.elsa-all.xml", Content: []byte(text)}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := s.(*advisory.Record)
		a := r.Affected[0]
		fmt.Println(r.ID, r.Upstream, a.Ecosystem, a.Name, a.Ranges[0].Events[1].Fixed)
	}
	// Output:
	// ELSA-2024-0001 [CVE-2024-10001] Oracle Linux:8 bolt 1:1.2-3.el8
}
