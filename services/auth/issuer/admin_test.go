package issuer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/store/account"
)

const api = "/api/v1/authority"

// administer does everything that there is to do once, for the document, and checks it.
func administer(t *testing.T, g *rig) {
	t.Helper()
	expect := func(w *httptest.ResponseRecorder, status int) map[string]any {
		t.Helper()
		if w.Code != status {
			t.Fatalf("%d, want %d: %s", w.Code, status, w.Body)
		}
		return members(w)
	}
	expect(g.api("GET", api+"/tenants?limit=1", operator, ""), 200)
	if list := expect(g.api("GET", api+"/tenants", admin, ""), 200)["tenants"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != "acme" {
		t.Errorf("tenants %v", list)
	}
	expect(g.api("PUT", api+"/tenants/third", operator, `{"name":"Third"}`, "If-None-Match", "*"), 201)
	w := g.api("GET", api+"/tenants/third", operator, "")
	expect(w, 200)
	expect(g.api("GET", api+"/tenants/third", operator, "", "If-None-Match", w.Header().Get("ETag")), 304)
	expect(g.api("PUT", api+"/tenants/third", operator, `{"name":"Third one"}`, "If-Match", w.Header().Get("ETag")), 200)
	expect(g.api("PUT", api+"/tenants/third", operator, `{"name":"x"}`, "If-Match", w.Header().Get("ETag")), 412)

	w = g.api("POST", api+"/users", admin, `{"login":"bob","name":"Bob","email":"bob@acme.example","scopes":["scanner:read"]}`)
	bob := expect(w, 201)
	user := bob["user"].(map[string]any)
	if len(text(bob, "password")) < 40 || user["password"] != nil || w.Header().Get("Location") != api+"/users/"+text(user, "id") {
		t.Errorf("%v", bob)
	}
	address := api + "/users/" + text(user, "id")
	w = g.api("GET", address, admin, "")
	if strings.Contains(w.Body.String(), "argon2") || strings.Contains(w.Body.String(), text(bob, "password")) {
		t.Errorf("a password is shown: %s", w.Body)
	}
	expect(g.api("GET", address, admin, "", "If-None-Match", `"1"`), 304)
	expect(g.api("PUT", address, admin, `{"login":"bob","scopes":["scanner:read","policy:read"]}`, "If-Match", `"1"`), 200)
	if m := expect(g.api("POST", address+"/password", admin, `{"password":"correct horse battery"}`), 200); m["password"] != nil {
		t.Errorf("%v", m)
	}
	expect(g.api("GET", api+"/users?limit=1", admin, ""), 200)

	keys := string(g.clientKey("new"))
	w = g.api("POST", api+"/clients", admin, `{"client_name":"New","jwks":`+keys+`,"grant_types":["client_credentials"],"scopes":["scanner:read"]}`)
	made := expect(w, 201)
	address = w.Header().Get("Location")
	if made["token_endpoint_auth_method"] != "private_key_jwt" || made["tenant"] != "acme" {
		t.Errorf("%v", made)
	}
	id := text(made, "client_id")
	c := g.claims(id)
	g.granted(g.proven("/token", form("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", sign(g.keys["new"], "JWT", "new-1", c))))
	expect(g.api("GET", address, admin, ""), 200)
	expect(g.api("GET", address, admin, "", "If-None-Match", `"1"`), 304)
	expect(g.api("PUT", address, admin, `{"client_name":"Newer","grant_types":["client_credentials"],"scopes":["scanner:read"],"plain":true}`, "If-Match", `"1"`), 200)
	shown := expect(g.api("POST", address+"/secret", admin, ""), 200)
	g.granted(g.post("/token", form("grant_type", "client_credentials", "client_id", id, "client_secret", text(shown, "client_secret"))))
	expect(g.api("GET", api+"/clients?limit=2", admin, ""), 200)
	expect(g.api("GET", api+"/clients", operator, ""), 200)

	expires := g.clock.Now().Add(24 * time.Hour).Format(time.RFC3339)
	w = g.api("POST", api+"/api-keys", admin, `{"name":"harbor","subject":"harbor","scopes":["scanner:scan"],"expires":"`+expires+`"}`)
	key := expect(w, 201)
	address = w.Header().Get("Location")
	if strings.Contains(g.api("GET", address, admin, "").Body.String(), text(key, "secret")) {
		t.Error("the secret is shown twice")
	}
	expect(g.api("GET", api+"/api-keys", admin, ""), 200)
	who, err := g.server.APIKey(context.Background(), text(key, "secret"))
	if err != nil || cmp.Diff(&auth.Identity{Tenant: "acme", Subject: "harbor", Scopes: []string{auth.ScannerScan}, Proof: auth.ProofAPIKey}, who) != "" {
		t.Errorf("%+v %v", who, err)
	}
	m := members(g.post("/introspect", g.as("gateway", "token", text(key, "secret"))))
	if m["active"] != true || m["sub"] != "harbor" || m["scope"] != auth.ScannerScan || m["stella:tenant"] != "acme" {
		t.Errorf("%v", m)
	}
	for range 2 {
		if w := g.api("DELETE", address, admin, ""); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if _, err := g.server.APIKey(context.Background(), text(key, "secret")); !errors.Is(err, issuer.ErrUnauthenticated) {
		t.Errorf("a revoked key: %v", err)
	}
	expect(g.api("GET", api+"/keys", admin, ""), 200)
	expect(g.api("POST", api+"/keys", operator, `{"alg":"EdDSA"}`), 201)
	expect(g.api("GET", api+"/journal?limit=5", admin, ""), 200)
	expect(g.api("GET", path+"/revocations?after=0", "Test /gateway/x", ""), 200)
	reg := expect(g.api("POST", path+"/register", admin, `{"redirect_uris":["https://app.example/cb"],"client_name":"App","scope":"scanner:read","jwks":`+keys+`,"software_version":"1"}`), 201)
	if reg["client_id"] == nil || reg["client_secret"] != nil || reg["dpop_bound_access_tokens"] != true || reg["token_endpoint_auth_method"] != "private_key_jwt" {
		t.Errorf("%v", reg)
	}
}

func TestAdministration(t *testing.T) { administer(t, newRig(t)) }

// TestAdministrationRefused: who may not, may not; what is another tenant's is not there.
func TestAdministrationRefused(t *testing.T) {
	g := newRig(t)
	weak := "Test acme/ann/scanner:read"
	for _, r := range g.server.Routes() {
		address := strings.NewReplacer("{tenant_id}", "acme", "{user_id}", g.ann.ID, "{client_id}", "ci", "{key_id}", "x").Replace(r[1])
		if w := g.api(r[0], address, "", ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%v: nobody: %d", r, w.Code)
		}
		if w := g.api(r[0], address, weak, ""); w.Code != 403 {
			t.Errorf("%v: without the right: %d", r, w.Code)
		}
	}
	for _, r := range [][3]string{
		{"GET", "/users/" + g.ann.ID}, {"PUT", "/users/" + g.ann.ID, `{"login":"x","scopes":[]}`}, {"POST", "/users/" + g.ann.ID + "/password", `{}`},
		{"GET", "/clients/ci"}, {"PUT", "/clients/ci", `{"grant_types":["client_credentials"],"scopes":[]}`}, {"POST", "/clients/ci/secret"}, {"GET", "/clients/" + issuer.CLI}, {"GET", "/tenants/acme"},
	} {
		w := g.api(r[0], api+r[1], foreign, r[2], "If-Match", `"1"`)
		missing := g.api(r[0], api+strings.NewReplacer(g.ann.ID, "nobody", "ci", "nobody", issuer.CLI, "nobody", "acme", "nobody").Replace(r[1]), foreign, r[2], "If-Match", `"1"`)
		known := strings.NewReplacer(g.ann.ID, "nobody", `\"ci\"`, `\"nobody\"`, "/ci", "/nobody", issuer.CLI, "nobody", "acme", "nobody").Replace(w.Body.String())
		if w.Code != 404 || missing.Code != 404 || cmp.Diff(missing.Body.String(), known) != "" {
			t.Errorf("%s %s: %d and %d: %s", r[0], r[1], w.Code, missing.Code, cmp.Diff(missing.Body.String(), known))
		}
	}
	expires := g.clock.Now().Add(time.Hour).Format(time.RFC3339)
	long := strings.Repeat("x", 300)
	keys := string(g.clientKey("x"))
	for name, test := range map[string]struct {
		method, path, who, body string
		header                  []string
		status                  int
	}{
		"another tenant by query": {"GET", "/users?tenant=acme", foreign, "", nil, 404},
		"unknown tenant":          {"GET", "/users?tenant=nobody", operator, "", nil, 404},
		"no tenant":               {"GET", "/users", operator, "", nil, 400},
		"tenant by a tenant":      {"PUT", "/tenants/fourth", admin, `{}`, []string{"If-None-Match", "*"}, 403},
		"keys by a tenant":        {"POST", "/keys", admin, `{}`, nil, 403},
		"own right over all":      {"POST", "/users", admin, `{"login":"x","scopes":["vex:manage"]}`, nil, 403},
		"unknown right":           {"POST", "/users", admin, `{"login":"x","scopes":["root"]}`, nil, 422},
		"short password":          {"POST", "/users", admin, `{"login":"x","scopes":[],"password":"short"}`, nil, 422},
		"long password":           {"POST", "/users", admin, `{"login":"x","scopes":[],"password":"` + strings.Repeat("x", 2000) + `"}`, nil, 422},
		"no login":                {"POST", "/users", admin, `{"scopes":[]}`, nil, 422},
		"long login":              {"POST", "/users", admin, `{"login":"` + long + `","scopes":[]}`, nil, 413},
		"login that is taken":     {"POST", "/users", admin, `{"login":"ann","scopes":[]}`, nil, 409},
		"unknown member":          {"POST", "/users", admin, `{"login":"x","scopes":[],"tenant":"other"}`, nil, 400},
		"no version":              {"PUT", "/users/" + g.ann.ID, admin, `{"login":"ann","scopes":[]}`, nil, 428},
		"old version":             {"PUT", "/users/" + g.ann.ID, admin, `{"login":"ann","scopes":[]}`, []string{"If-Match", `"9"`}, 412},
		"new by PUT":              {"PUT", "/users/new", admin, `{"login":"ann","scopes":[]}`, []string{"If-None-Match", "*"}, 400},
		"odd version":             {"PUT", "/users/" + g.ann.ID, admin, `{"login":"ann","scopes":[]}`, []string{"If-Match", `W/"1"`}, 400},
		"password by PUT":         {"PUT", "/users/" + g.ann.ID, admin, `{"login":"ann","scopes":[],"password":"x"}`, []string{"If-Match", `"1"`}, 422},
		"page":                    {"GET", "/users?limit=5000", admin, "", nil, 400},
		"page zero":               {"GET", "/users?limit=0", admin, "", nil, 400},
		"odd page":                {"GET", "/journal?after=-1", admin, "", nil, 400},
		"unknown key":             {"GET", "/users?sort=x", admin, "", nil, 400},
		"no grants":               {"POST", "/clients", admin, `{"jwks":` + keys + `,"scopes":[]}`, nil, 422},
		"unknown grant":           {"POST", "/clients", admin, `{"jwks":` + keys + `,"grant_types":["password"],"scopes":[]}`, nil, 422},
		"public for itself":       {"POST", "/clients", admin, `{"public":true,"grant_types":["client_credentials"],"scopes":[]}`, nil, 422},
		"public with keys":        {"POST", "/clients", admin, `{"public":true,"jwks":` + keys + `,"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"scopes":[]}`, nil, 422},
		"no keys":                 {"POST", "/clients", admin, `{"grant_types":["client_credentials"],"scopes":[]}`, nil, 422},
		"symmetric keys":          {"POST", "/clients", admin, `{"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]},"grant_types":["client_credentials"],"scopes":[]}`, nil, 422},
		"refresh alone":           {"POST", "/clients", admin, `{"jwks":` + keys + `,"grant_types":["refresh_token"],"scopes":[]}`, nil, 422},
		"code without redirect":   {"POST", "/clients", admin, `{"jwks":` + keys + `,"grant_types":["authorization_code"],"scopes":[]}`, nil, 422},
		"redirect without code":   {"POST", "/clients", admin, `{"jwks":` + keys + `,"redirect_uris":["https://a.example/"],"grant_types":["client_credentials"],"scopes":[]}`, nil, 422},
		"secret for public":       {"POST", "/clients/" + issuer.CLI + "/secret", operator, "", nil, 409},
		"key without end":         {"POST", "/api-keys", admin, `{"scopes":["scanner:read"]}`, nil, 422},
		"key for ever":            {"POST", "/api-keys", admin, `{"scopes":["scanner:read"],"expires":"2099-01-01T00:00:00Z"}`, nil, 422},
		"key that is over":        {"POST", "/api-keys", admin, `{"scopes":["scanner:read"],"expires":"2020-01-01T00:00:00Z"}`, nil, 422},
		"key that administers":    {"POST", "/api-keys", admin, `{"scopes":["authority:admin"],"expires":"` + expires + `"}`, nil, 403},
		"key without rights":      {"POST", "/api-keys", admin, `{"scopes":[],"expires":"` + expires + `"}`, nil, 422},
		"no such key":             {"DELETE", "/api-keys/x", admin, "", nil, 404},
		"algorithm":               {"POST", "/keys", operator, `{"alg":"HS256"}`, nil, 422},
		"tenant's name":           {"PUT", "/tenants/..x", operator, `{}`, []string{"If-None-Match", "*"}, 422},
		"no such tenant":          {"PUT", "/tenants/none", operator, `{}`, []string{"If-Match", `"1"`}, 404},
		"path":                    {"GET", "/users/" + long, admin, "", nil, 404},
	} {
		w := g.api(test.method, api+test.path, test.who, test.body, test.header...)
		if w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, test.status, w.Body)
		}
	}
	if len(g.reports) != 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestTakeOver: an administrator of a tenant does not come to rights over the installation by
// the password, the keys or the secret of an account that has them.
func TestTakeOver(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	keys := g.clientKey("runner")
	runner := &account.Client{ID: "runner", Tenant: "acme", Keys: keys, Grants: []string{"client_credentials"}, Scopes: []string{auth.ScannerWork}}
	if err := g.store.PutClient(ctx, runner, "test"); err != nil {
		t.Fatal(err)
	}
	kept := `"grant_types":["client_credentials"],"scopes":["scanner:work"]`
	strong := admin + ",vex:manage,advisory:manage,scanner:work"
	for _, test := range []struct {
		method, path, who, body string
		status                  int
	}{
		{"POST", "/users/" + g.ann.ID + "/password", admin, `{"password":"correct horse battery"}`, 403},
		{"POST", "/users/" + g.ann.ID + "/password", admin, `{}`, 403},
		{"POST", "/users/" + g.ann.ID + "/password", admin + ",vex:manage", `{}`, 403},
		{"POST", "/clients/runner/secret", admin, "", 403},
		{"PUT", "/clients/runner", admin, `{"jwks":` + string(g.clientKey("stolen")) + `,` + kept + `}`, 403},
		{"PUT", "/clients/runner", admin, `{"public":true,"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"scopes":["scanner:work"]}`, 403},
		{"PUT", "/clients/runner", admin, `{"redirect_uris":["https://eve.example/"],"grant_types":["client_credentials","authorization_code"],"scopes":["scanner:work"]}`, 403},
		{"PUT", "/clients/runner", admin, `{"plain":true,` + kept + `}`, 403},
		{"PUT", "/clients/runner", admin, `{"client_name":"Runner",` + kept + `}`, 200}, // what gives nothing away
		{"POST", "/users/" + g.ann.ID + "/password", strong, `{}`, 200},
		{"POST", "/users/" + g.ann.ID + "/password?tenant=acme", operator, `{}`, 200},
	} {
		if w := g.api(test.method, api+test.path, test.who, test.body, "If-Match", `"1"`); w.Code != test.status {
			t.Errorf("%s %s %s by %s: %d, want %d: %s", test.method, test.path, test.body, test.who, w.Code, test.status, w.Body)
		}
	}
	if now := must(g.store.Client(ctx, "runner")); !bytes.Equal(now.Keys, keys) || now.Secret != "" {
		t.Errorf("the client has other credentials: %+v", now)
	}
}

// TestRegistration is row 41.
func TestRegistration(t *testing.T) {
	g := newRig(t)
	keys := string(g.clientKey("x"))
	with := func(members string) string {
		return `{"redirect_uris":["https://app.example/cb"],"jwks":` + keys + members + `}`
	}
	uri := func(u string) string { return fmt.Sprintf(`{"redirect_uris":[%q],"jwks":%s}`, u, keys) }
	for name, test := range map[string]struct{ body, code string }{
		"jwks_uri":            {with(`,"jwks_uri":"https://169.254.169.254/keys"`), "invalid_client_metadata"},
		"jwks_uri alone":      {`{"redirect_uris":["https://app.example/cb"],"jwks_uri":"https://app.example/keys"}`, "invalid_client_metadata"},
		"statement":           {with(`,"software_statement":"a.b.c"`), "unapproved_software_statement"},
		"symmetric":           {`{"redirect_uris":["https://app.example/cb"],"jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}`, "invalid_client_metadata"},
		"private":             {`{"redirect_uris":["https://app.example/cb"],"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AAAA"}]}}`, "invalid_client_metadata"},
		"no keys":             {`{"redirect_uris":["https://app.example/cb"]}`, "invalid_client_metadata"},
		"no keys in it":       {`{"redirect_uris":["https://app.example/cb"],"jwks":{"keys":[]}}`, "invalid_client_metadata"},
		"huge":                {`{"redirect_uris":["https://app.example/cb"],"jwks":{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"EC"},`, 100), ",") + `]}}`, "invalid_client_metadata"},
		"secret":              {with(`,"token_endpoint_auth_method":"client_secret_basic"`), "invalid_client_metadata"},
		"secret jwt":          {with(`,"token_endpoint_auth_method":"client_secret_jwt"`), "invalid_client_metadata"},
		"none with keys":      {with(`,"token_endpoint_auth_method":"none"`), "invalid_client_metadata"},
		"not bound":           {with(`,"dpop_bound_access_tokens":false`), "invalid_client_metadata"},
		"implicit":            {with(`,"response_types":["token"]`), "invalid_client_metadata"},
		"password":            {with(`,"grant_types":["password"]`), "invalid_client_metadata"},
		"no redirects":        {`{"jwks":` + keys + `}`, "invalid_client_metadata"},
		"scope":               {with(`,"scope":"root"`), "invalid_client_metadata"},
		"installation scope":  {with(`,"scope":"scanner:work"`), "invalid_client_metadata"},
		"twice":               {with(`,"client_name":"a","client_name":"b"`), "invalid_client_metadata"},
		"type":                {with(`,"client_name":1`), "invalid_client_metadata"},
		"name with a newline": {with(`,"client_name":"a\nb"`), "invalid_client_metadata"},
		"array":               {`[]`, "invalid_client_metadata"},
		"empty":               {``, "invalid_client_metadata"},
		"javascript":          {uri("javascript:alert(1)"), "invalid_redirect_uri"},
		"data":                {uri("data:text/html,x"), "invalid_redirect_uri"},
		"http":                {uri("http://app.example/cb"), "invalid_redirect_uri"},
		"localhost":           {uri("http://localhost/cb"), "invalid_redirect_uri"},
		"loopback lookalike":  {uri("http://127.0.0.1.evil.example/cb"), "invalid_redirect_uri"},
		"user":                {uri("https://a@app.example/cb"), "invalid_redirect_uri"},
		"fragment":            {uri("https://app.example/cb#x"), "invalid_redirect_uri"},
		"wildcard":            {uri("https://*.app.example/cb"), "invalid_redirect_uri"},
		"relative":            {uri("/cb"), "invalid_redirect_uri"},
		"custom scheme":       {uri("com.example.app:/cb"), "invalid_redirect_uri"},
		"back slash":          {uri(`https://app.example\@evil.example/`), "invalid_redirect_uri"},
		"upper case":          {uri("https://APP.example/cb"), "invalid_redirect_uri"},
	} {
		want(t, name, g.api("POST", path+"/register", admin, test.body, "Content-Type", "application/json"), 400, test.code)
	}
	want(t, "nobody", g.api("POST", path+"/register", "", with("")), 401, "invalid_token")
	want(t, "without the right", g.api("POST", path+"/register", "Test acme/ann/scanner:read", with("")), 403, "insufficient_scope")
	want(t, "long", g.api("POST", path+"/register", admin, with(`,"client_name":"`+strings.Repeat("x", 200<<10)+`"`)), 413, "invalid_request")
	public := members(g.api("POST", path+"/register", admin, `{"redirect_uris":["http://127.0.0.1/cb","http://[::1]:8080/cb"],"token_endpoint_auth_method":"none","scope":"scanner:read"}`))
	if public["client_id"] == nil {
		t.Fatalf("%v", public)
	}
	_, digest := challenge()
	if w := g.open("/authorize", asking(text(public, "client_id"), "http://127.0.0.1:5555/cb", digest)); pageOf(w) == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestSecretsStay: no secret is in an error, a report, or the journal, and hashes are all
