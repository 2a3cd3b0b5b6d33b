// Package channels opens the endpoints of all channels of the SDK, and says at once what
// is wrong with an endpoint or a template that is to be kept.
//
// What is reached lies in public networks, or is listed by the operator. It is judged
// when an endpoint is opened, as far as its text goes, and again by the address of every
// connection that is made: a name can lead elsewhere meanwhile. A URL that is a secret is
// judged when it is used.
package channels

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/post"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrForbidden   error = fault.Forbidden
	ErrLimit       error = fault.Limit
)

// Options say how endpoints are reached. Nil is the default: public addresses alone, and
// no secrets.
type Options struct {
	// Secret gives what a reference of a tenant stands for. Whoever wrote the reference
	// chose the address as well: it must give only what belongs to that tenant. Nil:
	// every secret is refused.
	Secret func(ctx context.Context, tenant, ref string) ([]byte, error)
	// Transport and DialContext replace those of the strict door; then no address is
	// judged any more. DialContext is for mail.
	Transport   http.RoundTripper
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Allow lists hosts that may be reached wherever they lie, such as a mail server of
	// the own network: a name, "*.example.org" for those below one, an address or a
	// prefix such as "10.1.0.0/16"; a name or an address with or without a port. Without
	// encryption only hosts of this list are reached, and mail servers where the endpoint asks for
	// that as well. Ports
	// of other services (for the web below 1024 all but 80 and 443, and those of
	// databases, queues and controls; for mail all but 25, 465, 587 and 2525) need an
	// entry with the port. Addresses of clouds' metadata, and other special ones, need an
	// entry that is the address.
	Allow   []string
	Now     func() time.Time // nil is time.Now
	Timeout time.Duration    // of one attempt; 0 is the default of each channel
}

// Opener returns what opens endpoints of a tenant, for a notify.Router and a
// notify.Deliverer. What it returns is safe for concurrent use. Its errors are those of
// CheckEndpoint, and those about templates.
func Opener(tenant string, o *Options) notify.Opener {
	b, err := o.compile(tenant)
	return func(e *notify.Endpoint, templates []notify.Template) (notify.Channel, error) {
		if err != nil {
			return nil, err
		}
		return b.open(e, templates)
	}
}

// doors are compiled Options for one tenant.
type doors struct {
	Options
	secret func(ctx context.Context, ref string) ([]byte, error)
	web    *netguard.Door // nil where Transport is in its place; mail has its own
}

func (o *Options) compile(tenant string) (*doors, error) {
	b := &doors{}
	if o != nil {
		b.Options = *o
	}
	if get := b.Secret; get != nil {
		b.secret = func(ctx context.Context, ref string) ([]byte, error) { return get(ctx, tenant, ref) }
	}
	var err error
	if b.Transport == nil {
		if b.web, err = netguard.Target(b.Allow...).Door(); err != nil {
			return nil, fmt.Errorf("hosts that may be reached: %w", err)
		}
		if b.Transport, err = post.Door(b.Allow...); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// open judges an endpoint and opens it.
func (b *doors) open(e *notify.Endpoint, templates []notify.Template) (notify.Channel, error) {
	c, ok := kinds[e.Type]
	if !ok {
		return nil, fmt.Errorf("endpoint %.80q: type %.40q: it is none of %s: %w", e.ID, e.Type, typeNames(), fault.Unsupported)
	}
	if err := c.check(b, e); err != nil {
		return nil, fmt.Errorf("endpoint %.80q: %w", e.ID, err)
	}
	return c.open(b, e, templates)
}
