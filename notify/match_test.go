package notify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

func TestMatch(t *testing.T) {
	exploited := func(e event.Event, answer string) event.Event {
		d, err := event.DecodeDrift(&e)
		if err != nil {
			t.Fatal(err)
		}
		d.Exploited, d.Fixed = answer, answer
		e.Data, _ = d.Encode()
		return e
	}
	for name, c := range map[string]struct {
		match notify.Match
		event event.Event
		want  bool
	}{
		"everything":            {notify.Match{}, drift("CVE-1", "low", "a"), true},
		"no severity is known":  {notify.Match{Severity: finding.High}, drift("CVE-1", "", "a"), true},
		"too low":               {notify.Match{Severity: finding.High}, drift("CVE-1", "medium", "a"), false},
		"image":                 {notify.Match{Images: []string{"ghcr.io/acme/*"}}, drift("CVE-1", "low", "ghcr.io/acme/web:1"), true},
		"image by repository":   {notify.Match{Images: []string{"ghcr.io/acme/web"}}, drift("CVE-1", "low", "ghcr.io/acme/web:1"), true},
		"port and digest":       {notify.Match{Images: []string{"reg:5000/web"}}, drift("CVE-1", "low", "reg:5000/web@sha256:ab"), true},
		"another image":         {notify.Match{Images: []string{"ghcr.io/acme/*"}}, drift("CVE-1", "low", "ghcr.io/acm/web:1"), false},
		"a dot is a dot":        {notify.Match{Images: []string{"ghcr.io/*"}}, drift("CVE-1", "low", "ghcrXio/web"), false},
		"excluded":              {notify.Match{Images: []string{"*", "!*/test*"}}, drift("CVE-1", "low", "acme/test-1"), false},
		"only excluded":         {notify.Match{Images: []string{"!*/test*"}}, drift("CVE-1", "low", "acme/web"), true},
		"namespace":             {notify.Match{Namespaces: []string{"acme/shop"}}, drift("CVE-1", "low", "ghcr.io/acme/shop/web:1"), true},
		"no namespace":          {notify.Match{Namespaces: []string{"acme"}}, drift("CVE-1", "low", "alpine"), false},
		"exploited":             {notify.Match{Exploited: true}, exploited(drift("CVE-1", "low", "a"), "yes"), true},
		"not exploited":         {notify.Match{Exploited: true}, exploited(drift("CVE-1", "low", "a"), "no"), false},
		"nobody knows":          {notify.Match{Exploited: true, Fixed: true}, exploited(drift("CVE-1", "low", "a"), ""), true},
		"not fixed":             {notify.Match{Fixed: true}, exploited(drift("CVE-1", "low", "a"), "no"), false},
		"cause":                 {notify.Match{Causes: []string{"kev", "new"}}, drift("CVE-1", "low", "a"), true},
		"another cause":         {notify.Match{Causes: []string{"kev"}}, drift("CVE-1", "low", "a"), false},
		"type":                  {notify.Match{Types: []event.Type{event.ScanFailed}}, drift("CVE-1", "low", "a"), false},
		"worse":                 {notify.Match{Verdict: "worse"}, verdict("a", "pass", "block"), true},
		"first and blocked":     {notify.Match{Verdict: "worse"}, verdict("a", "", "block"), true},
		"first and well":        {notify.Match{Verdict: "worse"}, verdict("a", "", "pass"), false},
		"better is not worse":   {notify.Match{Verdict: "worse"}, verdict("a", "block", "warn"), false},
		"better":                {notify.Match{Verdict: "better"}, verdict("a", "block", "warn"), true},
		"unknown outcome":       {notify.Match{Verdict: "better"}, verdict("a", "block", "whatever"), true},
		"changed":               {notify.Match{Verdict: "changed"}, verdict("a", "block", "block"), false},
		"environment":           {notify.Match{Environments: []string{"prod*"}, Outcomes: []string{"block"}}, verdict("a", "", "block"), true},
		"expression":            {notify.Match{When: `severity in ["critical", "high"] && image.startsWith("a")`}, drift("CVE-1", "high", "a"), true},
		"expression fails":      {notify.Match{When: `10 / blocked > 1`}, drift("CVE-1", "high", "a"), true}, // rather once too much
		"expression is false":   {notify.Match{When: `vulnerability == "CVE-2"`}, drift("CVE-1", "high", "a"), false},
		"vulnerability":         {notify.Match{Vulnerabilities: []string{"GHSA-*"}}, drift("CVE-1", "high", "a"), false},
		"label":                 {notify.Match{Labels: map[string]string{"team": "shop"}}, drift("CVE-1", "high", "a"), true},
		"another label":         {notify.Match{Labels: map[string]string{"team": "x*"}}, drift("CVE-1", "high", "a"), false},
		"completed, no finding": {notify.Match{Severity: finding.Critical}, scanned("scan-1"), false},
		"completed":             {notify.Match{Severity: finding.High}, scanned("scan-1"), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := ruled(t, notify.Rule{Match: c.match})
			w.handle(c.event)
			if got := len(w.deliveries()) == 1; got != c.want {
				t.Errorf("told: %v, want %v", got, c.want)
			}
			e := c.event
			e.ID, e.Source, e.Tenant = "x", "test", "acme"
			p, err := w.router.Preview(t.Context(), "acme", &e, nil, w.now)
			if err != nil || p[0].Matches != c.want || c.want == (p[0].Against != "") {
				t.Errorf("preview: %+v %v", p, err)
			}
		})
	}
}

