// Package csaf reads what CSAF documents say as VEX, and writes CSAF VEX documents.
//
// Every document with a product status is read, of profile VEX or not, of CSAF 2.0
// and 2.1. A vulnerability and a list of product_status become statements, one for
// each reason or action that products of the list share: known_affected,
// first_affected and last_affected are affected, known_not_affected is not_affected,
// fixed and first_fixed are fixed. "recommended" and "unknown" say nothing.
//
//   - A flag is the justification; of several for a product the first counts. A
//     threat of category impact is the impact statement of what is not affected, but
//     for a mere severity ("Important"), which is none. Remediations are the action
//     of what is affected. Each speaks of the products and groups that it names.
//   - The vulnerability is named by its CVE id, else by the first of its ids; the
//     further ids are aliases, but for bare numbers.
//   - The time is current_release_date.
//
// # Which documents are refused
//
// A document that fails a mandatory test of CSAF 2.0 (section 6.1) is refused where
// the test bears on which product stands how to which vulnerability, for which reason
// or since when: the schema, products and groups that are not defined, defined twice
// in other words, or a part of themselves (1 to 5), statuses that contradict each
// other (6), a draft that counts as final (17), a vulnerability that is there twice (23), and what a profile must have
// (27.4, 27.6, 27.8, 27.11). So is a draft. All others are tolerated: scores,
// languages, names, weaknesses, history and texts are not read. Two depend: a VEX
// document may have none of the four statuses (27.7) if it has others; what is not
// affected for no reason (27.9) is passed on and counts as nothing where it is
// judged. Documents of CSAF 2.1 have no validator yet: a product that is not defined,
// or a part of itself, is a [*vex.StatementError], and of statuses that contradict
// each other both are passed on.
//
// # Which products are meant
//
// A product is identified by its package URLs, CPE name and file hashes. A version
// that stands in a branch only, or a range of versions, narrows identifiers that have
// none. Where it cannot be read, a claim that lowers risk has no identifier.
//
// A product that a relationship puts together, "openssl as a component of Red Hat
// Enterprise Linux 9", is the platform with the component as its subcomponent: what
// is said of a component holds within that platform. Three are told by the component
// alone:
//
//   - A container image that its package URL names by digest or by repository.
//   - An rpm package of the platform's vendor, where the platform is a release of a
//     distribution. Images do not carry the CPE names of platforms, but package URLs
//     of their packages have a qualifier "distro": cpe:/o:redhat:enterprise_linux:9
//     becomes "distro=rhel-9". So not_affected for RHEL 9's openssl does not apply to
//     that of RHEL 8. A package URL with a version is a build, which all minor
//     releases share: it gets the major release.
//   - An rpm package of the platform's vendor with a version that is fixed: the fix
//     is in that build, wherever it is installed.
//
// A module is the qualifier "rpmmod" of its packages that have no version. A component within several
// products, or installed with another one, is less than can be said here: a claim
// that lowers risk has then no identifier, and one that raises it is of the platform.
//
// Source: CSAF 2.0, sections 3.2.2, 3.2.3 and 4.5; CSAF 2.1 (draft).
package csaf

import (
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error of this package, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
)

// The defaults of Options.
const (
	DefaultBytes      = csaf.DefaultBytes
	DefaultStatements = 250_000
	DefaultProducts   = 2_000_000
	DefaultDepth      = csaf.DefaultBranchDepth
)

// Options bound what Decode reads. Nil and zero stand for the defaults.
type Options struct {
	MaxBytes      int64
	MaxStatements int
	MaxProducts   int // of all statements with their subcomponents, and those that flags and the like name
	MaxDepth      int // of branches of the product tree
}

// limits returns the options with the defaults filled in.
func (o *Options) limits() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = DefaultBytes
	}
	if out.MaxStatements <= 0 {
		out.MaxStatements = DefaultStatements
	}
	if out.MaxProducts <= 0 {
		out.MaxProducts = DefaultProducts
	}
	if out.MaxDepth <= 0 {
		out.MaxDepth = DefaultDepth
	}
	return out
}
