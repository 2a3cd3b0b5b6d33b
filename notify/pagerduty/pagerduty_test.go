package pagerduty_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/pagerduty"
	"github.com/stella-ops/stella/notify/template"
)

const key = "e93facc04764012d7bfb002500d5d1a6"

// event is what the API takes, whose members it knows.
type event struct {
	RoutingKey string              `json:"routing_key"`
	Action     string              `json:"event_action"`
	DedupKey   string              `json:"dedup_key"`
	Client     string              `json:"client"`
	ClientURL  string              `json:"client_url"`
	Links      []map[string]string `json:"links"`
	Payload    struct {
		Summary   string `json:"summary"`
		Source    string `json:"source"`
		Severity  string `json:"severity"`
		Timestamp string `json:"timestamp"`
		Component string `json:"component"`
		Group     string `json:"group"`
		Class     string `json:"class"`
		Details   struct {
			Delivery string            `json:"delivery"`
			Details  string            `json:"details"`
			Affected []string          `json:"affected"`
			More     int               `json:"more"`
			Facts    map[string]string `json:"facts"`
			Why      []string          `json:"why"`
			Total    int               `json:"total"`
		} `json:"custom_details"`
	} `json:"payload"`
}

func parse(body []byte) (*event, error) {
	var e event
	return &e, json.Unmarshal(body, &e, json.RejectUnknownMembers(true))
}

func read(_ context.Context, ref string) ([]byte, error) {
	switch ref {
	case "env:KEY":
		return []byte(key + "\n"), nil
	case "env:QUOTES":
		return []byte(`","x":"`), nil
	}
	return nil, fmt.Errorf("%s: %w", ref, fault.NotFound)
}

func endpoint(url string) *notify.Endpoint {
	return &notify.Endpoint{ID: "oncall", Type: pagerduty.Type, URL: url, Secrets: map[string]string{"routing_key": "env:KEY"}}
}

func open(t testing.TB, r *notifytest.Receiver, e *notify.Endpoint, templates ...notify.Template) notify.Channel {
	t.Helper()
	c, err := pagerduty.Open(e, templates, &pagerduty.Options{Secret: read, Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout})
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
			Channel: open(t, r, endpoint(r.URL())), MaxBody: pagerduty.MaxBody - 1000, Permanent: permanent, Gone: []int{410}, Secrets: []string{key},
			Success: notifytest.Behaviour{Status: 202, Body: `{"status":"success","message":"Event processed","dedup_key":"x"}`},
			ID: func(q *notifytest.Request) string {
				if e, err := parse(q.Body); err == nil {
					return e.DedupKey + " " + e.Payload.Details.Delivery
				}
				return ""
			},
			Check: check,
			Sent: func(q *notifytest.Request) error {
				e, err := parse(q.Body)
				if err != nil || e.RoutingKey != key || q.Path != "/v2/enqueue" || q.Header.Get("Content-Type") != "application/json" {
					return fmt.Errorf("%s with %q: %w", q.Path, e.RoutingKey, err)
				}
				return nil
			},
		}
	})
}

// check holds an event against the limits and the required members of the API.
func check(_ *notify.Message, p *notify.Payload) error {
	e, err := parse(p.Body)
	if err != nil {
		return err
	}
	switch {
	case e.RoutingKey != "":
		return errors.New("the key is stored")
	case e.Action != "trigger" || e.DedupKey == "" || len(e.DedupKey) > 255:
		return fmt.Errorf("action %q, dedup_key %q", e.Action, e.DedupKey)
	case e.Payload.Summary == "" || utf8.RuneCountInString(e.Payload.Summary) > 1024 || strings.ContainsAny(e.Payload.Summary, "\r\n"):
		return fmt.Errorf("summary %q", e.Payload.Summary)
	case e.Payload.Source == "" || !strings.Contains("critical error warning info", e.Payload.Severity) || e.Payload.Severity == "":
		return fmt.Errorf("source %q, severity %q", e.Payload.Source, e.Payload.Severity)
	}
	for _, l := range e.Links {
		if !strings.HasPrefix(l["href"], "https://") || l["text"] == "" {
			return fmt.Errorf("link %q", l)
		}
	}
	return nil
}

