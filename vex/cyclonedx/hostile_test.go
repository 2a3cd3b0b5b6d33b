package cyclonedx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/cyclonedx"
)

// cdx is a document of one component, "b", around vulnerabilities.
func cdx(vulnerabilities string) string {
	return `{"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "version": 1, "metadata": {"timestamp": "2024-01-02T00:00:00Z"}, ` +
		`"components": [{"bom-ref": "b", "name": "bolt", "version": "1.0.0", "purl": "pkg:npm/bolt@1.0.0", "cpe": "cpe:/a:example:bolt:1.0.0", "hashes": [{"alg": "SHA-1", "content": "AB"}]}], ` +
		`"vulnerabilities": [` + vulnerabilities + `]}`
}

// vuln is a vulnerability with an analysis, of a reference with versions.
func vuln(analysis, ref string, versions ...string) string {
	return `{"id": "CVE-1", "analysis": {` + analysis + `}, "affects": [{"ref": "` + ref + `", "versions": [` + strings.Join(versions, ", ") + `]}]}`
}

// in adds something to the outermost object.
func in(text, member string) string {
	return strings.Replace(text, `"version": 1, `, `"version": 1, `+member+`, `, 1)
}

// within makes it a document of an application.
func within(text, identifier string) string {
	return strings.Replace(text, `"metadata": {`, `"metadata": {"component": {"bom-ref": "app", "name": "app"`+identifier+`}, `, 1)
}

const (
	bolt = "pkg:npm/bolt@1.0.0 cpe:/a:example:bolt:1.0.0 sha1:ab"
	not  = `"state": "not_affected", "justification": "code_not_present"`
	hit  = `"state": "exploitable"`
	app  = `, "purl": "pkg:generic/app@2"`
)

