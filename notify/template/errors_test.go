package template

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
)

// wrongTexts are what is refused when a template is saved, each with where and why.
func wrongTexts() []struct{ text, want string } {
	return []struct{ text, want string }{
		// names
		{"{{.Titel}}", `1:3: there is no field "Titel" in a message; did you mean "Title"?`},
		{"é {{ .titel }}", `1:6: there is no field "titel" in a message; did you mean "Title"?`},
		{"a\nb {{range .Notices}}\n  {{.Imgae}}{{end}}", `3:5: there is no field "Imgae" in a notice; did you mean "Image"?`},
		{"{{$.Nothing}}", `1:4: there is no field "Nothing" in a message`},
		{"{{range .Notices}}{{$.Image}}{{end}}", `1:22: there is no field "Image" in a message`},
		{"{{range $i, $n := .Notices}}{{$n.Imagee}}{{end}}", `1:33: there is no field "Imagee" in a notice; did you mean "Image"?`},
		{"{{(first 1 .Notices).Image}}", `1:21: a list has no field "Image"`},
		{"{{.Title.Upper}}", `1:9: a text has no field "Upper"`},
		{"{{.At.Unix}}", `1:6: a time has no field "Unix"`},
		{"{{with .Link}}{{.Title}}{{end}}", `1:17: a text has no field "Title"`},
		{"{{$x}}", `1:1: undefined variable "$x"`},
		{"{{if true}}{{$x := 1}}{{end}}{{$x}}", `1:30: undefined variable "$x"`},
		{"{{range $x := .Why}}{{else}}{{$x}}{{end}}", `1:31: $x is not known here`},
		{"{{.Notices.Findings.critical}}", `1:11: a list has no field "Findings"`},
		{"{{range .Notices}}{{.Findings.critical}}{{end}}", `1:30: a map has no field "critical"`},
		{"{{._title}}", `1:3: there is no field "_title" in a message; did you mean "Title"?`},
		// functions
		{"{{uper .Title}}", `1:3: function "uper" is not allowed; did you mean "upper"?`},
		{"x {{.Title | safeHTML}}", `1:14: function "safeHTML" is not allowed`},
		{"{{printf \"%s\" .Title}}", `1:3: function "printf" is not allowed`},
		{"{{print .Title}}", `1:3: function "print" is not allowed`},
		{"{{println .Title}}", `1:3: function "println" is not allowed`},
		{"{{html .Title}}", `1:3: function "html" is not allowed`},
		{"{{js .Title}}", `1:3: function "js" is not allowed`},
		{"{{urlquery .Title}}", `1:3: function "urlquery" is not allowed`},
		{"{{call .Title}}", `1:3: function "call" is not allowed`},
		{"{{index .Notices 0}}", `1:3: function "index" is not allowed`},
		{"{{slice .Title 1}}", `1:3: function "slice" is not allowed`},
		{"{{env \"HOME\"}}", `1:3: function "env" is not allowed`},
		{"{{_show .Title}}", `1:3: function "_show" is not allowed`},
		{"{{upper}}", `1:3: upper wants 1 arguments, not 0`},
		{"{{upper .Title .Title}}", `1:3: upper wants 1 arguments, not 2`},
		{"{{.Title | trunc}}", `1:12: trunc wants 2 arguments, not 1`},
		{"{{not}}", `1:3: not wants 1 arguments, not 0`},
		{"{{if and}}{{end}}", `1:6: and wants arguments`},
		// types
		{"{{.Notices}}", `1:3: a list cannot be shown; use range, join or len`},
		{"{{range .Notices}}{{.}}{{end}}", `1:21: a record cannot be shown; name one of its fields`},
		{"{{range .Notices}}{{.Labels}}{{end}}", `1:21: a map cannot be shown; use range, get or counts`},
		{"{{.}}", `1:3: a record cannot be shown; name one of its fields`},
		{"{{or .Title .Total}}", `1:3: a mix cannot be shown; name one of its fields`},
		{"{{upper .Total}}", `1:9: upper wants a text here, not a number`},
		{"{{.Total | upper}}", `1:12: upper wants a text here, not a number`},
		{"{{trunc \"a\" .Title}}", `1:9: trunc wants a number here, not a text`},
		{"{{trunc 1.5 .Title}}", `1:9: 1.5 is no whole number`},
		{"{{date .Title}}", `1:8: date wants a time here, not a text`},
		{"{{join \", \" .Notices}}", `1:13: join wants a list of texts`},
		{"{{range counts .Why}}{{end}}", `1:16: counts wants a map here, not a list`},
		{"{{range .Notices}}{{range counts .Labels}}{{end}}{{end}}", `1:34: counts wants a map of numbers, such as .Findings`},
		{"{{range .Notices}}{{get \"a\" .Findings}}{{end}}", `1:29: get wants a map of texts, such as .Labels`},
		{"{{len .Total}}", `1:7: len wants a text, a list or a map, not a number`},
		{"{{if lt .Severity \"high\"}}{{end}}", `1:9: lt compares numbers, not a text; severities by atLeast`},
		{"{{if eq .Total \"1\"}}{{end}}", `1:16: eq compares a number with a text`},
		{"{{if eq .Notices 1}}{{end}}", `1:9: eq compares texts and numbers, not a list`},
		{"{{if eq .Total}}{{end}}", `1:6: eq wants 2 arguments, not 1`},
		{"{{if eq .Severity \"critcal\"}}{{end}}", `1:19: it is never "critcal"; did you mean "critical"?`},
		{"{{if ne \"digset\" .Kind}}{{end}}", `1:9: it is never "digset"; did you mean "digest"?`},
		{"{{if atLeast .Severity \"hihg\"}}{{end}}", `1:24: "hihg" is no severity; did you mean "high"?`},
		{"{{nil}}", `1:3: there is no nil here`},
		{"{{default nil .Title}}", `1:11: there is no nil here`},
		{"{{.Title .Total}}", `1:3: .Title is no function and takes nothing`},
		{"{{.Total | .Title}}", `1:12: .Title is no function and takes nothing`},
		{"{{.At.Format \"2006\"}}", `1:6: a time has no field "Format"`},
		{"{{$x := .Total}}{{$x = .Title}}", `1:19: $x is a number and cannot become another or a text`},
		{"{{$x := .Why}}{{$x = .Notices}}", `1:17: $x is a list and cannot become another or a list`},
		// loops and bounds
		{"{{range 1000000000}}x{{end}}", `1:9: range goes over lists and maps, not over a number`},
		{"{{range .Total}}x{{end}}", `1:9: range goes over lists and maps, not over a number`},
		{"{{range .Title}}x{{end}}", `1:9: range goes over lists and maps, not over a text`},
		{"{{range .More}}x{{end}}", `1:9: range goes over lists and maps, not over a number`},
		{"{{range .Notices}}\n{{range $.Notices}}{{range $.Notices}}x{{end}}{{end}}{{end}}", `1:9: this loop may take 16080601 steps; at most 500000`},
		{"{{range .Why}}{{range $.Why}}{{range $.Why}}{{range $.Why}}x{{end}}{{end}}{{end}}{{end}}", `1:9: range in range, 4 deep; at most 3`},
		{"{{define \"a\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}", `1:26: template "a" calls itself`},
		{"{{define \"a\"}}{{template \"b\" .}}{{end}}{{define \"b\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}", `1:65: template "a" calls itself`},
		{"{{template \" \" .}}", `1:12: template " " calls itself`},
		{"{{define \"lists\"}}{{end}}{{template \"lists\"}}{{template \"list\"}}", `1:57: template "list" is not defined here; did you mean "lists"?`},
		{"{{define \"a\"}}{{.Titel}}{{end}}{{template \"a\" .}}", `1:17: there is no field "Titel" in a message; did you mean "Title"?`},
		{"{{define \"a\"}}{{.Title}}{{end}}{{range .Notices}}{{template \"a\" .}}{{end}}", `1:17: there is no field "Title" in a notice`},
		{"{{define \"a\"}}{{.}}{{end}}{{template \"a\"}}", `1:17: the template was called without a value`},
		{"{{define \"a\"}}x{{end}}", `1:15: template "a" is defined and never used`},
		{"{{define \"a\"}}x{{end}}{{define \"a\"}}y{{end}}", `1:38: multiple definition of template "a"`},
		{strings.Repeat("{{if .Title}}", 22) + strings.Repeat("{{end}}", 22), `1:266: more than 20 actions and brackets in each other`},
		{strings.Repeat("{{.Total}}", 2501), `1:25003: more than 5000 elements`},
		{"{{len " + strings.Repeat("(", 30) + ".Title" + strings.Repeat(")", 30) + "}}", `1:28: more than 20 actions and brackets in each other`},
		// syntax
		{"a {{.Title", `1:3: unclosed action`},
		{"a\n\n  {{if .Title}}\n{{.Title}}", `3:3: this has no end`},
		{"{{range .Why}}{{if .}}{{end}}", `1:1: this has no end`},
		{"{{.Title}} {{end}}", `1:12: unexpected {{end}}`},
		{"{{.Title}} {{else}}", `1:12: unexpected {{else}}`},
		{"{{.Title}} {{if}} {{end}}", `1:12: missing value for if`},
		{"a\n{{.Title}} {{}} {{.Title}}", `2:12: missing value for command`},
		{"{{.Title}} {{\"a}} {{.Title}}", `1:12: unterminated quoted string`},
		{"{{.Title}} {{.A b'}}", `1:12: bad character U+0027 '''`},
		{"{{.Title}} {{/* x }}", `1:12: unclosed comment`},
		{"{{.Title}} {{break}}", `1:12: {{break}} outside {{range}}`},
		{"{{.Title | 3 | }}", `1:1: non executable command in pipeline stage 2`},
		{"{{.Title}} {{#if x}}", `1:12: unexpected "#" in command`},
		// texts
		{"a\x00b", `1:2: control character U+0000`},
		{"a\x02b\x03", `1:2: control character U+0002`},
		{"a\x1b[31m", `1:2: control character U+001B`},
		{"é\xff", `1:2: this is no UTF-8`},
		{"x https://hooks.slack.com/services/T0/B0/abcdefghijkl", `1:11: this looks like a secret; a template holds none`},
		{"{{.Title}} xoxb-1234567890-abc", `1:12: this looks like a secret; a template holds none`},
		{"AKIAIOSFODNN7EXAMPLE", `1:1: this looks like a secret; a template holds none`},
		{"https://bob:hunter2@example.com", `1:1: this looks like a secret; a template holds none`},
		{"-----BEGIN EC PRIVATE KEY-----", `1:1: this looks like a secret; a template holds none`},
	}
}

