package format

import (
	"fmt"
	"iter"
	"strings"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
	"github.com/stella-ops/stella/vex/cyclonedx"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
	"github.com/stella-ops/stella/vex/openvex"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
)

// Options say how documents are read. Nil means the zero Options, and nil members the
// defaults of the formats' packages.
type Options struct {
	OpenVEX   *openvex.Options
	CSAF      *csaf.Options
	CycloneDX *cyclonedx.Options
	// Repository is where the image is of which an attestation was found:
	// "registry.example.com/team/app". What an attestation says about its subjects is
	// then about that image there, so that an issuer's authority over a repository
	// covers it.
	Repository string
}

// Decode yields what a document says, whatever its format, as the format's package
// does: statements that are prepared, a *vex.StatementError for each part that cannot
// be used, and any other error last. An attestation's statements are about its
// subjects; see [Attested]. An envelope is refused: a verifier has its payload.
func Decode(name string, text []byte, opts *Options) iter.Seq2[*vex.Statement, error] {
	if opts == nil {
		opts = &Options{}
	}
	switch f := Detect(text); f {
	case OpenVEX:
		return openvex.Decode(name, text, opts.OpenVEX)
	case CSAF:
		return csaf.Decode(name, text, opts.CSAF)
	case CycloneDX:
		return cyclonedx.Decode(name, text, opts.CycloneDX)
	case InToto:
		return attested(name, text, opts)
	case Envelope, Bundle:
		return refuse(fmt.Errorf("read %s: it is an envelope (%s), of which nobody has read the payload: %w", name, f, fault.Unsupported))
	}
	return refuse(fmt.Errorf("read %s: it is none of OpenVEX, CSAF, CycloneDX and in-toto, or more than one: %w", name, fault.Invalid))
}

func refuse(err error) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) { yield(nil, err) }
}

// predicates are the types of predicates that are VEX documents; those that end in
// "/" begin so.
var predicates = map[string]Format{
	"https://openvex.dev/ns": OpenVEX, "https://openvex.dev/ns/": OpenVEX, "text/vex": OpenVEX,
	"https://cyclonedx.org/bom": CycloneDX, "https://cyclonedx.org/bom/": CycloneDX, "https://cyclonedx.org/vex": CycloneDX,
	"https://docs.oasis-open.org/csaf/": CSAF,
}

// Predicate tells which format the predicates of a type have; Unknown is for all that
// is no VEX document.
func Predicate(typ string) Format {
	if f, ok := predicates[typ]; ok && !strings.HasSuffix(typ, "/") {
		return f
	}
	for prefix, f := range predicates {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(typ, prefix) && len(typ) > len(prefix) {
			return f
		}
	}
	return Unknown
}

// attested reads the predicate of an in-toto statement, bound to its subjects.
func attested(name string, text []byte, opts *Options) iter.Seq2[*vex.Statement, error] {
	in, err := intoto.Decode(intoto.PayloadType, text)
	if err != nil {
		return refuse(fmt.Errorf("read %s: %w", name, err))
	}
	want := Predicate(in.PredicateType)
	switch {
	case want == Unknown:
		return refuse(fmt.Errorf("read %s: its predicate is of the type %.200q, which is none of a VEX document: %w", name, in.PredicateType, fault.Unsupported))
	case Detect(in.Predicate) != want:
		return refuse(fmt.Errorf("read %s: its predicate is of the type %.200q and is no document of %s: %w", name, in.PredicateType, want, fault.Invalid))
	}
	inner := *opts
	subjects := newSubjects(in, opts.Repository)
	if want == OpenVEX {
		o := openvex.Options{}
		if opts.OpenVEX != nil {
			o = *opts.OpenVEX
		}
		o.Products = subjects.products()
		inner.OpenVEX = &o
	}
	digest := vexdoc.Digest(text)
	return func(yield func(*vex.Statement, error) bool) {
		for s, err := range Decode(name, in.Predicate, &inner) {
			if err == nil {
				s.Origin.Document, s.Origin.Pointer = digest, "/predicate"+s.Origin.Pointer
				if err = subjects.bind(s); err != nil {
					s, err = nil, &vex.StatementError{Document: name, Pointer: s.Origin.Pointer, Err: err}
				}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
