package httpjson

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// BadRequest is an error about a request that is not well formed (400). It wraps
// Invalid.
func BadRequest(format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Err: fmt.Errorf(format+": %w", append(args, fault.Invalid)...)}
}

// QueryFault makes what a store finds invalid in a query a request that is not well
// formed. Other errors stay what they are.
func QueryFault(err error) error {
	if fault.KindOf(err) == fault.Invalid {
		return &Error{Status: http.StatusBadRequest, Err: err}
	}
	return err
}

// ReadBytes reads a body of any type. what names it in errors, which wrap Limit or
// Invalid.
func ReadBytes(r *http.Request, what string, limit int64) ([]byte, error) {
	over := &fault.LimitError{What: "bytes of " + what, Where: "request", Max: limit}
	if r.ContentLength > limit {
		over.Seen = r.ContentLength
		return nil, over
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, BadRequest("read %s: it ended early", what)
	}
	if int64(len(b)) > limit {
		return nil, over
	}
	return b, nil
}

// Number reads a number from 1 that has that many bits. A number has one spelling,
// but for zeros in front.
func Number(text string, bits int) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, bits)
	return n, err == nil && n > 0 && text[0] != '+'
}

// After reads where a page begins that an earlier one named by a number; 0 where the
// query does not say.
func After(query url.Values, bits int) (int64, error) {
	text := query.Get("after")
	if text == "" {
		return 0, nil
	}
	n, ok := Number(text, bits)
	if !ok {
		return 0, BadRequest("query: after %.40q is not what an earlier page gave", text)
	}
	return n, nil
}

// IdempotencyKey reads a key of at most that many characters from a header; "" where
// there is none.
func IdempotencyKey(r *http.Request, header string, most int) (string, error) {
	keys := r.Header.Values(header)
	if len(keys) == 0 {
		return "", nil
	}
	k := keys[0]
	if len(keys) > 1 || k == "" || len(k) > most || strings.TrimSpace(k) != k || strings.IndexFunc(k, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return "", BadRequest("%s: want one of 1 to %d printable ASCII characters", header, most)
	}
	return k, nil
}
