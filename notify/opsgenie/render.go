package opsgenie

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/alarm"
	"github.com/stella-ops/stella/notify/internal/chat"
)

type alert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description,omitempty"`
	Responders  []responder       `json:"responders,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Details     map[string]string `json:"details,omitempty"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

type responder struct {
	Type     string `json:"type"`
	Name     string `json:"name,omitempty"`
	Username string `json:"username,omitempty"`
}

// responderOf reads an address, "TYPE:NAME". "" is none.
func responderOf(to string) (*responder, error) {
	if to == "" {
		return nil, nil
	}
	typ, name, _ := strings.Cut(to, ":")
	if clean, cut := chat.Line(name, 200); name == "" || cut || clean != name {
		return nil, fmt.Errorf("its to %.80q is nobody: want team:NAME, user:NAME, schedule:NAME or escalation:NAME: %w", to, fault.Invalid)
	}
	switch typ {
	case "user":
		return &responder{Type: typ, Username: name}, nil
	case "team", "schedule", "escalation":
		return &responder{Type: typ, Name: name}, nil
	}
	return nil, fmt.Errorf("its to %.80q is nobody: want team:NAME, user:NAME, schedule:NAME or escalation:NAME: %w", to, fault.Invalid)
}

// Render makes an alert.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	body, notes, err := c.render(m)
	if err != nil {
		return nil, fmt.Errorf("render the message %.80q for the endpoint %.80q: %w", m.ID, c.endpoint, err)
	}
	return &notify.Payload{MediaType: "application/json", Body: body, Notes: notes}, nil
}

func (c *channel) render(m *notify.Message) ([]byte, []string, error) {
	to := m.To
	if to == "" {
		to = c.to
	}
	who, err := responderOf(to)
	if err != nil {
		return nil, nil, err
	}
	texts, notes, err := c.library.Render(m)
	if err != nil {
		return nil, nil, err
	}
	a := &alert{Alias: alarm.Key(m), Entity: alarm.Image(m), Source: "stella", Priority: priority(m), Tags: tags(m), Details: details(m)}
	if who != nil {
		a.Responders = []responder{*who}
	}
	var cut bool
	if a.Message, cut = chat.Cut(texts["message"], MaxMessage); a.Message == "" {
		a.Message = "A notification of stella" // it is required
	}
	if cut {
		notes = append(notes, "the message was cut")
	}
	var left int
	if a.Description, left = describe(m, texts["description"]); left > 0 {
		notes = append(notes, strconv.Itoa(left)+" are not listed")
	}
	a.unmark()
	body, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return nil, nil, fmt.Errorf("as JSON: %w: %w", fault.Invalid, err)
	}
	return body, notes, nil
}

// describe is the description with what is affected behind it, as much as fits.
func describe(m *notify.Message, text string) (string, int) {
	lines, more := alarm.Lines(m)
	text = strings.TrimSpace(text)
	const room = 60 // for the last line
	size := chat.Len(text)
	if len(lines) > 0 && text != "" {
		text, size = text+"\n", size+1
	}
	for i, line := range lines {
		line = "\n• " + line
		if size += chat.Len(line); size > MaxDescription-room {
			more += len(lines) - i
			break
		}
		text += line
	}
	if more > 0 {
		text += "\n… and " + strconv.Itoa(more) + " more"
	}
	return strings.TrimSpace(text), more
}

// tags are few, and short: what alerts are looked for by.
func tags(m *notify.Message) []string {
	var out []string
	add := func(s string) {
		tag, _ := chat.Line(strings.ReplaceAll(s, ",", " "), MaxTag)
		if tag != "" && !slices.Contains(out, tag) && len(out) < MaxTags {
			out = append(out, tag)
		}
	}
	add("stella")
	add(string(m.Kind))
	add(string(m.Severity))
	for i := range m.Notices {
		add(m.Notices[i].Vulnerability)
		if m.Notices[i].Exploited == notify.Yes {
			add("exploited")
		}
	}
	return out
}

// details are about the message, and about its notice where there is one alone.
func details(m *notify.Message) map[string]string {
	out, size := map[string]string{}, 0
	add := func(name, value string) {
		value, _ = chat.Line(value, 500)
		if n := chat.Len(name) + chat.Len(value); value != "" && size+n <= MaxDetails {
			out[name], size = value, size+n
		}
	}
	add("Delivery", m.ID)
	add("Rule", m.RuleName)
	add("Notices", strconv.Itoa(max(m.Total, len(m.Notices))))
	if len(m.Notices) == 1 && m.More() == 0 {
		facts, _ := chat.Facts(&m.Notices[0])
		for _, f := range facts {
			add(f.Name, f.Value)
		}
	}
	return out
}

// unmark replaces what could be markup by what looks like it.
func (a *alert) unmark() {
	r := strings.NewReplacer("<", "‹", ">", "›")
	a.Message, a.Description, a.Entity = r.Replace(a.Message), r.Replace(a.Description), r.Replace(a.Entity)
	for i := range a.Tags {
		a.Tags[i] = r.Replace(a.Tags[i])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Details)) {
		a.Details[name] = r.Replace(a.Details[name])
	}
}

// priority is P1 for the worst. What nobody knows is P3, Opsgenie's own.
func priority(m *notify.Message) string {
	switch {
	case m.Kind == notify.KindTest:
		return "P5"
	case m.Severity == finding.Critical:
		return "P1"
	case m.Severity == finding.High:
		return "P2"
	case m.Severity == finding.Low:
		return "P4"
	case m.Severity == finding.None:
		return "P5"
	}
	return "P3"
}