// What is wrong with settings, and where.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		kind notify.SettingKind
		body string
		want string
	}{
		{"rule", `{"id":"a","to":[{"endpoint":"chat"}],"severety":"high"}`, `unknown object member name "severety"`},
		{"rule", `{"id":"a","id":"b","to":[{"endpoint":"chat"}]}`, "duplicate object member name"},
		{"rule", `{"id":"","to":[{"endpoint":"chat"}]}`, `id: "": want 1 to 128`},
		{"rule", `{"id":"a","to":[]}`, "to: 0 targets: want 1 to 20"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"},{"endpoint":"c"}]}`, `"c" is there twice`},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"severity":"hgh"}}`, `severity: "hgh" is none`},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"types":["scan.exploded"]}}`, `types: "scan.exploded" is no event`},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"when":"severity == 1"}}`, "when: "},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"when":"sevrity == \"high\""}}`, "1:1"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"verdict":"bad"}}`, "want worse, better or changed"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"match":{"images":[""]}}`, "images: pattern"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"digest":"2h"}`, "want instant, 5m, 15m, 1h or 1d"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"digest":"1d","digest_at":"8:00"}`, "want a time of day"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"zone":"Europe/Berln"}`, "want the name of a time zone"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"zone":"Local"}`, "want the name of a time zone"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"quiet":{"from":"22:00","to":"22:00"}}`, "that is no time"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"quiet":{"from":"24:00","to":"22:00"}}`, "want a time of day"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"quiet":{"from":"22:00","to":"07:00","days":["monday"]}}`, "want mon to sun"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"throttle":"10"}`, "want a time span"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"throttle":"1ms"}`, "want 1s to 24h0m0s"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"group_by":"colour"}`, `group_by: "colour"`},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"escalation":[{"after":"0s","to":[]}]}`, "escalation.to: 0 targets"},
		{"rule", `{"id":"a","to":[{"endpoint":"c"}],"burst":-1}`, "burst: -1"},
		{"preference", `{"id":"user/ann/mail","owner":"bob","to":[{"endpoint":"mail"}]}`, "a preference is called user/USER/ENDPOINT"},
		{"preference", `{"id":"user/ann/mail","owner":"ann","to":[{"endpoint":"mail"},{"endpoint":"b"}]}`, "one target"},
		{"endpoint", `{"id":"a b","type":"slack"}`, `id: "a b"`},
		{"endpoint", `{"id":"a","type":"slack","pace":"-1s"}`, "pace"},
		{"template", `{"id":"a","type":"slack","parts":{}}`, "parts: there are none"},
		{"template", `{"id":"a","type":"slack","locale":"german","parts":{"text":"x"}}`, "locale"},
		{"maintenance", `{"id":"a","from":"2026-11-30T12:00:00Z","until":"2026-11-30T12:00:00Z"}`, "it ends before it begins"},
		{"inhibition", `{"id":"a","source":{},"target":{},"equal":["size"],"for":"1h"}`, `equal "size"`},
		{"inhibition", `{"id":"a","source":{},"target":{},"equal":[],"for":"1000h"}`, "for"},
		{"colour", `{}`, "unsupported"},
	} {
		_, err := notify.Check(c.kind, []byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.kind, c.body, err, c.want)
		}
	}
	big := fmt.Sprintf(`{"id":"a","type":"slack","name":%q}`, strings.Repeat("x", notify.MaxSetting))
	if _, err := notify.Check("endpoint", []byte(big)); !errors.Is(err, notify.ErrLimit) {
		t.Error(err)
	}
	a, err1 := notify.Check("endpoint", []byte(`{ "type":"slack", "id":"a" }`))
	b, err2 := notify.Check("endpoint", []byte(`{"id":"a","type":"slack"}`))
	if err1 != nil || err2 != nil || string(a) != string(b) || string(a) != `{"id":"a","type":"slack"}` {
		t.Errorf("%s %s %v %v", a, b, err1, err2)
	}
}