func rendered(t testing.TB, m *notify.Message) *event {
	t.Helper()
	p, err := open(t, notifytest.NewReceiver(t, nil), endpoint("")).Render(m)
	if err != nil {
		t.Fatal(err)
	}
	e, err := parse(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvent(t *testing.T) {
	got := rendered(t, notifytest.Message("delivery-1"))
	var want event
	want.Action, want.DedupKey, want.Client, want.ClientURL = "trigger", got.DedupKey, "stella", "https://stella.example/notify/deliveries/delivery-1"
	want.Links = []map[string]string{{"href": want.ClientURL, "text": "The whole list"}, {"href": "https://stella.example/ack/delivery-1", "text": "Acknowledge in stella"}}
	want.Payload.Summary, want.Payload.Source, want.Payload.Severity = "New critical CVE-2024-1234 affects alpine:latest scan", "stella acme", "critical"
	want.Payload.Timestamp, want.Payload.Component, want.Payload.Group, want.Payload.Class = "2026-11-29T08:00:00Z", "CVE-2024-1234", "Critical drift", "advisory.drift"
	d := &want.Payload.Details
	d.Delivery, d.Total, d.Affected = "delivery-1", 2, got.Payload.Details.Affected
	d.Why = []string{"the rule \"Critical drift\" matches: severity critical, event advisory.drift"}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(d.Affected) != 2 || !strings.HasPrefix(d.Affected[0], "alpine:latest: CVE-2024-1234") {
		t.Errorf("affected %q", d.Affected)
	}
	one := notifytest.Message("delivery-2")
	one.Notices, one.Total = one.Notices[:1], 1
	if e := rendered(t, one); e.Payload.Source != "alpine:latest" || e.Payload.Details.Facts["Image"] != "alpine:latest" || e.DedupKey != got.DedupKey {
		t.Errorf("of one image: %+v", e)
	}
}

func TestSeverity(t *testing.T) {
	for severity, want := range map[finding.Severity]string{finding.Critical: "critical", finding.High: "error", finding.Medium: "warning", finding.Low: "info", finding.None: "info", finding.Unknown: "warning"} {
		m := notifytest.Message("delivery-1")
		m.Severity = severity
		if got := rendered(t, m).Payload.Severity; got != want {
			t.Errorf("%q: %s, want %s", severity, got, want)
		}
	}
	m := notifytest.Message("delivery-1")
	m.Kind = notify.KindTest
	if e := rendered(t, m); e.Payload.Severity != "info" || e.DedupKey == rendered(t, notifytest.Message("delivery-1")).DedupKey {
		t.Errorf("a test: %+v", e)
	}
}

func TestTemplate(t *testing.T) {
	c := open(t, notifytest.NewReceiver(t, nil), endpoint(""), notify.Template{ID: "own", Type: pagerduty.Type, Parts: map[string]string{"summary": "{{.Severity}}: {{.Title}}", "details": "see {{.Link}}"}})
	p, err := c.Render(notifytest.Message("delivery-1"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := parse(p.Body)
	if err != nil || e.Payload.Summary != "critical: New critical CVE-2024-1234 affects alpine:latest scan" || e.Payload.Details.Details != "see https://stella.example/notify/deliveries/delivery-1" {
		t.Errorf("%+v, %v", e, err)
	}
	wrong := []notify.Template{{ID: "wrong", Type: pagerduty.Type, Parts: map[string]string{"summary": "{{.Nothing}}"}}}
	if _, err := pagerduty.Open(endpoint(""), wrong, nil); !errors.Is(err, template.ErrInvalid) {
		t.Errorf("a template that does not parse: %v", err)
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
	d := rendered(t, m).Payload.Details
	if len(d.Affected) != notify.MaxListed || d.More != 10_000-notify.MaxListed || d.Total != 10_000 {
		t.Errorf("%d are listed, %d more of %d", len(d.Affected), d.More, d.Total)
	}
}

// TestKey: the key is one value, whatever it holds, and what is stored is an event.
func TestKey(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	e := endpoint(r.URL() + "/own/path?x=y")
	e.Secrets["routing_key"] = "env:QUOTES"
	d := &notify.Dispatch{ID: "delivery-1", Payload: notify.Payload{MediaType: "application/json", Body: []byte(`{"event_action":"trigger"}`)}}
	if _, err := open(t, r, e).Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	q := r.Requests()[0]
	if got, err := parse(q.Body); err != nil || got.RoutingKey != `","x":"` || q.Path != "/own/path?x=y" {
		t.Errorf("%s %s: %v", q.Path, q.Body, err)
	}
	d.Payload.Body = []byte("[]")
	_, err := open(t, r, endpoint(r.URL())).Send(t.Context(), d)
	var f *notify.Failure
	if !errors.As(err, &f) || !f.Permanent || f.Sent != notify.No || len(r.Requests()) != 1 {
		t.Errorf("no event: %#v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*notify.Endpoint)
		want   error
	}{
		{"another type", func(e *notify.Endpoint) { e.Type = "opsgenie" }, pagerduty.ErrUnsupported},
		{"no key", func(e *notify.Endpoint) { e.Secrets = nil }, pagerduty.ErrInvalid},
		{"two keys", func(e *notify.Endpoint) { e.Secrets["routing_key"] = "env:KEY env:KEY2" }, pagerduty.ErrInvalid},
		{"another secret", func(e *notify.Endpoint) { e.Secrets["token"] = "env:KEY" }, pagerduty.ErrInvalid},
		{"an option", func(e *notify.Endpoint) { e.Options = map[string]string{"region": "eu"} }, pagerduty.ErrInvalid},
		{"an address", func(e *notify.Endpoint) { e.To = "olga" }, pagerduty.ErrInvalid},
		{"a fragment", func(e *notify.Endpoint) { e.URL = "https://events.eu.pagerduty.com/#x" }, pagerduty.ErrInvalid},
		{"another scheme", func(e *notify.Endpoint) { e.URL = "ftp://events.pagerduty.com" }, pagerduty.ErrForbidden},
	} {
		e := endpoint("")
		c.change(e)
		if _, err := pagerduty.Open(e, nil, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	m := notifytest.Message("delivery-1")
	m.To = "somebody"
	if _, err := open(t, notifytest.NewReceiver(t, nil), endpoint("")).Render(m); !errors.Is(err, pagerduty.ErrInvalid) {
		t.Errorf("a message to somebody: %v", err)
	}
}
