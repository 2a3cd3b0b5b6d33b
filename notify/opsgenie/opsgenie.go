// Package opsgenie opens alerts of Opsgenie, by its Alert API v2.
//
// Messages of one group are one alert while that is open: the alias follows from the
// group, so a message that comes twice only counts up. The delivery's id is among the
// details.
//
// An endpoint has the secret "api_key", of an integration of type API. URL is empty or
// another host, such as https://api.eu.opsgenie.com for accounts in Europe. To is empty or
// who responds: "team:NAME", "user:NAME", "schedule:NAME" or "escalation:NAME".
//
// Opsgenie shows some markup of HTML where it may occur in texts: there are no angle
// brackets in what is sent, but characters that look like them.
//
// 2xx is success: the alert is made later, and the receipt's reference is the id of the
// request, by which Opsgenie says what came of it. 429 and 5xx are tried again, after the
// time that the answer names; 422 and other statuses of 4xx are final, except for those
// that are about the moment.
package opsgenie

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

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
const Type = "opsgenie"

// DefaultURL is where alerts go; an endpoint's URL without a path gets this one's.
const DefaultURL = "https://api.opsgenie.com/v2/alerts"

// The limits of the Alert API, in characters.
const (
	MaxMessage     = 130
	MaxDescription = 15_000
	MaxTags        = 20
	MaxTag         = 50
	MaxDetails     = 8000 // all of them
)

// MaxBody bounds an alert, in bytes: no limit of Opsgenie, but what follows from those.
const MaxBody = 128 << 10

// Options say how Opsgenie is reached. Nil is the default: public addresses alone, and no
// secrets, so nothing can be sent.
type Options struct {
	// Secret gives what a reference stands for.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport replaces that of the strict door: no address is judged any more.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one attempt; 0 is 20 s
}

// Parts are the texts that templates may replace. What is affected follows the
// description.
func Parts() []template.Part {
	return []template.Part{
		{Name: "message", Escape: template.Line, Max: 3 * MaxMessage, Text: `{{.Title}}`},
		{Name: "description", Escape: template.Plain, Max: MaxDescription / 2, Text: defaultDescription},
	}
}

const defaultDescription = `
{{- if eq .Kind "escalation"}}Nobody has taken note of this yet.
{{else if eq .Kind "test"}}This is a test: the endpoint works. Nothing happened.
{{end}}
{{- range .Why}}Why: {{.}}
{{end}}
{{- if .Link}}The whole list: {{.Link}}
{{end}}
{{- if .AckLink}}Acknowledge in stella: {{.AckLink}}
{{end}}`

type channel struct {
	endpoint string
	url      string
	to       string
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
	c := &channel{endpoint: e.ID, to: e.To, secrets: secret.Reader{Read: o.Secret, Refs: e.Secrets}, post: post.Client{Transport: o.Transport, Now: o.Now, Timeout: o.Timeout}}
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
	if _, err := responderOf(e.To); err != nil {
		return err
	}
	for role := range e.Secrets {
		if role != "api_key" {
			return fmt.Errorf("it has no secret %.40q: want %q: %w", role, "api_key", fault.Invalid)
		}
	}
	for name := range e.Options {
		return fmt.Errorf("it has no option %.40q: %w", name, fault.Invalid)
	}
	if err := c.secrets.Check("api_key", 1, 1); err != nil {
		return err
	}
	var err error
	c.url, err = addressOf(e.URL)
	return err
}

// addressOf is where alerts go: an URL without a path is a host of theirs.
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

// Send sends an alert. The key is in a header.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	key, err := c.secrets.One(ctx, "api_key")
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {d.Payload.MediaType}, "Authorization": {"GenieKey " + key}}
	answer, err := c.post.Do(ctx, &post.Request{URL: c.url, Header: h, Body: d.Payload.Body, ShowHost: true})
	if err != nil {
		return nil, err
	}
	if f := c.post.Judge(answer, true); f != nil {
		if f.After == 0 && f.Status == http.StatusTooManyRequests {
			f.After = period(answer.Header)
		}
		return nil, f
	}
	return &notify.Receipt{Status: answer.Status, Answer: answer.Digest, Reference: requestID(answer.Body)}, nil
}

// period is how long a limit holds that was reached: a second or a minute.
func period(h http.Header) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(h.Get("X-RateLimit-Period-In-Sec")))
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// uuid is the form of a request's id: whatever else a receiver says is not shown.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func requestID(body []byte) string {
	var answer struct {
		RequestID string `json:"requestId"`
	}
	if json.Unmarshal(body, &answer) != nil || !uuid.MatchString(answer.RequestID) {
		return ""
	}
	return answer.RequestID
}
