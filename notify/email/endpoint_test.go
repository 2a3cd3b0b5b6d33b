package email_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
)

func endpointWith(change func(e *notify.Endpoint)) *notify.Endpoint {
	e := &notify.Endpoint{ID: "ops", Type: email.Type, URL: "smtps://mail.example.com", To: "ops@example.org",
		Options: map[string]string{"from": "stella@example.com"}, Secrets: map[string]string{}}
	change(e)
	return e
}

// TestOpen: what is wrong with an endpoint is said when it is set, and shows no secret.
func TestOpen(t *testing.T) {
	url := func(s string) func(*notify.Endpoint) { return func(e *notify.Endpoint) { e.URL = s } }
	set := func(name, value string) func(*notify.Endpoint) {
		return func(e *notify.Endpoint) { e.Options[name] = value }
	}
	secrets := func(m map[string]string) func(*notify.Endpoint) {
		return func(e *notify.Endpoint) { maps.Copy(e.Secrets, m) }
	}
	for name, c := range map[string]struct {
		change func(*notify.Endpoint)
		kind   fault.Kind // "" is good
		says   string
	}{
		"good":       {func(*notify.Endpoint) {}, "", ""},
		"port":       {url("smtp://mail.example.com:25"), "", ""},
		"slash":      {url("SMTPS://Mail.Example.com/"), "", ""},
		"submission": {url("smtp://mail.example.com"), "", ""},
		"no to":      {func(e *notify.Endpoint) { e.To = "" }, "", ""},
		"all options": {func(e *notify.Endpoint) {
			set("helo", "worker-1.example.com")(e)
			set("reply_to", "a@b.c, d@e.f")(e)
			set("tls", "required")(e)
		}, "", ""},
		"password":            {secrets(map[string]string{"password": "vault:a vault:b"}), "", ""},
		"user and password":   {secrets(map[string]string{"password": "vault:a", "username": "vault:b"}), "", ""},
		"type":                {func(e *notify.Endpoint) { e.Type = "slack" }, fault.Unsupported, "slack"},
		"no URL":              {url(""), fault.Invalid, "scheme"},
		"a URL of the web":    {url("https://mail.example.com"), fault.Invalid, "scheme"},
		"a host":              {url("mail.example.com:587"), fault.Invalid, "smtps://host:port"},
		"opaque":              {url("smtp:mail.example.com"), fault.Invalid, "more than a host"},
		"no host":             {url("smtps://:465"), fault.Invalid, "host"},
		"a user":              {url("smtps://" + canary + "@mail.example.com"), fault.Invalid, "secrets"},
		"a password":          {url("smtps://stella:" + canary + "@mail.example.com"), fault.Invalid, "secrets"},
		"broken":              {url("smtps://stella:" + canary + "@mail.example.com:%zz"), fault.Invalid, "url"},
		"a path":              {url("smtps://mail.example.com/x"), fault.Invalid, "more than a host"},
		"a query":             {url("smtps://mail.example.com?tls=none"), fault.Invalid, "more than a host"},
		"a fragment":          {url("smtps://mail.example.com#x"), fault.Invalid, "more than a host"},
		"port 0":              {url("smtps://mail.example.com:0"), fault.Invalid, "port"},
		"port 65536":          {url("smtps://mail.example.com:65536"), fault.Invalid, "port"},
		"not ASCII":           {url("smtps://mäil.example.com"), fault.Invalid, "ASCII"},
		"a dot at the end":    {url("smtps://mail.example.com."), fault.Invalid, "host"},
		"an odd address":      {url("smtps://0x7f.1"), fault.Invalid, "host"},
		"a decimal address":   {url("smtps://2130706433"), fault.Invalid, "host"},
		"a zone":              {url("smtps://[fe80::1%25eth0]"), fault.Invalid, "host"},
		"a break":             {url("smtps://mail.example.com\r\nX"), fault.Invalid, "url"},
		"long":                {url("smtps://" + strings.Repeat("a.", 300) + "b"), fault.Invalid, "too long"},
		"no from":             {func(e *notify.Endpoint) { delete(e.Options, "from") }, fault.Invalid, `"from" is missing`},
		"from of two":         {set("from", "a@b.c, d@e.f"), fault.Invalid, "from"},
		"helo":                {set("helo", "x\r\nMAIL FROM:<a@b.c>"), fault.Invalid, "helo"},
		"reply_to":            {set("reply_to", "nobody"), fault.Invalid, "reply_to"},
		"an unknown option":   {set("insecure", "true"), fault.Invalid, "insecure"},
		"auth":                {set("auth", "ntlm"), fault.Invalid, "auth"},
		"auth without":        {set("auth", "plain"), fault.Invalid, "without a password"},
		"none with":           {func(e *notify.Endpoint) { set("auth", "none")(e); e.Secrets["password"] = "vault:a" }, fault.Invalid, "beside a password"},
		"tls":                 {set("tls", "off"), fault.Invalid, "tls"},
		"none with smtps":     {set("tls", "none"), fault.Invalid, "smtps"},
		"none":                {func(e *notify.Endpoint) { url("smtp://mail.example.com")(e); set("tls", "none")(e) }, fault.Forbidden, "not listed"},
		"opportunistic":       {func(e *notify.Endpoint) { url("smtp://mail.example.com")(e); set("tls", "opportunistic")(e) }, fault.Forbidden, "not listed"},
		"another secret":      {secrets(map[string]string{"token": "vault:a"}), fault.Invalid, "token"},
		"user only":           {secrets(map[string]string{"username": "vault:a"}), fault.Invalid, "without \"password\""},
		"two users":           {secrets(map[string]string{"username": "vault:a vault:b", "password": "vault:c"}), fault.Invalid, "username"},
		"many passwords":      {secrets(map[string]string{"password": "a b c d"}), fault.Invalid, "password"},
		"many addresses":      {func(e *notify.Endpoint) { e.To = manyAddresses(email.MaxRecipients + 1) }, fault.Limit, "addresses"},
		"as many as may be":   {func(e *notify.Endpoint) { e.To = manyAddresses(email.MaxRecipients) }, "", ""},
		"an address too much": {func(e *notify.Endpoint) { e.To = "a@b.c," }, fault.Invalid, "to"},
	} {
		_, err := email.Open(endpointWith(c.change), nil, nil)
		if fault.KindOf(err) != c.kind && !(c.kind == fault.Forbidden && errors.Is(err, c.kind)) || err != nil && (c.kind == "" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want kind %q and %q", name, err, c.kind, c.says)
		}
		if err != nil {
			noCanary(t, err.Error())
		}
	}
	if _, err := email.Open(endpointWith(func(*notify.Endpoint) {}), nil, &email.Options{Allow: []string{"not a host"}}); err == nil {
		t.Error("an entry of Allow that is none is taken")
	}
}

