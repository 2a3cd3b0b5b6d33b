// Package wire is how statements and predicates are read from JSON and written.
package wire

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Max is how many bytes a document may have.
const Max = 64 << 20

// Decode reads a document into what v points to, a struct that is zero. Members that
// it has no field for are ignored, as the in-toto framework's parsing rules say, except
// one that a reader which folds case would take for a field: what two readers read
// differently is refused. So are a member that occurs twice, text after the object,
// and what is no object. An error names what was read and wraps fault.Invalid or
// fault.Limit.
func Decode[T any](what string, text []byte, v *T) error {
	if len(text) > Max {
		return &fault.LimitError{What: "bytes", Where: what, Max: Max, Seen: int64(len(text))}
	}
	if jsontext.Value(text).Kind() != '{' {
		return fmt.Errorf("%s: want an object: %w", what, fault.Invalid)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %v: %w", what, err, fault.Invalid)
	}
	folded := new(T)
	if err := json.Unmarshal(text, folded, json.MatchCaseInsensitiveNames(true)); err != nil {
		return fmt.Errorf("%s: to readers that fold case: %v: %w", what, err, fault.Invalid)
	}
	if !reflect.DeepEqual(v, folded) {
		return fmt.Errorf("%s: it says something else to readers that fold the case of members: %w", what, fault.Invalid)
	}
	return nil
}

// Encode returns v as JSON with members in the order of their names and without white
// space. Unlike canonical JSON it leaves numbers as they are: those of raw values may
// have more digits than a double. An error wraps fault.Invalid or fault.Limit.
func Encode(what string, v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Format(jsontext.ReorderRawObjects(true))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", what, err, fault.Invalid)
	}
	if len(text) > Max {
		return nil, &fault.LimitError{What: "bytes", Where: what, Max: Max, Seen: int64(len(text))}
	}
	return text, nil
}

// Same reports whether two JSON values are the same but for white space, escapes and
// the order of members. Numbers are the same where they are written alike.
func Same(a, b []byte) bool {
	x, y := jsontext.Value(a).Clone(), jsontext.Value(b).Clone()
	return x.Format(jsontext.ReorderRawObjects(true)) == nil && y.Format(jsontext.ReorderRawObjects(true)) == nil && string(x) == string(y)
}

// ParseTime reads a timestamp (in-toto field types, "Timestamp"): RFC 3339 in UTC. The
// empty text is the zero time. An error wraps fault.Invalid.
func ParseTime(member, text string) (time.Time, error) {
	if t, err := ParseAnyTime(member, text); err != nil || text == "" || text[len(text)-1] == 'Z' {
		return t, err
	}
	return time.Time{}, fmt.Errorf("%s: %.80q: want a time in UTC: %w", member, text, fault.Invalid)
}

// ParseAnyTime reads a timestamp of RFC 3339 in any zone, and returns it in UTC.
func ParseAnyTime(member, text string) (time.Time, error) {
	var t time.Time
	if text == "" {
		return t, nil
	}
	if err := t.UnmarshalText([]byte(text)); err != nil || strings.Contains(text, ",") {
		return time.Time{}, fmt.Errorf("%s: %.80q: want a time of RFC 3339: %w", member, text, fault.Invalid)
	}
	return t.UTC(), nil
}

// FormatTime returns the text of a time, "" for the zero time. An error wraps
// fault.Invalid.
func FormatTime(member string, t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	text, err := t.UTC().MarshalText()
	if err != nil {
		return "", fmt.Errorf("%s: %v: %w", member, err, fault.Invalid)
	}
	return string(text), nil
}
