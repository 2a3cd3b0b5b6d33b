package csaf_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// taken is a resolution in short.
type taken struct {
	component string
	within    []string
	platform  string
	purls     []string
}

func takeApart(t *testing.T, p *csaf.Products, id string) taken {
	t.Helper()
	r, err := p.Resolve(id)
	if err != nil {
		t.Fatal(err)
	}
	out := taken{component: r.Component.ID, purls: r.PackageURLs()}
	for _, c := range r.Within {
		out.within = append(out.within, c.Category+" "+c.Product.ID)
	}
	if platform := r.Platform(); platform != nil {
		out.platform = platform.ID
	}
	return out
}

// TestResolveModule takes apart a component of a module of a platform.
func TestResolveModule(t *testing.T) {
	text := testdata.Open(t, "advisories/rhel-csaf-to-osv.tar.gz")["tools/redhat/testdata/CSAF/rhsa-2024_6220.json"]
	doc, err := csaf.Decode(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := csaf.NewProducts(doc.ProductTree)
	got := takeApart(t, p, "AppStream-8.6.0.Z.AUS:python39:3.9:8060020240801142753:6a631399:PyYAML-0:5.4.1-1.module+el8.5.0+10613+59a13ec4.src")
	want := taken{
		component: "PyYAML-0:5.4.1-1.module+el8.5.0+10613+59a13ec4.src",
		within:    []string{"default_component_of python39:3.9:8060020240801142753:6a631399", "default_component_of AppStream-8.6.0.Z.AUS"},
		platform:  "AppStream-8.6.0.Z.AUS",
		purls:     []string{"pkg:rpm/redhat/PyYAML@5.4.1-1.module%2Bel8.5.0%2B10613%2B59a13ec4?arch=src"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(taken{})); d != "" {
		t.Error(d)
	}
	if cpe := p.Product(got.platform).Helper.CPE; cpe != "cpe:/a:redhat:rhel_aus:8.6::appstream" {
		t.Error("CPE of the platform:", cpe)
	}
	composed := 0
	for _, id := range p.IDs() {
		if p.Product(id).Composed() {
			composed++
		}
		if r, err := p.Resolve(id); err != nil || p.Product(id).Composed() != (len(r.Within) > 0) {
			t.Error(id, err)
		}
	}
	if composed != 342 {
		t.Error(composed, "products are put together")
	}
}

// TestResolveReal: every product that a real document refers to can be taken
// apart.
func TestResolveReal(t *testing.T) {
	products := 0
	realDocuments(t, func(_, name string, text []byte) {
		doc, err := csaf.Decode(text, nil)
		if err != nil {
			return
		}
		p := csaf.NewProducts(doc.ProductTree)
		for _, v := range doc.Vulnerabilities {
			for _, l := range v.ProductStatus.Lists() {
				for _, id := range l.IDs {
					products++
					if _, err := p.Resolve(id); err != nil {
						t.Error(name, err)
					}
				}
			}
		}
	})
	t.Log(products, "products of status lists")
}

func TestResolve(t *testing.T) {
	name := func(id string) csaf.FullProductName { return csaf.FullProductName{Name: id, ProductID: id} }
	relation := func(id, category, a, b string) csaf.Relationship {
		return csaf.Relationship{Category: category, FullProductName: name(id), ProductReference: a, RelatesToProductReference: b}
	}
	p := csaf.NewProducts(&csaf.ProductTree{
		FullProductNames: []csaf.FullProductName{name("a"), name("b"), name("c"), {Name: "twice", ProductID: "a"}},
		Relationships: []csaf.Relationship{
			relation("a.b", "installed_on", "a", "b"), relation("a.b+c", "installed_with", "a.b", "c"),
			relation("circle", "installed_on", "a", "round"), relation("round", "installed_on", "circle", "b"), relation("gone", "installed_on", "a", "nowhere"),
		},
		ProductPaths:  []csaf.ProductPath{{Beginning: "a", FullProductName: name("path"), Subpaths: []csaf.Subpath{{"default_component_of", "b"}, {"installed_on", "c"}}}},
		ProductGroups: []csaf.ProductGroup{{GroupID: "g", ProductIDs: []string{"a", "b"}}, {GroupID: "h", ProductIDs: []string{"b", "c"}}},
	})
	for id, want := range map[string]taken{
		"a":     {component: "a"},
		"a.b":   {component: "a", within: []string{"installed_on b"}, platform: "b"},
		"a.b+c": {component: "a", within: []string{"installed_on b", "installed_with c"}, platform: "b"},
		"path":  {component: "a", within: []string{"default_component_of b", "installed_on c"}, platform: "c"},
	} {
		if d := cmp.Diff(want, takeApart(t, p, id), cmp.AllowUnexported(taken{})); d != "" {
			t.Errorf("%s: %s", id, d)
		}
	}
	if _, err := p.Resolve("circle"); !errors.Is(err, csaf.ErrInvalid) {
		t.Error("circle:", err)
	}
	if _, err := p.Resolve("gone"); err == nil || errors.Is(err, csaf.ErrInvalid) {
		t.Error("gone:", err)
	}
	if p.Product("a").Name != "a" || p.Product("a").Pointer != "/product_tree/full_product_names/0" {
		t.Error("the second definition of an id counts")
	}
	if d := cmp.Diff([]string{"c", "a", "b"}, p.Expand([]string{"c"}, []string{"g", "no", "h"})); d != "" {
		t.Error(d)
	}
	var deep []csaf.Relationship
	for i := range 100 {
		deep = append(deep, relation(strconv.Itoa(i+1), "installed_on", strconv.Itoa(i), "x"))
	}
	p = csaf.NewProducts(&csaf.ProductTree{FullProductNames: []csaf.FullProductName{name("0"), name("x")}, Relationships: deep})
	if _, err := p.Resolve("100"); !errors.Is(err, csaf.ErrLimit) {
		t.Error("a hundred parts:", err)
	}
	if p := csaf.NewProducts(nil); len(p.IDs()) != 0 {
		t.Error("an empty tree has products")
	}
}

func TestBranch(t *testing.T) {
	doc, err := csaf.Decode([]byte(full), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := csaf.NewProducts(doc.ProductTree).Product("T1")
	if p.PathString() != "Example/Tool/1.0" || p.Branch("vendor") != "Example" || p.Branch("product_version") != "1.0" || p.Branch("language") != "" {
		t.Errorf("%+v", p)
	}
}
