package elfnote

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of packages that a note names.
const (
	debugProperty = "elfnote:debuginfo" // URL of the server that has its debug information
	osProperty    = "elfnote:os"        // the distribution, as the note names it
	typeProperty  = "elfnote:type"      // the kind of package
)

// Join implements analyzer.Joiner: each note becomes a package that counts where nothing owns
// its file.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var out []analyzer.Located
	for i := range in.Facts {
		n, ok := of(&in.Facts[i])
		if !ok {
			continue
		}
		f := analyzer.Located{Path: in.Facts[i].Path, Layer: in.Facts[i].Layer}
		f.Kind, f.Key, f.Orphan, f.Package = analyzer.KindPackage, n.name, true, n.pkg(in.OS)
		out = append(out, f)
	}
	return out, nil
}

// pkg is the package that the note names.
func (n *note) pkg(image *sbom.OS) *sbom.Package {
	p := &sbom.Package{Name: n.name, Version: n.version, Arch: n.arch}
	if strings.HasPrefix(n.appCPE, "cpe:2.3:a:") {
		p.CPEs = []string{n.appCPE}
	}
	p.PURL = n.packageURL(p, n.distribution(image))
	os := n.osCPE
	if os == "" {
		os = strings.TrimSuffix(n.os+" "+n.osVersion, " ")
	}
	for _, q := range []sbom.Property{{Name: debugProperty, Value: n.debug}, {Name: osProperty, Value: os}, {Name: typeProperty, Value: n.kind}} {
		if q.Value != "" {
			p.Properties = append(p.Properties, q)
		}
	}
	return p
}

// packageURL makes the package URL that a database of the kind would give, or none.
func (n *note) packageURL(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	var u purl.PackageURL
	switch n.kind {
	case "deb":
		u = distro.Deb(p, os)
	case "rpm":
		u = distro.RPM(p, os)
	case "apk":
		u = distro.APK(p, os)
	case "alpm", "pacman":
		u = distro.ALPM(p, os)
	}
	return distro.Checked(u)
}

// distribution returns the distribution that the note names, or nil. Where it does not say
// which release, it is that of an image of the same distribution.
func (n *note) distribution(image *sbom.OS) *sbom.OS {
	if n.osCPE != "" {
		if image != nil && image.CPE == n.osCPE {
			return image
		}
		if id, version, ok := fromCPE(n.osCPE); ok {
			return release(id, version, image)
		}
	}
	if n.os == "" {
		return nil
	}
	return release(strings.ToLower(n.os), n.osVersion, image)
}

func release(id, version string, image *sbom.OS) *sbom.OS {
	if image != nil && image.ID == id && (version == "" || version == image.VersionID || strings.HasPrefix(image.VersionID, version+".")) {
		return image // it may know the minor release, too
	}
	return &sbom.OS{ID: id, VersionID: version}
}

// fromCPE reads the name of an operating system in CPE 2.2 or 2.3 as the ID and VERSION_ID of
// its os-release.
func fromCPE(name string) (id, version string, ok bool) {
	rest, ok := strings.CutPrefix(name, "cpe:/o:")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "cpe:2.3:o:"); !ok {
			return "", "", false
		}
	}
	parts := strings.Split(rest, ":")
	if len(parts) < 2 {
		return "", "", false
	}
	if len(parts) > 2 && parts[2] != "*" && parts[2] != "-" {
		version = parts[2]
	}
	switch vendor := parts[0] + ":" + parts[1]; vendor {
	case "fedoraproject:fedora", "almalinux:almalinux", "debian:debian", "mageia:mageia":
		return parts[1], version, true
	case "debian:debian_linux":
		return "debian", version, true
	case "canonical:ubuntu_linux":
		return "ubuntu", version, true
	case "redhat:enterprise_linux":
		return "rhel", version, true
	case "centos:centos", "centos:stream":
		return "centos", version, true
	case "rocky:rocky", "rocky:rocky_linux":
		return "rocky", version, true
	case "oracle:linux":
		return "ol", version, true
	case "amazon:amazon_linux", "amazon:linux":
		return "amzn", version, true
	case "opensuse:leap", "opensuse:tumbleweed":
		return "opensuse-" + parts[1], version, true
	case "suse:sles":
		return "sles", version, true
	case "microsoft:azure_linux", "microsoft:azurelinux":
		return "azurelinux", version, true
	}
	return "", "", false
}
