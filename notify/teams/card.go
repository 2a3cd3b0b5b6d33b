package teams

import "slices"

// The objects of messages, of Adaptive Cards 1.4 (adaptivecards.io/schemas) and of
// Microsoft Graph's chatMessage.

// envelope is what the webhook of a workflow takes.
type envelope struct {
	Type        string       `json:"type"` // "message"
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string  `json:"contentType"`
	ContentURL  *string `json:"contentUrl"` // null
	Content     *card   `json:"content"`
}

// chatMessage is what Graph takes.
type chatMessage struct {
	Summary     string            `json:"summary,omitempty"`
	Importance  string            `json:"importance,omitempty"`
	Body        itemBody          `json:"body"`
	Attachments []graphAttachment `json:"attachments"`
}

type itemBody struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

// graphAttachment holds the card as a text of JSON.
type graphAttachment struct {
	ID          string  `json:"id"`
	ContentType string  `json:"contentType"`
	ContentURL  *string `json:"contentUrl"`
	Content     string  `json:"content"`
}

const (
	cardType    = "application/vnd.microsoft.card.adaptive"
	cardSchema  = "http://adaptivecards.io/schemas/adaptive-card.json"
	cardVersion = "1.4"
)

type card struct {
	Schema   string    `json:"$schema"`
	Type     string    `json:"type"`
	Version  string    `json:"version"`
	Fallback string    `json:"fallbackText,omitempty"`
	Lang     string    `json:"lang,omitempty"`
	Teams    teams     `json:"msteams"` // of Teams alone: others pass it over
	Body     []element `json:"body"`
	Actions  []action  `json:"actions,omitempty"`
}

type teams struct {
	Width string `json:"width"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// element is one of TextBlock, RichTextBlock, Container and ColumnSet.
type element struct {
	Type      string    `json:"type"`
	Style     string    `json:"style,omitempty"`
	Bleed     bool      `json:"bleed,omitzero"`
	Text      string    `json:"text,omitempty"`
	Wrap      bool      `json:"wrap,omitzero"`
	Size      string    `json:"size,omitempty"`
	Subtle    bool      `json:"isSubtle,omitzero"`
	Spacing   string    `json:"spacing,omitempty"`
	Separator bool      `json:"separator,omitzero"`
	Items     []element `json:"items,omitempty"`
	Columns   []column  `json:"columns,omitempty"`
	Inlines   []run     `json:"inlines,omitempty"`
}

type column struct {
	Type  string    `json:"type"`
	Width string    `json:"width"`
	Items []element `json:"items"`
}

// run is a text that knows no markup.
type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
	Font   string `json:"fontType,omitempty"`
	Subtle bool   `json:"isSubtle,omitzero"`
}

func words(s string) run { return run{Type: "TextRun", Text: literal(s)} }

func bold(s string) run {
	r := words(s)
	r.Weight = "Bolder"
	return r
}

func subtle(s string) run {
	r := words(s)
	r.Subtle = true
	return r
}

func small(r run) run {
	r.Size = "Small"
	return r
}

// row is a line, without runs that are empty.
func row(runs ...run) element {
	runs = slices.DeleteFunc(runs, func(r run) bool { return r.Text == "" })
	if len(runs) == 0 {
		runs = []run{words("–")}
	}
	return element{Type: "RichTextBlock", Inlines: runs}
}

func (e element) spaced(s string) element {
	e.Spacing = s
	return e
}

func markdown(s string) element { return element{Type: "TextBlock", Text: literal(s), Wrap: true} }

func fact(name, value string) element {
	return element{Type: "ColumnSet", Spacing: "Small", Columns: []column{
		{Type: "Column", Width: "110px", Items: []element{row(bold(name))}},
		{Type: "Column", Width: "stretch", Items: []element{row(words(value))}},
	}}
}
