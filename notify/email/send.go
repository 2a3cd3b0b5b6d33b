package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/stella-ops/stella/notify"
)

// errOutOfStep is the error of a server that answers what it was not asked.
var errOutOfStep = errors.New("it answers what it was not asked")

// quitTimeout is how long a server may take to say goodbye. Nothing depends on it.
const quitTimeout = time.Second

// talk is one conversation with a server.
type talk struct {
	*channel
	client *smtp.Client
	wire   *wire
	tls    bool
	logins []login // which the server may know, and repeat
}

// Send sends the payload's bytes as they are, to all addresses at once. The addresses are
// those of the endpoint as it is now, or the one that the delivery names.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	to, err := c.recipients(d.To)
	if err != nil {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: err.Error(), Err: err}
	}
	if d.Payload.MediaType != mediaType {
		return nil, unsent(true, fmt.Sprintf("the payload is %.40q and no mail", d.Payload.MediaType))
	}
	if why := sendable(d.Payload.Body); why != "" {
		return nil, unsent(true, "the mail cannot be sent as it is: "+why)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	logins, err := c.logins(ctx)
	if err != nil {
		return nil, err
	}
	t, f := c.begin(ctx, logins)
	if f != nil {
		return nil, f
	}
	defer t.client.Close()
	receipt, f := t.deliver(to, d.Payload.Body)
	if f != nil {
		return nil, f
	}
	t.wire.step(quitTimeout)
	_ = t.client.Quit() // the server has the mail
	return receipt, nil
}

// begin connects and logs in. While one password takes over from another, each is tried,
// on a connection of its own.
func (c *channel) begin(ctx context.Context, logins []login) (*talk, *notify.Failure) {
	for i := 0; ; i++ {
		t, f := c.connect(ctx)
		if f != nil || len(logins) == 0 {
			return t, f
		}
		t.logins = logins
		f = t.login(logins[i])
		if f == nil {
			return t, nil
		}
		t.client.Close()
		if f.Status != 535 || i == len(logins)-1 {
			return nil, f
		}
	}
}

// connect opens a connection, encrypts it and greets.
func (c *channel) connect(ctx context.Context) (*talk, *notify.Failure) {
	t := &talk{channel: c}
	dial, cancel := context.WithTimeout(ctx, StepTimeout)
	defer cancel()
	conn, err := c.o.DialContext(dial, "tcp", net.JoinHostPort(c.host, c.port))
	if err != nil {
		return nil, t.failed(stepConnect, err)
	}
	t.wire = newWire(ctx, conn) // which ends with Send in any case
	t.wire.step(StepTimeout)
	var spoken net.Conn = t.wire
	if c.implicit {
		secure := tls.Client(t.wire, c.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, t.failed(stepTLS, err)
		}
		spoken, t.tls = secure, true
		t.wire.step(StepTimeout)
	}
	if t.client, err = smtp.NewClient(spoken, c.host); err != nil {
		conn.Close()
		return nil, t.failed(stepGreet, err)
	}
	if f := t.greet(); f != nil {
		t.client.Close()
		return nil, f
	}
	return t, nil
}

func (c *channel) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS12, RootCAs: c.o.Roots, Time: c.o.Now}
}

// greet says hello and encrypts the connection where it is to be.
func (t *talk) greet() *notify.Failure {
	t.client.SkipSMTPUTF8(true) // addresses are ASCII
	if err := t.do(func() error { return t.client.Hello(t.helo) }); err != nil {
		return t.failed(stepHello, err)
	}
	if t.implicit || t.security == tlsNone {
		return nil
	}
	if offered, _ := t.client.Extension("STARTTLS"); !offered {
		if t.security == tlsOpportunistic {
			return nil
		}
		return unsent(true, fmt.Sprintf("mail server %s: STARTTLS: it does not offer encryption", t.host))
	}
	if err := t.do(func() error { return t.client.StartTLS(t.tlsConfig()) }); err != nil {
		return t.failed(stepTLS, err)
	}
	t.tls = true
	return nil
}

// do runs one step of the conversation. What a server said before it was asked would be
// taken for the answer.
func (t *talk) do(f func() error) error {
	if t.client.Text.R.Buffered() > 0 {
		return errOutOfStep
	}
	t.wire.step(StepTimeout)
	return f()
}

