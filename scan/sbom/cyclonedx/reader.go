package cyclonedx

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// A reader turns the JSON form of a document into the model.
type reader struct {
	d      *jsontext.Decoder
	limits DecodeOptions
	form   *Form // told to the caller
	xml    bool  // the JSON was made from XML

	doc        sbom.Document
	foreign    node            // members of the document for Foreign
	meta       node            // the same of its metadata
	tools      node            // metadata.tools, read when the version is known
	components []*component    // in document order, nested ones included
	refs       map[string]bool // bom-ref of components
	twins      []*component    // whose bom-ref is that of a component before
	others     map[string]bool // bom-ref of anything else, see elsewhere
	deps       []dependency
	edges      []edge
	all        bool // stella:contains
	notes      []sbom.Gap
	names      map[string]string // of members, by their quoted form
}

// The names of members repeat and are kept: so many, and no longer ones.
const (
	maxNames      = 1000
	maxNameLength = 64
)

// object calls member for each member of the object that comes next; member
// reads the value.
func (r *reader) object(member func(name string) error) error {
	if err := r.open('{', "an object"); err != nil {
		return err
	}
	for r.d.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		if r.d.PeekKind() == 'n' {
			_, err = r.d.ReadToken()
			r.noteHere("null is read as if the member were absent")
		} else {
			err = member(name)
		}
		if err != nil {
			return r.syntax(err)
		}
	}
	_, err := r.d.ReadToken()
	return r.syntax(err)
}

// array calls item for each value of the array that comes next.
func (r *reader) array(item func() error) error {
	if err := r.open('[', "an array"); err != nil {
		return err
	}
	for r.d.PeekKind() != ']' {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := r.d.ReadToken()
	return r.syntax(err)
}

func (r *reader) open(kind jsontext.Kind, what string) error {
	tok, err := r.d.ReadToken()
	if err != nil {
		return r.syntax(err)
	}
	if tok.Kind() != kind {
		return r.fail("%s instead of %s", kindName(tok.Kind()), what)
	}
	return r.deep(r.d.StackDepth())
}

func (r *reader) deep(depth int) error {
	if depth > r.limits.MaxDepth {
		return &fault.LimitError{What: "nesting depth", Where: "CycloneDX document at " + r.pointer(), Max: int64(r.limits.MaxDepth), Seen: int64(depth)}
	}
	return nil
}

// name reads the name of a member.
func (r *reader) name() (string, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return "", r.syntax(err)
	}
	if name, ok := r.names[string(raw)]; ok {
		return name, nil
	}
	name := unquote(raw)
	if len(r.names) < maxNames && len(raw) <= maxNameLength {
		if r.names == nil {
			r.names = map[string]string{}
		}
		r.names[string(raw)] = name
	}
	return name, nil
}

// text reads a string.
func (r *reader) text() (string, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return "", r.syntax(err)
	}
	if raw.Kind() != '"' {
		return "", r.fail("%s instead of a string", kindName(raw.Kind()))
	}
	return unquote(raw), nil
}

// textTo reads a string into s.
func (r *reader) textTo(s *string) error {
	v, err := r.text()
	*s = v
	return err
}
