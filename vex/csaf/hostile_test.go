package csaf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
)

// document is a document around a product tree and vulnerabilities.
func document(tree, vulnerabilities string) string {
	return `{"document": {"category": "csaf_vex", "csaf_version": "2.0", "title": "t",
	  "publisher": {"category": "vendor", "name": "Example", "namespace": "https://example.com"},
	  "tracking": {"id": "EX-1", "status": "final", "version": "1",
	    "initial_release_date": "2024-01-02T00:00:00Z", "current_release_date": "2024-01-02T00:00:00Z",
	    "revision_history": [{"date": "2024-01-02T00:00:00Z", "number": "1", "summary": "first"}]}},
	  "product_tree": ` + tree + `, "vulnerabilities": [` + vulnerabilities + `]}`
}

// newer makes it one of CSAF 2.1.
func newer(text string) string {
	return strings.Replace(text, `"csaf_version": "2.0"`, `"csaf_version": "2.1", "distribution": {"tlp": {"label": "CLEAR"}}`, 1)
}

// vuln is a vulnerability with a product status and what follows.
func vuln(status, rest string) string {
	return `{"cve": "CVE-2024-1001", "notes": [{"category": "description", "text": "n"}], "product_status": {` + status + `}` + rest + `}`
}

// full is a product without a branch.
func full(id, helper string) string {
	return `{"name": "name of ` + id + `", "product_id": "` + id + `"` + helping(helper) + `}`
}

func helping(helper string) string {
	if helper == "" {
		return ""
	}
	return `, "product_identification_helper": {` + helper + `}`
}

// names is a tree of products without branches.
func names(list ...string) string {
	return `{"full_product_names": [` + strings.Join(list, ", ") + `]}`
}

// within is a tree with a component P of a platform, and the result R.
func within(component, platform string) string {
	return `{"full_product_names": [` + full("P", component) + `, ` + full("OS", platform) + `], "relationships": [` + relation("default_component_of", "R", "P", "OS") + `]}`
}

func relation(category, id, of, to string) string {
	return `{"category": "` + category + `", "full_product_name": ` + full(id, "") + `, "product_reference": "` + of + `", "relates_to_product_reference": "` + to + `"}`
}

// branch is a tree of one branch.
func branch(category, name, helper string) string {
	return `{"branches": [{"category": "` + category + `", "name": "` + name + `", "product": ` + full("P", helper) + `}]}`
}

const (
	bolt   = `"purl": "pkg:npm/bolt@1.0.0"`
	flag   = `, "flags": [{"label": "component_not_present", "product_ids": ["P"]}]`
	flagR  = `, "flags": [{"label": "component_not_present", "product_ids": ["R"]}]`
	fix    = `, "remediations": [{"category": "vendor_fix", "details": "Update.", "url": "https://example.com/u", "product_ids": ["P"]}]`
	fixR   = `, "remediations": [{"category": "vendor_fix", "details": "Update.", "product_ids": ["R"]}]`
	not    = `"known_not_affected": ["P"]`
	notR   = `"known_not_affected": ["R"]`
	isR    = `"known_affected": ["R"]`
	rhel9  = `"cpe": "cpe:/a:redhat:enterprise_linux:9::appstream"`
	eap    = `"cpe": "cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7"`
	server = `"purl": "pkg:rpm/redhat/openssl"`
)

