package oval

import (
	"iter"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Source is one publisher's OVAL.
type Source struct {
	feed.Files
	publisher   *publisher
	description advisory.Description
}

// Describe says what the source is.
func (s *Source) Describe() advisory.Description { return s.description }

// Parse yields the records of a document; see [advisory.Source].
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return s.publisher.parse(doc.Name, doc.Content)
}

// newSource makes a source of documents that are kept as they are, compressed.
func newSource(p *publisher, d advisory.Description, base string, names ...string) *Source {
	s := &Source{publisher: p, description: d, Files: feed.Files{Source: d.Name, Max: maxPacked}}
	for i, n := range names {
		s.List = append(s.List, feed.File{URL: base + n, Name: n, Packed: true, Optional: i > 0})
	}
	s.description.Hosts = s.Files.Hosts()
	return s
}

// RedHat returns the source of Red Hat's OVAL v2 about Red Hat Enterprise
// Linux 5 to 9, of what has no patch too. Its main use is where CSAF is missing.
func RedHat() *Source {
	return newSource(&redHat, advisory.Description{
		Name: "redhat-oval", Title: "Red Hat OVAL v2", Home: "https://access.redhat.com/security/data",
		License: "CC-BY-4.0", Attribution: "Red Hat, Inc., CC BY 4.0", Redistribute: true,
	}, "https://security.access.redhat.com/data/oval/v2/",
		"RHEL9/rhel-9-including-unpatched.oval.xml.bz2", "RHEL8/rhel-8-including-unpatched.oval.xml.bz2",
		"RHEL7/rhel-7-including-unpatched.oval.xml.bz2", "RHEL7/rhel-7-extras-including-unpatched.oval.xml.bz2",
		"RHEL6/rhel-6-including-unpatched.oval.xml.bz2", "RHEL6/rhel-6-extras-including-unpatched.oval.xml.bz2",
		"RHEL5/rhel-5-including-unpatched.oval.xml.bz2")
}

// Oracle returns the source of Oracle Linux's errata.
func Oracle() *Source {
	return newSource(&oracle, advisory.Description{
		Name: "oracle-oval", Title: "Oracle Linux errata", Home: "https://linux.oracle.com/security/oval/",
		License: "LicenseRef-Oracle-Linux-Errata", Attribution: "Copyright Oracle, Inc.",
	}, "https://linux.oracle.com/security/oval/", "com.oracle.elsa-all.xml.bz2")
}

// SUSE returns the source of SUSE's OVAL about SUSE Linux Enterprise 12 SP5 and
// 15, openSUSE Leap and Tumbleweed: for each CVE what is affected, fixed or not.
func SUSE() *Source {
	names := []string{"suse.linux.enterprise.15-sp6-affected.xml.gz"}
	for _, release := range []string{"12-sp5", "15-sp1", "15-sp2", "15-sp3", "15-sp4", "15-sp5", "15-sp7"} {
		names = append(names, "suse.linux.enterprise."+release+"-affected.xml.gz")
	}
	for _, release := range []string{"micro.5.3", "micro.5.4", "micro.5.5", "micro.6.0", "micro.6.1"} {
		names = append(names, "suse.linux.enterprise."+release+"-affected.xml.gz")
	}
	for _, release := range []string{"leap.15.4", "leap.15.5", "leap.15.6", "leap.16.0", "leap.micro.5.5", "tumbleweed"} {
		names = append(names, "opensuse."+release+"-affected.xml.gz")
	}
	return newSource(&suse, advisory.Description{
		Name: "suse-oval", Title: "SUSE OVAL", Home: "https://www.suse.com/support/security/oval/",
		License: "CC-BY-4.0", Attribution: "SUSE LLC, CC BY 4.0", Redistribute: true,
	}, "https://ftp.suse.com/pub/projects/security/oval/", names...)
}

// Azure returns the source of Azure Linux and CBL-Mariner.
func Azure() *Source {
	return newSource(&azure, advisory.Description{
		Name: "azure-oval", Title: "Azure Linux vulnerability data", Home: "https://github.com/microsoft/AzureLinuxVulnerabilityData",
		License: "MIT", Attribution: "Copyright (c) Microsoft Corporation", Redistribute: true,
	}, "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main/",
		"azurelinux-3.0-oval.xml", "cbl-mariner-2.0-oval.xml", "cbl-mariner-1.0-oval.xml")
}

// Photon returns the source of Photon OS.
func Photon() *Source {
	return newSource(&photon, advisory.Description{
		Name: "photon-oval", Title: "Photon OS OVAL definitions", Home: "https://packages.broadcom.com/photon/photon_oval_definitions/",
		License: "LicenseRef-Photon-OS-Advisories", Attribution: "Copyright Broadcom Inc. and VMware, Inc.",
	}, "https://packages.broadcom.com/photon/photon_oval_definitions/",
		"com.vmware.phsa-photon5.xml.gz", "com.vmware.phsa-photon4.xml.gz", "com.vmware.phsa-photon3.xml.gz", "com.vmware.phsa-photon2.xml.gz", "com.vmware.phsa-photon1.xml.gz")
}
