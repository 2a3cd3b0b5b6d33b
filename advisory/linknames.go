package advisory

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/version"
)

// Names returns every id by which a record is found: its own, its aliases,
// upstream and related ones, and the CVE id that its own ends with
// ("DEBIAN-CVE-2024-1"), each once, in this order. Indexes of records by id are
// made of it.
func (r *Record) Names() []string {
	names := make([]string, 0, 1+len(r.Aliases)+len(r.Upstream)+len(r.Related))
	names = append(append(append(append(names, r.ID), r.Aliases...), r.Upstream...), r.Related...)
	if id := cveWithin(r.ID); id != "" {
		names = append(names, id)
	}
	return distinct(names)
}

// distinct drops repeated texts, and keeps the order of the others.
func distinct(list []string) []string {
	if len(list) > 16 {
		seen := make(map[string]bool, len(list))
		return slices.DeleteFunc(list, func(s string) bool {
			again := seen[s]
			seen[s] = true
			return again
		})
	}
	out := list[:0]
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// cveWithin returns the CVE id that the id of a distribution's record ends
// with, or "".
func cveWithin(id string) string {
	if i := strings.Index(id, "-CVE-"); i >= 0 && isCVE(id[i+1:]) {
		return id[i+1:]
	}
	return ""
}

// links returns the ids, CVE ids excepted, by which a record hangs together
// with others: its own, its aliases, and what it passes on.
func (r *Record) links() []string {
	names := make([]string, 0, 1+len(r.Aliases)+len(r.Upstream))
	names = append(append(append(names, r.ID), r.Aliases...), r.Upstream...)
	return distinct(slices.DeleteFunc(names, isCVE))
}

// leads reports whether others hang together through a record that names cves.
// One that was taken back leads nobody, nor does one that passes on several
// vulnerabilities: what it names is then not one thing.
func (r *Record) leads(cves []string) bool {
	if r.Withdrawn != "" || len(r.Upstream) > 1 && len(distinct(slices.Clone(r.Upstream))) > 1 {
		return false
	}
	return len(cves) <= 1 || slices.ContainsFunc(r.Aliases, isCVE)
}

// ofSystem reports whether one of the packages is of a distribution.
func ofSystem(affected []Affected) bool {
	return slices.ContainsFunc(affected, func(a Affected) bool { return isSystemEcosystem(a.Ecosystem) })
}

// isSystemEcosystem reports whether an ecosystem is a distribution, which its
// version scheme tells.
func isSystemEcosystem(ecosystem string) bool {
	scheme, err := version.For(ecosystem)
	if err != nil {
		return false
	}
	switch scheme.String() {
	case "deb", "rpm", "apk", "alpm":
		return true
	}
	return false
}
