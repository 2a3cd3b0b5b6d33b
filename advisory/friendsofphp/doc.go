// Package friendsofphp reads the PHP Security Advisories Database
// (https://github.com/FriendsOfPHP/security-advisories): one YAML file for each
// Composer package and vulnerability, with the affected versions of each branch.
//
// The conditions of a branch all hold, those of one branch are enough. As
// Composer does, ">=3.0.0" takes the development and test versions of 3.0.0 in,
// which is written 3.0.0-dev; unlike Composer, "<3.0.4" takes those of 3.0.4 in
// too: nobody knows whether they were repaired.
//
// Records are named after the package and the file,
// "FRIENDSOFPHP-twig:twig-CVE-2022-23614", since one vulnerability can be in
// several packages; the ids of CVE and GHSA are aliases. The time of
// modification is that of the newest branch. Nothing says how bad it is.
//
// Source: the repository's README and validator.
package friendsofphp

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that reading returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // not an advisory of this database
	ErrLimit   error = fault.Limit   // over a limit of this package
)
