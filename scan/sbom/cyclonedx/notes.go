package cyclonedx

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

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

// syntax gives errors of the JSON decoder their place and kind; nil stays nil.
func (r *reader) syntax(err error) error {
	if err == nil {
		return nil
	}
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
