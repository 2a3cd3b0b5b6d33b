package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// document uses most of the model.
func document() *sbom.Document {
	d := &sbom.Document{
		Created: "2024-01-02T03:04:05Z",
		Tools:   []sbom.Tool{{Vendor: "stella-ops", Name: "stella", Version: "1.0"}},
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:" + strings.Repeat("a", 64), ConfigDigest: "sha256:" + strings.Repeat("a", 64), Platform: "linux/amd64",
			OS:     &sbom.OS{ID: "debian", VersionID: "12", Codename: "bookworm", PrettyName: "Debian GNU/Linux 12"},
			Layers: []sbom.Layer{{DiffID: "sha256:" + strings.Repeat("b", 64), CreatedBy: "ADD rootfs /"}}},
		Packages: []sbom.Package{
			{Name: "libc6", Version: "2.36-9+deb12u1", Arch: "amd64", FoundBy: "dpkg", Upstream: &sbom.Upstream{Name: "glibc", Version: "2.36"},
				PURL:      purl.PackageURL{Type: "deb", Namespace: "debian", Name: "libc6", Version: "2.36-9+deb12u1"}.With("distro", "debian-12").With("arch", "amd64"),
				Locations: []sbom.Location{{Path: "var/lib/dpkg/status", Layer: "sha256:" + strings.Repeat("b", 64)}},
				Licenses:  []sbom.License{{Expression: "LGPL-2.1-only"}, {Name: "odd licence"}}, Supplier: "GNU Libc Maintainers <x@example.org>",
				Homepage: "https://www.gnu.org/software/libc/libc.html", Description: "GNU C Library", CPEs: []string{"cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*"}},
			{Name: "left-pad", Version: "1.3.0", State: sbom.Declared, Scope: sbom.ScopeDev, FoundBy: "npm", PURL: purl.PackageURL{Type: "npm", Name: "left-pad", Version: "1.3.0"},
				Locations: []sbom.Location{{Path: "app/package-lock.json"}}, Hashes: []sbom.Hash{{Algorithm: "sha512", Value: strings.Repeat("0f", 64)}}},
			{Name: "noversion", FoundBy: "pypi", Locations: []sbom.Location{{Path: "app/requirements.txt"}}, Properties: []sbom.Property{{Name: "pypi:line", Value: "1"}}},
		},
		Gaps:   []sbom.Gap{{Code: sbom.GapUnreadable, Blocking: true, Where: "var/lib/rpm/Packages", What: "page 3: wrong checksum"}},
		Source: &sbom.Source{Reference: "docker://debian:12", Manifest: "sha256:" + strings.Repeat("c", 64)},
	}
	d.Identify()
	d.Relationships = []sbom.Relationship{
		{From: d.Subject.ID, Kind: sbom.Contains, To: d.Packages[0].ID}, {From: d.Subject.ID, Kind: sbom.Contains, To: d.Packages[1].ID}, {From: d.Subject.ID, Kind: sbom.Contains, To: d.Packages[2].ID},
		{From: d.Packages[1].ID, Kind: sbom.DependsOn, To: d.Packages[2].ID}, {From: d.Packages[2].ID, Kind: sbom.OwnedBy, To: d.Packages[0].ID},
	}
	d.Normalize()
	return d
}

// TestOwnDocumentsSurvive: what we write we read back, in every format, so that
// an SBOM is as good as its image. What a format cannot carry it must say.
func TestOwnDocumentsSurvive(t *testing.T) {
	for _, name := range []string{"stella-json", "cyclonedx-json@1.5", "cyclonedx-json@1.6", "cyclonedx-json@1.7", "cyclonedx-xml@1.6", "spdx-json@2.3", "spdx-json@2.2", "spdx-tag-value@2.3"} {
		t.Run(name, func(t *testing.T) {
			want := document()
			var b bytes.Buffer
			losses, err := format.Encode(&b, want, name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range losses {
				t.Logf("cannot carry: %s: %s", l.Where, l.What)
			}
			got, _, err := format.Decode(bytes.NewReader(b.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			ignore := cmpopts.IgnoreFields(sbom.Document{}, "Namespace", "Name", "Foreign", "Tools")
			if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(sbom.Subject{}, "Package")); diff != "" && len(losses) == 0 {
				t.Errorf("lost without a word (-want +got):\n%s", diff)
			}
			var again bytes.Buffer
			if _, err := format.Encode(&again, want, name, nil); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
				t.Errorf("encoding twice gives other bytes (%v)", err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"spdx": "spdx-json ", "SPDX-JSON@2.2": "spdx-json 2.2", "cyclonedx": "cyclonedx-json ", "spdx3": "spdx-json 3.0.1", "cdx": "cyclonedx-json ", "stella-json": "stella-json ",
	} {
		f, v, ok := format.Resolve(name)
		if got := f + " " + v; got != want || !ok {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, want)
		}
	}
	if _, _, ok := format.Resolve("docx"); ok {
		t.Error("docx is no SBOM format")
	}
	if _, err := format.Encode(nil, document(), "syft-json", nil); !errors.Is(err, fault.Unsupported) {
		t.Errorf("writing syft-json: %v", err)
	}
	if _, _, err := format.Decode(strings.NewReader("hello")); !errors.Is(err, fault.Unsupported) {
		t.Errorf("reading prose: %v", err)
	}
}

func ExampleDecode() {
	d := &sbom.Document{Packages: []sbom.Package{{Name: "zlib", Version: "1.3"}}}
	d.Normalize()
	var b bytes.Buffer
	if _, err := format.Encode(&b, d, "spdx-json", nil); err != nil {
		fmt.Println(err)
		return
	}
	back, name, err := format.Decode(&b)
	fmt.Println(name, back.Packages[0].Name, back.Packages[0].Version, err)
	// Output: spdx-json@2.3 zlib 1.3 <nil>
}
