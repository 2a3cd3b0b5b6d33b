package slack

import "slices"

// The objects of Block Kit that messages are made of (docs.slack.dev, "Block Kit").

type message struct {
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"`
	Blocks      []block      `json:"blocks"`
	Attachments []attachment `json:"attachments,omitempty"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	// LinkNames and Parse are what they are by default, said all the same: nothing in a
	// text becomes a mention or a link. Webhooks know neither.
	LinkNames *bool     `json:"link_names,omitzero"`
	Parse     string    `json:"parse,omitempty"`
	Metadata  *metadata `json:"metadata,omitempty"`
}

type metadata struct {
	Type    string  `json:"event_type"`
	Payload payload `json:"event_payload"`
}

type payload struct {
	Delivery string `json:"delivery_id"`
	Group    string `json:"group_key,omitempty"`
	Kind     string `json:"kind,omitempty"`
}

// attachment gives blocks a coloured bar.
type attachment struct {
	Color    string  `json:"color"`
	Fallback string  `json:"fallback"`
	Blocks   []block `json:"blocks"`
}

type block struct {
	Type     string    `json:"type"`
	ID       string    `json:"block_id,omitempty"`
	Text     *text     `json:"text,omitempty"`
	Elements []element `json:"elements,omitempty"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitzero"`    // of plain_text
	Verbatim *bool  `json:"verbatim,omitzero"` // of mrkdwn: no names and addresses become links
}

// element is one of rich_text, or a text of a context block.
type element struct {
	Type     string    `json:"type"`
	Style    any       `json:"style,omitempty"` // of a list its name, of a text a *style
	Elements []element `json:"elements,omitempty"`
	Text     string    `json:"text,omitempty"`
	URL      string    `json:"url,omitempty"`
	Emoji    *bool     `json:"emoji,omitzero"`
	Verbatim *bool     `json:"verbatim,omitzero"`
}

type style struct {
	Bold bool `json:"bold,omitzero"`
	Code bool `json:"code,omitzero"`
}

func header(s string) block {
	// With emoji, ":latest:" of a text could become a picture.
	return block{Type: "header", Text: &text{Type: "plain_text", Text: s, Emoji: new(bool)}}
}

func section(mrkdwn string) block {
	return block{Type: "section", Text: &text{Type: "mrkdwn", Text: mrkdwn, Verbatim: yes()}}
}

func yes() *bool { v := true; return &v }

func richText(e ...element) block { return block{Type: "rich_text", Elements: e} }
func words(s string) element      { return element{Type: "text", Text: s} }
func bold(s string) element       { return element{Type: "text", Text: s, Style: &style{Bold: true}} }

// row is a line. Slack takes neither an empty text nor an empty line.
func row(e ...element) element {
	e = slices.DeleteFunc(e, func(e element) bool { return e.Text == "" })
	if len(e) == 0 {
		e = []element{words("–")}
	}
	return element{Type: "rich_text_section", Elements: e}
}

func link(url, s string) element {
	return element{Type: "link", URL: url, Text: s, Style: &style{Bold: true}}
}

func bullets(rows []element) element {
	return element{Type: "rich_text_list", Style: "bullet", Elements: rows}
}
