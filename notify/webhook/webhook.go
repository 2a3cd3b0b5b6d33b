// Package webhook is the generic channel: a POST of a CloudEvents 1.0.2 event in JSON,
// signed by Standard Webhooks 1.0.0.
//
// # What is sent
//
// The body is an [Event] as canonical JSON (RFC 8785), of media type
// application/cloudevents+json. Its data is the message, as in notify.Message; total says
// how many notices there are, of which the first are listed, as many as fit, and link leads
// to all of them. The specification advises 20 kB; the default here is [DefaultMaxBody],
// because a list that is cut is worth less, and the endpoint's option "max_bytes" sets
// another bound.
//
// webhook-id is the delivery's id: the same for each attempt, and the event's id.
// webhook-timestamp is the second of the attempt. webhook-signature has a signature for
// each reference of the secret "signing": two while one key takes over from another. What
// the receiver may have got before has the header "stella-possible-duplicate: true".
//
// # What answers mean
//
// 2xx is success. 410 means that the endpoint is to be used no longer. 413 is final,
// because what is sent never changes. Everything else is tried again, redirections
// included, which are not followed.
//
// # Endpoints
//
// URL is the address, or the secret "url" where the address is one; "signing" is needed.
// To is empty. The option "source" replaces the event's source. Templates are not used: what
// is sent is for programs.
//
// A receiver checks what it gets by [Verify].
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/post"
	"github.com/stella-ops/stella/notify/internal/secret"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrForbidden       error = fault.Forbidden
	ErrLimit           error = fault.Limit
	ErrUnauthenticated error = fault.Unauthenticated
	ErrUnavailable     error = fault.Unavailable
)

// Type is the type of endpoints that this package opens.
const Type = "webhook"

// Bounds of a body, in bytes.
const (
	DefaultMaxBody = 256 << 10
	MinMaxBody     = 8 << 10 // of the option "max_bytes"
)

// Headers of a webhook, beside those of the specification.
const (
	HeaderDuplicate = "stella-possible-duplicate"
	HeaderAttempt   = "stella-attempt"
)

// MediaType is what is sent.
const MediaType = "application/cloudevents+json"

// Options say how an endpoint is reached. Nil is the default: public addresses alone, and
// no secrets, so nothing can be sent.
type Options struct {
	// Secret gives what a reference stands for.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport replaces that of the strict door: no address is judged any more.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one attempt; 0 is 20 s
}

type channel struct {
	endpoint string
	url      string // "" where it is a secret
	source   string // "" for that of the tenant
	max      int
	secrets  secret.Reader
	post     post.Client
	now      func() time.Time
}

// Open opens an endpoint. An error wraps ErrInvalid for one that is none, ErrUnsupported for
// another type, ErrForbidden for an address of another scheme than http and https. The
// strict door takes https alone.
func Open(e *notify.Endpoint, _ []notify.Template, o *Options) (notify.Channel, error) {
	if o == nil {
		o = new(Options)
	}
	c := &channel{
		endpoint: e.ID, url: e.URL, max: DefaultMaxBody, now: o.Now,
		secrets: secret.Reader{Read: o.Secret, Refs: e.Secrets},
		post:    post.Client{Transport: o.Transport, Now: o.Now, Timeout: o.Timeout},
	}
	if c.now == nil {
		c.now = time.Now
	}
	if err := c.configure(e); err != nil {
		return nil, fmt.Errorf("open the endpoint %.80q: %w", e.ID, err)
	}
	return c, nil
}

