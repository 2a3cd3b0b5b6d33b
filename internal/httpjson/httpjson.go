// Package httpjson reads and writes JSON over HTTP for the handlers and clients
// of the domains: strict bodies, problem documents (RFC 9457) made of error
// kinds, and problem documents read back as errors of the same kind.
package httpjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxDepth bounds how deep arrays and objects of a body may be nested.
const MaxDepth = 64

// mediaType is what bodies are.
const mediaType = "application/json"

// Error is an error with what HTTP needs to know beyond its kind. It has the
// text and the kind of Err.
type Error struct {
	Status    int            // 0: the one of the kind
	Extra     map[string]any // members of the problem document
	RequestID string         // names what the operator was told already
	Err       error
}

// Error returns the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Read decodes the body of a request into a pointer. It refuses null, unknown members
// and duplicate names, data after the value, nesting over MaxDepth, and more than
// limit bytes. Errors wrap Invalid (400), Limit (413) or Unsupported (415).
func Read(r *http.Request, limit int64, into any) error {
	if err := checkType(r.Header); err != nil {
		return err
	}
	if r.ContentLength > limit {
		return &fault.LimitError{What: "bytes of a body", Where: "request", Max: limit, Seen: r.ContentLength}
	}
	return Decode(r.Body, limit, into)
}

// Decode is Read for bytes that are known to be JSON.
func Decode(r io.Reader, limit int64, into any) error {
	g := &guard{in: r, left: limit, limit: limit}
	err := json.UnmarshalRead(g, into, json.RejectUnknownMembers(true))
	switch {
	case g.told:
		return g.limited
	case g.failed != nil:
		return &Error{Status: http.StatusBadRequest, Err: fmt.Errorf("read the body: it ended early: %w", fault.Invalid)}
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Err: fmt.Errorf("body: %s: %w", explain(err), fault.Invalid)}
	case g.first == 'n': // which would stand for an object without members
		return &Error{Status: http.StatusBadRequest, Err: fmt.Errorf("body: null: want a value: %w", fault.Invalid)}
	}
	return nil
}

// checkType accepts JSON in UTF-8 as it is, not compressed.
func checkType(h http.Header) error {
	refuse := func(format string, args ...any) error {
		return &Error{Status: http.StatusUnsupportedMediaType, Err: fmt.Errorf(format+": %w", append(args, fault.Unsupported)...)}
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return refuse("Content-Encoding %.40q: send the body as it is", e)
	}
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return refuse("%d Content-Type headers: want one, application/json", len(types))
	}
	t, params, err := mime.ParseMediaType(types[0])
	if err != nil || t != mediaType {
		return refuse("Content-Type %.80q: want application/json", types[0])
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return refuse("Content-Type %.80q: JSON is UTF-8 and has no other parameters", types[0])
		}
	}
	return nil
}

// explain says what is wrong with a body without naming Go types.
func explain(err error) string {
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return fmt.Sprintf("%.200q is there twice", syntactic.JSONPointer)
	case errors.As(err, &syntactic):
		return fmt.Sprintf("is not one JSON value (at byte %d)", syntactic.ByteOffset)
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fmt.Sprintf("%.200q is not a member that is known here", semantic.JSONPointer)
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		return fmt.Sprintf("%.200q does not have a value that it can have", semantic.JSONPointer)
	case errors.As(err, &semantic):
		return "is not an object of the right members"
	}
	return "is not one JSON value"
}

// guard counts bytes and depth while they pass. It fails exactly where a bound is
// reached, so that the first thing wrong with a body is the one that counts,
// however it arrives.
type guard struct {
	in      io.Reader
	limit   int64
	left    int64
	depth   int
	first   byte  // that is no space
	text    bool  // inside of a string
	escaped bool  // after a backslash in one
	limited error // what comes after the bytes that were given out
	told    bool  // limited was returned
	failed  error // of in
}

func (g *guard) Read(p []byte) (int, error) {
	if g.limited != nil {
		g.told = true
		return 0, g.limited
	}
	if int64(len(p)) > g.left+1 {
		p = p[:g.left+1]
	}
	n, err := g.in.Read(p)
	if err != nil && err != io.EOF {
		g.failed = err
	}
	for i, c := range p[:n] {
		if g.left--; g.left < 0 {
			g.limited = &fault.LimitError{What: "bytes of a body", Where: "JSON", Max: g.limit}
		} else if g.see(c); g.depth > MaxDepth {
			g.limited = &fault.LimitError{What: "nesting of JSON", Where: "JSON", Max: MaxDepth, Seen: int64(g.depth)}
		}
		if g.limited == nil {
			continue
		}
		if i == 0 {
			g.told = true
			return 0, g.limited
		}
		return i, nil
	}
	return n, err
}

func (g *guard) see(c byte) {
	if g.first == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n' {
		g.first = c
	}
	switch {
	case g.text:
		switch {
		case g.escaped:
			g.escaped = false
		case c == '\\':
			g.escaped = true
		case c == '"':
			g.text = false
		}
	case c == '"':
		g.text = true
	case c == '[' || c == '{':
		g.depth++
	case c == ']' || c == '}':
		g.depth--
	}
}

// Encode returns v as JSON: equal values give equal bytes. Text that is not
// UTF-8 has U+FFFD where it is not. Other errors wrap Invalid.
func Encode(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %v: %w", err, fault.Invalid)
	}
	return b, nil
}

// Write answers with v as JSON. Nothing is written when it fails.
func Write(w http.ResponseWriter, status int, v any) error {
	b, err := Encode(v)
	if err != nil {
		return err
	}
	WriteBytes(w, status, mediaType, append(b, '\n'))
	return nil
}

// WriteBytes answers with a body that is there already.
func WriteBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", fmt.Sprint(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	bytes.NewReader(body).WriteTo(w) // who does not listen any more misses it
}
