// Package teams sends messages to channels of Microsoft Teams, in one of two ways. An
// endpoint whose secrets have the role "url" is the webhook of a workflow ("When a Teams
// webhook request is received", then "Post card in a chat or channel"): the whole address
// is the secret, and the workflow knows the channel. One with the role "token" calls
// Microsoft Graph: To of the endpoint, or of the rule's target, is "TEAM/CHANNEL", the
// ids of both, and URL may name another service root than [DefaultURL], such as that of a
// national cloud. Graph takes only delegated tokens there (ChannelMessage.Send), which
// are valid for about an hour: whoever gives the secret renews it. Of several references
// of a role the first is used.
//
// A message is an Adaptive Card of version 1.4, which all clients of Teams show; nothing
// in it does more than open an address. What a message holds is put into text runs, which
// know no Markdown. FactSet is not used, for its values are Markdown and clients differ
// in what escapes they know. Only the parts of templates are Markdown, and these are
// escaped by package template.
//
// The answer of a workflow says that it took the message. What it does then cannot be
// seen from here: a flow that fails afterwards is seen in Power Automate alone.
//
// Neither way has an idempotency key. The delivery's id is shown in the last line, and
// Graph's attachment is named by its digest: whoever sees a message twice can tell that
// it is one. A payload is fixed when it is rendered, so a repetition looks no different.
package teams

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
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
const Type = "teams"

// DefaultURL is the service root of Microsoft Graph, where the endpoint names none.
const DefaultURL = "https://graph.microsoft.com/v1.0"

// DefaultPace is the least time between two messages to a channel. Teams throttles above
// four a second (learn.microsoft.com, "Create incoming webhooks"), and people read no
// more. An endpoint whose Pace is "" has it.
const DefaultPace = time.Second

// Options say how Teams is reached. Nil is the default: public addresses alone, and no
// secrets.
type Options struct {
	// Secret gives what a reference stands for. Nil: every secret is refused.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport sends requests. Nil: the strict door for targets of notifications.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one request with its answer; 0 is 20 s
}

// channel is an endpoint of Teams.
type channel struct {
	webhook bool
	secret  string // reference
	root    string // of Graph
	to      string
	library *template.Library
	client  post.Client
	read    func(ctx context.Context, ref string) ([]byte, error)
}

// Open opens an endpoint of type "teams" with a tenant's templates for it. Nothing is
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
	if c.webhook, c.secret, err = chat.Way(e, "workflow", "for Graph"); err != nil || c.webhook {
		return err
	}
	if e.To != "" && !isChannel(e.To) {
		return fmt.Errorf("to %.80q is not of form TEAM/CHANNEL: %w", e.To, ErrInvalid)
	}
	c.root = DefaultURL
	if e.URL != "" {
		u, err := url.Parse(e.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("url %.80q is no service root: %w", e.URL, ErrInvalid)
		}
		c.root = strings.TrimRight(e.URL, "/")
	}
	return nil
}

// channelID is the ids of a team and of a channel, such as
// "fbe2bf47-16c8-47cf-b4a5-4b9b187c508b/19:4a95f7d8db4c4e7fae857bcebe0623e6@thread.tacv2".
var channelID = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}/[0-9A-Za-z]+:[0-9A-Za-z_-]+@[0-9A-Za-z.]{1,40}$`)

func isChannel(s string) bool { return len(s) <= 300 && channelID.MatchString(s) }

// address of the messages of a channel.
func (c *channel) messages(to string) string {
	team, ch, _ := strings.Cut(to, "/")
	return c.root + "/teams/" + url.PathEscape(team) + "/channels/" + url.PathEscape(ch) + "/messages"
}