// hostile are documents and what comes of them, a line for each statement or error.
var hostile = []struct{ name, text, want string }{
	{"a flag", document(names(full("P", bolt)), vuln(not, flag)), "not_affected component_not_present pkg:npm/bolt@1.0.0"},
	{"an action", document(names(full("P", bolt)), vuln(`"known_affected": ["P"]`, fix)), "affected {vendor_fix: Update. https://example.com/u} pkg:npm/bolt@1.0.0"},
	{"no reason", document(names(full("P", bolt)), vuln(not, "")), "not_affected pkg:npm/bolt@1.0.0"},
	{"a severity is no reason", document(names(full("P", bolt)), vuln(not, `, "threats": [{"category": "impact", "details": "Low", "product_ids": ["P"]}]`)), "not_affected pkg:npm/bolt@1.0.0"},
	{"a reason", document(names(full("P", bolt)), vuln(not, `, "threats": [{"category": "impact", "details": "No loop.", "product_ids": ["P"]}]`)), "not_affected (No loop.) pkg:npm/bolt@1.0.0"},
	{"a reason for no product", document(names(full("P", bolt)), vuln(not, `, "threats": [{"category": "impact", "details": "No loop."}]`)), "not_affected pkg:npm/bolt@1.0.0"},
	{"recommended", document(names(full("P", bolt)), vuln(`"recommended": ["P"]`, "")), ""},
	{"two reasons", document(names(full("P", bolt), full("Q", `"purl": "pkg:npm/nut"`)), vuln(`"known_not_affected": ["P", "Q"]`, flag)), "not_affected component_not_present pkg:npm/bolt@1.0.0\nnot_affected pkg:npm/nut"},
	{"both statuses", document(names(full("P", bolt)), vuln(not+`, "known_affected": ["P"]`, flag)), `fatal: read csaf from x: /vulnerabilities/0/product_status/known_not_affected/0: test 6.1.6 fails: product "P" is both affected and not affected: invalid input`},
	{"both statuses in 2.1", newer(document(names(full("P", bolt)), vuln(not+`, "known_affected": ["P"]`, flag+fix))), "affected {vendor_fix: Update. https://example.com/u} pkg:npm/bolt@1.0.0\nnot_affected component_not_present pkg:npm/bolt@1.0.0"},
	{"a product of nowhere", document(names(full("P", bolt)), vuln(`"known_not_affected": ["Q"]`, flag)), `fatal: read csaf from x: /vulnerabilities/0/product_status/known_not_affected/0: test 6.1.1 fails: product "Q" is not defined: invalid input`},
	{"a product of nowhere in 2.1", newer(document(names(full("P", bolt)), vuln(`"known_not_affected": ["Q", "P"]`, flag))), "x: /vulnerabilities/0/product_status/known_not_affected/0: resolve product \"Q\": product \"Q\" is not defined: not found\nnot_affected component_not_present pkg:npm/bolt@1.0.0"},
	{"a circle", document(`{"full_product_names": [`+full("P", bolt)+`], "relationships": [`+relation("default_component_of", "R", "R", "P")+`]}`, vuln(notR, flagR)), `fatal: read csaf from x: /product_tree/relationships/0/full_product_name/product_id: test 6.1.3 fails: product "R" ends up in a circle: invalid input`},
	{"an unknown label in 2.1", newer(document(names(full("P", bolt)), vuln(not, `, "flags": [{"label": "trust_me", "product_ids": ["P"]}]`))), `x: /vulnerabilities/0/flags/0: label "trust_me" is none of [component_not_present vulnerable_code_not_present vulnerable_code_not_in_execute_path vulnerable_code_cannot_be_controlled_by_adversary inline_mitigations_already_exist]: invalid input` + "\nnot_affected pkg:npm/bolt@1.0.0"},
	{"several package URLs in 2.1", newer(document(names(full("P", `"purls": ["pkg:rpm/x/bolt@1?arch=x86_64", "pkg:rpm/x/bolt@1?arch=s390x"]`)), vuln(not, flag))), "not_affected component_not_present pkg:rpm/x/bolt@1?arch=x86_64 pkg:rpm/x/bolt@1?arch=s390x"},
	{"several things in 2.1", newer(document(names(full("P", `"purls": ["pkg:rpm/x/bolt@1", "pkg:rpm/x/bolt@2"]`)), vuln(not, flag))), "not_affected component_not_present name of P?"},
	{"a product twice in the same words", document(names(full("P", bolt), full("P", bolt)), vuln(not, flag)), "not_affected component_not_present pkg:npm/bolt@1.0.0"},
	{"a product twice", document(names(full("P", bolt), full("P", `"purl": "pkg:npm/nut"`)), vuln(not, flag)), `fatal: read csaf from x: /product_tree/full_product_names/1/product_id: test 6.1.2 fails: product "P" is already defined at /product_tree/full_product_names/0: invalid input`},
	{"a draft", strings.Replace(document(names(full("P", bolt)), vuln(not, flag)), `"final"`, `"draft"`, 1), "fatal: read csaf from x: /document/tracking/status: it is a draft: invalid input"},
	{"a wrong time", newer(strings.Replace(document(names(full("P", bolt)), vuln(not, flag)), `"current_release_date": "2024-01-02T00:00:00Z"`, `"current_release_date": "now"`, 1)), `fatal: read csaf from x: /document/tracking/current_release_date: "now" is no time: invalid input`},
	{"no name", newer(document(names(full("P", bolt)), strings.Replace(vuln(not, flag), `"cve": "CVE-2024-1001", `, "", 1))), "x: /vulnerabilities/0: it names no vulnerability: invalid input"},
	{"an id", document(names(full("P", bolt)), strings.Replace(vuln(not, flag), `"cve": "CVE-2024-1001"`, `"ids": [{"system_name": "s", "text": "EX-7"}, {"system_name": "t", "text": "EX-8"}, {"system_name": "n", "text": "123"}]`, 1)), "not_affected component_not_present pkg:npm/bolt@1.0.0 about EX-7 [EX-8]"},
	{"twice", document(names(full("P", bolt)), vuln(not, flag)+","+vuln(not, flag)), "fatal: read csaf from x: /vulnerabilities/1/cve: test 6.1.23 fails: CVE-2024-1001 is already at /vulnerabilities/0: invalid input"},

	{"a version of a branch", document(branch("product_version", "1.2.3", `"purl": "pkg:npm/bolt"`), vuln(not, flag)), "not_affected component_not_present pkg:npm/bolt vers:npm/1.2.3"},
	{"a branch that says none", document(branch("product_version", "bolt", `"purl": "pkg:npm/bolt"`), vuln(not, flag)), "not_affected component_not_present pkg:npm/bolt"},
	{"a range", document(branch("product_version_range", "vers:npm/>=1.0.0|<1.5.0", `"purl": "pkg:npm/bolt"`), vuln(not, flag)), "not_affected component_not_present pkg:npm/bolt vers:npm/>=1.0.0|<1.5.0"},
	{"a range in words", document(branch("product_version_range", "up to 1.5", `"purl": "pkg:npm/bolt"`), vuln(not, flag)), "not_affected component_not_present name of P?"},
	{"a range in words, and a risk", document(branch("product_version_range", "up to 1.5", `"purl": "pkg:npm/bolt"`), vuln(`"known_affected": ["P"]`, "")), "affected pkg:npm/bolt up to 1.5"},
	{"a CPE name of a branch with a version", document(branch("product_version", "1.2", `"cpe": "cpe:/a:example:bolt"`), vuln(not, flag)), "not_affected component_not_present name of P?"},

	{"a package of RHEL 9", document(within(server, rhel9), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/redhat/openssl?distro=rhel-9"},
	{"a build of a minor release", document(within(`"purl": "pkg:rpm/redhat/openssl@3.0.7-6.el9_2?arch=x86_64"`, `"cpe": "cpe:/a:redhat:rhel_eus:9.2::appstream"`), vuln(`"fixed": ["R"]`, "")), "fixed pkg:rpm/redhat/openssl@3.0.7-6.el9_2?arch=x86_64&distro=rhel-9"},
	{"a package of SLES", document(within(`"purl": "pkg:rpm/suse/openssl"`, `"cpe": "cpe:/o:suse:sles:15:sp6"`), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/suse/openssl?distro=sles-15.6"},
	{"a package of another vendor", document(within(`"purl": "pkg:rpm/suse/openssl"`, rhel9), vuln(notR, flagR)), "not_affected component_not_present cpe:/a:redhat:enterprise_linux:9::appstream[pkg:rpm/suse/openssl]"},
	{"a package of a product", document(within(server, eap), vuln(notR, flagR)), "not_affected component_not_present cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7[pkg:rpm/redhat/openssl]"},
	{"a build of a product", document(within(`"purl": "pkg:rpm/redhat/openssl@1-2.el7eap"`, eap), vuln(notR, flagR)), "not_affected component_not_present cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7[pkg:rpm/redhat/openssl@1-2.el7eap]"},
	{"a fixed build of a product", document(within(`"purl": "pkg:rpm/redhat/openssl@1-2.el7eap"`, eap), vuln(`"fixed": ["R"]`, "")), "fixed pkg:rpm/redhat/openssl@1-2.el7eap"},
	{"a jar of a product", document(within(`"purl": "pkg:maven/org.example/bolt@1"`, eap), vuln(`"fixed": ["R"]`, "")), "fixed cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7[pkg:maven/org.example/bolt@1]"},
	{"an image", document(within(`"purl": "pkg:oci/bolt?repository_url=registry.example.com/bolt"`, eap), vuln(notR, flagR)), "not_affected component_not_present pkg:oci/bolt?repository_url=registry.example.com/bolt"},
	{"an image of no registry", document(within(`"purl": "pkg:oci/bolt"`, eap), vuln(notR, flagR)), "not_affected component_not_present cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7[pkg:oci/bolt]"},
	{"a component without identifier", document(within("", rhel9), vuln(notR, flagR)), "not_affected component_not_present cpe:/a:redhat:enterprise_linux:9::appstream[name of R?]"},
	{"a platform without identifier", document(within(server, ""), vuln(notR, flagR)), "not_affected component_not_present name of OS?[pkg:rpm/redhat/openssl]"},
	{"a module", document(modular("pkg:rpmmod/redhat/nodejs@18:8060020240801142753:6a631399"), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/redhat/openssl?distro=rhel-9&rpmmod=nodejs:18"},
	{"a build for a module", document(strings.Replace(modular("pkg:rpmmod/redhat/nodejs@18:8060020240801142753:6a631399"), "openssl", "openssl@1-2.module%2Bel9", 1), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/redhat/openssl@1-2.module%2Bel9?distro=rhel-9"},
	{"within two", document(modular("pkg:generic/suite"), vuln(notR, flagR)), "not_affected component_not_present name of R?"},
	{"within two, and a risk", document(modular("pkg:generic/suite"), vuln(isR, fixR)), "affected {vendor_fix: Update.} pkg:rpm/redhat/openssl?distro=rhel-9"},
	{"an image installed with another", strings.Replace(document(within(`"purl": "pkg:oci/bolt?repository_url=registry.example.com/bolt"`, eap), vuln(notR, flagR)), "default_component_of", "installed_with", 1), "not_affected component_not_present name of R?"},
	{"an identifier of the whole", document(strings.Replace(within(server, rhel9), `"name": "name of R", "product_id": "R"`, `"name": "name of R", "product_id": "R", "product_identification_helper": {"purl": "pkg:rpm/redhat/openssl@3-1.el9"}`, 1), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/redhat/openssl@3-1.el9?distro=rhel-9"},
	{"no identifier of the whole", document(strings.Replace(within(server, rhel9), `"name": "name of R", "product_id": "R"`, `"name": "name of R", "product_id": "R", "product_identification_helper": {"skus": ["s"]}`, 1), vuln(notR, flagR)), "not_affected component_not_present pkg:rpm/redhat/openssl?distro=rhel-9"},
	{"installed with another", strings.Replace(document(within(server, rhel9), vuln(notR, flagR)), "default_component_of", "installed_with", 1), "not_affected component_not_present name of R?"},
}

// modular is a component of a module of a platform.
func modular(module string) string {
	return `{"full_product_names": [` + full("P", server) + `, ` + full("M", `"purl": "`+module+`"`) + `, ` + full("OS", rhel9) + `], "relationships": [` +
		relation("default_component_of", "I", "P", "M") + `, ` + relation("default_component_of", "R", "I", "OS") + `]}`
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
	return strings.ReplaceAll(out, "%3A", ":")
}

// line is a text for a statement.
func line(s *vex.Statement) string {
	out := string(s.Status)
	if s.Justification != "" {
		out += " " + string(s.Justification)
	}
	if s.Impact != "" {
		out += " (" + s.Impact + ")"
	}
	if s.Action != "" {
		out += " {" + s.Action + "}"
	}
	for i := range s.Products {
		out += " " + describe(&s.Products[i])
	}
	if s.Vulnerability != "CVE-2024-1001" {
		out += fmt.Sprintf(" about %s %v", s.Vulnerability, s.Aliases)
	}
	return out
}

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		var lines []string
		for s, err := range csaf.Decode("x", []byte(tt.text), nil) {
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

// TestApplies: what is said of one release's package applies to it, and to no other
// release's.
func TestApplies(t *testing.T) {
	statements, _, err := read(t, "x", []byte(document(within(server, rhel9), vuln(notR, flagR))), nil)
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]vex.Reason{
		"pkg:rpm/redhat/openssl@3.0.7-6.el9?arch=x86_64&distro=rhel-9.2":    vex.Applies,
		"pkg:rpm/redhat/openssl@1.1.1k-6.el8?arch=x86_64&distro=rhel-8.6":   vex.OtherQualifiers,
		"pkg:rpm/redhat/openssl@3.0.7-6.el9?arch=x86_64":                    vex.Uncertain,
		"pkg:rpm/redhat/openssl-libs@3.0.7-6.el9?arch=x86_64&distro=rhel-9": vex.OtherPackage,
		"pkg:rpm/rocky/openssl@3.0.7-6.el9?arch=x86_64&distro=rocky-9.2":    vex.OtherPackage,
	} {
		q := vex.Query{Vulnerabilities: []string{"CVE-2024-1001"}, Package: vex.Part{PURL: url}}
		selection := q.Select(statements)
		got := vex.Applies
		if len(selection.Others) > 0 {
			got = selection.Others[0].Reason
		}
		if got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// TestBreak: who stops at a part is given no further one.
func TestBreak(t *testing.T) {
	for _, tt := range hostile {
		all := 0
		for range csaf.Decode("x", []byte(tt.text), nil) {
			all++
		}
		for stop := range all {
			n := 0
			for range csaf.Decode("x", []byte(tt.text), nil) {
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
	text := document(names(full("P", bolt), full("Q", bolt)), vuln(`"known_not_affected": ["P"], "known_affected": ["Q"]`, flag))
	for _, tt := range []struct {
		opts *csaf.Options
		want string
	}{
		{&csaf.Options{MaxBytes: 100}, "bytes"},
		{&csaf.Options{MaxStatements: 1}, "/vulnerabilities/0/product_status/known_not_affected/0: statements"},
		{&csaf.Options{MaxProducts: 1}, "products"},
	} {
		_, _, err := read(t, "x", []byte(text), tt.opts)
		if !errors.Is(err, csaf.ErrLimit) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.opts, err, tt.want)
		}
	}
	deep := strings.Repeat(`{"branches": [{"category": "vendor", "name": "v", "branches": [`, 1)
	deep += strings.Repeat(`{"category": "vendor", "name": "v", "branches": [`, 99) + strings.Repeat(`]}`, 99) + `]}]}`
	if _, _, err := read(t, "x", []byte(document(deep, "")), nil); !errors.Is(err, csaf.ErrLimit) {
		t.Errorf("a hundred branches: %v", err)
	}
}
