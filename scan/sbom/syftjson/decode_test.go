package syftjson_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/syftjson"
)

const document = `{
 "artifacts": [
  {"id":"a1","name":"libc6","version":"2.36-9","type":"deb","foundBy":"dpkg-db-cataloger",
   "locations":[{"path":"/var/lib/dpkg/status","layerID":"sha256:l1","annotations":{"evidence":"primary"}},{"path":"/usr/share/doc/libc6/copyright","layerID":"sha256:l1"}],
   "licenses":[{"value":"LGPL-2.1","spdxExpression":"LGPL-2.1-only","type":"declared"},{"value":"odd","spdxExpression":"","type":"declared"}],
   "cpes":[{"cpe":"cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*"}],
   "purl":"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
   "metadata":{"source":"glibc","sourceVersion":"2.36","architecture":"amd64","maintainer":"GNU Libc Maintainers"}},
  {"id":"a2","name":"python3-six","version":"1.16-1","type":"deb","foundBy":"dpkg-db-cataloger","licenses":["MIT"],"cpes":["cpe:2.3:a:six:six:1.16:*:*:*:*:*:*:*"],"purl":"pkg:deb/debian/python3-six@1.16-1"},
  {"id":"a3","name":"six","version":"UNKNOWN","type":"python","foundBy":"python-installed-package-cataloger","purl":"pkg:pypi/six"},
  {"id":"a4","name":"bash","version":"5.1-1.el9","type":"rpm","purl":"pkg:rpm/rocky/bash@5.1-1.el9","metadata":{"sourceRpm":"bash-5.1-1.el9.src.rpm","epoch":null}}
 ],
 "artifactRelationships": [
  {"parent":"a2","child":"a3","type":"ownership-by-file-overlap"},
  {"parent":"a1","child":"a2","type":"dependency-of"},
  {"parent":"a1","child":"file1","type":"contains"}
 ],
 "source": {"id":"s","name":"img","version":"sha256:m","type":"image","metadata":{"userInput":"img:1","imageID":"sha256:cfg","manifestDigest":"sha256:m","tags":["img:1"],"architecture":"amd64","os":"linux","layers":[{"digest":"sha256:l1","size":5}]}},
 "distro": {"id":"debian","versionID":"12","prettyName":"Debian 12"},
 "descriptor": {"name":"syft","version":"1.57.0"},
 "schema": {"version":"16.1.13"}
}`

func TestDecode(t *testing.T) {
	d, err := syftjson.Decode(strings.NewReader(document), nil)
	if err != nil {
		t.Fatal(err)
	}
	libc := d.PackageByID("a1")
	want := &sbom.Package{ID: "a1", Name: "libc6", Version: "2.36-9", Arch: "amd64", Upstream: &sbom.Upstream{Name: "glibc", Version: "2.36"},
		FoundBy: "dpkg-db-cataloger", Locations: []sbom.Location{{Path: "var/lib/dpkg/status", Layer: "sha256:l1"}},
		Licenses: []sbom.License{{Name: "odd"}, {Expression: "LGPL-2.1-only"}}, CPEs: []string{"cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*"},
		Supplier: "GNU Libc Maintainers", PURL: libc.PURL}
	if diff := cmp.Diff(want, libc); diff != "" {
		t.Errorf("libc6 (-want +got):\n%s", diff)
	}
	if p := d.PackageByID("a3"); p.Version != "" {
		t.Errorf("UNKNOWN became version %q", p.Version)
	}
	if u := d.PackageByID("a4").Upstream; u == nil || *u != (sbom.Upstream{Name: "bash", Version: "5.1-1.el9"}) {
		t.Errorf("upstream of an rpm: %v", u)
	}
	var edges []string
	for _, r := range d.Relationships {
		edges = append(edges, r.From+" "+string(r.Kind)+" "+r.To)
	}
	wantEdges := []string{"a2 depends-on a1", "a3 owned-by a2", "subject contains a1", "subject contains a2", "subject contains a3", "subject contains a4"}
	if diff := cmp.Diff(wantEdges, edges); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
	if d.Subject.ConfigDigest != "sha256:cfg" || d.Subject.Platform != "linux/amd64" || d.Subject.OS.ID != "debian" {
		t.Errorf("subject %+v", d.Subject)
	}
	if problems := d.Check(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

func TestBrokenDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":        "{",
		"duplicate names": `{"artifacts":[],"artifacts":[],"schema":{"version":"16"}}`,
		"no schema":       `{"artifacts":[]}`,
		"no artifacts":    `{"schema":{"version":"16"}}`,
		"twice":           `{"artifacts":[{"id":"a","name":"x"},{"id":"a","name":"y"}],"schema":{"version":"16"}}`,
		"no name":         `{"artifacts":[{"id":"a"}],"schema":{"version":"16"}}`,
		"trailing":        `{"artifacts":[],"schema":{"version":"16"}} {}`,
		"wrong type":      `{"artifacts":{},"schema":{"version":"16"}}`,
	} {
		if _, err := syftjson.Decode(strings.NewReader(text), nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: error %v, want an invalid input", name, err)
		}
	}
	if _, err := syftjson.Decode(strings.NewReader(document), &syftjson.DecodeOptions{Bytes: 100}); !errors.Is(err, fault.Limit) {
		t.Errorf("over the limit: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(document))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := syftjson.Decode(strings.NewReader(string(data)), nil)
		if err == nil && len(d.Check()) > 0 {
			t.Errorf("an inconsistent document was accepted: %v", d.Check())
		}
	})
}

func ExampleDecode() {
	d, err := syftjson.Decode(strings.NewReader(document), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(d.Packages), "packages on", d.Subject.OS.PrettyName)
	// Output: 4 packages on Debian 12
}