// hostile are documents and what comes of them, a line for each statement or error.
var hostile = []struct{ name, text, want string }{
	{"not affected", cdx(vuln(not, "b")), "not_affected vulnerable_code_not_present " + bolt},
	{"no equal reason", cdx(vuln(`"state": "not_affected", "justification": "requires_environment", "detail": "It is cold."`, "b")), "not_affected (requires_environment: It is cold.) " + bolt},
	{"a compiler", cdx(vuln(`"state": "not_affected", "justification": "protected_by_compiler"`, "b")), "not_affected inline_mitigations_already_exist " + bolt},
	{"no reason", cdx(vuln(`"state": "not_affected"`, "b")), "not_affected " + bolt},
	{"false positive", cdx(vuln(`"state": "false_positive"`, "b")), "not_affected (false_positive) " + bolt},
	{"resolved", cdx(vuln(`"state": "resolved_with_pedigree", "justification": "code_not_present"`, "b")), "fixed " + bolt},
	{"a response", cdx(vuln(`"state": "exploitable", "response": ["update", "rollback"], "detail": "d"`, "b")), "affected {update, rollback} <d> " + bolt},
	{"a recommendation", cdx(strings.Replace(vuln(hit, "b"), `"analysis"`, `"recommendation": "r", "workaround": "w", "analysis"`, 1)), "affected {r\nw} " + bolt},
	{"in triage", cdx(vuln(`"state": "in_triage"`, "b")), "under_investigation " + bolt},
	{"unknown state", cdx(vuln(`"state": "fine"`, "b")), `x: /vulnerabilities/0/analysis/state: "fine" is none of the states: invalid input`},
	{"unknown justification", cdx(vuln(`"state": "not_affected", "justification": "trust_me"`, "b")), `x: /vulnerabilities/0/analysis: justification "trust_me" is none that there is: invalid input`},
	{"no analysis", cdx(`{"id": "CVE-1", "affects": [{"ref": "b"}]}`), ""},
	{"no state", cdx(vuln(`"detail": "d"`, "b")), ""},
	{"no id", cdx(strings.Replace(vuln(not, "b"), `"id": "CVE-1", `, "", 1)), `x: /vulnerabilities/0: statement about "": it names no vulnerability: invalid input`},
	{"no product", cdx(`{"id": "CVE-1", "analysis": {` + not + `}}`), `x: /vulnerabilities/0/affects: it names no product: invalid input`},
	{"no reference", cdx(vuln(not, "")), "x: /vulnerabilities/0/affects/0/ref: it names no product: invalid input"},
	{"another type", cdx(`7, ` + vuln(not, "b")), "x: /vulnerabilities/0: : a JSON number does not belong there: invalid input\nnot_affected vulnerable_code_not_present " + bolt},
	{"a name twice", cdx(strings.Replace(vuln(not, "b"), `"state"`, `"state": "exploitable", "state"`, 1)), `fatal: read cyclonedx from x: /vulnerabilities/0/analysis/state: duplicate object member name (at byte 435): invalid input`},
	{"both statuses", cdx(vuln(not, "b") + ", " + vuln(hit, "b")), "not_affected vulnerable_code_not_present " + bolt + "\naffected " + bolt},
	{"aliases", cdx(strings.Replace(vuln(not, "b"), `"analysis"`, `"references": [{"id": "GHSA-1"}, {"id": "CVE-1"}, {"source": {}}], "analysis"`, 1)), "not_affected vulnerable_code_not_present " + bolt + " also [GHSA-1]"},

	{"a dangling reference", cdx(vuln(not, "pkg:npm/bolt@1.0.0")), "not_affected vulnerable_code_not_present pkg:npm/bolt@1.0.0?"},
	{"a reference of two", cdx2(vuln(not, "b")), "not_affected vulnerable_code_not_present b?"},
	{"a reference of two, and a risk", cdx2(vuln(hit, "b")), "affected pkg:npm/nut@1 " + bolt},
	{"a link to itself", cdx(vuln(not, "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#b")), "not_affected vulnerable_code_not_present " + bolt},
	{"a link to another version", cdx(vuln(not, "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#b")), "not_affected vulnerable_code_not_present urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#b?"},
	{"within an application", within(cdx(vuln(not, "b")), app), "not_affected vulnerable_code_not_present pkg:generic/app@2[" + bolt + "]"},
	{"within nobody knows what", within(cdx(vuln(not, "b")), ""), "not_affected vulnerable_code_not_present app?[" + bolt + "]"},
	{"the whole", within(cdx(vuln(not, "app")), app), "not_affected vulnerable_code_not_present pkg:generic/app@2"},

	{"its version", cdx(vuln(hit, "b", `{"version": "1.0.0"}`)), "affected " + bolt},
	{"a version that is fixed", cdx(vuln(`"state": "resolved"`, "b", `{"version": "1.0.1"}`)), "fixed pkg:npm/bolt@1.0.1 cpe:2.3:a:example:bolt:1.0.1:*:*:*:*:*:*:*"},
	{"another version", cdx(vuln(hit, "b", `{"version": "1.1.0", "status": "affected"}`)), "affected pkg:npm/bolt@1.1.0 cpe:2.3:a:example:bolt:1.1.0:*:*:*:*:*:*:*"},
	{"a range", cdx(vuln(not, "b", `{"range": "vers:npm/<2.0.0", "status": "unaffected"}`)), "not_affected vulnerable_code_not_present pkg:npm/bolt cpe:2.3:a:example:bolt:*:*:*:*:*:*:*:* vers:npm/<2.0.0"},
	{"three statuses", cdx(vuln(hit, "b", `{"version": "1.0.0"}`, `{"version": "2", "status": "unaffected"}`, `{"version": "3", "status": "unknown"}`)), "affected " + bolt + "\nnot_affected pkg:npm/bolt@2 cpe:2.3:a:example:bolt:2:*:*:*:*:*:*:*\nunder_investigation pkg:npm/bolt@3 cpe:2.3:a:example:bolt:3:*:*:*:*:*:*:*"},
	{"a contradiction", cdx(vuln(not, "b", `{"version": "1.0.0", "status": "affected"}`, `{"version": "1.0.0", "status": "unaffected"}`)), "x: /vulnerabilities/0/affects/0/versions/0: the version is affected, and the analysis says not_affected: invalid input\nnot_affected vulnerable_code_not_present " + bolt},
	{"neither version nor range", cdx(vuln(hit, "b", `{"status": "affected"}`)), "x: /vulnerabilities/0/affects/0/versions/0: it has neither a version nor a range, or both: invalid input"},
	{"an unknown status", cdx(vuln(hit, "b", `{"version": "1", "status": "safe"}`)), `x: /vulnerabilities/0/affects/0/versions/0: status "safe" is none of affected, unaffected and unknown: invalid input`},

	{"no time", strings.Replace(cdx(vuln(not, "b")), `"timestamp": "2024-01-02T00:00:00Z"`, "", 1), "not_affected vulnerable_code_not_present " + bolt + " at 0001-01-01T00:00:00Z"},
	{"a wrong time", cdx(vuln(not+`, "lastUpdated": "now"`, "b")), `x: /vulnerabilities/0/analysis: "now" is no time of RFC 3339: invalid input`},
	{"its own time", cdx(vuln(not+`, "firstIssued": "2030-01-01T00:00:00Z"`, "b")), "not_affected vulnerable_code_not_present " + bolt + " at 2030-01-01T00:00:00Z"},
	{"an update before", cdx(vuln(not+`, "firstIssued": "2030-01-01T00:00:00Z", "lastUpdated": "2029-01-01T00:00:00Z"`, "b")), "not_affected vulnerable_code_not_present " + bolt + " at 2029-01-01T00:00:00Z"},

	{"another format", `{"@context": "https://openvex.dev/ns"}`, `fatal: read cyclonedx from x: /bomFormat: "" is not CycloneDX: unsupported`},
	{"an old version", strings.Replace(cdx(""), "1.6", "1.3", 1), `fatal: read cyclonedx from x: /specVersion: "1.3" is none of [1.4 1.5 1.6 1.7]: unsupported`},
	{"a version to come", strings.Replace(cdx(""), "1.6", "2.0", 1), `fatal: read cyclonedx from x: /specVersion: "2.0" is none of [1.4 1.5 1.6 1.7]: unsupported`},

	{"XML", bomXML(`<vulnerability><id>CVE-1</id><analysis><state>not_affected</state><justification>code_not_present</justification></analysis><affects><target><ref>b</ref></target></affects></vulnerability>`), "not_affected vulnerable_code_not_present pkg:npm/bolt@1.0.0"},
	{"XML with two states", bomXML(`<vulnerability><id>CVE-1</id><analysis><state>not_affected</state><state>exploitable</state></analysis><affects><target><ref>b</ref></target></affects></vulnerability>`), "fatal: read cyclonedx from x: /vulnerabilities/0/analysis/state: it is there 2 times: invalid input"},
	{"XML with entities", `<!DOCTYPE bom [<!ENTITY a "b">]>` + bomXML(""), "fatal: read cyclonedx from x: line 1: a document type or other declaration: invalid input"},
	{"XML cut off", bomXML("")[:100], "fatal: read cyclonedx from x: read XML: XML syntax error on line 1: unexpected EOF: invalid input"},
	{"two XML documents", bomXML("") + bomXML(""), "fatal: read cyclonedx from x: an element after the document: invalid input"},
	{"XML of another kind", `<html/>`, `fatal: read cyclonedx from x: element "html" of "" is not CycloneDX: unsupported`},
}

