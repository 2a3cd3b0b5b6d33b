package slack_test

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
	"github.com/stella-ops/stella/notify/slack"
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
		p, err := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: secrets}, nil).Render(&m)
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
	m.To = "#security"
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

func TestRenderRefuses(t *testing.T) {
	app := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"token": "t"}}, nil)
	hook := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "u"}}, nil)
	for name, c := range map[string]struct {
		c  notify.Channel
		to string
	}{"no channel": {app, ""}, "no name": {app, "<!here>"}, "hook": {hook, "C1"}, "long": {app, strings.Repeat("c", 200)}} {
		m := drift()
		m.To = c.to
		if _, err := c.c.Render(m); !errors.Is(err, slack.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheck: what judges payloads here sees what it is to see.
func TestCheck(t *testing.T) {
	p, err := open(t, &notify.Endpoint{ID: "e", Type: "slack", Secrets: map[string]string{"url": "u"}}, nil).Render(drift())
	if err != nil {
		t.Fatal(err)
	}
	why := "You get this because"
	if problems := checkPayload(p.Body, true); problems != nil || !bytes.Contains(p.Body, []byte(why)) {
		t.Fatal(problems)
	}
	for _, bad := range []string{"<!channel>", "<@U1>", "<https://evil.example|x>", "*b*", "_i_", "~s~", "`c`", ":boom:", "> q", "https://evil.example", "a@evil.example", strings.Repeat("x", 3001)} {
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
