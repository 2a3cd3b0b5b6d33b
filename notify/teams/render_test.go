package teams_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/teams"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/store/event"
)

var update = flag.Bool("update", false, "write goldens anew")

var at = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// drift is one new vulnerability of one image.
func drift() *notify.Message {
	return &notify.Message{
		ID: "0192e5a1-4c7a-7d3e-9b1f-2a6c8d4e5f60", Tenant: "acme", Kind: notify.KindAlert, At: at.Add(time.Second), Since: at,
		Title: "New critical CVE-2024-1234 affects alpine:latest scan", Severity: finding.Critical, Total: 1,
		Notices: []notify.Notice{{Event: "ev-1", Type: event.AdvisoryDrift, At: at, ScanID: "scan-1", Image: "alpine:latest",
			Digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Owner: "ci@acme",
			Vulnerability: "CVE-2024-1234", Severity: finding.Critical, Summary: "Buffer overflow in the parser of headers of libfoo before 1.2.3.",
			Exploited: notify.Yes, Fixed: notify.Yes, Cause: "new"}},
		Why:  []string{"Rule \"critical in production\" asks for new vulnerabilities of critical severity."},
		Rule: "r-1", RuleName: "critical in production", GroupKey: "CVE-2024-1234",
		Link: "https://stella.example/n/1", AckLink: "https://stella.example/ack?t=abc&s=1",
	}
}

// storm is one vulnerability in very many images, of which the first are listed.
func storm() *notify.Message {
	m := drift()
	m.Title, m.Total, m.Notices = "New critical CVE-2024-1234 affects 10000 scans", 10_000, nil
	for i := range notify.MaxListed {
		n := drift().Notices[0]
		n.Image = fmt.Sprintf("ghcr.io/team-%d/service-%03d:1.%d", i%15, i, i%7)
		m.Notices = append(m.Notices, n)
	}
	return m
}

// TestGolden shows what is sent: each way for one message, and a webhook's for others.
func TestGolden(t *testing.T) {
	var got txtar.Archive
	add := func(name string, m notify.Message, secrets map[string]string) {
		p, err := open(t, &notify.Endpoint{ID: "e", Type: "teams", Secrets: secrets}).Render(&m)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range checkPayload(p.Body, m.To == "") {
			t.Errorf("%s: %s", name, problem)
		}
		text := jsontext.Value(bytes.Clone(p.Body))
		if err := text.Indent(jsontext.WithIndent(" ")); err != nil {
			t.Fatal(err)
		}
		for _, n := range p.Notes {
			text = append(text, "\n# "+n...)
		}
		got.Files = append(got.Files, txtar.File{Name: name, Data: append(text, '\n')})
	}
	m := drift()
	m.To = someChannel
	add("drift, with a token", *m, map[string]string{"token": "t"})
	hook := map[string]string{"url": "u"}
	add("drift", *drift(), hook)
	add("storm", *storm(), hook)
	for _, m := range template.Samples() {
		m.To = ""
		if m.Kind == notify.KindDigest || m.Kind == notify.KindEscalation {
			add(string(m.Kind), *m, hook)
		}
	}
	file := filepath.Join("testdata", "payloads.txtar")
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(txtar.Format(&got))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func open(t *testing.T, e *notify.Endpoint) notify.Channel {
	t.Helper()
	c, err := teams.Open(e, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRenderRefuses(t *testing.T) {
	graph := open(t, &notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"token": "t"}})
	hook := open(t, &notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"url": "u"}})
	for name, c := range map[string]struct {
		c  notify.Channel
		to string
	}{"no channel": {graph, ""}, "a path": {graph, "team/../19:x@thread.tacv2"}, "more of a path": {graph, "team/19:x@thread.tacv2/y"}, "a query": {graph, "team/19:x@thread.tacv2?a=b"},
		"no team": {graph, "/19:x@thread.tacv2"}, "a name": {graph, "Security"}, "hook": {hook, someChannel}, "long": {graph, "team/19:" + strings.Repeat("c", 300) + "@thread.tacv2"}} {
		m := drift()
		m.To = c.to
		if _, err := c.c.Render(m); !errors.Is(err, teams.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	token := map[string]string{"token": "t"}
	for name, e := range map[string]notify.Endpoint{
		"no secret":      {Type: "teams"},
		"both":           {Type: "teams", Secrets: map[string]string{"token": "t", "url": "u"}},
		"another role":   {Type: "teams", Secrets: map[string]string{"token": "t", "signing": "u"}},
		"hook with to":   {Type: "teams", To: someChannel, Secrets: map[string]string{"url": "u"}},
		"hook with url":  {Type: "teams", URL: "https://x.example", Secrets: map[string]string{"url": "u"}},
		"option":         {Type: "teams", Secrets: token, Options: map[string]string{"x": "y"}},
		"to":             {Type: "teams", Secrets: token, To: "Security"},
		"url of no host": {Type: "teams", Secrets: token, URL: "https:///v1.0"},
		"url with user":  {Type: "teams", Secrets: token, URL: "https://u:p@graph.microsoft.com"},
		"url with query": {Type: "teams", Secrets: token, URL: "https://graph.microsoft.com/v1.0?x"},
		"another scheme": {Type: "teams", Secrets: token, URL: "file:///etc/passwd"},
	} {
		if _, err := teams.Open(&e, nil, nil); !errors.Is(err, teams.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := teams.Open(&notify.Endpoint{Type: "slack", Secrets: token}, nil, nil); !errors.Is(err, teams.ErrUnsupported) {
		t.Error(err)
	}
}

// TestBounds: a message that holds as much as it can is a card that Teams takes, and says
// what is not in it.
func TestBounds(t *testing.T) {
	for _, s := range []string{strings.Repeat("x", 5000), strings.Repeat("\"\\", 5000), strings.Repeat("漢", 5000), strings.Repeat("\U0001F600", 5000)} {
		for _, total := range []int{1, 3, 1000} {
			for _, e := range []*notify.Endpoint{{Type: "teams", To: someChannel, Secrets: map[string]string{"token": "t"}}, {Type: "teams", Secrets: map[string]string{"url": "u"}}} {
				p, err := open(t, e).Render(hostile(s, total))
				if err != nil {
					t.Fatal(err)
				}
				if len(p.Body) > teams.MaxPayload || len(p.Notes) == 0 {
					t.Errorf("%.10q, %d: %d bytes, notes %q", s, total, len(p.Body), p.Notes)
				}
			}
		}
	}
}

// TestCheck: what judges payloads here sees what it is to see.
func TestCheck(t *testing.T) {
	p, err := open(t, &notify.Endpoint{ID: "e", Type: "teams", Secrets: map[string]string{"url": "u"}}).Render(drift())
	if err != nil {
		t.Fatal(err)
	}
	why := "You get this because"
	if problems := checkPayload(p.Body, true); problems != nil || !bytes.Contains(p.Body, []byte(why)) {
		t.Fatal(problems)
	}
	for _, bad := range []string{"[a](https://evil.example)", "https://evil.example", "**b**", "_i_", "<b>b</b>", "{{DATE(1)}}", strings.Repeat("x", 28<<10)} {
		text, err := jsontext.AppendQuote(nil, bad)
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Replace(p.Body, []byte(why), text[1:len(text)-1], 1)
		if checkPayload(body, true) == nil {
			t.Errorf("%.40q is not seen", bad)
		}
	}
}
