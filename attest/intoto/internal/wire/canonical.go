package wire

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// DecodeCanonical reads a predicate of stella's own, which names its schema and has one
// spelling (RFC 8785), into v, which check judges. A member that is not known is refused:
// nobody would check it. An error wraps fault.Invalid, fault.Limit, fault.Unsupported for
// another schema, or is check's.
func DecodeCanonical(what string, predicate []byte, most int, schema string, v any, check func() error) error {
	if len(predicate) > most {
		return &fault.LimitError{What: "bytes", Where: what, Max: int64(most), Seen: int64(len(predicate))}
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(predicate, &head); err != nil {
		return fmt.Errorf("%s: %v: %w", what, err, fault.Invalid)
	}
	if head.Schema != schema {
		return fmt.Errorf("%s: schema %.80q, want %s: %w", what, head.Schema, schema, fault.Unsupported)
	}
	if err := json.Unmarshal(predicate, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%s: %v: %w", what, err, fault.Invalid)
	}
	if err := check(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if same, err := Canonical(v); err != nil || !bytes.Equal(same, predicate) {
		return fmt.Errorf("%s: it is not in its canonical form (RFC 8785, nothing null, empty or 0 that may be absent): %w", what, fault.Invalid)
	}
	return nil
}

// Canonical returns v as canonical JSON (RFC 8785).
func Canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	return text, err
}
