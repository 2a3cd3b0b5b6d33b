// Package pagerduty opens alerts of PagerDuty, by its Events API v2.
//
// Messages of one group are one alert while that is open: the dedup_key follows from the
// group, so a message that comes twice changes nothing. The delivery's id is among the
// custom details.
//
// An endpoint has the secret "routing_key", the 32 characters of an integration. URL is
// empty or another host, such as https://events.eu.pagerduty.com for accounts in Europe.
// There is no address: To is empty.
//
// 2xx is success. 429 and 5xx are tried again; 400 and other statuses of 4xx are final,
// except for those that are about the moment.
package pagerduty

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/post"
	"github.com/stella-ops/stella/notify/internal/secret"
	"github.com/stella-ops/stella/notify/template"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrForbidden   error = fault.Forbidden
)

// Type is the type of endpoints that this package opens.
const Type = "pagerduty"

// DefaultURL is where events go; an endpoint's URL without a path gets this one's.
const DefaultURL = "https://events.pagerduty.com/v2/enqueue"

// The limits of the Events API v2.
const (
	MaxBody    = 512_000 // bytes of an event
	MaxSummary = 1024    // characters
)

// Options say how PagerDuty is reached. Nil is the default: public addresses alone, and no
// secrets, so nothing can be sent.
type Options struct {
	// Secret gives what a reference stands for.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport replaces that of the strict door: no address is judged any more.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one attempt; 0 is 20 s
}

// Parts are the texts that templates may replace. "details" is one of the custom details.
func Parts() []template.Part {
	return []template.Part{
		{Name: "summary", Escape: template.Line, Max: MaxSummary, Text: `{{.Title}}`},
		{Name: "details", Escape: template.Plain, Max: 16 << 10, Text: defaultDetails},
	}
}

// defaultDetails says what the summary does not. What is affected is listed beside it.
const defaultDetails = `
{{- if eq .Kind "escalation"}}Nobody has taken note of this yet.
{{- else if eq .Kind "test"}}This is a test: the endpoint works. Nothing happened.
{{- end}}`

type channel struct {
	endpoint string
	url      string
	library  *template.Library
	secrets  secret.Reader
	post     post.Client
}

// Open opens an endpoint with a tenant's templates. An error wraps ErrInvalid for one that
// is none, ErrUnsupported for another type, ErrForbidden for an address of another scheme
// than http and https.
func Open(e *notify.Endpoint, templates []notify.Template, o *Options) (notify.Channel, error) {
	if o == nil {
		o = new(Options)
	}
	c := &channel{endpoint: e.ID, secrets: secret.Reader{Read: o.Secret, Refs: e.Secrets}, post: post.Client{Transport: o.Transport, Now: o.Now, Timeout: o.Timeout}}
	err := c.configure(e)
	if err == nil {
		c.library, err = template.NewLibrary(Type, Parts(), templates)
	}
	if err != nil {
		return nil, fmt.Errorf("open the endpoint %.80q: %w", e.ID, err)
	}
	return c, nil
}

func (c *channel) configure(e *notify.Endpoint) error {
	if e.Type != Type {
		return fmt.Errorf("its type %.40q is not %q: %w", e.Type, Type, fault.Unsupported)
	}
	if e.To != "" {
		return fmt.Errorf("an integration has no addresses: its to is not empty: %w", fault.Invalid)
	}
	for role := range e.Secrets {
		if role != "routing_key" {
			return fmt.Errorf("it has no secret %.40q: want %q: %w", role, "routing_key", fault.Invalid)
		}
	}
	for name := range e.Options {
		return fmt.Errorf("it has no option %.40q: %w", name, fault.Invalid)
	}
	if err := c.secrets.Check("routing_key", 1, 1); err != nil {
		return err
	}
	var err error
	c.url, err = addressOf(e.URL)
	return err
}

// addressOf is where events go: an URL without a path is a host of theirs.
func addressOf(text string) (string, error) {
	if text == "" {
		return DefaultURL, nil
	}
	u, err := netguard.ParseTarget(text)
	if err != nil {
		return "", err
	}
	if u.Path == "" || u.Path == "/" {
		standard, err := url.Parse(DefaultURL)
		if err != nil {
			return "", err
		}
		u.Path = standard.Path
	}
	return u.String(), nil
}

// Send sends an event with its key, which is no part of what is stored.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	key, err := c.secrets.One(ctx, "routing_key")
	if err != nil {
		return nil, err
	}
	body, err := withKey(d.Payload.Body, key)
	if err != nil {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: err.Error(), Err: err}
	}
	answer, err := c.post.Do(ctx, &post.Request{URL: c.url, Header: http.Header{"Content-Type": {d.Payload.MediaType}}, Body: body, ShowHost: true})
	if err != nil {
		return nil, err
	}
	if f := c.post.Judge(answer, true); f != nil {
		return nil, f
	}
	return &notify.Receipt{Status: answer.Status, Answer: answer.Digest}, nil
}

// withKey puts the routing key before the members of an event.
func withKey(event []byte, key string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(event, []byte(`{"`))
	if !ok {
		return nil, fmt.Errorf("the payload is no event: %w", fault.Invalid)
	}
	out, err := jsontext.AppendQuote([]byte(`{"routing_key":`), key)
	if err != nil {
		return nil, fmt.Errorf("the routing key is no text: %w", fault.Invalid)
	}
	return append(append(out, `,"`...), rest...), nil
}
