package slack_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// fakeSlack takes one message a second in a channel, refuses what Slack refuses, and
// answers as it does. A token "xoxb-CODE" and a webhook /services/CODE are answered with
// that error.
type fakeSlack struct {
	*httptest.Server
	mu    sync.Mutex
	now   time.Time
	free  map[string]time.Time // by channel: when it takes the next one
	taken []taken
}

type taken struct {
	channel string
	body    []byte
	header  http.Header
}

func newFake(t *testing.T) *fakeSlack {
	f := &fakeSlack{now: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC), free: map[string]time.Time{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeSlack) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeSlack) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// messages returns what was taken.
func (f *fakeSlack) messages() []taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]taken(nil), f.taken...)
}

// secret gives the reference itself, and knows no other one than those of tests.
func secret(_ context.Context, ref string) ([]byte, error) {
	s, ok := strings.CutPrefix(ref, "ref:")
	if !ok {
		return nil, fmt.Errorf("no secret")
	}
	return []byte(s + "\n"), nil
}

func (f *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	if code, ok := strings.CutPrefix(r.URL.Path, "/services/"); ok {
		f.webhook(w, r, code, body)
		return
	}
	f.method(w, r, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer xoxb-"), body)
}

// statuses of errors of webhooks (docs.slack.dev).
var statuses = map[string]int{
	"invalid_payload": 400, "user_not_found": 400, "no_text": 400, "too_many_attachments": 400, "invalid_blocks": 400, "no_team": 404,
	"action_prohibited": 403, "posting_to_general_channel_denied": 403, "invalid_token": 403, "channel_not_found": 404,
	"no_service": 404, "no_active_hooks": 404, "channel_is_archived": 410, "rollup_error": 500, "team_disabled": 403,
}

func (f *fakeSlack) webhook(w http.ResponseWriter, r *http.Request, code string, body []byte) {
	if code != "ok" {
		status, known := statuses[code]
		if !known {
			status, code = 500, "<html>something else</html>"
		}
		w.WriteHeader(status)
		io.WriteString(w, code)
		return
	}
	if !f.pace(w, "webhook") {
		io.WriteString(w, "rate_limited")
		return
	}
	if p := checkPayload(body, true); p != nil {
		http.Error(w, "invalid_payload", 400)
		return
	}
	f.taken = append(f.taken, taken{"webhook", body, r.Header})
	io.WriteString(w, "ok")
}

func (f *fakeSlack) method(w http.ResponseWriter, r *http.Request, code string, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	refuse := func(code string) { fmt.Fprintf(w, `{"ok":false,"error":%q,"response_metadata":{"messages":[]}}`, code) }
	if code != "good" {
		refuse(code)
		return
	}
	var m struct {
		Channel string `json:"channel"`
	}
	if p := checkPayload(body, false); p != nil || json.Unmarshal(body, &m) != nil {
		refuse("invalid_arguments")
		return
	}
	if !f.pace(w, m.Channel) {
		refuse("ratelimited")
		return
	}
	f.taken = append(f.taken, taken{m.Channel, body, r.Header})
	fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":"1503435956.%06d","message":%s}`, m.Channel, len(f.taken), body)
}

// pace takes one message a second in a channel; others are to come in three.
func (f *fakeSlack) pace(w http.ResponseWriter, channel string) bool {
	if f.now.Before(f.free[channel]) {
		w.Header().Set("Retry-After", strconv.Itoa(3))
		w.WriteHeader(http.StatusTooManyRequests)
		return false
	}
	f.free[channel] = f.now.Add(time.Second)
	return true
}
