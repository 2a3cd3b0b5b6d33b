// Package repository reads VEX repositories: collections of documents of many
// projects, listed by package.
//
// A repository has a manifest, vex-repository.json, that says where its archive is,
// and in the archive an index.json that lists packages by their package URLs, each with
// the place of its document (VEX Repository Specification 0.1). Repositories that
// keep an index.json and documents as plain files are read too.
//
// Whoever runs a repository decides which document is listed for a package, and
// anybody may be listed. A document therefore counts for the package that it is listed
// for alone: what it says about others is left out where it lowers risk.
//
// A document's name is the place of its package, "pkg/npm/lodash", and its file.
package repository

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrForbidden   error = fault.Forbidden
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
)

// MaxPackages bounds the packages of an index.
const MaxPackages = 1_000_000
