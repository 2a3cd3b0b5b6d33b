// Package nvd reads the National Vulnerability Database
// (https://nvd.nist.gov): CVE records with NVD's own analysis, above all which
// products are affected, as CPE names.
//
// # Fetching
//
// A [Source] asks the CVE API 2.0, or the data feeds 2.0. The API gives
// everything in pages, and afterwards what was modified, in windows of at most
// 120 days; it wants a pause between requests and is more generous to who sends
// a key in the header "apiKey", both of which the door sees to. The feeds are a
// file for each year, and one with what was modified in the last eight days;
// each has a digest beside it, against which it is checked. Mirrors can have the
// feeds.
//
// Either way, each CVE is a document of its own, "2024/CVE-2024-3094.json", cut
// out byte for byte: what is in a page changes, what a CVE's record is does not.
// [Source.Parse] reads whole pages and feeds as well.
//
// # What a record says
//
// Each product that a configuration marks as vulnerable is an affected entry of
// the ecosystem "CPE", or "CPE:wordpress" where the name is of the software for
// one target alone; its name is part, vendor and product, "a:openssl:openssl".
// Versions are compared by the order of that ecosystem (package version, file
// cpe.go); the update of a CPE name is part of the version, "1.0.1-beta1".
//
//   - Bounds are one range for each match; a start that is excluded is written
//     with a plus ("2.1+"), which orders just above it.
//   - A name of all versions affects all; one of no version ("-") affects some
//     that NVD does not know, which matching tells as not assessed. So does a
//     version with wildcards, save "1.2.*".
//   - A configuration of several nodes that must hold together ("AND", running
//     on) affects as if its platforms were there: nobody can tell from a
//     package, and leaving it out could hide something.
//   - What a negated node names is not affected, and is left out.
//   - Editions, languages and hardware of a name are not looked at.
//
// A rejected CVE is withdrawn as of its last change. Severities are all that
// NVD has, with their sources: "nvd@nist.gov" for its own, others for those of
// the CVE's authority.
//
// Source: https://nvd.nist.gov/developers/vulnerabilities, CVE API JSON 2.0
// schema.
package nvd

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not a document of NVD, or a damaged one
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrMismatch    error = fault.Mismatch    // a feed that does not have its digest
	ErrUnavailable error = fault.Unavailable // the same call may succeed later
)

// Limits of what is read. A year has 45,000 CVEs in 250 MB in 2025.
const (
	MaxBytes   = 4 << 30   // of a feed, unpacked
	MaxPage    = 256 << 20 // bytes of a page
	MaxRecords = 2_000_000 // of a document, and of a run
	MaxDepth   = 32        // levels of nested nodes
	MaxMatches = 200_000   // CPE matches of a record
)
