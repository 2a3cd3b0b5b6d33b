package notifytest

import (
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// Message is one as a router makes it: a vulnerability that is new for two images.
func Message(id string) *notify.Message {
	m := &notify.Message{
		ID: id, Tenant: "acme", Kind: notify.KindAlert, At: Epoch, Since: Epoch.Add(-5 * time.Minute),
		Title: "New critical CVE-2024-1234 affects alpine:latest scan", Severity: finding.Critical, Total: 2,
		Why:  []string{"the rule \"Critical drift\" matches: severity critical, event advisory.drift"},
		Rule: "critical-drift", RuleName: "Critical drift", GroupKey: "vulnerability:CVE-2024-1234",
		Link: "https://stella.example/notify/deliveries/" + id, AckLink: "https://stella.example/ack/" + id,
	}
	for i, image := range []string{"alpine:latest", "ghcr.io/acme/shop:1"} {
		n := strconv.Itoa(i + 1)
		m.Notices = append(m.Notices, notify.Notice{
			Event: "event-" + n, Type: event.AdvisoryDrift, At: Epoch, ScanID: "scan-" + n, Image: image, Digest: "sha256:" + strings.Repeat(n, 64),
			Owner: "olga", Labels: map[string]string{"app": "shop", "team": "payments"},
			Vulnerability: "CVE-2024-1234", Severity: finding.Critical, Summary: "A buffer overflow in the parser of names.",
			Exploited: notify.Yes, Fixed: notify.Yes, Cause: "new",
		})
	}
	return m
}

// Kinds are messages of every kind, and of every type of event that notices come from.
func Kinds() []*notify.Message {
	var out []*notify.Message
	add := func(kind notify.Kind, title string, notices ...notify.Notice) {
		m := Message("delivery-kind-" + strconv.Itoa(len(out)))
		m.Kind, m.Title, m.Notices, m.Total = kind, title, notices, len(notices)
		out = append(out, m)
	}
	for _, kind := range []notify.Kind{notify.KindAlert, notify.KindDigest, notify.KindEscalation, notify.KindTest} {
		add(kind, "A message of kind "+string(kind), Message("").Notices...)
	}
	for _, typ := range notify.Types() {
		add(notify.KindAlert, "About "+string(typ), notify.Notice{
			Event: "event-1", Type: typ, At: Epoch, ScanID: "scan-1", Image: "alpine:latest", Environment: "production", Outcome: "block", Before: "pass",
			Policy: "default", Blocking: []string{"CVE-2024-1234", "CVE-2024-5678"}, Blocked: 7, Findings: map[finding.Severity]int{finding.Critical: 1, finding.Unknown: 2},
			Assessed: notify.Yes, Subject: "exception-1", By: "olga", Reason: "it was asked for",
		})
	}
	add(notify.KindTest, "A test")
	out = append(out, &notify.Message{ID: "delivery-bare"})
	return out
}

// hostile are texts that are more than text where somebody does not look.
var hostile = []string{
	"\x00\x01\x07\x08\x1b[31mred\x1b[0m\x7f\u0085\u009b", "a\r\nX-Injected: yes\r\n\r\nbody", "\xff\xfe\xc3\x28\xed\xa0\x80", "\u202Etxet\u202C \u2066x\u2069 \u200B\uFEFF",
	"<!channel> <!here> <@U012345> <#C0123|x> <https://evil.example|click>", "@here @channel @everyone", "[click](https://evil.example) ![x](https://evil.example/x.png) `code` *bold* _it_ ~gone~",
	"<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;</a>", "{{.Tenant}} {{range .Notices}} ${env:HOME} #{x} <%= x %>", "=cmd|'/c calc'!A1", `","injected":true,"x":"`, `\u0022},"injected":{`, "]]>--><?xml?>",
	"javascript:alert(1)", "😀👩‍👩‍👧‍👦\U0010FFFF\uFFFF", "e\u0301\u0301\u0301\u0301\u0301", "", " ", "\n\n\n", "Ω≈ç√∫˜µ≤≥÷", "null", "true", "0",
}

// Hostile are messages whose texts are none of what anybody expects: markup of every
// receiver, control characters, bytes that are no UTF-8, texts of a megabyte, lists far
// beyond their bounds, times that no calendar has.
func Hostile() []*notify.Message {
	var out []*notify.Message
	add := func(text string, notices int) *notify.Message {
		m := filled("delivery-hostile-"+strconv.Itoa(len(out)), text, notices)
		out = append(out, m)
		return m
	}
	for _, text := range hostile {
		add(text, 1)
	}
	for _, text := range []string{"x", "\x00", "\xff", "😀", "\"\\", "<!channel> ", "&<>"} {
		add(strings.Repeat(text, (1<<20)/len(text)), 1)
	}
	for _, text := range []string{"\x00", "😀", "<!channel> "} {
		add(strings.Repeat(text, 1000/len(text)), notify.MaxListed)
	}
	add("many", 3*notify.MaxListed).Total = 1 << 50
	m := add("odd times", 2)
	m.At, m.Since = time.Time{}, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	m.Notices[0].At = time.Date(-5, 1, 1, 0, 0, 0, 0, time.FixedZone("", 12345))
	m = add("odd numbers", 2)
	m.Total, m.Notices[0].Blocked, m.Notices[0].Findings = -1, -1, map[finding.Severity]int{"\xff": -1, "\xfe": 1 << 60, "<b>": 0}
	m = add("labels", 1)
	for i := range 10_000 {
		m.Notices[0].Labels[strings.Repeat("l", i%300)+strconv.Itoa(i)] = "v"
	}
	m = add("why", 1)
	m.Why = make([]string, 10_000)
	return out
}

// filled is a message all of whose texts are one.
func filled(id, s string, notices int) *notify.Message {
	m := &notify.Message{
		ID: id, Tenant: s, Kind: notify.Kind(s), At: Epoch, Since: Epoch, Title: s, Severity: finding.Severity(s), Total: notices,
		Why: []string{s, s}, Rule: s, RuleName: s, GroupKey: s, Recipient: s, Link: "https://stella.example/" + s, AckLink: s, Locale: s, Template: s,
	}
	for range notices {
		m.Notices = append(m.Notices, notify.Notice{
			Event: s, Type: event.Type(s), At: Epoch, ScanID: s, Image: s, Digest: s, Owner: s, Labels: map[string]string{s: s, "\xff" + s: s, "\xfe" + s: s},
			Vulnerability: s, Severity: finding.Severity(s), Summary: s, Exploited: notify.Answer(s), Fixed: notify.Answer(s), Cause: s,
			Environment: s, Outcome: s, Before: s, Policy: s, Blocking: []string{s, s}, Blocked: 2, Findings: map[finding.Severity]int{finding.Severity(s): 1, finding.Critical: 2},
			Assessed: notify.Answer(s), Subject: s, By: s, Reason: s,
		})
	}
	return m
}
