package csaf_test

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
)

// read collects what a document says.
func read(t testing.TB, name string, text []byte, opts *csaf.Options) (statements []*vex.Statement, broken []string, fatal error) {
	t.Helper()
	for s, err := range csaf.Decode(name, text, opts) {
		var part *vex.StatementError
		switch {
		case fatal != nil:
			t.Fatal("something follows the last error")
		case errors.As(err, &part):
			broken = append(broken, err.Error())
		case err != nil:
			fatal = err
		default:
			statements = append(statements, s)
		}
	}
	return statements, broken, fatal
}

// figures count what documents say.
type figures struct {
	Documents, Statements, Identified, Contained  int
	Affected, NotAffected, Fixed, Investigated    int // products
	Justified, Explained, Unexplained, Actionable int // products: with a flag, else an impact, else nothing; affected with an action
}

func (f *figures) add(s *vex.Statement) {
	f.Statements++
	n := len(s.Products)
	for i := range s.Products {
		if s.Products[i].Identified() {
			f.Identified++
		}
		if len(s.Products[i].Subcomponents) > 0 {
			f.Contained++
		}
	}
	switch s.Status {
	case vex.Affected:
		f.Affected += n
		if s.Action != "" {
			f.Actionable += n
		}
	case vex.NotAffected:
		f.NotAffected += n
		switch {
		case s.Justification != "":
			f.Justified += n
		case s.Impact != "":
			f.Explained += n
		default:
			f.Unexplained += n
		}
	case vex.Fixed:
		f.Fixed += n
	case vex.UnderInvestigation:
		f.Investigated += n
	}
}