func TestTitles(t *testing.T) {
	n := func(typ event.Type, change func(*notify.Notice)) notify.Notice {
		out := notify.Notice{Event: "e", Type: typ, Image: "alpine:3", ScanID: "scan-1"}
		change(&out)
		return out
	}
	cve := func(id, cause string, sev finding.Severity, image string) notify.Notice {
		return n(event.AdvisoryDrift, func(n *notify.Notice) {
			n.Vulnerability, n.Cause, n.Severity, n.Image = id, cause, sev, image
		})
	}
	for _, c := range []struct {
		want  string
		total int
		list  []notify.Notice
	}{
		{"", 0, nil},
		{"New critical CVE-2024-1234 affects alpine:latest scan", 1, []notify.Notice{cve("CVE-2024-1234", "new", finding.Critical, "alpine:latest")}},
		{"New CVE-1 affects a scan", 1, []notify.Notice{cve("CVE-1", "new", "", "a")}},
		{"Exploited: high CVE-1 affects 2 scans", 2, []notify.Notice{cve("CVE-1", "kev", finding.High, "a"), cve("CVE-1", "kev", finding.High, "b")}},
		{"There is a fix for high CVE-1, which affects a scan", 1, []notify.Notice{cve("CVE-1", "fix_available", finding.High, "a")}},
		{"CVE-1 no longer affects a scan", 1, []notify.Notice{cve("CVE-1", "withdrawn", finding.High, "a")}},
		{"Changed: high CVE-1 affects a scan", 1, []notify.Notice{cve("CVE-1", "changed", finding.High, "a")}},
		{"News about high CVE-1 in a scan", 2, []notify.Notice{cve("CVE-1", "new", finding.High, "a"), cve("CVE-1", "kev", finding.High, "a")}},
		{"at least 2 high vulnerabilities affect 300 scans", 300, []notify.Notice{cve("CVE-1", "new", finding.High, "a"), cve("CVE-2", "new", finding.Low, "a")}},
		{"Scan of alpine:3 completed, vulnerabilities were not assessed", 1, []notify.Notice{n(event.ScanCompleted, func(n *notify.Notice) { n.Assessed = notify.No })}},
		{"Scan of alpine:3 completed, no known vulnerabilities, verdict pass", 1, []notify.Notice{n(event.ScanCompleted, func(n *notify.Notice) { n.Findings, n.Outcome = map[finding.Severity]int{}, "pass" })}},
		{"Scan of scan-1 failed", 1, []notify.Notice{n(event.ScanFailed, func(n *notify.Notice) { n.Image = "" })}},
		{"1 image scanned", 2, []notify.Notice{n(event.ScanCompleted, func(*notify.Notice) {}), n(event.ScanCompleted, func(*notify.Notice) {})}},
		{"Verdict on alpine:3 is block in production, was pass", 1, []notify.Notice{n(event.VerdictChanged, func(n *notify.Notice) { n.Outcome, n.Before, n.Environment = "block", "pass", "production" })}},
		{"Verdict on alpine:3 is block, other findings block", 1, []notify.Notice{n(event.VerdictChanged, func(n *notify.Notice) { n.Outcome, n.Before, n.Blocked = "block", "block", 2 })}},
		{"No policy is in force any more in production", 1, []notify.Notice{n(event.PolicyActivated, func(n *notify.Notice) { n.Environment = "production" })}},
		{"Exception exc-1 expired", 1, []notify.Notice{n(event.ExceptionExpired, func(n *notify.Notice) { n.Subject = "exc-1" })}},
		{"2 notices about 1 image", 2, []notify.Notice{n(event.ScanFailed, func(*notify.Notice) {}), n(event.ScanCompleted, func(*notify.Notice) {})}},
	} {
		if got := notify.Title(c.list, c.total); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Whatever an event says, it is read or refused, and decided about without a panic.
func FuzzHandle(f *testing.F) {
	for _, e := range []event.Event{drift("CVE-1", "high", "a", "b"), verdict("a", "pass", "block"), scanned("scan-1"), {Type: event.PolicyActivated}, {Type: event.ExceptionCreated}} {
		e.ID, e.Source, e.Tenant = "e", "test", "acme"
		body, err := e.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := ruled(t, notify.Rule{Match: notify.Match{Types: notify.Types(), Images: []string{"*", "!b*"}, When: `severity != "low"`}})
		err := w.router.Handle(t.Context(), body)
		if err != nil && !errors.Is(err, notify.ErrInvalid) && !errors.Is(err, notify.ErrLimit) {
			t.Error(err)
		}
		for _, d := range w.deliveries() {
			if p, _, err := w.store.Delivery(t.Context(), d.ID); err != nil || d.Title == "" || !json.Valid(p.Payload.Body) {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestFields(t *testing.T) {
	if diff := cmp.Diff(24, len(notify.Fields())); diff != "" {
		t.Error(diff)
	}
}
