package teams_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/teams"
	"github.com/stella-ops/stella/notify/template"
)

// injections are texts that would be more than text in a card.
var injections = []string{
	" ", "\n",
	"[click](https://evil.example)", "[click](javascript:alert(1))", "[a]: https://evil.example", "![x](https://evil.example/x.png)", "[a][b]", "[](x)", "](", "a](b)c[d",
	"https://evil.example", "HTTP://EVIL.EXAMPLE", "www.evil.example", "<https://evil.example>", "a@evil.example", "mailto:a@evil.example",
	"**bold**", "__bold__", "*italic*", "_italic_", "***x***", "**", "*", "a*b*c", "\\*b\\*", "~~gone~~", "`code`", "```\nblock\n```", "    code",
	"# heading", "- item", "* item", "+ item", "1. item", "\n- item", "\r- item", "> quote", "---", "| a | b |", "<b>b</b>", "<script>alert(1)</script>", "<at>Everyone</at>",
	"&lt;b&gt;", "&#60;b&#62;", "<!-- x -->", "{{DATE(2017-02-14T06:00:00Z, SHORT)}}", "{{TIME(2017-02-14T06:00:00Z)}}", "{{{DATE(2017-02-14T06:00:00Z)}}}", "{ {x}}",
	"${title}", "$(x)", "@{triggerBody()}", "@everyone", `"},{"type":"Action.Submit"}`, `\u003cb\u003e`, "</attachment><at id=\"0\">x</at>", "\u202e)elpmaxe.live//:sptth(]x[", "\u200b*x*",
	"\x00*x*", "\xff**x**", "\x1b[31m", "\u2028- item", strings.Repeat("[x](https://evil.example) *_`", 1000),
}

// TestInjections: whatever a message holds, wherever it holds it, is text.
func TestInjections(t *testing.T) {
	app := open(t, &notify.Endpoint{ID: "e", Type: "teams", To: someChannel, Secrets: map[string]string{"token": "t"}})
	hook := open(t, &notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"url": "u"}})
	// A template of a tenant's own is no way around.
	own := []notify.Template{{ID: "own", Type: "teams", Parts: map[string]string{
		"title": "{{.Title}}", "notification": "{{.RuleName}} {{.Title}}", "text": "{{range .Notices}}{{.Image}} {{.Summary}} {{.Reason}}, {{end}}", "why": "{{.RuleName}}{{join \"\" .Why}}",
		"acknowledge": "{{.Title}}", "list": "{{.RuleName}}"}}}
	tenant, err := teams.Open(&notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"url": "u"}}, own, nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, s := range injections {
		for _, around := range []string{s, "a " + s + " b", "a" + s + "b"} {
			for _, total := range []int{1, 1000} {
				m := hostile(around, total)
				for i, c := range []notify.Channel{app, hook, tenant} {
					p, err := c.Render(m)
					if err != nil {
						t.Fatalf("%q: %v", s, err)
					}
					for _, problem := range checkPayload(p.Body, i > 0) {
						t.Errorf("%q: %s", around[:min(len(around), 60)], problem)
					}
					cases++
				}
			}
		}
	}
	for _, m := range template.Samples() {
		m.To = ""
		if p, err := hook.Render(m); err != nil || checkPayload(p.Body, true) != nil {
			t.Errorf("%.40q: %v, %v", m.Title, err, checkPayload(p.Body, true))
		}
	}
	t.Logf("%d cases", cases)
}

// hostile is a message all of whose texts are one.
func hostile(s string, total int) *notify.Message {
	m := drift()
	m.Title, m.RuleName, m.GroupKey, m.Why, m.Total = s, s, s, []string{s, s}, total
	n := m.Notices[0]
	n.Image, n.Owner, n.Vulnerability, n.Severity, n.Summary, n.Cause = s, s, s, finding.Severity(s), s, s
	n.Environment, n.Outcome, n.Policy, n.Blocking, n.Reason, n.By, n.Subject = s, s, s, []string{s}, s, s, s
	m.Notices = []notify.Notice{n}
	for range min(total, 8) - 1 {
		n.Vulnerability, n.Image = n.Vulnerability+"x", n.Image+"y"
		m.Notices = append(m.Notices, n)
	}
	m.Notices = slices.Clip(m.Notices)
	return m
}
