package sbom_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func pkg(name, version string, layers ...string) sbom.Package {
	p := sbom.Package{Name: name, Version: version, PURL: purl.PackageURL{Type: "generic", Name: name, Version: version}}
	for i, l := range layers {
		p.Locations = append(p.Locations, sbom.Location{Path: fmt.Sprint("p", i), Layer: l})
	}
	return p
}

func document(packages ...sbom.Package) *sbom.Document {
	d := &sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectOther, Name: "s"}, Packages: packages}
	d.Normalize()
	return d
}

// TestNormalizeForgetsOrder: the order of packages, and of the lists in them,
// leaves no trace.
func TestNormalizeForgetsOrder(t *testing.T) {
	packages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sbom.Package {
		p := pkg(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version"))
		p.Description = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "description")
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			p.Locations = append(p.Locations, sbom.Location{Path: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "path")})
			p.Licenses = append(p.Licenses, sbom.License{Name: rapid.SampledFrom([]string{"l", "m"}).Draw(t, "licence")})
		}
		return p
	}), 0, 8)
	rapid.Check(t, func(t *rapid.T) {
		list := packages.Draw(t, "packages")
		shuffled := slices.Clone(list)
		for i := range list { // lists are shared: keep them apart
			list[i].Locations, list[i].Licenses = slices.Clone(list[i].Locations), slices.Clone(list[i].Licenses)
		}
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		a, _ := json.Marshal(document(list...))
		b, _ := json.Marshal(document(shuffled...))
		if string(a) != string(b) {
			t.Errorf("order shows:\n%s\n%s", a, b)
		}
		d := document(shuffled...)
		d.Normalize()
		if c, _ := json.Marshal(d); string(c) != string(b) {
			t.Error("normalising twice changes a document")
		}
		if problems := d.Check(); len(problems) > 0 {
			t.Errorf("inconsistent: %v", problems)
		}
	})
}

func TestDiff(t *testing.T) {
	licensed := pkg("lic", "1")
	licensed.Licenses = []sbom.License{{Expression: "MIT"}}
	before := document(pkg("same", "1", "l1"), pkg("up", "1"), pkg("gone", "1"), pkg("many", "1"), pkg("many", "2"), pkg("moved", "1", "l1"), pkg("lic", "1"))
	after := document(pkg("same", "1", "l1"), pkg("up", "2"), pkg("new", "1"), pkg("many", "2"), pkg("many", "3"), pkg("many", "4"), pkg("moved", "1", "l2"), licensed)
	var got []string
	for _, c := range sbom.Diff(before, after) {
		line := string(c.Kind) + " " + c.Name
		if c.Before != nil {
			line += " -" + c.Before.Version
		}
		if c.After != nil {
			line += " +" + c.After.Version
		}
		got = append(got, line)
	}
	want := []string{"removed gone -1", "license lic -1 +1", "added many +3", "added many +4", "removed many -1", "layer moved -1 +1", "added new +1", "version up -1 +2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := sbom.Diff(after, after); len(same) != 0 {
		t.Errorf("a document differs from itself: %v", same)
	}
}

func TestMerge(t *testing.T) {
	one, two := document(pkg("a", "1", "l1"), pkg("b", "1")), document(pkg("a", "1", "l2"), pkg("c", "1"))
	one.Relationships = []sbom.Relationship{{From: one.Subject.ID, Kind: sbom.Contains, To: one.Packages[0].ID}, {From: one.Packages[0].ID, Kind: sbom.DependsOn, To: one.Packages[1].ID}}
	two.Composition = &sbom.Composition{}
	merged, losses := sbom.Merge(sbom.Subject{Name: "all"}, one, two)
	var names []string
	for _, p := range merged.Packages {
		names = append(names, fmt.Sprint(p.Name, len(p.Locations)))
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"a2", "b0", "c0"}, names); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if problems := merged.Check(); len(problems) > 0 || len(merged.Relationships) != 2 {
		t.Errorf("relationships %v, problems %v", merged.Relationships, problems)
	}
	if len(losses) != 1 || losses[0].What != "composition recipe" {
		t.Errorf("losses %v", losses)
	}
}

