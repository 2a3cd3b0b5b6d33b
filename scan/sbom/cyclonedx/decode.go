package cyclonedx

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
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
	d, err := decode(r, opt.limits())
	if err != nil {
		return nil, fmt.Errorf("decode CycloneDX: %w", err)
	}
	return d, nil
}

func decode(in io.Reader, limits DecodeOptions) (*sbom.Document, error) {
	br := bufio.NewReaderSize(&limitedReader{r: in, left: limits.MaxBytes, max: limits.MaxBytes}, 64<<10)
	r := &reader{limits: limits}
	format, err := sniff(br, r.note)
	switch {
	case err != nil:
		return nil, err
	case format == inJSON:
		r.d = jsontext.NewDecoder(br)
		return r.document()
	}
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

// Sniff reports whether prefix, the first bytes of a file, begins a CycloneDX
// document, JSON or XML. A kilobyte is enough for what tools write; where the
// telling member comes later the answer is false, and Decode may still read
// the file.
func Sniff(prefix []byte) bool {
	prefix = bytes.TrimPrefix(prefix, byteOrderMark)
	text := bytes.TrimLeft(prefix, " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return sniffJSON(text)
	case bytes.HasPrefix(text, []byte("<")):
		return bytes.Contains(text, []byte(namespacePrefix))
	}
	return false
}

// sniffJSON looks for the member that names the format.
func sniffJSON(text []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return false
		}
		if name.String() == "bomFormat" {
			v, err := d.ReadToken()
			return err == nil && v.Kind() == '"' && v.String() == "CycloneDX"
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

// sniff tells JSON from XML by the first character.
func sniff(br *bufio.Reader, note func(where, what string)) (format int, err error) {
	if head, _ := br.Peek(3); bytes.Equal(head, byteOrderMark) {
		note("/", "begins with a byte order mark")
		br.Discard(3)
	}
	for {
		c, err := br.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, fmt.Errorf("the input is empty: %w", fault.Invalid)
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		br.UnreadByte()
		switch c {
		case '{':
			return inJSON, nil
		case '<':
			return inXML, nil
		}
		return 0, fmt.Errorf("neither JSON nor XML in UTF-8: the input begins with %q: %w", rune(c), fault.Unsupported)
	}
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
