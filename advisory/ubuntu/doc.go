// Package ubuntu reads what Canonical publishes about Ubuntu: records in the
// format of OSV, "UBUNTU-CVE-2024-1234" and "USN-5614-1", and documents in
// OpenVEX, both from the repository canonical/ubuntu-security-notices, which is
// also served as https://security-metadata.canonical.com.
//
// Records in OSV are read by package osv. They tell which versions are
// affected. OpenVEX tells what was decided, and becomes a second record of the
// same id: the two are parts of one, see [advisory.Combine].
//
//	not_affected             NotAffected
//	under_investigation      UnderInvestigation
//	affected                 the status that the action statement names:
//	  "no longer supported"  EndOfLife
//	  "decided to not fix"   WillNotFix
//	  "deferred"             FixDeferred
//	fixed                    nothing: the version in OpenVEX is the current one, not
//	                         the one that has the fix
//
// Only source packages are read; OpenVEX lists each binary of each architecture
// beside them. The release is the code name of the package URL's distro:
// "jammy" is "Ubuntu:22.04:LTS", "esm-infra/xenial" is "Ubuntu:Pro:16.04:LTS",
// "fips/bionic" is "Ubuntu:Pro:FIPS:18.04:LTS". A code name that is not known
// stands for itself.
//
// Source: https://documentation.ubuntu.com/security/security-updates (OSV and
// VEX), OpenVEX 0.2.0.
package ubuntu

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // neither OSV nor OpenVEX
	ErrLimit       error = fault.Limit       // over a limit
	ErrUnsupported error = fault.Unsupported // a document of another kind
)

// The limits, far above what Canonical publishes.
const (
	maxDocument   = 256 << 20 // bytes of a document
	maxProducts   = 5_000_000 // products of a document
	maxStatements = 100_000   // statements of a document
)

// releases are the releases by their code names, with the suffix of those that
// have long-term support. Source: distro-info-data.
var releases = map[string]string{
	"precise": "12.04:LTS", "trusty": "14.04:LTS", "xenial": "16.04:LTS", "bionic": "18.04:LTS", "focal": "20.04:LTS", "jammy": "22.04:LTS",
	"noble": "24.04:LTS", "resolute": "26.04:LTS",
	"quantal": "12.10", "raring": "13.04", "saucy": "13.10", "utopic": "14.10", "vivid": "15.04", "wily": "15.10", "yakkety": "16.10",
	"zesty": "17.04", "artful": "17.10", "cosmic": "18.10", "disco": "19.04", "eoan": "19.10", "groovy": "20.10", "hirsute": "21.04",
	"impish": "21.10", "kinetic": "22.10", "lunar": "23.04", "mantic": "23.10", "oracular": "24.10", "plucky": "25.04", "questing": "25.10",
}
