package syftjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// sample is a document with every form that is read.
var sample = `{
 "artifacts": [
  {"id":"a1","name":"libc6","version":"2.36-9","type":"deb","foundBy":"dpkg-db-cataloger",
   "locations":[{"path":"/var/lib/dpkg/status","layerID":"sha256:l1","annotations":{"evidence":"primary"}},{"path":"/usr/share/doc/libc6/copyright","layerID":"sha256:l1","annotations":{"evidence":"supporting"}}],
   "licenses":[{"value":"LGPL-2.1","spdxExpression":"LGPL-2.1-only","type":"declared","urls":["https://example.com"]},{"value":"odd","spdxExpression":"","type":"concluded"},{"value":""}],
   "language":"","cpes":[{"cpe":"cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*","source":"syft-generated"}],
   "purl":"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
   "metadataType":"dpkg-db-entry","metadata":{"source":"glibc","sourceVersion":"2.36","architecture":"amd64","maintainer":"GNU Libc Maintainers <glibc@example.com>","files":[{"path":"/x"}]}},
  {"id":"a2","name":"python3-six","version":"1.16-1","type":"deb","foundBy":"dpkg-db-cataloger","licenses":["MIT","not one"],"cpes":["cpe:2.3:a:six:six:1.16:*:*:*:*:*:*:*"],"purl":"pkg:deb/debian/python3-six@1.16-1?arch=all"},
  {"id":"a3","name":"six","version":"UNKNOWN","type":"python","foundBy":"python-installed-package-cataloger","purl":"pkg:pypi/six@UNKNOWN","locations":[{"path":"/a","layerID":"l"},{"path":"/b","layerID":"l"}]},
  {"id":"a4","name":"bash","version":"1:5.1-1.el9","type":"rpm","purl":"pkg:rpm/rocky/bash@5.1-1.el9?epoch=1","metadata":{"sourceRpm":"bash-5.1-1.el9.src.rpm","epoch":1,"architecture":"x86_64","vendor":"Rocky","modularityLabel":"m:1"}},
  {"id":"a5","name":"openssl-libs","version":"1:3.0.7","type":"rpm","purl":"pkg:rpm/rocky/openssl-libs@3.0.7?epoch=1","metadata":{"sourceRpm":"openssl-3.0.7-2.src.rpm","architecture":7}},
  {"id":"a6","name":"ssl_client","version":"1.36","type":"apk","purl":"pkg:apk/alpine/ssl_client@1.36","metadata":{"originPackage":"busybox","url":"https://busybox.net/","description":"d","architecture":"x86_64"}},
  {"id":"a7","name":"slf4j-api","version":"2.0","type":"java-archive","language":"java","foundBy":"java-archive-cataloger","purl":"pkg:maven/org.slf4j/slf4j-api@2.0",
   "locations":[{"path":"/app/a.jar","accessPath":"/app/a.jar:lib/b.jar:c.jar","layerID":"sha256:l2"}],"metadata":{"digest":[{"algorithm":"sha1","value":"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"},{"algorithm":"x","value":"zz"}]}},
  {"id":"a8","name":"left-pad","version":"1.3.0","type":"npm","foundBy":"javascript-lock-cataloger","purl":"pkg:npm/left-pad@1.3.0","metadata":{"homepage":"https://example.com","author":"A <a@example.com>"}}
 ],
 "artifactRelationships": [
  {"parent":"a2","child":"a3","type":"ownership-by-file-overlap"},
  {"parent":"a1","child":"a2","type":"dependency-of"},
  {"parent":"a1","child":"file1","type":"contains"},
  {"parent":"a1","child":"file2","type":"evident-by"},
  {"parent":"a7","child":"a8","type":"contains"},
  {"parent":"s","child":"a1","type":"contains"}
 ],
 "files":[{"id":"file1","location":{"path":"/x"}}],
 "source": {"id":"s","name":"img","version":"sha256:m","supplier":"Acme","type":"image","metadata":{"userInput":"img:1","imageID":"sha256:cfg","manifestDigest":"sha256:m","mediaType":"t","tags":["img:2","img:1"],"architecture":"arm","architectureVariant":"v7","os":"linux",
  "layers":[{"digest":"sha256:l1","size":5},{"digest":"sha256:l2","size":6}],"manifest":"` + b64(`{"config":{"digest":"sha256:cfg"},"layers":[{"mediaType":"tar","digest":"sha256:s1","size":3}]}`) + `",
  "config":"` + b64(`{"created":"2024-01-01T02:03:04.5+02:00","rootfs":{"diff_ids":["sha256:l1","sha256:l2"]},"history":[{"created_by":"ADD"},{"created_by":"ENV","empty_layer":true},{"created_by":"RUN"}]}`) + `"}},
 "distro": {"id":"debian","idLike":"x","versionID":"12","versionCodename":"bookworm","prettyName":"Debian 12"},
 "descriptor": {"name":"syft","version":"1.57.0","configuration":{"x":1}},
 "schema": {"version":"16.1.13","url":"https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.1.13.json"}
}`

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func decoded(t *testing.T, doc string) *sbom.Document {
	t.Helper()
	d, err := Decode(strings.NewReader(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if problems := d.Check(); len(problems) > 0 {
		t.Errorf("inconsistent: %v", problems)
	}
	return d
}

func TestDecode(t *testing.T) {
	d := decoded(t, sample)
	kept := func(s string) sbom.Foreign { return sbom.Foreign{Family: sbom.RawObject(s)} }
	want := []sbom.Package{
		{ID: "a1", Name: "libc6", Version: "2.36-9", Arch: "amd64", Upstream: &sbom.Upstream{Name: "glibc", Version: "2.36"}, FoundBy: "dpkg-db-cataloger",
			Locations: []sbom.Location{{Path: "var/lib/dpkg/status", Layer: "sha256:l1"}},
			Licenses:  []sbom.License{{Expression: "LGPL-2.1-only", URL: "https://example.com"}, {Kind: sbom.LicenseConcluded, Name: "odd"}},
			CPEs:      []string{"cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*"}, Supplier: "GNU Libc Maintainers (glibc@example.com)", Foreign: kept(`{"metadataType":"dpkg-db-entry","type":"deb"}`)},
		{ID: "a2", Name: "python3-six", Version: "1.16-1", Arch: "all", FoundBy: "dpkg-db-cataloger", Licenses: []sbom.License{{Name: "not one"}, {Expression: "MIT"}},
			CPEs: []string{"cpe:2.3:a:six:six:1.16:*:*:*:*:*:*:*"}, Foreign: kept(`{"type":"deb"}`)},
		{ID: "a3", Name: "six", FoundBy: "python-installed-package-cataloger", Locations: []sbom.Location{{Path: "a", Layer: "l"}, {Path: "b", Layer: "l"}}, Foreign: kept(`{"type":"python"}`)},
		{ID: "a4", Name: "bash", Version: "1:5.1-1.el9", Arch: "x86_64", Supplier: "Rocky", Properties: []sbom.Property{{Name: "rpm:modularitylabel", Value: "m:1"}}, Foreign: kept(`{"type":"rpm"}`)},
		{ID: "a5", Name: "openssl-libs", Version: "1:3.0.7", Upstream: &sbom.Upstream{Name: "openssl", Version: "3.0.7-2"}, Foreign: kept(`{"type":"rpm"}`)},
		{ID: "a6", Name: "ssl_client", Version: "1.36", Arch: "x86_64", Upstream: &sbom.Upstream{Name: "busybox"}, Homepage: "https://busybox.net/", Description: "d", Foreign: kept(`{"type":"apk"}`)},
		{ID: "a7", Name: "org.slf4j:slf4j-api", Version: "2.0", FoundBy: "java-archive-cataloger", Locations: []sbom.Location{{Path: "app/a.jar!/lib/b.jar!/c.jar", Layer: "sha256:l2"}},
			Hashes: []sbom.Hash{{Algorithm: "sha1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}, Foreign: kept(`{"language":"java","type":"java-archive"}`)},
		{ID: "a8", Name: "left-pad", Version: "1.3.0", State: sbom.Declared, FoundBy: "javascript-lock-cataloger", Homepage: "https://example.com", Originator: "A (a@example.com)", Foreign: kept(`{"type":"npm"}`)},
	}
	for i, s := range []string{"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc", "pkg:deb/debian/python3-six@1.16-1?arch=all", "pkg:pypi/six",
		"pkg:rpm/rocky/bash@5.1-1.el9?epoch=1", "pkg:rpm/rocky/openssl-libs@3.0.7?epoch=1", "pkg:apk/alpine/ssl_client@1.36", "pkg:maven/org.slf4j/slf4j-api@2.0", "pkg:npm/left-pad@1.3.0"} {
		u, err := purl.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		want[i].PURL = u
	}
	if diff := cmp.Diff(want, d.Packages); diff != "" {
		t.Errorf("packages (-want +got)\n%s", diff)
	}
	d.Packages = nil
	rest := &sbom.Document{Created: "2024-01-01T00:03:04Z", Tools: []sbom.Tool{{Vendor: "anchore", Name: "syft", Version: "1.57.0"}},
		Subject: sbom.Subject{ID: "s", Kind: sbom.SubjectImage, Name: "sha256:cfg", ConfigDigest: "sha256:cfg", Platform: "linux/arm/v7",
			OS:     &sbom.OS{ID: "debian", IDLike: []string{"x"}, PrettyName: "Debian 12", VersionID: "12", Codename: "bookworm"},
			Layers: []sbom.Layer{{DiffID: "sha256:l1", CreatedBy: "ADD"}, {DiffID: "sha256:l2", CreatedBy: "RUN"}}, Package: &sbom.Package{Supplier: "Acme"}},
		Source: &sbom.Source{Reference: "img:1", Manifest: "sha256:m", MediaType: "t", Tags: []string{"img:1", "img:2"}, Layers: []sbom.Descriptor{{MediaType: "tar", Digest: "sha256:s1", Size: 3}}},
		Gaps:   []sbom.Gap{{Code: sbom.GapOddity, Where: "files", What: "the document also lists files, which were not read"}},
		Relationships: []sbom.Relationship{{From: "a2", Kind: sbom.DependsOn, To: "a1"}, {From: "a3", Kind: sbom.OwnedBy, To: "a2"}, {From: "a7", Kind: sbom.Contains, To: "a8"},
			{From: "s", Kind: sbom.Contains, To: "a1"}, {From: "s", Kind: sbom.Contains, To: "a2"}, {From: "s", Kind: sbom.Contains, To: "a3"}, {From: "s", Kind: sbom.Contains, To: "a4"},
			{From: "s", Kind: sbom.Contains, To: "a5"}, {From: "s", Kind: sbom.Contains, To: "a6"}, {From: "s", Kind: sbom.Contains, To: "a7"}}}
	if diff := cmp.Diff(rest, d); diff != "" {
		t.Errorf("document (-want +got)\n%s", diff)
	}
}

// small returns a document with more members in it.
func small(members string) string {
	return `{"artifacts":[{"id":"a","name":"x"}]` + members + `,"schema":{"version":"11.0.0"}}`
}

func TestSources(t *testing.T) {
	tests := map[string]struct {
		source string
		want   sbom.Subject
	}{
		"none":      {``, sbom.Subject{ID: "source", Kind: sbom.SubjectOther}},
		"directory": {`,"source":{"id":"d","name":"/x","version":"1","type":"directory","metadata":{"path":"/x"}}`, sbom.Subject{ID: "d", Kind: sbom.SubjectDirectory, Name: "/x", Version: "1"}},
		"file":      {`,"source":{"id":"f","name":"x","type":"file","metadata":{}}`, sbom.Subject{ID: "f", Kind: sbom.SubjectOther, Name: "x"}},
		"image without config": {`,"source":{"id":"i","name":"x","version":"v","type":"image","metadata":{"layers":[{"digest":"sha256:l"}],"manifest":"` + b64(`{"config":{"digest":"sha256:c"}}`) + `"}}`,
			sbom.Subject{ID: "i", Kind: sbom.SubjectImage, Name: "sha256:c", ConfigDigest: "sha256:c", Layers: []sbom.Layer{{DiffID: "sha256:l"}}}},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, decoded(t, small(test.source)).Subject); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestNotes(t *testing.T) {
	source := func(metadata string) string {
		return `,"source":{"id":"i","type":"image","metadata":` + metadata + `}`
	}
	for name, test := range map[string]struct{ members, where, what string }{
		"metadata":     {source(`[]`), "source", "metadata: "},
		"manifest":     {source(`{"manifest":"` + b64("{") + `"}`), "source", "manifest: "},
		"config":       {source(`{"config":"` + b64("{") + `"}`), "source", "config: "},
		"created":      {source(`{"config":"` + b64(`{"created":"yesterday"}`) + `"}`), "source", `created "yesterday" is not a time`},
		"unknown end":  {`,"artifactRelationships":[{"parent":"a","child":"b","type":"dependency-of"}]`, "relationship a dependency-of b", "an end of it is not in the document"},
		"unknown type": {`,"artifactRelationships":[{"parent":"a","child":"a","type":"likes"}]`, "relationships", `1 of the unknown type "likes" were not read`},
		"files":        {`,"files":[{"id":"f"}]`, "files", "the document also lists files"},
	} {
		d := decoded(t, small(test.members))
		if len(d.Gaps) != 1 || d.Gaps[0].Code != sbom.GapOddity || d.Gaps[0].Where != test.where || !strings.Contains(d.Gaps[0].What, test.what) {
			t.Errorf("%s: %v", name, d.Gaps)
		}
	}
	for _, none := range []string{"", `,"files":null`, `,"files":[]`, `,"artifactRelationships":null`} {
		if d := decoded(t, small(none)); len(d.Gaps) > 0 {
			t.Errorf("%s: %v", none, d.Gaps)
		}
	}
	d := decoded(t, `{"artifacts":[{"id":"a","name":"x","purl":"nonsense","cpes":["cpe:/a:b"]}],"schema":{"version":"16.0.0"}}`)
	if len(d.Gaps) != 2 || !d.Blocked() {
		t.Errorf("package URL and CPE: %v", d.Gaps)
	}
	many := strings.Repeat(`{"parent":"a","child":"b","type":"dependency-of"},`, maxNotes+5)
	if d := decoded(t, small(`,"artifactRelationships":[`+strings.TrimSuffix(many, ",")+`]`)); len(d.Gaps) > 3 { // all the same
		t.Errorf("%d gaps", len(d.Gaps))
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"empty":           {"", "ends too early"},
		"array":           {"[]", "not an object"},
		"cut off":         {`{"artifacts":[`, "/artifacts"},
		"duplicate names": {`{"artifacts":[],"artifacts":[],"schema":{"version":"16"}}`, "at /artifacts"},
		"duplicate files": {small(`,"files":[{"a":1,"a":2}]`), "at /files/0/a"},
		"no schema":       {`{"artifacts":[]}`, "no schema"},
		"no artifacts":    {`{"schema":{"version":"16"}}`, "no artifacts"},
		"version":         {`{"artifacts":[],"schema":{"version":"x"}}`, `"x" is not a version`},
		"twice":           {`{"artifacts":[{"id":"a","name":"x"},{"id":"a","name":"y"}],"schema":{"version":"16"}}`, `at /artifacts/1: id "a" is already that of /artifacts/0`},
		"like source":     {`{"artifacts":[{"id":"a","name":"x"}],"source":{"id":"a"},"schema":{"version":"16"}}`, "at /artifacts/0"},
		"no name":         {`{"artifacts":[{"id":"a"}],"schema":{"version":"16"}}`, "at /artifacts/0"},
		"no id":           {`{"artifacts":[{"name":"a"}],"schema":{"version":"16"}}`, "at /artifacts/0"},
		"trailing":        {small("") + " {}", "data after the document"},
		"wrong type":      {`{"artifacts":{},"schema":{"version":"16"}}`, "at /artifacts: this is not an array"},
		"wrong member":    {`{"artifacts":[{"id":7}]}`, "at /artifacts/0/id"},
		"wrong licence":   {`{"artifacts":[{"licenses":[7]}]}`, "at /artifacts/0/licenses/0"},
		"not UTF-8":       {"{\"artifacts\":[{\"id\":\"\xff\"}]}", "at /artifacts/0/id"},
		"depth bomb":      {small(`,"x":` + strings.Repeat("[", 20_000)), "at /x"},
	} {
		_, err := Decode(strings.NewReader(test.in), nil)
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), test.want) || len(err.Error()) > 600 {
			t.Errorf("%s: got %.300v, want an invalid-input error with %q", name, err, test.want)
		}
	}
	for _, version := range []string{"1.0.0", "10.0.2", "17.0.0"} {
		if _, err := Decode(strings.NewReader(strings.Replace(small(""), "11.0.0", version, 1)), nil); !errors.Is(err, fault.Unsupported) {
			t.Errorf("schema %s: %v", version, err)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := Decode(io.MultiReader(strings.NewReader(`{"artifacts":[`), iotest.ErrReader(broken)), nil); !errors.Is(err, broken) {
		t.Errorf("the reader's error became %v", err)
	}
}

func TestLimits(t *testing.T) {
	doc := small(`,"artifactRelationships":[{},{}]`)
	for name, test := range map[string]struct {
		opt *DecodeOptions
		ok  bool
	}{
		"as many bytes":     {&DecodeOptions{MaxBytes: int64(len(doc))}, true},
		"one byte less":     {&DecodeOptions{MaxBytes: int64(len(doc)) - 1}, false},
		"as many elements":  {&DecodeOptions{MaxElements: 3}, true},
		"one element fewer": {&DecodeOptions{MaxElements: 2}, false},
		"defaults":          {&DecodeOptions{}, true},
	} {
		_, err := Decode(iotest.HalfReader(strings.NewReader(doc)), test.opt)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, fault.Limit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSniff(t *testing.T) {
	for in, want := range map[string]bool{
		sample: true, small(""): true, "\ufeff \n{ \"artifacts\" : [": true, `{"schema":{"url":"anchore/syft"},"artifacts":[]}`: true,
		"": false, "{": false, "{}": false, `{"bomFormat":"CycloneDX"}`: false, `{"spdxVersion":"SPDX-2.3","x":"artifacts"}`: false, `["artifacts"]`: false,
	} {
		if got := Sniff([]byte(in)); got != want {
			t.Errorf("Sniff(%.30q) = %v", in, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(small(`,"source":{"id":"s","type":"image","metadata":{"tags":["a"]}},"distro":{"id":"x","idLike":["y"]}`)))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := Decode(strings.NewReader(string(in)), &DecodeOptions{MaxBytes: 1 << 20, MaxElements: 1000})
		if err != nil {
			if fault.KindOf(err) == "" {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if problems := d.Check(); len(problems) > 0 {
			t.Fatalf("an inconsistent document was accepted: %v", problems)
		}
		for i := range d.Packages {
			if u := d.Packages[i].PURL; !u.IsZero() && u.Name == "" {
				t.Fatalf("package URL without a name: %+v", u)
			}
		}
	})
}
