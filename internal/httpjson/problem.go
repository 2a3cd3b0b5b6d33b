package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"unicode"

	"github.com/stella-ops/stella/internal/fault"
)

// ProblemType is the media type of problem documents.
const ProblemType = "application/problem+json"

// typePrefix begins the type of every problem document of this SDK; the kind's
// name follows, with dashes.
const typePrefix = "urn:stella:problem:"

// maxDetail bounds the detail of a problem, in bytes.
const maxDetail = 4 << 10

// RetryAfter is what an answer asks a client to wait, in seconds, where the
// server does not know better.
const RetryAfter = 2

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type      string    `json:"type"`
	Title     string    `json:"title"`
	Status    int       `json:"status"`
	Detail    string    `json:"detail,omitempty"`
	Instance  string    `json:"instance,omitempty"`
	RequestID string    `json:"request_id,omitempty"` // names what the operator was told
	Limit     *limit    `json:"limit,omitempty"`
	Mismatch  *mismatch `json:"mismatch,omitempty"`
	//lint:ignore SA5008 an option of encoding/json/v2
	Extra map[string]any `json:",embed"` // further members
}

type limit struct {
	What  string `json:"what"`
	Where string `json:"where"`
	Max   int64  `json:"max"`
	Seen  int64  `json:"seen,omitzero"`
}

type mismatch struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// kinds are the kinds with the status that stands for each.
var kinds = []struct {
	kind   fault.Kind
	status int
}{
	{fault.Invalid, http.StatusUnprocessableEntity},
	{fault.Unsupported, http.StatusUnprocessableEntity},
	{fault.NotFound, http.StatusNotFound},
	{fault.Conflict, http.StatusConflict},
	{fault.Unauthenticated, http.StatusUnauthorized},
	{fault.Forbidden, http.StatusForbidden},
	{fault.Unavailable, http.StatusServiceUnavailable},
	{fault.Limit, http.StatusRequestEntityTooLarge},
	{fault.Fenced, http.StatusConflict},
	{fault.Mismatch, http.StatusUnprocessableEntity},
}

func typeOf(k fault.Kind) string {
	return typePrefix + strings.ReplaceAll(string(k), " ", "-")
}

// Of returns the problem that tells a client of err. Where internal is true,
// err says what only the operator should know: the problem says none of it, and
// the caller gives it a RequestID.
func Of(err error) (p *Problem, internal bool) {
	kind, own := fault.KindOf(err), isOwn(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		kind, own = fault.Unavailable, false
	}
	if !own && (kind == fault.Invalid || kind == fault.Unsupported || kind == fault.Forbidden || kind == fault.Unauthenticated || kind == fault.Mismatch) {
		kind = "" // a backend's trouble, not the client's
	}
	p = &Problem{Type: typePrefix + "internal", Title: "internal error", Status: http.StatusInternalServerError}
	for _, k := range kinds {
		if k.kind == kind {
			p.Type, p.Title, p.Status = typeOf(kind), string(kind), k.status
		}
	}
	var e *Error
	if kind != "" && errors.As(err, &e) {
		p.Extra, p.RequestID = e.Extra, e.RequestID
		if e.Status != 0 {
			p.Status = e.Status
		}
	}
	if kind == "" || !own {
		p.Detail = "the operator of the service finds the reason under the request_id"
		return p, true
	}
	p.Detail = clip(err.Error())
	var l *fault.LimitError
	if errors.As(err, &l) {
		p.Limit = &limit{clip(l.What), clip(l.Where), l.Max, l.Seen}
	}
	var m *fault.MismatchError
	if errors.As(err, &m) {
		p.Mismatch = &mismatch{clip(m.What), clip(m.Want), clip(m.Got)}
	}
	return p, false
}

// Write answers with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	b, err := Encode(p)
	if err != nil { // a name of Extra that is taken
		p.Extra = nil
		b, _ = Encode(p)
	}
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "ETag", "Last-Modified", "Location"} {
		h.Del(name) // of the answer that was meant
	}
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", fmt.Sprint(RetryAfter))
		}
	case http.StatusUnauthorized:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", "Bearer")
		}
	}
	WriteBytes(w, p.Status, ProblemType, append(b, '\n'))
}

// ownTypes are the types of errors that this SDK writes. Anything else in an
// error comes from a library or the system, which name hosts, files, tables.
var ownTypes = func() map[reflect.Type]bool {
	own := map[reflect.Type]bool{}
	for _, err := range []error{
		fault.Invalid, &fault.LimitError{}, &fault.MismatchError{}, &Error{}, errors.New(""), errors.Join(errors.New("")),
		fmt.Errorf("%w", fault.Invalid), fmt.Errorf("%w %w", fault.Invalid, fault.Invalid),
	} {
		own[reflect.TypeOf(err)] = true
	}
	return own
}()

// isOwn reports whether all of err's tree was written by this SDK.
func isOwn(err error) bool {
	if !ownTypes[reflect.TypeOf(err)] {
		return false
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return e.Unwrap() == nil || isOwn(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if !isOwn(err) {
				return false
			}
		}
	}
	return true
}

// clip bounds text that may come from anywhere, and takes control characters out
// of it.
func clip(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail-3], "") + "…"
	}
	return s
}
