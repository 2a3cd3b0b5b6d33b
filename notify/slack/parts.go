package slack

import "github.com/stella-ops/stella/notify/template"

// The bounds of a message, in characters of UTF-16.
const (
	MaxHeader = 150 // Slack's own bound (docs.slack.dev, "Header block")
	// MaxMessage bounds all texts of the blocks of a message together. Slack refuses more
	// than about 12,000 with msg_blocks_too_long, counting what it does not document.
	MaxMessage = 9000
)

// Bounds of the list in a message. What is beyond is told as a number and linked.
const (
	maxItems  = 12 // images, or namespaces with theirs, where all are about the same
	maxGroups = 20 // vulnerabilities, where there are several
	maxEach   = 5  // images of each of them
)

// Parts are the texts of a message that a template may replace:
//
//	title        the heading, one line
//	notification what notifications and screen readers show
//	text         below the heading, mrkdwn
//	why          why its reader got it, mrkdwn
//	acknowledge  the words of the link to acknowledge
//	list         the words of the link to the whole list
//
// Slack takes 3,000 characters of a text of a block, and 40,000 of the notification.
func Parts() []template.Part {
	return []template.Part{
		{Name: "title", Escape: template.Line, Max: 2 * MaxHeader, Text: `{{.Title}}`},
		{Name: "notification", Escape: template.Mrkdwn, Max: 1000, Text: `{{.Title}}`},
		{Name: "text", Escape: template.Mrkdwn, Max: 2000, Text: defaultText},
		{Name: "why", Escape: template.Mrkdwn, Max: 1000, Text: `{{if .Why}}You get this because {{join ", " .Why}}.{{end}}`},
		{Name: "acknowledge", Escape: template.Line, Max: 80, Text: `Acknowledge`},
		{Name: "list", Escape: template.Line, Max: 80, Text: `See the whole list`},
	}
}

// defaultText says what the heading does not. What happened follows it.
const defaultText = `
{{- if eq .Kind "escalation"}}{{if .AckLink}}Whoever acknowledges it takes care of it: nobody else is told then.{{end}}
{{- else if eq .Kind "test"}}This is a test: the endpoint works. Nothing happened.
{{- end}}`
