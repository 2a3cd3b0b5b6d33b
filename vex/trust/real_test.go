package trust_test

import (
	"os"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/trust"
)

// TestHardenedImages holds what a vendor of images publishes against the example: it
// counts for its own images, and for the same packages in no other.
func TestHardenedImages(t *testing.T) {
	files := testdata.Open(t, "vex/openvex-dhi.tar.gz")
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := trust.Parse("example.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	j, err := d.Trust().Judge()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, name := range testdata.Names(files) {
		if testing.Short() && counted > 100 {
			break
		}
		for s, err := range format.Decode(name, files[name], nil) {
			if err != nil || s.Status != vex.NotAffected || s.Justification == "" || len(s.Products[0].Subcomponents) == 0 {
				continue
			}
			s.Origin.Source = "dhi"
			part := s.Products[0].Subcomponents[0]
			u, err := purl.Parse(s.Products[0].PURL)
			if p, bad := purl.Parse(part.PURL); err != nil || bad != nil || u.Type != "docker" || p.Version == "" || len(p.Qualifiers) > 0 {
				continue
			}
			when := s.Time.AddDate(0, 0, 1)
			resolve := func(image string) vex.Status {
				q := vex.Query{
					Vulnerabilities: []string{s.Vulnerability}, Package: vex.Part{PURL: part.PURL},
					Image: vex.Image{Names: []string{image}, Digests: []string{digest(image)}},
				}
				return j.Resolve(q.Select([]*vex.Statement{s}).Claims, when).Status
			}
			counted++
			if got := resolve("docker.io/dhi/" + u.Name + ":1"); got != vex.NotAffected {
				t.Fatalf("%s: %s of %s in %s: %q", name, s.Vulnerability, part.PURL, s.Products[0].PURL, got)
			}
			for _, image := range []string{"docker.io/library/" + u.Name + ":1", "docker.io/dhi-mirror/" + u.Name + ":1", "registry.example.com/dhi/" + u.Name + ":1", "docker.io/dhi/" + u.Name + "-dev:1"} {
				if got := resolve(image); got != "" {
					t.Fatalf("%s: %s of %s in %s: %q", name, s.Vulnerability, part.PURL, image, got)
				}
			}
			if s.Origin.Source = "elsewhere"; resolve("docker.io/dhi/"+u.Name+":1") != "" {
				t.Fatalf("%s: from another source", name)
			}
		}
	}
	t.Logf("%d statements count for their images and for no other", counted)
	if counted == 0 {
		t.Error("no statement was looked at")
	}
}
