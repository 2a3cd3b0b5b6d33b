package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Names for what an XML object holds beyond its JSON members. They stay in the
// foreign members of a document and are never written to JSON.
const (
	xmlMember = "#xml" // the holder
	xmlAttr   = "attr" // foreign attributes
	xmlAny    = "any"  // foreign elements, as text
	xmlIn     = "in"   // both of these for the elements that hold lists
	xmlAs     = "as"   // the name of the object's element, where its content does not tell it
)

// maxAttributes bounds the attributes of one element.
const maxAttributes = 1000

// An xmlReader turns the XML form of a document into the JSON form, by the
// table of members.
type xmlReader struct {
	input     []byte
	d         *xml.Decoder
	namespace string
	depth     int
	maxDepth  int
	scope     map[string][]string // of namespace prefixes, innermost last
	note      func(where, what string)
}

// readXML returns the JSON form of an XML document. Comments and processing
// instructions are not kept; document type declarations are refused.
func readXML(input []byte, maxDepth int, note func(where, what string)) (node, error) {
	r := &xmlReader{input: input, d: xml.NewDecoder(bytes.NewReader(input)), maxDepth: maxDepth, note: note, scope: map[string][]string{}}
	n, err := r.document()
	if err == nil {
		return n, nil
	}
	line, column := r.d.InputPos()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return node{}, fmt.Errorf("line %d: %s: %w", syntax.Line, syntax.Msg, fault.Invalid)
	}
	if fault.KindOf(err) == "" {
		err = fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	return node{}, fmt.Errorf("line %d, column %d: %w", line, column, err)
}

func (r *xmlReader) document() (node, error) {
	start, err := r.root()
	if err != nil {
		return node{}, err
	}
	v, ok := strings.CutPrefix(start.Name.Space, namespacePrefix)
	if !ok || start.Name.Local != "bom" {
		return node{}, fmt.Errorf("root element is %s in namespace %s, not a CycloneDX bom: %w",
			quote(start.Name.Local), quote(start.Name.Space), fault.Unsupported)
	}
	version, err := parseVersion(v)
	if err != nil {
		return node{}, err
	}
	r.namespace = start.Name.Space
	bom, err := r.object(start, shapes().shapes["bom"])
	if err != nil {
		return node{}, err
	}
	if err := r.end(); err != nil {
		return node{}, err
	}
	head := []field{{"$schema", stringNode(version.schema())}, {"bomFormat", stringNode("CycloneDX")},
		{"specVersion", stringNode(version.String())}}
	bom.fields = append(head, bom.fields...)
	return bom, nil
}

// root skips what may stand before the root element.
func (r *xmlReader) root() (*xml.StartElement, error) {
	for {
		tok, err := r.token()
		if err == io.EOF {
			return nil, fmt.Errorf("no root element: %w", fault.Invalid)
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.CharData:
			if !blank(t) {
				return nil, fmt.Errorf("text before the root element: %w", fault.Invalid)
			}
		}
	}
}

// end reads to the end of the input, which must be empty but for comments.
func (r *xmlReader) end() error {
	for {
		tok, err := r.token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := tok.(xml.CharData); ok && blank(text) {
			continue
		}
		switch tok.(type) {
		case xml.Comment, xml.ProcInst:
			continue
		}
		return fmt.Errorf("content after the root element: %w", fault.Invalid)
	}
}

func (r *xmlReader) token() (xml.Token, error) {
	tok, err := r.d.Token()
	if _, ok := tok.(xml.Directive); ok {
		return nil, fmt.Errorf("document type declarations are not read: %w", fault.Invalid)
	}
	return tok, err
}

func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

// enter counts the depth and opens the scope of the prefixes that an element
// declares; it returns what closes it.
func (r *xmlReader) enter(e *xml.StartElement) (func(), error) {
	if r.depth++; r.depth > r.maxDepth {
		return nil, &fault.LimitError{What: "nesting depth", Where: "CycloneDX XML", Max: int64(r.maxDepth), Seen: int64(r.depth)}
	}
	if len(e.Attr) > maxAttributes {
		return nil, &fault.LimitError{What: "attributes of one element", Where: "CycloneDX XML", Max: maxAttributes, Seen: int64(len(e.Attr))}
	}
	for i, a := range e.Attr {
		if slices.ContainsFunc(e.Attr[:i], func(b xml.Attr) bool { return a.Name == b.Name }) {
			return nil, fmt.Errorf("attribute %q appears twice: %w", a.Name.Local, fault.Invalid)
		}
	}
	var declared []string
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" {
			declared = append(declared, a.Name.Local)
			r.scope[a.Name.Local] = append(r.scope[a.Name.Local], a.Value)
		}
	}
	return func() { r.leave(declared) }, nil
}

func (r *xmlReader) leave(declared []string) {
	r.depth--
	for _, prefix := range declared {
		r.scope[prefix] = r.scope[prefix][:len(r.scope[prefix])-1]
	}
}

// children calls child for each element inside the one just started and
// returns the text between them.
func (r *xmlReader) children(child func(e *xml.StartElement, offset int64) error) (string, error) {
	var text []byte
	for {
		offset := r.d.InputOffset()
		tok, err := r.token()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := child(&t, offset); err != nil {
				return "", err
			}
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			return string(text), nil
		}
	}
}
