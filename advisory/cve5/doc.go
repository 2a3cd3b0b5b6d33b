// Package cve5 reads CVE records in the CVE program's own JSON format, version
// 5, as the repository CVEProject/cvelistV5 has all of them: what the
// authorities that assign CVE ids (CNA) say, and what others (ADP, such as
// CISA's Vulnrichment) add.
//
// # What a record says
//
// Each affected product becomes an entry of the ecosystem that its package URL
// or its collection and package name tell (npm, PyPI, Maven, Go, …); without
// those, one for each of its CPE names, in the ecosystem "CPE" as package nvd
// has them; without those, none: vendor and product are names that nothing else
// has. CPE names that are none, or of no one product, are passed over. Products of Red Hat's and Fedora's collections are left to their own
// advisories, since their CPE names are of the distribution.
//
// Of the versions of a product, those are affected that an entry says are, minus
// those that one says are not. Where the default is "affected", those are
// affected that no entry says are not. Commits are a range of type GIT, with the
// repository. Versions that are written as conditions (">= 1.0, < 1.4") are read
// as such. A product whose versions cannot be told is an entry without versions,
// which matching tells as not assessed: so are prose ("before 1.4"), "n/a" and
// the like. An entry that only says "unaffected" or "unknown" adds nothing.
//
// A rejected record is withdrawn. Severities keep who states them. An entry that
// CISA made about its catalogue of exploited vulnerabilities is a signal. SSVC
// decisions, credits, timelines, impacts and workarounds are not read; they are
// in the raw document.
//
// # Fetching
//
// [Source] reads the whole repository first, and from then on the files that its
// log of changes names. The log has the last 30 days; who has not asked for
// longer reads everything once more.
//
// Source: CVE Record Format 5.1.1 and 5.2.0,
// https://github.com/CVEProject/cve-schema.
package cve5

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not a CVE record, or a damaged one
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrUnsupported error = fault.Unsupported // a record of another version of the format
)

// Limits of one record.
const (
	MaxBytes    = 32 << 20
	MaxProducts = 100_000
	MaxVersions = 200_000 // of all products
)
