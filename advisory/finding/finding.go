// Package finding holds the result of matching packages with advisories:
// which package is affected by what, on which evidence, and what could not be
// assessed. It is a leaf: scans, policies and reports share it.
//
// A [Report] is the result for one document. It has a [Finding] for each package
// and vulnerability, gaps for what could not be assessed, and the digest of the
// snapshot that it follows from: the same document and snapshot give the same report.
// A report without findings says that nothing is known only where it has no gaps.
//
// What a finding rests on is in its [Evidence]: the record, the range, and the names
// and versions that were compared. Severity, score and fixed versions are one
// record's, which is named; what others say stands beside it.
//
// An [Explanation] answers one question, why a vulnerability does or does not affect
// a package, with every record that was considered and the [Reason] for each. Its
// [Conclusion] knows a third answer, not assessed.
//
// [Compare] tells two lists of findings apart as changes that people want to hear
// of: new, gone, of another severity or status, exploited, repaired ([Turn]). A
// [PackageFact] has what matching asks about a package, so that it can be matched
// again without its image.
//
// All types are data with JSON forms that are stored and sent. Functions are pure,
// and values that are not changed may be shared by goroutines.
package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// Severity is a qualitative rating. The empty value means unknown, which is
// not the same as low.
type Severity string

// The severities, as in the CVSS v3.1 specification §5.
const (
	Unknown  Severity = ""
	None     Severity = "none"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank orders severities: unknown is 0, none 1, critical 5.
func (s Severity) Rank() int {
	return slices.Index([]Severity{Unknown, None, Low, Medium, High, Critical}, s)
}

// ParseSeverity reads a severity in any case; "moderate" and "important" are
// the names that some vendors use for medium and high. ok is false for others.
func ParseSeverity(s string) (sev Severity, ok bool) {
	switch strings.ToLower(s) {
	case "none", "negligible", "unimportant":
		return None, true
	case "low", "minor":
		return Low, true
	case "medium", "moderate":
		return Medium, true
	case "high", "important", "major":
		return High, true
	case "critical":
		return Critical, true
	}
	return Unknown, false
}

// Score is one severity statement as its source wrote it.
type Score struct {
	Type   string `json:"type"`             // "CVSS_V3", "CVSS_V4", "Ubuntu", … (OSV schema, severity[].type)
	Value  string `json:"value"`            // the vector or word
	Source string `json:"source,omitempty"` // who says so, where the record names it
}

// Finding is one package that one vulnerability affects.
type Finding struct {
	// Package is the package's ID in the document that was matched.
	Package string `json:"package"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
	// Vulnerability is the id that people use: the CVE id where the record has
	// exactly one, else Advisory.
	Vulnerability string `json:"vulnerability"`
	// Advisory is the id of the record, Aliases its other names, sorted.
	Advisory string   `json:"advisory"`
	Aliases  []string `json:"aliases,omitempty"`
	// Severity is derived from Scores; SeverityFrom says from which.
	Severity     Severity `json:"severity,omitempty"`
	SeverityFrom string   `json:"severity_from,omitempty"`
	Scores       []Score  `json:"scores,omitempty"`
	// Fixed are the versions that repair it for this package, in order of the
	// ecosystem. Empty means none is known.
	Fixed []string `json:"fixed,omitempty"`
	// FixStatus is what the database decided about a fix, where it says so:
	// "will_not_fix", "fix_deferred", "end_of_life", "under_investigation" or
	// "unimportant".
	FixStatus string `json:"fix_status,omitempty"`
	// Exploited is the day on which it was listed as exploited, EPSS the
	// probability of that within 30 days, as decimal text; each with its source.
	Exploited     string `json:"exploited,omitempty"`
	ExploitedFrom string `json:"exploited_from,omitempty"`
	EPSS          string `json:"epss,omitempty"`
	EPSSFrom      string `json:"epss_from,omitempty"`
	Summary       string `json:"summary,omitempty"`
	URL           string `json:"url,omitempty"`
	// Published is when the record says that it was first published, RFC 3339; empty
	// where it does not.
	Published string `json:"published,omitempty"`
	// Evidence is what was compared.
	Evidence Evidence `json:"evidence"`
}

// Evidence says why a package is affected.
type Evidence struct {
	Ecosystem string `json:"ecosystem"` // as the record names it, "Debian:12"
	Name      string `json:"name"`      // the name that was looked up
	Version   string `json:"version"`   // the version that was compared
	Range     string `json:"range"`     // the range that contains it, or "versions" for an enumerated one
	Record    string `json:"record"`    // digest of the record's bytes in the snapshot
	// Path is the chain of ids that leads from the record to the vulnerability,
	// both included; empty where the record names it.
	Path []string `json:"path,omitempty"`
}

// Report is the outcome of matching one document.
type Report struct {
	// Snapshot is the digest of the advisory data; empty means there was none.
	Snapshot string `json:"snapshot,omitempty"`
	// Findings are sorted by package name, version, package ID, vulnerability
	// and advisory.
	Findings []Finding `json:"findings"`
	// Gaps are packages and ecosystems that were not assessed.
	Gaps []sbom.Gap `json:"gaps,omitempty"`
}

// Sort puts findings into their documented order.
func (r *Report) Sort() {
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.Package, b.Package),
			strings.Compare(a.Vulnerability, b.Vulnerability), strings.Compare(a.Advisory, b.Advisory))
	})
}

// Blocked reports whether something that matters was not assessed.
func (r *Report) Blocked() bool {
	return slices.ContainsFunc(r.Gaps, func(g sbom.Gap) bool { return g.Blocking })
}

// Worst returns the highest severity among the findings.
func (r *Report) Worst() Severity {
	worst := Unknown
	for _, f := range r.Findings {
		if f.Severity.Rank() > worst.Rank() {
			worst = f.Severity
		}
	}
	return worst
}
