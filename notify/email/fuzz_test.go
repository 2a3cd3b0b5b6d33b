package email

import (
	"mime"
	"net/mail"
	"strings"
	"testing"
	"unicode"
)

// FuzzAddress: what is taken is one plain address, and reads as itself again.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b.c", "Name <a@b.c>", `"Na, me" <a@b.c>`, "=?utf-8?q?=C3=A4?= <a@b.c>", "g: a@b.c;", "a@b.c\r\nX: y", "<@r:a@b.c>", `"a b"@c.d`, "a@[::1]", "a@b.c (x)", "ä <a+b=c@d-e.f>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		if spec := a.spec(); strings.ContainsFunc(spec, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>()[]:;,\\\"", r) }) || strings.Count(spec, "@") != 1 || len(spec) > MaxAddress {
			t.Fatalf("%q gives %q", s, spec)
		}
		var h header
		h.addresses("To", []address{a, a})
		list := one(t, &h, "To").addresses(t)
		if len(list) != 2 || list[0].Address != a.spec() || list[0].Name != a.name {
			t.Fatalf("%q: %q reads as %v", s, h.b.String(), list)
		}
		if again, err := parseAddress(list[0].String()); err != nil || again != a {
			t.Fatalf("%q: %q reads as %+v, %v", s, list[0].String(), again, err)
		}
	})
}

// FuzzHeader: any text is one field, which reads as what it says.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"plain", "ä", "a\r\nBcc: x@y.z", "=?utf-8?q?a?=", strings.Repeat("é", 200), strings.Repeat("x", 2000), "a  b\tc", "\xff", "\u202e", strings.Repeat("word ", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var h header
		h.text("Subject", s)
		h.token("Stella-Rule", s)
		h.raw("Message-ID", "<"+word(s)+"@"+label(s)+".example>")
		h.text("X", "end")
		got := one(t, &h, "Subject")
		want := oneLine(s)
		if decoded, err := new(mime.WordDecoder).DecodeHeader(got.value); err != nil || decoded != want {
			t.Fatalf("%q reads as %q, want %q; %v", h.b.String(), decoded, want, err)
		}
		if strings.ContainsFunc(want, unicode.IsControl) {
			t.Fatalf("%q has control characters", want)
		}
		if left := word(s); !isDotAtom(left) || len(left) > 64 {
			t.Fatalf("word %q", left)
		}
		if l := label(s); !isDomain(l+".x") || strings.Contains(l, ".") {
			t.Fatalf("label %q", l)
		}
	})
}

type fieldOf struct {
	header mail.Header
	name   string
	value  string
}

// one reads a header, and checks its form: lines of ASCII, short ones but for long words,
// and no field that was not written.
func one(t *testing.T, h *header, name string) fieldOf {
	t.Helper()
	text := h.b.String()
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > maxLine || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(line) == "" {
			t.Fatalf("line %q", line)
		}
		if strings.Contains(line, "=?utf-8?B?") && len(line) > softLine {
			t.Fatalf("line %q has %d bytes", line, len(line))
		}
	}
	m, err := mail.ReadMessage(strings.NewReader(text + "\r\n"))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for n, values := range m.Header {
		if n != "To" && n != "Subject" && n != "Stella-Rule" && n != "Message-Id" && n != "X" || len(values) != 1 {
			t.Fatalf("%q has %s: %q", text, n, values)
		}
	}
	return fieldOf{m.Header, name, m.Header.Get(name)}
}

func (f fieldOf) addresses(t *testing.T) []*mail.Address {
	t.Helper()
	list, err := f.header.AddressList(f.name)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestSecretsKept: no form of a login is in a server's words that are shown.
func TestSecretsKept(t *testing.T) {
	l := login{"stella", "hunter2-canary-pass"}
	for _, form := range l.forms() {
		if got := newReply(550, "5.7.1 you said "+form).words([]login{{"x", "y"}, l}); got != "[redacted]" {
			t.Errorf("%q is shown as %q", form, got)
		}
	}
	if got := newReply(550, "5.7.1 stella may not\r\nsend").words([]login{l}); got != "[redacted] may not send" {
		t.Errorf("the user is shown: %q", got)
	}
}
