package nuget

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of packages.
const (
	propertySource    = "nuget:source"          // why the registry does not have it: "project", "reference", a folder
	propertyRequested = "nuget:requested"       // the version as asked for, where it is not one version
	propertyContent   = "nuget:contenthash"     // of the package without the signature of a registry, sha512 in base64
	propertyEvidence  = "nuget:evidence"        // "assembly": name and version are those of a PE file
	propertyAssembly  = "nuget:assemblyversion" // of a PE file
	propertyFile      = "nuget:fileversion"     // of a PE file
	propertyRID       = "nuget:rid"             // what a PE file was compiled for
)

// packageURL returns the package URL of a package of the registry: it has no namespace and
// keeps its case (purl-spec, type nuget).
func packageURL(name, version string) purl.PackageURL {
	return locked.URL("nuget", "", name, version)
}

// plainVersion cuts off what NuGet does not count as a part of the version: the metadata
// behind "+" (Package versioning, "Normalized version numbers").
func plainVersion(v string) string {
	v, _, _ = strings.Cut(strings.TrimSpace(v), "+")
	return v
}

// isVersion reports whether NuGet reads v as one version: one to four numbers, and a label.
func isVersion(v string) bool {
	numbers, label, labelled := strings.Cut(plainVersion(v), "-")
	if labelled && (label == "" || strings.ContainsFunc(label, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '.' || r == '-')
	})) {
		return false
	}
	parts := 0
	for part := range strings.SplitSeq(numbers, ".") {
		if parts++; part == "" || parts > 4 || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

// request completes p by a version that is asked for: one version, "[1.2.3]", which allows no
// other, or a range, a floating version or a property of MSBuild, which leave it open.
func request(p *sbom.Package, asked string) {
	asked = strings.TrimSpace(asked)
	one := asked
	if inner, ok := strings.CutPrefix(asked, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			one = strings.TrimSpace(inner)
		}
	}
	if isVersion(one) {
		p.Version = plainVersion(one)
	} else if asked != "" {
		addProperty(p, propertyRequested, asked)
	}
	p.PURL = packageURL(p.Name, p.Version)
}

// contentHash notes what NuGet compares packages by: the digest of a package without its
// signature, which nuget.org adds to all. It is not the digest of the file that it serves.
func contentHash(p *sbom.Package, text string) {
	if locked.Base64("sha512", text) != nil {
		addProperty(p, propertyContent, text)
	}
}

// addProperty adds a property to a list that others may share.
func addProperty(p *sbom.Package, name, value string) {
	p.Properties = append(slices.Clip(p.Properties), sbom.Property{Name: name, Value: value})
	slices.SortStableFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
}

// comesFrom notes the feed that a package was installed from: another registry in the package
// URL, a folder as a property.
func comesFrom(p *sbom.Package, source string) {
	u, err := url.Parse(source)
	switch {
	case source == "":
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		addProperty(p, propertySource, source)
	case u.Host == "nuget.org" || strings.HasSuffix(u.Host, ".nuget.org"):
	case !p.PURL.IsZero():
		u.User = nil
		p.PURL = p.PURL.With("repository_url", u.String())
	}
}
