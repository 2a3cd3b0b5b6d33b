package post

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
)

// notSent is the failure of a request that was not made for what it says.
func notSent(r *Request, err error) *notify.Failure {
	kind := fault.KindOf(err)
	if kind == "" {
		kind = fault.Invalid
	}
	return &notify.Failure{Sent: notify.No, Permanent: true, Reason: at(r) + err.Error(), Err: kind}
}

// failure says why a round trip failed, in words of its own: errors of the network name
// URLs, hosts and what receivers sent. Sent is No for what can only come before a
// connection.
func failure(r *Request, err error, outer context.Context) *notify.Failure {
	f := &notify.Failure{Err: fault.Unavailable}
	var refusal *netguard.Refusal
	var name *net.DNSError
	var op *net.OpError
	var limit *fault.LimitError
	switch {
	case errors.As(err, &refusal):
		f.Sent, f.Permanent, f.Err = notify.No, true, fault.Forbidden
		f.Reason = fmt.Sprintf("refused by the %s network policy: %s", refusal.Policy, refusal.Rule)
	case outer.Err() != nil:
		f.Reason, f.Err = "the attempt was ended", outer.Err()
	case errors.As(err, &name):
		f.Sent, f.Reason = notify.No, "the host's name could not be resolved"
		if name.IsNotFound {
			f.Reason = "the host's name is not known"
		}
	case errors.Is(err, context.DeadlineExceeded) || timeout(err):
		f.Reason = "no answer in time"
	case errors.As(err, &op) && op.Op == "dial":
		f.Sent, f.Reason = notify.No, "no connection"+because(err)
	case errors.As(err, &limit):
		f.Reason = "the answer is too large"
	default:
		f.Reason = handshake(err)
	}
	f.Reason = at(r) + f.Reason
	return f
}

// handshake says what is wrong with the receiver's side of TLS, else that the connection
// broke off.
func handshake(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		unknown     x509.UnknownAuthorityError
		name        x509.HostnameError
		invalid     x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "the receiver's certificate is of an unknown authority"
	case errors.As(err, &name):
		return "the receiver's certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the receiver's certificate is expired or not yet valid"
	case errors.As(err, &certificate), errors.As(err, &invalid):
		return "the receiver's certificate is not valid"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the receiver does not speak TLS"
	case errors.As(err, &alert):
		return "the TLS handshake failed"
	}
	return "the connection broke off" + because(err)
}

// because names the error of the operating system, which has a fixed text.
func because(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return ": " + no.Error()
	}
	return ""
}

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// at begins a reason: with the origin of the request where that may be shown.
func at(r *Request) string {
	u, err := url.Parse(r.URL)
	if !r.ShowHost || err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.Scheme + "://" + u.Host + ": "
}

// field refuses what is no header field (RFC 9110, section 5.5), without showing its value.
func field(name string, values []string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) {
		return fmt.Errorf("a header's name is none: %w", fault.Invalid)
	}
	for _, v := range values {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("header %.40s: the value has control characters: %w", name, fault.Invalid)
		}
	}
	return nil
}
