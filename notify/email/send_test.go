package email_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
)

// canary is a password that nothing may show.
const canary = "hunter2-canary-pass"

func message() *notify.Message {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &notify.Message{
		ID: "d-0001", Tenant: "acme", Kind: notify.KindAlert, At: at, Since: at, Severity: finding.Critical, Total: 1,
		Title: "New critical CVE-2024-1234 affects ghcr.io/acme/shop:1",
		Notices: []notify.Notice{{
			Event: "e-1", Type: "advisory.drift", At: at, Image: "ghcr.io/acme/shop:1", Vulnerability: "CVE-2024-1234", Severity: finding.Critical,
			Summary: "A heap overflow in libfoo <script>alert(1)</script>.", Exploited: notify.Yes, Fixed: notify.Yes, Cause: "new",
		}},
		Why:  []string{"severity is at least high", "image matches ghcr.io/acme/*"},
		Rule: "critical-now", RuleName: "Critical, now", GroupKey: "CVE-2024-1234",
		Link: "https://stella.example.com/n/d-0001", AckLink: "https://stella.example.com/ack/x.y",
	}
}

// client is what sends to a server.
type client struct {
	server   *mailServer
	endpoint notify.Endpoint
	options  email.Options
	secrets  map[string]string
	ctx      context.Context // nil is the test's
}

func newClient(s *mailServer, change func(*client)) *client {
	scheme := "smtp"
	if s.implicit {
		scheme = "smtps"
	}
	c := &client{server: s, secrets: map[string]string{"vault:mail": "stella:" + canary}}
	c.endpoint = notify.Endpoint{ID: "ops-mail", Type: email.Type, URL: scheme + "://example.com:587", To: "ops@example.org",
		Options: map[string]string{"from": "Stella <stella@example.com>"}}
	c.options = email.Options{
		Roots: s.roots, Timeout: 15 * time.Second,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.addr)
		},
		Secret: func(_ context.Context, ref string) ([]byte, error) {
			text, ok := c.secrets[ref]
			if !ok {
				return nil, fmt.Errorf("%s: %w", canary, fault.NotFound)
			}
			return []byte(text), nil
		},
	}
	if change != nil {
		change(c)
	}
	return c
}

// send renders a message and sends it.
func (c *client) send(t *testing.T) ([]byte, *notify.Receipt, error) {
	t.Helper()
	channel, err := email.Open(&c.endpoint, nil, &c.options)
	if err != nil {
		t.Fatal(err)
	}
	p, err := channel.Render(message())
	if err != nil {
		t.Fatal(err)
	}
	ctx := c.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	r, err := channel.Send(ctx, &notify.Dispatch{ID: "d-0001", Tenant: "acme", Attempt: 1, Payload: *p})
	if err != nil {
		noCanary(t, err.Error(), fmt.Sprintf("%+v", err))
	} else {
		noCanary(t, r.Reference)
	}
	return p.Body, r, err
}

func noCanary(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, form := range []string{canary, "aHVudGVyMi1jYW5hcnktcGFzcw", "aHVudGVyMi", "h1bnRlcjItY2FuYXJ5"} {
			if strings.Contains(text, form) {
				t.Errorf("%q holds the password", text)
			}
		}
	}
}

func withPassword(c *client) { c.endpoint.Secrets = map[string]string{"password": "vault:mail"} }

func option(name, value string) func(*client) {
	return func(c *client) { c.endpoint.Options[name] = value }
}

func both(f ...func(*client)) func(*client) {
	return func(c *client) {
		for _, one := range f {
			one(c)
		}
	}
}

