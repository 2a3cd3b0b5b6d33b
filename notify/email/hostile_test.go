package email_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"unicode"

	"encoding/base64"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
	"github.com/stella-ops/stella/notify/template"
)

// hostile are texts that want to be more than text.
var hostile = []string{
	"a\r\nBcc: victim@example.net", "a\nBcc: victim@example.net", "a\rBcc: victim@example.net", "a\r\n\r\n<h1>body</h1>", "a\n\n.\n", "\r\n.\r\nMAIL FROM:<x@y.z>\r\n",
	"a\r\n Bcc: folded@example.net", "a\r\n\tX: y", "%0d%0aBcc: x@y.z", "a\u2028Bcc: x@y.z", "a\u2029Bcc: x@y.z", "a\u0085Bcc: x@y.z", "a\x0bBcc: x", "a\x0cBcc: x",
	"\u560d\u560aBcc: x@y.z", "a\x00b", "\x1b[31mred\x1b[0m", "a\x7fb", "\xff\xfe broken", "\xc0\x8d\xc0\x8aBcc: x@y.z", "\xed\xa0\x80 surrogate",
	"=?utf-8?Q?a=0D=0ABcc:_x@y.z?=", "=?utf-8?B?YQ0KQmNjOiB4QHkueg==?=", "=?", "=?utf-8?q?half", "=?utf-8?q?a?= =?utf-8?q?b?=", "?=", "=0D=0ABcc: x@y.z",
	"\u202egnp.exe", "\u2066isolated\u2069", "\u200fRTL \u05d0\u05d1\u05d2", "zero\u200bwidth\ufeff", "\U000e0041tags",
	"\"quoted\" \\\"", "\"; boundary=x", "<a@b.c>, x@y.z", "a, b; c: d@e.f;", "(comment) text", "<script>alert(1)</script>", "<img src=https://evil.example/p.gif>", "javascript:alert(1)",
	"--=_stella_00", "--\r\n--=_stella_\r\n", "\r\nContent-Type: text/html\r\n\r\nx", "{{.ID}} {{printf \"%s\" .}}",
	".", "..", "From me", " leading and trailing ", "", "   ", "\t",
	strings.Repeat("x", 3000), strings.Repeat("ä", 3000), strings.Repeat("\U0001F980", 1000), strings.Repeat("word ", 1000), strings.Repeat("\r\n", 2000),
	"emoji \U0001F468\u200d\U0001F469\u200d\U0001F467 \u4e2d\u6587 \u0939\u093f\u0928\u094d\u0926\u0940", "e\u0301 combining", "tab\tand  spaces", strings.Repeat("a", 76) + " " + strings.Repeat("b", 77),
}

// fields are places where texts of others go.
var fields = map[string]func(m *notify.Message, s string){
	"id":       func(m *notify.Message, s string) { m.ID = s },
	"tenant":   func(m *notify.Message, s string) { m.Tenant = s },
	"title":    func(m *notify.Message, s string) { m.Title = s },
	"kind":     func(m *notify.Message, s string) { m.Kind = notify.Kind(s) },
	"rule":     func(m *notify.Message, s string) { m.Rule = s },
	"name":     func(m *notify.Message, s string) { m.RuleName = s },
	"group":    func(m *notify.Message, s string) { m.GroupKey = s },
	"why":      func(m *notify.Message, s string) { m.Why = []string{s} },
	"link":     func(m *notify.Message, s string) { m.Link = s },
	"ack":      func(m *notify.Message, s string) { m.AckLink = s },
	"image":    func(m *notify.Message, s string) { m.Notices[0].Image = s },
	"summary":  func(m *notify.Message, s string) { m.Notices[0].Summary = s },
	"reason":   func(m *notify.Message, s string) { m.Notices[0].Reason = s },
	"blocking": func(m *notify.Message, s string) { m.Notices[0].Blocked, m.Notices[0].Blocking = 1, []string{s} },
}

