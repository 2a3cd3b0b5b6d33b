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
// What a record must have is what [advisory.Record.Validate] says: an id and a
// time of modification; texts that are UTF-8, members that are not repeated, events that set one version each,
// ranges that start somewhere. What is tolerated, because real databases have
// it: unknown members, null for absent, events in any order, severities that
// are no vectors, unknown ecosystems and range types. They are kept as they
// are, and matching says where it cannot use them; [advisory.Record.Notes] says
// what is odd. References without an address, or with spaces or control
// characters in it, are left out.
package osv

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not an OSV record, or not an archive
	ErrLimit       error = fault.Limit       // over a limit of [Options] or of this package
	ErrUnsupported error = fault.Unsupported // not a kind of file that holds records
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
