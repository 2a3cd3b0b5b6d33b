package slack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/slack"
	"github.com/stella-ops/stella/notify/template"
)

// injections are texts that would be more than text in Slack.
var injections = []string{
	" ", "\n",
	"<!channel>", "<!here>", "<!everyone>", "<!subteam^S012|@team>", "<@U024BE7LH>", "<@W024BE7LH|ceo>", "<#C024BE7LR|general>",
	"<https://evil.example|CVE-2024-1234>", "<https://evil.example>", "<mailto:a@evil.example|mail>", "<tel:+1|call>", "<javascript:alert(1)|x>",
	"<!date^1392734382^Posted {date_num}^https://evil.example|x>", "<!date^0^{time}|x>", "< !channel>", "<<!channel>>", "&lt;!channel&gt;", "&amp;lt;!channel>",
	"<\u200b!channel>", "<!chan\u200bnel>", "\u202e>lennahc!<", "＜!channel＞", "<!channel", "!channel>", "<", ">", "a<b>c", "<x|", "|y>",
	"*bold*", "_italic_", "~strike~", "`code`", "```block```", "*a _b ~c~ b_ a*", "*_~`", "* a *", "a*b*c", "(*b*)", "\"*b*\"", "*", "**", "*\n*",
	"> quote", ">>> quote", "&gt; quote", "\n> quote", "\r\n> quote", "\u2028> quote", "• item", "- item", "1. item", "# heading",
	":boom:", ":flag-de:", ":+1:", "a:boom:b", ":skin-tone-2:", "::", "image:tag:x", "http://evil.example", "HTTPS://EVIL.EXAMPLE/x", "www.evil.example",
	"a@evil.example", "@here", "@channel", "@everyone", "#general", "\\<!channel\\>", "%3C!channel%3E", "\x00<!channel>", "\xff<!channel>", "<!channel>\x1b[31m",
	`"},{"type":"section"}`, `\u003c!channel\u003e`, "{{.ID}}", "${x}", "<!channel> " + strings.Repeat("&<>*_~`", 5000),
}

// TestInjections: whatever a message holds, wherever it holds it, is text.
func TestInjections(t *testing.T) {
	app := open(t, &notify.Endpoint{ID: "e", Type: "slack", To: "C1", Secrets: map[string]string{"token": "t"}}, nil)
	hook := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "u"}}, nil)
	// A template of a tenant's own is no way around.
	own := []notify.Template{{ID: "own", Type: "slack", Parts: map[string]string{
		"title": "{{.Title}}", "notification": "{{.RuleName}} {{.Title}}", "text": "{{range .Notices}}{{.Image}} {{.Summary}} {{.Reason}}, {{end}}", "why": "{{.RuleName}}{{join \"\" .Why}}",
		"acknowledge": "{{.Title}}", "list": "{{.RuleName}}"}}}
	tenant, err := slack.Open(&notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "u"}}, own, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Where a template shows nothing, something else takes its place.
	nothing := "{{if eq .Kind \"digest\"}}x{{end}}"
	empty, err := slack.Open(&notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "u"}}, []notify.Template{{ID: "own", Type: "slack", Parts: map[string]string{
		"title": nothing, "notification": nothing, "text": nothing, "why": nothing, "acknowledge": nothing, "list": nothing}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, s := range injections {
		for _, around := range []string{s, "a " + s + " b", "a" + s + "b"} {
			for _, total := range []int{1, 1000} {
				m := hostile(around, total)
				for i, c := range []notify.Channel{app, hook, tenant, empty} {
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
