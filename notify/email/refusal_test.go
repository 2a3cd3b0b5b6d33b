package email_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
)

func failureOf(t *testing.T, err error) *notify.Failure {
	t.Helper()
	var f *notify.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error: %v", err)
	}
	return f
}

// TestNotSent: nothing that is worth protecting goes over a connection that is not
// protected.
func TestNotSent(t *testing.T) {
	listed := func(c *client) { c.options.Allow = []string{"example.com"} }
	for name, c := range map[string]struct {
		server    *mailServer
		change    func(*client)
		permanent bool
		reason    string
	}{
		"no STARTTLS":         {&mailServer{}, nil, true, "does not offer encryption"},
		"STARTTLS taken away": {&mailServer{extensions: []string{"XXXXXXXX"}}, withPassword, true, "does not offer encryption"},
		"no TLS for a password": {&mailServer{mechanisms: "PLAIN"}, both(listed, withPassword, option("tls", "opportunistic"), func(c *client) {
			c.options.DialContext = elsewhere(c.options.DialContext)
		}), true, "passwords do not go over a connection without TLS"},
		"no way back":       {&mailServer{starttls: true, script: map[string][]string{"STARTTLS": {"454 4.7.0 not now"}}}, both(listed, option("tls", "opportunistic")), false, "encryption"},
		"unknown authority": {&mailServer{starttls: true, mechanisms: "PLAIN"}, both(withPassword, func(c *client) { c.options.Roots = x509.NewCertPool() }), false, "its certificate is not trusted"},
		"another name":      {&mailServer{implicit: true, mechanisms: "PLAIN"}, both(withPassword, func(c *client) { c.endpoint.URL = "smtps://mail.example.net" }), false, "its certificate is not trusted"},
		"no longer valid": {&mailServer{implicit: true}, func(c *client) {
			c.options.Now = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
		}, false, "its certificate is not trusted"},
		"TLS 1.1":          {&mailServer{starttls: true, newest: tls.VersionTLS11, mechanisms: "PLAIN"}, withPassword, false, "encryption: TLS failed"},
		"not of TLS":       {&mailServer{}, func(c *client) { c.endpoint.URL = "smtps://example.com" }, false, "does not speak TLS"},
		"no way to log in": {&mailServer{starttls: true, mechanisms: "NTLM GSSAPI"}, withPassword, true, "no way to log in"},
		"no AUTH":          {&mailServer{starttls: true}, withPassword, true, "no way to log in"},
		"not that way":     {&mailServer{starttls: true, mechanisms: "PLAIN"}, both(withPassword, option("auth", "scram-sha-256")), true, "no way to log in"},
		"wrong password":   {&mailServer{starttls: true, mechanisms: "PLAIN", pass: "other"}, withPassword, true, "user or password are wrong 5.7.8"},
		"wrong, LOGIN":     {&mailServer{starttls: true, mechanisms: "LOGIN", pass: "other"}, withPassword, true, "user or password are wrong 5.7.8"},
		"wrong, SCRAM":     {&mailServer{starttls: true, mechanisms: "SCRAM-SHA-256", pass: "other"}, withPassword, true, "user or password are wrong 5.7.8"},
		"SCRAM, no proof":  {&mailServer{starttls: true, mechanisms: "SCRAM-SHA-256", script: map[string][]string{"scram": {"silent"}}}, withPassword, false, "does not keep to the protocol"},
		"SCRAM, false":     {&mailServer{starttls: true, mechanisms: "SCRAM-SHA-1", script: map[string][]string{"scram": {"liar"}}}, withPassword, false, "does not keep to the protocol"},
		"SCRAM, endless":   {&mailServer{starttls: true, mechanisms: "SCRAM-SHA-256", iterations: 1 << 30}, withPassword, false, "does not keep to the protocol"},
		"too large":        {&mailServer{starttls: true, extensions: []string{"SIZE 1000"}}, nil, true, "it takes mails of 1000 bytes"},
		"secret is gone":   {&mailServer{}, func(c *client) { c.endpoint.Secrets = map[string]string{"password": "vault:gone"} }, false, `secret "password" cannot be read: not found`},
		"no user":          {&mailServer{}, both(withPassword, func(c *client) { c.secrets["vault:mail"] = canary }), false, "no user and password"},
		"several lines":    {&mailServer{}, both(withPassword, func(c *client) { c.secrets["vault:mail"] = "stella:" + canary + "\r\nRCPT" }), false, "no user and password"},
		"no secrets":       {&mailServer{}, both(withPassword, func(c *client) { c.options.Secret = nil }), false, "cannot be read: forbidden"},
		"nobody listens":   {&mailServer{}, func(c *client) { c.options.DialContext = refuses }, false, "connect: the connection broke: connection refused"},
		"not resolved":     {&mailServer{}, func(c *client) { c.options.DialContext = unknown }, false, "connect: its name cannot be resolved"},
		"forbidden":        {&mailServer{}, func(c *client) { c.options.DialContext = forbids }, true, "connect: it may not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.server
			if s.user = "stella"; s.pass == "" {
				s.pass = canary
			}
			_, _, err := newClient(s.start(t), c.change).send(t)
			f := failureOf(t, err)
			if f.Sent != notify.No || f.Permanent != c.permanent || !strings.Contains(f.Reason, c.reason) {
				t.Errorf("failure: %+v", f)
			}
			for _, one := range s.seen() {
				if len(one.To) > 0 || one.Done {
					t.Errorf("the server was given a mail: %+v", one)
				}
				for _, l := range one.Lines {
					if !one.TLS {
						noCanary(t, l)
					}
				}
			}
		})
	}
}

