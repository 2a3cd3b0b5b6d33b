package cyclonedx

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// EncodeOptions says which form Encode writes. The zero value, and nil, stand
// for compact JSON of version 1.6.
type EncodeOptions struct {
	Version string // "1.4" to "1.7"; empty means "1.6"
	XML     bool   // XML instead of JSON
	Indent  bool   // with line breaks and two spaces a level
}

func (o *EncodeOptions) version() (version, error) {
	if o == nil || o.Version == "" {
		return defaultVersion, nil
	}
	v, err := parseVersion(o.Version)
	if err == nil && v < oldestOut {
		err = fmt.Errorf("CycloneDX %s is read but not written: %w", o.Version, fault.Unsupported)
	}
	return v, err
}

// Encode writes d to w and returns what the version or the format could not
// carry, in the order of the document. The same d gives the same bytes.
//
// d must be normalised (sbom.Document.Normalize): packages sorted by IDs that
// are set and differ; otherwise the error is "invalid input" and nothing is
// written. d is not changed. An empty Namespace is written as a serial number
// made of the content without its Source: a UUID of version 8 (RFC 9562) from
// the SHA-256 of the compact JSON form.
func Encode(w io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	losses, err := encode(w, d, opt)
	if err != nil {
		return nil, fmt.Errorf("encode CycloneDX: %w", err)
	}
	return losses, nil
}

func encode(w io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	v, err := opt.version()
	if err != nil {
		return nil, err
	}
	if err := checkNormal(d); err != nil {
		return nil, err
	}
	if opt == nil {
		opt = &EncodeOptions{}
	}
	e := &encoder{doc: d, version: v, xml: opt.XML}
	head, body := e.document()
	if opt.XML || opt.Indent {
		whole := slices.Concat(head, body)
		if opt.XML {
			whole, err = e.toXML(whole, opt.Indent)
		} else {
			whole, err = jsontext.AppendFormat(nil, whole, jsontext.Multiline(true), jsontext.WithIndent("  "), jsontext.SpaceAfterColon(true))
		}
		if err != nil {
			return nil, err
		}
		head, body = nil, whole
	}
	for _, part := range [][]byte{head, append(body, '\n')} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("write: %w", err)
		}
	}
	return e.losses, nil
}

func checkNormal(d *sbom.Document) error {
	if d == nil {
		return fmt.Errorf("no document: %w", fault.Invalid)
	}
	last := ""
	for i := range d.Packages {
		id := d.Packages[i].ID
		if id == "" || id <= last {
			return fmt.Errorf("the document is not normalised: package %d has the ID %q after %q: %w", i, id, last, fault.Invalid)
		}
		if id == d.Subject.ID {
			return fmt.Errorf("package %d has the ID of the subject, %q: %w", i, id, fault.Invalid)
		}
		last = id
	}
	return nil
}

// An encoder appends the compact JSON form of a document to b.
type encoder struct {
	doc     *sbom.Document
	version version
	xml     bool // the JSON becomes XML: foreign XML stays in

	b          []byte
	where      string // what losses are about: "package <id>", "document"
	losses     []sbom.Loss
	listed     bool // the list of properties of the current object is open
	graph      graph
	serialFits bool  // the Namespace is a foreign serial number
	known      facts // of the component being written
}

// lose reports that part of the current element is left out.
func (e *encoder) lose(member, what string) {
	where := e.where
	if member != "" {
		where += ": " + member
	}
	e.losses = append(e.losses, sbom.Loss{Where: where, What: what})
}

// key starts a member.
func (e *encoder) key(name string) {
	e.comma()
	e.b = append(append(append(e.b, '"'), name...), '"', ':')
}

func (e *encoder) comma() {
	if n := len(e.b); n > 0 && e.b[n-1] != '{' && e.b[n-1] != '[' && e.b[n-1] != ':' {
		e.b = append(e.b, ',')
	}
}

// begin opens an object or a list, as a value or as an item.
func (e *encoder) begin(bracket byte) {
	e.comma()
	e.b = append(e.b, bracket)
}

func (e *encoder) end(bracket byte) { e.b = append(e.b, bracket) }

// text writes a member that is a string, if there is one.
func (e *encoder) text(name, value string) {
	if value != "" {
		e.key(name)
		e.quote(value)
	}
}

// quote appends a string. Most strings need no escapes.
func (e *encoder) quote(s string) {
	if plain(s) {
		e.b = append(append(append(e.b, '"'), s...), '"')
		return
	}
	var err error
	if e.b, err = jsontext.AppendQuote(e.b, s); err != nil {
		e.lose("", "bytes that are not UTF-8 were replaced in "+quote(s))
	}
}

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7F || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// property writes one item of the list of properties, opening it first.
func (e *encoder) property(name, value string) {
	if !e.listed {
		e.key("properties")
		e.begin('[')
		e.listed = true
	}
	e.begin('{')
	e.key("name")
	e.quote(name)
	e.key("value")
	e.quote(value)
	e.end('}')
}

// propertyIf writes a property that has a value.
func (e *encoder) propertyIf(name, value string) {
	if value != "" {
		e.property(name, value)
	}
}

func (e *encoder) endProperties() {
	if e.listed {
		e.end(']')
	}
	e.listed = false
}

// nodes writes the items of a foreign list as properties or whatever list is
// open.
func (e *encoder) node(n *node) {
	e.comma()
	e.b = n.append(e.b)
}

// errXML stands for JSON of our own that cannot be read: it is not expected.
var errXML = errors.New("internal: the JSON form cannot be read again")