// allowed are the headers of a mail; the value says whether every mail has it.
var allowed = map[string]bool{
	"Date": true, "From": true, "To": true, "Subject": true, "Message-Id": true, "Auto-Submitted": true, "X-Auto-Response-Suppress": true, "Mime-Version": true, "Content-Type": true,
	"Reply-To": false, "In-Reply-To": false, "References": false, "List-Id": false, "Importance": false, "Stella-Delivery-Id": false, "Stella-Kind": false, "Stella-Rule": false, "Stella-Severity": false,
}

// parsed is a mail as a reader sees it.
type parsed struct {
	header  mail.Header
	subject string
	parts   map[string]string // by media type
}

// parse reads a mail with the standard library, and checks what holds for each.
func parse(t *testing.T, body []byte) *parsed {
	t.Helper()
	for i, line := range bytes.Split(body, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
			t.Fatalf("line %d is no line: %.200q", i+1, line)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range m.Header {
		if _, ok := allowed[name]; !ok || len(values) != 1 {
			t.Errorf("header %s: %q", name, values)
		}
	}
	for name, always := range allowed {
		if always && m.Header.Get(name) == "" {
			t.Errorf("header %s is missing", name)
		}
	}
	p := &parsed{header: m.Header, parts: map[string]string{}}
	if p.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Errorf("subject: %v", err)
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/alternative" {
		t.Fatalf("content type %q, %v", typ, err)
	}
	order := []string{}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var content io.Reader = quotedprintable.NewReader(part)
		if part.Header.Get("Content-Transfer-Encoding") == "base64" {
			content = base64.NewDecoder(base64.StdEncoding, part)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatalf("part %s: %v", part.Header.Get("Content-Type"), err)
		}
		typ := part.Header.Get("Content-Type")
		order, p.parts[typ] = append(order, typ), string(text)
	}
	if diff := cmp.Diff([]string{"text/plain; charset=utf-8", "text/html; charset=utf-8"}, order); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	return p
}

