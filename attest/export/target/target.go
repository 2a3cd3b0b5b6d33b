// Package target opens the places that exports are pushed to, by their URLs:
//
//	file:FOLDER, file:///FOLDER   a folder
//	s3://BUCKET[/PREFIX]?endpoint=https://HOST&region=…
//	oci://REGISTRY/REPOSITORY     a registry: beside the image where it is in this
//	                              repository, and otherwise by itself
//	https://HOST/…                a webhook
//
// All of them know an export by its digest: pushing it again, after an answer that was
// lost or whatever else, makes no second one.
//
// # Registries
//
// What is about an image of the same repository is attached to it, as referrers: each
// statement of a bundle as a Sigstore bundle, which cosign finds, other documents as
// they are. Everything else is an artifact by itself, under the tag FORMAT-DIGEST.
//
// # Webhooks
//
// A webhook gets one POST with the document. Its headers say what it is: Content-Type,
// Content-Digest (RFC 9530), Idempotency-Key, which is the document's digest, and
// Stella-Tenant, Stella-Scan, Stella-Format, Stella-Subject and Stella-Image. With a
// secret it is signed by Standard Webhooks 1.0.0 (webhook-id, webhook-timestamp,
// webhook-signature: v1); webhook-id stays the same however often it is sent. Answers of
// 2xx are success. 408, 409, 425, 429 and 5xx are worth another try, others are not.
// Redirections are not followed.
package target

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/s3blob"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
)

// DefaultTimeout is how long a webhook may take to answer.
const DefaultTimeout = time.Minute

// The limits of what a webhook answers with, in bytes.
const (
	MaxAnswer  = 64 << 10
	MaxReceipt = 500
)

// Options say what may be opened, and how. Nil is a service that works for others:
// public addresses alone, no folders, no credentials but those that a destination's
// secret names, and there are none.
type Options struct {
	// Local is for a person's own machine: folders may be written to, and the account's
	// own credentials are used for registries and buckets where there is no secret.
	Local bool
	// Secret gives what a reference stands for: for a webhook its signing secret
	// ("whsec_…" or any text), for s3 and oci "NAME:PASSWORD". Nil: every secret is
	// refused. Whoever wrote the reference chose the address as well, and a registry is
	// told the secret: a service resolves only what belongs to that tenant, never its own
	// environment.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Network is the rule for connections. Nil: that of services.
	Network *image.Network
	// Transport replaces the transport that Network describes: no address is judged any
	// more.
	Transport http.RoundTripper
	// PlainHTTP lets registries be spoken to without encryption. Those of this machine
	// may be in any case.
	PlainHTTP bool
	// Now is the clock of webhook-timestamp; nil is time.Now.
	Now func() time.Time
	// Timeout is how long a webhook may take; 0 is DefaultTimeout.
	Timeout time.Duration
	// UserAgent is sent to registries and webhooks; "" is "stella".
	UserAgent string
}

// Open opens a destination. Nothing is sent before something is pushed. An error wraps
// ErrInvalid for what is no place, ErrUnsupported for another scheme, ErrForbidden for
// one that may not be opened here, or is that of Options.Secret. Errors never show a
// secret.
func Open(ctx context.Context, d export.Destination, o *Options) (export.Target, error) {
	if o == nil {
		o = new(Options)
	}
	t, err := o.open(ctx, &d)
	if err != nil {
		return nil, fmt.Errorf("open the target %.80q: %w", d.Name, err)
	}
	return t, nil
}

func (o *Options) open(ctx context.Context, d *export.Destination) (export.Target, error) {
	u, err := url.Parse(d.URL)
	if err != nil || len(d.URL) > export.MaxURL {
		return nil, fmt.Errorf("its URL is none: %w", fault.Invalid) // what it says may be a secret
	}
	if u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("credentials are named by the secret, and there is no fragment: %w", fault.Invalid)
	}
	var secret []byte
	if d.Secret != "" {
		if o.Secret == nil {
			return nil, fmt.Errorf("no secrets are read here: %w", fault.Forbidden)
		}
		if secret, err = o.Secret(ctx, d.Secret); err != nil {
			return nil, fmt.Errorf("its secret: %w", err)
		}
	}
	switch u.Scheme {
	case "file":
		return o.folder(u, secret)
	case "s3":
		return o.bucket(ctx, u, secret)
	case "oci":
		return o.registry(u, secret)
	case "https":
		return o.webhook(u, secret)
	}
	return nil, fmt.Errorf("scheme %.20q: want https, s3, oci or file: %w", u.Scheme, fault.Unsupported)
}

func (o *Options) folder(u *url.URL, secret []byte) (export.Target, error) {
	dir := u.Opaque
	if dir == "" {
		dir = u.Path
	}
	switch {
	case !o.Local:
		return nil, fmt.Errorf("nothing is pushed to folders of this machine: %w", fault.Forbidden)
	case dir == "" || u.Host != "" || u.RawQuery != "" || secret != nil:
		return nil, fmt.Errorf("want file: and a folder, without host, query or secret: %w", fault.Invalid)
	}
	driver, err := blob.NewFile(dir)
	if err != nil {
		return nil, err
	}
	return &export.ToBucket{Driver: driver}, nil
}

// bucket opens a bucket of an S3 server. Without a secret the environment's credentials
// would be used, which are not those of whom a service works for.
func (o *Options) bucket(ctx context.Context, u *url.URL, secret []byte) (export.Target, error) {
	if secret == nil && !o.Local {
		return nil, fmt.Errorf("a bucket needs a secret, NAME:PASSWORD: %w", fault.Forbidden)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("want s3://BUCKET: %w", fault.Invalid)
	}
	if secret != nil {
		name, word, err := pair(secret)
		if err != nil {
			return nil, err
		}
		u.User = url.UserPassword(name, word)
	}
	endpoint, err := url.Parse(u.Query().Get("endpoint"))
	if err != nil || endpoint.Scheme == "http" && !o.Local {
		return nil, fmt.Errorf("its endpoint: want https://HOST: %w", fault.Invalid)
	}
	var named []string
	if endpoint.Host != "" {
		named = []string{endpoint.Host}
	}
	rt, err := o.transport(named...)
	if err != nil {
		return nil, err
	}
	driver, err := s3blob.Open(ctx, u.String(), &s3blob.Options{Transport: rt})
	if err != nil {
		return nil, err
	}
	return &export.ToBucket{Driver: driver}, nil
}

// pair reads NAME:PASSWORD.
func pair(secret []byte) (name, word string, err error) {
	name, word, ok := strings.Cut(strings.TrimSpace(string(secret)), ":")
	if !ok || name == "" || word == "" {
		return "", "", fmt.Errorf("its secret is not NAME:PASSWORD: %w", fault.Invalid)
	}
	return name, word, nil
}

func (o *Options) network() *image.Network {
	if o.Network != nil {
		return o.Network
	}
	return &image.Network{Policy: image.NetworkService}
}

func (o *Options) transport(named ...string) (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	return o.network().Transport(named...)
}

func (o *Options) agent() string {
	if o.UserAgent != "" {
		return o.UserAgent
	}
	return "stella"
}
