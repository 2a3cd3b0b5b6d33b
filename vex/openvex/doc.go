// Package openvex reads and writes OpenVEX documents.
//
// Decode reads versions 0.0.0 to 0.2.0, as they are published: a context without a
// version, products and vulnerabilities that are texts, subcomponents that a
// statement names for all of its products. What it does where the specification
// leaves a choice, or a document breaks it:
//
//   - A statement's time is its last_updated, else its timestamp, else the
//     document's last_updated, else the document's timestamp. Where last_updated is
//     before timestamp the two contradict each other: the earlier counts for a
//     statement that lowers risk, the later for another. A statement without any
//     time cannot be used.
//   - A product is identified by its "@id", where that is a package URL, a CPE name
//     or a digest, by its identifiers and by its hashes. Any other "@id" is a name
//     for people. Two package URLs, or CPE names, of which neither says all that the
//     other says, are of different things: then a statement that raises risk is
//     about each, and one that lowers it about nothing.
//   - A subcomponent without an identifier stays one: to leave it out would make the
//     statement one about the whole product.
//   - A justification beside a status that takes none is left out where the status
//     is affected or under_investigation, so that the statement still warns. It is
//     an error beside fixed.
//   - not_affected without a justification and an impact statement is passed on: it
//     counts as nothing, and says so where it is judged.
//   - An unknown status or justification, a value of another type and a wrong time
//     are a [*vex.StatementError] of that statement alone.
//   - A document without an author or an id is read: who speaks is decided by its
//     signature or its source. One without the member "statements" is refused.
//
// Supplier, role, tooling and the time of an action statement are not kept.
//
// Source: OpenVEX specification 0.2.0, of which 0.0.1 is the first; its JSON schema.
package openvex

import (
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// The kinds of error of this package, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
)

// The defaults of Options.
const (
	DefaultBytes      = 128 << 20
	DefaultStatements = 250_000
	DefaultProducts   = 2_000_000
)

// Options bound what Decode reads. Nil and zero stand for the defaults.
type Options struct {
	MaxBytes      int64
	MaxStatements int
	MaxProducts   int // of all statements, with their subcomponents
	// Products are those of statements that name none: what the document that
	// contains this one is about, such as the subject of an in-toto statement.
	Products []vex.Product
}

// limits returns the options with the defaults filled in.
func (o *Options) limits() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = DefaultBytes
	}
	if out.MaxStatements <= 0 {
		out.MaxStatements = DefaultStatements
	}
	if out.MaxProducts <= 0 {
		out.MaxProducts = DefaultProducts
	}
	return out
}
