package osrelease_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func identify(path, data string) (string, error) {
	facts, err := osrelease.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(data)))
	if err != nil || len(facts) == 0 {
		return "", err
	}
	return facts[0].OS.ID + " " + facts[0].OS.VersionID + " " + facts[0].OS.Codename, nil
}

func TestFiles(t *testing.T) {
	tests := []struct{ path, data, want string }{
		{"etc/os-release", "NAME='Debian'\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", "debian 12 bookworm"},
		{"etc/os-release", "# comment\nID=\"rocky\"\nVERSION_ID=\"9.0\"\nID_LIKE=\"rhel centos fedora\"\n", "rocky 9.0 "},
		{"etc/os-release", "ID=Debian\n", "debian  "},
		{"etc/os-release", "NAME=Something\n", "linux  "},
		{"etc/os-release", "", ""},
		{"x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release", "NAME=Bottlerocket\nID=bottlerocket\nVERSION_ID=1.34.0\n", "bottlerocket 1.34.0 "},
		{"usr/lib/os-release", "ID=a\nID=b\nVERSION_ID=1\\ 2\n", "b 1 2 "},
		{"etc/alpine-release", "3.20.1\n", "alpine 3.20.1 "},
		{"etc/debian_version", "12.5\n", "debian 12 "},
		{"etc/debian_version", "trixie/sid\n", "debian  trixie"},
		{"etc/debian_version", "\n", ""},
		{"etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", "centos 7.9.2009 "},
		{"etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n", "rhel 6.10 "},
		{"etc/oracle-release", "Oracle Linux Server release 8.4\n", "ol 8.4 "},
		{"etc/system-release", "Amazon Linux release 2 (Karoo)\n", "amzn 2 "},
		{"etc/redhat-release", "Nobody knows\n", ""},
		{"etc/redhat-release", "CentOS Stream release 9\n", "centos 9 "},
		{"etc/redhat-release", "Rocky Linux release 9.3 (Blue Onyx)\n", "rocky 9.3 "},
		{"etc/redhat-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n", "almalinux 9.4 "},
		{"etc/fedora-release", "Fedora release 40 (Forty)\n", "fedora 40 "},
		{"etc/system-release", "Amazon Linux AMI release 2018.03\n", "amzn 2018.03 "},
		{"etc/system-release", "Amazon Linux release 2023.5.20240805 (Amazon Linux)\n", "amzn 2023 "},
		{"etc/system-release", "Amazon Linux release 2023 (Amazon Linux)\n", "amzn 2023 "},
		{"etc/photon-release", "VMware Photon OS 5.0\nPHOTON_BUILD_NUMBER=dde71ec57\n", "photon 5.0 "},
		{"etc/photon-release", "VMware Photon Linux 1.0\n", "photon 1.0 "},
		{"etc/mariner-release", "CBL-Mariner 2.0.20240223\nMARINER_BUILD_NUMBER=abc\n", "mariner 2.0 "},
		{"etc/azurelinux-release", "Microsoft Azure Linux 3.0.20240824\n", "azurelinux 3.0 "},
		{"etc/SuSE-release", "SUSE Linux Enterprise Server 12 (x86_64)\nVERSION = 12\nPATCHLEVEL = 5\n# This file is deprecated\n", "sles 12.5 "},
		{"etc/SuSE-release", "SUSE Linux Enterprise Server 12 (x86_64)\nVERSION = 12\nPATCHLEVEL = 0\n", "sles 12 "},
		{"etc/SuSE-release", "SUSE Linux Enterprise Desktop 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n", "sled 11.4 "},
		{"etc/SuSE-release", "openSUSE 13.2 (x86_64)\nVERSION = 13.2\nCODENAME = Harlequin\n", "opensuse 13.2 "},
		{"etc/openEuler-release", "openEuler release 22.03 (LTS-SP1)\n", "openeuler 22.03 "},
		{"etc/mageia-release", "Mageia release 9 (Official) for x86_64\n", "mageia 9 "},
		{"etc/gentoo-release", "Gentoo Base System release 2.15\n", "gentoo 2.15 "},
		{"etc/arch-release", "", "arch  "},
		{"etc/openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.5'\nDISTRIB_REVISION='r24106-10cc5fcd00'\nDISTRIB_TARGET='x86/64'\n", "openwrt 23.05.5 "},
		{"etc/lsb-release", "DISTRIB_ID=\"VMware Photon OS\"\nDISTRIB_RELEASE=\"4.0\"\n", "photon 4.0 "},
		{"etc/lsb-release", "DISTRIB_RELEASE=1\n", ""},
		{"etc/debian_version", "3.1\n", "debian 3.1 "},
		{"etc/debian_version", "6.0.10\n", "debian 6 "},
		{"etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=20.04\nDISTRIB_CODENAME=focal\n", "ubuntu 20.04 focal"},
	}
	for _, tt := range tests {
		got, err := identify(tt.path, tt.data)
		if err != nil || got != tt.want {
			t.Errorf("%s %q: %q, %v; want %q", tt.path, tt.data, got, err, tt.want)
		}
	}
	if _, err := identify("etc/os-release", "ID=\xff\n"); err == nil {
		t.Error("bytes that are not UTF-8 were accepted")
	}
}

