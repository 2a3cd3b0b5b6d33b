package teams_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/teams"
)

// answer is how the fake of Microsoft's services answers.
type answer struct {
	status int
	after  string
	body   string
}

func coded(status int, code string) answer {
	return answer{status: status, body: `{"error":{"code":"` + code + `","message":"Details of token-1, which are nobody's."}}`}
}

// send sends one message to a fake that answers so, and refuses what Teams would.
func send(t *testing.T, a answer, webhook bool) (*notify.Receipt, *notify.Failure) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Error(err, r.Header)
		}
		for _, problem := range checkPayload(body, webhook) {
			t.Error(problem)
		}
		if a.after != "" {
			w.Header().Set("Retry-After", a.after)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body) // the sender's loss
	}))
	defer server.Close()
	e := &notify.Endpoint{ID: "e", Type: "teams", URL: server.URL, To: someChannel, Secrets: map[string]string{"token": "ref"}}
	secret := "token-1"
	if webhook {
		e.URL, e.To, e.Secrets, secret = "", "", map[string]string{"url": "ref"}, server.URL+"/flow?sig=token-1"
	}
	c, err := teams.Open(e, nil, &teams.Options{Transport: http.DefaultTransport, Secret: func(context.Context, string) ([]byte, error) { return []byte(secret), nil }})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Render(drift())
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := c.Send(t.Context(), &notify.Dispatch{ID: "d", Attempt: 1, Payload: *p})
	var f *notify.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatal(err)
	}
	if f != nil && strings.Contains(f.Error(), "token-1") {
		t.Errorf("a secret is shown: %v", f)
	}
	return receipt, f
}

func TestTaken(t *testing.T) {
	for name, c := range map[string]struct {
		answer    answer
		webhook   bool
		reference string
	}{
		"Graph":                 {answer{status: 201, body: `{"id":"1616990032035","body":{}}`}, false, "1616990032035"},
		"Graph, cut":            {answer{status: 201, body: `{"id":"1616990032035","body":{"content":"` + strings.Repeat("x", 70_000)}, false, ""},
		"workflow":              {answer{status: 202}, true, ""},
		"workflow that answers": {answer{status: 200, body: "done"}, true, ""},
		"older webhook":         {answer{status: 200, body: "1"}, true, ""},
	} {
		r, f := send(t, c.answer, c.webhook)
		if f != nil || r.Reference != c.reference || r.Status != c.answer.status {
			t.Errorf("%s: %+v, %v", name, r, f)
		}
	}
}

func TestRefused(t *testing.T) {
	type want struct {
		Sent            notify.Answer
		Permanent, Gone bool
		After           time.Duration
		Says            bool // the code
	}
	for name, c := range map[string]struct {
		answer  answer
		webhook bool
		want    want
	}{
		"token ran out":     {coded(401, "InvalidAuthenticationToken"), false, want{notify.No, true, false, 0, true}},
		"no permission":     {coded(403, "Forbidden"), false, want{notify.No, true, false, 0, true}},
		"no such channel":   {coded(404, "NotFound"), false, want{notify.No, true, false, 0, true}},
		"channel is gone":   {coded(410, "itemNotFound"), false, want{notify.No, true, false, 0, true}},
		"too large":         {coded(413, "RequestEntityTooLarge"), false, want{notify.No, true, false, 0, true}},
		"too many":          {answer{429, "17", `{"error":{"code":"TooManyRequests"}}`}, false, want{notify.No, false, false, 17 * time.Second, true}},
		"not now":           {answer{503, "5", ""}, false, want{notify.No, false, false, 5 * time.Second, false}},
		"broken":            {coded(500, "InternalServerError"), false, want{"", false, false, 0, true}},
		"a new code":        {coded(400, "Sometoken1"), false, want{notify.No, true, false, 0, false}},
		"a portal":          {answer{status: 200, body: "<html>log in</html>"}, false, want{"", false, false, 0, false}},
		"workflow removed":  {coded(404, "WorkflowNotFound"), true, want{notify.No, true, true, 0, true}},
		"workflow off":      {coded(400, "WorkflowTriggerIsNotEnabled"), true, want{notify.No, true, false, 0, true}},
		"signature":         {coded(401, "DirectApiAuthorizationRequired"), true, want{notify.No, true, false, 0, true}},
		"workflow too many": {answer{429, "3", ""}, true, want{notify.No, false, false, 3 * time.Second, false}},
		"workflow broken":   {answer{status: 502}, true, want{"", false, false, 0, false}},
		"older webhook is throttled": {answer{status: 200, body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0"},
			true, want{notify.No, false, false, 0, false}},
		"older webhook finds it too large": {answer{status: 200, body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId tcid=0"},
			true, want{notify.No, true, false, 0, false}},
	} {
		r, f := send(t, c.answer, c.webhook)
		if f == nil {
			t.Errorf("%s: taken: %+v", name, r)
			continue
		}
		got := want{f.Sent, f.Permanent, f.Gone, f.After, strings.Contains(f.Reason, "Graph refused: ") || strings.Contains(f.Reason, "workflow refused: ")}
		if diff := cmp.Diff(c.want, got); diff != "" || f.Status != c.answer.status || f.Answer == "" {
			t.Errorf("%s: %v: -want +got\n%s", name, f, diff)
		}
	}
}
