package spdx

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/internal/covered"
)

// forms are the forms that can be read again.
var forms = []EncodeOptions{{}, {Indent: true}, {Version: Version22}, {TagValue: true}, {Version: Version22, TagValue: true}}

// What the model says must come back exactly, whatever it says, in every form
// that is read.
func TestModelRoundTrip(tb *testing.T) {
	tb.Parallel()
	rapid.Check(tb, func(t *rapid.T) {
		d := documents().Draw(t, "document")
		before, _ := json.Marshal(d)
		for _, opt := range forms {
			var b, again bytes.Buffer
			losses, err := Encode(&b, d, &opt)
			if err != nil {
				t.Fatalf("%+v: %v", opt, err)
			}
			for _, l := range losses {
				if !opt.TagValue || !strings.Contains(l.What, textClose) {
					t.Fatalf("%+v: loss %v", opt, l)
				}
			}
			if _, err := Encode(&again, d, &opt); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
				t.Fatalf("%+v: not deterministic (%v)", opt, err)
			}
			got, err := Decode(bytes.NewReader(b.Bytes()), nil)
			if err != nil {
				t.Fatalf("%+v: %v\n%s", opt, err, b.Bytes())
			}
			if diff := changes(d, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%+v: (-was +is)\n%s\n%s", opt, diff, b.Bytes())
			}
			if !opt.TagValue {
				version := strings.TrimPrefix(opt.Version, "SPDX-")
				if version == "" {
					version = Version23
				}
				if err := validate(tb, version, b.Bytes()); err != nil {
					t.Fatalf("%+v: %v\n%s", opt, err, b.Bytes())
				}
			}
		}
		if after, _ := json.Marshal(d); !bytes.Equal(before, after) {
			t.Fatalf("Encode changed its input:\n%s\n%s", before, after)
		}
	})
}

// A generated document with everything set must use every field of the model;
// else the round trip would not cover a field that was added later.
func TestGeneratorCoversTheModel(t *testing.T) {
	var docs []*sbom.Document
	for seed := range 400 { // always the same ones: chance must not decide
		docs = append(docs, documents().Example(seed))
	}
	if missing := covered.Missing(docs...); len(missing) > 0 {
		t.Errorf("no generated document sets %q", missing)
	}
}

var words = rapid.OneOf(
	rapid.SampledFrom([]string{"", "a", "libc6", "NOASSERTION", "NONE", "x y", "two\nlines", " blank ", "<text>", "</text>", "\r\n", "<b>&",
		"Person: A", "Organization: B ()", "SPDXRef-DOCUMENT", "é", "\x01", "1:2.3-4", "v1.0", "#", "a: b", "built package from: x 1"}),
	rapid.StringN(0, 12, 40))

func word(t *rapid.T, label string) string { return words.Draw(t, label) }

func maybe[T any](t *rapid.T, label string, g *rapid.Generator[T]) T {
	var zero T
	if rapid.Bool().Draw(t, label+"?") {
		return g.Draw(t, label)
	}
	return zero
}

func some[T any](g *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T { return rapid.SliceOfN(g, 0, most).Draw(t, "list") })
}

// hexDigits generates digests of n bytes.
func hexDigits(n int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("0123456789abcdef")), 2*n, 2*n, -1)
}

func digest(t *rapid.T) string { return "sha256:" + hexDigits(32).Draw(t, "digest") }

var timestamps = rapid.SampledFrom([]string{"", "1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z"})

func licenses() *rapid.Generator[sbom.License] {
	return rapid.Custom(func(t *rapid.T) sbom.License {
		l := sbom.License{Kind: rapid.SampledFrom([]sbom.LicenseKind{sbom.LicenseDeclared, sbom.LicenseConcluded, sbom.LicenseDetected}).Draw(t, "kind")}
		if rapid.Bool().Draw(t, "expression") {
			l.Expression = rapid.SampledFrom([]string{"MIT", "Apache-2.0 OR MIT", "LicenseRef-x", "LicenseRef-x AND ISC", "mit", "GPL-2.0-only WITH Classpath-exception-2.0",
				"not an expression"}).Draw(t, "expression")
		} else {
			l.Name = word(t, "name")
		}
		l.URL = maybe(t, "url", words)
		return l
	})
}