// TestMergeKeepsApart: what two documents call by one identifier stays two
// packages, and a subject that is a package is not lost.
func TestMergeKeepsApart(t *testing.T) {
	one := &sbom.Document{Subject: sbom.Subject{ID: "root", Name: "app"}, Packages: []sbom.Package{{ID: "1", Name: "a", Version: "1"}, {ID: "2", Name: "b", Version: "1"}},
		Relationships: []sbom.Relationship{{From: "root", Kind: sbom.Contains, To: "1"}, {From: "1", Kind: sbom.DependsOn, To: "2"}}}
	two := &sbom.Document{Packages: []sbom.Package{{ID: "1", Name: "b", Version: "1"}, {ID: "2", Name: "c", Version: "1"}, {ID: "app", Name: "d", Version: "1"}},
		Subject:       sbom.Subject{ID: "root", Name: "lib", Version: "7", OS: &sbom.OS{ID: "alpine", VersionID: "3.20"}, Package: &sbom.Package{PURL: purl.PackageURL{Type: "npm", Name: "lib", Version: "7"}}},
		Relationships: []sbom.Relationship{{From: "root", Kind: sbom.DependsOn, To: "1"}, {From: "1", Kind: sbom.DependsOn, To: "2"}, {From: "root", Kind: sbom.Contains, To: "app"}},
		Foreign:       sbom.Foreign{"cyclonedx": `{"$schema":null,"#xml":1,"services":[],"annotations":[]}`, "spdx": `{"SPDXID":"x"}`, "syft": `{}`}}
	one.Normalize()
	two.Normalize()
	merged, losses := sbom.Merge(sbom.Subject{ID: "app", Name: "all"}, one, two)
	names := map[string]string{"app": "all"}
	for _, p := range merged.Packages {
		names[p.ID] = p.Name + p.Version
	}
	var edges []string
	for _, r := range merged.Relationships {
		edges = append(edges, names[r.From]+" "+string(r.Kind)+" "+names[r.To])
	}
	slices.Sort(edges)
	want := []string{"a1 depends-on b1", "all contains a1", "all contains d1", "all contains lib7", "b1 depends-on c1", "lib7 depends-on b1"}
	if diff := cmp.Diff(want, edges); diff != "" || len(merged.Packages) != 5 || len(merged.Check()) > 0 {
		t.Errorf("%v, relationships (-want +got):\n%s", merged.Check(), diff)
	}
	if diff := cmp.Diff([]sbom.Loss{{Where: "lib", What: "distribution alpine 3.20"}, {Where: "lib", What: "members of cyclonedx outside the model: annotations, services"},
		{Where: "lib", What: "members of spdx outside the model"}}, losses); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

func TestCheckFindsProblems(t *testing.T) {
	d := &sbom.Document{Packages: []sbom.Package{{ID: "x", Name: "a"}, {ID: "x", Name: "b"}, {Name: "c"}, {ID: "y"}}, Relationships: []sbom.Relationship{{From: "x", Kind: sbom.DependsOn, To: "nowhere"}}}
	if got := d.Check(); len(got) != 4 {
		t.Errorf("problems %v; want a twin, a missing identifier, a missing name and a dangling end", got)
	}
}

// TestMerkleRoot holds the tree against RFC 6962 vectors over leaves of one
// digest, and against changes.
func TestMerkleRoot(t *testing.T) {
	digest := func(b byte) string { return fmt.Sprintf("sha256:%064x", b) }
	empty, err := sbom.MerkleRoot(nil)
	if err != nil || empty != "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("no leaves: %s, %v", empty, err)
	}
	seen := map[string]bool{empty: true}
	var list []string
	for i := range 9 {
		list = append(list, digest(byte(i)))
		root, err := sbom.MerkleRoot(list)
		if err != nil || seen[root] {
			t.Errorf("%d leaves: root %s, error %v, seen before %v", i+1, root, err, seen[root])
		}
		seen[root] = true
	}
	if twice, _ := sbom.MerkleRoot(append(slices.Clone(list), list[8])); seen[twice] {
		t.Error("repeating the last leaf does not change the root")
	}
	for _, bad := range []string{"", "sha256:00", "sha512:" + list[0][7:], "SHA256:" + list[0][7:], list[0][:70] + "Z"} {
		if _, err := sbom.MerkleRoot([]string{bad}); err == nil {
			t.Errorf("digest %q was accepted", bad)
		}
	}
}

func ExampleDiff() {
	before := document(pkg("openssl", "3.0.11"))
	after := document(pkg("openssl", "3.0.13"), pkg("zlib", "1.3"))
	for _, c := range sbom.Diff(before, after) {
		fmt.Println(c.Kind, c.Name, c.After.Version)
	}
	// Output:
	// version openssl 3.0.13
	// added zlib 1.3
}
