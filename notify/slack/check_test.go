package slack_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
)

// This file checks payloads by what Slack documents, without the code that makes them.

type object = map[string]any

// checkPayload returns what Slack would refuse, and what a message must not do.
func checkPayload(body []byte, webhook bool) (problems []string) {
	var p object
	if err := json.Unmarshal(body, &p); err != nil {
		return []string{err.Error()}
	}
	c := &checker{}
	allowed := []string{"text", "blocks", "attachments", "unfurl_links", "unfurl_media"}
	if !webhook {
		allowed = append(allowed, "channel", "link_names", "parse", "metadata")
	}
	c.only("payload", p, allowed...)
	c.text("text", p["text"], 1, 40_000)
	c.mrkdwn("text", p["text"])
	for _, name := range []string{"unfurl_links", "unfurl_media"} {
		c.want(p[name] == false, "%s is %v", name, p[name])
	}
	if !webhook {
		c.want(p["link_names"] == false && p["parse"] == "none", "names or addresses are linked: %v %v", p["link_names"], p["parse"])
		c.want(p["channel"] != nil && p["channel"] != "", "no channel")
		c.metadata(p["metadata"])
	}
	c.blocks("blocks", p["blocks"])
	for i, a := range list(p["attachments"]) {
		at := fmt.Sprintf("attachments[%d]", i)
		c.only(at, a, "color", "fallback", "blocks")
		c.text(at+".fallback", a["fallback"], 1, 3000)
		c.mrkdwn(at+".fallback", a["fallback"])
		c.blocks(at, a["blocks"])
	}
	c.want(len(list(p["attachments"])) <= 100, "too many attachments")
	c.want(c.count <= 50, "%d blocks", c.count)
	c.want(c.chars <= 12_000, "%d characters in all blocks: msg_blocks_too_long", c.chars)
	return c.problems
}

type checker struct {
	problems []string
	count    int // blocks
	chars    int
	ids      []string
}

func (c *checker) want(ok bool, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) only(at string, o object, names ...string) {
	for name := range o {
		c.want(slices.Contains(names, name), "%s: unknown member %q", at, name)
	}
}

func (c *checker) text(at string, v any, least, most int) string {
	s, ok := v.(string)
	n := len(utf16.Encode([]rune(s)))
	c.want(ok && n >= least && n <= most, "%s: %T of %d characters, %d to %d are taken", at, v, n, least, most)
	return s
}

// What Slack reads in mrkdwn, besides <…>.
var (
	marks    = regexp.MustCompile(`(^|[\s\p{P}\p{S}])([*_~])(\S|\S[^\n]*\S)([*_~])($|[\s\p{P}\p{S}])`)
	codes    = regexp.MustCompile("`[^`]+`")
	emojis   = regexp.MustCompile(`:[a-z0-9_+'-]*[a-z][a-z0-9_+'-]*:`)
	quotes   = regexp.MustCompile(`(?m)^\s*(>|&gt;)`)
	autolink = regexp.MustCompile(`(?i)https?://|\bmailto:|\bwww\.[a-z]|\b[a-z0-9.]+@[a-z0-9-]+\.[a-z]`)
)

// mrkdwn finds what Slack would read as a mention, a link, a command or a format. A date
// is none.
func (c *checker) mrkdwn(at string, v any) {
	s, _ := v.(string)
	s = ours.ReplaceAllString(s, "")
	c.want(!strings.ContainsAny(s, "<>"), "%s: markup: %.200q", at, s)
	for what, re := range map[string]*regexp.Regexp{"code": codes, "emoji": emojis, "quotation": quotes, "address": autolink} {
		c.want(!re.MatchString(s), "%s: %s %q in %.200q", at, what, re.FindString(s), s)
	}
	for _, m := range marks.FindAllStringSubmatch(s, -1) {
		c.want(m[2] != m[4], "%s: format %q", at, m[0])
	}
}

// ours are the dates that the channel itself writes.
var ours = regexp.MustCompile(`<!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC>`)

func (c *checker) metadata(v any) {
	m, _ := v.(object)
	c.only("metadata", m, "event_type", "event_payload")
	c.text("event_type", m["event_type"], 1, 255)
	p, ok := m["event_payload"].(object)
	c.want(ok, "event_payload is no object")
	for name, v := range p {
		_, ok := v.(string)
		c.want(ok, "event_payload.%s is %T", name, v)
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

func (c *checker) blocks(at string, v any) {
	c.want(len(list(v)) > 0, "%s: no blocks", at)
	for i, b := range list(v) {
		c.count++
		at := fmt.Sprintf("%s[%d]", at, i)
		if id, ok := b["block_id"]; ok {
			s := c.text(at+".block_id", id, 1, 255)
			c.want(!slices.Contains(c.ids, s), "%s: block_id twice", at)
			c.ids = append(c.ids, s)
		}
		switch b["type"] {
		case "header":
			c.only(at, b, "type", "text")
			o := c.object(at, b["text"], 1, 150)
			c.want(o["type"] == "plain_text", "%s: a header is plain_text", at)
		case "section":
			c.only(at, b, "type", "text")
			c.object(at, b["text"], 1, 3000)
		case "context":
			c.only(at, b, "type", "block_id", "elements")
			e := list(b["elements"])
			c.want(len(e) >= 1 && len(e) <= 10, "%s: %d elements", at, len(e))
			for j, o := range e {
				c.object(fmt.Sprintf("%s.elements[%d]", at, j), any(o), 1, 3000)
			}
		case "rich_text":
			c.only(at, b, "type", "elements")
			c.rich(at, b["elements"], "rich_text_section", "rich_text_list")
		default:
			c.want(false, "%s: type %v", at, b["type"])
		}
	}
}

// object is a text object of a section, a header or a context.
func (c *checker) object(at string, v any, least, most int) object {
	o, _ := v.(object)
	s := c.text(at, o["text"], least, most)
	c.chars += len(utf16.Encode([]rune(s)))
	switch o["type"] {
	case "mrkdwn":
		c.only(at, o, "type", "text", "verbatim")
		c.want(o["verbatim"] == true, "%s: not verbatim", at)
		c.mrkdwn(at, o["text"])
	case "plain_text":
		c.only(at, o, "type", "text", "emoji")
		c.want(o["emoji"] == false, "%s: emoji", at)
	default:
		c.want(false, "%s: type %v", at, o["type"])
	}
	return o
}

func (c *checker) rich(at string, v any, types ...string) {
	c.want(len(list(v)) > 0, "%s: no elements", at)
	for i, e := range list(v) {
		at := fmt.Sprintf("%s.elements[%d]", at, i)
		typ, _ := e["type"].(string)
		c.want(slices.Contains(types, typ), "%s: type %q", at, typ)
		switch typ {
		case "rich_text_section":
			c.only(at, e, "type", "elements")
			c.rich(at, e["elements"], "text", "link")
		case "rich_text_list":
			c.only(at, e, "type", "style", "elements")
			c.want(e["style"] == "bullet" || e["style"] == "ordered", "%s: style %v", at, e["style"])
			c.rich(at, e["elements"], "rich_text_section")
		case "text", "link":
			c.only(at, e, "type", "text", "style", "url")
			c.chars += len(utf16.Encode([]rune(c.text(at, e["text"], 1, 3000))))
			if typ == "link" {
				u := c.text(at, e["url"], 1, 3000)
				c.chars += len(u)
				c.want(strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://"), "%s: link to %q", at, u)
			} else {
				c.want(e["url"] == nil, "%s: a text with an address", at)
			}
			if s, ok := e["style"].(object); ok {
				c.only(at+".style", s, "bold", "code")
			}
		}
	}
}