// that is kept.
func TestSecretsStay(t *testing.T) {
	g := newRig(t)
	administer(t, g)
	code, verifier := g.code()
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	g.proven("/token", redeem(code, verifier))
	g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token")))
	g.post("/token", form("grant_type", "client_credentials", "client_id", "dev", "client_secret", secret+"x"))
	g.post("/token", g.as("ci", "grant_type", "client_credentials", "client_secret", secret))
	_, digest := challenge()
	w := g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest))
	g.submit("/authorize", form("page", pageOf(w), "action", "login", "tenant", "acme", "login", "ann", "password", password+"x"))
	ctx := context.Background()
	var said strings.Builder
	for _, x := range g.seen {
		if x.status >= 400 || strings.Contains(x.header.Get("Content-Type"), "html") {
			said.Write(x.body)
		}
	}
	for _, tenant := range []string{"", "acme", "other"} {
		for _, e := range must(g.store.Journal(ctx, tenant, 0, 1000)) {
			fmt.Fprintln(&said, e)
		}
	}
	for _, r := range must(g.store.Revocations(ctx, 0, 1000)) {
		fmt.Fprintln(&said, r)
	}
	said.WriteString(strings.Join(g.reports, "\n"))
	var secrets []string
	for _, x := range g.seen {
		out := map[string]any{}
		if x.status < 300 {
			out = members(&httptest.ResponseRecorder{Body: bodyOf(x.body)})
		}
		for _, name := range []string{"access_token", "refresh_token", "device_code", "client_secret", "secret", "password", "request_uri"} {
			if s := text(out, name); s != "" {
				secrets = append(secrets, s)
			}
		}
	}
	secrets = append(secrets, password, secret, code, verifier, "canary-", "correct horse", "argon2id")
	for _, s := range secrets {
		if strings.Contains(said.String(), s) {
			t.Errorf("%.12s… was told", s)
		}
	}
	if len(secrets) < 12 {
		t.Errorf("only %d secrets were looked for", len(secrets))
	}
	u := must(g.store.User(ctx, "acme", g.ann.ID))
	if !strings.HasPrefix(u.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("kept as %s", u.Password)
	}
	for _, k := range must(g.store.Keys(ctx)) {
		if strings.Contains(string(k.Public), `"d"`) || strings.Contains(string(k.Sealed), "PRIVATE") || strings.Contains(base64.StdEncoding.EncodeToString(k.Sealed), "MIGHAgEAMBMGByq") {
			t.Error("a private key is readable")
		}
	}
}

