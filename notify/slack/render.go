package slack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
)

// metadataType names the metadata of messages, for apps that read them.
const metadataType = "stella_delivery"

// Render returns the JSON of the message, for the channel that it is for.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	to := cmp.Or(m.To, c.to)
	switch {
	case c.webhook && to != "":
		return nil, fmt.Errorf("message %.80q: to %.80q: a webhook has its own channel: %w", m.ID, to, ErrInvalid)
	case !c.webhook && !isChannel(to):
		return nil, fmt.Errorf("message %.80q: to %.80q is no channel's id or name: %w", m.ID, to, ErrInvalid)
	}
	texts, notes, err := c.library.Render(m)
	if err != nil {
		return nil, fmt.Errorf("message %.80q: %w", m.ID, err)
	}
	w := &writer{m: m, texts: texts, notes: notes, left: MaxMessage}
	out := w.message()
	if !c.webhook {
		out.Channel, out.LinkNames, out.Parse = to, new(bool), "none"
		out.Metadata = &metadata{metadataType, payload{Delivery: w.cut("delivery", m.ID, chat.MaxName), Group: w.cut("group key", m.GroupKey, chat.MaxNote), Kind: w.cut("kind", string(m.Kind), 40)}}
	}
	body, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("message %.80q: %w", m.ID, err)
	}
	return &notify.Payload{MediaType: "application/json", Body: body, Notes: w.notes}, nil
}

// writer makes the blocks of one message.
type writer struct {
	m     *notify.Message
	texts map[string]string
	notes []string
	left  int // characters that the blocks may have yet
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

// spend takes the characters of elements out of what the message may have, and says
// whether there were as many.
func (w *writer) spend(e ...element) bool {
	n := 0
	for i := range e {
		n += cost(e[i])
	}
	if n > w.left {
		return false
	}
	w.left -= n
	return true
}

func cost(e element) int {
	n := chat.Len(e.Text) + chat.Len(e.URL)
	for _, inner := range e.Elements {
		n += cost(inner)
	}
	return n
}

func (w *writer) message() *message {
	title := w.title()
	out := &message{Text: w.texts["notification"], Blocks: []block{header(title)}}
	if strings.TrimSpace(out.Text) == "" {
		out.Text = "Stella" // not the title: this is read as mrkdwn, and the title is none
	}
	foot := w.foot()
	w.left -= chat.Len(title) + cost(element{Elements: foot.Elements})
	if s := w.texts["text"]; strings.TrimSpace(s) != "" {
		out.Blocks = append(out.Blocks, section(s))
		w.left -= chat.Len(s)
	}
	if e := w.links(); e != nil {
		out.Blocks = append(out.Blocks, richText(row(e...)))
	}
	inner := []block{foot}
	if rows := w.body(); len(rows) > 0 {
		inner = []block{richText(rows...), foot}
	}
	out.Attachments = []attachment{{Color: color(w.m), Fallback: out.Text, Blocks: inner}}
	return out
}

// title is the heading, which is never empty.
func (w *writer) title() string {
	for _, s := range []string{w.texts["title"], w.m.Title} {
		if s = w.cut("title", s, MaxHeader); s != "" {
			return s
		}
	}
	return "Stella"
}

// color is of the bar beside the list.
func color(m *notify.Message) string {
	switch m.Severity {
	case finding.Critical:
		return "#a30d2d"
	case finding.High:
		return "#e0521d"
	case finding.Medium:
		return "#e8a317"
	case finding.Low:
		return "#2f6fde"
	case finding.None:
		return "#2eb67d"
	}
	return "#7a8699"
}

// links lead to where one says that one takes care, and to the whole list.
func (w *writer) links() []element {
	var out []element
	for _, l := range []struct{ what, url string }{{"acknowledge", w.m.AckLink}, {"list", w.m.Link}} {
		if l.url == "" {
			continue
		}
		u := chat.Link(l.url)
		if u == "" {
			w.note("%s: the link is no address of the web and was left out", l.what)
			continue
		}
		if len(out) > 0 {
			out = append(out, words("   ·   "))
		}
		out = append(out, link(u, cmp.Or(w.cut(l.what, w.texts[l.what], 75), l.what)))
	}
	w.spend(out...)
	return out
}

// foot says why its reader got it, when it was made, and which delivery it is.
func (w *writer) foot() block {
	b := block{Type: "context", ID: blockID(w.m.ID)}
	if s := w.texts["why"]; strings.TrimSpace(s) != "" {
		b.Elements = append(b.Elements, element{Type: "mrkdwn", Text: s, Verbatim: yes()})
	}
	b.Elements = append(b.Elements, element{Type: "mrkdwn", Text: w.times(), Verbatim: yes()})
	if id := w.cut("delivery", w.m.ID, 64); id != "" {
		b.Elements = append(b.Elements, element{Type: "plain_text", Text: "delivery " + id, Emoji: new(bool)})
	}
	return b
}

// blockID is the delivery's id where it can be one of a block, which has at most 255
// characters.
func blockID(id string) string {
	if s, cut := chat.Line(id, 255); !cut && s == id {
		return id
	}
	return ""
}

// times are shown in the reader's own time zone, by Slack.
func (w *writer) times() string {
	if w.m.Kind == notify.KindDigest && !w.m.Since.IsZero() && w.m.Since.Before(w.m.At) {
		return date(w.m.Since) + " – " + date(w.m.At)
	}
	return date(w.m.At)
}

func date(t time.Time) string {
	otherwise := t.UTC().Format("2006-01-02 15:04 UTC")
	if t.Unix() <= 0 || t.UTC().Year() > 9999 {
		return otherwise
	}
	return "<!date^" + strconv.FormatInt(t.Unix(), 10) + "^{date_short_pretty} {time}|" + otherwise + ">"
}
