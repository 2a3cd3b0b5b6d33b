package all_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestInventories: an image of Bottlerocket, whose usr is a link, with what only few scanners
// read in it.
func TestInventories(t *testing.T) {
	const root = "x86_64-bottlerocket-linux-gnu/sys-root/usr/"
	tar := imagetest.Tar(
		imagetest.File{Name: "usr", Link: root[:len(root)-1]},
		imagetest.File{Name: root + "lib/os-release", Data: "NAME=Bottlerocket\nID=bottlerocket\nVERSION_ID=1.34.0\n"},
		imagetest.File{Name: root + "share/bottlerocket/application-inventory.json",
			Data: `{"Content":[{"Name":"glibc","Version":"2.40","Release":"1.br1","Epoch":"1","Architecture":"x86_64"}]}`},
		imagetest.File{Name: "opt/php/.registry/.channel.pecl.php.net/apcu.reg", Data: `a:2:{s:7:"package";s:4:"APCu";s:7:"version";s:6:"5.1.24";}`},
		imagetest.File{Name: "opt/packs/hdt/pack.pl", Data: "name(hdt).\nversion('0.5.2').\n"},
		imagetest.File{Name: "srv/.terraform.lock.hcl", Data: "provider \"registry.opentofu.org/hashicorp/random\" {\n  version = \"3.6.3\"\n}\n"},
		imagetest.File{Name: "srv/app/pubspec.yaml", Data: "name: app\ndependencies:\n  args: 2.3.2\n  yaml: ^3.0.0\n"},
	)
	result, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(context.Background(), &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "bottlerocket"}, Layers: []layer.Blob{imagetest.Blob(tar, imagetest.Gzip)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range result.Document.Packages {
		got = append(got, fmt.Sprint(p.Name, "@", p.Version, " ", p.PURL, " ", p.State))
	}
	for _, g := range result.Document.Gaps {
		got = append(got, fmt.Sprint("gap ", g.Code, " ", g.Where, ": ", g.What))
	}
	slices.Sort(got)
	want := []string{
		"APCu@5.1.24 pkg:pear/pecl.php.net/APCu@5.1.24 ",
		"args@2.3.2 pkg:pub/args@2.3.2 declared",
		"glibc@1:2.40-1.br1 pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&distro=bottlerocket-1.34.0&epoch=1 ",
		"hdt@0.5.2 pkg:swiplpack/hdt@0.5.2 ",
		"registry.opentofu.org/hashicorp/random@3.6.3  declared",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
