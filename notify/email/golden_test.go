package email_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
	"github.com/stella-ops/stella/notify/notifytest"
)

var update = flag.Bool("update", false, "write goldens anew")

const goldens = "testdata/mails.txtar"

// samples are mails of all kinds.
func samples() map[string]*notify.Message {
	digest := message()
	digest.ID, digest.Kind, digest.Title, digest.Total = "d-0002", notify.KindDigest, "CVE-2024-1234 affects 10,000 images", 10_000
	digest.Notices = nil
	for i := range notify.MaxListed {
		n := message().Notices[0]
		n.Image, n.Severity = fmt.Sprintf("ghcr.io/acme/service-%03d:1.2.3", i), []finding.Severity{"critical", "high", "medium", "low", "none", ""}[i%6]
		n.Fixed, n.Exploited = []notify.Answer{notify.Yes, notify.No, ""}[i%3], ""
		digest.Notices = append(digest.Notices, n)
	}
	escalation := message()
	escalation.ID, escalation.Kind = "d-0003", notify.KindEscalation
	verdict := message()
	verdict.ID, verdict.Severity, verdict.Title, verdict.GroupKey = "d-0004", "", "Policy now blocks ghcr.io/acme/shop:1 in production", "image:ghcr.io/acme/shop"
	verdict.Notices = []notify.Notice{{
		Event: "e-9", Type: "policy.verdict.changed", At: verdict.At, Image: "ghcr.io/acme/shop:1", Digest: "sha256:" + strings.Repeat("ab", 32),
		Environment: "production", Before: "pass", Outcome: "fail", Policy: "baseline", Blocking: []string{"CVE-2024-1234", "GHSA-aaaa-bbbb-cccc"}, Blocked: 17, Assessed: notify.Yes,
	}}
	trial := &notify.Message{ID: "d-0005", Tenant: "acme", Kind: notify.KindTest, At: verdict.At, Since: verdict.At, Title: "This is a test of the endpoint ops-mail", Why: []string{"somebody asked for a test"}}
	foreign := message()
	foreign.ID, foreign.Title = "d 0006 mit Leerzeichen", "Neue kritische Lücke in „läuft“ – 重大な脆弱性が見つかりました: ghcr.io/acme/ショップ:1 ist betroffen, и ещё две"
	foreign.Tenant, foreign.Rule, foreign.RuleName, foreign.Severity = "überall", "Regel Nr. 1", "Kritisch, sofort", finding.High
	foreign.Notices[0].Summary = strings.Repeat("重大な脆弱性。", 20)
	return map[string]*notify.Message{"alert": message(), "digest": digest, "escalation": escalation, "verdict": verdict, "test": trial, "foreign": foreign}
}

func open(t *testing.T) notify.Channel {
	t.Helper()
	c, err := email.Open(&notify.Endpoint{
		ID: "ops", Type: email.Type, URL: "smtps://mail.example.com", To: "ops@example.org, \"Team, Sec\" <security@example.org>, Überall <all@example.org>",
		Options: map[string]string{"from": "Stella Alerts <stella@example.com>", "reply_to": "soc@example.org"},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoldens(t *testing.T) {
	channel, got := open(t), &txtar.Archive{Comment: []byte("Mails as they go out, with LF for CRLF.\n")}
	messages := samples()
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		p, err := channel.Render(messages[name])
		if err != nil {
			t.Fatal(err)
		}
		mail := parse(t, p.Body)
		if name != "digest" { // it is long
			got.Files = append(got.Files, txtar.File{Name: name + ".eml", Data: bytes.ReplaceAll(p.Body, []byte("\r\n"), []byte("\n"))})
		}
		if dir := os.Getenv("STELLA_MAILS"); dir != "" { // to look at them
			if err := os.WriteFile(dir+"/"+name+".html", []byte(mail.parts["text/html; charset=utf-8"]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(mail.parts["text/html; charset=utf-8"]); n > 102_000 {
			t.Errorf("%s: %d bytes of HTML, of which Gmail shows 102 KB", name, n)
		}
		if len(p.Notes) > 0 {
			t.Errorf("%s: notes: %q", name, p.Notes)
		}
	}
	if *update {
		if err := os.WriteFile(goldens, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := txtar.ParseFile(goldens)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(txtar.Format(want)), string(txtar.Format(got))); diff != "" {
		t.Errorf("mails (-want +got); -update writes them anew:\n%s", diff)
	}
}

// TestThreads: mails about the same thing refer to the same message, others do not, and
// each has an id of its own that stays the same.
func TestThreads(t *testing.T) {
	channel := open(t)
	headers := func(change func(*notify.Message)) (id, thread, list string) {
		m := message()
		change(m)
		p, err := channel.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		h := parse(t, p.Body).header
		if h.Get("References") != h.Get("In-Reply-To") {
			t.Errorf("References %q, In-Reply-To %q", h.Get("References"), h.Get("In-Reply-To"))
		}
		return h.Get("Message-Id"), h.Get("References"), h.Get("List-Id")
	}
	id, thread, list := headers(func(*notify.Message) {})
	if id != "<d-0001@example.com>" || list != "<critical-now.stella.example.com>" || !strings.HasSuffix(thread, "@example.com>") {
		t.Errorf("%s, %s, %s", id, thread, list)
	}
	id2, thread2, _ := headers(func(m *notify.Message) { m.ID, m.Title, m.At = "d-2", "More of it", m.At.Add(time.Hour) })
	if id2 == id || thread2 != thread {
		t.Errorf("the same thing: %s, %s", id2, thread2)
	}
	for name, change := range map[string]func(*notify.Message){
		"another group":  func(m *notify.Message) { m.GroupKey += "5" },
		"another tenant": func(m *notify.Message) { m.Tenant = "acmf" },
		"no group":       func(m *notify.Message) { m.GroupKey = "" },
	} {
		if _, other, _ := headers(change); other == thread {
			t.Errorf("%s: the same thread", name)
		}
	}
}

// TestAnyMessage: messages of all kinds, and the hostile ones that every channel gets, are
// mails of the right form and size.
func TestAnyMessage(t *testing.T) {
	channel := open(t)
	for i, m := range append(notifytest.Kinds(), notifytest.Hostile()...) {
		p, err := channel.Render(m)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if len(p.Body) > notify.MaxPayload {
			t.Errorf("message %d: %d bytes", i, len(p.Body))
		}
		parse(t, p.Body)
	}
}