func TestDelivered(t *testing.T) {
	listed := func(c *client) { c.options.Allow = []string{"example.com"} }
	bounce := strings.Join([]string{"250-2.0.0 thank", "250-you", "250 queued as \x1b[31mQ1\u202e"}, "\r\n")
	for name, c := range map[string]struct {
		server    *mailServer
		change    func(*client)
		auth      string // the mechanism
		plain     bool
		reference string
	}{
		"STARTTLS":       {server: &mailServer{starttls: true}},
		"TLS":            {server: &mailServer{implicit: true}},
		"opportunistic":  {server: &mailServer{starttls: true}, change: both(listed, option("tls", "opportunistic"))},
		"not encrypted":  {server: &mailServer{}, change: both(listed, option("tls", "opportunistic")), plain: true},
		"none":           {server: &mailServer{starttls: true}, change: both(listed, option("tls", "none")), plain: true},
		"local login":    {server: &mailServer{mechanisms: "PLAIN"}, change: both(listed, option("tls", "none"), withPassword), plain: true, auth: "PLAIN"},
		"auto: PLAIN":    {server: &mailServer{implicit: true, mechanisms: "LOGIN PLAIN CRAM-MD5 NTLM"}, change: withPassword, auth: "PLAIN"},
		"auto: SCRAM":    {server: &mailServer{starttls: true, mechanisms: "PLAIN SCRAM-SHA-1 SCRAM-SHA-256"}, change: withPassword, auth: "SCRAM-SHA-256"},
		"auto: bound":    {server: &mailServer{starttls: true, mechanisms: "PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"}, change: withPassword, auth: "SCRAM-SHA-256-PLUS"},
		"SCRAM-SHA-1":    {server: &mailServer{implicit: true, mechanisms: "PLAIN SCRAM-SHA-1"}, change: both(withPassword, option("auth", "scram-sha-1")), auth: "SCRAM-SHA-1"},
		"LOGIN":          {server: &mailServer{starttls: true, mechanisms: "LOGIN PLAIN"}, change: both(withPassword, option("auth", "login")), auth: "LOGIN"},
		"CRAM-MD5":       {server: &mailServer{starttls: true, mechanisms: "CRAM-MD5 PLAIN"}, change: both(withPassword, option("auth", "cram-md5")), auth: "CRAM-MD5"},
		"XOAUTH2":        {server: &mailServer{starttls: true, mechanisms: "XOAUTH2 PLAIN"}, change: both(withPassword, option("auth", "xoauth2")), auth: "XOAUTH2"},
		"many lines":     {server: &mailServer{starttls: true, script: map[string][]string{".": {bounce}}}, reference: "thank you queued as \uFFFD[31mQ1\uFFFD"},
		"251 at the end": {server: &mailServer{starttls: true, script: map[string][]string{".": {"251 2.0.0 will go on as Q9"}}}, reference: "will go on as Q9"},
		"extensions":     {server: &mailServer{starttls: true, extensions: []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 1000000", "CHUNKING", "DSN"}}},
		"HELO":           {server: &mailServer{script: map[string][]string{"EHLO": {"502 no"}, "HELO": {"250 hello"}}}, change: both(listed, option("tls", "opportunistic")), plain: true},
		// What was said before TLS is not heard.
		"injected":   {server: &mailServer{starttls: true, script: map[string][]string{"STARTTLS": {"220 go ahead\r\n250-evil\r\n250 AUTH PLAIN"}}}},
		"no goodbye": {server: &mailServer{starttls: true, script: map[string][]string{"QUIT": {drop}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.server
			s.user, s.pass = "stella", canary
			body, r, err := newClient(s.start(t), c.change).send(t)
			if err != nil {
				t.Fatal(err)
			}
			sessions := s.seen()
			if len(sessions) != 1 {
				t.Fatalf("%d connections", len(sessions))
			}
			got := sessions[0]
			if diff := cmp.Diff(string(body), string(got.Data)); diff != "" {
				t.Errorf("bytes that arrived (-rendered +arrived):\n%s", diff)
			}
			if got.TLS == c.plain || got.Mechanism != c.auth || got.Auth != (c.auth != "") {
				t.Errorf("session: %+v", got)
			}
			if !strings.HasPrefix(got.From, "MAIL FROM:<stella@example.com>") || len(got.To) != 1 || got.To[0] != "RCPT TO:<ops@example.org>" {
				t.Errorf("envelope: %q, %q", got.From, got.To)
			}
			if c.reference == "" {
				c.reference = "Ok: queued as 4XyZ12"
			}
			if r.Status/10 != 25 || r.Reference != c.reference || !strings.HasPrefix(r.Answer, "sha256:") {
				t.Errorf("receipt: %+v", r)
			}
		})
	}
}

// TestFailures tells at every step what is said when the server says no, breaks off, says
// nothing or too much.
func TestFailures(t *testing.T) {
	type want struct {
		sent      notify.Answer
		permanent bool
		status    int
		after     time.Duration
		reason    string
	}
	no := func(status int, permanent bool, reason string) want {
		return want{sent: notify.No, permanent: permanent, status: status, reason: reason}
	}
	for name, c := range map[string]struct {
		verb, say string
		want      want
	}{
		"refused at once":       {"connect", "554 5.7.1 go away", no(554, true, "greeting: its policy does not allow it 5.7.1: go away")},
		"busy":                  {"connect", "421 4.3.2 too busy", no(421, false, "closing down")},
		"no SMTP":               {"connect", "HTTP/1.1 400 Bad Request", no(0, false, "not SMTP")},
		"dropped at once":       {"connect", drop, no(0, false, "the connection broke")},
		"silent":                {"connect", hang, no(0, false, "")},
		"a byte now and then":   {"connect", drip, no(0, false, "")},
		"a line without end":    {"connect", huge, no(0, false, "too long")},
		"lines without end":     {"EHLO", many, no(0, false, "too long")},
		"EHLO refused":          {"EHLO", "550 5.7.1 no", no(550, true, "EHLO")},
		"EHLO dropped":          {"EHLO", drop, no(0, false, "EHLO")},
		"STARTTLS refused":      {"STARTTLS", "454 4.7.0 TLS not available", no(454, false, "encryption")},
		"STARTTLS dropped":      {"STARTTLS", drop, no(0, false, "encryption: the connection broke")},
		"AUTH refused":          {"AUTH", "535 5.7.8 no " + canary, no(535, true, "AUTH: user or password are wrong 5.7.8")},
		"AUTH later":            {"AUTH", "454 4.7.0 later " + canary, no(454, false, "AUTH")},
		"AUTH dropped":          {"AUTH", drop, no(0, false, "AUTH")},
		"AUTH in circles":       {"AUTH", "334 !!!", no(0, false, "AUTH")},
		"AUTH wants more":       {"AUTH", "334 " + strings.Repeat("QUFB", 5), no(0, false, "AUTH: it does not keep to the protocol")},
		"MAIL refused":          {"MAIL", "550 5.7.1 spoof", no(550, true, "MAIL: its policy does not allow it 5.7.1: spoof")},
		"MAIL wants AUTH":       {"MAIL", "530 who are you", no(530, true, "it wants a user and a password")},
		"MAIL too large":        {"MAIL", "552 5.3.4 too big", no(552, true, "the mail is too large 5.3.4")},
		"MAIL no room":          {"MAIL", "452 4.3.1 no room", no(452, false, "MAIL")},
		"MAIL repeats":          {"MAIL", "550 5.7.0 you said " + canary, no(550, true, "[redacted]")},
		"MAIL dropped":          {"MAIL", drop, no(0, false, "MAIL")},
		"RCPT unknown":          {"RCPT", "550 5.1.1 no such user", no(550, true, "RCPT: there is no such address 5.1.1: no such user")},
		"RCPT full":             {"RCPT", "552 5.2.2 full", no(552, true, "the mailbox is full")},
		"RCPT too many":         {"RCPT", "552 too many recipients", no(552, false, "RCPT")},
		"RCPT greylisted":       {"RCPT", "451 4.7.1 greylisted", want{notify.No, false, 451, email.Greylisted, "RCPT"}},
		"RCPT greylisted, old":  {"RCPT", "450 try again", want{notify.No, false, 450, email.Greylisted, "RCPT"}},
		"RCPT contradicts":      {"RCPT", "450 5.1.1 well", want{notify.No, false, 450, email.Greylisted, "RCPT"}},
		"RCPT makes no sense":   {"RCPT", "354 go ahead", no(354, false, "RCPT: its answer makes no sense here")},
		"DATA makes no sense":   {"DATA", "250 queued", no(250, false, "DATA: its answer makes no sense here")},
		"RCPT closing":          {"RCPT", "421 4.4.2 timeout", no(421, false, "closing down")},
		"RCPT dropped":          {"RCPT", drop, no(0, false, "RCPT")},
		"DATA refused":          {"DATA", "554 5.5.1 no valid recipients", no(554, true, "DATA")},
		"DATA dropped":          {"DATA", drop, no(0, false, "DATA")},
		"DATA answered early":   {"DATA", "354 go\r\n250 2.0.0 queued", no(0, false, "DATA: it answers what it was not asked")},
		"answered early":        {"MAIL", "250 ok\r\n250 ok", no(0, false, "it answers what it was not asked")},
		"refused content":       {".", "554 5.6.0 I do not like it", no(554, true, "end of data")},
		"content later":         {".", "451 4.3.0 disk", no(451, false, "end of data")},
		"content grey":          {".", "451 4.7.1 wait", want{notify.No, false, 451, email.Greylisted, "end of data"}},
		"content too large":     {".", "552 5.3.4 too big", no(552, true, "too large")},
		"dropped at the end":    {".", drop, want{reason: "end of data: the connection broke"}},
		"silent at the end":     {".", hang, want{reason: "end of data"}},
		"too much at the end":   {".", huge, want{reason: "too long"}},
		"neither yes nor no":    {".", "354 once more", want{status: 354, reason: "end of data"}},
		"nonsense at the end":   {".", "ok!", want{reason: "not SMTP"}},
		"slow at the end":       {".", drip, want{reason: "end of data"}}, // in the middle of an answer, or before one
		"dropped in the middle": {"data", drop, want{reason: "the connection broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &mailServer{starttls: true, mechanisms: "PLAIN", user: "stella", pass: canary, script: map[string][]string{c.verb: {c.say}}}
			ctx, cancel := context.WithCancel(t.Context())
			s.start(t)
			stop := make(chan struct{})
			defer close(stop)
			go func() { // nobody waits for a server that says nothing
				select {
				case <-s.hung:
					cancel()
				case <-stop:
				}
			}()
			_, r, err := newClient(s, both(withPassword, func(c *client) { c.ctx = ctx })).send(t)
			if r != nil {
				t.Fatalf("receipt: %+v", r)
			}
			var f *notify.Failure
			if !errors.As(err, &f) {
				t.Fatalf("error: %v", err)
			}
			got := want{f.Sent, f.Permanent, f.Status, f.After, c.want.reason}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" || !strings.Contains(f.Reason, c.want.reason) || len(f.Reason) > 500 {
				t.Errorf("failure (-want +got), reason %q:\n%s", f.Reason, diff)
			}
			if (f.Answer != "") != (f.Status != 0) {
				t.Errorf("answer %q of status %d", f.Answer, f.Status)
			}
		})
	}
}
