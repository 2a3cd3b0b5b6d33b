package issuer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/store/account"
)

// sender sends requests as somebody.
type sender struct{ who string }

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", s.who)
	return http.DefaultTransport.RoundTrip(r)
}

func TestClient(t *testing.T) {
	g := newRig(t)
	web := httptest.NewServer(g.server)
	t.Cleanup(web.Close)
	ctx := context.Background()
	c := &issuer.Client{URL: web.URL, Transport: sender{admin}}
	u, made, err := c.AddUser(ctx, &issuer.NewUser{Login: "bob", Scopes: []string{auth.ScannerRead}})
	if err != nil || len(made) < 40 || u.Tenant != "acme" {
		t.Fatalf("%+v %v", u, err)
	}
	u.Disabled, u.Name = true, "Bob"
	if u, err = c.SetUser(ctx, u); err != nil || !u.Disabled || u.Version != 2 {
		t.Fatalf("%+v %v", u, err)
	}
	u.Version = 1
	if _, err := c.SetUser(ctx, u); !errors.Is(err, issuer.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	given := "correct horse battery"
	if made, err := c.SetPassword(ctx, u.ID, &given); err != nil || made != "" {
		t.Errorf("%q %v", made, err)
	}
	if made, err := c.SetPassword(ctx, u.ID, nil); err != nil || len(made) < 40 {
		t.Errorf("%q %v", made, err)
	}
	users, next, err := c.Users(ctx, "")
	if err != nil || len(users) != 2 || next != "" {
		t.Errorf("%v %q %v", users, next, err)
	}
	n, err := c.AddClient(ctx, &account.Client{Name: "New", Keys: g.clientKey("new"), Grants: []string{"client_credentials"}, Scopes: []string{auth.ScannerRead}})
	if err != nil || n.ID == "" || len(n.Keys) == 0 {
		t.Fatalf("%+v %v", n, err)
	}
	n.Name = "Newer"
	if n, err = c.SetClient(ctx, n); err != nil || n.Name != "Newer" || n.Version != 2 {
		t.Errorf("%+v %v", n, err)
	}
	clients, _, err := c.Clients(ctx, "")
	if err != nil || len(clients) != 4 {
		t.Errorf("%v %v", clients, err)
	}
	k, secret, err := c.AddAPIKey(ctx, &issuer.NewAPIKey{Name: "harbor", Subject: "harbor", Scopes: []string{auth.ScannerScan}, Expires: g.clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.server.APIKey(ctx, secret); err != nil {
		t.Error(err)
	}
	keys, _, err := c.APIKeys(ctx, "")
	if err != nil || cmp.Diff([]string{k.ID}, []string{keys[0].ID}) != "" {
		t.Errorf("%v %v", keys, err)
	}
	if err := c.RevokeAPIKey(ctx, k.ID); err != nil {
		t.Error(err)
	}
	if err := c.RevokeAPIKey(ctx, "none"); !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("%v", err)
	}
	eve := &issuer.Client{URL: web.URL, Transport: sender{foreign}}
	if _, err := eve.SetUser(ctx, u); !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("another tenant: %v", err)
	}
	root := &issuer.Client{URL: web.URL, Transport: sender{operator}, Tenant: "acme"}
	if users, _, err := root.Users(ctx, ""); err != nil || len(users) != 2 {
		t.Errorf("%v %v", users, err)
	}
}
