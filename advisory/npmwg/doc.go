// Package npmwg reads the advisories of the Node.js security working group
// (https://github.com/nodejs/security-wg, folder vuln): one JSON file for each
// vulnerability of an npm package, and of Node.js itself. The npm part ended in
// 2019, and GHSA has most of it; the rest is nowhere else.
//
// Affected are the versions in the range "vulnerable_versions", as npm reads it,
// with pre-releases in their place by Semantic Versioning: npm itself would
// leave most of them out, and whoever installed one wants to know. Where that
// range is empty, affected is what "patched_versions" leaves over.
//
// Records are named NSWG-ECO-223, as the group does, and NSWG-CORE-12 for
// Node.js, which is in no ecosystem: those affect nothing.
package npmwg

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that reading returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // not an advisory of the group
	ErrLimit   error = fault.Limit   // over a limit of this package
)

// MaxBytes bounds one document.
const MaxBytes = 4 << 20
