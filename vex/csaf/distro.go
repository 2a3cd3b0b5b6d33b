package csaf

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// releases are the products whose CPE names are those of releases of distributions,
// and their os-release ID, which package URLs have.
var releases = map[string]string{
	"redhat:enterprise_linux":             "rhel",
	"redhat:enterprise_linux_server":      "rhel",
	"redhat:enterprise_linux_workstation": "rhel",
	"redhat:rhel_eus":                     "rhel",
	"redhat:rhel_eus_long_life":           "rhel",
	"redhat:rhel_aus":                     "rhel",
	"redhat:rhel_tus":                     "rhel",
	"redhat:rhel_e4s":                     "rhel",
	"redhat:rhel_els":                     "rhel",
	"redhat:rhel_mission_critical":        "rhel",
	"suse:sles":                           "sles",
	"opensuse:leap":                       "opensuse-leap",
}

// distro returns the os-release ID and version of a platform, "" for one that is no
// release of a distribution, and its vendor.
func distro(platform *csaf.Product) (id, number, vendor string) {
	if platform.Helper == nil {
		return "", "", ""
	}
	n, ok := vexdoc.CPE(platform.Helper.CPE)
	if !ok {
		return "", "", ""
	}
	vendor = cpe.Text(n.Vendor)
	number = cpe.Text(n.Version)
	if pack, ok := strings.CutPrefix(cpe.Text(n.Update), "sp"); ok && vendor == "suse" {
		number += "." + pack // SLES 15 SP6 is 15.6
	}
	id = releases[vendor+":"+cpe.Text(n.Product)]
	if strings.Trim(number, "0123456789.") != "" || number == "" {
		id = ""
	}
	return id, number, vendor
}

// builds returns the products for rpm packages that the platform's vendor built, nil
// where they are none or hold within the platform only.
func builds(component []vex.Product, platform *csaf.Product, status vex.Status) []vex.Product {
	id, number, vendor := distro(platform)
	if vendor == "" {
		return nil
	}
	out := slices.Clone(component)
	for i := range out {
		u, ok := vexdoc.PURL(out[i].PURL)
		if !ok || u.Type != "rpm" || u.Namespace != vendor {
			return nil
		}
		switch {
		case u.Qualifier("distro") != "" && id != "": // it says so itself
		case id != "":
			release := number
			if u.Version != "" {
				release, _, _ = strings.Cut(number, ".")
			}
			out[i].PURL = u.With("distro", id+"-"+release).String()
		case status != vex.Fixed || u.Version == "":
			return nil
		}
	}
	return out
}

// moduleStream returns "nodejs:18" of the package URL of a module, such as
// "pkg:rpmmod/redhat/nodejs@18:8060020240801142753:6a631399"; "" for none.
func moduleStream(urls []string) string {
	for _, text := range urls {
		rest, ok := strings.CutPrefix(text, "pkg:rpmmod/")
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "?")
		rest = rest[strings.LastIndexByte(rest, '/')+1:]
		rest = strings.NewReplacer("%3A", ":", "%3a", ":").Replace(rest)
		name, label, _ := strings.Cut(rest, "@")
		stream, _, _ := strings.Cut(label, ":")
		if name != "" && stream != "" {
			return name + ":" + stream
		}
	}
	return ""
}

// inModule adds the module's stream to packages, and reports whether all can have
// one. A version is that of a build, which is of one stream.
func inModule(component []vex.Product, stream string) bool {
	for i := range component {
		u, ok := vexdoc.PURL(component[i].PURL)
		if !ok || u.Type != "rpm" {
			return false
		}
		if u.Version == "" && u.Qualifier("rpmmod") == "" {
			component[i].PURL = u.With("rpmmod", stream).String()
		}
	}
	return true
}
