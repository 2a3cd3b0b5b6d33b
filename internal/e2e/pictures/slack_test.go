package pictures

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

type slackBlock struct {
	Type     string
	Text     struct{ Type, Text string }
	Elements []slackElement
}

type slackElement struct {
	Type     string
	Text     string
	URL      string
	Style    any
	Elements []slackElement
}

// slackPage shows a message of Slack.
func slackPage(t *testing.T, body []byte) string {
	t.Helper()
	var m struct {
		Blocks      []slackBlock
		Attachments []struct {
			Color  string
			Blocks []slackBlock
		}
	}
	if err := json.Unmarshal(body, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`<div class="slack"><div class="avatar">St</div><div class="post"><div class="who"><b>Stella</b> <span class="app">APP</span> <span class="when">9:30 AM</span></div>`)
	for _, block := range m.Blocks {
		slackShow(t, &b, &block)
	}
	for _, a := range m.Attachments {
		b.WriteString(`<div class="attachment" style="border-color:` + html.EscapeString(a.Color) + `">`)
		for _, block := range a.Blocks {
			slackShow(t, &b, &block)
		}
		b.WriteString(`</div>`)
	}
	b.WriteString(`</div></div>`)
	return b.String()
}

func slackShow(t *testing.T, b *strings.Builder, block *slackBlock) {
	switch block.Type {
	case "header":
		b.WriteString(`<h3>` + html.EscapeString(block.Text.Text) + `</h3>`)
	case "section":
		b.WriteString(`<p>` + mrkdwn(block.Text.Text) + `</p>`)
	case "context":
		b.WriteString(`<div class="context">`)
		for _, e := range block.Elements {
			text := html.EscapeString(e.Text)
			if e.Type == "mrkdwn" {
				text = mrkdwn(e.Text)
			}
			b.WriteString(`<span>` + text + `</span> `)
		}
		b.WriteString(`</div>`)
	case "rich_text":
		slackRich(t, b, block.Elements)
	default:
		t.Fatalf("block %q", block.Type)
	}
}

func slackRich(t *testing.T, b *strings.Builder, elements []slackElement) {
	for _, e := range elements {
		switch e.Type {
		case "rich_text_section":
			b.WriteString(`<div class="row">`)
			slackRich(t, b, e.Elements)
			b.WriteString(`</div>`)
		case "rich_text_list":
			b.WriteString(`<ul>`)
			for _, item := range e.Elements {
				b.WriteString(`<li>`)
				slackRich(t, b, item.Elements)
				b.WriteString(`</li>`)
			}
			b.WriteString(`</ul>`)
		case "text", "link":
			text := html.EscapeString(e.Text)
			style, _ := e.Style.(map[string]any)
			if style["code"] == true {
				text = `<code>` + text + `</code>`
			}
			if style["bold"] == true {
				text = `<b>` + text + `</b>`
			}
			if e.Type == "link" {
				text = `<a href="` + html.EscapeString(e.URL) + `">` + text + `</a>`
			}
			b.WriteString(text)
		default:
			t.Fatalf("element %q", e.Type)
		}
	}
}

var (
	slackDate = regexp.MustCompile(`<!date\^\d+\^[^|>]*\|([^>]*)>`)
	slackBold = regexp.MustCompile(`\*(\S[^*\n]*\S|\S)\*`)
)

// mrkdwn shows the little of Slack's markup that default texts have.
func mrkdwn(s string) string {
	s = slackDate.ReplaceAllString(s, "$1")
	s = html.EscapeString(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s))
	return strings.ReplaceAll(slackBold.ReplaceAllString(s, "<b>$1</b>"), "\n", "<br>")
}