// TestDistributions: os-release of each distribution, as far as it says which it is, and the
// advisories that packages of it are asked about.
func TestDistributions(t *testing.T) {
	tests := []struct {
		name, data, want string
		purl, advisories string // type of its packages, and their OSV ecosystem
	}{
		{"Photon", "NAME=\"VMware Photon OS\"\nVERSION=\"5.0\"\nID=photon\nVERSION_ID=5.0\nPRETTY_NAME=\"VMware Photon OS/Linux\"\n", "photon 5.0 ", "rpm", "Photon OS"},
		{"Azure Linux 3", "NAME=\"Microsoft Azure Linux\"\nVERSION=\"3.0.20240824\"\nID=azurelinux\nVERSION_ID=\"3.0\"\n", "azurelinux 3.0 ", "rpm", "Azure Linux"},
		{"CBL-Mariner 2", "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20240223\"\nID=mariner\nVERSION_ID=\"2.0\"\n", "mariner 2.0 ", "rpm", "Azure Linux"},
		{"Amazon Linux 1", "NAME=\"Amazon Linux AMI\"\nVERSION=\"2018.03\"\nID=\"amzn\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"2018.03\"\n", "amzn 2018.03 ", "rpm", "Amazon Linux"},
		{"Amazon Linux 2", "NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nVERSION_ID=\"2\"\n", "amzn 2 ", "rpm", "Amazon Linux"},
		{"Amazon Linux 2023", "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n", "amzn 2023 ", "rpm", "Amazon Linux"},
		{"SLES and BCI", "NAME=\"SLES\"\nVERSION=\"15-SP6\"\nVERSION_ID=\"15.6\"\nID=\"sles\"\nID_LIKE=\"suse\"\n", "sles 15.6 ", "rpm", "SUSE"},
		{"SLES for SAP", "NAME=\"SLES_SAP\"\nVERSION_ID=\"12.5\"\nID=\"sles_sap\"\n", "sles_sap 12.5 ", "rpm", "SUSE"},
		{"SLE Micro 5", "NAME=\"SLE Micro\"\nVERSION_ID=\"5.5\"\nID=\"sle-micro\"\nID_LIKE=\"suse\"\n", "sle-micro 5.5 ", "rpm", "SUSE"},
		{"SL Micro 6", "NAME=\"SL-Micro\"\nVERSION_ID=\"6.0\"\nID=\"sl-micro\"\nID_LIKE=\"suse\"\n", "sl-micro 6.0 ", "rpm", "SUSE"},
		{"Leap", "NAME=\"openSUSE Leap\"\nVERSION_ID=\"15.6\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "opensuse-leap 15.6 ", "rpm", "openSUSE"},
		{"Tumbleweed", "NAME=\"openSUSE Tumbleweed\"\n# VERSION=\"20240901\"\nID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240901\"\n", "opensuse-tumbleweed 20240901 ", "rpm", "openSUSE"},
		{"Wolfi", "ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\n", "wolfi 20230201 ", "apk", "Wolfi"},
		{"Chainguard", "ID=chainguard\nNAME=\"chainguard\"\nVERSION_ID=\"20230214\"\n", "chainguard 20230214 ", "apk", "Chainguard"},
		{"Alpaquita LTS", "NAME=\"BellSoft Alpaquita Linux LTS\"\nID=alpaquita\nID_LIKE=alpine\nVERSION_ID=23\n", "alpaquita 23 ", "apk", "Alpaquita"},
		{"Alpaquita Stream", "NAME=\"BellSoft Alpaquita Linux Stream\"\nID=alpaquita\nID_LIKE=alpine\nVERSION_ID=stream\n", "alpaquita stream ", "apk", "Alpaquita"},
		{"MinimOS", "ID=minimos\nNAME=\"MinimOS\"\nVERSION_ID=\"20241031\"\n", "minimos 20241031 ", "apk", "MinimOS"},
		{"Arch", "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\nVERSION_ID=20241201.0.285026\n", "arch 20241201.0.285026 ", "alpm", ""},
		{"Gentoo", "NAME='Gentoo'\nID='gentoo'\nVERSION_ID='2.15'\n", "gentoo 2.15 ", "generic", ""},
		{"Bottlerocket", "NAME=Bottlerocket\nID=bottlerocket\nVERSION=\"1.34.0 (aws-k8s-1.32)\"\nVARIANT_ID=aws-k8s-1.32\nVERSION_ID=1.34.0\nBUILD_ID=3fb9f8f4\n", "bottlerocket 1.34.0 ", "bottlerocket", ""},
		{"OpenWrt", "NAME=\"OpenWrt\"\nVERSION=\"23.05.5\"\nID=\"openwrt\"\nID_LIKE=\"lede openwrt\"\nVERSION_ID=\"23.05.5\"\n", "openwrt 23.05.5 ", "generic", ""},
		{"Rocky", "NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"\n", "rocky 9.3 ", "rpm", "Rocky Linux"},
		{"AlmaLinux", "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"8.10\"\n", "almalinux 8.10 ", "rpm", "AlmaLinux"},
		{"Oracle", "NAME=\"Oracle Linux Server\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n", "ol 9.4 ", "rpm", "Oracle Linux"},
		{"CentOS Stream", "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n", "centos 9 ", "rpm", "Red Hat"},
		{"distroless", "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\nVERSION_ID=\"12\"\nVERSION=\"Debian GNU/Linux 12 (bookworm)\"\n", "debian 12 ", "deb", "Debian"},
		{"Alpine edge", "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.21_alpha20240807\n", "alpine 3.21_alpha20240807 ", "apk", "Alpine"},
		{"openEuler", "NAME=\"openEuler\"\nVERSION=\"22.03 (LTS-SP1)\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\n", "openeuler 22.03 ", "rpm", "openEuler"},
	}
	for _, tt := range tests {
		facts, err := osrelease.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("etc/os-release", []byte(tt.data)))
		if err != nil || len(facts) != 1 {
			t.Errorf("%s: %d facts, error %v", tt.name, len(facts), err)
			continue
		}
		os := facts[0].OS
		if got := os.ID + " " + os.VersionID + " " + os.Codename; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		doc := &sbom.Document{Packages: []sbom.Package{{ID: "p", Name: "p", Version: "1", PURL: purl.PackageURL{Type: tt.purl, Name: "p", Version: "1"}}}}
		doc.Subject.OS = os
		got := ""
		if keys := advisory.Keys(doc)[0].Keys; len(keys) > 0 {
			got = keys[0].Ecosystem
		}
		if got != tt.advisories {
			t.Errorf("%s: packages are looked up in %q, want %q", tt.name, got, tt.advisories)
		}
	}
}

// TestFallbacks: which of several files counts, by the smallest key, and that an image without
// any is of no distribution: of what busybox alone brings nothing is read.
func TestFallbacks(t *testing.T) {
	set := analyzer.NewSet(osrelease.Analyzer{})
	count := func(files map[string]string) string {
		best, key := "", ""
		for p, data := range files {
			if len(set.ByPath(nil, p)) == 0 {
				continue
			}
			facts, err := osrelease.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, []byte(data)))
			if err != nil {
				t.Fatal(err)
			}
			if len(facts) > 0 && (key == "" || facts[0].Key < key) {
				best, key = facts[0].OS.ID+" "+facts[0].OS.VersionID, facts[0].Key
			}
		}
		return best
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"os-release before the others", map[string]string{"etc/os-release": "ID=\"ol\"\nVERSION_ID=\"8.4\"\n", "etc/redhat-release": "Red Hat Enterprise Linux release 8.4 (Ootpa)\n"}, "ol 8.4"},
		{"Oracle has Red Hat's file", map[string]string{"etc/oracle-release": "Oracle Linux Server release 6.10\n", "etc/redhat-release": "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n"}, "ol 6.10"},
		{"an empty os-release", map[string]string{"etc/os-release": "", "usr/lib/os-release": "ID=wolfi\n"}, "wolfi "},
		{"Ubuntu has Debian's file", map[string]string{"etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\n", "etc/debian_version": "wheezy/sid\n"}, "ubuntu 12.04"},
		{"OpenWrt before its releases had os-release", map[string]string{"etc/openwrt_release": "DISTRIB_ID=\"OpenWrt\"\nDISTRIB_RELEASE=\"12.09\"\n", "etc/openwrt_version": "12.09\n"}, "openwrt 12.09"},
		{"busybox alone", map[string]string{"bin/busybox": "\x7fELF", "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/hostname": "x\n"}, ""},
		{"nothing", nil, ""},
	} {
		if got := count(tt.files); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRealFiles(t *testing.T) {
	files := testdata.Open(t, "pkgdb/os-release-trivy.tar.gz")
	dir := "pkg/fanal/analyzer/os/release/testdata/"
	got := map[string]string{}
	for _, name := range []string{"alma", "bottlerocket", "mariner-1.0", "oracle", "rhel", "sles", "slemicro"} {
		data, ok := files[dir+name]
		if !ok {
			t.Fatalf("the shared data lacks %s", name)
		}
		id, err := identify("etc/os-release", string(data))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = id
	}
	want := map[string]string{"alma": "almalinux 9.4 ", "bottlerocket": "bottlerocket 1.34.0 ", "mariner-1.0": "mariner 1.0 ", "oracle": "ol 8.10 ", "rhel": "rhel 9.4 ", "sles": "sles 15.3 ", "slemicro": "sle-micro 5.3 "}
	for name, id := range got {
		if id == "" {
			t.Errorf("%s was not identified", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("etc/os-release", "ID=debian\nVERSION_ID='12'\n")
	f.Add("etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n")
	f.Add("etc/debian_version", "12.5\n")
	f.Fuzz(func(_ *testing.T, path, data string) { _, _ = identify(path, data) })
}

func ExampleAnalyzer() {
	f := analyzer.NewMemoryFile("etc/os-release", []byte("ID=alpine\nVERSION_ID=3.20.1\n"))
	facts, err := osrelease.Analyzer{}.Extract(context.Background(), f)
	fmt.Println(facts[0].OS.ID, facts[0].OS.VersionID, err)
	// Output: alpine 3.20.1 <nil>
}
