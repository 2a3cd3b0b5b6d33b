package teams_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// This file checks payloads by what Microsoft documents (the schema of Adaptive Cards 1.4,
// chatMessage of Graph 1.0), without the code that makes them.

type object = map[string]any

func checkPayload(body []byte, webhook bool) []string {
	c := &checker{}
	c.want(len(body) <= 28<<10, "%d bytes", len(body))
	var p object
	if err := json.Unmarshal(body, &p); err != nil {
		return []string{err.Error()}
	}
	if webhook {
		c.only("payload", p, "type", "attachments")
		c.want(p["type"] == "message", "type %v", p["type"])
	} else {
		c.graph(p)
	}
	a := list(p["attachments"])
	c.want(len(a) == 1, "%d attachments", len(a))
	for _, a := range a {
		c.want(a["contentType"] == "application/vnd.microsoft.card.adaptive", "contentType %v", a["contentType"])
		url, has := a["contentUrl"]
		c.want(has && url == nil, "contentUrl %v", url)
		content, _ := a["content"].(object)
		if !webhook {
			text, _ := a["content"].(string)
			c.want(json.Unmarshal([]byte(text), &content) == nil, "the card is no JSON")
		}
		c.card(content)
	}
	return c.problems
}

type checker struct{ problems []string }

func (c *checker) want(ok bool, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) only(at string, o object, names ...string) {
	c.want(o != nil, "%s: no object", at)
	for name := range o {
		c.want(slices.Contains(names, name), "%s: unknown member %q", at, name)
	}
}

func (c *checker) oneOf(at string, o object, name string, values ...string) {
	if v, ok := o[name]; ok {
		s, _ := v.(string)
		c.want(slices.Contains(values, s), "%s: %s %v", at, name, v)
	}
}

func list(v any) (out []object) {
	l, _ := v.([]any)
	for _, e := range l {
		o, _ := e.(object)
		out = append(out, o)
	}
	return out
}

var attachmentBody = regexp.MustCompile(`^<attachment id="([0-9a-f]{32})"></attachment>$`)

func (c *checker) graph(p object) {
	c.only("chatMessage", p, "summary", "importance", "body", "attachments")
	c.oneOf("chatMessage", p, "importance", "normal", "high", "urgent")
	b, _ := p["body"].(object)
	c.only("body", b, "contentType", "content")
	text, _ := b["content"].(string)
	m := attachmentBody.FindStringSubmatch(text)
	c.want(b["contentType"] == "html" && m != nil, "body %v", b)
	for _, a := range list(p["attachments"]) {
		c.only("attachment", a, "id", "contentType", "contentUrl", "content")
		c.want(m != nil && a["id"] == m[1], "attachment %v of body %q", a["id"], text)
	}
}

func (c *checker) card(o object) {
	c.only("card", o, "$schema", "type", "version", "fallbackText", "lang", "msteams", "body", "actions")
	c.want(o["type"] == "AdaptiveCard" && o["version"] == "1.4" && o["$schema"] == "http://adaptivecards.io/schemas/adaptive-card.json", "card %v %v", o["type"], o["version"])
	t, _ := o["msteams"].(object)
	c.only("msteams", t, "width") // no entities: no mentions
	c.elements("body", o["body"])
	c.want(len(list(o["actions"])) <= 6, "Teams shows 6 actions")
	for _, a := range list(o["actions"]) {
		c.only("action", a, "type", "title", "url")
		url, _ := a["url"].(string)
		c.want(a["type"] == "Action.OpenUrl", "action %v", a["type"])
		c.want(strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://"), "action to %q", url)
		c.text("action.title", a["title"])
	}
}

// dates are the only functions that a text may have.
var dates = regexp.MustCompile(`\{\{(DATE\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, SHORT\)|TIME\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\))\}\}`)

func (c *checker) text(at string, v any) {
	s, ok := v.(string)
	c.want(ok && s != "", "%s: text %T", at, v)
	c.want(!strings.Contains(s, "{{"), "%s: a function: %.80q", at, s)
}

func (c *checker) elements(at string, v any) {
	c.want(len(list(v)) > 0, "%s: no elements", at)
	for i, e := range list(v) {
		at := fmt.Sprintf("%s[%d]", at, i)
		c.oneOf(at, e, "spacing", "None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding")
		switch e["type"] {
		case "TextBlock":
			c.only(at, e, "type", "text", "wrap", "size", "isSubtle", "spacing", "weight", "color")
			c.oneOf(at, e, "size", "Default", "Small", "Medium", "Large", "ExtraLarge")
			c.want(e["wrap"] == true, "%s: not wrapped", at)
			s, _ := e["text"].(string)
			s = dates.ReplaceAllString(s, "date")
			c.text(at, s)
			c.markdown(at, s)
		case "RichTextBlock":
			c.only(at, e, "type", "inlines", "spacing")
			c.want(len(list(e["inlines"])) > 0, "%s: no inlines", at)
			for _, r := range list(e["inlines"]) {
				c.only(at, r, "type", "text", "size", "weight", "color", "fontType", "isSubtle")
				c.want(r["type"] == "TextRun", "%s: %v", at, r["type"])
				c.oneOf(at, r, "size", "Default", "Small", "Medium", "Large", "ExtraLarge")
				c.oneOf(at, r, "weight", "Default", "Lighter", "Bolder")
				c.oneOf(at, r, "fontType", "Default", "Monospace")
				c.text(at, r["text"])
			}
		case "Container":
			c.only(at, e, "type", "style", "bleed", "items", "spacing", "separator")
			c.oneOf(at, e, "style", "default", "emphasis", "good", "attention", "warning", "accent")
			c.elements(at, e["items"])
		case "ColumnSet":
			c.only(at, e, "type", "columns", "spacing")
			c.want(len(list(e["columns"])) > 0, "%s: no columns", at)
			for _, col := range list(e["columns"]) {
				c.only(at, col, "type", "width", "items")
				w, _ := col["width"].(string)
				c.want(col["type"] == "Column" && (w == "auto" || w == "stretch" || strings.HasSuffix(w, "px")), "%s: %v %v", at, col["type"], w)
				c.elements(at, col["items"])
			}
		default:
			c.want(false, "%s: type %v", at, e["type"])
		}
	}
}

// links and emphasis are what Markdown of cards knows besides lists.
var (
	links    = regexp.MustCompile(`\]\(|https?://|\bwww\.|<[a-zA-Z/!]`)
	emphasis = regexp.MustCompile(`\*\S|(^|\s)_\S|(?m)^\s*([-+*]|\d+\.)\s`)
)

func (c *checker) markdown(at, s string) {
	for _, re := range []*regexp.Regexp{links, emphasis} {
		c.want(!re.MatchString(s), "%s: markup %q in %.200q", at, re.FindString(s), s)
	}
}
