package advisory

import "strings"

// rpmEcosystems is ecosystems for distributions with rpm.
func (s system) rpmEcosystems() (name string, by naming, matches func(string) bool) {
	switch s.id {
	case "rhel", "redhat", "centos":
		return s.redHat()
	case "rocky":
		return s.release("Rocky Linux", bySource, s.parts(1), "")
	case "almalinux":
		return s.release("AlmaLinux", byPackage, s.parts(1), "")
	case "ol", "oracle":
		return s.release("Oracle Linux", byPackage, s.parts(1), "")
	case "amzn", "amazon":
		return s.release("Amazon Linux", byPackage, s.amazonRelease(), "")
	case "fedora":
		return s.release("Fedora", byPackage, s.parts(1), "")
	case "azurelinux", "mariner":
		return s.release("Azure Linux", byBoth, s.parts(1), s.version)
	case "mageia":
		return s.release("Mageia", bySource, s.parts(1), "")
	case "openeuler":
		return s.release("openEuler", bySource, s.openEulerRelease(), "")
	case "photon":
		return s.release("Photon OS", byBoth, s.parts(2), "")
	case "opensuse-leap":
		return s.release("openSUSE", byBoth, "Leap "+s.version, "")
	case "opensuse-leap-micro":
		return s.release("openSUSE", byBoth, "Leap Micro "+s.version, "")
	case "opensuse-tumbleweed":
		return s.release("openSUSE", byBoth, "Tumbleweed", "")
	case "opensuse":
		if s.code == "tumbleweed" { // "opensuse-tumbleweed" of pkg:rpm/opensuse
			return s.release("openSUSE", byBoth, "Tumbleweed", "")
		}
	}
	if strings.HasPrefix(s.id, "sle") || strings.HasPrefix(s.id, "sl-") || strings.HasPrefix(s.id, "suse") {
		return s.suse()
	}
	name = s.id
	if s.version != "" {
		name += ":" + s.version
	}
	return name, bySource, nil
}

// redHat is the data of a product and major release: all its repositories, none
// of its extended-support streams, whose builds have versions of their own.
// CentOS is built from the same sources. Errata name binary packages; what is not
// fixed is often named by the source package alone.
func (s system) redHat() (string, naming, func(string) bool) {
	product, release := "enterprise_linux", s.parts(1)
	if cpe, ok := strings.CutPrefix(s.cpe, "cpe:/o:redhat:"); ok {
		product, cpe, _ = strings.Cut(cpe, ":")
		cpe, _, _ = strings.Cut(cpe, ":")
		if cpe != "" {
			release, _, _ = strings.Cut(cpe, ".")
		}
	}
	name := "Red Hat:" + product + ":" + release
	return name, byBoth, func(e string) bool {
		rest, ok := strings.CutPrefix(e, name)
		return ok && release != "" && (rest == "" || rest[0] == ':' || rest[0] == '.')
	}
}

// suse is the data of all products of one release: a system is put together
// from several ("Server", "Module for Basesystem"), and long-term support
// tells of what other systems of the release have as well. OSV has source
// packages, SUSE's OVAL binary ones.
func (s system) suse() (string, naming, func(string) bool) {
	release := s.version
	isMicro := strings.Contains(s.id, "micro")
	if major, minor, ok := strings.Cut(s.version, "."); ok && !isMicro {
		release = major
		if minor != "0" {
			release += " SP" + minor
		}
	}
	return "SUSE:" + release, byBoth, func(e string) bool {
		product, ok := strings.CutPrefix(e, "SUSE:")
		if !ok || release == "" || strings.Contains(product, "Micro") != isMicro {
			return false
		}
		i := strings.LastIndex(product, " "+release)
		if i < 0 {
			return false
		}
		rest := product[i+1+len(release):]
		return rest == "" || rest[0] == '-'
	}
}

// amazonRelease is the release; that of the first Amazon Linux is the year and
// month of an image ("2018.03"), over which its advisories hold.
func (s system) amazonRelease() string {
	if len(s.version) >= 4 && s.version[:4] < "2019" && strings.HasPrefix(s.version, "201") {
		return "1"
	}
	return s.version
}

// openEulerRelease makes 22.03-LTS-SP1 of "openEuler 22.03 (LTS-SP1)": the
// version alone does not tell service packs apart.
func (s system) openEulerRelease() string {
	_, rest, ok := strings.Cut(s.pretty, "(")
	pack, _, closed := strings.Cut(rest, ")")
	if !ok || !closed || pack == "" {
		return s.version
	}
	return s.version + "-" + strings.ReplaceAll(pack, " ", "-")
}
