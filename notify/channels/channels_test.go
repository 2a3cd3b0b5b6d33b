package channels

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/netguard/ssrftest"
	"github.com/stella-ops/stella/notify"
)

// endpoint is one of a type that opens, with its URL where one may be set.
func endpoint(kind, url string) *notify.Endpoint {
	e := &notify.Endpoint{ID: "e", Type: kind, URL: url, Secrets: map[string]string{"token": "ref"}}
	switch kind {
	case "webhook":
		e.Secrets = map[string]string{"signing": "ref"}
	case "email":
		e.URL = "smtps" + strings.TrimPrefix(url, "https")
		e.To, e.Secrets, e.Options = "a@example.org", nil, map[string]string{"from": "s@example.org"}
	case "pagerduty":
		e.Secrets = map[string]string{"routing_key": "ref"}
	case "opsgenie":
		e.Secrets = map[string]string{"api_key": "ref"}
	case "teams":
		e.To = "00000000-0000-0000-0000-000000000001/19:abc@thread.tacv2"
	}
	return e
}

func TestTypes(t *testing.T) {
	var names []string
	for _, typ := range Types() {
		names = append(names, typ.Name)
		for _, p := range typ.Parts {
			if p.Name == "" || p.Escape == "" || p.Text == "" {
				t.Errorf("%s: %+v", typ.Name, p)
			}
			text := map[string]string{p.Name: p.Text}
			if err := CheckTemplate(&notify.Template{ID: "t", Type: typ.Name, Parts: text}); err != nil {
				t.Errorf("the default of %s: %v", typ.Name, err)
			}
		}
	}
	if !slices.IsSorted(names) || len(names) != 6 {
		t.Errorf("types: %q", names)
	}
}

func TestCheckTemplate(t *testing.T) {
	for _, tc := range []struct {
		t    notify.Template
		kind error
		say  string
	}{
		{notify.Template{ID: "t", Type: "carrier pigeon"}, ErrUnsupported, "templates are of email, opsgenie, pagerduty, slack, teams"},
		{notify.Template{ID: "t", Type: "webhook"}, ErrUnsupported, "templates are of email, opsgenie, pagerduty, slack, teams"},
		{notify.Template{ID: "t", Type: "email", Parts: map[string]string{"subjet": "x"}}, ErrInvalid, `"subjet"`},
		{notify.Template{ID: "t", Type: "email", Parts: map[string]string{"subject": "{{ .Nothing }"}}, ErrInvalid, "subject"},
	} {
		if err := CheckTemplate(&tc.t); !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%+v: got %v, want %v saying %q", tc.t, err, tc.kind, tc.say)
		}
	}
}

func TestOpener(t *testing.T) {
	for _, typ := range Types() {
		c, err := Opener("acme", nil)(endpoint(typ.Name, "https://"+ssrftest.PublicName), nil)
		if err != nil || c == nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
	if _, err := Opener("acme", nil)(&notify.Endpoint{Type: "fax"}, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if err := CheckEndpoint(endpoint("webhook", ""), &Options{Allow: []string{"http://a"}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// A secret is asked for by the tenant whose endpoint it is, in Send only.
func TestSecretsAreOfTheTenant(t *testing.T) {
	var asked []string
	refused := errors.New("none")
	o := &Options{
		Secret: func(_ context.Context, tenant, ref string) ([]byte, error) {
			asked = append(asked, tenant+"/"+ref)
			return nil, refused
		},
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { t.Error("sent without a secret"); return nil, refused }),
	}
	c, err := Opener("acme", o)(endpoint("webhook", "https://"+ssrftest.PublicName), nil)
	if err != nil || len(asked) != 0 {
		t.Fatalf("asked for %q: %v", asked, err)
	}
	if _, err := c.Send(context.Background(), &notify.Dispatch{ID: "d", Tenant: "other", Payload: notify.Payload{Body: []byte("{}")}}); err == nil {
		t.Error("sent")
	}
	if len(asked) == 0 || slices.ContainsFunc(asked, func(s string) bool { return s != "acme/ref" }) {
		t.Errorf("asked for %q", asked)
	}
}

// Every channel refuses every forbidden target before it is kept.
func TestForbiddenEndpoints(t *testing.T) {
	n := 0
	for _, typ := range Types() {
		opener := Opener("acme", nil)
		refused := func(url string) {
			n++
			_, err := opener(endpoint(typ.Name, url), nil)
			if !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: %q: %v", typ.Name, url, err)
			}
		}
		for _, a := range ssrftest.Addresses() {
			for _, l := range ssrftest.Literals(a, ssrftest.PublicName) {
				refused("https://" + l.Authority)
			}
		}
		for _, name := range ssrftest.Names() {
			if typ.Name == "email" && (strings.HasSuffix(name, ":25")) {
				continue // a mail server's
			}
			refused("https://" + name)
		}
		refused("ftp://" + ssrftest.PublicName)
	}
	t.Logf("%d endpoints are refused", n)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
