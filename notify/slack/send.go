package slack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
	"github.com/stella-ops/stella/notify/internal/post"
	"github.com/stella-ops/stella/notify/internal/secret"
)

// Send sends a payload and reads what Slack says of it.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	word, err := (&secret.Reader{Read: c.read, Refs: map[string]string{c.role(): c.secret}}).One(ctx, c.role())
	if err != nil {
		return nil, err
	}
	r := &post.Request{URL: c.url, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: d.Payload.Body, ShowHost: !c.webhook}
	if c.webhook {
		r.URL = word
	} else {
		r.Header.Set("Authorization", "Bearer "+word)
	}
	a, err := c.client.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if c.webhook {
		return c.webhookAnswer(a)
	}
	return c.methodAnswer(a)
}

func (c *channel) role() string {
	if c.webhook {
		return "url"
	}
	return "token"
}

// webhookAnswer reads the answer of a webhook: a word as text, "ok" where it was taken.
func (c *channel) webhookAnswer(a *post.Answer) (*notify.Receipt, error) {
	switch said := word(a.Body); {
	case !success(a):
		return nil, c.refused(a, said, webhookErrors())
	case a.Status != http.StatusOK || said != "ok":
		return nil, strange(a)
	}
	return &notify.Receipt{Status: a.Status, Answer: a.Digest}, nil
}

// methodAnswer reads the answer of chat.postMessage, which is 200 for most errors.
func (c *channel) methodAnswer(a *post.Answer) (*notify.Receipt, error) {
	var answer methodReply
	found := answer.read(a.Body)
	switch {
	case success(a) && (a.Status != http.StatusOK || !found):
		return nil, strange(a)
	case !success(a) || !answer.OK:
		return nil, c.refused(a, answer.Error, methodErrors())
	}
	out := &notify.Receipt{Status: a.Status, Answer: a.Digest}
	if answer.Channel != "" && answer.TS != "" {
		out.Reference, _ = chat.Line(answer.Channel+":"+answer.TS, 128)
	}
	return out, nil
}

func success(a *post.Answer) bool { return a.Status >= 200 && a.Status < 300 }

// strange is the failure of an answer that Slack does not give: something in between may
// say 200 for what it did not pass on.
func strange(a *post.Answer) error {
	return &notify.Failure{Status: a.Status, Answer: a.Digest, Reason: "the answer is not that of Slack"}
}

// refused is the failure that an error code of Slack stands for, or else the status.
func (c *channel) refused(a *post.Answer, code string, codes map[string]meaning) error {
	judged := *a
	if success(a) {
		judged.Status = http.StatusBadRequest // for Retry-After and an unknown code
		if code == "ratelimited" || code == "rate_limited" {
			judged.Status = http.StatusTooManyRequests
		}
	}
	f := c.client.Judge(&judged, a.Status == judged.Status)
	f.Status = a.Status
	what, known := codes[code] // others are not shown: they can be anything
	if !known {
		return f
	}
	f.Reason = fmt.Sprintf("Slack refused: %s", code)
	switch what {
	case permanent:
		f.Sent, f.Permanent, f.Gone = notify.No, true, false
	case gone:
		f.Sent, f.Permanent, f.Gone = notify.No, true, true
	case passing:
		f.Sent, f.Permanent, f.Gone = notify.No, false, false
	case doubtful:
		f.Sent, f.Permanent, f.Gone = "", false, false
	}
	return f
}

// word returns an answer that is one short line, "" for another one.
func word(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), 100)]))
	if len(body) > 100 || !utf8.ValidString(s) {
		return ""
	}
	return s
}
