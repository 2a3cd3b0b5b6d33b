package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account/accounttest"
	"github.com/stella-ops/stella/store/cache"
)

// TestWhole goes over the wire, by the clients and the door of this module: a program logs
// in by a device code, another by its key; both send requests; one logs out.
func TestWhole(t *testing.T) {
	ctx := context.Background()
	g := &rig{t: t, clock: &clock{at: time.Now()}}
	g.keys = map[string]crypto.Signer{}
	seen := cache.New(cache.NewMem(cache.MemLimits{}))
	var s *issuer.Server
	var door *auth.Verifier
	mux := http.NewServeMux()
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	nonces := func(audience string) *dpop.Nonces {
		return &dpop.Nonces{Secret: bytes.Repeat([]byte{3}, 32), Audience: audience, Epochs: seen}
	}
	s = &issuer.Server{Issuer: web.URL, Audiences: []string{web.URL}, Store: accounttest.NewMemory(), Seal: [][]byte{bytes.Repeat([]byte{7}, issuer.SealSize)}, Replay: seen, Nonces: nonces(web.URL),
		Identify: func(r *http.Request) (*auth.Identity, error) {
			i, _, err := door.Check(nil, r)
			return i, err
		}}
	door = &auth.Verifier{
		Tokens:     &token.Verifier{Issuer: web.URL, Audience: web.URL, Keys: jwks.Local(s.Keys), Revoked: s.Revoked},
		Proofs:     &dpop.Verifier{Origins: []string{web.URL}, Replay: seen, Nonces: nonces(web.URL + "/api")},
		Introspect: s.Introspect, AllowBearer: true,
	}
	mux.Handle("/", s)
	mux.HandleFunc("/api/v1/scans", func(w http.ResponseWriter, r *http.Request) {
		i, _, err := door.Check(w.Header(), r)
		var refused *auth.Refusal
		if errors.As(err, &refused) {
			refused.Write(w)
			return
		}
		fmt.Fprintf(w, "%s %s %s", i.Tenant, i.Proof, strings.Join(i.Scopes, " "))
	})
	must(s.Bootstrap(ctx, issuer.Bootstrap{Tenant: "acme", Login: "ann", Password: password, Services: []issuer.ServiceClient{{ID: "worker", Keys: g.clientKey("worker"), Scopes: []string{auth.ScannerWork}}}}))

	authority := must(client.Discover(ctx, web.URL, nil))
	key := must(dpop.Generate(""))
	cli := &client.Client{Server: authority, ID: issuer.CLI, Key: key}
	device := must(cli.Device(ctx, auth.ScannerRead))
	if _, err := device.Poll(ctx); !errors.Is(err, client.ErrPending) {
		t.Errorf("before anybody decided: %v", err)
	}
	allow(t, device.Complete, device.UserCode)
	got, err := device.Poll(ctx)
	if err != nil {
		t.Fatal(err)
	}
	vault := client.NewMemory(got)
	ask := func(source client.Source, key *dpop.Key) (int, string) {
		c := http.Client{Transport: &client.Transport{Service: web.URL, Source: source, Key: key}}
		resp, err := c.Get(web.URL + "/api/v1/scans")
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	if status, text := ask(cli.Refresh(vault), key); status != 200 || text != "acme dpop scanner:read" {
		t.Errorf("%d %s", status, text)
	}
	worker := &client.Client{Server: authority, ID: "worker", Key: must(dpop.Generate(dpop.EdDSA)), Auth: client.PrivateKey{Key: g.keys["worker"], ID: "worker-1"}}
	if status, text := ask(worker.Credentials(), worker.Key); status != 200 || text != " dpop scanner:work" {
		t.Errorf("%d %s", status, text)
	}
	// The administrator makes an API key, by a token of the person's own.
	adminKey := must(dpop.Generate(""))
	person := &client.Client{Server: authority, ID: issuer.CLI, Key: adminKey}
	device = must(person.Device(ctx, auth.AuthorityAdmin))
	allow(t, device.Complete, device.UserCode)
	own := client.NewMemory(must(device.Poll(ctx)))
	api := &issuer.Client{URL: web.URL, Transport: &client.Transport{Service: web.URL, Source: person.Refresh(own), Key: adminKey}}
	_, secret, err := api.AddAPIKey(ctx, &issuer.NewAPIKey{Subject: "harbor", Scopes: []string{auth.ScannerScan}, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r := must(http.NewRequest("GET", web.URL+"/api/v1/scans", nil))
	r.Header.Set("Authorization", "Bearer "+secret)
	resp := must(http.DefaultClient.Do(r))
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	if resp.StatusCode != 200 || b.String() != "acme api-key scanner:scan" {
		t.Errorf("%d %s", resp.StatusCode, b.String())
	}
	if err := cli.Revoke(ctx, got); err != nil {
		t.Error(err)
	}
	if status, _ := ask(cli.Refresh(vault), key); status == 200 {
		t.Error("who logged out is let in")
	}
}

// allow logs ann in, in a browser of her own, and lets a device in.
func allow(t *testing.T, address, code string) {
	t.Helper()
	browser := http.Client{Jar: must(cookiejar.New(nil))}
	read := func(resp *http.Response, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		return b.String()
	}
	page := func(text string) string {
		m := pageField.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no page: %s", text)
		}
		return m[1]
	}
	u := must(url.Parse(address))
	u.RawQuery = ""
	text := read(browser.Get(address))
	text = read(browser.PostForm(u.String(), form("page", page(text), "action", "login", "user_code", code, "tenant", "acme", "login", "ann", "password", password)))
	if text = read(browser.PostForm(u.String(), form("page", page(text), "action", "allow"))); !strings.Contains(text, "close this page") {
		t.Fatal(text)
	}
}
