package osv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// reader reads one JSON document member by member. It keeps its first error:
// everything after it does nothing, so callers check once. It is reused from
// record to record.
type reader struct {
	input bytes.Buffer
	dec   *jsontext.Decoder
	err   error
	at    string            // JSON pointer to the error
	known map[string]string // texts that recur, so that they are stored once
	text  []byte            // the last string that had escapes
}

// maxKnown bounds the number of recurring texts that are remembered, and
// maxKnownText their length.
const (
	maxKnown     = 4096
	maxKnownText = 32
)

func newReader() *reader {
	r := &reader{known: map[string]string{}}
	r.dec = jsontext.NewDecoder(&r.input)
	return r
}

// reset starts a document. The text is not kept.
func (r *reader) reset(text []byte) {
	r.input = *bytes.NewBuffer(text)
	r.dec.Reset(&r.input)
	r.err, r.at = nil, ""
}

// fail records an error at the value that was read last.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format+": %w", append(args, fault.Invalid)...)
		r.at = string(r.dec.StackPointer())
	}
}

// limit records that a bound was reached.
func (r *reader) limit(what string, most int64) {
	if r.err == nil {
		r.at = string(r.dec.StackPointer())
		r.err = &fault.LimitError{What: what, Where: "the record", Max: most}
	}
}

// syntax records an error of the JSON text.
func (r *reader) syntax(err error) {
	if r.err != nil {
		return
	}
	r.at = string(r.dec.StackPointer())
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic):
		r.at = string(syntactic.JSONPointer)
		r.err = fmt.Errorf("byte %d: %v: %w", syntactic.ByteOffset, syntactic.Err, fault.Invalid)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.err = fmt.Errorf("the text ends early: %w", fault.Invalid)
	default:
		r.err = fmt.Errorf("%v: %w", err, fault.Invalid)
	}
}

// kind returns the kind of the next value; 0 at the end or after an error.
func (r *reader) kind() jsontext.Kind {
	if r.err != nil {
		return 0
	}
	return r.dec.PeekKind()
}

// value reads the next value whole.
func (r *reader) value() []byte {
	if r.err != nil {
		return nil
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.syntax(err)
		return nil
	}
	return v
}

func (r *reader) skip() {
	if r.err == nil {
		if err := r.dec.SkipValue(); err != nil {
			r.syntax(err)
		}
	}
}

// open reads the start of an object or array. Null stands for an empty one.
func (r *reader) open(kind jsontext.Kind, name string) bool {
	switch k := r.kind(); {
	case r.err != nil:
		return false
	case k == 'n':
		r.skip()
		return false
	case k != kind && k != 0:
		r.skip()
		r.fail("it is not %s", name)
		return false
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.syntax(err)
	}
	return r.err == nil
}

// shut reads the end of an object or array.
func (r *reader) shut() {
	if r.err == nil {
		if _, err := r.dec.ReadToken(); err != nil {
			r.syntax(err)
		}
	}
}

// object calls member for each member of an object with its name. member must
// read the value.
func (r *reader) object(member func(name string)) {
	if !r.open('{', "an object") {
		return
	}
	for k := r.kind(); k == '"'; k = r.kind() {
		name := r.bytes(r.value())
		if r.err != nil {
			return
		}
		member(r.intern(name))
	}
	r.shut()
}

// array calls element for each element of an array, of which there may be at
// most most. element must read the value.
func (r *reader) array(what string, most int, element func()) {
	if !r.open('[', "an array") {
		return
	}
	n := 0
	for k := r.kind(); k != ']' && k != 0; k = r.kind() {
		if n++; n > most {
			r.limit(what, int64(most))
			return
		}
		element()
	}
	r.shut()
}

// bytes returns the content of a JSON string, until the next call.
func (r *reader) bytes(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var err error
	if r.text, err = jsontext.AppendUnquote(r.text[:0], quoted); err != nil {
		r.syntax(err)
	}
	return r.text
}

// string reads a string of at most most bytes. Null stands for an empty one.
func (r *reader) string(what string, most int) string {
	return r.intern(r.raw(what, most))
}

// raw is string, whose bytes last until the next call.
func (r *reader) raw(what string, most int) []byte {
	switch k := r.kind(); {
	case r.err != nil:
		return nil
	case k == 'n':
		r.skip()
		return nil
	case k != '"' && k != 0:
		r.skip()
		r.fail("it is not a string")
		return nil
	}
	b := r.bytes(r.value())
	if len(b) > most {
		r.limit("bytes of "+what, int64(most))
		return nil
	}
	return b
}

// word reads a value, and returns it if it is a short string.
func (r *reader) word() string {
	if r.kind() != '"' {
		r.skip()
		return ""
	}
	b := r.bytes(r.value())
	if len(b) > advisory.MaxID {
		return ""
	}
	return r.intern(b)
}

// strings reads an array of strings, without the spaces around them.
func (r *reader) strings(what string, most int) (out []string) {
	r.array(what, most, func() {
		if s := r.intern(bytes.TrimSpace(r.raw(what, advisory.MaxID))); s != "" {
			out = append(out, s)
		}
	})
	return out
}

// intern returns the string of b, which recurring short texts share.
func (r *reader) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxKnownText {
		return string(b)
	}
	if s, ok := r.known[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(r.known) < maxKnown {
		r.known[s] = s
	}
	return s
}
