// Package timeline keeps what happened when, so that nobody can quietly rewrite it.
//
// An [Indexer] takes every event of a tenant once and appends it to the tenant's chain:
// row n holds a hash over row n-1 and over what row n says. A [Publisher] signs
// checkpoints of the chain and puts them where the owner of the database is not. [Export]
// writes a chain as lines, which package verify checks against checkpoints; it shares no
// code with this one. What retention deletes are bodies: rows stay, and the deletion is a
// row itself.
//
// # The chain
//
// A row is {seq, topic, event, type, time, indexed, digest, hash}. seq counts from 1
// without holes, for each tenant. event is the event's id and type its type. time is when
// it happened and indexed when it was appended, by the store's clock, in microseconds
// since 1970; indexed never decreases. digest is the SHA-256 of the body, which is the
// event as canonical JSON (RFC 8785). With lp(x) for the length of x in bytes as 4 bytes,
// the highest first, followed by x, and with numbers as 8 bytes in two's complement, the
// highest first:
//
//	hash(0) = SHA-256( lp("stella.timeline.chain.v1") lp(tenant) )
//	hash(n) = SHA-256( lp("stella.timeline.row.v1") lp(hash(n-1)) lp(seq) lp(topic)
//	                   lp(event) lp(type) lp(time) lp(indexed) lp(digest) )
//
// hash(n-1) and digest are their 32 bytes. Where digests are written as text they are
// "sha256:" and 64 hexadecimal digits in lower case.
//
// # Retention
//
// Deleting the bodies of rows 1 to n is announced by a row of the topic "timeline" and the
// type "timeline.pruned", whose event id is "timeline/pruned/" and n in decimal. n is less
// than the row's own seq and more than in any such row before. A body may lack in row m
// if a row says n of at least m.
//
// # The export
//
// An export is lines of canonical JSON, each ended by a line feed: a first line
// {"first":1,"format":"stella.timeline.v1","tenant":T}, a line for each row in order of
// seq, and a last line {"end":n,"hash":H} that states the head. A row's members are body
// (left out where it was deleted), digest, hash, id, indexed, seq, time, topic and type;
// times are RFC 3339 in UTC with six digits of a second.
//
// # Checkpoints
//
// A checkpoint is a DSSE envelope of [CheckpointType] whose payload is canonical JSON:
// number (from 1 on), tenant, first and last (the rows that it covers: first is one more
// than the last of the checkpoint before), hash (of row last), marks (the first 8 bytes of
// the hash of each row that it covers, in order, in padded base64), previous (the SHA-256
// of the payload of the checkpoint before, left out in the first) and time. Marks name the
// first row that differs, after whatever was rewritten.
package timeline

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict // the same name for something else
	ErrMismatch    error = fault.Mismatch // the chain is not what it was
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
)
