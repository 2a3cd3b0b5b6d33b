package template

import (
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// Samples returns messages of every sort, for previews, documentation and the tests of
// channels: an alert of one image and of many, a digest, an escalation, a changed
// verdict, a scan that completed and one that failed, and one with hostile texts. They
// are new each time, and always the same.
func Samples() []*notify.Message {
	return []*notify.Message{alert(), alertOfMany(), digest(), escalation(), verdict(), completed(), failed(), hostile()}
}

// sampleTime is when the samples happen.
func sampleTime() time.Time { return time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC) }

func sample(kind notify.Kind, title string, worst finding.Severity, notices ...notify.Notice) *notify.Message {
	return &notify.Message{
		ID: "0b9f6c1e54a74d0f8d0c2f3a5b6c7d8e", Tenant: "acme", Kind: kind, At: sampleTime(), Since: sampleTime().Add(-5 * time.Minute),
		Title: title, Severity: worst, Notices: notices, Total: len(notices),
		Why:  []string{"rule Production criticals", "severity is at least high"},
		Rule: "production-criticals", RuleName: "Production criticals", GroupKey: "vulnerability=CVE-2026-1234",
		Link: "https://stella.example.com/notify/deliveries/0b9f6c1e54a74d0f8d0c2f3a5b6c7d8e",
	}
}

func drift(n int) notify.Notice {
	return notify.Notice{
		Event: fmt.Sprintf("drift-%d", n), Type: event.AdvisoryDrift, At: sampleTime(), ScanID: fmt.Sprintf("scan-%d", n),
		Image:  fmt.Sprintf("ghcr.io/acme/my_shop-%d:1.4", n),
		Digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Owner:  "ci@acme", Labels: map[string]string{"team": "shop", "tier": "1"},
		Vulnerability: "CVE-2026-1234", Severity: finding.Critical, Summary: "Heap overflow in my_pkg's parser",
		Exploited: notify.Yes, Fixed: notify.Yes, Cause: "new", Assessed: notify.Yes,
	}
}

func alert() *notify.Message {
	n := drift(1)
	n.Image = "alpine:latest"
	return sample(notify.KindAlert, "New critical CVE-2026-1234 affects alpine:latest scan", finding.Critical, n)
}

func alertOfMany() *notify.Message {
	list := make([]notify.Notice, 0, notify.MaxListed)
	for i := range notify.MaxListed {
		list = append(list, drift(i+1))
	}
	m := sample(notify.KindAlert, "New critical CVE-2026-1234 affects 10000 scans", finding.Critical, list...)
	m.Total = 10_000
	return m
}

func digest() *notify.Message {
	second := drift(2)
	second.Vulnerability, second.Severity, second.Exploited, second.Fixed = "GHSA-jfh8-c2jp-5v3q", finding.Medium, "", notify.No
	done := completed().Notices[0]
	m := sample(notify.KindDigest, "3 notices about 3 images", finding.Critical, drift(1), second, done)
	m.Since, m.Recipient = sampleTime().Add(-24*time.Hour), "kim@acme.example"
	return m
}

func escalation() *notify.Message {
	m := alert()
	m.Kind, m.Title = notify.KindEscalation, "Nobody took note: "+m.Title
	m.AckLink = "https://stella.example.com/ack/sample-token"
	return m
}

func verdict() *notify.Message {
	n := notify.Notice{
		Event: "verdict-1", Type: event.VerdictChanged, At: sampleTime(), ScanID: "scan-1", Image: "ghcr.io/acme/my_shop:1.4",
		Environment: "production", Outcome: "fail", Before: "pass", Policy: "baseline 7", Severity: finding.High, Cause: "advisory",
		Blocking: []string{"CVE-2026-1234", "CVE-2026-2345"}, Blocked: 3,
	}
	return sample(notify.KindAlert, "Verdict on ghcr.io/acme/my_shop:1.4 is fail in production, was pass", finding.High, n)
}

func completed() *notify.Message {
	n := notify.Notice{
		Event: "scan-done-1", Type: event.ScanCompleted, At: sampleTime(), ScanID: "scan-1", Image: "ghcr.io/acme/my_shop:1.4",
		Owner: "ci@acme", Severity: finding.High, Assessed: notify.Yes, Outcome: "pass",
		Findings: map[finding.Severity]int{finding.High: 2, finding.Medium: 5, finding.Unknown: 1},
	}
	return sample(notify.KindAlert, "Scan of ghcr.io/acme/my_shop:1.4 completed: 2 high, 5 medium, 1 unknown, verdict pass", finding.High, n)
}

func failed() *notify.Message {
	n := notify.Notice{
		Event: "scan-failed-1", Type: event.ScanFailed, At: sampleTime(), ScanID: "scan-2", Image: "registry.example.com/gone:1",
		Reason: "not found: manifest of registry.example.com/gone:1",
	}
	return sample(notify.KindAlert, "Scan of registry.example.com/gone:1 failed", finding.Unknown, n)
}

// hostile has texts that would be markup somewhere, in every field that others fill.
func hostile() *notify.Message {
	const bad = "<!channel> <@U024BE7LH> <https://evil.example|ok> *b* _i_ ~s~ `c` :boom: @here\r\nBcc: x@evil.example\u2028" +
		"[a](javascript:alert(1)) ![i](https://evil.example/i.png) # h <script>alert(1)</script>\" onload='x' {{.ID}} ${x} \x1b[31mred\u202egnp.exe\u200b \xff"
	n := drift(1)
	n.Image, n.Summary, n.Owner, n.Subject, n.By, n.Reason = bad, bad, bad, bad, bad, bad
	n.Vulnerability, n.Severity, n.Cause, n.Environment, n.Outcome, n.Policy = bad, bad, bad, bad, bad, bad
	n.Blocking, n.Labels = []string{bad, "> quote", "- item"}, map[string]string{bad: bad}
	n.Findings = map[finding.Severity]int{bad: 1}
	m := sample(notify.KindAlert, bad, bad, n)
	m.Tenant, m.RuleName, m.GroupKey, m.Recipient, m.To = bad, bad, bad, bad, bad
	m.Why, m.Link, m.AckLink, m.Total = []string{bad, strings.Repeat("A", 4<<10)}, "javascript:alert(1)", "//evil.example/"+bad, 2
	return m
}
