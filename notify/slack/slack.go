// Package slack sends messages to channels of Slack, in one of two ways. An endpoint
// whose secrets have the role "url" is an incoming webhook: the whole address is the
// secret, and the channel is the webhook's own. One with the role "token" is an app that
// calls chat.postMessage: To of the endpoint, or of the rule's target, is the channel's
// id or name, and URL may name another address of the method, such as that of GovSlack.
// Of several references of a role the first is used.
//
// What a message holds is put where Slack takes it as text: in plain_text and in
// rich_text elements, which know no markup. Only the parts of templates are mrkdwn, and
// these are escaped by package template. Names are not linked, and links not unfurled.
//
// Slack has no idempotency key. The delivery's id is the message's metadata (event type
// "stella_delivery", with chat.postMessage), the id of its last block, and shown in its
// last line: whoever sees a message twice can tell that it is one. A payload is fixed
// when it is rendered, so a repetition looks no different.
//
// Slack takes about one message a second in a channel: see [DefaultPace].
package slack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
	"github.com/stella-ops/stella/notify/internal/post"
	"github.com/stella-ops/stella/notify/template"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
)

// Type is the type of endpoints that this package opens.
const Type = "slack"

// DefaultURL is the method of Slack that takes messages, where the endpoint names none.
const DefaultURL = "https://slack.com/api/chat.postMessage"

// DefaultPace is the least time between two messages to a channel that Slack asks for
// (docs.slack.dev, "Rate limits"). An endpoint whose Pace is "" has it.
const DefaultPace = time.Second

// Options say how Slack is reached. Nil is the default: public addresses alone, and no
// secrets.
type Options struct {
	// Secret gives what a reference stands for. Nil: every secret is refused.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport sends requests. Nil: the strict door for targets of notifications.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one request with its answer; 0 is 20 s
}

// channel is an endpoint of Slack.
type channel struct {
	webhook bool
	secret  string // reference
	url     string // "" for a webhook's
	to      string
	library *template.Library
	client  post.Client
	read    func(ctx context.Context, ref string) ([]byte, error)
}

// Open opens an endpoint of type "slack" with a tenant's templates for it. Nothing is
// sent and no secret is read. An error wraps ErrInvalid, or ErrUnsupported for another
// type.
func Open(e *notify.Endpoint, templates []notify.Template, o *Options) (notify.Channel, error) {
	if o == nil {
		o = &Options{}
	}
	if e.Type != Type {
		return nil, fmt.Errorf("endpoint %.80q: type %.40q is not %q: %w", e.ID, e.Type, Type, ErrUnsupported)
	}
	c := &channel{client: post.Client{Transport: o.Transport, Now: o.Now, Timeout: o.Timeout}, read: o.Secret, to: e.To}
	if err := c.address(e); err != nil {
		return nil, fmt.Errorf("endpoint %.80q: %w", e.ID, err)
	}
	lib, err := template.NewLibrary(Type, Parts(), templates)
	if err != nil {
		return nil, fmt.Errorf("endpoint %.80q: %w", e.ID, err)
	}
	c.library = lib
	return c, nil
}

// address reads which of the two ways an endpoint is, and where it leads.
func (c *channel) address(e *notify.Endpoint) error {
	var err error
	if c.webhook, c.secret, err = chat.Way(e, "webhook", "of an app"); err != nil || c.webhook {
		return err
	}
	if e.To != "" && !isChannel(e.To) {
		return fmt.Errorf("to %.80q is no channel's id or name: %w", e.To, ErrInvalid)
	}
	c.url = DefaultURL
	if e.URL != "" {
		if !isWeb(e.URL) {
			return fmt.Errorf("url %.80q is no address of the web: %w", e.URL, ErrInvalid)
		}
		c.url = e.URL
	}
	return nil
}

// channelName is a channel's id, such as "C024BE91L", or its name, with "#" or without.
var channelName = lazyre.New(`^#?[\pL\pM\pN][\pL\pM\pN_-]{0,79}$`)

func isChannel(s string) bool { return channelName.Get().MatchString(s) }

// isWeb says whether something may be asked there. Whether it is allowed is the door's to
// say.
func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == ""
}
