// Package policyfile reads and writes policies as YAML documents, and tests them.
//
// [Parse] says everything that is wrong with a document at once, each with its line,
// column and what was probably meant, and warns of rules that can never decide. Equal
// policies have equal digests, whatever the white space, the comments and the order of
// keys. The language is described in docs/policy.md; [Schema] describes it to editors.
//
// [Expressions] is the compiler of CEL expressions that policy.Options asks for.
package policyfile

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
)

// MaxDocument bounds a policy or a file of tests, in bytes.
const MaxDocument = 8 << 20
