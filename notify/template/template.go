// Package template renders messages by Go templates whose output is escaped for where it
// goes: what a message holds can never become markup there, whoever wrote the template.
//
// A template is a text of package text/template, narrowed. It may show the fields of
// [notify.Message] and, in a range over .Notices, those of [notify.Notice], use if, with,
// range over a list or a map, variables, and templates that it defines itself. It is
// checked as a whole when it is parsed: an unknown field or function, a wrong type, a
// loop that could run for long is an error with its line and column.
//
// The fields of a message: ID Tenant Kind At Since Title Severity Notices Total Why Rule
// RuleName GroupKey Recipient To Link AckLink Locale Template, and More, the number of
// notices that are not listed. Those of a notice: Event Type At ScanID Image Digest Owner
// Labels Vulnerability Severity Summary Exploited Fixed Cause Environment Outcome Before
// Policy Blocking Blocked Findings Assessed Subject By Reason. Those of what counts
// lists: Severity Count.
//
// Functions: and or not eq ne lt le gt ge len; upper lower title trim; trunc N TEXT;
// default TEXT TEXT; join SEPARATOR LIST; first N LIST; plural COUNT ONE MANY; label,
// emoji, colour and icon SEVERITY; atLeast SEVERITY SEVERITY; date, day and stamp TIME;
// counts and total FINDINGS; get NAME LABELS; imageName IMAGE; shortDigest DIGEST; known
// ANSWER; hasPrefix and contains PART TEXT; host URL. Colours are of form "cf222e".
//
// Every action's value is cleaned and escaped. Cleaning makes one line of it, replaces
// controls, what reorders a line and what cannot be seen, and cuts it to MaxValue.
// Escaping for mrkdwn and Markdown prefers characters that look alike to escapes, since
// clients differ in which escapes they know, and only where a character could begin
// something: my_pkg stays my_pkg, but @scope/pkg might mention somebody. Where a template
// makes an address of a value, as in <{{.Link}}|more> or [more]({{.Link}}), it is one of
// the web or none, and a value never says whom a message mentions. The template's own text
// stays as it is, but for a colon that would end an emoji that a value began. Slack links
// bare host names unless the text is sent verbatim; image names are such names and stay
// as they are, so whoever sends has to.
package template

import (
	"fmt"
	"html"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid error = fault.Invalid
	ErrLimit   error = fault.Limit
)

// The bounds of a template, besides notify.MaxTemplate.
const (
	MaxValue = 2 << 10 // bytes of one value of a message, before it is escaped
	MaxNodes = 5000    // of the parsed text
	MaxSteps = 500_000 // nodes that a rendering may visit at most, as the text has it
	MaxDepth = 20      // of if, with, range, template and brackets in each other
	MaxRange = 3       // of range in range
	// MaxList is how many elements of a list or map of a notice, and of Why, are shown.
	MaxList = 50
)

// Escape says where a part's text goes.
type Escape string

// The places.
const (
	Line     Escape = "line"     // one line of plain text, such as a subject
	Plain    Escape = "plain"    // plain text
	Mrkdwn   Escape = "mrkdwn"   // Slack's
	Markdown Escape = "markdown" // of Adaptive Cards, and the usual one
	HTML     Escape = "html"     // contextual, as of html/template
)

// Part is one text of a message.
type Part struct {
	Name   string
	Escape Escape
	Max    int    // bytes of the rendered text; what is longer is cut, with a mark. 0 is notify.MaxPayload
	Text   string // the default template; "" shows the title
}

// Set is the parsed templates of a channel's parts. It is immutable and safe for
// concurrent use.
type Set struct{ parts []compiled }

// compiled is a part with the templates that render it, the one wished first.
type compiled struct {
	Part
	own      *program // nil where the default stands
	standard *program
}

// Parse parses parts, of which texts replace the defaults by name. An error is an
// [*Error], which names every problem with its part, line and column.
func Parse(parts []Part, texts map[string]string) (*Set, error) {
	s, wrong := parseStandard(parts)
	if len(texts) > 0 {
		own, more := parseOwn("", s, texts, trial())
		s, wrong = own, append(wrong, more...)
	}
	if len(wrong) > 0 {
		return nil, &Error{wrong}
	}
	return s, nil
}

// Render renders a message: the text of each part by its name, and notes about what was
// cut or could not be rendered as wished. Equal messages give equal texts. An error wraps
// ErrInvalid and means that there is no message.
func (s *Set) Render(m *notify.Message) (map[string]string, []string, error) {
	if m == nil {
		return nil, nil, fmt.Errorf("rendering a message: there is none: %w", fault.Invalid)
	}
	views := &views{message: m}
	out := make(map[string]string, len(s.parts))
	var notes []string
	for i := range s.parts {
		text, more := s.parts[i].render(views)
		out[s.parts[i].Name] = text
		notes = append(notes, more...)
	}
	return out, append(notes, views.notes()...), nil
}

// Value returns a text as an action of a template would write it: cleaned, escaped for
// where it goes, and cut to max bytes. It is for what a channel writes without a template,
// such as a label. In HTML it may stand as text or in a quoted attribute that is no
// address.
func (e Escape) Value(s string, max int) string {
	s, _ = clean(s, MaxValue)
	if e == HTML {
		for limit := max; ; limit /= 2 {
			short := s
			if len(s) > limit {
				short = cutAt(s, limit-len(ellipsis)) + ellipsis
			}
			if page := html.EscapeString(short); len(page) <= max {
				return page
			}
			if limit == 0 {
				return ""
			}
		}
	}
	if s == "" {
		return ""
	}
	text, _ := escaped(e, open+s+shut, max)
	return text
}
