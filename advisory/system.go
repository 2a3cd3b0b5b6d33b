package advisory

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// system is the operating system that a package belongs to.
type system struct {
	id      string // as in os-release, lower case
	version string // VERSION_ID; empty where it has none
	code    string // codename
	pretty  string
	cpe     string
}

// systemScope is the scope of packages of an operating system: as their package
// URLs say, or as the document does.
func (r *run) systemScope(key scopeKey) *scope {
	s := &scope{isSystem: true, code: sbom.GapNoData, blocking: true, why: "there is no advisory data about this distribution"}
	sys := systemOf(key, r.doc.Subject.OS)
	if sys.id == "" {
		s.name, s.code, s.why = "pkg:"+key.typ, sbom.GapUnidentified, "nothing says which distribution they belong to"
		return s
	}
	var matches func(string) bool
	s.name, s.naming, matches = sys.ecosystems()
	s.support = sys.supportEnds()
	if matches != nil {
		r.find(s, matches)
	}
	return s
}

// systemOf puts together what the package URL's namespace and distro qualifier
// and the document's operating system say.
func systemOf(key scopeKey, os *sbom.OS) system {
	var sys system
	if key.distro != "" {
		sys.id, sys.version = splitDistro(key.distro)
		if name, ok := strings.CutPrefix(sys.id, key.namespace+"-"); ok && sys.version == "" {
			sys.id, sys.code = key.namespace, name // "debian-sid" of pkg:deb/debian
		} else if sys.version == "" && key.namespace != "" && sys.id != key.namespace {
			sys.id, sys.code = key.namespace, sys.id // "bookworm" of pkg:deb/debian
		}
	}
	if os == nil || sys.id != "" && sys.id != strings.ToLower(os.ID) {
		return sys
	}
	if sys.version == "" && sys.code == "" {
		sys.version = os.VersionID
	}
	sys.id, sys.code, sys.pretty, sys.cpe = strings.ToLower(os.ID), cmp.Or(sys.code, os.Codename), os.PrettyName, os.CPE
	return sys
}

// splitDistro splits "opensuse-leap-15.6" at the hyphen before the version.
func splitDistro(s string) (id, version string) {
	s = strings.ToLower(s)
	if i := strings.LastIndexByte(s, '-'); i > 0 && i+1 < len(s) && s[i+1]-'0' < 10 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// ecosystems returns the name of the system's data, by which name of a package
// it is kept, and which ecosystems have it; nil where none can.
//
// Source: OSV schema, "Defined ecosystems", and the names that the databases
// themselves use.
func (s system) ecosystems() (name string, by naming, matches func(string) bool) {
	switch s.id {
	case "debian":
		return s.release("Debian", bySource, s.debianRelease(), "")
	case "ubuntu":
		return s.ubuntu()
	case "echo":
		return s.release("Echo", bySource, "", "")
	case "alpine":
		return s.release("Alpine", bySource, s.alpineRelease(), "")
	case "wolfi":
		return s.release("Wolfi", byBoth, "", "")
	case "chainguard":
		return s.release("Chainguard", byBoth, "", "")
	case "minimos":
		return s.release("MinimOS", byBoth, "", "")
	case "clnstrt", "cleanstart":
		return s.release("CleanStart", byBoth, "", "")
	case "alpaquita":
		return s.release("Alpaquita", bySource, cmp.Or(s.version, s.code), "")
	case "bellsoft-hardened-containers":
		return s.release("BellSoft Hardened Containers", bySource, cmp.Or(s.version, s.code), "")
	}
	return s.rpmEcosystems()
}

// release is the data of one release. Records without a release are about all
// of them.
func (s system) release(base string, by naming, release, other string) (string, naming, func(string) bool) {
	name := base
	if release != "" {
		name += ":" + release
	}
	return name, by, func(e string) bool {
		return e == name || e == base || other != "" && e == base+":"+other
	}
}

// parts returns the first n dotted parts of the version.
func (s system) parts(n int) string {
	end := 0
	for ; n > 0 && end < len(s.version); n-- {
		if i := strings.IndexByte(s.version[min(end+1, len(s.version)):], '.'); i >= 0 {
			end += 1 + i
		} else {
			end = len(s.version)
		}
	}
	return s.version[:end]
}

// debianRelease is the number of a release, or the name of one without.
func (s system) debianRelease() string {
	switch major := s.parts(1); {
	case s.version == "":
	case major == "3":
		return s.parts(2) // woody and sarge
	case len(major) == 1 && major >= "4" && major <= "6":
		return major + ".0"
	default:
		return major
	}
	if number := debianReleases[s.code]; number != "" {
		return number
	}
	return s.code
}

// debianReleases are Debian's releases by code name, numbered as advisories do.
// Source: distro-info-data.
var debianReleases = map[string]string{
	"woody": "3.0", "sarge": "3.1", "etch": "4.0", "lenny": "5.0", "squeeze": "6.0", "wheezy": "7", "jessie": "8", "stretch": "9",
	"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15", "unstable": "sid",
}

func (s system) alpineRelease() string {
	if s.version == "" || s.code == "edge" || strings.Contains(s.version, "_alpha") || s.version == "edge" {
		return "edge"
	}
	return "v" + s.parts(2)
}

// ubuntu is the data of a release, with or without long-term support, and of
// its extended support (Pro): without a subscription those fixes are missing,
// but the vulnerabilities are there. The FIPS variants are other builds with
// versions of their own.
func (s system) ubuntu() (string, naming, func(string) bool) {
	release := s.version
	if release == "" {
		switch s.code {
		case "trusty":
			release = "14.04"
		case "xenial":
			release = "16.04"
		case "bionic":
			release = "18.04"
		case "focal":
			release = "20.04"
		case "jammy":
			release = "22.04"
		case "noble":
			release = "24.04"
		}
	}
	return "Ubuntu:" + release, bySource, func(e string) bool {
		rest, ok := strings.CutPrefix(e, "Ubuntu:")
		if !ok || release == "" || strings.Contains(rest, "FIPS") {
			return false
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "Pro:"), "Realtime:")
		return rest == release || rest == release+":LTS"
	}
}
