package pagerduty

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/alarm"
	"github.com/stella-ops/stella/notify/internal/chat"
)

// event is an event of the API, without its routing key.
type event struct {
	Action    string  `json:"event_action"`
	DedupKey  string  `json:"dedup_key"`
	Client    string  `json:"client"`
	ClientURL string  `json:"client_url,omitempty"`
	Links     []link  `json:"links,omitempty"`
	Payload   payload `json:"payload"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// payload follows the PagerDuty Common Event Format.
type payload struct {
	Summary   string  `json:"summary"`
	Source    string  `json:"source"`
	Severity  string  `json:"severity"`
	Timestamp string  `json:"timestamp,omitempty"`
	Component string  `json:"component,omitempty"`
	Group     string  `json:"group,omitempty"`
	Class     string  `json:"class,omitempty"`
	Details   details `json:"custom_details"`
}

// details are shown as a table.
type details struct {
	Delivery string            `json:"delivery"`
	Details  string            `json:"details,omitempty"`
	Affected []string          `json:"affected,omitempty"`
	More     int               `json:"more,omitzero"` // that are not listed
	Facts    map[string]string `json:"facts,omitempty"`
	Why      []string          `json:"why,omitempty"`
	Total    int               `json:"total"`
}

// Render makes an event without its routing key.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	if m.To != "" {
		return nil, fmt.Errorf("render the message %.80q for the endpoint %.80q: an integration has no addresses: %w", m.ID, c.endpoint, fault.Invalid)
	}
	texts, notes, err := c.library.Render(m)
	if err != nil {
		return nil, fmt.Errorf("render the message %.80q for the endpoint %.80q: %w", m.ID, c.endpoint, err)
	}
	e, notes := eventOf(m, texts, notes)
	body, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("render the message %.80q for the endpoint %.80q: %w: %w", m.ID, c.endpoint, fault.Invalid, err)
	}
	return &notify.Payload{MediaType: "application/json", Body: body, Notes: notes}, nil
}

func eventOf(m *notify.Message, texts map[string]string, notes []string) (*event, []string) {
	d := details{Details: texts["details"], Total: max(m.Total, len(m.Notices))}
	d.Delivery, _ = chat.Line(m.ID, notify.MaxID)
	d.Affected, d.More = alarm.Lines(m)
	if d.More > 0 {
		notes = append(notes, strconv.Itoa(d.More)+" are not listed")
	}
	for _, why := range m.Why[:min(len(m.Why), 20)] {
		line, _ := chat.Line(why, 500)
		d.Why = append(d.Why, line)
	}
	e := &event{Action: "trigger", DedupKey: alarm.Key(m), Client: "stella", ClientURL: chat.Link(m.Link)}
	e.Payload = payload{Severity: severity(m), Timestamp: timestamp(m.At)}
	e.Payload.Source = alarm.Image(m)
	if e.Payload.Source == "" {
		e.Payload.Source = "stella " + line(m.Tenant, 200)
	}
	if len(m.Notices) > 0 {
		e.Payload.Component, e.Payload.Class = line(m.Notices[0].Vulnerability, 255), line(string(m.Notices[0].Type), 255)
	}
	if len(m.Notices) == 1 && m.More() == 0 {
		d.Facts = map[string]string{}
		facts, _ := chat.Facts(&m.Notices[0])
		for _, f := range facts {
			d.Facts[f.Name] = f.Value
		}
	}
	e.Payload.Group, e.Payload.Details = line(m.RuleName, 255), d
	if e.Payload.Summary = texts["summary"]; e.Payload.Summary == "" {
		e.Payload.Summary = "A notification of stella" // it is required
	}
	if e.ClientURL != "" {
		e.Links = append(e.Links, link{e.ClientURL, "The whole list"})
	}
	if ack := chat.Link(m.AckLink); ack != "" {
		e.Links = append(e.Links, link{ack, "Acknowledge in stella"})
	}
	return e, notes
}

func line(s string, max int) string {
	s, _ = chat.Line(s, max)
	return s
}

// severity is one of the four that there are. What nobody knows is a warning.
func severity(m *notify.Message) string {
	switch {
	case m.Kind == notify.KindTest:
		return "info"
	case m.Severity == finding.Critical:
		return "critical"
	case m.Severity == finding.High:
		return "error"
	case m.Severity == finding.Low, m.Severity == finding.None:
		return "info"
	}
	return "warning"
}

// timestamp is a time as ISO 8601 has it, "" for one that has no such text.
func timestamp(t time.Time) string {
	t = t.UTC()
	if t.Year() < 1970 || t.Year() > 9999 {
		return ""
	}
	return t.Format(time.RFC3339)
}
