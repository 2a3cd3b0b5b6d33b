package spdx

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

const withForeign = `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"n","documentNamespace":"https://example.com/n",
"creationInfo":{"created":"2024-01-01T02:00:00.5+02:00","creators":["Organization: O","Tool: t-1"]},"x-unknown":{"b":1,"a":[1e2,9007199254740993]},
"packages":[{"SPDXID":"SPDXRef-root","name":"root","downloadLocation":"NONE","supplier":"Person: P"},
{"SPDXID":"SPDXRef-a_b","name":"a","versionInfo":"","downloadLocation":"https://example.com/a","licenseDeclared":"LicenseRef-0","licenseConcluded":"(MIT)","supplier":"Person: S","homepage":"",
 "externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/A@1"},{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/alias@1"},
  {"referenceCategory":"SECURITY","referenceType":"cpe22Type","referenceLocator":"cpe:/a:a"},{"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:a:a:1:*:*:*:*:*:*:*","comment":"c"}],
 "checksums":[{"algorithm":"SHA1","checksumValue":"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"},{"algorithm":"SHA9","checksumValue":"x"}],"x-more":true},
{"SPDXID":"SPDXRef-c","name":"c","downloadLocation":"NOASSERTION"}],
"hasExtractedLicensingInfos":[{"licenseId":"LicenseRef-0","name":"ASL 2.0","extractedText":"the text"}],
"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-root","comment":"why"},
 {"spdxElementId":"SPDXRef-a_b","relationshipType":"CONTAINED_BY","relatedSpdxElement":"SPDXRef-root"},{"spdxElementId":"SPDXRef-a_b","relationshipType":"DEV_DEPENDENCY_OF","relatedSpdxElement":"SPDXRef-c"},
 {"spdxElementId":"SPDXRef-a_b","relationshipType":"VARIANT_OF","relatedSpdxElement":"SPDXRef-c"},{"spdxElementId":"SPDXRef-c","relationshipType":"OTHER","relatedSpdxElement":"SPDXRef-gone"}]}`

