// Package rubysec reads the Ruby Advisory Database
// (https://github.com/rubysec/ruby-advisory-db): one YAML file for each gem and
// vulnerability.
//
// A file says which versions are repaired and which never were affected, as
// requirements of RubyGems; all others are affected, by RubyGems' order. The
// conditions of one requirement all hold, one of a list's requirements is
// enough. "~> 2.3.1" ends before the pre-releases of 2.4, whose lowest is
// written 2.4.A.
//
// Records are named after the gem and the file, "RUBYSEC-rack-CVE-2022-30122",
// since one vulnerability can be in several gems; the ids of CVE, GHSA and OSVDB
// are aliases. Files about Ruby implementations name no package of an ecosystem:
// their records affect nothing. CVSS is there as a number alone, which is told
// as the rating that the number means (CVSS v3.1 §5, NVD's scale for v2). Files
// know the day of publication and none of a change.
package rubysec

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that reading returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // not an advisory of this database
	ErrLimit   error = fault.Limit   // over a limit of this package
)
