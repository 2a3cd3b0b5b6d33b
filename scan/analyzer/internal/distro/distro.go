// Package distro makes the package URLs of packages of distributions, alike for what a
// database lists, an archive holds and a program says of itself: what is the same package
// then has the same URL.
//
// Source: the definitions of the purl types deb, apk, rpm and alpm.
package distro

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Deb returns the package URL of a Debian package; the version keeps its epoch. A nil os
// leaves the distribution out, here and below.
func Deb(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	u := purl.PackageURL{Type: "deb", Name: p.Name, Version: p.Version}
	if os != nil {
		u.Namespace = os.ID
		u = u.With("distro", strings.TrimSuffix(os.ID+"-"+cmp.Or(os.VersionID, os.Codename), "-")) // rolling releases go by codename
	}
	if p.Upstream != nil {
		source := p.Upstream.Name
		if p.Upstream.Version != "" {
			source += "@" + p.Upstream.Version
		}
		u = u.With("upstream", source)
	}
	return u.With("arch", p.Arch).Normalize()
}

// APK returns the package URL of a package of the Alpine Package Keeper.
func APK(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	u := purl.PackageURL{Type: "apk", Name: p.Name, Version: p.Version}
	if os != nil {
		u.Namespace = os.ID
		u = u.With("distro", strings.TrimSuffix(os.ID+"-"+os.VersionID, "-"))
	}
	if p.Upstream != nil {
		u = u.With("upstream", p.Upstream.Name)
	}
	return u.With("arch", p.Arch).Normalize()
}

// ALPM returns the package URL of a package of pacman, or none where the distribution is not
// known: the type requires it.
func ALPM(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	if os == nil || os.ID == "" {
		return purl.PackageURL{}
	}
	u := locked.URL("alpm", strings.ToLower(os.ID), strings.ToLower(p.Name), p.Version)
	if u.IsZero() {
		return u
	}
	if p.Upstream != nil {
		u = u.With("upstream", p.Upstream.Name)
	}
	return u.With("arch", p.Arch).With("distro", strings.TrimSuffix(os.ID+"-"+cmp.Or(os.VersionID, os.Codename), "-"))
}

// The properties of rpm packages that become part of their package URL.
const (
	RPMModularity = "rpm:modularitylabel" // name:stream:version:context
	RPMSource     = "rpm:sourcerpm"       // file name of the source package
)

// RPM returns the package URL of an rpm package. An epoch is a qualifier.
func RPM(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	u := purl.PackageURL{Type: "rpm", Name: p.Name, Version: p.Version}
	add := func(key, value string) { u.Qualifiers = append(u.Qualifiers, purl.Qualifier{Key: key, Value: value}) }
	if epoch, rest, ok := strings.Cut(p.Version, ":"); ok {
		u.Version = rest
		add("epoch", epoch)
	}
	if os != nil && os.ID != "" {
		u.Namespace = Namespace(os.ID)
		add("distro", strings.TrimSuffix(os.ID+"-"+os.VersionID, "-"))
	}
	add("arch", p.Arch)
	add("upstream", Property(p, RPMSource))
	add("modularitylabel", Property(p, RPMModularity))
	return u.Normalize()
}

// Namespace returns the vendor that a package URL names for a distribution of rpm, by
// its os-release ID. Vendors' own documents decide where there are any (Red
// Hat, SUSE, openSUSE, AlmaLinux, Rocky), else the word most tools use; an ID
// that is not listed stands for itself.
func Namespace(id string) string {
	id = strings.ToLower(id)
	switch {
	case id == "rhel":
		return "redhat"
	case id == "ol":
		return "oracle"
	case id == "amzn":
		return "amazon"
	case strings.HasPrefix(id, "opensuse"):
		return "opensuse"
	case strings.HasPrefix(id, "sles"), strings.HasPrefix(id, "sled"), strings.HasPrefix(id, "sle-"), strings.HasPrefix(id, "sle_"), strings.HasPrefix(id, "sl-micro"), strings.HasPrefix(id, "suse"):
		return "suse"
	}
	return id
}

// Property returns the value of a property, or "".
func Property(p *sbom.Package, name string) string {
	for _, q := range p.Properties {
		if q.Name == name {
			return q.Value
		}
	}
	return ""
}

// Checked returns u if it can be read back, else the zero value: names in files are anything.
func Checked(u purl.PackageURL) purl.PackageURL {
	back, err := purl.Parse(u.String())
	if err != nil || back.Namespace != u.Namespace || back.Name != u.Name || back.Version != u.Version {
		return purl.PackageURL{}
	}
	return u
}
