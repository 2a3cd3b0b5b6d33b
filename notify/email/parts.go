package email

import (
	_ "embed" // the default templates

	"github.com/stella-ops/stella/notify/template"
)

// The parts of a template.
const (
	partSubject = "subject"
	partText    = "text"
	partHTML    = "html"
)

// The bounds of the parts, in bytes. Gmail shows no more than 102 KB of HTML.
const (
	maxSubject = 250
	maxText    = 64 << 10
	maxHTML    = 100 << 10
)

//go:embed templates/text.tmpl
var defaultText string

//go:embed templates/html.tmpl
var defaultHTML string

// Parts returns the parts of a mail with their default templates: "subject", "text" and
// "html".
func Parts() []template.Part {
	return []template.Part{
		{Name: partSubject, Escape: template.Line, Max: maxSubject, Text: `{{if .Severity}}[{{upper (label .Severity)}}] {{end}}{{.Title}}`},
		{Name: partText, Escape: template.Plain, Max: maxText, Text: defaultText},
		{Name: partHTML, Escape: template.HTML, Max: maxHTML, Text: defaultHTML},
	}
}