func decoded(t *testing.T, doc string) *sbom.Document {
	t.Helper()
	d, err := Decode(strings.NewReader(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestForeignComesBack(t *testing.T) {
	d := decoded(t, withForeign)
	a := d.PackageByID("a_b")
	want := sbom.Package{ID: "a_b", Name: "a", PURL: purl.PackageURL{Type: "npm", Name: "a", Version: "1"},
		Licenses: []sbom.License{{Name: "ASL 2.0"}, {Kind: sbom.LicenseConcluded, Expression: "(MIT)"}},
		Hashes:   []sbom.Hash{{Algorithm: "sha1", Value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}, CPEs: []string{"cpe:2.3:a:a:a:1:*:*:*:*:*:*:*"},
		Supplier: "S", Download: "https://example.com/a", Foreign: a.Foreign}
	if a.PURL.Name == "A" { // the case of npm names is a matter of package purl
		want.PURL.Name = "A"
	}
	if diff := cmp.Diff(&want, a); diff != "" {
		t.Error(diff)
	}
	if d.Created != "2024-01-01T00:00:00Z" {
		t.Errorf("created %q", d.Created)
	}
	out, losses := encoded(t, d, nil)
	if diff := cmp.Diff(unordered(t, []byte(withForeign)), unordered(t, out)); diff != "" || len(losses) > 0 {
		t.Errorf("losses %v, (-was +is)\n%s", losses, diff)
	}
	for where, raw := range map[string]sbom.RawObject{"document": d.Foreign[Family], "package": a.Foreign[Family]} {
		if !json.Valid([]byte(raw)) {
			t.Errorf("%s: not JSON: %s", where, raw)
		}
	}
}

// What the model says rules over what was kept.
func TestModelRulesOverForeign(t *testing.T) {
	d := decoded(t, withForeign)
	a := d.PackageByID("a_b")
	a.Name, a.Version, a.Supplier, a.Homepage = "new", "2", "", "https://example.com"
	a.Licenses = []sbom.License{{Name: "other"}, {Kind: sbom.LicenseConcluded, Expression: "(MIT)"}}
	a.PURL.Version = "2"
	a.CPEs, a.Hashes = append(a.CPEs, "cpe:2.3:a:a:a:2:*:*:*:*:*:*:*"), nil
	d.Tools = append(d.Tools, sbom.Tool{Name: "u", Version: "2"})
	d.Created = "2025-01-01T00:00:00Z"
	d.Packages = slices.DeleteFunc(d.Packages, func(p sbom.Package) bool { return p.ID == "c" })
	d.Relationships = slices.DeleteFunc(d.Relationships, func(r sbom.Relationship) bool { return r.From == "c" || r.To == "c" })
	d.Relationships = append(d.Relationships, sbom.Relationship{From: "a_b", Kind: sbom.OwnedBy, To: "root"})
	d.Gaps = nil
	d.Normalize()
	out, losses := encoded(t, d, nil)
	again := decoded(t, string(out))
	again.Gaps = nil // of the checksum
	if diff := cmp.Diff(withoutForeign(d), withoutForeign(again)); diff != "" {
		t.Errorf("(-was +is)\n%s", diff)
	}
	var kept []string
	for _, s := range []string{"pkg:npm/alias@1", "cpe:/a:a", "SHA9", "x-more", "x-unknown", "Organization: O", "9007199254740993", "the text", `"why"`, "(MIT)", "SPDXRef-a_b"} {
		if !bytes.Contains(out, []byte(s)) {
			kept = append(kept, s)
		}
	}
	for _, s := range []string{"Person: S", "pkg:npm/A@1", "SPDXRef-c", "VARIANT_OF", "DA39A3", ".5+02:00"} {
		if bytes.Contains(out, []byte(s)) {
			t.Errorf("%s is still there", s)
		}
	}
	if len(kept) > 0 {
		t.Errorf("lost: %q\n%s", kept, out)
	}
	want := []sbom.Loss{{Where: "relationship SPDXRef-a_b DEV_DEPENDENCY_OF SPDXRef-c", What: "the relationship: an end of it is no longer there"},
		{Where: "relationship SPDXRef-a_b VARIANT_OF SPDXRef-c", What: "the relationship: an end of it is no longer there"},
		{Where: "relationship SPDXRef-c OTHER SPDXRef-gone", What: "the relationship: an end of it is no longer there"}}
	if diff := cmp.Diff(want, losses); diff != "" {
		t.Error(diff)
	}
}

// A subject put in the place of the one that was read is the one described.
func TestOtherSubject(t *testing.T) {
	d := decoded(t, withForeign)
	old := d.Subject.ID
	d.Subject = sbom.Subject{ID: "image", Kind: sbom.SubjectImage, Name: "sha256:00"}
	for i := range d.Relationships {
		if d.Relationships[i].From == old {
			d.Relationships[i].From = "image"
		}
	}
	d.Normalize()
	out, _ := encoded(t, d, nil)
	if diff := cmp.Diff(withoutForeign(d), withoutForeign(decoded(t, string(out)))); diff != "" {
		t.Errorf("(-was +is)\n%s", diff)
	}
}

func TestLosses(t *testing.T) {
	tests := map[string]struct {
		change func(*sbom.Document)
		opt    EncodeOptions
		want   []string
	}{
		"none": {func(*sbom.Document) {}, EncodeOptions{}, nil},
		"another family": {func(d *sbom.Document) {
			d.Foreign["cyclonedx"] = `{"services":[],"$schema":null}`
			d.Packages[0].Foreign["syft"], d.Packages[0].Foreign["cyclonedx"] = `{"type":"deb"}`, `{"pedigree":{}}`
			d.Packages[1].Foreign = sbom.Foreign{"cyclonedx": `{"#nested":true}`}
			d.Subject.Package = &sbom.Package{Foreign: sbom.Foreign{"cyclonedx": "?"}}
		}, EncodeOptions{}, []string{"a_b: members of cyclonedx outside the model: pedigree", "a_b: members of syft outside the model: type", "document: members of cyclonedx outside the model: services",
			"root: members of cyclonedx outside the model"}},
		"tag-value": {func(*sbom.Document) {}, EncodeOptions{TagValue: true}, []string{`SPDXRef-a_b: members that this form has no place for: {"x-more":true}`,
			`document: members that this form has no place for: {"x-unknown":{"a":[1e2,9007199254740993],"b":1}}`}},
		"end that is not there": {func(d *sbom.Document) {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: "a_b", Kind: sbom.DependsOn, To: "nowhere"})
		}, EncodeOptions{}, []string{"relationship a_b depends-on nowhere: the relationship: an end of it does not exist, or SPDX has no such kind"}},
		"kind that is not known": {func(d *sbom.Document) {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: "a_b", Kind: "loves", To: "c"})
		}, EncodeOptions{}, []string{"relationship a_b loves c: the relationship: an end of it does not exist, or SPDX has no such kind"}},
		"package URL": {func(d *sbom.Document) { d.Packages[0].PURL = purl.PackageURL{Name: "x"} }, EncodeOptions{}, []string{`a_b: the package URL "pkg:/x": it is not a valid one`}},
		"not UTF-8":   {func(d *sbom.Document) { d.Packages[0].Description = "a\xffb" }, EncodeOptions{}, []string{"a_b: bytes that are not UTF-8"}},
		"2.2": {func(d *sbom.Document) {
			*d = *decoded(t, strings.Replace(withForeign, `"x-more":true`, `"releaseDate":"2024-01-01T00:00:00Z","primaryPackagePurpose":"SOURCE"`, 1))
		},
			EncodeOptions{Version: Version22}, []string{"SPDXRef-a_b: primaryPackagePurpose SOURCE: not in SPDX 2.2", "SPDXRef-a_b: releaseDate: not in SPDX 2.2"}},
	}
	for name, test := range tests {
		d := decoded(t, withForeign)
		test.change(d)
		out, losses := encoded(t, d, &test.opt)
		var got []string
		for _, l := range losses {
			got = append(got, l.Where+": "+l.What)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, err := Decode(bytes.NewReader(out), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	ok := func() *sbom.Document { return decoded(t, withForeign) }
	tests := map[string]struct {
		d    func() *sbom.Document
		opt  *EncodeOptions
		want error
	}{
		"no ID":        {func() *sbom.Document { d := ok(); d.Packages[0].ID = ""; return d }, nil, fault.Invalid},
		"twice an ID":  {func() *sbom.Document { d := ok(); d.Packages[0].ID = d.Packages[1].ID; return d }, nil, fault.Invalid},
		"no subject":   {func() *sbom.Document { d := ok(); d.Subject.ID = ""; return d }, nil, fault.Invalid},
		"kept, broken": {func() *sbom.Document { d := ok(); d.Packages[0].Foreign = sbom.Foreign{Family: "{"}; return d }, nil, fault.Invalid},
		"version":      {ok, &EncodeOptions{Version: "1.2"}, fault.Unsupported},
		"created":      {ok, &EncodeOptions{Created: "2024-01-01"}, fault.Invalid},
		"3 tag-value":  {ok, &EncodeOptions{Version: Version301, TagValue: true}, fault.Unsupported},
	}
	for name, test := range tests {
		var b bytes.Buffer
		if _, err := Encode(&b, test.d(), test.opt); !errors.Is(err, test.want) || b.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes, want %v and none", name, err, b.Len(), test.want)
		}
	}
	for _, opt := range append(forms, EncodeOptions{Version: Version301}) {
		if _, err := Encode(brokenWriter{}, ok(), &opt); !errors.Is(err, errBroken) {
			t.Errorf("%+v: got %v, want the writer's error", opt, err)
		}
	}
}

var errBroken = errors.New("disk full")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// Removing the source of an image changes its annotation and nothing else.
func TestSourceIsRemovable(t *testing.T) {
	d := withoutForeign(decoded(t, withForeign))
	d.Gaps, d.Namespace = nil, ""
	plain, _ := encoded(t, d, nil)
	d.Source = &sbom.Source{Reference: "example.com/image:1"}
	sourced, _ := encoded(t, d, nil)
	var was, is map[string]any
	if err := errors.Join(json.Unmarshal(plain, &was), json.Unmarshal(sourced, &is)); err != nil {
		t.Fatal(err)
	}
	if n := len(is["annotations"].([]any)); n != 1 {
		t.Errorf("%d annotations", n)
	}
	delete(is, "annotations")
	if diff := cmp.Diff(was, is); diff != "" {
		t.Error(diff)
	}
}

// A date that we filled in is not taken for the document's own.
func TestCreatedIsFilledIn(t *testing.T) {
	d := withoutForeign(decoded(t, strings.ReplaceAll(withForeign, "a_b", "a-b")))
	d.Created = ""
	for _, created := range []string{"", "2020-02-02T00:00:00Z"} {
		out, _ := encoded(t, d, &EncodeOptions{Created: created})
		if want := created; want == "" && !bytes.Contains(out, []byte(`"created":"1970-01-01T00:00:00Z"`)) || !bytes.Contains(out, []byte(want)) {
			t.Errorf("created %q is not in %s", created, out)
		}
		if again := decoded(t, string(out)); again.Created != "" || again.Foreign != nil {
			t.Errorf("comes back as %q with %v", again.Created, again.Foreign)
		}
	}
}
