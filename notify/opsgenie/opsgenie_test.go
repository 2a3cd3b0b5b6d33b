package opsgenie_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/opsgenie"
)

const key = "a1b2c3d4-0000-4000-8000-feedfacecafe"

// alert is what the API takes, whose members it knows.
type alert struct {
	Message     string              `json:"message"`
	Alias       string              `json:"alias"`
	Description string              `json:"description"`
	Responders  []map[string]string `json:"responders"`
	Tags        []string            `json:"tags"`
	Details     map[string]string   `json:"details"`
	Entity      string              `json:"entity"`
	Source      string              `json:"source"`
	Priority    string              `json:"priority"`
}

func parse(body []byte) (*alert, error) {
	var a alert
	return &a, json.Unmarshal(body, &a, json.RejectUnknownMembers(true))
}

func read(_ context.Context, ref string) ([]byte, error) {
	if ref == "env:KEY" {
		return []byte(key + "\n"), nil
	}
	return nil, fmt.Errorf("%s: %w", ref, fault.NotFound)
}

func endpoint(url string) *notify.Endpoint {
	return &notify.Endpoint{ID: "oncall", Type: opsgenie.Type, URL: url, To: "team:Platform", Secrets: map[string]string{"api_key": "env:KEY"}}
}

func open(t testing.TB, r *notifytest.Receiver, e *notify.Endpoint) notify.Channel {
	t.Helper()
	c, err := opsgenie.Open(e, nil, &opsgenie.Options{Secret: read, Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// permanent are the statuses of 4xx that say something about the message or the key.
var permanent = []int{400, 401, 402, 403, 404, 405, 406, 411, 413, 415, 418, 422, 431, 451, 499}

func TestChannel(t *testing.T) {
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		return notifytest.Channel{
			Channel: open(t, r, endpoint(r.URL())), MaxBody: opsgenie.MaxBody, Permanent: permanent, Gone: []int{410}, Secrets: []string{key},
			Success: notifytest.Behaviour{Status: 202, Body: `{"result":"Request will be processed","took":0.302,"requestId":"43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}`},
			ID: func(q *notifytest.Request) string {
				if a, err := parse(q.Body); err == nil {
					return a.Details["Delivery"]
				}
				return ""
			},
			Check: check,
			Sent: func(q *notifytest.Request) error {
				if q.Path != "/v2/alerts" || q.Header.Get("Authorization") != "GenieKey "+key || q.Header.Get("Content-Type") != "application/json" {
					return fmt.Errorf("%s with %v", q.Path, q.Header)
				}
				return nil
			},
		}
	})
}

// check holds an alert against the limits of the API, and looks for markup.
func check(_ *notify.Message, p *notify.Payload) error {
	a, err := parse(p.Body)
	if err != nil {
		return err
	}
	switch {
	case a.Message == "" || chat.Len(a.Message) > 130 || strings.ContainsAny(a.Message, "\r\n"):
		return fmt.Errorf("message %q", a.Message)
	case chat.Len(a.Description) > 15_000:
		return fmt.Errorf("a description of %d characters", chat.Len(a.Description))
	case a.Alias == "" || len(a.Alias) > 512 || len(a.Entity) > 512*3 || len(a.Tags) > 20:
		return fmt.Errorf("alias %q, entity %q, %d tags", a.Alias, a.Entity, len(a.Tags))
	case !strings.Contains("P1 P2 P3 P4 P5", a.Priority) || len(a.Priority) != 2:
		return fmt.Errorf("priority %q", a.Priority)
	case strings.ContainsAny(string(p.Body), "<>") || strings.Contains(string(p.Body), `\u003c`):
		return errors.New("there is markup")
	}
	size := 0
	for name, value := range a.Details {
		size += chat.Len(name) + chat.Len(value)
	}
	for _, tag := range a.Tags {
		if chat.Len(tag) > 50 {
			return fmt.Errorf("tag %q", tag)
		}
	}
	if size > 8000 {
		return fmt.Errorf("details of %d characters", size)
	}
	return nil
}

func rendered(t testing.TB, m *notify.Message) *alert {
	t.Helper()
	p, err := open(t, notifytest.NewReceiver(t, nil), endpoint("")).Render(m)
	if err != nil {
		t.Fatal(err)
	}
	a, err := parse(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAlert(t *testing.T) {
	got := rendered(t, notifytest.Message("delivery-1"))
	want := &alert{
		Message: "New critical CVE-2024-1234 affects alpine:latest scan",
		Alias:   got.Alias, // see TestAlias
		Description: "Why: the rule \"Critical drift\" matches: severity critical, event advisory.drift\n" +
			"The whole list: https://stella.example/notify/deliveries/delivery-1\n" +
			"Acknowledge in stella: https://stella.example/ack/delivery-1\n\n" +
			got.Description[max(strings.Index(got.Description, "• "), 0):],
		Responders: []map[string]string{{"type": "team", "name": "Platform"}},
		Tags:       []string{"stella", "alert", "critical", "CVE-2024-1234", "exploited"},
		Details:    map[string]string{"Delivery": "delivery-1", "Rule": "Critical drift", "Notices": "2"},
		Source:     "stella", Priority: "P1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, image := range []string{"• alpine:latest: CVE-2024-1234", "• ghcr.io/acme/shop:1: CVE-2024-1234"} {
		if !strings.Contains(got.Description, image) {
			t.Errorf("%q is not in %q", image, got.Description)
		}
	}
}

// TestAlias: what is about the same is one alert, whatever else differs; tests are not.
func TestAlias(t *testing.T) {
	base := rendered(t, notifytest.Message("delivery-1")).Alias
	for _, c := range []struct {
		name   string
		change func(*notify.Message)
		same   bool
	}{
		{"another delivery of the group", func(m *notify.Message) { m.ID, m.Title, m.Notices = "delivery-2", "More of it", m.Notices[:1] }, true},
		{"another group", func(m *notify.Message) { m.GroupKey = "vulnerability:CVE-2024-5678" }, false},
		{"another tenant", func(m *notify.Message) { m.Tenant = "other" }, false},
		{"a test", func(m *notify.Message) { m.Kind = notify.KindTest }, false},
		{"no group", func(m *notify.Message) { m.GroupKey = "" }, false},
	} {
		m := notifytest.Message("delivery-1")
		c.change(m)
		if got := rendered(t, m).Alias; (got == base) != c.same {
			t.Errorf("%s: %s, and %s at first", c.name, got, base)
		}
	}
}

func TestPriority(t *testing.T) {
	for severity, want := range map[finding.Severity]string{finding.Critical: "P1", finding.High: "P2", finding.Medium: "P3", finding.Low: "P4", finding.None: "P5", finding.Unknown: "P3"} {
		m := notifytest.Message("delivery-1")
		m.Severity = severity
		if got := rendered(t, m).Priority; got != want {
			t.Errorf("%q: %s, want %s", severity, got, want)
		}
	}
}

func TestManyImages(t *testing.T) {
	m := notifytest.Message("delivery-1")
	for len(m.Notices) < notify.MaxListed {
		n := m.Notices[0]
		n.Image = fmt.Sprintf("registry.example/team/with/a/long/path/service-%d:1.2.3", len(m.Notices))
		m.Notices = append(m.Notices, n)
	}
	m.Total = 10_000
	a := rendered(t, m)
	listed := strings.Count(a.Description, "\n• ")
	if want := fmt.Sprintf("… and %d more", 10_000-listed); !strings.HasSuffix(a.Description, want) || listed < 100 {
		t.Errorf("%d are listed: …%q, want %q", listed, a.Description[len(a.Description)-40:], want)
	}
}

func TestAnswers(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	c := open(t, r, endpoint(r.URL()+"/v2/alerts"))
	p, err := c.Render(notifytest.Message("delivery-1"))
	if err != nil {
		t.Fatal(err)
	}
	d := &notify.Dispatch{ID: "delivery-1", Attempt: 1, Payload: *p}
	for _, b := range []struct {
		body, want string
	}{
		{`{"requestId":"43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}`, "43a29c5c-3dbf-4fa4-9c26-f4f71023e120"},
		{`{"requestId":"GenieKey x"}`, ""},
		{`{"requestId":7}`, ""},
		{`none`, ""},
	} {
		r.Do(notifytest.Behaviour{Status: 202, Body: b.body})
		if got, err := c.Send(t.Context(), d); err != nil || got.Reference != b.want || got.Status != 202 {
			t.Errorf("%s: %+v, %v", b.body, got, err)
		}
	}
	for value, want := range map[string]time.Duration{"60": time.Minute, "1": time.Second, "": 0, "-5": 0, "99999": 0, "soon": 0} {
		r.Do(notifytest.Behaviour{Status: 429, Header: map[string]string{"X-RateLimit-State": "THROTTLED", "X-RateLimit-Period-In-Sec": value}})
		_, err := c.Send(t.Context(), d)
		var f *notify.Failure
		if !errors.As(err, &f) || f.After != want || f.Permanent {
			t.Errorf("a period of %q: %+v", value, f)
		}
	}
	r.Do(notifytest.Behaviour{Status: 429, Header: map[string]string{"Retry-After": "7", "X-RateLimit-Period-In-Sec": "60"}})
	_, err = c.Send(t.Context(), d)
	var f *notify.Failure
	if !errors.As(err, &f) || f.After != 7*time.Second {
		t.Errorf("both: %+v", f)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*notify.Endpoint)
		want   error
	}{
		{"another type", func(e *notify.Endpoint) { e.Type = "pagerduty" }, opsgenie.ErrUnsupported},
		{"no key", func(e *notify.Endpoint) { e.Secrets = nil }, opsgenie.ErrInvalid},
		{"two keys", func(e *notify.Endpoint) { e.Secrets["api_key"] = "env:KEY env:KEY2" }, opsgenie.ErrInvalid},
		{"another secret", func(e *notify.Endpoint) { e.Secrets["token"] = "env:KEY" }, opsgenie.ErrInvalid},
		{"an option", func(e *notify.Endpoint) { e.Options = map[string]string{"region": "eu"} }, opsgenie.ErrInvalid},
		{"no URL", func(e *notify.Endpoint) { e.URL = "https://api.opsgenie.com/#x" }, opsgenie.ErrInvalid},
		{"another scheme", func(e *notify.Endpoint) { e.URL = "ftp://api.opsgenie.com" }, opsgenie.ErrForbidden},
		{"nobody", func(e *notify.Endpoint) { e.To = "Platform" }, opsgenie.ErrInvalid},
		{"nobody of a team", func(e *notify.Endpoint) { e.To = "team:" }, opsgenie.ErrInvalid},
		{"two lines", func(e *notify.Endpoint) { e.To = "team:a\nb" }, opsgenie.ErrInvalid},
	} {
		e := endpoint("")
		c.change(e)
		if _, err := opsgenie.Open(e, nil, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	m := notifytest.Message("delivery-1")
	m.To = "somebody"
	if _, err := open(t, notifytest.NewReceiver(t, nil), endpoint("")).Render(m); !errors.Is(err, opsgenie.ErrInvalid) {
		t.Errorf("a message to nobody: %v", err)
	}
	m.To = "user:olga@acme.example"
	if got := rendered(t, m).Responders; len(got) != 1 || got[0]["username"] != "olga@acme.example" {
		t.Errorf("responders %v", got)
	}
}
