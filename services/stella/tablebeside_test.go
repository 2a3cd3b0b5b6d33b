package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

func TestBeside(t *testing.T) {
	d := &sbom.Document{
		Packages: []sbom.Package{
			{Name: "a", Usage: &sbom.Usage{State: sbom.Reached}}, {Name: "b", Usage: &sbom.Usage{State: sbom.Unreached}}, {Name: "c"},
			{Name: "usr/bin/\x1b[31mx", Type: sbom.TypeFile},
		},
		Secrets: []sbom.Secret{{Rule: "aws", Title: "AWS key", Path: "root/.aws", Line: 2, Removed: true}, {Rule: "pem", Path: "key.pem"}},
	}
	var b strings.Builder
	writeBeside(&b, d)
	want := `1 packages are reached from what the image starts, 1 are not, of 1 nobody can tell
2 secrets
  root/.aws:2  AWS key, which a layer above removes: it is in the image all the same
  key.pem  pem
1 files that no package accounts for
  usr/bin/` + "\ufffd" + `[31mx
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Reset()
	for i := range 20 {
		d.Secrets = append(d.Secrets, sbom.Secret{Rule: "x", Path: fmt.Sprint(i)})
	}
	if writeBeside(&b, d); !strings.Contains(b.String(), "  and 10 more\n") {
		t.Errorf("all are shown:\n%s", b.String())
	}
	b.Reset()
	if writeBeside(&b, new(sbom.Document)); b.Len() > 0 {
		t.Errorf("of nothing: %q", b.String())
	}
}
