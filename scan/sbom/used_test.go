package sbom_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

func TestUsed(t *testing.T) {
	unreached, reached := &sbom.Usage{State: sbom.Unreached}, &sbom.Usage{State: sbom.Reached, Chain: []string{"app"}}
	d := &sbom.Document{Subject: sbom.Subject{ID: "image", Name: "i"}, Namespace: "urn:x", Packages: []sbom.Package{
		{ID: "a", Name: "a", Usage: reached}, {ID: "b", Name: "b", Usage: unreached}, {ID: "c", Name: "c"}, {ID: "d", Name: "d", Usage: unreached},
	}, Relationships: []sbom.Relationship{
		{From: "a", Kind: sbom.DependsOn, To: "b"}, {From: "a", Kind: sbom.DependsOn, To: "c"}, {From: "b", Kind: sbom.Contains, To: "d"},
		{From: "d", Kind: sbom.Contains, To: "c"}, {From: "image", Kind: sbom.Contains, To: "a"}, {From: "image", Kind: sbom.Contains, To: "b"}, {From: "c", Kind: sbom.OwnedBy, To: "d"},
	}}
	d.Normalize()
	before := *d
	got := d.Used()
	want := &sbom.Document{Subject: d.Subject, Packages: []sbom.Package{d.Packages[0], d.Packages[2]}, Relationships: []sbom.Relationship{
		{From: "a", Kind: sbom.DependsOn, To: "c"}, {From: "image", Kind: sbom.Contains, To: "a"}, {From: "image", Kind: sbom.Contains, To: "c"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&before, d); diff != "" {
		t.Errorf("the document changed:\n%s", diff)
	}
	if problems := got.Check(); len(problems) > 0 {
		t.Error(problems)
	}
}
