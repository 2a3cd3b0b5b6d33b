// Package email sends notifications by SMTP: one mail for all addresses of a delivery, as
// text and as HTML, over TLS.
//
// What Render returns is the whole message of RFC 5322, and Send sends those bytes and no
// others. They are of 7 bits and short lines, so no server has to change them. Message-ID
// is made of the delivery's id and is the same however often it is sent. Mails with the
// same group key refer to the same message, which nobody sent: clients show them as one
// thread. List-Id names the rule, for filters of readers and so that machines that answer
// mail leave it alone (RFC 3834). There is no Precedence: it is in no standard, and alerts
// are to be read.
//
// An endpoint's URL is "smtps://host:port" (TLS from the start, port 465 if none is given)
// or "smtp://host:port" (STARTTLS, 587). To is its addresses, separated by commas.
//
// Its options are "from" (needed), "reply_to", "helo" (how it greets; the domain of from
// if missing), "auth" and "tls". Auth is "auto" (the best that the server offers, the
// default), "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2" or
// "none". TLS is "required" (the default); "opportunistic" (if the server offers it) and
// "none" are refused unless the operator lists the host in Options.Allow. Certificates are
// always verified.
//
// The secret "password" is a password, or a token for xoauth2, with the secret "username"
// beside it; alone it is "user:password". Without secrets nobody logs in. Secrets do not
// go over a connection without TLS, except to this machine where it is listed.
//
// What may have been received is sent again with the same Message-ID, by which many servers
// drop the second; the bytes are the same, so nothing in it says that it may be the second.
//
// A delivery that some addresses are refused of is delivered: the others have it, and
// another attempt would send it to them again. The receipt names those that were refused.
package email

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrForbidden   error = fault.Forbidden
	ErrLimit       error = fault.Limit
)

// Type is of the endpoints that this package opens.
const Type = "email"

// The bounds.
const (
	MaxRecipients = 50       // of an endpoint
	MaxAddress    = 254      // bytes of one address (RFC 5321, 4.5.3.1)
	MaxName       = 128      // bytes of the name beside it
	MaxPasswords  = 3        // while one takes over from another
	MaxReply      = 64 << 10 // bytes of one answer of a server
)

// DefaultTimeout is how long an attempt may take, StepTimeout how long one answer may, and
// FinalTimeout the one after the message, before which servers look at what is in it. The
// context may end earlier: notify.Deliverer has a Timeout of its own.
const (
	DefaultTimeout = 60 * time.Second
	StepTimeout    = 15 * time.Second
	FinalTimeout   = 40 * time.Second
)

// Options say how mail is sent. Nil is the default: to public addresses alone, and no
// secrets.
type Options struct {
	// Secret gives what a reference stands for. Nil: every secret is refused.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// DialContext connects, and replaces the strict door: no address is judged then. Nil:
	// the door, which reaches public addresses, at the ports of mail.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Allow lists hosts, each with or without a port, that may be reached wherever they
	// lie, and that may be spoken to without TLS where an endpoint asks for that.
	Allow []string
	// Roots are the authorities of servers' certificates; nil is the system's.
	Roots *x509.CertPool
	// Now judges certificates; nil is time.Now.
	Now func() time.Time
	// Timeout is of one attempt; 0 is DefaultTimeout.
	Timeout time.Duration
}

// channel is one endpoint. It is immutable and safe for concurrent use.
type channel struct {
	endpoint
	library func() (*template.Library, error)
	o       Options
}

// Open opens an endpoint with the tenant's templates. Nothing is sent and no secret is
// read. An error wraps ErrInvalid, ErrUnsupported for an endpoint of another type,
// ErrForbidden for an address that may not be reached or a missing encryption that the
// operator does not allow, ErrLimit for too many addresses.
func Open(e *notify.Endpoint, templates []notify.Template, o *Options) (notify.Channel, error) {
	if e.Type != Type {
		return nil, fmt.Errorf("endpoint %.80q: type %.40q is not %q: %w", e.ID, e.Type, Type, ErrUnsupported)
	}
	c := &channel{}
	if o != nil {
		c.o = *o
	}
	parsed, err := parseEndpoint(e)
	if err != nil {
		return nil, fmt.Errorf("endpoint %.80q: %w", e.ID, err)
	}
	c.endpoint = *parsed
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("endpoint %.80q: %w", e.ID, err)
	}
	c.library = sync.OnceValues(func() (*template.Library, error) { return template.NewLibrary(Type, Parts(), templates) })
	if len(templates) > 0 { // else whoever only sends need not wait for what it will not use
		if _, err := c.library(); err != nil {
			return nil, fmt.Errorf("endpoint %.80q: templates: %w", e.ID, err)
		}
	}
	return c, nil
}

// complete sets the options that are missing, and asks the strict door about the host.
func (c *channel) complete() error {
	if c.o.Timeout <= 0 {
		c.o.Timeout = DefaultTimeout
	}
	door, err := netguard.MailTarget(c.o.Allow...).Door()
	if err != nil {
		return err
	}
	host := net.JoinHostPort(c.host, c.port)
	if c.security != tlsRequired {
		// Of the web the door lets only hosts that are listed go without encryption, and so
		// it is with mail.
		if err := door.CheckURL(&url.URL{Scheme: "http", Host: host}); err != nil {
			return fmt.Errorf("option tls: %q: the operator has not listed the host: %w", c.security, err)
		}
	}
	if c.o.DialContext != nil {
		return nil
	}
	c.o.DialContext = door.DialContext
	return door.CheckURL(&url.URL{Scheme: "https", Host: host})
}
