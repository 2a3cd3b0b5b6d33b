package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// decode reads one JSON object into v, strictly: one object and nothing after
// it, valid UTF-8, no name twice, and no name that another reader could take for
// one of v's because it differs in case only.
func decode(b []byte, what string, v any, names ...string) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
	}
	if err := checkNames(b, names); err != nil {
		return fmt.Errorf("%s: %w: %w", what, err, fault.Invalid)
	}
	return nil
}

// checkNames reads the names of an object's members.
func checkNames(b []byte, names []string) error {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.New("is not a JSON object")
	}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return jsonReason(err)
		}
		name := t.String()
		for _, n := range names {
			if name != n && strings.EqualFold(name, n) {
				return fmt.Errorf("member %q is %q in another case, which readers take differently", name, n)
			}
		}
		if err := d.SkipValue(); err != nil {
			return jsonReason(err)
		}
	}
	return nil
}

// list reads a JSON array of objects or strings, one element at a time, so that
// the limit holds before anything is kept. A null or absent array is empty.
func list[T any](raw jsontext.Value, what string, limit int, names ...string) ([]T, error) {
	if raw == nil || raw.Kind() == 'n' {
		return nil, nil
	}
	invalid := func(err error) error { return fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid) }
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return nil, invalid(errors.New("is not a JSON array"))
	}
	var out []T
	for d.PeekKind() != ']' {
		element, err := d.ReadValue()
		if err != nil {
			return nil, invalid(err)
		}
		if len(out) == limit {
			return nil, &fault.LimitError{What: "entries", Where: what, Max: int64(limit)}
		}
		at := fmt.Sprintf("%s: entry %d", what, len(out))
		var v T
		if len(names) > 0 {
			err = decode(element, at, &v, names...)
		} else if err = json.Unmarshal(element, &v); err != nil {
			err = fmt.Errorf("%s: %w: %w", at, jsonReason(err), fault.Invalid)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// jsonReason is what is wrong with a document, and where, without the names of
// Go types.
func jsonReason(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		reason := syntactic.Err
		if errors.Is(reason, io.ErrUnexpectedEOF) {
			reason = errors.New("ends too early")
		}
		return fmt.Errorf("JSON at byte %d (%q): %w", syntactic.ByteOffset, clip(string(syntactic.JSONPointer)), reason)
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return fmt.Errorf("JSON at %q: %s is not what belongs here", clip(string(semantic.JSONPointer)), kindName(semantic.JSONKind))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("JSON ends too early")
	}
	return err
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
	return "a value of this type"
}
