// Package policy decides about findings and says why.
//
// A [Policy] is data: gates, ordered rules, thresholds. [Compile] makes an [Engine]
// of it. [Engine.Evaluate] is a pure function of [Inputs], the evaluation time among
// them: same inputs, same bytes, on any machine. It gives a [Verdict], small enough
// to sign, and a trace from which the verdict can be recomputed (package
// policy/verify).
//
// Each finding passes the gates in order, and the first that blocks decides:
//
//  1. evidence: what was not assessed is never a pass;
//  2. lattice: whether suppliers contradict each other about it;
//  3. trust: whether those who say that it is not affected are believed enough;
//  4. rules, in their order: allow, ignore and block end it, warn adds up,
//     require_vex blocks what no supplier excuses;
//  5. threshold: by severity, for what no rule decided.
//
// Rules may also be about secrets, files that no package accounts for, and the image
// as a whole: see [About].
//
// An [Exception] may then soften what was decided, unless the facts that it was
// approved on have changed for the worse.
//
// A fact that is unknown is not false. A rule that hangs on one decides as
// [Evidence.Unknown] says where it would restrict, and does not apply where it would
// permit.
//
// The package imports nothing that evaluates expressions or parses files: package
// policy/policyfile reads policies from YAML and compiles their CEL expressions.
package policy

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package and its sub-packages return, for
// [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrForbidden   error = fault.Forbidden
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrFenced      error = fault.Fenced
	ErrMismatch    error = fault.Mismatch
)

// Semantics is the number of the rules by which this package evaluates. It grows
// with any change that may change a verdict, and is part of every policy's digest
// and of every verdict.
const Semantics = 1