func (c *channel) configure(e *notify.Endpoint) error {
	if e.Type != Type {
		return fmt.Errorf("its type %.40q is not %q: %w", e.Type, Type, fault.Unsupported)
	}
	for role := range e.Secrets {
		if role != "url" && role != "signing" {
			return fmt.Errorf("it has no secret %.40q: want url or signing: %w", role, fault.Invalid)
		}
	}
	if e.To != "" {
		return fmt.Errorf("a webhook has no addresses: its to is not empty: %w", fault.Invalid)
	}
	if (e.URL == "") == (e.Secrets["url"] == "") {
		return fmt.Errorf("it has an URL, or a secret %q that is one: %w", "url", fault.Invalid)
	}
	if err := c.secrets.Check("url", 0, 1); err != nil {
		return err
	}
	if err := c.secrets.Check("signing", 1, secret.Max); err != nil {
		return err
	}
	if e.URL != "" {
		if _, err := netguard.ParseTarget(e.URL); err != nil {
			return err
		}
	}
	for name, value := range e.Options {
		switch name {
		case "source":
			if u, err := url.Parse(value); err != nil || value == "" || len(value) > maxSource || u.User != nil {
				return fmt.Errorf("its option %q is no URI reference of up to %d bytes: %w", name, maxSource, fault.Invalid)
			}
			c.source = value
		case "max_bytes":
			n, err := strconv.Atoi(value)
			if err != nil || n < MinMaxBody || n > notify.MaxPayload {
				return fmt.Errorf("its option %q is no number of %d to %d: %w", name, MinMaxBody, notify.MaxPayload, fault.Invalid)
			}
			c.max = n
		default:
			return fmt.Errorf("it has no option %.40q: want source or max_bytes: %w", name, fault.Invalid)
		}
	}
	return nil
}

// Render makes the event.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	body, notes, err := c.render(m)
	if err != nil {
		return nil, fmt.Errorf("render the message %.80q for the endpoint %.80q: %w", m.ID, c.endpoint, err)
	}
	return &notify.Payload{MediaType: MediaType, Body: body, Notes: notes}, nil
}

func (c *channel) render(m *notify.Message) ([]byte, []string, error) {
	if m.To != "" {
		return nil, nil, fmt.Errorf("a webhook has no addresses: %w", fault.Invalid)
	}
	return render(m, c.source, c.max)
}

// Send signs and posts it.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	address, keys, err := c.reveal(ctx)
	if err != nil {
		return nil, err
	}
	signed, err := webhooksig.Sign(keys, d.ID, c.now(), d.Payload.Body)
	if err != nil {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: err.Error(), Err: err}
	}
	h := http.Header{}
	h.Set("Content-Type", d.Payload.MediaType)
	h.Set(webhooksig.HeaderID, signed.ID)
	h.Set(webhooksig.HeaderTimestamp, signed.Timestamp)
	h.Set(webhooksig.HeaderSignature, signed.Signature)
	h.Set(HeaderAttempt, strconv.Itoa(d.Attempt))
	if d.Duplicate {
		h.Set(HeaderDuplicate, "true")
	}
	answer, err := c.post.Do(ctx, &post.Request{URL: address, Header: h, Body: d.Payload.Body})
	if err != nil {
		return nil, err
	}
	if f := c.post.Judge(answer, false); f != nil {
		f.Permanent = f.Permanent || f.Status == http.StatusRequestEntityTooLarge
		return nil, f
	}
	return &notify.Receipt{Status: answer.Status, Answer: answer.Digest}, nil
}

// reveal reads the secrets. A key that cannot be read is no signature less: the receiver
// might know that one alone.
func (c *channel) reveal(ctx context.Context) (string, []*webhooksig.Key, error) {
	address := c.url
	if address == "" {
		var err error
		if address, err = c.secrets.One(ctx, "url"); err != nil {
			return "", nil, err
		}
	}
	texts, err := c.secrets.All(ctx, "signing")
	if err != nil {
		return "", nil, err
	}
	var keys []*webhooksig.Key
	for _, text := range texts {
		k, err := webhooksig.ParseKey(text)
		if err == nil && !k.Signs() {
			err = fmt.Errorf("a public key does not sign: %w", fault.Invalid)
		}
		if err != nil {
			return "", nil, &notify.Failure{Sent: notify.No, Reason: "the endpoint's secret \"signing\": " + err.Error(), Err: err}
		}
		keys = append(keys, k)
	}
	return address, keys, nil
}