type elseConn struct{ net.Conn }

func (elseConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 587} }

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// elsewhere makes connections that seem to lead away from this machine.
func elsewhere(d dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return elseConn{c}, nil
	}
}

func refuses(ctx context.Context, network, _ string) (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.Close()
	return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
}

func unknown(context.Context, string, string) (net.Conn, error) {
	return nil, &net.DNSError{Err: "no such host", Name: canary, IsNotFound: true}
}

func forbids(context.Context, string, string) (net.Conn, error) {
	return nil, fmt.Errorf("%s: %w", canary, fault.Forbidden)
}

// TestSomeRefused: who can have it gets it, and the receipt says who did not.
func TestSomeRefused(t *testing.T) {
	to := func(c *client) { c.endpoint.To = "a@example.org, Bea <b@example.org>, c@example.org" }
	s := (&mailServer{starttls: true, script: map[string][]string{"RCPT": {"250 ok", "550 5.1.1 no", "451 4.7.1 later"}}}).start(t)
	_, r, err := newClient(s, to).send(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := "refused: b@example.org 550 5.1.1, c@example.org 451 4.7.1"; r.Note != want || r.Reference != "Ok: queued as 4XyZ12" {
		t.Errorf("%q, %q, want %q", r.Reference, r.Note, want)
	}
	// Where all are, another attempt is worth it as soon as it is for one.
	for name, c := range map[string]struct {
		say       []string
		permanent bool
	}{
		"all unknown": {[]string{"550 5.1.1 no"}, true},
		"one later":   {[]string{"550 5.1.1 no", "451 4.7.1 later", "550 5.1.1 no"}, false},
	} {
		s := (&mailServer{starttls: true, script: map[string][]string{"RCPT": c.say}}).start(t)
		_, _, err := newClient(s, to).send(t)
		f := failureOf(t, err)
		if f.Permanent != c.permanent || f.Sent != notify.No || !strings.Contains(f.Reason, "all of 3 addresses") {
			t.Errorf("%s: %+v", name, f)
		}
		if s.seen()[0].Done {
			t.Errorf("%s: data was sent", name)
		}
	}
}

// TestPasswords: while one takes over from another, both are tried.
func TestPasswords(t *testing.T) {
	s := (&mailServer{starttls: true, mechanisms: "PLAIN", user: "stella", pass: canary}).start(t)
	_, _, err := newClient(s, func(c *client) {
		c.endpoint.Secrets = map[string]string{"username": "vault:user", "password": "vault:old vault:new"}
		c.secrets = map[string]string{"vault:user": "stella\n", "vault:old": "old", "vault:new": canary}
	}).send(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.seen(); len(got) != 2 || got[0].Auth || !got[1].Auth || !got[1].Done {
		t.Errorf("sessions: %+v", got)
	}
}

// TestTheStrictDoor: without a DialContext of the operator's, no private address.
func TestTheStrictDoor(t *testing.T) {
	s := (&mailServer{implicit: true}).start(t)
	for _, url := range []string{"smtps://" + s.addr, "smtps://127.0.0.1", "smtp://[::1]", "smtp://[::ffff:127.0.0.1]:25", "smtp://169.254.169.254:25", "smtp://example.com:6379", "smtp://localhost", "smtp://mail"} {
		_, err := email.Open(&notify.Endpoint{Type: email.Type, URL: url, To: "a@example.org", Options: map[string]string{"from": "s@example.com"}}, nil, nil)
		if !errors.Is(err, email.ErrForbidden) {
			t.Errorf("%s: %v", url, err)
		}
	}
	c := newClient(s, func(c *client) {
		c.endpoint.URL = "smtps://" + s.addr
		c.options.DialContext, c.options.Allow = nil, []string{s.addr}
	})
	if _, _, err := c.send(t); err != nil {
		t.Errorf("listed: %v", err)
	}
}

// TestTimeout: an attempt has an end of its own.
func TestTimeout(t *testing.T) {
	s := (&mailServer{starttls: true, script: map[string][]string{"MAIL": {hang}}}).start(t)
	_, _, err := newClient(s, func(c *client) { c.options.Timeout = 100 * time.Millisecond }).send(t)
	if f := failureOf(t, err); f.Sent != notify.No || f.Permanent || !strings.Contains(f.Reason, "did not answer") {
		t.Errorf("failure: %+v", f)
	}
}

// TestUnsendable: what would arrive otherwise than it is stored is not sent.
func TestUnsendable(t *testing.T) {
	s := (&mailServer{starttls: true}).start(t)
	c := newClient(s, nil)
	channel, err := email.Open(&c.endpoint, nil, &c.options)
	if err != nil {
		t.Fatal(err)
	}
	send := func(p notify.Payload, to string) error {
		_, err := channel.Send(t.Context(), &notify.Dispatch{ID: "d", To: to, Payload: p})
		return err
	}
	good := "Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nFrom x\r\n" + strings.Repeat("y", 998) + "\r\n"
	for name, body := range map[string]string{
		"nothing": "", "a lone LF": "a\r\n\n.\n\r\n", "a lone CR": "a\r.\r\r\n", "smuggled": "a\r\n\r.\r\nMAIL FROM:<x@y>\r\n", "NUL": "a\x00\r\n", "8 bits": "ä\r\n",
		"no end": "abc", "CR at the end": "abc\r", "a long line": strings.Repeat("y", 999) + "\r\n", "too long": strings.Repeat("x\r\n", notify.MaxPayload/3+1),
	} {
		f := failureOf(t, send(notify.Payload{MediaType: "message/rfc822", Body: []byte(body)}, ""))
		if !f.Permanent || f.Sent != notify.No {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := failureOf(t, send(notify.Payload{MediaType: "application/json", Body: []byte(good)}, "")); !f.Permanent {
		t.Errorf("JSON: %+v", f)
	}
	for _, to := range []string{"a@b.c>\r\nDATA", "g: a@b.c;", "a@b.c, d@e.f"} {
		if f := failureOf(t, send(notify.Payload{MediaType: "message/rfc822", Body: []byte(good)}, to)); !f.Permanent {
			t.Errorf("%q: %+v", to, f)
		}
	}
	if n := len(s.seen()); n > 0 {
		t.Errorf("%d connections", n)
	}
	if err := send(notify.Payload{MediaType: "message/rfc822", Body: []byte(good)}, "Z <z@example.net>"); err != nil {
		t.Fatal(err)
	}
	got := s.seen()[0]
	if !bytes.Equal(got.Data, []byte(good)) || len(got.To) != 1 || got.To[0] != "RCPT TO:<z@example.net>" {
		t.Errorf("arrived: %q, %q", got.To, got.Data)
	}
}

// TestConcurrent: one channel sends several mails at once.
func TestConcurrent(t *testing.T) {
	s := (&mailServer{starttls: true, mechanisms: "SCRAM-SHA-256", user: "stella", pass: canary}).start(t)
	c := newClient(s, withPassword)
	channel, err := email.Open(&c.endpoint, nil, &c.options)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := message()
			m.ID = fmt.Sprintf("d-%d", i)
			p, err := channel.Render(m)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			want[string(p.Body)] = true
			mu.Unlock()
			if _, err := channel.Send(t.Context(), &notify.Dispatch{ID: m.ID, Payload: *p}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, one := range s.seen() {
		if !want[string(one.Data)] {
			t.Errorf("arrived: %.200q", one.Data)
		}
		delete(want, string(one.Data))
	}
	if len(want) > 0 {
		t.Errorf("%d mails did not arrive", len(want))
	}
}