func urls() *rapid.Generator[purl.PackageURL] {
	return rapid.Custom(func(t *rapid.T) purl.PackageURL {
		s := rapid.SampledFrom([]string{"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc%402.36-9", "pkg:npm/%40babel/core@7.1.0",
			"pkg:rpm/redhat/openssl@3.0.7-18.el9?arch=x86_64&epoch=1&upstream=openssl-3.0.7-18.el9.src.rpm", "pkg:oci/alpine@sha256%3Aab?tag=3",
			"pkg:golang/github.com/x/y@v1.2.3#sub/path", "pkg:apk/alpine/busybox@1.36?arch=x86_64", "pkg:generic/a%20b"}).Draw(t, "purl")
		u, err := purl.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	})
}

func packages() *rapid.Generator[sbom.Package] {
	return rapid.Custom(func(t *rapid.T) sbom.Package {
		return sbom.Package{
			ID:         maybe(t, "id", rapid.SampledFrom([]string{"a", "b", "pkg:npm/x@1", "DOCUMENT-x", "OperatingSystem-debian-12", "ü"})),
			Type:       maybe(t, "type", rapid.SampledFrom([]string{"library", "application", "operating-system", "container", "machine-learning-model", "file"})),
			Name:       word(t, "name"),
			Version:    word(t, "version"),
			PURL:       maybe(t, "purl", urls()),
			Arch:       maybe(t, "arch", rapid.SampledFrom([]string{"amd64", "x86_64", "noarch"})),
			Upstream:   maybe(t, "upstream", rapid.Custom(func(t *rapid.T) *sbom.Upstream { return &sbom.Upstream{Name: word(t, "n"), Version: word(t, "v")} })),
			State:      maybe(t, "state", rapid.Just(sbom.Declared)),
			Scope:      maybe(t, "scope", rapid.SampledFrom([]sbom.Scope{sbom.ScopeDev, sbom.ScopeOptional})),
			FoundBy:    maybe(t, "by", rapid.Just("dpkg")),
			Locations:  maybe(t, "locations", some(rapid.Custom(func(t *rapid.T) sbom.Location { return sbom.Location{Path: word(t, "path"), Layer: word(t, "layer")} }), 7)),
			Licenses:   maybe(t, "licenses", some(licenses(), 3)),
			Hashes:     maybe(t, "hashes", some(hashes(), 3)),
			CPEs:       maybe(t, "cpes", some(rapid.SampledFrom([]string{"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*", "cpe:/a:x:y", "cpe:2.3:a b"}), 2)),
			Supplier:   maybe(t, "supplier", words),
			Originator: maybe(t, "originator", rapid.Just("Jane Doe (jane@example.com)")),
			Homepage:   maybe(t, "homepage", words), Download: maybe(t, "download", words), Copyright: maybe(t, "copyright", words),
			Description: maybe(t, "description", words), Usage: maybe(t, "usage", rapid.Custom(func(t *rapid.T) *sbom.Usage {
				return &sbom.Usage{State: rapid.SampledFrom([]sbom.UsageState{sbom.Reached, sbom.Unreached}).Draw(t, "state"), Chain: maybe(t, "chain", some(words, 3))}
			})),
			Properties: maybe(t, "properties", some(rapid.Custom(func(t *rapid.T) sbom.Property { return sbom.Property{Name: word(t, "name"), Value: word(t, "value")} }), 2)),
		}
	})
}

func hashes() *rapid.Generator[sbom.Hash] {
	return rapid.Custom(func(t *rapid.T) sbom.Hash {
		algorithm := rapid.SampledFrom([]string{"sha256", "sha1", "sha3256", "md6", "unknown"}).Draw(t, "algorithm")
		return sbom.Hash{Algorithm: algorithm, Value: hexDigits(max(algorithms[algorithm].size, 4)).Draw(t, "value")}
	})
}

