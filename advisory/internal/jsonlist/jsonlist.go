// Package jsonlist reads JSON documents that are one object with long lists in
// it, element by element.
package jsonlist

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// ErrStop is what callbacks return to end the reading without an error; the
// reading functions return it as it is.
var ErrStop = errors.New("stop")

// Object reads an object from dec. It calls member for each member, which must
// read its value. An error wraps the kind "invalid input".
func Object(dec *jsontext.Decoder, member func(name string) error) error {
	if k := dec.PeekKind(); k != '{' {
		if k == 0 {
			_, err := dec.ReadToken()
			return Bad(err)
		}
		return fmt.Errorf("at %q: it is not an object: %w", dec.StackPointer(), fault.Invalid)
	}
	if _, err := dec.ReadToken(); err != nil {
		return Bad(err)
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return Bad(err)
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return Bad(err)
}

// Elements reads an array from dec, of which each element is handed to element
// with its pointer; the value is valid until it returns. Null is an empty array.
// An error wraps the kinds "invalid input" or "limit reached".
func Elements(dec *jsontext.Decoder, most int, element func(value jsontext.Value, pointer string) error) error {
	switch k := dec.PeekKind(); k {
	case 'n':
		return Bad(dec.SkipValue())
	case '[', 0:
	default:
		return fmt.Errorf("at %q: it is not an array: %w", dec.StackPointer(), fault.Invalid)
	}
	if _, err := dec.ReadToken(); err != nil {
		return Bad(err)
	}
	for n := 0; dec.PeekKind() != ']'; n++ {
		if n == most {
			return &fault.LimitError{What: "elements", Where: string(dec.StackPointer()), Max: int64(most)}
		}
		value, err := dec.ReadValue()
		if err != nil {
			return Bad(err)
		}
		if err := element(value, string(dec.StackPointer())); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return Bad(err)
}

// End makes sure that nothing follows.
func End(dec *jsontext.Decoder) error {
	switch _, err := dec.ReadToken(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return Bad(err)
	}
	return fmt.Errorf("byte %d: something follows the document: %w", dec.InputOffset(), fault.Invalid)
}

// Bad gives an error of the JSON packages its kind; nil stays nil, and errors
// that have a kind stay as they are.
func Bad(err error) error {
	switch {
	case err == nil || fault.KindOf(err) != "":
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the text ends early: %w", fault.Invalid)
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// Decode reads a value into v. An error is an [*advisory.RecordError] with the
// place, below base, of the kind "invalid input".
func Decode(value []byte, v any, base string) error {
	err := json.Unmarshal(value, v)
	if err == nil {
		return nil
	}
	at := base
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		at += string(semantic.JSONPointer)
		if semantic.Err != nil {
			err = semantic.Err
		} else {
			err = fmt.Errorf("a JSON value of another kind is wanted here")
		}
	case errors.As(err, &syntactic):
		at += string(syntactic.JSONPointer)
		err = syntactic.Err
	}
	return &advisory.RecordError{Pointer: at, Err: Bad(err)}
}