// login logs in, where that is safe.
func (t *talk) login(l login) *notify.Failure {
	if !t.tls && !t.local() {
		return unsent(true, fmt.Sprintf("mail server %s: AUTH: passwords do not go over a connection without TLS", t.host))
	}
	_, offered := t.client.Extension("AUTH")
	mech := mechanism(t.channel.auth, strings.Fields(offered), t.tls)
	if mech == "" {
		return unsent(true, fmt.Sprintf("mail server %s: AUTH: it offers no way to log in that is allowed here", t.host))
	}
	how, err := t.auth(mech, l)
	if err == nil {
		err = t.do(func() error { return t.client.Auth(how) })
	}
	if err != nil {
		return t.failed(stepAuth, err)
	}
	return nil
}

// local reports whether the other end is this machine. That the operator listed it is
// known: else nothing would be spoken without TLS.
func (t *talk) local() bool {
	a, err := netip.ParseAddrPort(t.wire.RemoteAddr().String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// deliver is one transaction.
func (t *talk) deliver(to []address, body []byte) (*notify.Receipt, *notify.Failure) {
	if ok, most := t.client.Extension("SIZE"); ok {
		if n, err := strconv.ParseInt(most, 10, 64); err == nil && n > 0 && int64(len(body)) > n {
			return nil, unsent(true, fmt.Sprintf("mail server %s: it takes mails of %d bytes, and this one has %d", t.host, n, len(body)))
		}
	}
	if err := t.do(func() error { return t.client.Mail("<" + t.from.spec() + ">") }); err != nil {
		return nil, t.failed(stepMail, err)
	}
	notes, f := t.recipients(to)
	if f != nil {
		return nil, f
	}
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	err := t.do(func() (err error) { w, err = t.client.Data(); return err })
	if err == nil && t.client.Text.R.Buffered() > 0 {
		err = errOutOfStep
	}
	if err != nil {
		return nil, t.failed(stepData, err)
	}
	t.wire.step(FinalTimeout)
	if _, err := w.Write(body); err != nil {
		return nil, t.failed(stepData, err) // the end of it was never said
	}
	answer := newReply(250, "")
	if err := w.Close(); err != nil {
		r, ok := replyOf(err)
		if !ok || r.code/100 != 2 {
			return nil, t.final(err, r)
		}
		answer = r
	} else if said, ok := w.(*smtp.DataCloser); ok {
		answer = newReply(250, said.ServerResponse())
	}
	return &notify.Receipt{Status: answer.code, Answer: answer.digest(), Reference: answer.words(t.logins), Note: note(notes)}, nil
}

// final returns the failure of the last step. An answer that is neither yes nor no leaves
// open whether the server has the mail.
func (t *talk) final(err error, r reply) *notify.Failure {
	f := t.failed(stepFinal, err)
	if r.code != 0 && r.code/100 != 4 && r.code/100 != 5 {
		f.Sent = ""
	}
	return f
}

// recipients names the addresses. It returns notes about those that are refused, and a
// failure where all are: the one that another attempt may change, if there is one.
func (t *talk) recipients(to []address) ([]string, *notify.Failure) {
	var notes []string
	var worst *notify.Failure
	for _, a := range to {
		err := t.do(func() error { return t.client.Rcpt("<" + a.spec() + ">") })
		if err == nil {
			continue
		}
		f := t.failed(stepRcpt, err)
		r, answered := replyOf(err)
		if !answered || r.code == 421 || r.code < 400 {
			return nil, f
		}
		if worst == nil || worst.Permanent && !f.Permanent {
			worst = f
		}
		note := fmt.Sprintf("%s %d", a.spec(), r.code)
		if r.enhanced != "" {
			note += " " + r.enhanced
		}
		notes = append(notes, note)
	}
	if len(notes) == len(to) {
		worst.Reason = fmt.Sprintf("%s (all of %d addresses are refused)", worst.Reason, len(to))
		return nil, worst
	}
	return notes, nil
}

// note says who did not get it.
func note(refused []string) string {
	if len(refused) == 0 {
		return ""
	}
	return "refused: " + cut(strings.Join(refused, ", "), 4*maxWords)
}
