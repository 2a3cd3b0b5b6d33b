package slack_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/slack"
)

// app opens an endpoint that calls the method with a token.
func (f *fakeSlack) app(t *testing.T, token string) notify.Channel {
	t.Helper()
	return open(t, &notify.Endpoint{ID: "e", Type: "slack", URL: f.URL + "/api/chat.postMessage", To: "#security",
		Secrets: map[string]string{"token": "ref:" + token}}, f)
}

func (f *fakeSlack) hook(t *testing.T, code string) notify.Channel {
	t.Helper()
	return open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "ref:" + f.URL + "/services/" + code}}, f)
}

func open(t *testing.T, e *notify.Endpoint, f *fakeSlack) notify.Channel {
	t.Helper()
	o := &slack.Options{Secret: secret}
	if f != nil {
		o.Transport, o.Now = http.DefaultTransport, f.Now
	}
	c, err := slack.Open(e, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dispatch(t *testing.T, c notify.Channel, to string) *notify.Dispatch {
	t.Helper()
	m := drift()
	m.To = to
	p, err := c.Render(m)
	if err != nil {
		t.Fatal(err)
	}
	return &notify.Dispatch{ID: m.ID, To: to, Attempt: 1, Payload: *p}
}

func TestSend(t *testing.T) {
	f := newFake(t)
	c := f.app(t, "xoxb-good")
	r, err := c.Send(t.Context(), dispatch(t, c, ""))
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 200 || r.Reference != "#security:1503435956.000001" || !strings.HasPrefix(r.Answer, "sha256:") {
		t.Errorf("receipt %+v", r)
	}
	// A target's own channel is where it goes.
	if _, err := c.Send(t.Context(), dispatch(t, c, "C024BE91L")); err != nil {
		t.Fatal(err)
	}
	got := f.messages()
	if got[1].channel != "C024BE91L" || got[0].header.Get("Authorization") != "Bearer xoxb-good" {
		t.Errorf("%s, %s", got[1].channel, got[0].header.Get("Authorization"))
	}

	h := f.hook(t, "ok")
	if r, err := h.Send(t.Context(), dispatch(t, h, "")); err != nil || r.Status != 200 || r.Reference != "" {
		t.Errorf("webhook: %+v, %v", r, err)
	}
}

// TestPace: what comes too fast is told exactly, and Slack takes the rest in time.
func TestPace(t *testing.T) {
	f := newFake(t)
	for name, c := range map[string]notify.Channel{"app": f.app(t, "xoxb-good"), "webhook": f.hook(t, "ok")} {
		d := dispatch(t, c, "")
		if _, err := c.Send(t.Context(), d); err != nil {
			t.Fatal(name, err)
		}
		for range 3 {
			_, err := c.Send(t.Context(), d)
			var fail *notify.Failure
			if !errors.As(err, &fail) || fail.After != 3*time.Second || fail.Permanent || fail.Gone || fail.Sent != notify.No || fail.Status != 429 {
				t.Errorf("%s: %+v", name, err)
			}
		}
		// At the default pace nothing is refused.
		for range 20 {
			f.pass(slack.DefaultPace)
			if _, err := c.Send(t.Context(), d); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n := len(f.messages()); n != 2*21 {
		t.Errorf("%d taken", n)
	}
}

// TestErrors: what follows from what Slack says.
func TestErrors(t *testing.T) {
	f := newFake(t)
	type want struct {
		Sent            notify.Answer
		Permanent, Gone bool
	}
	refused, over, later, unknown := want{notify.No, true, false}, want{notify.No, true, true}, want{notify.No, false, false}, want{}
	check := func(t *testing.T, c notify.Channel, code string, w want) {
		t.Helper()
		_, err := c.Send(t.Context(), dispatch(t, c, ""))
		var fail *notify.Failure
		if !errors.As(err, &fail) {
			t.Fatalf("%s: %v", code, err)
		}
		if diff := cmp.Diff(w, want{fail.Sent, fail.Permanent, fail.Gone}); diff != "" {
			t.Errorf("%s: -want +got\n%s", code, diff)
		}
		if w.Permanent != errors.Is(err, slack.ErrInvalid) || fail.Answer == "" {
			t.Errorf("%s: %+v", code, fail)
		}
	}
	for code, w := range map[string]want{
		"channel_not_found": refused, "not_in_channel": refused, "is_archived": refused, "msg_too_long": refused, "msg_blocks_too_long": refused,
		"invalid_blocks": refused, "restricted_action": refused, "missing_scope": refused, "invalid_auth": refused, "not_authed": refused,
		"account_inactive": over, "token_revoked": over,
		"token_expired": later, "service_unavailable": later, "team_added_to_org": later, "ratelimited": later, "message_limit_exceeded": later,
		"internal_error": unknown, "fatal_error": unknown,
		"a_code_that_is_new": later,
	} {
		check(t, f.app(t, "xoxb-"+code), code, w)
	}
	for code, w := range map[string]want{
		"invalid_payload": refused, "user_not_found": refused, "action_prohibited": refused, "channel_not_found": refused, "too_many_attachments": refused,
		"posting_to_general_channel_denied": refused, "no_service": over, "no_active_hooks": over, "no_team": over, "channel_is_archived": over, "invalid_token": over,
		"rollup_error": unknown, "a_code_that_is_new": unknown,
	} {
		check(t, f.hook(t, code), code, w)
	}
	if n := len(f.messages()); n != 0 {
		t.Errorf("%d taken", n)
	}
}

// TestSecretFails: nothing is sent where the secret cannot be had.
func TestSecretFails(t *testing.T) {
	f := newFake(t)
	for _, ref := range []string{"unknown", "ref:", "ref:a b", "ref:xoxb-\x00", "ref:tökén"} {
		for _, role := range []string{"token", "url"} {
			c := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{role: "x"}}, f)
			d := dispatch(t, c, map[string]string{"token": "C1"}[role])
			e := &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{role: strings.ReplaceAll(ref, " ", "\u00a0")}}
			if role == "token" {
				e.URL = f.URL
			}
			_, err := open(t, e, f).Send(t.Context(), d)
			var fail *notify.Failure
			if !errors.As(err, &fail) || fail.Sent != notify.No {
				t.Errorf("%s %q: %v", role, ref, err)
			}
		}
	}
	if n := len(f.messages()); n != 0 {
		t.Errorf("%d taken", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	token := map[string]string{"token": "t"}
	for name, e := range map[string]notify.Endpoint{
		"no secret":      {Type: "slack"},
		"both":           {Type: "slack", Secrets: map[string]string{"token": "t", "url": "u"}},
		"another role":   {Type: "slack", Secrets: map[string]string{"token": "t", "signing": "u"}},
		"blank":          {Type: "slack", Secrets: map[string]string{"token": " "}},
		"hook with to":   {Type: "slack", To: "C1", Secrets: map[string]string{"url": "u"}},
		"hook with url":  {Type: "slack", URL: "https://hooks.slack.com/services/x", Secrets: map[string]string{"url": "u"}},
		"option":         {Type: "slack", Secrets: token, Options: map[string]string{"username": "x"}},
		"mention":        {Type: "slack", Secrets: token, To: "<!channel>"},
		"spaces":         {Type: "slack", Secrets: token, To: "a b"},
		"url of no host": {Type: "slack", Secrets: token, To: "C1", URL: "https:///api"},
		"url with user":  {Type: "slack", Secrets: token, To: "C1", URL: "https://u:p@slack.com/api"},
		"another scheme": {Type: "slack", Secrets: token, To: "C1", URL: "file:///etc/passwd"},
	} {
		if _, err := slack.Open(&e, nil, nil); !errors.Is(err, slack.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := slack.Open(&notify.Endpoint{Type: "teams", Secrets: token}, nil, nil); !errors.Is(err, slack.ErrUnsupported) {
		t.Error(err)
	}
}
