package teams_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/teams"
)

// permanent are the statuses that another attempt does not change.
var permanent = []int{400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 415, 418, 422, 431, 451, 499}

const someChannel = "fbe2bf47-16c8-47cf-b4a5-4b9b187c508b/19:4a95f7d8db4c4e7fae857bcebe0623e6@thread.tacv2"

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
	c, err := teams.Open(e, nil, &teams.Options{
		Secret:    func(context.Context, string) ([]byte, error) { return []byte(secret), nil },
		Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGraph(t *testing.T) {
	const token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.payload.signature"
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		e := &notify.Endpoint{ID: "e", Type: "teams", URL: r.URL() + "/v1.0/", To: someChannel, Secrets: map[string]string{"token": "ref"}}
		return notifytest.Channel{
			Channel: openAt(t, r, e, token),
			Success: notifytest.Behaviour{Status: 201, Body: `{"id":"1616990032035"}`},
			MaxBody: teams.MaxPayload, Permanent: permanent, Secrets: []string{token}, Check: check(false),
			Sent: func(q *notifytest.Request) error {
				const path = "/v1.0/teams/fbe2bf47-16c8-47cf-b4a5-4b9b187c508b/channels/19:4a95f7d8db4c4e7fae857bcebe0623e6@thread.tacv2/messages"
				if q.Method != http.MethodPost || q.Path != path || q.Header.Get("Authorization") != "Bearer "+token {
					return fmt.Errorf("%s %s", q.Method, q.Path)
				}
				return nil
			},
		}
	})
}

func TestWorkflow(t *testing.T) {
	const path = "/workflows/1f9b/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=Zm9vYmFyYmF6cXV4"
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		e := &notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"url": "ref"}}
		return notifytest.Channel{
			Channel: openAt(t, r, e, r.URL()+path),
			Success: notifytest.Behaviour{Status: 202},
			MaxBody: teams.MaxPayload, Permanent: permanent, Gone: []int{410}, Secrets: []string{path, "Zm9vYmFyYmF6cXV4"}, Check: check(true),
			Sent: func(q *notifytest.Request) error {
				if q.Method != http.MethodPost || q.Path != path || q.Header.Get("Authorization") != "" {
					return fmt.Errorf("%s %s", q.Method, q.Path)
				}
				return nil
			},
		}
	})
}
