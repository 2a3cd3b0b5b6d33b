package openvex_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/openvex"
)

// doc is a document around statements.
func doc(statements string) string {
	return `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "d", "author": "a", "version": 1, "timestamp": "2024-01-02T00:00:00Z", "statements": [` + statements + `]}`
}

// st is a statement of one product and what follows.
func st(product, rest string) string {
	return `{"vulnerability": {"name": "CVE-1"}, "products": [` + product + `], ` + rest + `}`
}

const (
	bolt  = `{"@id": "pkg:npm/bolt@1"}`
	safe  = `"status": "not_affected", "justification": "component_not_present"`
	risky = `"status": "affected", "action_statement": "x"`
)

// hostile are documents and what comes of them: a line for each statement, with its
// status, time where that is the point, products and subcomponents, or error.
var hostile = []struct{ name, text, want string }{
	{"no author", strings.Replace(doc(st(bolt, safe)), `"author": "a", `, "", 1), "not_affected pkg:npm/bolt@1"},
	{"no version of the context", strings.Replace(doc(st(bolt, safe)), "/v0.2.0", "", 1), "not_affected pkg:npm/bolt@1"},
	{"a version to come", strings.Replace(doc(st(bolt, safe)), "v0.2.0", "v9.0.0", 1), `fatal: read openvex from x: /@context: version "v9.0.0" is none of [/v0.0.0 /v0.0.1 /v0.0.2 /v0.1.0 /v0.2.0]: unsupported`},
	{"another format", `{"bomFormat": "CycloneDX"}`, `fatal: read openvex from x: /@context: "" is not https://openvex.dev/ns: unsupported`},
	{"no statements", `{"@context": "https://openvex.dev/ns"}`, "fatal: read openvex from x: /statements: there are none: invalid input"},
	{"statements of another type", `{"@context": "https://openvex.dev/ns", "statements": {}}`, "fatal: read openvex from x: /statements: it is not a list: invalid input"},
	{"null", strings.Replace(doc(""), "[]", "null", 1), ""},
	{"a name twice", strings.Replace(doc(""), `"author": "a"`, `"author": "a", "author": "b"`, 1), `fatal: read openvex from x: /author: duplicate object member name (at byte 73): invalid input`},
	{"a name twice below", doc(st(bolt, safe+`, "status": "fixed"`)), `fatal: read openvex from x: /statements/0/status: duplicate object member name (at byte 285): invalid input`},
	{"cut off", doc(st(bolt, safe))[:200], "fatal: read openvex from x: it ends too early: invalid input"},
	{"two documents", doc("") + "{}", "fatal: read openvex from x: : invalid character '{' after top-level value (at byte 141): invalid input"},
	{"one of another type", doc(`7, ` + st(bolt, safe)), "x: /statements/0: : a JSON number does not belong there: invalid input\nnot_affected pkg:npm/bolt@1"},
	{"a wrong product", doc(st(`7`, safe)), "x: /statements/0: /products/0: a JSON number does not belong there: invalid input"},
	{"unknown status", doc(st(bolt, `"status": "safe"`)), `x: /statements/0: statement about "CVE-1": status "safe" is none of [not_affected affected fixed under_investigation]: invalid input`},
	{"unknown justification", doc(st(bolt, `"status": "not_affected", "justification": "trust_me"`)), `x: /statements/0: statement about "CVE-1": justification "trust_me" is none of [component_not_present vulnerable_code_not_present vulnerable_code_not_in_execute_path vulnerable_code_cannot_be_controlled_by_adversary inline_mitigations_already_exist]: invalid input`},
	{"a justification beside affected", doc(st(bolt, `"status": "affected", "justification": "trust_me"`)), "affected pkg:npm/bolt@1"},
	{"a justification beside fixed", doc(st(bolt, `"status": "fixed", "justification": "component_not_present"`)), `x: /statements/0: statement about "CVE-1": a justification with status fixed: invalid input`},
	{"no justification", doc(st(bolt, `"status": "not_affected"`)), "not_affected pkg:npm/bolt@1"},
	{"no action", doc(st(bolt, `"status": "affected"`)), "affected pkg:npm/bolt@1"},
	{"both statuses", doc(st(bolt, safe) + "," + st(bolt, risky)), "not_affected pkg:npm/bolt@1\naffected pkg:npm/bolt@1"},
	{"no vulnerability", doc(`{"products": [` + bolt + `], ` + safe + `}`), `x: /statements/0: statement about "": it names no vulnerability: invalid input`},
	{"a line in a vulnerability", doc(strings.Replace(st(bolt, safe), "CVE-1", `CVE-1\n2`, 1)), `x: /statements/0: vulnerability "CVE-1\n2" has more than 1024 bytes or control characters: invalid input`},
	{"space around a vulnerability", doc(strings.Replace(st(bolt, safe), "CVE-1", ` CVE-1\n`, 1)), "not_affected pkg:npm/bolt@1"},
	{"no product", doc(st("", safe)), `x: /statements/0: statement about "CVE-1": it names no product: invalid input`},
	{"a product of nothing", doc(st("{}", safe)), "not_affected ?"},
	{"a product by name", doc(st(`"bolt"`, safe)), "not_affected bolt?"},
	{"a wildcard", doc(st(`"pkg:npm/*"`, safe)), "not_affected pkg:npm/*"},
	{"two names that agree", doc(st(`{"@id": "pkg:npm/bolt", "identifiers": {"purl": "pkg:npm/bolt@1"}}`, safe)), "not_affected pkg:npm/bolt@1"},
	{"two names that disagree", doc(st(`{"@id": "pkg:npm/bolt@1", "identifiers": {"purl": "pkg:npm/nut@1"}}`, safe)), "not_affected pkg:npm/bolt@1 and pkg:npm/nut@1?"},
	{"two names that disagree, and a risk", doc(st(`{"@id": "pkg:npm/bolt@1", "identifiers": {"purl": "pkg:npm/nut@1"}}`, risky)), "affected pkg:npm/bolt@1 pkg:npm/nut@1"},
	{"a wrong digest", doc(st(`{"@id": "pkg:npm/bolt@1", "hashes": {"SHA-256": "XY"}}`, safe)), "not_affected pkg:npm/bolt@1 sha256:xy"},
	{"a subcomponent of nothing", doc(st(`{"@id": "pkg:npm/bolt@1", "subcomponents": [{}]}`, safe)), "not_affected pkg:npm/bolt@1[?]"},
	{"a subcomponent with parts", doc(st(`{"@id": "pkg:npm/bolt@1", "subcomponents": [{"@id": "pkg:npm/nut", "subcomponents": ["pkg:npm/thread"]}]}`, safe)), "not_affected pkg:npm/bolt@1[?]"},
	{"subcomponents of the statement", doc(st(`"pkg:npm/bolt@1"`, safe+`, "subcomponents": ["pkg:npm/nut"]`)), "not_affected pkg:npm/bolt@1[pkg:npm/nut]"},
	{"no time", strings.Replace(doc(st(bolt, safe)), `"timestamp": "2024-01-02T00:00:00Z", `, "", 1), "x: /statements/0: neither it nor the document has a timestamp: invalid input"},
	{"a wrong time", doc(st(bolt, safe+`, "timestamp": "yesterday"`)), `x: /statements/0: "yesterday" is no time of RFC 3339: invalid input`},
	{"the year 0", doc(st(bolt, safe+`, "timestamp": "0000-01-01T00:00:00Z"`)), `x: /statements/0: "0000-01-01T00:00:00Z" is of no year from 1 to 9999: invalid input`},
	{"its own time", doc(st(bolt, safe+`, "timestamp": "2030-01-01T00:00:00+01:00"`)), "not_affected pkg:npm/bolt@1 at 2029-12-31T23:00:00Z"},
	{"an update", doc(st(bolt, safe+`, "timestamp": "2030-01-01T00:00:00Z", "last_updated": "2031-01-01T00:00:00Z"`)), "not_affected pkg:npm/bolt@1 at 2031-01-01T00:00:00Z"},
	{"an update before", doc(st(bolt, safe+`, "timestamp": "2030-01-01T00:00:00Z", "last_updated": "2029-01-01T00:00:00Z"`)), "not_affected pkg:npm/bolt@1 at 2029-01-01T00:00:00Z"},
	{"an update before, and a risk", doc(st(bolt, risky+`, "timestamp": "2030-01-01T00:00:00Z", "last_updated": "2029-01-01T00:00:00Z"`)), "affected pkg:npm/bolt@1 at 2030-01-01T00:00:00Z"},
	{"an update of the document", strings.Replace(doc(st(bolt, safe)), `"timestamp"`, `"last_updated": "2025-01-01T00:00:00Z", "timestamp"`, 1), "not_affected pkg:npm/bolt@1 at 2025-01-01T00:00:00Z"},
	{"an IRI of a vulnerability", doc(`{"vulnerability": {"@id": "https://nvd.nist.gov/vuln/detail/CVE-1/"}, "products": [` + bolt + `], ` + safe + `}`), "not_affected pkg:npm/bolt@1"},
}

