package oracle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
)

// mailbox is what a server of go-smtp took.
type mailbox struct {
	user, from string
	to         []string
	data       []byte
	refuse     error // of addresses at refused.example
}

func (m *mailbox) Reset()                   {}
func (m *mailbox) Logout() error            { return nil }
func (m *mailbox) AuthMechanisms() []string { return []string{sasl.Plain} }

func (m *mailbox) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "stella" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		m.user = user
		return nil
	}), nil
}

func (m *mailbox) Mail(from string, _ *smtp.MailOptions) error {
	if m.user == "" {
		return smtp.ErrAuthRequired
	}
	m.from = from
	return nil
}

func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasSuffix(to, "@refused.example") {
		return m.refuse
	}
	m.to = append(m.to, to)
	return nil
}

func (m *mailbox) Data(r io.Reader) (err error) {
	m.data, err = io.ReadAll(r)
	return err
}

// mailServer starts a server of go-smtp, with TLS from the start or by STARTTLS.
func mailServer(t *testing.T, implicit bool, most int64, password string, refuse error) (*mailbox, func(to string) (*notify.Payload, *notify.Receipt, error)) {
	t.Helper()
	certs := httptest.NewTLSServer(nil)
	t.Cleanup(certs.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certs.Certificate())
	m := &mailbox{refuse: refuse}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return m, nil }))
	s.Domain, s.MaxMessageBytes, s.MaxRecipients, s.MaxLineLength = "mail.example.com", most, 10, 1000
	s.TLSConfig = &tls.Config{Certificates: certs.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, spoken := "smtp", l
	if implicit {
		scheme, spoken = "smtps", tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(spoken) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return m, func(to string) (*notify.Payload, *notify.Receipt, error) {
		c, err := email.Open(&notify.Endpoint{
			Type: email.Type, URL: scheme + "://example.com", To: to, Secrets: map[string]string{"password": "any"},
			Options: map[string]string{"from": "Stella <stella@example.com>"},
		}, nil, &email.Options{
			Roots: roots, Timeout: 10 * time.Second,
			Secret: func(context.Context, string) ([]byte, error) { return []byte("stella:" + password), nil },
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Render(&notify.Message{
			ID: "d-1", Tenant: "acme", Kind: notify.KindAlert, At: time.Unix(1_780_000_000, 0), GroupKey: "g", Rule: "r", Total: 1,
			Title: ".\r\n.\r\nQUIT\r\n Lücke", Why: []string{".", "..", "\n.\n"}, Notices: []notify.Notice{{Summary: ".", Image: strings.Repeat("x", 3000)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Send(t.Context(), &notify.Dispatch{ID: "d-1", Attempt: 1, Payload: *p})
		return p, r, err
	}
}

// TestMail: what arrives at a server that others wrote is what was rendered.
func TestMail(t *testing.T) {
	for name, implicit := range map[string]bool{"STARTTLS": false, "TLS": true} {
		m, send := mailServer(t, implicit, 1<<20, "secret", &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "unknown"})
		p, r, err := send("a@example.org, b@refused.example, c@example.org")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(p.Body) != string(m.data) || m.user != "stella" || m.from != "stella@example.com" || strings.Join(m.to, " ") != "a@example.org c@example.org" {
			t.Errorf("%s: from %q by %q to %q, %d bytes of %d", name, m.from, m.user, m.to, len(m.data), len(p.Body))
		}
		if r.Status != 250 || !strings.Contains(r.Note, "refused: b@refused.example 550 5.1.1") {
			t.Errorf("%s: receipt %+v", name, r)
		}
	}
}

// TestMailRefused: what that server says is understood.
func TestMailRefused(t *testing.T) {
	grey := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
	for name, c := range map[string]struct {
		most      int64
		password  string
		to        string
		refuse    error
		permanent bool
		after     time.Duration
		reason    string
	}{
		"password":   {1 << 20, "wrong", "a@example.org", nil, true, 0, "user or password are wrong"},
		"size":       {1000, "secret", "a@example.org", nil, true, 0, "takes mails of 1000 bytes"},
		"greylisted": {1 << 20, "secret", "a@refused.example", grey, false, email.Greylisted, "greylisted"},
	} {
		m, send := mailServer(t, false, c.most, c.password, c.refuse)
		_, _, err := send(c.to)
		var f *notify.Failure
		if !errors.As(err, &f) || f.Sent != notify.No || f.Permanent != c.permanent || f.After != c.after || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%s: %#v", name, err)
		}
		if len(m.data) > 0 {
			t.Errorf("%s: %d bytes of data", name, len(m.data))
		}
	}
}
