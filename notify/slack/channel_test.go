package slack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/slack"
)

// permanent are the statuses that another attempt does not change.
var permanent = []int{400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 415, 418, 422, 431, 451, 499}

func check(webhook bool) func(*notify.Message, *notify.Payload) error {
	return func(_ *notify.Message, p *notify.Payload) error {
		if problems := checkPayload(p.Body, webhook); problems != nil {
			return errors.New(strings.Join(problems, "; "))
		}
		return nil
	}
}

func openAt(t *testing.T, r *notifytest.Receiver, e *notify.Endpoint, secret string) notify.Channel {
	t.Helper()
	c, err := slack.Open(e, nil, &slack.Options{
		Secret:    func(context.Context, string) ([]byte, error) { return []byte(secret), nil },
		Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApp(t *testing.T) {
	const token = "xoxb-1234567890-abcdefghijklmnop"
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		e := &notify.Endpoint{ID: "e", Type: "slack", URL: r.URL() + "/api/chat.postMessage", To: "C024BE91L", Secrets: map[string]string{"token": "ref"}}
		return notifytest.Channel{
			Channel: openAt(t, r, e, token),
			Success: notifytest.Behaviour{Body: `{"ok":true,"channel":"C024BE91L","ts":"1503435956.000247"}`},
			MaxBody: 60_000, Permanent: permanent, Gone: []int{410}, Secrets: []string{token}, Check: check(false),
			Sent: func(q *notifytest.Request) error {
				if q.Method != http.MethodPost || q.Path != "/api/chat.postMessage" || q.Header.Get("Authorization") != "Bearer "+token {
					return fmt.Errorf("%s %s", q.Method, q.Path)
				}
				return nil
			},
		}
	})
}

func TestWebhook(t *testing.T) {
	const path = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		e := &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "ref"}}
		return notifytest.Channel{
			Channel: openAt(t, r, e, r.URL()+path),
			MaxBody: 60_000, Permanent: permanent, Gone: []int{410}, Secrets: []string{path}, Check: check(true),
			Sent: func(q *notifytest.Request) error {
				if q.Method != http.MethodPost || q.Path != path || q.Header.Get("Authorization") != "" {
					return fmt.Errorf("%s %s", q.Method, q.Path)
				}
				return nil
			},
		}
	})
}
