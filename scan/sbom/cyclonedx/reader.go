package cyclonedx

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// A reader turns the JSON form of a document into the model.
type reader struct {
	d      *jsontext.Decoder
	limits DecodeOptions
	xml    bool // the JSON was made from XML

	doc        sbom.Document
	foreign    node            // members of the document for Foreign
	meta       node            // the same of its metadata
	tools      node            // metadata.tools, read when the version is known
	components []*component    // in document order, nested ones included
	refs       map[string]bool // bom-ref of components
	subjectRef string          // bom-ref of metadata.component
	others     map[string]bool // bom-ref of anything else, see elsewhere
	deps       []dependency
	edges      []edge
	all        bool // stella:contains
	notes      []sbom.Gap
	names      map[string]string
}

// maxNotes bounds the oddities that are told one by one.
const maxNotes = 100

// noteWhere begins the Where of gaps that Decode made itself. Encode does not
// write them: decoding again finds them again.
const noteWhere = "cyclonedx:"

func (r *reader) note(where, what string) {
	switch {
	case len(r.notes) < maxNotes:
		r.notes = append(r.notes, sbom.Gap{Code: sbom.GapOddity, Where: noteWhere + where, What: what})
	case len(r.notes) == maxNotes:
		r.notes = append(r.notes, sbom.Gap{Code: sbom.GapOddity, Where: noteWhere + "/", What: "more oddities than are listed"})
	}
}

// noteHere notes an oddity of the value that was read last.
func (r *reader) noteHere(what string) {
	if len(r.notes) <= maxNotes {
		r.note(r.pointer(), what)
	}
}

// maxPointer bounds pointers that are as long as hostile input makes them.
const maxPointer = 300

func (r *reader) pointer() string { return shorten(string(r.d.StackPointer())) }

func shorten(pointer string) string {
	if len(pointer) <= maxPointer {
		return pointer
	}
	return strings.ToValidUTF8(pointer[:maxPointer], "") + "…"
}

// fail reports input that breaks the structure of CycloneDX, at the value that
// was read last.
func (r *reader) fail(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", r.pointer(), fmt.Sprintf(format, args...), fault.Invalid)
}

// syntax gives errors of the JSON decoder their place and kind.
func (r *reader) syntax(err error) error {
	if fault.KindOf(err) != "" {
		return err // already told, or a limit
	}
	var s *jsontext.SyntacticError
	switch {
	case errors.As(err, &s):
		return fmt.Errorf("%s: byte %d: %w: %w", shorten(string(s.JSONPointer)), s.ByteOffset, s.Err, fault.Invalid)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the input ends too early: %w", r.pointer(), fault.Invalid)
	}
	return fmt.Errorf("read: %w", err)
}

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
			return r.wrap(err)
		}
	}
	_, err := r.d.ReadToken()
	return r.wrap(err)
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
	return r.wrap(err)
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
		return &fault.LimitError{What: "nesting depth", Where: "CycloneDX document at " + r.pointer(), Max: int64(r.limits.MaxDepth)}
	}
	return nil
}

func (r *reader) wrap(err error) error {
	if err != nil {
		return r.syntax(err)
	}
	return nil
}

// name reads the name of a member. Names repeat, so that they are kept.
func (r *reader) name() (string, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return "", r.syntax(err)
	}
	if name, ok := r.names[string(raw)]; ok {
		return name, nil
	}
	name := unquote(raw)
	if len(r.names) < 1000 {
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

// textTo returns a reader of a string into s.
func (r *reader) textTo(s *string) error {
	v, err := r.text()
	*s = v
	return err
}

// value reads any value as a node. The recursion is bounded by MaxDepth.
func (r *reader) value() (node, error) {
	switch r.d.PeekKind() {
	case '{':
		n := node{kind: '{'}
		err := r.object(func(name string) error {
			v, err := r.value()
			n.fields = append(n.fields, field{name, v})
			return err
		})
		return n, err
	case '[':
		n := node{kind: '['}
		err := r.array(func() error {
			v, err := r.value()
			n.items = append(n.items, v)
			return err
		})
		return n, err
	}
	raw, err := r.d.ReadValue()
	if err != nil {
		return node{}, r.syntax(err)
	}
	n := node{kind: raw.Kind()}
	switch n.kind {
	case '"':
		n.text = unquote(raw)
	case '0':
		n.text = string(raw)
	}
	return n, nil
}

func (r *reader) rawValue() (jsontext.Value, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	return raw, r.deep(r.d.StackDepth() + depthOf(raw))
}

// keep reads any value into the foreign members of its object.
func (r *reader) keep(foreign *node, name string) error {
	raw, err := r.rawValue()
	if err != nil {
		return err
	}
	raw = raw.Clone()
	if err := raw.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return r.syntax(err)
	}
	foreign.kind = '{'
	foreign.fields = append(foreign.fields, field{name, node{kind: rawKind, text: string(raw)}})
	return nil
}

// object returns the foreign members as canonical text, or nothing.
func foreignOf(n *node) sbom.Foreign {
	if len(n.fields) == 0 {
		return nil
	}
	n.sort()
	return sbom.Foreign{family: sbom.RawObject(n.append(nil))}
}

// depthOf returns how deep the objects and arrays of a valid value nest.
func depthOf(raw []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}

// unquote returns the text of a valid JSON string.
func unquote(raw []byte) string {
	if body := raw[1 : len(raw)-1]; !slices.Contains(body, '\\') {
		return string(body)
	}
	text, _ := jsontext.AppendUnquote(nil, raw)
	return string(text)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	}
	return "a boolean"
}
