// Package yamldoc reads small YAML documents strictly: one document, no
// repeated names, within a limit.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxBytes bounds a document.
const MaxBytes = 4 << 20

// Decode reads the one document of text into v. Scalars that v wants as strings
// are taken as they are written. An error wraps the kinds "invalid input" or
// "limit reached".
func Decode(text []byte, v any) (err error) {
	if len(text) > MaxBytes {
		return &fault.LimitError{What: "bytes", Where: "the document", Max: MaxBytes, Seen: int64(len(text))}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(v); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it is empty: %w", fault.Invalid)
	case err != nil:
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the document: %w", fault.Invalid)
	}
	return nil
}

// List is a list of strings, of which YAML may hold one without its list, or
// none.
type List []string

// UnmarshalYAML reads a list, a single string, or null.
func (l *List) UnmarshalYAML(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind == yaml.ScalarNode:
		*l = List{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}
