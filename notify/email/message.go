package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// mediaType is of a rendered message.
const mediaType = "message/rfc822"

// Render returns the message of RFC 5322, of 7 bits and with lines of at most 998 bytes.
func (c *channel) Render(m *notify.Message) (*notify.Payload, error) {
	to, err := c.recipients(m.To)
	if err != nil {
		return nil, fmt.Errorf("mail %.80q: %w", m.ID, err)
	}
	library, err := c.library()
	if err != nil {
		return nil, fmt.Errorf("mail %.80q: %w", m.ID, err)
	}
	texts, notes, err := library.Render(m)
	if err != nil {
		return nil, fmt.Errorf("mail %.80q: %w", m.ID, err)
	}
	body := c.compose(m, to, texts)
	if len(body) > notify.MaxPayload {
		return nil, &fault.LimitError{What: "bytes of a mail", Where: "a rendered message", Max: notify.MaxPayload, Seen: int64(len(body))}
	}
	return &notify.Payload{MediaType: mediaType, Body: body, Notes: notes}, nil
}

func (c *channel) compose(m *notify.Message, to []address, texts map[string]string) []byte {
	var h header
	h.raw("Date", m.At.UTC().Format(time.RFC1123Z))
	h.addresses("From", []address{c.from})
	h.addresses("To", to)
	if len(c.replyTo) > 0 {
		h.addresses("Reply-To", c.replyTo)
	}
	subject := texts[partSubject]
	if oneLine(subject) == "" {
		subject = "Stella"
	}
	h.text("Subject", subject)
	h.raw("Message-ID", "<"+word(m.ID)+"@"+c.from.domain+">")
	if m.GroupKey != "" {
		thread := "<thread." + digest("thread", m.Tenant, m.GroupKey) + "@" + c.from.domain + ">"
		h.raw("In-Reply-To", thread)
		h.raw("References", thread)
	}
	if m.Rule != "" {
		h.raw("List-Id", "<"+label(m.Rule)+".stella."+c.from.domain+">")
	}
	h.raw("Auto-Submitted", "auto-generated") // RFC 3834
	h.raw("X-Auto-Response-Suppress", "OOF, AutoReply")
	if m.Severity == finding.Critical && m.Kind != notify.KindDigest {
		h.raw("Importance", "high") // RFC 2156
	}
	h.token("Stella-Delivery-Id", m.ID)
	h.token("Stella-Kind", string(m.Kind))
	h.token("Stella-Rule", m.Rule)
	h.token("Stella-Severity", string(m.Severity))
	boundary := "=_stella_" + digest("boundary", m.ID)
	h.raw("MIME-Version", "1.0")
	h.raw("Content-Type", "multipart/alternative;\r\n boundary=\""+boundary+"\"")

	var b bytes.Buffer
	b.WriteString(h.b.String())
	b.WriteString("\r\n")
	for _, p := range []struct{ typ, text string }{{"text/plain", texts[partText]}, {"text/html", texts[partHTML]}} {
		encoding, body := encodeBody(p.text)
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n", boundary, p.typ, encoding, body)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

// encodeBody encodes text as quoted-printable, or as base64 where that is shorter. No
// line of either holds "=_", with which the boundary begins (RFC 2045, 6.7).
func encodeBody(s string) (encoding, body string) {
	s = cleanBody(s)
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	_, _ = w.Write([]byte(s)) // a bytes.Buffer takes everything
	_ = w.Close()
	if qp.Len() <= base64.StdEncoding.EncodedLen(len(s))*(softLine+2)/softLine {
		return "quoted-printable", qp.String()
	}
	all := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	var b strings.Builder
	for len(all) > softLine {
		b.WriteString(all[:softLine] + "\r\n")
		all = all[softLine:]
	}
	return "base64", b.String() + all
}

// cleanBody makes every break of a line "\n" and takes control characters away.
func cleanBody(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	return s
}

// word returns an id as the left side of a Message-ID: as it is, or a digest of it.
func word(id string) string {
	if len(id) <= 64 && isDotAtom(id) {
		return id
	}
	return digest("id", id)
}

// label returns an id as a label of a domain: as it is, or a digest of it.
func label(id string) string {
	if len(id) <= 63 && isDomain("a."+id+".a") && !strings.Contains(id, ".") {
		return strings.ToLower(id)
	}
	return digest("rule", id)
}

// digest returns 32 digits that follow from texts.
func digest(texts ...string) string {
	h := sha256.New()
	h.Write([]byte("stella/notify/email"))
	for _, t := range texts {
		h.Write([]byte{0})
		h.Write([]byte(hex.EncodeToString([]byte(t))))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sendable says why bytes cannot go out unchanged, or "".
func sendable(body []byte) string {
	if len(body) == 0 || len(body) > notify.MaxPayload {
		return "it is empty or too long"
	}
	if !bytes.HasSuffix(body, []byte("\r\n")) {
		return "it does not end with a line"
	}
	for line := range bytes.SplitSeq(body, []byte("\r\n")) {
		if len(line) > maxLine {
			return "a line is too long"
		}
		if bytes.ContainsFunc(line, func(r rune) bool {
			return r == '\r' || r == '\n' || r == 0 || r >= 0x80
		}) {
			return "it holds a lone line break, a NUL or more than ASCII"
		}
	}
	return ""
}