func manyAddresses(n int) string {
	var list []string
	for i := range n {
		list = append(list, strings.Repeat("a", i+1)+"@example.org")
	}
	return strings.Join(list, ", ")
}

// TestTemplates: a tenant's own templates are taken, and what is wrong with one is said at
// once.
func TestTemplates(t *testing.T) {
	e := endpointWith(func(*notify.Endpoint) {})
	own := []notify.Template{{ID: "t", Type: email.Type, Parts: map[string]string{"subject": "own: {{.Title}}\r\nBcc: x@y.z"}}}
	c, err := email.Open(e, own, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Render(message())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parse(t, p.Body).subject, "own: "+message().Title+" Bcc: x@y.z"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	own[0].Parts["subject"] = "   \t "
	if c, err = email.Open(e, own, nil); err != nil {
		t.Fatal(err)
	}
	if p, err = c.Render(message()); err != nil || parse(t, p.Body).subject != "Stella" {
		t.Errorf("without a subject: %v", err)
	}
	own[0].Parts["html"] = "<p>{{.Nothing}}</p>"
	if _, err := email.Open(e, own, nil); !errors.Is(err, email.ErrInvalid) {
		t.Errorf("a template that is none: %v", err)
	}
	m := message()
	if c, err = email.Open(endpointWith(func(e *notify.Endpoint) { e.To = "" }), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Render(m); !errors.Is(err, email.ErrInvalid) {
		t.Errorf("nobody to send to: %v", err)
	}
	m.To = "z@example.org"
	if p, err = c.Render(m); err != nil || parse(t, p.Body).header.Get("To") != "z@example.org" {
		t.Errorf("the message's own address: %v", err)
	}
}
