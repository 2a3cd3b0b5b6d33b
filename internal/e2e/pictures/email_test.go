package pictures

import (
	"bytes"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
)

// emailPage shows the HTML of a mail, below what a client shows of its header.
func emailPage(t *testing.T, body []byte) string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`<div class="mail"><div class="subject">` + html.EscapeString(subject) + `</div><div class="from">` +
		html.EscapeString(m.Header.Get("From")) + ` to ` + html.EscapeString(m.Header.Get("To")) + `</div><div class="paper">`)
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			continue
		}
		if e := p.Header.Get("Content-Transfer-Encoding"); e != "quoted-printable" {
			t.Fatalf("encoding %q", e)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		_, inner, ok := strings.Cut(string(text), "<body")
		inner, _, closed := strings.Cut(inner, "</body>")
		if !ok || !closed {
			t.Fatal("a mail without a body")
		}
		b.WriteString("<div" + strings.ReplaceAll(inner, "\r\n", "\n") + "</div>")
	}
	b.WriteString(`</div></div>`)
	return b.String()
}