// cdx2 has two components of one reference.
func cdx2(vulnerabilities string) string {
	return strings.Replace(cdx(vulnerabilities), `"components": [`, `"components": [{"bom-ref": "b", "name": "nut", "purl": "pkg:npm/nut@1"}, `, 1)
}

func bomXML(vulnerabilities string) string {
	return `<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1"><metadata><timestamp>2024-01-02T00:00:00Z</timestamp></metadata>` +
		`<components><component bom-ref="b"><name>bolt</name><purl>pkg:npm/bolt@1.0.0</purl></component></components><vulnerabilities>` + vulnerabilities + `</vulnerabilities></bom>`
}

// describe is a text for a product.
func describe(p *vex.Product) string {
	parts := []string{}
	for _, s := range append([]string{p.PURL, p.CPE, p.Versions}, p.Digests...) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	out := strings.Join(parts, " ")
	if out == "" {
		out = p.Name + "?"
	}
	for i := range p.Subcomponents {
		out += "[" + describe(&p.Subcomponents[i]) + "]"
	}
	return out
}

// line is a text for a statement.
func line(s *vex.Statement) string {
	out := string(s.Status)
	if s.Justification != "" {
		out += " " + string(s.Justification)
	}
	for _, text := range []struct{ from, value, to string }{{"(", s.Impact, ")"}, {"{", s.Action, "}"}, {"<", s.Notes, ">"}} {
		if text.value != "" {
			out += " " + text.from + text.value + text.to
		}
	}
	for i := range s.Products {
		out += " " + describe(&s.Products[i])
	}
	if at := s.Time.Format("2006-01-02T15:04:05Z07:00"); at != "2024-01-02T00:00:00Z" {
		out += " at " + at
	}
	if len(s.Aliases) > 0 {
		out += fmt.Sprintf(" also %v", s.Aliases)
	}
	return out
}

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		var lines []string
		for s, err := range cyclonedx.Decode("x", []byte(tt.text), nil) {
			var part *vex.StatementError
			switch {
			case errors.As(err, &part):
				lines = append(lines, err.Error())
			case err != nil:
				lines = append(lines, "fatal: "+err.Error())
			default:
				lines = append(lines, line(s))
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestBreak: who stops at a part is given no further one.
func TestBreak(t *testing.T) {
	for _, tt := range hostile {
		all := 0
		for range cyclonedx.Decode("x", []byte(tt.text), nil) {
			all++
		}
		for stop := range all {
			n := 0
			for range cyclonedx.Decode("x", []byte(tt.text), nil) {
				if n++; n > stop {
					break
				}
			}
			if n != stop+1 {
				t.Errorf("%s: %d parts, want %d", tt.name, n, stop+1)
			}
		}
	}
}

// TestLimits: every bound is told, with its place.
func TestLimits(t *testing.T) {
	deep := strings.Repeat(`{"name": "n", "components": [`, 30) + strings.Repeat(`]}`, 30)
	two := cdx(vuln(not, "b") + ", " + vuln(not, "b"))
	for _, tt := range []struct {
		opts       *cyclonedx.Options
		text, want string
	}{
		{&cyclonedx.Options{MaxBytes: 100}, two, "bytes"},
		{&cyclonedx.Options{MaxStatements: 1}, two, "/vulnerabilities/1: statements"},
		{&cyclonedx.Options{MaxProducts: 1}, two, "/vulnerabilities/1: products"},
		{&cyclonedx.Options{MaxComponents: 1}, cdx2(""), "/components/1: components"},
		{&cyclonedx.Options{MaxDepth: 20}, in(cdx(""), `"services": [`+deep+`]`), "/services/0: nested components"},
		{&cyclonedx.Options{MaxDepth: 20}, strings.Replace(bomXML(""), "<metadata>", "<metadata>"+strings.Repeat("<x>", 50), 1), "line 1: nested elements"},
	} {
		_, broken, err := read(t, "x", []byte(tt.text), tt.opts)
		if !errors.Is(err, cyclonedx.ErrLimit) || !strings.Contains(fmt.Sprint(err), tt.want) || len(broken) > 0 {
			t.Errorf("%+v: %v, %v; want %q", tt.opts, broken, err, tt.want)
		}
	}
	many := strings.Replace(cdx(`{"id": "CVE-1", "analysis": {`+hit+`}, "affects": [`+strings.Repeat(`{"ref": "b"}, `, 999)+`{"ref": "b"}]}`),
		`"components": [`, `"components": [`+strings.Repeat(`{"bom-ref": "b", "name": "nut"}, `, 999), 1)
	if _, broken, err := read(t, "x", []byte(many), nil); err != nil || len(broken) != 1 || !strings.Contains(broken[0], "products") {
		t.Errorf("a million products: %v, %v", broken, err)
	}
}