// recount counts what a document says without this package: products by status, and
// of what is not affected by the reason that is given.
func (f *figures) recount(t *testing.T, text []byte) {
	type reference struct {
		Category   string
		Details    string
		ProductIDs []string `json:"product_ids"`
		GroupIDs   []string `json:"group_ids"`
	}
	var doc struct {
		Tree struct {
			Groups []struct {
				ID         string   `json:"group_id"`
				ProductIDs []string `json:"product_ids"`
			} `json:"product_groups"`
		} `json:"product_tree"`
		Vulnerabilities []struct {
			Status                       map[string][]string `json:"product_status"`
			Flags, Threats, Remediations []reference
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	groups := map[string][]string{}
	for _, g := range doc.Tree.Groups {
		groups[g.ID] = g.ProductIDs
	}
	named := func(list []reference, category string) map[string]bool {
		out := map[string]bool{}
		for _, r := range list {
			if category != "" && r.Category != category {
				continue
			}
			for _, id := range r.ProductIDs {
				out[id] = true
			}
			for _, g := range r.GroupIDs {
				for _, id := range groups[g] {
					out[id] = true
				}
			}
		}
		return out
	}
	f.Documents++
	for _, v := range doc.Vulnerabilities {
		flags, threats, remediations := named(v.Flags, ""), named(v.Threats, "impact"), named(v.Remediations, "")
		for _, list := range []string{"known_affected", "first_affected", "last_affected"} {
			for _, id := range v.Status[list] {
				f.Affected++
				if remediations[id] {
					f.Actionable++
				}
			}
		}
		for _, id := range v.Status["known_not_affected"] {
			f.NotAffected++
			switch {
			case flags[id]:
				f.Justified++
			case threats[id]:
				f.Explained++
			default:
				f.Unexplained++
			}
		}
		f.Fixed += len(v.Status["fixed"]) + len(v.Status["first_fixed"])
		f.Investigated += len(v.Status["under_investigation"])
	}
}

// packs are the shared documents, what they say, and which are refused for what.
var packs = map[string]struct {
	want    figures
	refused map[string]string
}{
	"csaf-cisa-ics": {want: figures{Documents: 406, Statements: 2281, Affected: 9753, NotAffected: 57, Unexplained: 57, Actionable: 9753}},
	"csaf-examples": {want: figures{Documents: 19, Statements: 78, Identified: 28, Contained: 21, Affected: 290, NotAffected: 54, Fixed: 28, Investigated: 7, Justified: 3, Explained: 47, Unexplained: 4, Actionable: 290}},
	"csaf-provider-trees": {want: figures{Documents: 5, Statements: 10, Investigated: 10}, refused: map[string]string{
		"testdata/csaf-documents/trailing-garbage-data/avendor-advisory-0004.json": `read JSON at "", byte 4241: invalid character 'i' at start of value: invalid input`,
	}},
	"csaf-vex-claircore": {want: figures{Documents: 6, Statements: 11, Identified: 2765, Contained: 2473, Affected: 37, NotAffected: 2683, Fixed: 45, Justified: 2683, Actionable: 35}, refused: map[string]string{
		"toolkit/types/csaf/testdata/cve-1999-0001-deleted.json": "/document/csaf_version: it is missing: invalid input",
	}},
	"csaf-vex-redhat-trustify": {want: figures{Documents: 18, Statements: 74, Identified: 5843, Contained: 3444, Affected: 222, NotAffected: 3324, Fixed: 2297, Justified: 3324, Actionable: 222}},
	"openvex-go-vex":           {want: figures{Documents: 1, Statements: 1, Identified: 1, NotAffected: 1, Explained: 1}},
	"openvex-vexctl":           {want: figures{Documents: 1, Statements: 1, Identified: 1, NotAffected: 1, Explained: 1}},
}

// TestReal: every CSAF document of the shared packs is read whole or refused with
// its reason, and a count without this package comes to the same.
func TestReal(t *testing.T) {
	for pack, want := range packs {
		t.Run(pack, func(t *testing.T) {
			var got, recounted figures
			refused := map[string]string{}
			files := testdata.Open(t, "vex/"+pack+".tar.gz")
			for _, name := range testdata.Names(files) {
				text := files[name]
				if path.Ext(name) != ".json" || !strings.Contains(string(text), `"document"`) || !strings.Contains(string(text), `"tracking"`) {
					continue
				}
				statements, broken, err := read(t, name, text, nil)
				if len(broken) > 0 {
					t.Errorf("%s: %v", name, broken)
				}
				if err != nil {
					refused[name] = strings.TrimPrefix(err.Error(), "read csaf from "+name+": decode CSAF document: ")
					continue
				}
				got.Documents++
				for _, s := range statements {
					got.add(s)
					if s.ID == "" || s.Time.IsZero() || s.Origin.Document == "" || s.Origin.Author == "" || s.Origin.Version == "" {
						t.Fatalf("%s: %s is not complete", name, s.Origin.Pointer)
					}
				}
				recounted.recount(t, text)
			}
			if diff := cmp.Diff(want.want, got); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			recounted.Statements, recounted.Identified, recounted.Contained = got.Statements, got.Identified, got.Contained
			if diff := cmp.Diff(recounted, got); diff != "" {
				t.Errorf("against the count without this package (-want +got):\n%s", diff)
			}
			if want.refused == nil {
				want.refused = map[string]string{}
			}
			if diff := cmp.Diff(want.refused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAppliesReal: what Red Hat says of samba in its releases applies to packages of
// images of those releases, built from the source package that it names, and to no
// others.
func TestAppliesReal(t *testing.T) {
	const name = "rhel/vex/testdata/cve-2023-42670.json"
	statements, _, err := read(t, name, testdata.Open(t, "vex/csaf-vex-claircore.tar.gz")[name], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pkg, upstream string
		claims        int
	}{
		{"pkg:rpm/redhat/libsmbclient@4.17.5-2.el9?arch=x86_64&distro=rhel-9.2", "", 1},
		{"pkg:rpm/redhat/libsmbclient@3.6.23-53.el6?arch=x86_64&distro=rhel-6.10", "", 1},
		{"pkg:rpm/redhat/samba-anything@4.17.5-2.el9?arch=x86_64&distro=rhel-9.2", "pkg:rpm/redhat/samba@4.17.5-2.el9?distro=rhel-9.2", 2},
		{"pkg:rpm/redhat/libsmbclient@4.17.5-2.el5?arch=x86_64&distro=rhel-5.11", "", 0},
		{"pkg:rpm/redhat/libsmbclient@4.17.5-2.el9?arch=x86_64", "", 0},
		{"pkg:rpm/fedora/libsmbclient@4.17.5-2.fc38?arch=x86_64&distro=fedora-38", "", 0},
		{"pkg:rpm/redhat/nothing@4.17.5-2.el9?arch=x86_64&distro=rhel-9.2", "", 0},
	} {
		q := vex.Query{Vulnerabilities: []string{"CVE-2023-42670"}, Package: vex.Part{PURL: tt.pkg}, Upstream: tt.upstream}
		if got := q.Select(statements); len(got.Claims) != tt.claims {
			t.Errorf("%s: %d claims, %+v, want %d", tt.pkg, len(got.Claims), got.Others, tt.claims)
		}
	}
}

// TestOfficial: of the documents of the standard's own tests, those are refused that
// fail a mandatory test which bears on what is read.
func TestOfficial(t *testing.T) {
	files := testdata.Open(t, "conformance/csaf20-validator.tar.gz")
	counts := map[string]int{}
	for _, name := range testdata.Names(files) {
		base, ok := strings.CutPrefix(path.Base(name), "oasis_csaf_tc-csaf_2_0-2021-")
		if !ok {
			continue
		}
		folder := path.Base(path.Dir(name))
		_, _, err := read(t, name, files[name], nil)
		test := strings.Join(strings.Split(base, "-")[:3], ".")
		if strings.HasPrefix(base, "6-1-27-") {
			test = strings.Join(strings.Split(base, "-")[:4], ".")
		}
		counts["all"]++
		if err == nil {
			continue
		}
		counts["refused"]++
		if folder != "mandatory" {
			t.Errorf("%s: %v", name, err)
		}
		counts[test]++
	}
	if diff := cmp.Diff(official, counts); diff != "" {
		t.Errorf("refused by test (-want +got):\n%s", diff)
	}
}

// official are the refused documents of TestOfficial by the test they are of.
var official = map[string]int{"all": 99, "refused": 7, "6.1.01": 2, "6.1.03": 1, "6.1.05": 1, "6.1.17": 1, "6.1.21": 1, "6.1.23": 1}

func BenchmarkDecode(b *testing.B) {
	text := testdata.Open(b, "vex/csaf-vex-claircore.tar.gz")["rhel/vex/testdata/cve-2022-38752.json"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range csaf.Decode("x", text, nil) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n == 0 {
			b.Fatal("no statements")
		}
	}
}
