// Package cyclonedx reads what CycloneDX documents say as VEX, in an SBOM or alone,
// and writes documents that have nothing else.
//
// Versions 1.4 to 1.7 are read, JSON and XML. A vulnerability with an analysis that
// has a state is a statement; one without is a finding of somebody, and says nothing
// here. Places in XML are given as pointers into its JSON form.
//
// # What is mapped to what
//
//	state                     status
//	not_affected              not_affected
//	false_positive            not_affected, and the impact statement begins "false_positive"
//	resolved                  fixed
//	resolved_with_pedigree    fixed; that there is evidence is lost
//	exploitable               affected
//	in_triage                 under_investigation
//
//	justification (of not_affected and false_positive)
//	code_not_present          vulnerable_code_not_present
//	code_not_reachable        vulnerable_code_not_in_execute_path
//	protected_by_compiler     inline_mitigations_already_exist
//	requires_configuration, requires_dependency, requires_environment,
//	protected_at_runtime, protected_at_perimeter, protected_by_mitigating_control
//	                          none is equal: the impact statement begins with the word
//
// The detail is the impact statement of what is not affected, and notes of all else.
// Responses, recommendation and workaround are the action of what is affected, and
// are lost otherwise. Aliases are the references, which are to equal vulnerabilities.
// The time is that of the analysis, lastUpdated before firstIssued, else that of the
// document, else none, which counts as the oldest.
//
// A version in affects has a status of its own:
//
//	                 affected              unaffected        unknown
//	not_affected     contradicts           not_affected      under_investigation
//	resolved         contradicts           fixed             under_investigation
//	exploitable      affected              not_affected      under_investigation
//	in_triage        under_investigation   not_affected      under_investigation
//
// A version without a status is one that the analysis is about, as in the official
// use cases, though the schema has "affected" for a default.
// What contradicts is a [*vex.StatementError], and what is not_affected beside
// another state has no reason, so that it counts as nothing where it is judged.
//
// # Which products are meant
//
// A product is the component that affects refers to: in the document, in another one
// by a BOM-Link, which Options.BOM finds, or else only a name, which identifies
// nothing. What is said of a component holds within what contains it: where the
// document has a metadata.component, else where the component is nested in another
// one, that is the product and the component its subcomponent. A metadata.component
// without an identifier is a product without one: such a claim applies to nothing,
// for it was not made about the component wherever else it is used. A bom-ref that
// two components have is of each for a claim that raises risk, and of neither for one
// that lowers it.
//
// What is written keeps in properties what CycloneDX has no word for:
// "stella:vex:justification" and "stella:vex:notes". They are read again.
//
// Source: CycloneDX 1.4 to 1.7, vulnerabilities; "BOM-Link", Authoritative Guide.
package cyclonedx

import (
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error of this package, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
)

// The defaults of Options.
const (
	DefaultBytes      = 512 << 20
	DefaultStatements = 250_000
	DefaultProducts   = 2_000_000
	DefaultComponents = 2 << 20
	DefaultDepth      = 512
)

// Options bound what is read. Nil and zero stand for the defaults.
type Options struct {
	MaxBytes      int64
	MaxStatements int
	MaxProducts   int // of all statements, with their subcomponents
	MaxComponents int // nested ones included
	MaxDepth      int // of nested components, and of XML elements
	// BOM returns the document that a BOM-Link names, nil for one that is not known.
	// The serial is a UUID in lower case. It is called while Decode runs.
	BOM func(serial string, version int) *BOM
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
	if out.MaxComponents <= 0 {
		out.MaxComponents = DefaultComponents
	}
	if out.MaxDepth <= 0 {
		out.MaxDepth = DefaultDepth
	}
	if out.BOM == nil {
		out.BOM = func(string, int) *BOM { return nil }
	}
	return out
}
