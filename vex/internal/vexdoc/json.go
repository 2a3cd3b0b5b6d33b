package vexdoc

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Invalid makes an error of the kind invalid of what JSON says, with its place.
func Invalid(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("it ends too early: %w", fault.Invalid)
	}
	var wrong *json.SemanticError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s: a JSON %v does not belong there: %w", wrong.JSONPointer, wrong.JSONKind, fault.Invalid)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%s: %v (at byte %d): %w", syntax.JSONPointer, syntax.Err, syntax.ByteOffset, fault.Invalid)
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// Unique returns the values of a list that is to be written without those that are
// there before: lists of VEX formats have each value once. An error wraps the kind
// invalid.
func Unique[T any](list []T) (out []T, err error) {
	seen := make(map[string]bool, len(list))
	for i := range list {
		text, err := json.Marshal(&list[i], json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
		if !seen[string(text)] {
			seen[string(text)] = true
			out = append(out, list[i])
		}
	}
	return out, nil
}
