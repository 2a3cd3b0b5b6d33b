package advisory

import (
	"slices"
	"strings"
)

// isCVE reports whether id is a CVE id.
func isCVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	return ok && rest != "" && rest[0]-'0' < 10
}

// cves returns the CVE ids that a record is about: its own, or those of its
// aliases and of what it passes on. Errata of some distributions have theirs
// among the related ids, and some records of distributions only in their own
// id ("UBUNTU-CVE-2020-1"): those count where there are no others.
func (r *Record) cves(isSystem bool) []string {
	if isCVE(r.ID) {
		return []string{r.ID}
	}
	var out []string
	add := func(id string) {
		if isCVE(id) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, list := range [][]string{r.Aliases, r.Upstream} {
		for _, id := range list {
			add(id)
		}
	}
	if len(out) > 0 || !isSystem {
		return out
	}
	for _, id := range r.Related {
		add(id)
	}
	if i := strings.Index(r.ID, "-CVE-"); i >= 0 && len(out) == 0 {
		add(r.ID[i+1:])
	}
	return out
}

// namesNothing reports whether a record is an erratum that fixes bugs or adds
// features and names no vulnerability.
func namesNothing(r *Record) bool {
	switch db := r.Database(); {
	case db == "ALBA", db == "ALEA", db == "RHBA", db == "RHEA", db == "RLBA", db == "RLEA", db == "RXBA", db == "RXEA":
	case strings.HasPrefix(r.ID, "SUSE-RU-"), strings.HasPrefix(r.ID, "SUSE-FU-"), strings.HasPrefix(r.ID, "SUSE-OU-"):
	case strings.HasPrefix(r.ID, "openSUSE-RU-"), strings.HasPrefix(r.ID, "openSUSE-FU-"):
	default:
		return false
	}
	return len(r.Aliases)+len(r.Upstream) == 0 && len(r.cves(true)) == 0
}

// precedence orders databases by how near they are to a package, 0 the
// nearest.
func precedence(record *Record, ecosystem string, isSystem bool) int {
	db := record.Database()
	switch {
	case isSystem || db == homeDatabase(ecosystem):
		return 0
	case db == "GHSA":
		return 1
	case db == "MAL":
		return 2
	case db == "CVE":
		return 4
	}
	return 3
}

// homeDatabase returns the database that a language ecosystem keeps itself, or
// "" where that is GHSA or none.
func homeDatabase(ecosystem string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "Go":
		return "GO"
	case "PyPI":
		return "PYSEC"
	case "crates.io":
		return "RUSTSEC"
	case "CRAN", "Bioconductor":
		return "RSEC"
	case "Julia":
		return "JLSEC"
	case "Hackage", "GHC":
		return "HSEC"
	case "Bitnami":
		return "BIT"
	case "Hex":
		return "EEF"
	case "opam":
		return "OSEC"
	case "Packagist":
		return "DRUPAL"
	}
	return ""
}
