// Package advisory says which packages of an SBOM are affected by what is
// known.
//
// A [Record] is what one database states, in the terms of OSV; a [View] is many
// records, indexed; a [Matcher] compares a document with a view and reports
// findings, each with its evidence, and what could not be assessed.
//
// # Which records are asked about a package
//
// A package of an operating system is looked up in its distribution's data
// alone, and by the name that the distribution keeps advisories under: the
// source package for Debian, Ubuntu, Alpine, Rocky and others, the binary package
// for AlmaLinux, Red Hat, Amazon, Oracle and Fedora, either for Wolfi,
// Chainguard, Azure Linux, Photon and SUSE. A package of a language is looked up in
// its ecosystem's data by its type of package URL. A language package whose
// files an operating system package installed is left to the distribution,
// which repairs such packages without changing their versions;
// [Options].MatchOwned asks about it as well.
//
// # When a package is affected
//
// It is affected if an entry's ranges or enumerated versions contain its
// version under the order of the ecosystem. Withdrawn records affect nothing.
// An erratum that fixes bugs or adds features and names no vulnerability is no
// finding.
//
// What cannot be decided is a gap, never an absence of findings: an ecosystem
// or distribution without data, a package without a version that an advisory
// names, a version or range that the ecosystem's rules cannot read. A package
// without a version that no advisory names is an informational gap.
//
// # One finding for each package and vulnerability
//
// Records that are about the same vulnerability by the definition of [Link] are
// one finding: a record without a CVE id finds it through records that need not
// affect the package. The finding's record is the best by this order:
//
//  1. the database of the distribution or ecosystem itself, then GHSA, then
//     records of malicious packages, then others, then CVE records;
//  2. a range that contains the version, before an enumerated version;
//  3. a record with a fixed version;
//  4. the smaller id.
//
// The other records are among its aliases. Two different CVE ids are never made
// one: a record that names several stands for itself, unless each of them has a
// record of its own, and is then an alias of each.
//
// [Matcher].Explain says for one package and one vulnerability how all this was
// decided, whether or not it is a finding.
package advisory

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package and views return, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // data that breaks its format
	ErrMismatch    error = fault.Mismatch    // data that does not have its digest
	ErrNotFound    error = fault.NotFound    // no such record, document or head
	ErrUnsupported error = fault.Unsupported // a format that is not read
	ErrUnavailable error = fault.Unavailable // the same call may succeed later
	ErrForbidden   error = fault.Forbidden   // the network door is shut for it
	ErrLimit       error = fault.Limit       // a bound was reached
	ErrConflict    error = fault.Conflict    // somebody else was faster
	ErrFenced      error = fault.Fenced      // somebody else has it by now
)
