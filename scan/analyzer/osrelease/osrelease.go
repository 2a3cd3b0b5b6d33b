// Package osrelease identifies the distribution of a root filesystem from
// os-release(5) and, where that is missing, from the older release files.
package osrelease

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const maxSize = 64 << 10 // bytes of a release file

// In an image of Bottlerocket usr leads to a folder of the architecture.
const (
	bottlerocketARM = "aarch64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release"
	bottlerocketX86 = "x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release"
)

// Analyzer reads release files. The zero value is ready to use.
type Analyzer struct{}

// rank orders the files: the first that says something decides.
var rank = map[string]string{
	"etc/os-release":         "10",
	"usr/lib/os-release":     "11",
	"etc/initrd-release":     "12",
	"etc/alpine-release":     "20",
	"etc/oracle-release":     "30", // before redhat-release, which derivatives copy
	"etc/rocky-release":      "31",
	"etc/almalinux-release":  "32",
	"etc/centos-release":     "33",
	"etc/fedora-release":     "34",
	"etc/redhat-release":     "35",
	"etc/system-release":     "36",
	"etc/photon-release":     "37",
	"etc/mariner-release":    "38",
	"etc/azurelinux-release": "39",
	"etc/SuSE-release":       "40",
	"etc/openEuler-release":  "41",
	"etc/mageia-release":     "42",
	"etc/gentoo-release":     "43",
	"etc/lsb-release":        "50",
	"etc/openwrt_release":    "51",
	"etc/arch-release":       "52",
	"etc/debian_version":     "60",

	bottlerocketARM: "13",
	bottlerocketX86: "14",
}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "osrelease", Version: 3, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	var p analyzer.Paths
	for path := range rank {
		p.Exact = append(p.Exact, path)
	}
	return p
}

// Extract implements analyzer.Analyzer. The fact's Key ranks the file.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxSize)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: not UTF-8: %w", f.Path, fault.Invalid)
	}
	var os *sbom.OS
	switch f.Path {
	case "etc/os-release", "usr/lib/os-release", "etc/initrd-release", bottlerocketARM, bottlerocketX86:
		os = parseOSRelease(data)
	case "etc/lsb-release", "etc/openwrt_release":
		os = parseLSB(data)
	case "etc/arch-release": // it is empty
		os = &sbom.OS{ID: "arch", Name: "Arch Linux"}
	case "etc/SuSE-release":
		os = parseSUSE(data)
	case "etc/alpine-release":
		os = &sbom.OS{ID: "alpine", Name: "Alpine Linux", VersionID: firstLine(data)}
	case "etc/debian_version":
		os = parseDebianVersion(firstLine(data))
	default:
		os = parseRelease(firstLine(data))
	}
	if os == nil || os.ID == "" {
		return nil, nil // says nothing: another file may
	}
	return []analyzer.Fact{{Kind: analyzer.KindOS, Key: rank[f.Path], OS: os}}, nil
}

// parseOSRelease reads shell-like assignments (os-release(5), "Description").
// The last assignment of a name counts, as in a shell.
func parseOSRelease(data []byte) *sbom.OS {
	v := assignments(data)
	os := &sbom.OS{
		ID: strings.ToLower(v["ID"]), Name: v["NAME"], PrettyName: v["PRETTY_NAME"], VersionID: v["VERSION_ID"],
		Codename: v["VERSION_CODENAME"], CPE: v["CPE_NAME"], BuildID: v["BUILD_ID"], VariantID: v["VARIANT_ID"],
		IDLike: strings.Fields(strings.ToLower(v["ID_LIKE"])),
	}
	if os.ID == "" && os.Name == "" {
		return nil
	}
	if os.ID == "" {
		os.ID = "linux" // the documented default
	}
	if len(os.IDLike) == 0 {
		os.IDLike = nil
	}
	return os
}

func parseLSB(data []byte) *sbom.OS {
	v := assignments(data)
	id := releaseID(v["DISTRIB_ID"]) // some write the name of the distribution
	if id == "" {
		id = strings.ToLower(v["DISTRIB_ID"])
	}
	return &sbom.OS{ID: id, VersionID: v["DISTRIB_RELEASE"], Codename: v["DISTRIB_CODENAME"], PrettyName: v["DISTRIB_DESCRIPTION"]}
}

// parseDebianVersion reads "12.5" or, before a release, "trixie/sid".
func parseDebianVersion(line string) *sbom.OS {
	os := &sbom.OS{ID: "debian", Name: "Debian GNU/Linux"}
	if line == "" {
		return nil
	}
	if codename, _, ok := strings.Cut(line, "/"); ok || line[0] < '0' || line[0] > '9' {
		os.Codename = codename
		return os
	}
	major, minor, _ := strings.Cut(line, ".")
	if os.VersionID = major; major == "3" { // woody and sarge were 3.0 and 3.1
		minor, _, _ = strings.Cut(minor, ".")
		os.VersionID = strings.TrimSuffix(major+"."+minor, ".")
	}
	return os
}

var releaseLine = lazyre.New(`^(.*?)\s*(?:[Ll]inux\s+)?(?:Server\s+)?(?:release\s+|V?)(\d+(?:\.\d+)*)`)

// releaseIDs maps beginnings of release lines to os-release IDs.
var releaseIDs = []struct{ prefix, id string }{
	{"Red Hat", "rhel"}, {"CentOS", "centos"}, {"Rocky", "rocky"}, {"AlmaLinux", "almalinux"}, {"Fedora", "fedora"},
	{"Oracle", "ol"}, {"Amazon", "amzn"}, {"VMware Photon", "photon"}, {"CBL-Mariner", "mariner"}, {"Microsoft Azure Linux", "azurelinux"},
	{"Scientific", "scientific"}, {"openSUSE", "opensuse"}, {"SUSE Linux Enterprise Desktop", "sled"}, {"SUSE", "sles"}, {"openEuler", "openeuler"},
	{"Mageia", "mageia"}, {"Gentoo", "gentoo"},
}

// releaseID returns the ID of the distribution that a release line names, or "".
func releaseID(line string) string {
	for _, r := range releaseIDs {
		if strings.HasPrefix(line, r.prefix) {
			return r.id
		}
	}
	return ""
}

// parseRelease reads lines such as "CentOS Linux release 7.9.2009 (Core)". Of versions that
// os-release has without the day of the image, it is cut off.
func parseRelease(line string) *sbom.OS {
	os := &sbom.OS{ID: releaseID(line), PrettyName: line}
	if os.ID == "" {
		return nil
	}
	if m := releaseLine.Get().FindStringSubmatch(line); m != nil {
		os.Name, os.VersionID = m[1], m[2]
	}
	part := strings.Split(os.VersionID, ".")
	switch {
	case os.ID == "amzn" && len(part) == 3: // 2023.5.20240805
		os.VersionID = part[0]
	case (os.ID == "mariner" || os.ID == "azurelinux") && len(part) == 3: // 3.0.20240824
		os.VersionID = part[0] + "." + part[1]
	}
	return os
}

// parseSUSE reads SuSE-release, which has the service pack on a line of its own.
func parseSUSE(data []byte) *sbom.OS {
	os := parseRelease(firstLine(data))
	if os == nil {
		return nil
	}
	if pack := assignments(data)["PATCHLEVEL"]; pack != "" && pack != "0" && !strings.Contains(os.VersionID, ".") {
		os.VersionID += "." + pack
	}
	return os
}

func firstLine(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// assignments reads NAME=value lines with shell quoting of one word.
func assignments(data []byte) map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v[strings.TrimSpace(name)] = unquote(strings.TrimSpace(value))
	}
	return v
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
