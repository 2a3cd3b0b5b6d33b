package advisory_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

type matchCase struct {
	name    string
	records []*advisory.Record
	os      *sbom.OS
	purls   []string
	want    []string
}

func runCases(t *testing.T, cases []matchCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got := match(t, advisory.Matcher{View: view(t, tt.records...)}, document(tt.os, tt.purls...))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMatchDebian(t *testing.T) {
	openssl := record("DEBIAN-CVE-2023-0286", in("Debian:12", "openssl", v("0", "3.0.8-1")), upstream("CVE-2023-0286"))
	shadow := record("DEBIAN-CVE-2023-4641", in("Debian:12", "shadow", v("0", "1:4.13+dfsg1-2")), upstream("CVE-2023-4641"))
	runCases(t, []matchCase{
		{"source package", []*advisory.Record{openssl}, nil,
			[]string{"pkg:deb/debian/libssl3@3.0.7-1?arch=amd64&distro=debian-12&upstream=openssl", "pkg:deb/debian/openssl@3.0.8-1?arch=amd64&distro=debian-12"},
			[]string{"libssl3 CVE-2023-0286 by DEBIAN-CVE-2023-0286 in >= 0, < 3.0.8-1 [3.0.8-1]"}},
		{"version of the source package", []*advisory.Record{shadow}, nil,
			[]string{"pkg:deb/debian/login@1:4.13%2Bdfsg1-9%2Bb1?distro=debian-12&upstream=shadow%401:4.13%2Bdfsg1-1", "pkg:deb/debian/passwd@1:4.13%2Bdfsg1-1?distro=debian-12&upstream=shadow%401:4.13%2Bdfsg1-2"},
			[]string{"login CVE-2023-4641 by DEBIAN-CVE-2023-4641 in >= 0, < 1:4.13+dfsg1-2 [1:4.13+dfsg1-2]"}},
		{"a binary package is not a source package", []*advisory.Record{record("DEBIAN-CVE-1-1", in("Debian:12", "perl-base", v("0")))}, nil,
			[]string{"pkg:deb/debian/perl-base@5.36?distro=debian-12&upstream=perl"}, []string{}},
		{"minor release", []*advisory.Record{openssl}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1?distro=debian-12.15"},
			[]string{"openssl CVE-2023-0286 by DEBIAN-CVE-2023-0286 in >= 0, < 3.0.8-1 [3.0.8-1]"}},
		{"codename", []*advisory.Record{openssl}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1?distro=bookworm"},
			[]string{"openssl CVE-2023-0286 by DEBIAN-CVE-2023-0286 in >= 0, < 3.0.8-1 [3.0.8-1]"}},
		{"distribution of the document", []*advisory.Record{openssl}, &sbom.OS{ID: "debian", VersionID: "12"}, []string{"pkg:deb/debian/openssl@3.0.7-1"},
			[]string{"openssl CVE-2023-0286 by DEBIAN-CVE-2023-0286 in >= 0, < 3.0.8-1 [3.0.8-1]"}},
		{"another release", []*advisory.Record{openssl}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1?distro=debian-11", "pkg:deb/debian/a@1?distro=debian-11"}, []string{"gap no-data! Debian:11"}},
		{"another distribution", []*advisory.Record{openssl}, nil, []string{"pkg:deb/raspbian/openssl@3.0.7-1?distro=raspbian-12"}, []string{"gap no-data! raspbian:12"}},
		{"no distribution", []*advisory.Record{openssl}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1"}, []string{"gap unidentified! pkg:deb"}},
		{"all releases", []*advisory.Record{record("DSA-1-1", in("Debian", "openssl", v("0", "3.0.8-1")))}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1?distro=debian-12"},
			[]string{"openssl DSA-1-1 by DSA-1-1 in >= 0, < 3.0.8-1 [3.0.8-1]"}},
		{"a bulletin about several vulnerabilities", []*advisory.Record{
			record("DSA-5343-1", in("Debian:12", "openssl", v("0", "3.0.8-1")), upstream("CVE-2023-0286", "CVE-2022-4304")), openssl,
		}, nil, []string{"pkg:deb/debian/openssl@3.0.7-1?distro=debian-12"}, []string{
			"openssl CVE-2023-0286 by DEBIAN-CVE-2023-0286 in >= 0, < 3.0.8-1 [3.0.8-1]",
			"openssl DSA-5343-1 by DSA-5343-1 in >= 0, < 3.0.8-1 [3.0.8-1]",
		}},
	})
}

func TestMatchUbuntu(t *testing.T) {
	esm := record("UBUNTU-CVE-2024-1", append(in("Ubuntu:18.04:LTS", "curl", v("0", "7.58.0-2ubuntu3")), in("Ubuntu:Pro:18.04:LTS", "curl", v("0", "7.58.0-2ubuntu3.24+esm4"))...), upstream("CVE-2024-1"))
	only := record("UBUNTU-CVE-2024-2", append(in("Ubuntu:Pro:18.04:LTS", "curl", v("0")), in("Ubuntu:Pro:FIPS:18.04:LTS", "curl", v("0", "9"))...), upstream("CVE-2024-2"))
	own := record("UBUNTU-CVE-2020-3", in("Ubuntu:18.04:LTS", "curl", v("0")))
	runCases(t, []matchCase{
		{"extended support tells of what is missing", []*advisory.Record{esm, only, own}, nil, []string{"pkg:deb/ubuntu/libcurl4@7.58.0-2ubuntu3.24?distro=ubuntu-18.04&upstream=curl"}, []string{
			"libcurl4 CVE-2020-3 by UBUNTU-CVE-2020-3 in >= 0 []",
			"libcurl4 CVE-2024-1 by UBUNTU-CVE-2024-1 in >= 0, < 7.58.0-2ubuntu3.24+esm4 [7.58.0-2ubuntu3.24+esm4]",
			"libcurl4 CVE-2024-2 by UBUNTU-CVE-2024-2 in >= 0 []",
		}},
		{"codename", []*advisory.Record{own}, nil, []string{"pkg:deb/ubuntu/curl@7?distro=bionic"}, []string{"curl CVE-2020-3 by UBUNTU-CVE-2020-3 in >= 0 []"}},
		{"another release", []*advisory.Record{own}, nil, []string{"pkg:deb/ubuntu/curl@7?distro=ubuntu-20.04"}, []string{"gap no-data! Ubuntu:20.04"}},
	})
}

func TestMatchAPK(t *testing.T) {
	runCases(t, []matchCase{
		{"alpine", []*advisory.Record{record("ALPINE-CVE-2023-0286", in("Alpine:v3.18", "openssl", v("0", "3.1.0-r0")), upstream("CVE-2023-0286"))}, nil,
			[]string{"pkg:apk/alpine/libssl3@3.0.8-r3?distro=alpine-3.18.9&upstream=openssl", "pkg:apk/alpine/libcrypto3@3.1.0-r0?distro=alpine-3.18.9&upstream=openssl"},
			[]string{"libssl3 CVE-2023-0286 by ALPINE-CVE-2023-0286 in >= 0, < 3.1.0-r0 [3.1.0-r0]"}},
		{"alpine edge", []*advisory.Record{record("ALPINE-CVE-2023-0286", in("Alpine:v3.18", "openssl", v("0")))}, nil,
			[]string{"pkg:apk/alpine/openssl@3.0.8-r3?distro=alpine-3.21_alpha20240807"}, []string{"gap no-data! Alpine:edge"}},
		{"wolfi, by either name", []*advisory.Record{record("CGA-1", in("Wolfi", "openssl", v("0", "3.1.0-r0"))), record("CGA-2", in("Wolfi", "libssl3", v("0", "3.2.0-r0")))}, nil,
			[]string{"pkg:apk/wolfi/libssl3@3.0.8-r3?distro=wolfi-20230201&upstream=openssl"},
			[]string{"libssl3 CGA-1 by CGA-1 in >= 0, < 3.1.0-r0 [3.1.0-r0]", "libssl3 CGA-2 by CGA-2 in >= 0, < 3.2.0-r0 [3.2.0-r0]"}},
		{"chainguard is not wolfi", []*advisory.Record{record("CGA-1", in("Chainguard", "a", v("0"))), record("CGA-2", in("Wolfi", "a", v("0")))}, nil,
			[]string{"pkg:apk/chainguard/a@1-r0?distro=chainguard-20230214"}, []string{"a CGA-1 by CGA-1 in >= 0 []"}},
		{"alpaquita", []*advisory.Record{record("BELL-CVE-2024-9", in("Alpaquita:23", "curl", v("0", "8.5-r1")), upstream("CVE-2024-9"))}, nil,
			[]string{"pkg:apk/alpaquita/libcurl@8.5-r0?distro=alpaquita-23&upstream=curl", "pkg:apk/alpaquita/curl@8.5-r0?distro=alpaquita-stream"},
			[]string{"libcurl CVE-2024-9 by BELL-CVE-2024-9 in >= 0, < 8.5-r1 [8.5-r1]", "gap no-data! Alpaquita:stream"}},
	})
}

func TestMatchRPM(t *testing.T) {
	modular := record("ALSA-2024:1", in("AlmaLinux:8", "nodejs", v("0", "1:20.11.1-1.module_el8.9.0+3775")), related("CVE-2024-1", "CVE-2024-2"), summary("Important: nodejs:20 security update"))
	runCases(t, []matchCase{
		{"almalinux, by binary package", []*advisory.Record{
			record("ALSA-2023:2", append(in("AlmaLinux:9", "openssl-libs", v("0", "1:3.0.7-6.el9_2")), in("AlmaLinux:9", "openssl", v("0", "1:3.0.7-7.el9_2"))...), related("CVE-2023-2")),
		}, nil, []string{"pkg:rpm/almalinux/openssl-libs@3.0.7-6.el9_2?epoch=1&distro=almalinux-9.2&upstream=openssl", "pkg:rpm/almalinux/openssl@3.0.7-6.el9_2?epoch=1&distro=almalinux-9.2"},
			[]string{"openssl CVE-2023-2 by ALSA-2023:2 in >= 0, < 1:3.0.7-7.el9_2 [1:3.0.7-7.el9_2]"}},
		{"rocky, by source package", []*advisory.Record{record("RLSA-2023:3", in("Rocky Linux:9", "perl", v("0", "4:5.32.1-480.el9")), related("CVE-2023-3"))}, nil,
			[]string{"pkg:rpm/rocky/perl-libs@5.32.1-479.el9?epoch=4&distro=rocky-9.5&upstream=perl", "pkg:rpm/rocky/perl-libs@5.32.1-480.el9?epoch=4&distro=rocky-9.5&upstream=perl"},
			[]string{"perl-libs CVE-2023-3 by RLSA-2023:3 in >= 0, < 4:5.32.1-480.el9 [4:5.32.1-480.el9]"}},
		{"a source rpm's file name has no epoch", []*advisory.Record{record("RLSA-2023:3", in("Rocky Linux:9", "perl", v("0", "4:5.32.1-480.el9")))}, nil,
			[]string{"pkg:rpm/rocky/perl-Errno@1.30-480.el9?epoch=0&distro=rocky-9.5&upstream=perl%405.32.1-480.el9", "pkg:rpm/rocky/perl-Fcntl@1.13-479.el9?distro=rocky-9.5&upstream=perl%405.32.1-479.el9"},
			[]string{"perl-Fcntl RLSA-2023:3 by RLSA-2023:3 in >= 0, < 4:5.32.1-480.el9 [4:5.32.1-480.el9]"}},
		{"red hat, by product", []*advisory.Record{
			record("RHSA-2024:1", in("Red Hat:enterprise_linux:9::baseos", "bash", v("0", "0:5.1.8-9.el9")), upstream("CVE-2024-1")),
			record("RHSA-2024:2", in("Red Hat:rhel_eus:9.2::baseos", "bash", v("0", "0:5.1.8-99.el9")), upstream("CVE-2024-2")),
			record("RHSA-2024:3", in("Red Hat:enterprise_linux:8::baseos", "bash", v("0", "0:5.1.8-99.el8")), upstream("CVE-2024-3")),
		}, &sbom.OS{ID: "rhel", VersionID: "9.4", CPE: "cpe:/o:redhat:enterprise_linux:9::baseos"}, []string{"pkg:rpm/redhat/bash@5.1.8-6.el9?distro=rhel-9.4"},
			[]string{"bash CVE-2024-1 by RHSA-2024:1 in >= 0, < 0:5.1.8-9.el9 [0:5.1.8-9.el9]"}},
		{"centos has red hat's", []*advisory.Record{record("RHSA-2024:1", in("Red Hat:enterprise_linux:7::server", "bash", v("0", "0:4.2.46-35.el7_9")), upstream("CVE-2024-1"))}, nil,
			[]string{"pkg:rpm/centos/bash@4.2.46-34.el7?distro=centos-7"}, []string{"bash CVE-2024-1 by RHSA-2024:1 in >= 0, < 0:4.2.46-35.el7_9 [0:4.2.46-35.el7_9]"}},
		{"oracle does not", []*advisory.Record{record("RHSA-2024:1", in("Red Hat:enterprise_linux:9::baseos", "bash", v("0")))}, nil,
			[]string{"pkg:rpm/oracle/bash@5.1.8-6.el9?distro=ol-9.4"}, []string{"gap no-data! Oracle Linux:9"}},
		{"suse, by all products of a release", []*advisory.Record{
			record("SUSE-SU-2024:1-1", in("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "curl", v("0", "8.0.1-150400.5.41.1")), upstream("CVE-2024-1")),
			record("SUSE-SU-2024:2-1", in("SUSE:Linux Enterprise Server 15 SP5-LTSS", "curl", v("0", "8.0.1-150400.5.60.1")), upstream("CVE-2024-2")),
			record("SUSE-SU-2024:3-1", in("SUSE:Linux Enterprise Server 15 SP6", "curl", v("0", "9")), upstream("CVE-2024-3")),
			record("SUSE-SU-2024:4-1", in("SUSE:Linux Enterprise Micro 5.5", "curl", v("0", "9")), upstream("CVE-2024-4")),
		}, &sbom.OS{ID: "sles", VersionID: "15.5", PrettyName: "SUSE Linux Enterprise Server 15 SP5"}, []string{"pkg:rpm/suse/libcurl4@8.0.1-150400.5.40.1?distro=sles-15.5&upstream=curl"}, []string{
			"libcurl4 CVE-2024-1 by SUSE-SU-2024:1-1 in >= 0, < 8.0.1-150400.5.41.1 [8.0.1-150400.5.41.1]",
			"libcurl4 CVE-2024-2 by SUSE-SU-2024:2-1 in >= 0, < 8.0.1-150400.5.60.1 [8.0.1-150400.5.60.1]",
		}},
		{"opensuse", []*advisory.Record{record("openSUSE-SU-2024:1-1", in("openSUSE:Leap 15.6", "a", v("0", "2"))), record("openSUSE-SU-2024:2-1", in("openSUSE:Tumbleweed", "a", v("0", "2")))}, nil,
			[]string{"pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.6"}, []string{"a openSUSE-SU-2024:1-1 by openSUSE-SU-2024:1-1 in >= 0, < 2 [2]"}},
		{"openeuler, by service pack", []*advisory.Record{record("OESA-2024-1", in("openEuler:22.03-LTS-SP1", "a", v("0", "2"))), record("OESA-2024-2", in("openEuler:22.03-LTS-SP4", "a", v("0", "3")))},
			&sbom.OS{ID: "openEuler", VersionID: "22.03", PrettyName: "openEuler 22.03 (LTS-SP1)"}, []string{"pkg:rpm/openeuler/a@1?distro=openEuler-22.03"}, []string{"a OESA-2024-1 by OESA-2024-1 in >= 0, < 2 [2]"}},
		{"azure linux, mageia, photon, amazon", []*advisory.Record{
			record("AZL-1", in("Azure Linux:3", "a", v("0", "2"))), record("MGASA-1", in("Mageia:9", "a", v("0", "2"))), record("PHSA-1", in("Photon OS:5.0", "a", v("0", "2"))), record("ALAS-1", in("Amazon Linux:2023", "a", v("0", "2"))),
		}, nil, []string{"pkg:rpm/azurelinux/a@1?distro=azurelinux-3.0", "pkg:rpm/mageia/a@1?distro=mageia-9", "pkg:rpm/vmware/a@1?distro=photon-5.0", "pkg:rpm/amazon/a@1?distro=amzn-2023"},
			[]string{"a ALAS-1 by ALAS-1 in >= 0, < 2 [2]", "a AZL-1 by AZL-1 in >= 0, < 2 [2]", "a MGASA-1 by MGASA-1 in >= 0, < 2 [2]", "a PHSA-1 by PHSA-1 in >= 0, < 2 [2]"}},
		{"module stream", []*advisory.Record{modular}, nil,
			[]string{"pkg:rpm/almalinux/nodejs@20.9.0-1.module_el8.9.0+3700?epoch=1&distro=almalinux-8.9&modularitylabel=nodejs:20:8090:abc"},
			[]string{"nodejs ALSA-2024:1 by ALSA-2024:1 in >= 0, < 1:20.11.1-1.module_el8.9.0+3775 [1:20.11.1-1.module_el8.9.0+3775]"}},
		{"another module stream", []*advisory.Record{modular}, nil, []string{"pkg:rpm/almalinux/nodejs@18.9.0-1.module_el8.9.0+3700?epoch=1&distro=almalinux-8.9&modularitylabel=nodejs:18:8090:abc"}, []string{}},
		{"no module", []*advisory.Record{modular}, nil, []string{"pkg:rpm/almalinux/nodejs@18.9.0-1.el8?epoch=1&distro=almalinux-8.9"}, []string{}},
		{"errata that fix bugs", []*advisory.Record{record("ALBA-2023:1", in("AlmaLinux:9", "a", v("0", "2"))), record("ALBA-2023:2", in("AlmaLinux:9", "a", v("0", "2")), related("CVE-2023-5")), record("ALSA-2023:3", in("AlmaLinux:9", "a", v("0", "2")))}, nil,
			[]string{"pkg:rpm/almalinux/a@1?distro=almalinux-9.2"}, []string{"a ALSA-2023:3 by ALSA-2023:3 in >= 0, < 2 [2]", "a CVE-2023-5 by ALBA-2023:2 in >= 0, < 2 [2]"}},
	})
}

func TestMatchLanguages(t *testing.T) {
	one := func(id, ecosystem, name string, versions ...string) *advisory.Record {
		return record(id, in(ecosystem, name, versions))
	}
	runCases(t, []matchCase{
		{"npm", []*advisory.Record{one("GHSA-1", "npm", "@babel/traverse", "0", "7.23.2", "8.0.0-alpha.0", "8.0.0-alpha.4")}, nil,
			[]string{"pkg:npm/%40babel/traverse@7.22.0", "pkg:npm/%40babel/traverse@7.23.2", "pkg:npm/%40babel/traverse@8.0.0-alpha.2", "pkg:npm/traverse@7.22.0"},
			[]string{"@babel/traverse GHSA-1 by GHSA-1 in >= 0, < 7.23.2 [7.23.2 8.0.0-alpha.4]", "@babel/traverse GHSA-1 by GHSA-1 in >= 8.0.0-alpha.0, < 8.0.0-alpha.4 [8.0.0-alpha.4]"}},
		{"pypi", []*advisory.Record{one("PYSEC-1", "PyPI", "Jinja_2.x", "0", "2.11.3")}, nil, []string{"pkg:pypi/jinja-2-x@2.11.2", "pkg:pypi/jinja-2-x@2.11.3.post1"}, []string{"jinja-2-x PYSEC-1 by PYSEC-1 in >= 0, < 2.11.3 [2.11.3]"}},
		{"maven", []*advisory.Record{one("GHSA-jfh8-c2jp-5v3q", "Maven", "org.apache.logging.log4j:log4j-core", "2.13.0", "2.15.0", "2.0-beta9", "2.3.1", "2.4", "2.12.2")}, nil,
			[]string{"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "pkg:maven/org.apache.logging.log4j/log4j-core@2.15.0", "pkg:maven/org.apache.logging.log4j/log4j-api@2.14.1"},
			[]string{"org.apache.logging.log4j:log4j-core GHSA-jfh8-c2jp-5v3q by GHSA-jfh8-c2jp-5v3q in >= 2.13.0, < 2.15.0 [2.15.0]"}},
		{"go", []*advisory.Record{one("GO-2022-1", "Go", "github.com/BurntSushi/toml", "0", "1.2.0"), one("GO-2022-2", "Go", "github.com/a/b/v2", "2.0.0", "2.1.0")}, nil,
			[]string{"pkg:golang/github.com/burntsushi/toml@v1.1.0", "pkg:golang/github.com/burntsushi/toml@v1.2.0", "pkg:golang/github.com/a/b/v2@v2.0.1", "pkg:golang/github.com/a/b@v2.0.1"},
			[]string{"github.com/a/b/v2 GO-2022-2 by GO-2022-2 in >= 2.0.0, < 2.1.0 [2.1.0]", "github.com/burntsushi/toml GO-2022-1 by GO-2022-1 in >= 0, < 1.2.0 [1.2.0]"}},
		{"go stdlib", []*advisory.Record{one("GO-2024-2963", "Go", "stdlib", "0", "1.21.12", "1.22.0-0", "1.22.5")}, nil,
			[]string{"pkg:golang/stdlib@1.22.4", "pkg:golang/stdlib@1.22.5", "pkg:golang/stdlib@1.21.12", "pkg:golang/std@go1.21.1", "pkg:golang/stdlib@1.22rc1"},
			[]string{
				"std GO-2024-2963 by GO-2024-2963 in >= 0, < 1.21.12 [1.21.12 1.22.5]",
				"stdlib GO-2024-2963 by GO-2024-2963 in >= 1.22.0-0, < 1.22.5 [1.22.5]",
				"stdlib GO-2024-2963 by GO-2024-2963 in >= 1.22.0-0, < 1.22.5 [1.22.5]",
			}},
		{"packagist and its repositories", []*advisory.Record{one("DRUPAL-1", "Packagist:https://packages.drupal.org/8", "drupal/admin_toolbar", "0", "2.5.0"), one("GHSA-2", "Packagist", "Symfony/Http-Kernel", "0", "5.4.20")}, nil,
			[]string{"pkg:composer/drupal/admin_toolbar@2.4.0", "pkg:composer/symfony/http-kernel@v5.4.19"},
			[]string{"drupal/admin_toolbar DRUPAL-1 by DRUPAL-1 in >= 0, < 2.5.0 [2.5.0]", "symfony/http-kernel GHSA-2 by GHSA-2 in >= 0, < 5.4.20 [5.4.20]"}},
		{"others", []*advisory.Record{
			one("RUSTSEC-1", "crates.io", "time", "0", "0.2.23"), one("GHSA-3", "RubyGems", "rack", "0", "2.2.3.1"), one("GHSA-4", "NuGet", "Newtonsoft.Json", "0", "13.0.1"),
			one("GHSA-5", "Hex", "phoenix", "0", "1.6.14"), one("GHSA-6", "Pub", "http", "0", "0.13.3"), one("GHSA-7", "SwiftURL", "https://github.com/Vapor/vapor.git", "0", "4.84.2"),
			one("GHSA-8", "GitHub Actions", "tj-actions/changed-files", "0", "41.0.0"), one("RSEC-1", "CRAN", "gh", "0", "1.5.0"), one("JLSEC-1", "Julia", "HTTP", "0", "1.10.17"), one("BIT-1", "Bitnami", "redis", "0", "7.2.4"),
			one("GHSA-9", "VSCode", "ms-python.python", "0", "2020.9.0"), one("HSEC-1", "Hackage", "aeson", "0", "2.0.1.0"), one("OSEC-1", "opam", "cohttp", "0", "2.0"), one("GHSA-10", "ConanCenter", "zlib", "0", "1.3"),
		}, nil, []string{
			"pkg:cargo/time@0.2.22", "pkg:gem/rack@2.2.3", "pkg:nuget/newtonsoft.json@12.0.3", "pkg:hex/phoenix@1.6.13", "pkg:pub/http@0.13.2", "pkg:swift/github.com/vapor/vapor@4.84.1",
			"pkg:github/tj-actions/changed-files@40.0.0", "pkg:cran/gh@1.4.0", "pkg:julia/HTTP@1.10.16?uuid=cd3eb016-35fb-5094-929b-558a96fad6f3", "pkg:bitnami/redis@7.2.3", "pkg:vscode-extension/ms-python/python@2020.8.0", "pkg:hackage/aeson@2.0.0.0", "pkg:opam/cohttp@1.0", "pkg:conan/zlib@1.2.13",
		}, []string{
			"HTTP JLSEC-1 by JLSEC-1 in >= 0, < 1.10.17 [1.10.17]", "aeson HSEC-1 by HSEC-1 in >= 0, < 2.0.1.0 [2.0.1.0]", "cohttp OSEC-1 by OSEC-1 in >= 0, < 2.0 [2.0]",
			"gh RSEC-1 by RSEC-1 in >= 0, < 1.5.0 [1.5.0]", "github.com/vapor/vapor GHSA-7 by GHSA-7 in >= 0, < 4.84.2 [4.84.2]", "http GHSA-6 by GHSA-6 in >= 0, < 0.13.3 [0.13.3]",
			"ms-python/python GHSA-9 by GHSA-9 in >= 0, < 2020.9.0 [2020.9.0]", "newtonsoft.json GHSA-4 by GHSA-4 in >= 0, < 13.0.1 [13.0.1]", "phoenix GHSA-5 by GHSA-5 in >= 0, < 1.6.14 [1.6.14]",
			"rack GHSA-3 by GHSA-3 in >= 0, < 2.2.3.1 [2.2.3.1]", "redis BIT-1 by BIT-1 in >= 0, < 7.2.4 [7.2.4]", "time RUSTSEC-1 by RUSTSEC-1 in >= 0, < 0.2.23 [0.2.23]",
			"tj-actions/changed-files GHSA-8 by GHSA-8 in >= 0, < 41.0.0 [41.0.0]", "zlib GHSA-10 by GHSA-10 in >= 0, < 1.3 [1.3]",
		}},
	})
}

// TestMatchModulePath: some tools cut a module path at its third part.
func TestMatchModulePath(t *testing.T) {
	doc := document(nil, "pkg:golang/github.com/a/b@v2.0.1#v2", "pkg:golang/github.com/a/b@v1.0.0#cmd/tool")
	doc.Packages[0].Name, doc.Packages[1].Name = "github.com/a/b/v2", "github.com/a/b"
	got := match(t, advisory.Matcher{View: view(t, record("GO-1", in("Go", "github.com/a/b/v2", v("0"))), record("GO-2", in("Go", "github.com/a/b", v("0"))))}, doc)
	if diff := cmp.Diff([]string{"github.com/a/b GO-2 by GO-2 in >= 0 []", "github.com/a/b/v2 GO-1 by GO-1 in >= 0 []"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMatchRanges(t *testing.T) {
	git := []advisory.Affected{{Ecosystem: "npm", Name: "a", Ranges: []advisory.Range{{Type: advisory.RangeGit, Repo: "https://example.org", Events: in("", "", v("0"))[0].Ranges[0].Events}}}}
	gitAndVersions := []advisory.Affected{git[0]}
	gitAndVersions[0].Versions = advisory.NewVersionList("1.0.0")
	odd := []advisory.Affected{{Ecosystem: "npm", Name: "a", Ranges: []advisory.Range{{Type: "NEW", Events: in("", "", v("0"))[0].Ranges[0].Events}}}}
	both := in("npm", "a", v("2.0.0", "3.0.0"))
	both[0].Versions = advisory.NewVersionList("1.0.0")
	purls := []string{"pkg:npm/a@1.0.0"}
	runCases(t, []matchCase{
		{"withdrawn", []*advisory.Record{record("X-1", in("npm", "a", v("0")), withdrawn)}, nil, purls, []string{}},
		{"last affected", []*advisory.Record{record("X-1", in("npm", "a", v("0", "<=1.0.0"))), record("X-2", in("npm", "a", v("0", "<=0.9.0")))}, nil, purls, []string{"a X-1 by X-1 in >= 0, <= 1.0.0 []"}},
		{"enumerated", []*advisory.Record{record("X-1", enumerated("npm", "a", "0.9.0", "1.0.0"))}, nil, purls, []string{"a X-1 by X-1 in versions []"}},
		{"enumerated, written otherwise", []*advisory.Record{record("X-1", enumerated("PyPI", "a", "1.0"))}, nil, []string{"pkg:pypi/a@1.0.0"}, []string{"a X-1 by X-1 in versions []"}},
		{"enumerated beside a range", []*advisory.Record{record("X-1", both)}, nil, purls, []string{"a X-1 by X-1 in versions [3.0.0]"}},
		{"several ranges", []*advisory.Record{record("X-1", in("npm", "a", v("2.0.0", "2.1.0"), v("0", "1.2.0")))}, nil, purls, []string{"a X-1 by X-1 in >= 0, < 1.2.0 [1.2.0 2.1.0]"}},
		{"a fix that another range affects", []*advisory.Record{record("X-1", in("npm", "a", v("0", "1.2.0"), v("1.1.0", "1.3.0")))}, nil, purls, []string{"a X-1 by X-1 in >= 0, < 1.2.0 [1.3.0]"}},
		{"several entries of a record", []*advisory.Record{record("X-1", append(in("npm", "a", v("0", "1.2.0")), in("npm", "a", v("0.5.0", "1.1.0"))...))}, nil, purls, []string{"a X-1 by X-1 in >= 0, < 1.2.0 [1.1.0 1.2.0]"}},
		{"commits alone", []*advisory.Record{record("X-1", []advisory.Affected{{Ecosystem: "npm", Name: "a", Ranges: git[0].Ranges}})}, nil, purls, []string{"gap unreadable! pkg:npm/a@1.0.0"}},
		{"commits and versions", []*advisory.Record{record("X-1", gitAndVersions)}, nil, append(purls, "pkg:npm/a@1.1.0"), []string{"a X-1 by X-1 in versions []"}},
		{"an unknown type of range", []*advisory.Record{record("X-1", odd)}, nil, purls, []string{"gap unreadable! pkg:npm/a@1.0.0"}},
		{"nothing about versions", []*advisory.Record{record("X-1", in("npm", "a"))}, nil, purls, []string{"gap unreadable! pkg:npm/a@1.0.0"}},
		{"a bad version in a range", []*advisory.Record{record("X-1", in("npm", "a", v("0", "x.y"))), record("X-2", in("npm", "a", v("0", "2.0.0")))}, nil, purls, []string{"a X-2 by X-2 in >= 0, < 2.0.0 [2.0.0]", "gap unreadable! pkg:npm/a@1.0.0"}},
		{"a bad version of the package", []*advisory.Record{record("X-1", in("npm", "a", v("1.0.0", "2.0.0"))), record("X-2", in("npm", "a", v("0"))), record("X-3", enumerated("npm", "a", "latest"))}, nil, []string{"pkg:npm/a@latest"},
			[]string{"a X-2 by X-2 in >= 0 []", "a X-3 by X-3 in versions []", "gap no-version! pkg:npm/a@latest"}},
		{"no version", []*advisory.Record{record("X-1", in("npm", "a", v("0"))), record("X-2", in("npm", "b", v("0")), withdrawn)}, nil, []string{"pkg:npm/a", "pkg:npm/b", "pkg:npm/c"},
			[]string{"gap no-version! pkg:npm/a", "gap no-version pkg:npm/b", "gap no-version pkg:npm/c"}},
	})
}

func TestMatchScopes(t *testing.T) {
	doc := document(&sbom.OS{ID: "debian", VersionID: "12"}, "pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:pypi/c@1", "pkg:generic/openssl@3", "pkg:cocoapods/AFNetworking@4",
		"pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&distro=bottlerocket-1.34.0&epoch=1", "pkg:pear/pear.php.net/PEAR@1.10.15", "pkg:swiplpack/hdt@0.5.2")
	doc.Packages = append(doc.Packages, sbom.Package{ID: "1", Name: "debian", Version: "12", Type: "operating-system"}, sbom.Package{ID: "2", Name: "/etc/passwd", Type: "file"}, sbom.Package{ID: "3", Name: "unknown", Version: "1"})
	report, err := advisory.Matcher{View: view(t, record("X-1", in("PyPI", "other", v("0"))))}.Match(context.Background(), doc)
	if err != nil {
		t.Fatal(err)
	}
	want := []sbom.Gap{
		{Code: sbom.GapNoData, Blocking: true, Where: "npm", What: "there is no advisory data about this ecosystem: 2 packages were not assessed"},
		{Code: sbom.GapNoData, Blocking: true, Where: "pkg:bottlerocket", What: "there is no advisory data about this ecosystem: 1 packages were not assessed"},
		{Code: sbom.GapNoData, Blocking: true, Where: "pkg:cocoapods", What: "there is no advisory data about this ecosystem: 1 packages were not assessed"},
		{Code: sbom.GapNoData, Blocking: true, Where: "pkg:pear", What: "there is no advisory data about this ecosystem: 1 packages were not assessed"},
		{Code: sbom.GapNoData, Blocking: true, Where: "pkg:swiplpack", What: "there is no advisory data about this ecosystem: 1 packages were not assessed"},
		{Code: sbom.GapUnsupported, Where: "packages without a package URL", What: "advisories are found by package URLs: 1 packages were not assessed"},
		{Code: sbom.GapUnsupported, Where: "pkg:generic", What: "no ecosystem has advisories about packages of this type: 1 packages were not assessed"},
	}
	if diff := cmp.Diff(want, report.Gaps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMatchOwned(t *testing.T) {
	doc := document(nil, "pkg:pypi/requests@2.28.1", "pkg:deb/debian/python3-requests@2.28.1%2Bdfsg-1?distro=debian-12&upstream=requests")
	doc.Relationships = []sbom.Relationship{{From: doc.Packages[0].ID, Kind: sbom.OwnedBy, To: doc.Packages[1].ID}}
	s := view(t,
		record("GHSA-1", in("PyPI", "requests", v("0", "2.31.0")), aliases("CVE-2023-32681")),
		record("DEBIAN-CVE-2023-32681", in("Debian:12", "requests", v("0", "2.28.1+dfsg-1+deb12u1")), upstream("CVE-2023-32681")))
	system := "python3-requests CVE-2023-32681 by DEBIAN-CVE-2023-32681 in >= 0, < 2.28.1+dfsg-1+deb12u1 [2.28.1+dfsg-1+deb12u1]"
	if diff := cmp.Diff([]string{system}, match(t, advisory.Matcher{View: s}, doc)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := match(t, advisory.Matcher{View: s, Options: advisory.Options{MatchOwned: true}}, doc)
	if diff := cmp.Diff([]string{system, "requests CVE-2023-32681 by GHSA-1 in >= 0, < 2.31.0 [2.31.0]"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMatchWithoutView(t *testing.T) {
	report, err := advisory.Matcher{}.Match(context.Background(), document(nil, "pkg:npm/a@1"))
	if err != nil || report.Snapshot != "" || !report.Blocked() || report.Findings == nil {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestMatchErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := view(t, record("X-1", in("npm", "a", v("0"))))
	if _, err := (advisory.Matcher{View: s}).Match(ctx, document(nil, "pkg:npm/a@1")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	s.Close()
	if _, err := (advisory.Matcher{View: s}).Match(context.Background(), document(nil, "pkg:npm/a@1")); err == nil || !strings.Contains(err.Error(), "match a 1 with advisories") {
		t.Errorf("closed view: %v", err)
	}
}

// TestFinding looks at a whole finding.
func TestFinding(t *testing.T) {
	affected := in("npm", "a", v("0", "1.2.3"))
	affected[0].Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"}}
	r := record("GHSA-1", affected, aliases("CVE-2024-1"), summary("Bad."), scored("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"), func(r *advisory.Record) { r.URL = "https://example.org/1" })
	s := view(t, r)
	report, err := advisory.Matcher{View: s}.Match(context.Background(), document(nil, "pkg:npm/a@1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	want := &finding.Report{Snapshot: s.Digest(), Findings: []finding.Finding{{
		Package: "pkg:npm/a@1.0.0", Name: "a", Version: "1.0.0", PURL: "pkg:npm/a@1.0.0",
		Vulnerability: "CVE-2024-1", Advisory: "GHSA-1", Aliases: []string{"CVE-2024-1"},
		Severity: finding.Medium, SeverityFrom: "CVSS_V3 5.3 (GHSA-1)",
		Scores: []finding.Score{
			{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L", Source: "GHSA-1"},
			{Type: "CVSS_V4", Value: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Source: "GHSA-1"},
		},
		Fixed: []string{"1.2.3"}, Summary: "Bad.", URL: "https://example.org/1",
		Evidence: finding.Evidence{Ecosystem: "npm", Name: "a", Version: "1.0.0", Range: ">= 0, < 1.2.3", Record: r.Digest},
	}}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
