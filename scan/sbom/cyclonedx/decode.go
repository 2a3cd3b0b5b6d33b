package cyclonedx

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// The limits of Decode where DecodeOptions leaves them zero.
const (
	DefaultMaxBytes      = 512 << 20
	DefaultMaxDepth      = 512
	DefaultMaxComponents = 2 << 20
)

// DecodeOptions bounds what Decode reads. The zero value, and nil, stand for
// the defaults.
type DecodeOptions struct {
	MaxBytes      int64 // of input
	MaxDepth      int   // of nested JSON values or XML elements
	MaxComponents int   // nested ones included
}

func (o *DecodeOptions) limits() DecodeOptions {
	var l DecodeOptions
	if o != nil {
		l = *o
	}
	return DecodeOptions{
		MaxBytes:      cmp.Or(l.MaxBytes, DefaultMaxBytes),
		MaxDepth:      cmp.Or(l.MaxDepth, DefaultMaxDepth),
		MaxComponents: cmp.Or(l.MaxComponents, DefaultMaxComponents),
	}
}

// Decode reads one CycloneDX document, JSON (1.2 to 1.7) or XML (1.0 to 1.7),
// whichever r holds, and returns it normalised. It reads r to the end and
// fetches nothing that the document names.
//
// Input that breaks JSON, XML or the structure of CycloneDX is an error of the
// kind "invalid input" that says where, as a JSON pointer (for XML: into its
// JSON form) or a line; a document of another format or version is
// "unsupported"; a limit that was reached is a limit error. What can be
// tolerated becomes a gap of code sbom.GapOddity, whose Where begins with
// "cyclonedx:".
func Decode(r io.Reader, opt *DecodeOptions) (*sbom.Document, error) {
	d, _, err := DecodeForm(r, opt)
	return d, err
}

// Form is what a document is written in.
type Form struct {
	XML     bool   // XML, or else JSON
	Version string // of the specification, such as "1.6"; empty where it is not known
}

// DecodeForm is Decode and says also in which form the document was; beside an
// error, as far as it was read.
func DecodeForm(r io.Reader, opt *DecodeOptions) (*sbom.Document, Form, error) {
	var f Form
	d, err := decode(r, opt.limits(), &f)
	if err != nil {
		return nil, f, fmt.Errorf("decode CycloneDX: %w", err)
	}
	return d, f, nil
}

func decode(in io.Reader, limits DecodeOptions, form *Form) (*sbom.Document, error) {
	br := bufio.NewReaderSize(&limitedReader{r: in, left: limits.MaxBytes, max: limits.MaxBytes}, 64<<10)
	r := &reader{limits: limits, form: form}
	format, err := sniff(br, r.note)
	switch {
	case err != nil:
		return nil, err
	case format == inJSON:
		r.d = jsontext.NewDecoder(br)
		return r.document()
	}
	form.XML = true
	input, err := io.ReadAll(br)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	n, err := readXML(input, limits.MaxDepth, r.note)
	if err != nil {
		return nil, err
	}
	r.xml = true
	r.d = jsontext.NewDecoder(bytes.NewBuffer(n.append(nil)))
	// Lists have holders in XML but not in JSON, so that the depth is checked.
	r.limits.MaxDepth *= 2
	return r.document()
}

// A limitedReader fails with a limit error when more than max bytes are there.
type limitedReader struct {
	r         io.Reader
	left, max int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, &fault.LimitError{What: "bytes", Where: "CycloneDX document", Max: l.max}
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n, &fault.LimitError{What: "bytes", Where: "CycloneDX document", Max: l.max}
	}
	return n, err
}
