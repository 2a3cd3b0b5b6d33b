// Package debian reads what Debian's security team publishes: the security
// tracker's JSON, and the lists of DSA, DLA and DTSA.
//
// # The tracker
//
// https://security-tracker.debian.org/tracker/data/json has, for each source
// package and CVE, how every supported release stands. It becomes one record
// for each CVE, "DEBIAN-CVE-2024-1234", whose upstream is the CVE id. What the
// tracker calls TEMP-… has no CVE id yet and no upstream.
//
//	fixed_version            a range up to it; "0" is NotAffected, as the tracker writes it
//	status undetermined      UnderInvestigation, every version affected
//	urgency end-of-life      EndOfLife
//	urgency unimportant      Unimportant
//	nodsa_reason ignored     WillNotFix
//	nodsa_reason postponed   FixDeferred
//
// A package without a fixed version is affected in every version. "no-dsa"
// without a reason says that the fix comes without an advisory, which is no
// status. The urgency is kept as the package's rating, word for word. The
// tracker dates nothing: its records bear the first second of 1980.
//
// # The lists
//
// data/DSA/list, data/DLA/list and data/DTSA/list of the tracker's repository
// name the packages that an advisory fixed in each release. They become
// "DSA-5380-1" and so on, with the CVE ids as upstream.
//
// # Names
//
// Releases are ecosystems by their number, "Debian:12"; a release that has none
// keeps its code name, "Debian:sid". Packages are source packages.
//
// Source: security-tracker.git, doc/security-team.d.o/security_tracker.rst
// ("Syntax of data files"), and lib/python/tracker_service.py for the JSON.
package debian

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not the tracker's JSON, or not a list
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrUnsupported error = fault.Unsupported // a document that this package does not read
)

// The limits, far above what the tracker has.
const (
	maxDocument = 1 << 30   // bytes of a document, unpacked
	maxParts    = 5_000_000 // pairs of a package and a CVE
	maxReleases = 64        // releases of one pair
	maxName     = 256       // bytes of a package's name, an id or a release
	maxPackages = 1_000     // packages of one advisory of a list
	maxIDs      = 20_000    // CVE ids of one advisory of a list
)

// ecosystem is the ecosystem of a release's code name.
func ecosystem(code string) string {
	if number := numbers[code]; number != "" {
		code = number
	}
	return "Debian:" + code
}

// numbers are the releases by their code names. Source: distro-info-data.
var numbers = map[string]string{
	"woody": "3.0", "sarge": "3.1", "etch": "4.0", "lenny": "5.0", "squeeze": "6.0", "wheezy": "7", "jessie": "8", "stretch": "9",
	"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15", "unstable": "sid",
}