// shown is a text as one line shows it: what it says, without what changes the line.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// TestHostile: whatever a message holds, it is what it is in the mail's own place and
// nowhere else.
func TestHostile(t *testing.T) {
	channel, err := email.Open(&notify.Endpoint{Type: email.Type, URL: "smtps://mail.example.com", To: "a@example.org, B <b@example.org>", Options: map[string]string{"from": "Stella <s@example.com>"}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	library, err := template.NewLibrary(email.Type, email.Parts(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		for i, text := range hostile {
			cases++
			t.Run(fmt.Sprintf("%s/%d", field, i), func(t *testing.T) {
				m := message()
				fields[field](m, text)
				first, err := channel.Render(m)
				if err != nil {
					t.Fatal(err)
				}
				p := parse(t, first.Body)
				if i%8 == 0 {
					if second, err := channel.Render(m); err != nil || !bytes.Equal(first.Body, second.Body) {
						t.Error("the same message gives other bytes")
					}
				}
				texts, _, err := library.Render(m)
				if err != nil {
					t.Fatal(err)
				}
				if strings.ContainsFunc(p.subject, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
					t.Errorf("subject %q", p.subject)
				}
				if want := shown(texts["subject"]); !strings.ContainsFunc(want, func(r rune) bool { return !unicode.IsPrint(r) }) && want != "" && p.subject != want {
					t.Errorf("subject %q, want %q", p.subject, want)
				}
				if !strings.ContainsFunc(texts["text"], func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
					if got := strings.TrimSpace(p.parts["text/plain; charset=utf-8"]); shown(got) != shown(texts["text"]) {
						t.Errorf("text %q, want %q", got, texts["text"])
					}
				}
				for _, name := range []string{"From", "To"} {
					if list, err := p.header.AddressList(name); err != nil || len(list) > 2 {
						t.Errorf("%s: %v, %v", name, list, err)
					}
				}
				if strings.Count(p.header.Get("Message-Id"), "@") != 1 || strings.ContainsAny(p.header.Get("Message-Id"), " \t") {
					t.Errorf("Message-ID: %q", p.header.Get("Message-Id"))
				}
				html := p.parts["text/html; charset=utf-8"]
				for _, bad := range []string{"<script", "<img", "javascript:", "src=", "url("} {
					if strings.Contains(strings.ToLower(html), `"`+bad) || strings.HasPrefix(bad, "<") && strings.Contains(strings.ToLower(html), bad) {
						t.Errorf("HTML holds %q", bad)
					}
				}
			})
		}
	}
	t.Logf("%d cases", cases)
}

// TestHostileNames: names of addresses are text, and addresses that are none are refused.
func TestHostileNames(t *testing.T) {
	open := func(to, from string) (notify.Channel, error) {
		return email.Open(&notify.Endpoint{Type: email.Type, URL: "smtps://mail.example.com", To: to, Options: map[string]string{"from": from}}, nil, nil)
	}
	for _, text := range hostile {
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `" <a@example.org>`
		channel, err := open(quoted, quoted)
		if err != nil {
			continue
		}
		p, err := channel.Render(message())
		if err != nil {
			t.Fatal(err)
		}
		got := parse(t, p.Body)
		for _, name := range []string{"From", "To"} {
			list, err := got.header.AddressList(name)
			if err != nil || len(list) != 1 || list[0].Address != "a@example.org" || strings.ContainsFunc(list[0].Name, unicode.IsControl) {
				t.Errorf("%q: %s: %v, %v", text, name, list, err)
			}
		}
	}
	channel, err := open("a@b.c", "a@b.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", " ", ",", "a", "a@", "@b.c", "a@b@c.d", "a b@c.d", "<a@b.c", "a@b.c>", "a@b.c,", ",a@b.c", "a@b.c,,d@e.f", "a@b.c d@e.f", "a@b.c;d@e.f",
		"group: a@b.c;", "group:;", "undisclosed-recipients: a@b.c, d@e.f;", "a@b.c (comment)", "(c) a@b.c", "<@relay.example:a@b.c>", "<a@b.c> Name", "Name <a@b.c> x",
		"a@[127.0.0.1]", "a@127.0.0.1", "a@[IPv6:::1]", `"a b"@c.d`, `"a\"@x.y"@c.d`, `"<x@y.z>"@c.d`, "a@b..c", ".a@b.c", "a.@b.c", "a..b@c.d", "a@-b.c", "a@b-.c", "a@b_c.d",
		"ä@b.c", "a@ä.example", "a@b.c\r\nBcc: x@y.z", "a@b.c\n", "\ra@b.c", "a\x00@b.c", "a@b.c\u2028", "a@b.c\u202e", "a\u200b@b.c", "<a@b.c>\r\nDATA", "a@b.c> SIZE=1", "a@b.c>\tNOTIFY=NEVER",
		strings.Repeat("a", 65) + "@b.c", "a@" + strings.Repeat("b", 64) + ".c", "a@" + strings.Repeat("b.", 140) + "c", strings.Repeat("N", 200) + " <a@b.c>", strings.Repeat("x", 5000) + "@b.c",
	} {
		if bad != "" {
			if _, err := open(bad, "a@b.c"); err == nil {
				t.Errorf("to %q is taken", bad)
			}
		}
		if _, err := open("a@b.c", bad); err == nil {
			t.Errorf("from %q is taken", bad)
		}
		m := message()
		if m.To = bad; bad != "" {
			if _, err := channel.Render(m); err == nil {
				t.Errorf("a message to %q is taken", bad)
			}
		}
	}
	if _, err := open(strings.TrimSuffix(strings.Repeat("x@y.z,", 200), ","), "a@b.c"); err != nil {
		t.Errorf("one address, often: %v", err)
	}
}