func TestWrongTexts(t *testing.T) {
	for _, tt := range wrongTexts() {
		_, err := Parse([]Part{{Name: "p", Escape: Mrkdwn}}, map[string]string{"p": tt.text})
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%.100q passes: %v", tt.text, err)
			continue
		}
		first, _, _ := strings.Cut(e.Error(), "\n")
		if diff := cmp.Diff("p:"+tt.want, first); diff != "" {
			t.Errorf("%.100q: %s", tt.text, diff)
		}
		if !strings.Contains(e.Problems[0].Mark, "^") {
			t.Errorf("%.100q: no mark", tt.text)
		}
	}
}

// TestWrongPages: html/template refuses pages whose values have no safe place.
func TestWrongPages(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"<p>{{.Title}}</p>\n<a {{.Title}}='", `2:16: ends in a non-text context`},
		{"<p {{if .Title}}a='{{end}}>", "1:9: {{if}} branches end in different contexts"},
		{"<p>{{.Titel}}", `1:6: there is no field "Titel" in a message; did you mean "Title"?`},
		{"{{.Title | html}}", `1:12: function "html" is not allowed`},
	} {
		_, err := Parse([]Part{{Name: "p", Escape: HTML, Text: tt.text}}, nil)
		if err == nil {
			t.Errorf("%q passes", tt.text)
			continue
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		if diff := cmp.Diff("p:"+tt.want, first); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

// TestAllProblems: they are told at once, of all parts and templates.
func TestAllProblems(t *testing.T) {
	parts := []Part{{Name: "subject", Escape: Line}, {Name: "text", Escape: Plain}}
	_, err := NewLibrary("email", parts, []notify.Template{
		{ID: "a", Type: "email", Parts: map[string]string{"subject": "{{.X}} {{.Y}}", "text": "x\n{{z}}", "tetx": "x"}},
		{ID: "b", Type: "email", Locale: "fr", Parts: map[string]string{"text": "{{"}},
		{ID: "c", Type: "email", Locale: "FR", Parts: map[string]string{"text": "x"}},
		{ID: "d", Type: "slack", Parts: map[string]string{"text": "{{"}},
		{ID: "e", Type: "email", Name: "big", Parts: map[string]string{"text": strings.Repeat("x", notify.MaxTemplate+1)}},
	})
	want := `template "a": subject:1:3: there is no field "X" in a message
  | {{.X}} {{.Y}}
  |   ^
template "a": subject:1:10: there is no field "Y" in a message
  | {{.X}} {{.Y}}
  |          ^
template "a": tetx: there is no such part; did you mean "text"?
template "a": text:2:3: function "z" is not allowed
  | {{z}}
  |   ^
template "b": text:1:1: unclosed action
  | {{
  | ^
template "c": it is for the same name "" and locale "FR" as template "b"
template "e": text: 262145 bytes; at most 262144`
	if err == nil {
		t.Fatal("passes")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, ErrLimit) {
		t.Error("the kind")
	}
	_, err = Parse([]Part{{Name: "a", Escape: "xml"}, {Name: "b", Escape: Line}, {Name: "b", Escape: Line}}, nil)
	if err == nil || err.Error() != "a: there is no escape \"xml\"\nb: a second part of this name" {
		t.Error(err)
	}
}