// describe is a line for a product.
func describe(p *vex.Product) string {
	parts := []string{}
	for _, s := range append([]string{p.PURL, p.CPE}, p.Digests...) {
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

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		var lines []string
		for s, err := range openvex.Decode("x", []byte(tt.text), nil) {
			var part *vex.StatementError
			switch {
			case errors.As(err, &part):
				lines = append(lines, err.Error())
			case err != nil:
				lines = append(lines, "fatal: "+err.Error())
			default:
				line := string(s.Status)
				for i := range s.Products {
					line += " " + describe(&s.Products[i])
				}
				if at := s.Time.Format("2006-01-02T15:04:05Z07:00"); at != "2024-01-02T00:00:00Z" {
					line += " at " + at
				}
				if s.Vulnerability != "CVE-1" {
					line += " about " + s.Vulnerability
				}
				lines = append(lines, line)
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
		for range openvex.Decode("x", []byte(tt.text), nil) {
			all++
		}
		for stop := range all {
			n := 0
			for range openvex.Decode("x", []byte(tt.text), nil) {
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
	many := strings.Repeat(st(bolt, safe)+",", 9) + st(bolt, safe)
	for _, tt := range []struct {
		opts       *openvex.Options
		text, want string
		read       int
	}{
		{&openvex.Options{MaxBytes: 100}, doc(many), "bytes", 0},
		{&openvex.Options{MaxStatements: 5}, doc(many), "/statements/5: statements", 5},
		{&openvex.Options{MaxProducts: 7}, doc(many), "/statements/7: products", 7},
	} {
		statements, broken, err := read(t, "x", []byte(tt.text), tt.opts)
		if !errors.Is(err, openvex.ErrLimit) || !strings.Contains(fmt.Sprint(err), tt.want) || len(statements) != tt.read || len(broken) > 0 {
			t.Errorf("%+v: %d statements, %v, %v; want %d and %q", tt.opts, len(statements), broken, err, tt.read, tt.want)
		}
	}
	multiplied := doc(st(strings.Repeat(bolt+",", 999)+bolt, safe+`, "subcomponents": [`+strings.Repeat(bolt+",", 999)+bolt+`]`))
	if _, broken, err := read(t, "x", []byte(multiplied), nil); len(broken) != 1 || err != nil || !strings.Contains(broken[0], "subcomponents") {
		t.Errorf("a million subcomponents: %v, %v", broken, err)
	}
}

// TestMillion: a million statements are over the limit, and told so.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	text := doc(strings.Repeat(`{},`, 1_000_000) + `{}`)
	n := 0
	var last error
	for _, err := range openvex.Decode("x", []byte(text), nil) {
		n, last = n+1, err
	}
	if !errors.Is(last, openvex.ErrLimit) || n != openvex.DefaultStatements+1 {
		t.Errorf("%d parts, %v", n, last)
	}
}

// TestInherited: a statement that names no product is about what contains the
// document.
func TestInherited(t *testing.T) {
	opts := &openvex.Options{Products: []vex.Product{{Digests: []string{"sha256:" + strings.Repeat("0", 64)}}}}
	statements, broken, err := read(t, "x", []byte(doc(`{"vulnerability": "CVE-1", "subcomponents": ["pkg:npm/nut"], `+safe+`}`)), opts)
	if err != nil || len(broken) > 0 || len(statements) != 1 {
		t.Fatal(statements, broken, err)
	}
	if got, want := describe(&statements[0].Products[0]), opts.Products[0].Digests[0]+"[pkg:npm/nut]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(opts.Products[0].Subcomponents) > 0 {
		t.Error("the option was changed")
	}
}