func subjects() *rapid.Generator[sbom.Subject] {
	return rapid.Custom(func(t *rapid.T) sbom.Subject {
		s := sbom.Subject{
			ID:   maybe(t, "id", rapid.SampledFrom([]string{"image", "DOCUMENT", "a/b"})),
			Kind: rapid.SampledFrom([]sbom.SubjectKind{"", sbom.SubjectImage, sbom.SubjectDirectory, sbom.SubjectOther}).Draw(t, "kind"),
			Name: word(t, "name"), Version: word(t, "version"), ConfigDigest: maybe(t, "config", rapid.Custom(digest)),
			Platform: maybe(t, "platform", rapid.Just("linux/amd64")),
			Labels:   []sbom.Property{{Name: "label." + word(t, "label"), Value: word(t, "label value")}},
			OS: maybe(t, "os", rapid.Custom(func(t *rapid.T) *sbom.OS {
				return &sbom.OS{ID: word(t, "id"), IDLike: maybe(t, "like", some(words, 2)), Name: word(t, "name"), PrettyName: word(t, "pretty"), VersionID: word(t, "version"),
					Codename: word(t, "code"), CPE: maybe(t, "cpe", rapid.SampledFrom([]string{"cpe:/o:x", "cpe:2.3:o:x:y:1:*:*:*:*:*:*:*"})), BuildID: word(t, "build"), VariantID: word(t, "variant")}
			})),
			Layers: maybe(t, "layers", some(rapid.Custom(func(t *rapid.T) sbom.Layer { return sbom.Layer{DiffID: digest(t), CreatedBy: word(t, "by")} }), 2)),
		}
		if rapid.Bool().Draw(t, "package") {
			p := packages().Draw(t, "package")
			p.Description += "x" // not the zero value
			id := p.ID
			alone := sbom.Document{Packages: []sbom.Package{p}}
			alone.Normalize()
			s.Package = &alone.Packages[0]
			s.Package.ID = id
		}
		return s
	})
}

// documents generates normalised documents without foreign members.
func documents() *rapid.Generator[*sbom.Document] {
	return rapid.Custom(func(t *rapid.T) *sbom.Document {
		d := &sbom.Document{
			Name: word(t, "name"), Namespace: maybe(t, "namespace", rapid.Just("https://example.com/doc")), Created: timestamps.Draw(t, "created"),
			Tools: maybe(t, "tools", some(rapid.Custom(func(t *rapid.T) sbom.Tool {
				return sbom.Tool{Vendor: word(t, "vendor"), Name: word(t, "name"), Version: word(t, "version")}
			}), 3)),
			Subject: subjects().Draw(t, "subject"),
		}
		seen := map[string]bool{d.Subject.ID: true, selfID: true}
		for _, p := range some(packages(), 5).Draw(t, "packages") {
			if p.ID == "" || !seen[p.ID] {
				seen[p.ID] = true
				d.Packages = append(d.Packages, p)
			}
		}
		d.Normalize()
		ids := []string{d.Subject.ID}
		for i := range d.Packages {
			ids = append(ids, d.Packages[i].ID)
		}
		end := rapid.SampledFrom(ids)
		d.Relationships = some(rapid.Custom(func(t *rapid.T) sbom.Relationship {
			return sbom.Relationship{From: end.Draw(t, "from"), Kind: rapid.SampledFrom([]sbom.RelationshipKind{sbom.Contains, sbom.DependsOn, sbom.OwnedBy}).Draw(t, "kind"), To: end.Draw(t, "to")}
		}), 6).Draw(t, "relationships")
		d.Gaps = maybe(t, "gaps", some(rapid.Custom(func(t *rapid.T) sbom.Gap {
			return sbom.Gap{Code: sbom.GapUnreadable, Blocking: rapid.Bool().Draw(t, "blocking"), Where: word(t, "where"), Layer: word(t, "layer"), What: word(t, "what")}
		}), 3))
		d.Secrets = maybe(t, "secrets", some(rapid.Custom(func(t *rapid.T) sbom.Secret {
			return sbom.Secret{Rule: "r" + word(t, "rule"), Title: word(t, "title"), Path: word(t, "path"), Layer: word(t, "layer"), Line: rapid.IntRange(0, 9).Draw(t, "line"),
				Masked: word(t, "masked"), Removed: rapid.Bool().Draw(t, "removed")}
		}), 3))
		if rapid.Bool().Draw(t, "composition") {
			d.Composition = &sbom.Composition{Root: digest(t), Fragments: []sbom.FragmentRef{{DiffID: digest(t), Digest: digest(t)}}}
		}
		if rapid.Bool().Draw(t, "source") {
			d.Source = &sbom.Source{Reference: word(t, "ref") + "x", Index: word(t, "index"), Manifest: digest(t), MediaType: word(t, "type"), Tags: []string{"latest"},
				Layers: []sbom.Descriptor{{MediaType: "m", Digest: digest(t), Size: 1 << 60}}, PlatformChoice: word(t, "choice")}
		}
		d.Normalize()
		return d
	})
}
