// Package updateinfo reads the advisories that repositories of rpm packages
// carry in their metadata (updateinfo.xml): those of Amazon Linux (ALAS), Rocky
// Linux (RLSA), AlmaLinux (ALSA), Oracle Linux (ELSA) and Fedora.
//
// Updates of type "security", and others that name a CVE, become records of
// their own id; the others, which fix bugs or add features, are no advisories
// and are passed over. CVE ids are upstream: those of references, and those
// that the titles of references and of the update name. A package is affected
// before the version that the update has, on whatever architecture; a
// collection of a module is the stream of its packages, "nodejs:18". An update
// whose status is "retracted", "revoked" or "withdrawn" is withdrawn.
//
// The release is that of the repository, which the document's name begins with:
// "8/BaseOS/x86_64/updateinfo.xml". Several repositories can have a record of
// one id, each with its own packages: see [advisory.Combine].
//
// Ecosystems are "Amazon Linux:2023", "Rocky Linux:8", "AlmaLinux:9", "Oracle
// Linux:8" and "Fedora:40". Packages are binary packages, save for Rocky Linux,
// whose advisories are kept by source package.
//
// Source: the createrepo_c project (src/updateinfo.h and
// xml_dump_updateinfo.c), and what the repositories publish.
package updateinfo

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not updateinfo.xml or repomd.xml, or an update that breaks it
	ErrLimit       error = fault.Limit       // over a limit of this package
	ErrMismatch    error = fault.Mismatch    // updateinfo.xml is not what repomd.xml says
	ErrNotFound    error = fault.NotFound    // a repository without updateinfo.xml
	ErrUnsupported error = fault.Unsupported // compressed in a way that is not read
)

// The limits, far above what any repository has.
const (
	maxDocument = 2 << 30   // bytes of a document, unpacked
	maxPacked   = 256 << 20 // bytes of a document as it is published
	maxRepomd   = 4 << 20   // bytes of repomd.xml, or of a list of mirrors
)
