package issuer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// The bounds of requests.
const (
	MaxForm   = 64 << 10 // bytes of a form
	MaxBody   = 64 << 10 // bytes of JSON
	maxParams = 64
	maxText   = 2 << 10 // bytes of a parameter that is no token
	maxToken  = 16 << 10
)

// The codes of errors that RFC 6749, 7591, 8628, 8693, 9126 and 9449 define.
const (
	codeInvalidRequest   = "invalid_request"
	codeInvalidClient    = "invalid_client"
	codeInvalidGrant     = "invalid_grant"
	codeUnauthorized     = "unauthorized_client"
	codeUnsupportedGrant = "unsupported_grant_type"
	codeInvalidScope     = "invalid_scope"
	codeInvalidTarget    = "invalid_target"
	codeAccessDenied     = "access_denied"
	codeServerError      = "server_error"
	codeUnavailable      = "temporarily_unavailable"
	codePending          = "authorization_pending"
	codeSlowDown         = "slow_down"
	codeExpired          = "expired_token"
	codeInvalidProof     = "invalid_dpop_proof"
	codeUseNonce         = "use_dpop_nonce"
	codeUnsupportedToken = "unsupported_token_type"
	codeResponseType     = "unsupported_response_type"
	codeLogin            = "login_required"
	codeRequestObject    = "request_not_supported"
	codeRequestURI       = "invalid_request_uri"
	codeMetadata         = "invalid_client_metadata"
	codeRedirectURI      = "invalid_redirect_uri"
	codeStatement        = "unapproved_software_statement"
)

// refusal is an error as the protocol tells it. Its text has nothing that a caller has
// not sent, and does not say which of several secrets was wrong.
type refusal struct {
	status int
	code   string
	text   string
}

func (e *refusal) Error() string { return e.code + ": " + e.text }

// Unwrap gives the kind, for the problem documents of other routes.
func (e *refusal) Unwrap() error {
	if e.status == http.StatusUnauthorized {
		return fault.Unauthenticated
	}
	return fault.Invalid
}

func refuse(code, format string, args ...any) *refusal {
	status := http.StatusBadRequest
	if code == codeInvalidClient {
		status = http.StatusUnauthorized
	}
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// failure is the body of an error (RFC 6749, section 5.2).
type failure struct {
	Code string `json:"error"`
	Text string `json:"error_description,omitempty"`
	// RequestID names what the operator was told.
	RequestID string `json:"request_id,omitempty"`
}

// protocol makes a route of the protocol one of a mux: its errors are those of OAuth.
func (s *Server) protocol(serve func(*exchange) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
		h.Set("Referrer-Policy", "no-referrer")
		x := &exchange{w: w, r: r}
		if err := serve(x); err != nil {
			status, f := s.failureOf(r, err)
			if f.Code == codeInvalidClient && r.Header.Get("Authorization") != "" {
				h.Set("WWW-Authenticate", `Basic realm="stella", charset="UTF-8"`)
			}
			if status == http.StatusServiceUnavailable {
				h.Set("Retry-After", fmt.Sprint(httpjson.RetryAfter))
			}
			return httpjson.Write(w, status, f)
		}
		return nil
	}
}

// failureOf says what a client is told of an error.
func (s *Server) failureOf(r *http.Request, err error) (int, failure) {
	var e *refusal
	var l *fault.LimitError
	switch {
	case errors.As(err, &e):
		return e.status, failure{Code: e.code, Text: printable(e.text)}
	case errors.As(err, &l):
		return http.StatusRequestEntityTooLarge, failure{Code: codeInvalidRequest, Text: printable(l.Error())}
	case errors.Is(err, fault.Unavailable):
		return http.StatusServiceUnavailable, failure{Code: codeUnavailable, Text: "please try again", RequestID: s.mux.Tell(r, err)}
	}
	return http.StatusInternalServerError, failure{Code: codeServerError, Text: "the operator of the service finds the reason under the request_id", RequestID: s.mux.Tell(r, err)}
}

// printable is text as error_description may have it (RFC 6749, section 5.2).
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), 500)]
}

// exchange is one request of the protocol on its way.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	form form
	// proof is the thumbprint of the key that the request proved to have; "" for none.
	proof string
}

// form has each parameter once. One that is empty is left out (RFC 6749, section 3.2).
type form map[string]string

// readForm reads the body of a request as a form.
func readForm(r *http.Request) (form, error) {
	types := r.Header.Values("Content-Type")
	if len(types) != 1 {
		return nil, refuse(codeInvalidRequest, "want one Content-Type, application/x-www-form-urlencoded")
	}
	t, params, err := mime.ParseMediaType(types[0])
	charset, other := params["charset"], len(params)
	if err != nil || t != "application/x-www-form-urlencoded" || other > 1 || other == 1 && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
		return nil, refuse(codeInvalidRequest, "want one Content-Type, application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, refuse(codeInvalidRequest, "parameters belong into the body, not into the address")
	}
	over := &fault.LimitError{What: "bytes of a form", Where: "request", Max: MaxForm}
	if r.ContentLength > MaxForm {
		over.Seen = r.ContentLength
		return nil, over
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(r.Body, MaxForm+1)); err != nil {
		return nil, refuse(codeInvalidRequest, "the body ended early")
	}
	if b.Len() > MaxForm {
		return nil, over
	}
	return parseForm(b.String())
}

// parseForm reads parameters, of a body or of a query.
func parseForm(text string) (form, error) {
	if strings.Count(text, "&") >= maxParams {
		return nil, refuse(codeInvalidRequest, "there are more than %d parameters", maxParams)
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, refuse(codeInvalidRequest, "the parameters cannot be parsed")
	}
	f := form{}
	for name, list := range values {
		if len(list) != 1 {
			return nil, refuse(codeInvalidRequest, "%.40q is there %d times", name, len(list))
		}
		v := list[0]
		if !utf8.ValidString(name) || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return nil, refuse(codeInvalidRequest, "%.40q is not text in UTF-8", name)
		}
		if v != "" {
			f[name] = v
		}
	}
	return f, nil
}

// need returns a parameter that must be there.
func (f form) need(name string, limit int) (string, error) {
	v := f[name]
	if v == "" || len(v) > limit {
		return "", refuse(codeInvalidRequest, "%s is required, and at most %d bytes", name, limit)
	}
	return v, nil
}
