package advisory_test

import (
	"context"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestSystems: packages of a system are asked for in the ecosystem, and by the
// name, that the sources of its distribution write.
func TestSystems(t *testing.T) {
	type os = *sbom.OS
	for _, tt := range []struct {
		ecosystem, name, url string
		os                   os
	}{
		{"Debian:12", "bolt", "pkg:deb/debian/libbolt1@1.0-1?distro=debian-12&upstream=bolt", nil},
		{"Debian:12", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=bookworm", nil},
		{"Debian:13", "bolt", "pkg:deb/debian/bolt@1.0-1", os(&sbom.OS{ID: "debian", Codename: "trixie"})},
		{"Debian:8", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=jessie", nil},
		{"Debian:6.0", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=squeeze", nil},
		{"Debian:6.0", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=debian-6.0.10", nil},
		{"Debian:3.1", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=debian-3.1", nil},
		{"Debian:sid", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=debian-sid", nil},
		{"Debian:sid", "bolt", "pkg:deb/debian/bolt@1.0-1?distro=debian-unstable", nil},
		{"Alpine:v3.20", "bolt", "pkg:apk/alpine/libbolt@1.0-r1?distro=alpine-3.20.3&upstream=bolt", nil},
		{"Wolfi", "bolt", "pkg:apk/wolfi/libbolt@1.0-r1?distro=wolfi-20230201&upstream=bolt", nil},
		{"Chainguard", "bolt", "pkg:apk/chainguard/bolt@1.0-r1?distro=chainguard", nil},
		{"MinimOS", "bolt", "pkg:apk/minimos/bolt@1.0-r1?distro=minimos-20241031", nil},
		{"Ubuntu:22.04:LTS", "bolt", "pkg:deb/ubuntu/libbolt1@1.0-1?distro=ubuntu-22.04&upstream=bolt", nil},
		{"Ubuntu:Pro:16.04:LTS", "bolt", "pkg:deb/ubuntu/bolt@1.0-1?distro=ubuntu-16.04", nil},
		{"Amazon Linux:2023", "bolt-libs", "pkg:rpm/amzn/bolt-libs@1.0-1?distro=amzn-2023&upstream=bolt", nil},
		{"Amazon Linux:2", "bolt", "pkg:rpm/amzn/bolt@1.0-1?distro=amzn-2", nil},
		{"Amazon Linux:1", "bolt", "pkg:rpm/amzn/bolt@1.0-1?distro=amzn-2018.03", nil},
		{"Fedora:40", "bolt-libs", "pkg:rpm/fedora/bolt-libs@1.0-1.fc40?distro=fedora-40&upstream=bolt", nil},
		{"Rocky Linux:9", "bolt", "pkg:rpm/rocky/bolt-libs@1.0-1?distro=rocky-9.4&upstream=bolt", nil},
		{"AlmaLinux:9", "bolt-libs", "pkg:rpm/almalinux/bolt-libs@1.0-1?distro=almalinux-9.4&upstream=bolt", nil},
		{"Oracle Linux:8", "bolt-libs", "pkg:rpm/oracle/bolt-libs@1.0-1?distro=ol-8.9&upstream=bolt", nil},
		{"Red Hat:enterprise_linux:9", "bolt-libs", "pkg:rpm/redhat/bolt-libs@1.0-1?distro=rhel-9.4&upstream=bolt", nil},
		{"Azure Linux:3", "bolt", "pkg:rpm/azurelinux/bolt-libs@1.0-1?distro=azurelinux-3.0&upstream=bolt", nil},
		{"Azure Linux:2", "bolt", "pkg:rpm/mariner/bolt@1.0-1?distro=mariner-2.0", nil},
		{"Photon OS:5.0", "bolt-libs", "pkg:rpm/photon/bolt-libs@1.0-1?distro=photon-5.0&upstream=bolt", nil},
		{"SUSE:Linux Enterprise Server 15 SP6", "libbolt1", "pkg:rpm/suse/libbolt1@1.0-1?distro=sles-15.6&upstream=bolt", nil},
		{"SUSE:Linux Enterprise Module for Basesystem 15 SP6", "bolt", "pkg:rpm/suse/libbolt1@1.0-1?distro=sles-15.6&upstream=bolt", nil},
		{"SUSE:Linux Enterprise Micro 5.5", "libbolt1", "pkg:rpm/suse/libbolt1@1.0-1?distro=sle-micro-5.5&upstream=bolt", nil},
		{"openSUSE:Leap 15.6", "libbolt1", "pkg:rpm/opensuse/libbolt1@1.0-1?distro=opensuse-leap-15.6&upstream=bolt", nil},
		{"openSUSE:Leap Micro 5.5", "libbolt1", "pkg:rpm/opensuse/libbolt1@1.0-1?distro=opensuse-leap-micro-5.5", nil},
		{"openSUSE:Tumbleweed", "libbolt1", "pkg:rpm/opensuse/libbolt1@1.0-1?distro=opensuse-tumbleweed", nil},
	} {
		s := view(t, record("X-1", in(tt.ecosystem, tt.name, v("0", "2.0")), upstream("CVE-2024-10001")), record("X-2", in(tt.ecosystem+"x", tt.name, v("0", "2.0"))))
		report, err := advisory.Matcher{View: s}.Match(context.Background(), document(tt.os, tt.url))
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != 1 || report.Findings[0].Vulnerability != "CVE-2024-10001" || len(report.Gaps) > 0 {
			t.Errorf("%s in %s: %d findings, %v", tt.url, tt.ecosystem, len(report.Findings), report.Gaps)
		}
	}
}
