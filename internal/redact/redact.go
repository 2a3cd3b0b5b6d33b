// Package redact keeps passwords out of error texts. Servers and clients repeat
// what they were sent, so whoever holds a password cleans every error that
// leaves it.
package redact

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// Text returns s with each secret, as it is and as a URL escapes it, replaced by
// Mark. Empty secrets are ignored.
func Text(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		s = strings.ReplaceAll(s, secret, Mark)
		for _, escaped := range []string{url.QueryEscape(secret), url.PathEscape(secret), strings.TrimPrefix(url.UserPassword("", secret).String(), ":")} {
			s = strings.ReplaceAll(s, escaped, Mark)
		}
	}
	return s
}

// Error returns err where its text holds no secret. Otherwise it returns an
// error with the cleaned text, which still matches err's kind and whether a
// context ended; nothing else of err can be reached through it.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	before := err.Error()
	after := Text(before, secrets...)
	if after == before {
		return err
	}
	clean := &cleaned{text: after}
	if k := fault.KindOf(err); k != "" {
		clean.is = append(clean.is, k)
	}
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			clean.is = append(clean.is, c)
		}
	}
	return clean
}

type cleaned struct {
	text string
	is   []error
}

func (c *cleaned) Error() string   { return c.text }
func (c *cleaned) Unwrap() []error { return c.is }
