package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// answer is a refusal. Its text has the status alone: the rest of an answer is
// a stranger's text.
type answer struct {
	status int
	wait   time.Duration // as the answer asks, 0 for nothing
	busy   bool          // the host says "later" with this status
}

// Error says what was answered.
func (a *answer) Error() string {
	return fmt.Sprintf("answered %d %s", a.status, http.StatusText(a.status))
}

// Is reports whether target is the answer's kind.
func (a *answer) Is(target error) bool { return target == a.kind() }

func (a *answer) kind() fault.Kind {
	switch s := a.status; {
	case a.busy, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return fault.Unavailable
	case s == http.StatusNotFound, s == http.StatusGone:
		return fault.NotFound
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired, s == http.StatusUnavailableForLegalReasons:
		return fault.Forbidden
	}
	return fault.Invalid
}

// wireError turns an error of the network stack into one of ours, with texts
// that a server has no part in.
func wireError(err error) error {
	var refusal *netguard.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	for _, done := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, done) {
			return done
		}
	}
	for ue := (*url.Error)(nil); errors.As(err, &ue); {
		err = ue.Err
	}
	if fault.KindOf(err) != "" {
		return err
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	var dns *net.DNSError
	var timeout net.Error
	reason := "the answer is broken"
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("the server's certificate is not trusted: %w", fault.Forbidden)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the server does not speak TLS: %w", fault.Forbidden)
	case errors.As(err, &dns):
		reason = "the host " + dns.Name + " could not be looked up"
	case errors.As(err, &op):
		reason = op.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		reason = "the connection ended too early"
	case errors.As(err, &timeout) && timeout.Timeout():
		reason = "the server did not answer in time"
	}
	return fmt.Errorf("%s: %w", reason, fault.Unavailable)
}
