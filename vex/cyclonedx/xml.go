package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The elements that are read. An element that may be there once is a list of its own
// kind, so that one that is there twice does not pass.
type (
	bomXML struct {
		XMLName  xml.Name
		Serial   string `xml:"serialNumber,attr"`
		Version  string `xml:"version,attr"`
		Metadata []struct {
			Timestamp    []string       `xml:"timestamp"`
			Manufacturer []entityXML    `xml:"manufacturer"`
			Authors      []entityXML    `xml:"authors>author"`
			Component    []componentXML `xml:"component"`
			Supplier     []entityXML    `xml:"supplier"`
		} `xml:"metadata"`
		Components      []componentXML     `xml:"components>component"`
		Services        []componentXML     `xml:"services>service"`
		Vulnerabilities []vulnerabilityXML `xml:"vulnerabilities>vulnerability"`
	}
	entityXML struct {
		Name []string `xml:"name"`
	}
	componentXML struct {
		Ref          string   `xml:"bom-ref,attr"`
		Name         []string `xml:"name"`
		Version      []string `xml:"version"`
		VersionRange []string `xml:"versionRange"`
		PURL         []string `xml:"purl"`
		CPE          []string `xml:"cpe"`
		Hashes       []struct {
			Algorithm string `xml:"alg,attr"`
			Content   string `xml:",chardata"`
		} `xml:"hashes>hash"`
		Components []componentXML `xml:"components>component"`
		Services   []componentXML `xml:"services>service"`
	}
	vulnerabilityXML struct {
		ID         []string `xml:"id"`
		References []struct {
			ID []string `xml:"id"`
		} `xml:"references>reference"`
		Recommendation []string `xml:"recommendation"`
		Workaround     []string `xml:"workaround"`
		Analysis       []struct {
			State         []string `xml:"state"`
			Justification []string `xml:"justification"`
			Response      []string `xml:"responses>response"`
			Detail        []string `xml:"detail"`
			FirstIssued   []string `xml:"firstIssued"`
			LastUpdated   []string `xml:"lastUpdated"`
		} `xml:"analysis"`
		Affects []struct {
			Ref      []string `xml:"ref"`
			Versions []struct {
				Version []string `xml:"version"`
				Range   []string `xml:"range"`
				Status  []string `xml:"status"`
			} `xml:"versions>version"`
		} `xml:"affects>target"`
		Properties []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:",chardata"`
		} `xml:"properties>property"`
	}
)

// guard reads tokens, and refuses declarations, which documents have no use for,
// and elements that are nested too deep.
type guard struct {
	d          *xml.Decoder
	depth, max int
}

// Token returns the next token.
func (g *guard) Token() (xml.Token, error) {
	t, err := g.d.RawToken()
	switch t.(type) {
	case xml.Directive:
		line, _ := g.d.InputPos()
		return nil, fmt.Errorf("line %d: a document type or other declaration: %w", line, fault.Invalid)
	case xml.StartElement:
		if g.depth++; g.depth > g.max {
			line, _ := g.d.InputPos()
			return nil, &fault.LimitError{What: "nested elements", Where: fmt.Sprintf("line %d", line), Max: int64(g.max)}
		}
	case xml.EndElement:
		g.depth--
	}
	return t, err
}

// parseXML reads a document in XML.
func parseXML(text []byte, maxDepth int) (*document, error) {
	g := &guard{d: xml.NewDecoder(bytes.NewReader(text)), max: maxDepth * 2} // lists have elements of their own
	d := xml.NewTokenDecoder(g)
	var in bomXML
	err := d.Decode(&in)
	if err == nil { // nothing but space and comments may follow
		for err == nil {
			var t xml.Token
			if t, err = d.Token(); err == nil {
				if text, isText := t.(xml.CharData); isText && len(bytes.TrimSpace(text)) > 0 {
					err = fmt.Errorf("text after the document: %w", fault.Invalid)
				} else if _, isElement := t.(xml.StartElement); isElement {
					err = fmt.Errorf("an element after the document: %w", fault.Invalid)
				}
			}
		}
		if err.Error() == "EOF" {
			err = nil
		}
	}
	if err != nil {
		if errors.Is(err, fault.Invalid) || errors.Is(err, fault.Limit) {
			return nil, err
		}
		return nil, fmt.Errorf("read XML: %v: %w", err, fault.Invalid)
	}
	return in.document()
}

// singles collects what is there more than once.
type singles struct{ err error }

// text is the text of an element that may be there once.
func (s *singles) text(where string, list []string) string {
	if len(list) > 1 && s.err == nil {
		s.err = fmt.Errorf("%s: it is there %d times: %w", where, len(list), fault.Invalid)
	}
	if len(list) == 0 {
		return ""
	}
	return strings.TrimSpace(list[0])
}

// count checks how many of an element are there.
func (s *singles) count(where string, n int) bool {
	if n > 1 && s.err == nil {
		s.err = fmt.Errorf("%s: it is there %d times: %w", where, n, fault.Invalid)
	}
	return n > 0
}
