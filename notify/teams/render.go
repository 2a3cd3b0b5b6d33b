package teams

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
)

// Render returns the JSON of the message, with as much of it as Teams takes.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	to := cmp.Or(m.To, c.to)
	switch {
	case c.webhook && to != "":
		return nil, fmt.Errorf("message %.80q: to %.80q: a workflow has its own channel: %w", m.ID, to, ErrInvalid)
	case !c.webhook && !isChannel(to):
		return nil, fmt.Errorf("message %.80q: to %.80q is not of form TEAM/CHANNEL: %w", m.ID, to, ErrInvalid)
	}
	texts, notes, err := c.library.Render(m)
	if err != nil {
		return nil, fmt.Errorf("message %.80q: %w", m.ID, err)
	}
	var body []byte
	for _, l := range levels() {
		w := &writer{m: m, texts: texts, notes: notes[:len(notes):len(notes)], level: l}
		if body, err = c.encode(m, w.card(), cmp.Or(texts["notification"], m.Title)); err != nil {
			return nil, fmt.Errorf("message %.80q: %w", m.ID, err)
		}
		if len(body) <= MaxPayload {
			return &notify.Payload{MediaType: "application/json", Body: body, Notes: w.notes}, nil
		}
	}
	return nil, &fault.LimitError{What: "bytes of a card", Where: "message", Max: MaxPayload, Seen: int64(len(body))}
}

// encode puts a card into what the receiver takes.
func (c *channel) encode(m *notify.Message, content *card, summary string) ([]byte, error) {
	if c.webhook {
		return json.Marshal(&envelope{Type: "message", Attachments: []attachment{{ContentType: cardType, Content: content}}})
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	out := &chatMessage{Importance: importance(m)}
	out.Summary, _ = chat.Line(summary, maxTitle)
	id := attachmentID(m.ID)
	out.Body = itemBody{"html", `<attachment id="` + id + `"></attachment>`}
	out.Attachments = []graphAttachment{{ID: id, ContentType: cardType, Content: string(text)}}
	return json.Marshal(out)
}

// attachmentID names the attachment of a delivery, the same however often it is sent.
func attachmentID(delivery string) string {
	h := sha256.Sum256([]byte("stella/notify/teams\x00" + delivery))
	return hex.EncodeToString(h[:16])
}

func importance(m *notify.Message) string {
	if m.Kind == notify.KindEscalation || m.Severity == finding.Critical && m.Kind == notify.KindAlert {
		return "high"
	}
	return "normal"
}

// writer makes the card of one message.
type writer struct {
	m     *notify.Message
	texts map[string]string
	notes []string
	level level
	// clipped counts texts that the level has no room for.
	clipped int
}

func (w *writer) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// cuts notes that texts of the list were cut.
func (w *writer) cuts(n int) {
	if n > 0 {
		w.note("list: %d texts were cut", n)
	}
}

// cut returns a text as one line, and notes when not all of it is there.
func (w *writer) cut(what, s string, max int) string {
	out, cut := chat.Line(s, max)
	if cut {
		w.note("%s: cut to %d characters", what, max)
	}
	return out
}

func (w *writer) card() *card {
	title := w.title()
	heading := bold(title)
	heading.Size = "Medium"
	out := &card{Schema: cardSchema, Type: "AdaptiveCard", Version: cardVersion, Teams: teams{"Full"}, Actions: w.actions()}
	out.Body = []element{{Type: "Container", Style: containerStyle(w.m), Bleed: true, Items: []element{row(heading)}}}
	if s := w.texts["text"]; strings.TrimSpace(s) != "" {
		out.Body = append(out.Body, markdown(s))
	}
	out.Body = append(out.Body, w.body()...)
	w.cuts(w.clipped)
	out.Body = append(out.Body, w.foot())
	return out
}

// title is the heading, which is never empty.
func (w *writer) title() string {
	for _, s := range []string{w.texts["title"], w.m.Title} {
		if s = w.cut("title", s, maxTitle); s != "" {
			return s
		}
	}
	return "Stella"
}

// containerStyle is the colour behind the heading. Cards have four: red, yellow, green and
// blue, besides grey.
func containerStyle(m *notify.Message) string {
	switch m.Severity {
	case finding.Critical:
		return "attention"
	case finding.High, finding.Medium:
		return "warning"
	case finding.Low:
		return "accent"
	case finding.None:
		return "good"
	}
	return "emphasis"
}

// actions lead to where one says that one takes care, and to the whole list.
func (w *writer) actions() []action {
	var out []action
	for _, l := range []struct{ what, url string }{{"acknowledge", w.m.AckLink}, {"list", w.m.Link}} {
		if l.url == "" {
			continue
		}
		u := chat.Link(l.url)
		if u == "" {
			w.note("%s: the link is no address of the web and was left out", l.what)
			continue
		}
		out = append(out, action{"Action.OpenUrl", literal(cmp.Or(w.cut(l.what, w.texts[l.what], 75), l.what)), u})
	}
	return out
}

// foot says why its reader got it, when it was made, and which delivery it is.
func (w *writer) foot() element {
	out := element{Type: "Container", Spacing: "Medium", Separator: true}
	if s := w.texts["why"]; strings.TrimSpace(s) != "" {
		e := markdown(s)
		e.Size, e.Subtle = "Small", true
		out.Items = append(out.Items, e)
	}
	out.Items = append(out.Items,
		element{Type: "TextBlock", Text: w.times(), Wrap: true, Size: "Small", Subtle: true, Spacing: "Small"},
		row(small(subtle("delivery "+w.cut("delivery", w.m.ID, 64)))).spaced("None"))
	return out
}

// times are shown in the reader's own time zone, by the client.
func (w *writer) times() string {
	if w.m.Kind == notify.KindDigest && !w.m.Since.IsZero() && w.m.Since.Before(w.m.At) {
		return date(w.m.Since) + " – " + date(w.m.At)
	}
	return date(w.m.At)
}

func date(t time.Time) string {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return t.Format("2006-01-02 15:04 UTC")
	}
	s := t.Format("2006-01-02T15:04:05Z")
	return "{{DATE(" + s + ", SHORT)}} {{TIME(" + s + ")}}"
}

// literal keeps a text from being a function of the client, such as {{DATE(…)}}.
func literal(s string) string {
	for strings.Contains(s, "{{") {
		s = strings.ReplaceAll(s, "{{", "{ {")
	}
	return s
}
