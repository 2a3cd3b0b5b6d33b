// Package intoto reads and writes in-toto statements: what says something, its
// predicate, about which things, its subjects, by their digests. Predicates have
// packages of their own below this one.
//
// A statement is what an envelope of the payload type [PayloadType] holds. It is
// read strictly, as two readers must not take one for different things, and says
// nothing about who made it: give [Decode] only what package dsse verified.
//
// Sources: in-toto attestation framework, specification v1.2, "Statement",
// "ResourceDescriptor" and "DigestSet"; its version 0.1.0 for what is older.
package intoto

import (
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported // another payload type, or another version of the statement
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // about something else, or something else about it
)

// PayloadType is the payload type of the envelopes that hold statements.
const PayloadType = "application/vnd.in-toto+json"

// The types of statements.
const (
	TypeV1  = "https://in-toto.io/Statement/v1"
	TypeV01 = "https://in-toto.io/Statement/v0.1"
)

// The limits of a statement.
const (
	MaxStatement = wire.Max // bytes
	MaxSubjects  = 100_000
	MaxDigests   = 32      // of one subject
	MaxName      = 4 << 10 // bytes of each name, type and digest
)
