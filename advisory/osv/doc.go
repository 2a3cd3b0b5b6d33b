// Package osv reads advisories in the format of the OSV schema
// (https://ossf.github.io/osv-schema/), version 1.x, in JSON, and in YAML as
// some databases keep it.
//
// [Parse] and [ParseYAML] read one record; [Walk] reads all records of folders,
// archives and files. A record that breaks the schema where it matters, or a
// limit, is an [advisory.RecordError] with its place and reason, and the
// others are read on: nothing is left out without a word, and no record counts
// in part.
//
// What a record must have: an id and a time of modification; texts that are
// UTF-8, members that are not repeated, events that set one version each,
// ranges that start somewhere. What is tolerated, because real databases have
// it: unknown members, null for absent, events in any order, severities that
// are no vectors, unknown ecosystems and range types. They are kept as they
// are, and matching says where it cannot use them.
package osv

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not an OSV record, or not an archive
	ErrLimit       error = fault.Limit       // over a limit of [Options] or of this package
	ErrUnsupported error = fault.Unsupported // not a kind of file that holds records
)

// Limits on one record, beside Options.MaxRecord. They are far above what any
// database has.
const (
	maxID       = 256     // bytes of an id or of the name of an ecosystem
	maxName     = 1024    // bytes of a package's name
	maxText     = 4096    // bytes of a version, vector or address
	maxSummary  = 300     // bytes of a summary; longer ones are cut, with an ellipsis
	maxIDs      = 20_000  // aliases, upstream or related ids of a record
	maxAffected = 200_000 // affected packages of a record
	maxScores   = 100     // severities of a record or package
	maxRanges   = 20_000  // ranges of a package
	maxEvents   = 200_000 // events of a range
	maxVersions = 1 << 20 // enumerated versions of a package
)

// Options bound what is read. The zero value and nil are the defaults.
type Options struct {
	MaxRecord  int64 // bytes of one record's text; 0 means 16 MiB
	MaxRecords int64 // records of one walk; 0 means 10 million
	MaxBytes   int64 // bytes of all records of one walk, unpacked; 0 means 64 GiB
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxRecord <= 0 {
		out.MaxRecord = 16 << 20
	}
	if out.MaxRecords <= 0 {
		out.MaxRecords = 10_000_000
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = 64 << 30
	}
	return out
}
