// Package secdb reads the security databases of distributions with apk: those
// of Alpine, in JSON as it publishes them and in YAML as it kept them until
// 2020, and those of Wolfi, Chainguard and MinimOS, which have the same form.
//
// A database lists for each package the versions that fixed something, and
// what. It becomes one record for each vulnerability and document:
// "ALPINE-CVE-2024-1234", "WOLFI-…", "CGA-…", "MINI-…", with the CVE or GHSA id
// as upstream. A package that fixed one vulnerability in several versions is
// affected up to the last of them, because the earlier ones were not enough.
// The version "0" says that the package never had it: NotAffected. Other words
// beside an id, such as "XSA-246" or "(SMB)", are related ids or details.
// The databases date nothing: their records bear the first second of 1980.
//
// Alpine has a document for each release and repository, so that several
// documents have a record of the same id, each about its own release. They are
// parts of one record; see [advisory.Combine].
//
// Ecosystems are "Alpine:v3.20", "Alpine:edge", "Wolfi", "Chainguard" and
// "MinimOS". Packages are source packages ("origin"), which Wolfi and those
// after it use for subpackages as well.
//
// Source: https://secdb.alpinelinux.org, and aports, "secfixes" in APKBUILD
// (https://wiki.alpinelinux.org/wiki/APKBUILD_Reference).
package secdb

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not a security database
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrUnsupported error = fault.Unsupported // compressed in a way that is not read
)

// The limits, far above what any database has.
const (
	maxDocument = 512 << 20 // bytes of a document, unpacked
	maxPackages = 500_000
	maxFixes    = 5_000_000 // triples of package, version and vulnerability
	maxWords    = 64        // words of one entry
)
