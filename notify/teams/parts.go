package teams

import "github.com/stella-ops/stella/notify/template"

// MaxPayload bounds the payload, in bytes. Teams says that it takes about 28 KB
// (learn.microsoft.com, "Limits and specifications"), and has been seen to refuse 21 KB.
const MaxPayload = 20_000

const maxTitle = 250 // characters

// level is how much of a message a card shows.
type level struct {
	items  int // images, or namespaces with theirs, where all are about the same
	groups int // vulnerabilities, where there are several
	each   int // images of each of them
	fact   int // characters of a fact, a name and a note
}

// levels from the most on. The last one fits whatever a message holds.
func levels() []level {
	return []level{{12, 20, 5, 300}, {8, 10, 3, 200}, {6, 6, 2, 120}, {4, 4, 1, 80}, {0, 0, 0, 40}}
}

// Parts are the texts of a message that a template may replace:
//
//	title        the heading, one line
//	notification what notifications show, one line
//	text         below the heading, Markdown
//	why          why its reader got it, Markdown
//	acknowledge  the words of the button to acknowledge
//	list         the words of the button to the whole list
func Parts() []template.Part {
	return []template.Part{
		{Name: "title", Escape: template.Line, Max: 2 * maxTitle, Text: `{{.Title}}`},
		{Name: "notification", Escape: template.Line, Max: 2 * maxTitle, Text: `{{.Title}}`},
		{Name: "text", Escape: template.Markdown, Max: 1500, Text: defaultText},
		{Name: "why", Escape: template.Markdown, Max: 800, Text: `{{if .Why}}You get this because {{join ", " .Why}}.{{end}}`},
		{Name: "acknowledge", Escape: template.Line, Max: 80, Text: `Acknowledge`},
		{Name: "list", Escape: template.Line, Max: 80, Text: `See the whole list`},
	}
}

// defaultText says what the heading does not. What happened follows it.
const defaultText = `
{{- if eq .Kind "escalation"}}{{if .AckLink}}Whoever acknowledges it takes care of it: nobody else is told then.{{end}}
{{- else if eq .Kind "test"}}This is a test: the endpoint works. Nothing happened.
{{- end}}`
