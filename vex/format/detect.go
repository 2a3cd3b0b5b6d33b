package format

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Format is what a document is.
type Format string

// The formats. The first three have the names of vex.Origin.
const (
	Unknown   Format = ""
	OpenVEX   Format = "openvex"
	CSAF      Format = "csaf"
	CycloneDX Format = "cyclonedx"
	InToto    Format = "in-toto" // a statement, of which the predicate may be one of the above
	Envelope  Format = "dsse"
	Bundle    Format = "sigstore-bundle"
)

// Detect tells what a document is by the members of its outermost object, or by its
// outermost element where it is XML. It reads no further than it must, so that a
// document that it knows may still be invalid. Unknown is what is neither, none of
// the formats, or more than one of them.
func Detect(text []byte) Format {
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n\ufeff"), []byte("<")) {
		return detectXML(text)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return Unknown
	}
	var m marks
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil || !m.member(name.String(), dec) {
			return Unknown
		}
	}
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '}' {
		return Unknown
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return Unknown
	}
	return m.format()
}

// detectXML looks at the outermost element.
func detectXML(text []byte) Format {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // of names, which are ASCII
	for {
		t, err := dec.RawToken()
		if err != nil {
			return Unknown
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			of := a.Name.Space == "" && a.Name.Local == "xmlns" && start.Name.Space == "" || a.Name.Space == "xmlns" && a.Name.Local == start.Name.Space
			if of && start.Name.Local == "bom" && strings.HasPrefix(a.Value, "http://cyclonedx.org/schema/bom/") {
				return CycloneDX
			}
		}
		return Unknown
	}
}

// marks are what tells formats apart.
type marks struct {
	payload, payloadType bool
	found                []Format
}

// member looks at a member, of which the name was read. It reports whether the text
// can be read on.
func (m *marks) member(name string, dec *jsontext.Decoder) bool {
	switch name {
	case "payload":
		m.payload = true
	case "payloadType":
		m.payloadType = true
	case "document":
		return m.document(dec)
	case "_type", "@context", "bomFormat", "mediaType":
		value, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if value.Kind() != '"' {
			return skipRest(dec, value.Kind())
		}
		m.text(name, value.String())
		return true
	}
	return dec.SkipValue() == nil
}

func (m *marks) text(name, value string) {
	switch {
	case name == "_type" && strings.HasPrefix(value, "https://in-toto.io/Statement/"):
		m.found = append(m.found, InToto)
	case name == "@context" && (value == "https://openvex.dev/ns" || strings.HasPrefix(value, "https://openvex.dev/ns/")):
		m.found = append(m.found, OpenVEX)
	case name == "bomFormat" && value == "CycloneDX":
		m.found = append(m.found, CycloneDX)
	case name == "mediaType" && strings.HasPrefix(value, "application/vnd.dev.sigstore.bundle"):
		m.found = append(m.found, Bundle)
	}
}

// document looks for the version of CSAF in the member of that name.
func (m *marks) document(dec *jsontext.Decoder) bool {
	if dec.PeekKind() != '{' {
		return dec.SkipValue() == nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if name.String() == "csaf_version" {
			m.found = append(m.found, CSAF)
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
	t, err := dec.ReadToken()
	return err == nil && t.Kind() == '}'
}

// skipRest skips what is left of a value, of which the first token was read.
func skipRest(dec *jsontext.Decoder, kind jsontext.Kind) bool {
	if kind != '{' && kind != '[' {
		return true
	}
	for depth := dec.StackDepth(); dec.StackDepth() >= depth; {
		if _, err := dec.ReadToken(); err != nil {
			return false
		}
	}
	return true
}

func (m *marks) format() Format {
	if m.payload && m.payloadType {
		m.found = append(m.found, Envelope)
	}
	if len(m.found) != 1 {
		return Unknown
	}
	return m.found[0]
}
