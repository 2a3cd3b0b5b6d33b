package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// answer is a registry's refusal. Its text has the status and the code, if that
// is one of the distribution-spec: the rest of an answer is a stranger's text,
// and can be an echo of what was sent.
type answer struct {
	status     int
	code       string
	retryAfter int // seconds
}

// Error says what the registry answered and what that means.
func (a *answer) Error() string {
	s := fmt.Sprintf("answered %d", a.status)
	if text := http.StatusText(a.status); text != "" {
		s += " " + text
	}
	if a.code != "" {
		s += " (" + a.code + ")"
	}
	if a.kind() == fault.Unauthenticated {
		s += ": there is no such image, or its credentials are missing or wrong"
	}
	return s
}

// Is reports whether target is the answer's kind.
func (a *answer) Is(target error) bool { return target == a.kind() }

func (a *answer) kind() fault.Kind {
	switch {
	case a.status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case a.status == http.StatusForbidden:
		return fault.Forbidden
	case a.status == http.StatusNotFound:
		return fault.NotFound
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooManyRequests, a.status >= 500:
		return fault.Unavailable
	case a.status == http.StatusRequestEntityTooLarge:
		return fault.Limit
	}
	return fault.Invalid
}

// codes are the error codes of the OCI distribution-spec and Docker's registry.
var codes = map[string]bool{
	"BLOB_UNKNOWN": true, "BLOB_UPLOAD_INVALID": true, "BLOB_UPLOAD_UNKNOWN": true, "DIGEST_INVALID": true,
	"MANIFEST_BLOB_UNKNOWN": true, "MANIFEST_INVALID": true, "MANIFEST_UNKNOWN": true, "MANIFEST_UNVERIFIED": true,
	"NAME_INVALID": true, "NAME_UNKNOWN": true, "SIZE_INVALID": true, "TAG_INVALID": true, "UNAUTHORIZED": true,
	"DENIED": true, "UNSUPPORTED": true, "TOOMANYREQUESTS": true, "UNAVAILABLE": true, "UNKNOWN": true,
}

// statusError reads an answer that is not a success.
func statusError(resp *http.Response) error {
	a := &answer{status: resp.StatusCode, retryAfter: retryAfter(resp.Header)}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxSmall))
	if err != nil {
		return a
	}
	var said struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(b, &said) == nil && len(said.Errors) > 0 && codes[said.Errors[0].Code] {
		a.code = said.Errors[0].Code
	}
	return a
}

// wireError turns an error of the network stack or of the registry library into
// one of ours. Only texts that a server has no part in are kept.
func wireError(err error) error {
	if known := ours(err); known != nil {
		return known
	}
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var expired x509.CertificateInvalidError
	if errors.As(err, &certificate) || errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &expired) {
		return fmt.Errorf("the server's certificate is not trusted (%s); authorities of your own can be added: %w", certificateReason(err), fault.Forbidden)
	}
	var status *transport.Error
	if errors.As(err, &status) {
		a := &answer{status: status.StatusCode}
		if len(status.Errors) > 0 && codes[string(status.Errors[0].Code)] {
			a.code = string(status.Errors[0].Code)
		}
		return a
	}
	return networkError(err)
}

// ours finds an error that this module or the caller's context made.
func ours(err error) error {
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
	return nil
}

func certificateReason(err error) string {
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return "signed by an unknown authority"
	case errors.As(err, &hostname):
		return "made for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid"
	}
	return "invalid"
}

// errNoTLS is why an encrypted connection to a server without TLS fails.
var errNoTLS = fmt.Errorf("the server does not speak TLS, and plain http was not asked for: %w", fault.Forbidden)

// networkError names the reasons that come from this machine, or from protocols
// whose texts are fixed.
func networkError(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var timeout net.Error
	reason := "the answer is broken"
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return errNoTLS
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("there is no host %s: %w", dns.Name, fault.NotFound)
	case errors.As(err, &dns):
		reason = "the host " + dns.Name + " could not be looked up"
	case errors.As(err, &alert):
		reason = alert.Error()
	case errors.As(err, &op):
		reason = op.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		reason = "the connection ended too early"
	case errors.As(err, &timeout) && timeout.Timeout():
		reason = "the server did not answer in time"
	}
	return fmt.Errorf("%s: %w", reason, fault.Unavailable)
}
