package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// TestOf: what a document says of its subject becomes facts.
func TestOf(t *testing.T) {
	pkg := func(id, typ string) sbom.Package {
		return sbom.Package{ID: id, Name: id, Version: "1", PURL: purl.PackageURL{Type: typ, Name: id, Version: "1"}}
	}
	doc := &sbom.Document{
		Name: "web", Created: "2026-11-01T00:00:00Z",
		Subject: sbom.Subject{
			Kind: sbom.SubjectImage, ConfigDigest: "sha256:c", Platform: "linux/amd64", OS: &sbom.OS{ID: "rhel", VersionID: "9.4"}, Layers: []sbom.Layer{{DiffID: "sha256:l0"}, {DiffID: "sha256:l1"}},
			Labels:  []sbom.Property{{Name: "cpe", Value: "cpe:/a:redhat:openshift:4.12::el9"}, {Name: "org.opencontainers.image.base.name", Value: "registry.example.com/base:9"}, {Name: "team", Value: "payments"}},
			Package: &sbom.Package{Name: "app", PURL: purl.PackageURL{Type: "golang", Namespace: "example.com", Name: "app", Version: "v1"}},
		},
		Source:        &sbom.Source{Manifest: "sha256:m", Index: "sha256:i", Tags: []string{"registry.example.com/team/web:1"}},
		Packages:      []sbom.Package{pkg("a", "npm"), pkg("b", "npm"), pkg("c", "deb")},
		Relationships: []sbom.Relationship{{From: "a", Kind: sbom.DependsOn, To: "b"}, {From: "a", Kind: sbom.OwnedBy, To: "c"}},
		Gaps:          []sbom.Gap{{Code: sbom.GapUnreadable, Where: "x"}},
	}
	in := &policy.Inputs{}
	in.Of(doc)
	want := &policy.Inputs{
		Subject: policy.Subject{
			Name: "web", Created: doc.Created, OS: "rhel-9.4", Layers: []string{"sha256:l0", "sha256:l1"}, Base: []string{"registry.example.com/base:9"},
			Image:  vex.Image{Digests: []string{"sha256:c", "sha256:m", "sha256:i"}, Names: []string{"registry.example.com/team/web:1"}, CPEs: []string{"cpe:/a:redhat:openshift:4.12::el9"}},
			Labels: map[string]string{"cpe": "cpe:/a:redhat:openshift:4.12::el9", "org.opencontainers.image.base.name": "registry.example.com/base:9", "team": "payments"},
		},
		Packages: doc.Packages, Gaps: doc.Gaps,
		Owners: map[string][]string{
			"a": {"pkg:deb/c@1", "pkg:golang/example.com/app@v1"}, "b": {"pkg:npm/a@1", "pkg:golang/example.com/app@v1"}, "c": {"pkg:golang/example.com/app@v1"},
		},
	}
	if diff := cmp.Diff(want, in, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	// Of a document that nobody scanned nothing is known of labels.
	other := &policy.Inputs{}
	other.Of(&sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectImage}})
	if other.Subject.Labels != nil {
		t.Errorf("labels %v of a document that has none", other.Subject.Labels)
	}
	bare := &policy.Inputs{}
	bare.Of(&sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectImage, Platform: "linux/amd64"}})
	if bare.Subject.Labels == nil {
		t.Error("an image without labels is one whose labels are not known")
	}
}
