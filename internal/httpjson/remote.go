package httpjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// maxProblem bounds a problem document that is read, in bytes.
const maxProblem = 64 << 10

// Remote is an error that a server answered with. It matches the kind that the
// server's error had under errors.Is, and its *fault.LimitError or
// *fault.MismatchError under errors.As.
type Remote struct {
	Problem    Problem
	RetryAfter time.Duration // 0 where the server says nothing
	// Typed reports whether the answer is a problem document of this SDK. Where
	// it is not, some other server stands at this address or in between.
	Typed bool
	kind  fault.Kind
}

// Error says what the server said.
func (e *Remote) Error() string {
	s := fmt.Sprintf("the server answered %d %s", e.Problem.Status, e.Problem.Title)
	if e.Problem.Detail != "" {
		s += ": " + e.Problem.Detail
	}
	if e.Problem.RequestID != "" {
		s += " (request_id " + e.Problem.RequestID + ")"
	}
	if !e.Typed {
		s += "; this is not an answer of the service itself: check its address and what stands before it"
	}
	return s
}

// Unwrap returns the kind and its detail, where there are any.
func (e *Remote) Unwrap() []error {
	var out []error
	if e.kind != "" {
		out = append(out, e.kind)
	}
	if l := e.Problem.Limit; l != nil && e.kind == fault.Limit {
		out = append(out, &fault.LimitError{What: l.What, Where: l.Where, Max: l.Max, Seen: l.Seen})
	}
	if m := e.Problem.Mismatch; m != nil && e.kind == fault.Mismatch {
		out = append(out, &fault.MismatchError{What: m.What, Want: m.Want, Got: m.Got})
	}
	return out
}

// ReadError reads an answer that is not the wanted one. It does not close the
// body.
func ReadError(resp *http.Response) *Remote {
	e := &Remote{RetryAfter: retryAfter(resp.Header)}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == ProblemType {
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem+1))
		if err == nil && len(b) <= maxProblem && json.Unmarshal(b, &e.Problem) == nil {
			e.Typed = strings.HasPrefix(e.Problem.Type, typePrefix)
		} else {
			e.Problem = Problem{}
		}
	}
	p := &e.Problem
	p.Status = resp.StatusCode // whatever the document says
	p.Detail, p.RequestID, p.Title = clip(p.Detail), clip(p.RequestID), clip(p.Title)
	if !e.Typed {
		p.Title = http.StatusText(resp.StatusCode)
		e.kind = untyped(resp.StatusCode)
		return e
	}
	for _, k := range kinds {
		if p.Type == typeOf(k.kind) {
			e.kind = k.kind
		}
	}
	return e
}

// untyped is the kind of an answer that the service did not give. It says
// nothing about what the service knows: that something is not there, or stands
// in conflict, is nothing that another server can say.
func untyped(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusRequestEntityTooLarge:
		return fault.Limit
	case http.StatusUnsupportedMediaType:
		return fault.Unsupported
	}
	return fault.Unavailable
}

// retryAfter reads the seconds of a Retry-After header, at most a day. A date
// needs clocks that agree, and counts as nothing.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, 86400)) * time.Second
}

// ReadBody returns the body of an answer with JSON. It does not close it. Errors
// wrap Limit, or Unavailable where the body ends early or is something else.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	return ReadTyped(resp, mediaType, limit)
}

// ReadTyped is ReadBody for an answer of another media type.
func ReadTyped(resp *http.Response, want string, limit int64) ([]byte, error) {
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || t != want {
		return nil, fmt.Errorf("the server answered %d with Content-Type %.80q, want %s: %w", resp.StatusCode, resp.Header.Get("Content-Type"), want, fault.Unavailable)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the server's answer: %w", err), fault.Unavailable)
	}
	if int64(len(b)) > limit {
		return nil, &fault.LimitError{What: "bytes of an answer", Where: "the server's answer", Max: limit}
	}
	return b, nil
}

// ReadJSON is ReadBody into a pointer. Unknown members are left alone: they are
// of a later release.
func ReadJSON(resp *http.Response, limit int64, into any) error {
	b, err := ReadBody(resp, limit)
	if err != nil {
		return err
	}
	if err := json.UnmarshalRead(bytes.NewReader(b), into); err != nil {
		return fmt.Errorf("the server's answer is not what was asked for: %v: %w", err, fault.Unavailable)
	}
	return nil
}

// Into reads an answer as JSON into v, which keeps its value where there is an error.
// right says whether the answer is about what was asked for; nil says that it is.
func Into[T any](v *T, limit int64, right func(*T) bool) func(*http.Response) error {
	return func(resp *http.Response) error {
		var fresh T // nothing of an attempt before
		if err := ReadJSON(resp, limit, &fresh); err != nil {
			return err
		}
		if right != nil && !right(&fresh) {
			return fmt.Errorf("the server's answer is not about what was asked for: %w", fault.Unavailable)
		}
		*v = fresh
		return nil
	}
}
