// Package csaf reads security advisories and VEX documents in the Common
// Security Advisory Framework, versions 2.0 and 2.1: those of Red Hat, SUSE and
// CISA, and of any provider that publishes a provider-metadata.json.
//
// # Fetching
//
// A provider's folder is read by its changes.csv: once all was fetched, which an
// archive makes cheap where there is one, only documents with a newer time are,
// and those that were not there. A ROLIE feed is read alike by its entries.
// Digests beside documents and archives are checked: a document that has another
// is asked for once more and then not passed on, and the Fetch ends with an
// [ErrMismatch] after all others were. Signatures are not checked here; that there
// is one is told.
//
// Documents that need credentials are none of a public source: feeds of
// TLP:AMBER and TLP:RED are passed over, a document of such a label is refused.
//
// # What is read
//
// A document is refused as a whole, so that its raw text is kept and what it
// said before stays, where the name of its file does not follow from its id, its
// publisher is another than the source's, everybody could read it though its
// label forbids that, or it fails a mandatory test that bears on which product
// stands how to which vulnerability. Real documents fail others: see
// [Source.Notes], which tells them. Where a test about scores fails, the scores
// are left out. There is no validation of version 2.1; what refers to nothing is
// refused all the same.
//
// # Records
//
//	advisories  the tracking id, "RHSA-2024:4546", "ICSA-19-178-03"; all
//	            vulnerabilities are upstream
//	VEX         one record for each vulnerability: "RHVEX-CVE-2024-28834",
//	            "SUSEVEX-CVE-2023-0464", or the tracking id
//
// A fixed package is affected before the version that fixes it; one that is
// affected without a fix is so in every version, with what its publisher decided
// as the status. Architectures are dropped: what is affected on one counts as
// affected. A package that is said to be fixed in several versions of one
// ecosystem is affected before each.
//
// SUSE recommends the versions that are fixed, and goes on to name packages, and
// their source packages, as affected: there is a fix then, also where it came with
// the long-term support of that release. A package whose source package it will
// not fix stays affected.
//
// Ecosystems are "Red Hat:enterprise_linux:9::appstream", after the platform's
// CPE name as in OSV, and "SUSE:Linux Enterprise Server 15 SP6", "openSUSE:Leap
// 15.6"; a module is the package's stream, "python39:3.9". Other publishers'
// products are read by the package URL of a language or by their CPE name, if
// they have one. Records about others name no package.
//
// Containers and archives of Red Hat's products, which are no rpm packages, are
// not read, nor ranges of versions in words.
//
// Source: OASIS CSAF 2.0, sections 3 to 7; Red Hat, "Security data guidelines".
package csaf

import (
	"github.com/stella-ops/stella/internal/csaf/retrieve"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not CSAF, or a document that must not be used
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrUnsupported error = fault.Unsupported // another version
	ErrMismatch    error = fault.Mismatch    // a document has another digest or publisher than it must have
	ErrForbidden   error = fault.Forbidden   // a document that its label does not let everybody read
	ErrNotFound    error = fault.NotFound    // the publisher lists what it does not have
)

// The limits, far above what any publisher has.
const (
	MaxDocument = retrieve.MaxDocument // bytes of a document
	MaxArchive  = retrieve.MaxArchive  // bytes of an archive, packed
	MaxUnpacked = retrieve.MaxUnpacked // bytes of an archive's members
	MaxMembers  = retrieve.MaxMembers  // members of an archive
	MaxRatio    = retrieve.MaxRatio    // unpacked bytes for each packed one, over 1 MiB
	MaxRefused  = 20                   // documents that one Fetch refuses before it gives up
	MaxNames    = 2_000                // documents of a list that is known by name, so that missing ones are noticed
	MaxLists    = retrieve.MaxLists    // feeds or folders of a provider
	maxExpanded = 5_000_000            // products that remediations and threats of a document name, groups resolved
)
