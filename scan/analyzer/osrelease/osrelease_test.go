package osrelease_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
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