// TestBootstrap makes what is missing, once, and tells a password once.
func TestBootstrap(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	b := issuer.Bootstrap{Tenant: "fresh", Services: []issuer.ServiceClient{{ID: "worker", Keys: g.clientKey("worker"), Scopes: []string{auth.ScannerWork}}}}
	first := must(g.server.Bootstrap(ctx, b))
	if len(first.Password) < 40 || first.Login != "admin" || cmp.Diff([]string{"worker"}, first.Clients) != "" || first.Key != "" {
		t.Errorf("%+v", first)
	}
	u := must(g.store.Login(ctx, "fresh", "admin"))
	if ok, err := issuer.Fits(first.Password, u.Password); !ok || err != nil || u.ID != first.User {
		t.Errorf("%v %v", ok, err)
	}
	if slices.Contains(u.Scopes, auth.AdvisoryManage) || slices.Contains(u.Scopes, auth.VEXManage) || !slices.Contains(u.Scopes, auth.AuthorityAdmin) || !slices.Contains(g.ann.Scopes, auth.VEXManage) {
		t.Errorf("the administrator of a further tenant has %q, that of the first %q", u.Scopes, g.ann.Scopes)
	}
	if again := must(g.server.Bootstrap(ctx, b)); again.Password != "" || again.User != "" || len(again.Clients) != 0 || again.Key != "" {
		t.Errorf("%+v", again)
	}
	g.granted(g.proven("/token", g.as("worker", "grant_type", "client_credentials")))
	for name, b := range map[string]issuer.Bootstrap{
		"tenant": {Tenant: "../x"}, "password": {Tenant: "p", Password: "short"}, "redirect": {Tenant: "r", Redirects: []string{"javascript:x"}},
		"keys": {Tenant: "k", Services: []issuer.ServiceClient{{ID: "s", Keys: []byte("{}")}}}, "scope": {Tenant: "k", Services: []issuer.ServiceClient{{ID: "s", Keys: g.clientKey("s"), Scopes: []string{"root"}}}},
	} {
		if _, err := g.server.Bootstrap(ctx, b); !errors.Is(err, issuer.ErrInvalid) || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
