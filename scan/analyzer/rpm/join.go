package rpm

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it picks the database that counts and gives
// its packages their package URL.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var gaps []sbom.Gap
	byPath := map[string][]analyzer.Located{}
	var paths []string
	for _, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPart:
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: f.Path,
				What: "holds changes that the rpm database beside it does not have yet"})
		case f.Kind == analyzer.KindPackage && f.Package != nil:
			if byPath[f.Path] == nil {
				paths = append(paths, f.Path)
			}
			byPath[f.Path] = append(byPath[f.Path], f)
		}
	}
	if len(paths) == 0 {
		return nil, gaps
	}
	order := precedence(in.OS)
	slices.SortStableFunc(paths, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	used := byPath[paths[0]]
	gaps = append(gaps, sourceGaps(paths, byPath, in.OS)...)
	out := make([]analyzer.Located, len(used))
	for i, f := range used {
		p := *f.Package
		p.PURL = distro.RPM(&p, in.OS)
		f.Package = &p
		out[i] = f
	}
	return out, gaps
}

// sourceGaps says what is missing because of the file that the packages are
// from: the first of paths.
func sourceGaps(paths []string, byPath map[string][]analyzer.Located, os *sbom.OS) []sbom.Gap {
	var gaps []sbom.Gap
	if os == nil || os.ID == "" {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: paths[0],
			What: "rpm packages, but no os-release says which distribution they belong to"})
	}
	if paths[0] == nameManifest {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapOddity, Where: paths[0], What: "lists packages without their epochs"})
	}
	have := map[string]bool{}
	for _, f := range byPath[paths[0]] {
		have[f.Key] = true
	}
	for _, p := range paths[1:] {
		if p == nameManifest && paths[0] == longManifest {
			continue // the same list with fewer columns
		}
		only := 0
		for _, f := range byPath[p] {
			if !have[f.Key] {
				only++
			}
		}
		gaps = append(gaps, sbom.Gap{Code: sbom.GapOddity, Where: p,
			What: fmt.Sprintf("ignored: rpm uses %s; %d of the %d packages here are not there", paths[0], only, len(byPath[p]))})
	}
	return gaps
}

// precedence lists the paths of databases and manifests, the one that counts
// first; see the package comment.
func precedence(os *sbom.OS) []string {
	names := []string{sqliteName, ndbName, berkeleyName}
	if own := configured(os); own != "" {
		names = append([]string{own}, slices.DeleteFunc(names, func(n string) bool { return n == own })...)
	}
	var order []string
	for _, dir := range folders() {
		for _, name := range names {
			order = append(order, path.Join(dir, name))
		}
	}
	return append(order, longManifest, nameManifest)
}

// configured returns the database that the distribution's rpm is set to use,
// where that is not SQLite: rpm takes any other only if this one is missing.
func configured(os *sbom.OS) string {
	if os == nil {
		return ""
	}
	vendor := distro.Namespace(os.ID)
	if vendor == "suse" || vendor == "opensuse" {
		return ndbName
	}
	last := 0 // the last major version with Berkeley DB
	switch vendor {
	case "redhat", "centos", "rocky", "almalinux", "oracle":
		last = 8
	case "fedora":
		last = 32
	case "amazon":
		last = 2018 // 2 and 2018.03; the next is 2022
	}
	digits, _, _ := strings.Cut(os.VersionID, ".")
	if major, err := strconv.Atoi(digits); err == nil && major <= last {
		return berkeleyName
	}
	return ""
}
