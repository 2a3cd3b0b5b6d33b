// Package oval reads OVAL definitions of distributions with rpm: those of Red
// Hat (OVAL v2, for releases whose CSAF is missing), Oracle, SUSE, Azure Linux
// and CBL-Mariner, and Photon OS.
//
// A definition is a tree of criteria over tests; a test names an object, which
// is a package, and states, which are bounds of versions. The tree is resolved
// to pairs of a package and a range under each product that it asks for:
//
//   - "less than" is a fix, "less than or equal" the last affected version,
//     "greater than" and "greater than or equal" where a range starts;
//   - a package that need only be installed is affected in every version;
//   - the module that must be enabled is the package's stream, "nodejs:18";
//   - who signed a package, which architecture it is of, whether it is running
//     and whether a live patch is there narrow a definition and are not read:
//     what is affected on one architecture counts as affected.
//
// A part of the tree that holds packages and cannot be resolved makes the
// definition a [*advisory.RecordError]; it is never read in part. A test that
// the document lacks, or whose object or state it lacks, is read by its comment.
//
// # Records
//
//	Red Hat   "RHSA-2019:3927" of patches; "REDHAT-CVE-2020-1734" of what has no
//	          patch, with the state of its resolution; "REDHAT-UNAFFECTED-CVE-…"
//	          of components that were looked at
//	Oracle    "ELSA-2018-4250"
//	SUSE      "SUSE-SU-2021:1234-1" of patches, "SUSE-CVE-2021-3156" of CVEs
//	Azure     "AZL-39708"
//	Photon    "PHSA-2020:00001", as the title has it
//
// CVE ids are upstream. Several documents of a publisher can have a record of
// one id, each about its own release: see [advisory.Combine].
//
// Ecosystems are "Red Hat:enterprise_linux:8", "Oracle Linux:8", "SUSE:Linux
// Enterprise Server 15 SP3", "openSUSE:Leap 15.6", "Azure Linux:3" and "Photon
// OS:3.0". Builds that replace a package beside its own stream have ecosystems
// of their own, which no system is matched with: "Oracle Linux:8:ksplice" and
// "Oracle Linux:8:fips". Packages are binary packages, save for Azure Linux.
//
// Source: OVAL 5.11 definitions, common and linux schemas.
package oval

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not OVAL, or a definition that breaks it
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrUnsupported error = fault.Unsupported // what this package does not evaluate
)

// The limits, far above what any document has.
const (
	maxPacked   = 512 << 20  // bytes of a document as it is published
	maxDocument = 4 << 30    // bytes of a document, unpacked
	maxItems    = 20_000_000 // tests, objects and states of a document
	maxStates   = 64         // states of a test
	maxDepth    = 64         // levels of criteria
	maxWays     = 200_000    // ways in which one definition can hold
)
