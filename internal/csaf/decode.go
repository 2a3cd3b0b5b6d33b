package csaf

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/csaf/shape"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of errors of this package, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
)

// The defaults of [Options]. CSAF 2.0, appendix C, lets a document have 15 MB;
// some that are published have more.
const (
	DefaultBytes           = 128 << 20
	DefaultProducts        = 1_000_000
	DefaultVulnerabilities = 100_000
	DefaultBranchDepth     = 64
)

// Options bound what [Decode] reads. The zero Options are the defaults.
type Options struct {
	MaxBytes           int64 // of the document
	MaxProducts        int   // definitions of product ids
	MaxVulnerabilities int
	MaxBranchDepth     int // levels of branches of the product tree
}

func (o *Options) withDefaults() Options {
	out := Options{MaxBytes: DefaultBytes, MaxProducts: DefaultProducts, MaxVulnerabilities: DefaultVulnerabilities, MaxBranchDepth: DefaultBranchDepth}
	if o == nil {
		return out
	}
	if o.MaxBytes > 0 {
		out.MaxBytes = o.MaxBytes
	}
	if o.MaxProducts > 0 {
		out.MaxProducts = o.MaxProducts
	}
	if o.MaxVulnerabilities > 0 {
		out.MaxVulnerabilities = o.MaxVulnerabilities
	}
	if o.MaxBranchDepth > 0 {
		out.MaxBranchDepth = o.MaxBranchDepth
	}
	return out
}

// Read reads all of r, at most MaxBytes, and decodes it.
func Read(r io.Reader, opts *Options) (*Document, error) {
	limit := opts.withDefaults().MaxBytes
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read CSAF document: %w", err)
	}
	return Decode(text, opts)
}

// Decode reads one document. The document keeps nothing of text. An error says
// where it is, by JSON pointer or limit, and wraps [ErrInvalid], [ErrLimit] or,
// for another version of CSAF, [ErrUnsupported].
func Decode(text []byte, opts *Options) (*Document, error) {
	doc, err := decode(text, opts.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("decode CSAF document: %w", err)
	}
	return doc, nil
}

func decode(text []byte, o Options) (*Document, error) {
	if n := int64(len(text)); n > o.MaxBytes {
		return nil, &fault.LimitError{What: "bytes", Where: "the document", Max: o.MaxBytes, Seen: n}
	}
	version, err := peekVersion(text)
	if err != nil {
		return nil, err
	}
	rule := schema20
	switch version {
	case Version20:
	case Version21:
		rule = schema21
	case "":
		return nil, fmt.Errorf("/document/csaf_version: it is missing: %w", ErrInvalid)
	default:
		return nil, fmt.Errorf("/document/csaf_version: version %.32q is neither 2.0 nor 2.1: %w", version, ErrUnsupported)
	}
	// Each level of branches is two levels of JSON; the rest of the schema has
	// less than thirty.
	report, err := shape.Check(text, rule, &shape.Limits{Depth: 2*o.MaxBranchDepth + 32})
	if err != nil {
		return nil, err
	}
	doc := &Document{structure: report, bytes: len(text)}
	if err := unmarshal(blank(text, report.Foreign), doc); err != nil {
		return nil, err
	}
	if version == Version21 {
		doc.forget20()
	}
	if err := doc.bound(o); err != nil {
		return nil, err
	}
	return doc, nil
}

// blank returns text with the values of members that only the other version
// has replaced by null: here they mean nothing, whatever they are.
func blank(text []byte, ranges [][2]int) []byte {
	if len(ranges) == 0 {
		return text
	}
	var b bytes.Buffer
	at := 0
	for _, r := range ranges {
		b.Write(text[at:r[0]])
		b.WriteString("null")
		at = r[1]
	}
	b.Write(text[at:])
	return b.Bytes()
}

// forget20 drops members that only version 2.0 has.
func (d *Document) forget20() {
	if d.ProductTree != nil {
		d.ProductTree.Relationships = nil
	}
	for i := range d.Vulnerabilities {
		v := &d.Vulnerabilities[i]
		v.CWE, v.ReleaseDate, v.Scores = nil, "", nil
	}
}

// peekVersion reads as far as the version, to say "unsupported" of versions
// that have other members. It is "" where there is none; what else is wrong is
// left to the check that follows.
func peekVersion(text []byte) (string, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	for _, name := range []string{"document", "csaf_version"} {
		if dec.PeekKind() != '{' {
			return "", shape.Syntax(dec.SkipValue())
		}
		if found, err := enter(dec, name); !found {
			return "", shape.Syntax(err)
		}
	}
	if dec.PeekKind() != '"' {
		return "", fmt.Errorf("/document/csaf_version: it is not a string: %w", ErrInvalid)
	}
	token, err := dec.ReadToken()
	return token.String(), shape.Syntax(err)
}

// enter reads an object up to the value of a member, and reports whether it has
// that.
func enter(dec *jsontext.Decoder, name string) (bool, error) {
	if _, err := dec.ReadToken(); err != nil {
		return false, err
	}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return false, err
		}
		if token.String() == name {
			return true, nil
		}
		if err := dec.SkipValue(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// unmarshal is json.Unmarshal with errors that have a place and a kind.
func unmarshal(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		what := "a value"
		if kind := semantic.JSONKind; kind != 0 && kind != jsontext.KindInvalid {
			what = kind.String()
		}
		return fmt.Errorf("%s: %s is not what the schema has there (byte %d): %w", semantic.JSONPointer, what, semantic.ByteOffset, ErrInvalid)
	}
	return shape.Syntax(err)
}

// bound holds the document against the limits that need its content.
func (d *Document) bound(o Options) error {
	if n := len(d.Vulnerabilities); n > o.MaxVulnerabilities {
		return &fault.LimitError{What: "vulnerabilities", Where: "/vulnerabilities", Max: int64(o.MaxVulnerabilities), Seen: int64(n)}
	}
	products := 0
	var err error
	d.ProductTree.each(func(def definition) bool {
		if products++; products > o.MaxProducts {
			err = &fault.LimitError{What: "products", Where: def.pointer(), Max: int64(o.MaxProducts)}
		} else if n := def.depth(); n > o.MaxBranchDepth {
			err = &fault.LimitError{What: "levels of branches", Where: def.pointer(), Max: int64(o.MaxBranchDepth), Seen: int64(n)}
		}
		return err == nil
	})
	return err
}
