package updateinfo

import (
	"iter"
	"net/url"
	"slices"
	"strconv"

	"github.com/stella-ops/stella/advisory"
)

// Source is the updates of one distribution's repositories.
type Source struct {
	description  advisory.Description
	ecosystem    string // without the release
	bySource     bool   // its advisories are kept by source package
	repositories []repository
	page         func(release, id string) string // people's page about an update that names none
}

// Describe says what the source is.
func (s *Source) Describe() advisory.Description { return s.description }

// Parse yields the records of a document; see [advisory.Source].
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return s.parse(doc)
}

// architectures are those whose repositories are asked. What is affected on one
// counts as affected, so that two are enough for all that is packaged for both.
var architectures = [...]string{"x86_64", "aarch64"}

// add adds a repository for each architecture, which f addresses.
func (s *Source) add(name string, optional bool, f func(arch string) (base, mirrors string)) {
	for _, arch := range architectures {
		base, mirrors := f(arch)
		s.repositories = append(s.repositories, repository{name: name + "/" + arch, base: base, mirrors: mirrors, optional: optional})
		u, err := url.Parse(base + mirrors)
		if err == nil && !slices.Contains(s.description.Hosts, u.Hostname()) {
			s.description.Hosts = append(s.description.Hosts, u.Hostname())
		}
	}
	slices.Sort(s.description.Hosts)
}

// Amazon returns the source of Amazon Linux 2 and 2023: the core repositories.
func Amazon() *Source {
	s := &Source{ecosystem: "Amazon Linux", description: advisory.Description{
		Name: "amazon", Title: "Amazon Linux security advisories", Home: "https://alas.aws.amazon.com/",
		License: "LicenseRef-Amazon-Linux-Security-Advisories", Attribution: "Amazon Web Services, Inc.",
	}, page: func(release, id string) string {
		return "https://alas.aws.amazon.com/AL" + release + "/" + id + ".html"
	}}
	s.add("2/core", false, func(arch string) (string, string) {
		return "", "https://cdn.amazonlinux.com/2/core/latest/" + arch + "/mirror.list"
	})
	s.add("2023/core", false, func(arch string) (string, string) {
		return "", "https://cdn.amazonlinux.com/al2023/core/mirrors/latest/" + arch + "/mirror.list"
	})
	return s
}

// Rocky returns the source of Rocky Linux 8 to 10.
func Rocky() *Source {
	s := &Source{ecosystem: "Rocky Linux", bySource: true, description: advisory.Description{
		Name: "rocky-updateinfo", Title: "Rocky Linux errata (repositories)", Home: "https://errata.rockylinux.org/",
		License: "BSD-3-Clause", Attribution: "Copyright Rocky Enterprise Software Foundation", Redistribute: true,
	}, page: func(_, id string) string { return "https://errata.rockylinux.org/" + id }}
	s.enterprise("https://download.rockylinux.org/pub/rocky/")
	return s
}

// AlmaLinux returns the source of AlmaLinux 8 to 10.
func AlmaLinux() *Source {
	s := &Source{ecosystem: "AlmaLinux", description: advisory.Description{
		Name: "almalinux-updateinfo", Title: "AlmaLinux errata (repositories)", Home: "https://errata.almalinux.org/",
		License: "MIT", Attribution: "Copyright AlmaLinux OS Foundation", Redistribute: true,
	}}
	s.enterprise("https://repo.almalinux.org/almalinux/")
	return s
}

// enterprise adds the repositories that rebuilds of Red Hat Enterprise Linux
// have.
func (s *Source) enterprise(base string) {
	for _, release := range []string{"8", "9", "10"} {
		builders := "CRB"
		if release == "8" {
			builders = "PowerTools"
		}
		for _, name := range []string{"BaseOS", "AppStream", builders, "extras"} {
			s.add(release+"/"+name, release == "10" || name == "extras", func(arch string) (string, string) {
				return base + release + "/" + name + "/" + arch + "/os/", ""
			})
		}
	}
}

// Oracle returns the source of Oracle Linux 7 to 10 by its repositories. Package
// oval has a source of the same errata, which tells more.
func Oracle() *Source {
	s := &Source{ecosystem: "Oracle Linux", description: advisory.Description{
		Name: "oracle-updateinfo", Title: "Oracle Linux errata (repositories)", Home: "https://linux.oracle.com/security/",
		License: "LicenseRef-Oracle-Linux-Errata", Attribution: "Copyright Oracle, Inc.",
	}, page: func(_, id string) string { return "https://linux.oracle.com/errata/" + id + ".html" }}
	const base = "https://yum.oracle.com/repo/OracleLinux/"
	s.add("7/latest", false, func(arch string) (string, string) { return base + "OL7/latest/" + arch + "/", "" })
	for _, release := range []string{"8", "9", "10"} {
		s.add(release+"/baseos", release == "10", func(arch string) (string, string) { return base + "OL" + release + "/baseos/latest/" + arch + "/", "" })
		s.add(release+"/appstream", release == "10", func(arch string) (string, string) { return base + "OL" + release + "/appstream/" + arch + "/", "" })
	}
	return s
}

// The releases of Fedora that are asked for. Those that do not exist yet, or any
// more, cost a request each.
const firstFedora, lastFedora = 41, 46

// Fedora returns the source of Fedora's updates.
func Fedora() *Source {
	s := &Source{ecosystem: "Fedora", description: advisory.Description{
		Name: "fedora", Title: "Fedora updates", Home: "https://bodhi.fedoraproject.org/",
		License: "LicenseRef-Fedora-Updates", Attribution: "Fedora Project",
	}, page: func(_, id string) string { return "https://bodhi.fedoraproject.org/updates/" + id }}
	for n := firstFedora; n <= lastFedora; n++ {
		release := strconv.Itoa(n)
		s.add(release+"/updates", true, func(arch string) (string, string) {
			return "https://dl.fedoraproject.org/pub/fedora/linux/updates/" + release + "/Everything/" + arch + "/", ""
		})
	}
	return s
}
