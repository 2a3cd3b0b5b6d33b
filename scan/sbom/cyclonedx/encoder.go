package cyclonedx

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

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
	refs       node  // its foreign externalReferences
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

// node writes an item of a foreign list into the list that is open.
func (e *encoder) node(n *node) {
	e.comma()
	e.b = n.append(e.b)
}

// errXML stands for JSON of our own that cannot be read: it is not expected.
var errXML = errors.New("internal: the JSON form cannot be read again")
