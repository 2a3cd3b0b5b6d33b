package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/internal/redact"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/bound"
)

// Greylisted is how long a server that knows neither sender nor receiver is left alone:
// greylisting (RFC 6647) refuses for some minutes and does not say for how many.
const Greylisted = 5 * time.Minute

// maxWords is how many bytes of a server's words a reason or a reference holds.
const maxWords = 200

// reply is an answer of a server.
type reply struct {
	code     int
	enhanced string // RFC 3463, "" for none
	text     string
}

// replyOf returns the answer that an error is.
func replyOf(err error) (reply, bool) {
	var e *textproto.Error
	if !errors.As(err, &e) {
		return reply{}, false
	}
	return newReply(e.Code, e.Msg), true
}

func newReply(code int, text string) reply {
	r := reply{code: code, text: text}
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	first, _, _ = strings.Cut(first, "\n")
	parts := strings.Split(first, ".")
	// A class that is not the code's is a server's error; the code counts (RFC 2034, 4).
	if len(parts) == 3 && parts[0] == strconv.Itoa(code/100) && isNumber(parts[1]) && isNumber(parts[2]) {
		r.enhanced = first
	}
	return r
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// digest is of the answer as it was read, without its line ends.
func (r reply) digest() string { return sum.Of([]byte(fmt.Sprintf("%d %s", r.code, r.text))) }

// words are the server's, safe to show: one line, cut, and without what it was told to log
// in. Where a password is in them, in any form, they are not shown at all.
func (r reply) words(logins []login) string {
	s := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(r.text), r.enhanced))
	for _, l := range logins {
		if redact.Text(s, l.forms()...) != s {
			return redact.Mark
		}
	}
	for _, l := range logins {
		s = redact.Text(s, l.user)
	}
	return cut(plain.Text(strings.Join(strings.Fields(s), " ")), maxWords)
}

// cut returns at most n bytes of text.
func cut(s string, n int) string {
	s, _ = bound.Bytes(s, n)
	return s
}

// permanent reports whether asking again is of no use, at the named step.
func (r reply) permanent(s step) bool {
	if r.code/100 != 5 {
		return false
	}
	// 552 for a recipient is an old way to say that there are too many for now (RFC 5321,
	// 4.5.3.1.10).
	if s == stepRcpt && r.code == 552 && (r.enhanced == "" || r.enhanced == "5.5.3") {
		return false
	}
	return true
}

// pause is how long to leave the server alone: where greylisting may be why it says no.
func (r reply) pause(s step) time.Duration {
	grey := strings.HasPrefix(r.enhanced, "4.7.") || s == stepRcpt && (r.code == 450 || r.code == 451)
	if r.code/100 != 4 || r.code == 421 || !grey {
		return 0
	}
	switch s {
	case stepMail, stepRcpt, stepData, stepFinal:
		return Greylisted
	}
	return 0
}

// meaning says what an answer is about, by its enhanced status first.
func (r reply) meaning() string {
	_, status, _ := strings.Cut(r.enhanced, ".")
	switch status {
	case "1.1", "1.10", "1.2", "1.3":
		return "there is no such address"
	case "2.1":
		return "the mailbox is disabled"
	case "2.2":
		return "the mailbox is full"
	case "2.3", "3.4":
		return "the mail is too large"
	case "7.8":
		return "user or password are wrong"
	}
	switch {
	case strings.HasPrefix(status, "7."):
		return "its policy does not allow it"
	case r.code == 421:
		return "it is closing down"
	case r.code == 552 && status == "":
		return "the mail is too large"
	case r.code == 535:
		return "user or password are wrong"
	case r.code == 530:
		return "it wants a user and a password, or TLS"
	}
	if r.code < 400 {
		return "its answer makes no sense here"
	}
	return "it says no"
}

// step is where in the conversation something failed.
type step string

// The steps.
const (
	stepConnect step = "connect"
	stepGreet   step = "greeting"
	stepHello   step = "EHLO"
	stepTLS     step = "encryption"
	stepAuth    step = "AUTH"
	stepMail    step = "MAIL"
	stepRcpt    step = "RCPT"
	stepData    step = "DATA"
	stepFinal   step = "end of data"
)

// refused returns the failure that an answer is.
func (t *talk) refused(s step, r reply) *notify.Failure {
	reason := fmt.Sprintf("mail server %s: %s: %s", t.host, s, r.meaning())
	if r.enhanced != "" {
		reason += " " + r.enhanced
	}
	// What answers a password may repeat it in any form.
	if words := r.words(t.logins); words != "" && s != stepAuth {
		reason += ": " + words
	}
	return &notify.Failure{Sent: notify.No, Permanent: r.permanent(s), After: r.pause(s), Status: r.code, Answer: r.digest(), Reason: reason}
}

// failed returns the failure of a step that an error ended. The server cannot have the
// mail before it was told the end of it.
func (t *talk) failed(s step, err error) *notify.Failure {
	if r, ok := replyOf(err); ok {
		return t.refused(s, r)
	}
	f := &notify.Failure{Sent: notify.No, Reason: fmt.Sprintf("mail server %s: %s: %s", t.host, s, explain(err))}
	if s == stepFinal && !t.wire.broken.Load() {
		f.Sent = ""
	}
	if fault.KindOf(err) == fault.Forbidden {
		f.Permanent, f.Err = true, ErrForbidden
	}
	return f
}

// explain says what ended a step, in words that hold nothing of what was sent.
func explain(err error) string {
	var refusal *netguard.Refusal
	var protocol textproto.ProtocolError
	var dns *net.DNSError
	var number syscall.Errno
	if errors.As(err, &refusal) {
		return fmt.Sprintf("refused by the %s network policy: %s", refusal.Policy, refusal.Rule)
	}
	for _, own := range []error{errReply, errOver, errOutOfStep, errAuth} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	if why := explainTLS(err); why != "" {
		return why
	}
	var network net.Error
	switch {
	case fault.KindOf(err) == fault.Forbidden:
		return "it may not be reached"
	case errors.As(err, &protocol):
		return "its answer is not SMTP"
	case errors.As(err, &dns):
		return "its name cannot be resolved"
	case errors.Is(err, context.Canceled):
		return "the attempt was given up"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.As(err, &number):
		return "the connection broke: " + number.Error()
	}
	return "the connection broke"
}

func explainTLS(err error) string {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &verify):
		return cut(plain.Text("its certificate is not trusted: "+verify.Err.Error()), maxWords)
	case errors.As(err, &header):
		return "it does not speak TLS"
	}
	// Its other errors have no types, and say no more than what is wrong with the protocol.
	if _, why, found := strings.Cut(err.Error(), "tls: "); found {
		return cut(plain.Text("TLS failed: "+why), maxWords)
	}
	return ""
}
