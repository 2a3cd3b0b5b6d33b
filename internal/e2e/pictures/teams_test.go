package pictures

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

type cardElement struct {
	Type, Style, Text, Size, Spacing, Width, Weight, FontType string

	Bleed, IsSubtle, Separator bool

	Items, Columns, Inlines []cardElement
}

// teamsPage shows a message of Teams.
func teamsPage(t *testing.T, body []byte) string {
	t.Helper()
	var m struct {
		Attachments []struct{ Content string }
	}
	var card struct {
		Body    []cardElement
		Actions []struct{ Title, URL string }
	}
	insensitive := json.MatchCaseInsensitiveNames(true)
	if err := json.Unmarshal(body, &m, insensitive); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(m.Attachments[0].Content), &card, insensitive); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`<div class="teams"><div class="who"><b>Stella</b> <span class="when">9:30 AM</span></div><div class="card">`)
	for _, e := range card.Body {
		teamsShow(t, &b, &e)
	}
	b.WriteString(`<div class="actions">`)
	for _, a := range card.Actions {
		b.WriteString(`<a class="button" href="` + html.EscapeString(a.URL) + `">` + html.EscapeString(a.Title) + `</a>`)
	}
	b.WriteString(`</div></div></div>`)
	return b.String()
}

func teamsShow(t *testing.T, b *strings.Builder, e *cardElement) {
	class := strings.ToLower("e " + e.Type + " spacing-" + e.Spacing + " " + e.Size)
	if e.IsSubtle {
		class += " subtle"
	}
	if e.Separator {
		class += " separator"
	}
	if e.Style != "" {
		class += " style-" + e.Style
	}
	b.WriteString(`<div class="` + class + `">`)
	switch e.Type {
	case "TextBlock":
		b.WriteString(markdown(e.Text))
	case "RichTextBlock":
		for _, r := range e.Inlines {
			class := strings.ToLower(r.Size + " " + r.Weight + " " + r.FontType)
			if r.IsSubtle {
				class += " subtle"
			}
			b.WriteString(`<span class="` + class + `">` + html.EscapeString(r.Text) + `</span>`)
		}
	case "Container":
		for _, inner := range e.Items {
			teamsShow(t, b, &inner)
		}
	case "ColumnSet":
		for _, c := range e.Columns {
			width := "flex:0 0 " + c.Width
			if c.Width == "stretch" {
				width = "flex:1"
			}
			b.WriteString(`<div style="` + width + `">`)
			for _, inner := range c.Items {
				teamsShow(t, b, &inner)
			}
			b.WriteString(`</div>`)
		}
	default:
		t.Fatalf("element %q", e.Type)
	}
	b.WriteString(`</div>`)
}

var (
	cardDate = regexp.MustCompile(`\{\{DATE\((\d{4}-\d\d-\d\d)T[^)]*\)\}\}`)
	cardTime = regexp.MustCompile(`\{\{TIME\(\d{4}-\d\d-\d\dT(\d\d:\d\d)[^)]*\)\}\}`)
	escaped  = regexp.MustCompile(`\\([\\` + "`" + `*_{}\[\]()#+.!|<>~-])`)
)

// markdown shows the little of it that default texts have.
func markdown(s string) string {
	s = cardTime.ReplaceAllString(cardDate.ReplaceAllString(s, "$1"), "$1")
	s = escaped.ReplaceAllString(s, "$1")
	return html.EscapeString(html.UnescapeString(s))
}
