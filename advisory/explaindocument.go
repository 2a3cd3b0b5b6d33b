package advisory

import (
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// PackageDocument returns a document of the one package that a package URL
// names. Its qualifier "distro" is the operating system, "upstream" the source
// package, "epoch" part of the version, as scanners write them. An error wraps
// ErrInvalid.
func PackageDocument(url string) (*sbom.Document, error) {
	u, err := purl.Parse(url)
	if err != nil {
		return nil, err
	}
	p := sbom.Package{ID: u.String(), Name: u.Name, Version: u.Version, PURL: u, Arch: u.Qualifier("arch")}
	doc := &sbom.Document{}
	switch {
	case isSystemType(u.Type):
		if epoch := u.Qualifier("epoch"); epoch != "" && !strings.Contains(u.Version, ":") {
			p.Version = epoch + ":" + u.Version
		}
		p.Upstream = sourcePackage(u)
		if sys := systemOf(systemKey(&p), nil); sys.id != "" {
			doc.Subject.OS = &sbom.OS{ID: sys.id, VersionID: sys.version, Codename: sys.code}
		}
	case u.Type == "maven":
		p.Name = strings.TrimPrefix(u.Namespace+":"+u.Name, ":")
	default:
		p.Name = strings.TrimPrefix(u.Namespace+"/"+u.Name, "/")
	}
	doc.Packages = []sbom.Package{p}
	return doc, nil
}

// sourcePackage reads the qualifier "upstream": "name", "name@version", or the
// file name of a source rpm.
func sourcePackage(u purl.PackageURL) *sbom.Upstream {
	text := u.Qualifier("upstream")
	if text == "" {
		return nil
	}
	if file, ok := strings.CutSuffix(text, ".src.rpm"); ok && u.Type == "rpm" {
		parts := strings.Split(file, "-")
		if n := len(parts); n > 2 {
			return &sbom.Upstream{Name: strings.Join(parts[:n-2], "-"), Version: parts[n-2] + "-" + parts[n-1]}
		}
		text = file
	}
	name, version, _ := strings.Cut(text, "@")
	return &sbom.Upstream{Name: name, Version: version}
}
